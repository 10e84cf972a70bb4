"""Tables of who belongs where: intervals, and symbols that other tables lack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.checks.weights import check_number, check_recent

#: Share of an index's symbols that must have prices, where it has so many that this says something of the mapping.
_LEAST_PRICED, _LEAST_MEMBERS = 0.5, 2


def check_intervals(name: str, frame: pl.DataFrame) -> list[Finding]:
    """Ends not before starts, no two intervals of one symbol (and index) overlapping."""
    if "end_date" not in frame.columns:
        return []
    message = "the interval ends before it starts"
    out = rows_where("error", "interval", name, "end_date", frame, pl.col("end_date") < pl.col("start_date"), message)
    group = ["index", "symbol"] if "index" in frame.columns else ["symbol"]
    rows = frame.with_row_index("row").sort([*group, "start_date"])
    before = pl.col("end_date").shift(1).over(group)
    open_before = before.is_null() & (pl.int_range(pl.len()).over(group) > 0) & (pl.lit(name == "index_members"))
    clash = rows.filter((pl.col("start_date") <= before) | open_before)
    if clash.height:
        examples = tuple(" ".join(map(str, row)) for row in clash.select(*group, "start_date").head(5).rows())
        message = f"starts before the interval of the same symbol ahead of it ends: {examples[0]}"
        row = int(clash["row"][0]) + 1
        out.append(Finding("error", "interval_overlap", name, "start_date", clash.height, message, row, examples))
    return out


def check_across(tables: Mapping[str, pl.DataFrame], priced_before: Collection[str], *, by_code: bool) -> list[Finding]:
    """What one table says of another: symbols without prices, prices without a security or an industry, old weights.

    `by_code`: whether an index's code says how many members it has.
    """
    symbols = {
        name: set(frame["symbol"].unique().cast(pl.String))
        for name, frame in tables.items()
        if "symbol" in frame.columns
    }
    priced = symbols["daily"] | set(priced_before)
    out = []
    for name in ("index_members", "index_weights", "industry", "fundamentals", "securities"):
        lacking = sorted(symbols.get(name, set()) - priced)
        if lacking:
            message = f"{len(lacking)} symbols have no row in daily: they are in no panel"
            out.append(_names("no_prices", name, lacking, message))
    for name in ("index_members", "index_weights"):
        if name in tables:
            out += _check_members(name, tables[name], priced)
    last: date = tables["daily"].select(pl.col("date").max()).item()
    if "index_weights" in tables:
        out += check_recent(tables["index_weights"], last)
    if by_code:
        out += check_number(tables, last, priced)
    for name in ("securities", "industry"):
        lacking = sorted(priced - symbols[name]) if name in symbols else []
        if lacking:
            out.append(_names(f"not_in_{name}", "daily", lacking, f"{len(lacking)} symbols have no row in {name}"))
    return out


def _check_members(name: str, frame: pl.DataFrame, priced: Collection[str]) -> list[Finding]:
    """An index of whose symbols most have no prices is another market's, or its codes are of another form."""
    has = pl.col("symbol").cast(pl.String).is_in(list(priced))
    members = frame.select("index", "symbol", has=has).unique()
    shares = members.group_by("index").agg(pl.col("has").mean(), total=pl.len())
    bare = shares.filter((pl.col("has") < _LEAST_PRICED) & (pl.col("total") >= _LEAST_MEMBERS)).sort("index")
    if bare.is_empty():
        return []
    index, share, total = bare.row(0)
    message = f"of the {total} members of {index} only {share:.0%} have prices: mend the mapping of codes, or drop it"
    wrong = pl.col("index").is_in(bare["index"].implode()) & ~has
    return rows_where("error", "members_without_prices", name, "symbol", frame, wrong, message)


def _names(code: str, table: str, symbols: list[str], message: str) -> Finding:
    return Finding("warning", code, table, "symbol", len(symbols), message, None, tuple(symbols[:5]))
