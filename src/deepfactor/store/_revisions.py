"""What a source now says of days that are held: rows changed, added, gone; and history that moves as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.store.checks import TICK
from deepfactor.store.schema import TABLES

#: Rows that are listed of each kind of revision.
LISTED = 10
#: Days of a symbol from which a common ratio of all prices is no chance.
_ENOUGH = 5
_RATIO = 1e-6
_EPSILON = 1e-6


@dataclass(frozen=True)
class Revision:
    """Rows of one table that the source now gives otherwise.

    Attributes
    ----------
    table : where
    kind : "changed", "added", "gone", or "missing until now": nulls that are filled
    count : rows
    columns : those that changed
    examples : the first `LISTED` of them: key, and column old → new where changed
    """

    table: str
    kind: str
    count: int
    columns: tuple[str, ...]
    examples: tuple[str, ...]

    def text(self) -> str:
        """One line."""
        columns = f" in {', '.join(self.columns)}" if self.columns else ""
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.table}: {self.count} rows {self.kind}{columns} ({', '.join(self.examples)}{more})"


def compare(table: str, held: pl.DataFrame, now: pl.DataFrame) -> tuple[Revision, ...]:
    """How `now` differs from `held`, both as stored (columns of the schema, its order)."""
    if held.equals(now):
        return ()
    key = list(TABLES[table].key)
    values = [name for name in held.columns if name not in key]
    before = held.with_columns(there=pl.lit(value=True))
    both = before.join(now.with_columns(here=pl.lit(value=True)), on=key, how="full", coalesce=True, nulls_equal=True)
    both = both.sort(key)
    out = []
    for kind, one in (("gone", pl.col("here").is_null()), ("added", pl.col("there").is_null())):
        rows = both.filter(one)
        if rows.height:
            out.append(Revision(table, kind, rows.height, (), _keys(rows, key)))
    both = both.filter(pl.col("here") & pl.col("there"))
    differs = {name: ~pl.col(name).eq_missing(pl.col(f"{name}_right")) for name in values}
    rows = both.filter(pl.any_horizontal(differs.values())) if differs else both.clear()
    filled = pl.all_horizontal(~other | pl.col(name).is_null() for name, other in differs.items())
    for kind, one in (("missing until now", filled), ("changed", ~filled)) if rows.height else ():
        changed = rows.filter(one)
        columns = tuple(name for name, other in differs.items() if changed.select(other.any()).item())
        if changed.height:
            out.append(Revision(table, kind, changed.height, columns, _changes(changed, key, columns)))
    return tuple(out)


def _keys(rows: pl.DataFrame, key: list[str]) -> tuple[str, ...]:
    return tuple(" ".join(map(str, row)) for row in rows.select(key).head(LISTED).rows())


def _changes(rows: pl.DataFrame, key: list[str], columns: tuple[str, ...]) -> tuple[str, ...]:
    texts = []
    for row in rows.head(LISTED).rows(named=True):
        moves = [f"{c} {row[c]} → {row[f'{c}_right']}" for c in columns if row[c] != row[f"{c}_right"]]
        texts.append(" ".join([*(str(row[name]) for name in key), *moves]))
    return tuple(texts)


def known_until(table: str, frame: pl.DataFrame, day: date) -> pl.DataFrame:
    """Rows of a table of intervals that bear on days before `day`, without what lies after; others: no rows."""
    if "start_date" not in frame.columns:
        return frame.clear()
    frame = frame.filter(pl.col("start_date") < day)
    if "end_date" in frame.columns:
        ended = pl.when(pl.col("end_date") < day).then(pl.col("end_date"))
        frame = frame.with_columns(end_date=ended)
    return frame


def refuse_forward_adjusted(held: pl.DataFrame, now: pl.DataFrame) -> None:
    """A `DataError` where all days of a symbol moved by one ratio: in the factor, or in open, high, low and close.

    A forward-adjusted vendor restates all days before an ex-date, those before the overlap too.
    """
    both = held.join(now, on=["date", "symbol"], how="inner", suffix="_now").filter(pl.col("volume") > 0)
    if "adj_factor" in held.columns:
        ratio = pl.col("adj_factor_now") / pl.col("adj_factor")
        _refuse_ratio(both, ratio, pl.lit(_RATIO), "adj_factor", "the factor of days held")
    close = pl.col("close_now") / pl.col("close")
    slack = 2 * TICK / pl.col("close").min() + _EPSILON
    _refuse_ratio(both, close, slack, "close", "prices of days held")


def _refuse_ratio(both: pl.DataFrame, ratio: pl.Expr, slack: pl.Expr, column: str, what: str) -> None:
    moved = (
        both.group_by("symbol", maintain_order=True)
        .agg(ratio=ratio.median(), low=ratio.min(), high=ratio.max(), slack=slack.first(), days=pl.len())
        .filter(
            (pl.col("days") >= _ENOUGH)
            & ((pl.col("ratio") - 1).abs() > 2 * pl.col("slack"))
            & (pl.col("high") - pl.col("low") <= 2 * pl.col("slack"))
        )
    )
    if moved.is_empty():
        return
    symbol, ratio_of = moved.row(0)[:2]
    raise DataError(
        f"{what} changed by one ratio for {moved.height} symbols ({symbol}: × {ratio_of:.6g} on all of its days): "
        "the source is forward-adjusted, its history changes with each dividend. Give raw prices and a cumulative "
        "backward factor; if the source changed for good, ingest it into a new folder",
        file="table daily",
        column=column,
    )
