"""Rows in any order, brought into that of their table."""

from __future__ import annotations

import polars as pl

from deepfactor.sources._codes import Read
from deepfactor.store.schema import TABLES


def out_of_order(table: str, read: Read, frame: pl.DataFrame) -> pl.Series | None:
    """The places of `frame`'s rows in the order of `table`; None where dates ascend already within each series.

    Parameters
    ----------
    frame : a row a row of `read`, in our columns

    Raises
    ------
    DataError
        two rows of one key; names the second. (Where dates ascend the checks of all tables find them.)
    """
    day = next((name for name in ("date", "start_date", "known_at") if name in TABLES[table].key), None)
    if day is None or day not in frame.columns or frame[day].is_sorted():
        return None
    if table == "daily" and sorted_by_symbol(frame):  # as most come, and far cheaper to tell
        return None
    key = [name for name in TABLES[table].key if name in frame.columns]
    others = ["index"] if table == "index_weights" else [name for name in key if name not in (day, "period_end")]
    dated = frame.select(*key).with_columns(**read.ages())
    series = [*others, *(["age"] if "age" in dated.columns else [])]
    before = pl.col(day).shift(1)
    falls = (pl.col(day) < (before.over(series) if series else before)).fill_null(value=False)
    if not dated.select(falls.any()).item():
        return None
    rows = dated.with_row_index("place").sort(*(name for name in TABLES[table].order if name in key), "place")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in [*key, *series])
    twice = rows.filter(same.fill_null(value=False))
    if twice.height:
        first = twice.sort("place").row(0, named=True)
        shown = " ".join(str(first[name]) for name in key)
        raise read.extract.fault(f"two rows with the same {', '.join(key)}: {shown}", position=first["place"])
    return rows["place"]


def reordered(read: Read, order: pl.Series) -> Read:
    """What was read, in another order."""
    codes = {name: series.gather(order) for name, series in read.codes.items()}
    age = None if read.age is None else read.age.gather(order)
    return Read(read.extract.taken(order), codes, read.dropped, age)


def sorted_by_symbol(frame: pl.DataFrame) -> bool:
    """Whether rows come by symbol, then date. Codes are an Enum in the order of text."""
    symbol, day = pl.col("symbol").to_physical(), pl.col("date")
    wrong = (symbol < symbol.shift(1)) | ((symbol == symbol.shift(1)) & (day < day.shift(1)))
    return not frame.select(wrong.any()).item()


def by_symbol(bars: list[pl.DataFrame]) -> pl.DataFrame:
    """The one frame in `bars`, which is taken out, by symbol and date; a column at a time, so that it is never twice in
    memory as a whole."""
    order = bars[0].select(pl.arg_sort_by("symbol", "date")).to_series()
    left = bars.pop().get_columns()[::-1]
    made = []
    while left:
        made.append(left.pop().gather(order))
    return pl.DataFrame(made)
