"""One history out of the rows under a company's codes, old and new, by the rules of each table.

Prices and index weights: the codes' days follow each other, no day is there under two. States that last (industries,
members, steps): an old code's hold until the newer one's begin. Company figures that both codes carry count once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from deepfactor.market.boards import Board, board_of
from deepfactor.store.schema import TABLES

#: A factor whose level changes by less goes on: vendors round it.
_SAME_LEVEL = 1e-3
#: Moves of a day that need no dividend to explain them, by board: the limit, a little wider for rounding.
_MOVES = {Board.MAIN: 0.105, Board.CHINEXT: 0.205, Board.STAR: 0.205, Board.BEIJING: 0.305}


class Contradiction(Exception):
    """Rows under two codes that can't be one history; `position` is that of a row, from 0."""

    def __init__(self, message: str, column: str, position: int) -> None:
        self.column, self.position = column, position
        super().__init__(message)


@dataclass(frozen=True)
class Stitched:
    """Rows of a table under one code a company, in the table's order, and how many were replaced by newer ones."""

    frame: pl.DataFrame
    replaced: int = 0


def stitch(table: str, frame: pl.DataFrame, age: pl.Series, changed: Mapping[str, date]) -> Stitched:
    """Rows of `table` that came under several codes as one history.

    Parameters
    ----------
    frame : with the newest code of each company in ``symbol``
    age : how many changes ago each row's code was the company's, 0 = it is the newest
    changed : newest code = day from which it is the company's, where that is known

    Raises
    ------
    Contradiction
        a day of prices or weights under two codes, or codes whose days don't follow each other.
    """
    rows = frame.with_columns(age=age, position=pl.int_range(pl.len()))
    several = pl.col("symbol").is_in(rows.filter(pl.col("age") > 0)["symbol"].unique().implode())
    if table == "securities":
        several = several | pl.col("symbol").cast(pl.String).is_in(list(changed))
    theirs, rest = rows.filter(several), rows.filter(~several)
    if table in ("daily", "index_weights"):
        _require_in_turn(table, theirs)
        kept = theirs
    elif table in ("industry", "index_members"):
        kept = until_newer(theirs, ["index", "symbol"] if table == "index_members" else ["symbol"], "start_date")
    elif table == "securities":
        day = pl.col("symbol").cast(pl.String).replace_strict(dict(changed), default=None, return_dtype=pl.Date)
        kept = _one_security(theirs, day)
    else:
        kept = theirs.sort("age", maintain_order=True).unique(TABLES[table].key, keep="first", maintain_order=True)
    whole = pl.concat([rest, kept.select(rest.columns)]).drop("age", "position")
    order = [name for name in TABLES[table].order if name in frame.columns]
    return Stitched(whole.sort(order), theirs.height - kept.height)


def _require_in_turn(table: str, rows: pl.DataFrame) -> None:
    """No day under two codes, and of prices the older code's before the newer one's."""
    key = [name for name in ("index", "symbol") if name in rows.columns]
    rows = rows.sort(*key, "date", -pl.col("age"))
    twice = rows.filter(rows.select(*key, "date").is_duplicated())
    if twice.height:
        at = twice.row(1, named=True)
        message = f"{at['date']} of {at['symbol']} is there under two of its codes: drop the rows of one (drop)"
        raise Contradiction(message, "date", at["position"])
    if table == "daily":
        back = rows.filter((pl.col("age") > pl.col("age").shift(1)).over("symbol").fill_null(value=False))
        if back.height:
            at = back.row(0, named=True)
            message = f"the old code of {at['symbol']} has days after the new one's first ({at['date']})"
            raise Contradiction(message, "date", at["position"])


def until_newer(rows: pl.DataFrame, group: list[str], start: str, end: str = "end_date") -> pl.DataFrame:
    """Rows (with `age`) of states that last: those of an older code only until the first of a newer one of `group`.

    An `end` moves to the day before; a row that starts later is gone.
    """
    first = rows.group_by(*group, "age").agg(newer=pl.col(start).min()).sort(*group, "age")
    first = first.with_columns(newer=pl.col("newer").cum_min().shift(1).over(group))
    rows = rows.join(first, on=[*group, "age"], how="left", nulls_equal=True, maintain_order="left")
    kept = rows.filter(pl.col("newer").is_null() | (pl.col(start) < pl.col("newer")))
    if end in kept.columns:
        over = pl.col("newer").is_not_null() & (pl.col(end).is_null() | (pl.col(end) >= pl.col("newer")))
        kept = kept.with_columns(pl.when(over).then(pl.col("newer") - timedelta(days=1)).otherwise(end).alias(end))
    return kept.drop("newer")


