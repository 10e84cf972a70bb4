"""Whole lists as of days, such as an index's members each Monday, as intervals."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_DAY = pl.duration(days=1)


def intervals_of(rows: pl.DataFrame, keys: Sequence[str], lists: pl.DataFrame) -> pl.DataFrame:
    """From the first of lists in a row that have a key to the day before the next list that hasn't.

    Parameters
    ----------
    rows : columns `keys` and ``listed_on`` (date)
    lists : the days of all lists, column ``listed_on``; of several series, as indices, with the `keys` that name one

    Returns
    -------
    columns `keys`, start_date, end_date (null = still on the last list), by these
    """
    of = [name for name in lists.columns if name != "listed_on"]
    place = lists.unique().sort(*of, "listed_on")
    number = pl.int_range(pl.len()).over(of) if of else pl.int_range(pl.len())
    following = pl.col("listed_on").shift(-1)
    place = place.with_columns(place=number, following=following.over(of) if of else following)
    rows = rows.unique([*keys, "listed_on"]).join(place, on=[*of, "listed_on"]).sort(*keys, "place")
    begins = (pl.col("place") != pl.col("place").shift(1).over(keys) + 1).fill_null(value=True)
    groups = rows.with_columns(number=begins.cum_sum().over(keys)).group_by([*keys, "number"], maintain_order=True)
    spans = groups.agg(start_date=pl.col("listed_on").first(), end_date=pl.col("following").last() - _DAY)
    return spans.drop("number")