def _one_security(rows: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
    """The newest code's row of each symbol: listed when the first was, and that a code ended is no delisting.

    `day`: from which the newest code is the company's; a listing from then on is the code's, not the company's.
    """
    rows = rows.sort("symbol", "age")
    newest = rows.unique("symbol", keep="first", maintain_order=True)
    if "list_date" in rows.columns:
        own = (pl.col("age") == 0) & (pl.col("list_date") >= day).fill_null(value=False)
        first = rows.filter(~own).group_by("symbol").agg(first=pl.col("list_date").min())
        newest = newest.join(first, on="symbol", how="left", maintain_order="left")
        newest = newest.with_columns(list_date="first").drop("first")
    if "delist_date" in rows.columns:
        ended = (pl.col("age") > 0) & (day.is_null() | (pl.col("delist_date") <= day))
        newest = newest.with_columns(delist_date=pl.when(~ended).then("delist_date"))
    return newest


#: Symbol, and the first day under a newer code.
Turn = tuple[str, date]
#: Rows that say at which level the factor is.
SOUND = (pl.col("close") > 0) & (pl.col("adj_factor") > 0)


def turns(daily: pl.DataFrame, age: pl.Series) -> list[Turn]:
    """Symbol and first day under a newer code, of prices under several; `age` as of `stitch`."""
    rows = daily.select("symbol", "date").with_columns(age=age)
    several = rows.filter(pl.col("age") > 0)["symbol"].unique()
    first = rows.filter(pl.col("symbol").is_in(several.implode())).group_by("symbol", "age").agg(pl.col("date").min())
    later = first.sort("symbol", "date").filter(pl.col("date") > pl.col("date").min().over("symbol"))
    return [(str(symbol), day) for symbol, _, day in later.rows()]


def leveled(
    daily: pl.DataFrame, changes: Sequence[Turn], shares: Mapping[Turn, float]
) -> tuple[pl.DataFrame, dict[Turn, float]]:
    """Prices (by symbol and date) with the factors before each change of code on the level of those after it.

    Returns what they were multiplied by, where that isn't 1. A change without a row of a price and a factor before or
    after it is passed over.

    Raises
    ------
    Contradiction
        it can't be told whether the factor goes on.
    """
    if "adj_factor" not in daily.columns or not changes:
        return daily, {}
    runs = daily["symbol"].rle().struct.unnest()
    starts = runs["len"].cum_sum() - runs["len"]
    place = {
        name: (start, n) for name, start, n in zip(runs["value"].cast(pl.String), starts, runs["len"], strict=True)
    }
    factors = daily["adj_factor"].to_numpy().copy()
    scales = {}
    for symbol, day in changes:
        start, length = place.get(symbol, (0, 0))
        rows = daily.slice(start, length)
        sound = rows.filter(SOUND)
        before, after = sound.filter(pl.col("date") < day), sound.filter(pl.col("date") >= day)
        if before.is_empty() or after.is_empty():
            continue
        scale = scale_between(before.tail(1), after.head(1), symbol, shares.get((symbol, day)))
        if scale != 1:
            factors[start : start + rows.filter(pl.col("date") < day).height] *= scale
            scales[symbol, day] = scale
    return daily.with_columns(adj_factor=pl.Series(factors, nan_to_null=True)), scales


def scale_between(before: pl.DataFrame, after: pl.DataFrame, symbol: str, shares: float | None) -> float:
    """What factors before a change of code are multiplied by; its last row before and first row after it.

    The return across the change is then close ÷ prev_close − 1. With `shares` (new ones for an old one) it is that of
    the closes times `shares`. Without a prev_close: a factor that falls has started anew, for a cumulative one never
    does; one that rises by more than rounding is a dividend where the close fell for it. 1 = the factor goes on as it
    is.

    Raises
    ------
    Contradiction
        it can't be told whether the factor goes on.
    """
    step = float(after["adj_factor"][0] / before["adj_factor"][0])
    if shares is not None:
        return step / shares
    reference = after["prev_close"][0] if "prev_close" in after.columns else None
    if reference:
        scale = float(step * reference / before["close"][0])
        return 1.0 if abs(scale - 1) <= _SAME_LEVEL + 0.01 / reference else scale
    if abs(step - 1) <= _SAME_LEVEL:
        return 1.0
    if step < 1:
        return step
    width = _MOVES[board_of(symbol)]
    ratio = after["close"][0] / before["close"][0]
    plain, adjusted = (abs(ratio * by - 1) <= width for by in (1.0, step))
    if plain == adjusted:
        levels = f"{before['adj_factor'][0]:g}, then {after['adj_factor'][0]:g}"
        raise Contradiction(
            f"{symbol} has a new code from {after['date'][0]} on; whether its factor goes on ({levels}) or starts anew "
            "can't be told: give prev_close, or shares in its rename",
            "adj_factor",
            0,
        )
    return step if plain else 1.0
