"""Tables of who belongs where: intervals, and symbols that other tables lack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.checks.weights import check_number, check_recent

#: Share of an index's symbols that must have prices, where it has so many that this says something of the mapping.
_LEAST_PRICED, _LEAST_MEMBERS = 0.5, 2
_TURNED = Sentence("the interval ends before it starts", "区间截止日早于起始日")
_OVERLAP = Sentence(
    "starts before the interval of the same symbol ahead of it ends: {example}",
    "起始日早于同一代码前一区间的截止日：{example}",
)
_NO_PRICES = Sentence("{n} symbols have no row in daily: they are in no panel", "{n}个代码没有日行情，未进入面板")
_NOT_THERE = Sentence("{n} symbols have no row in {table}", "{n}个代码在{table}中没有记录")
_BARE = Sentence(
    "of the {n} members of {index} only {share} have prices: mend the mapping of codes, or drop it",
    "{index}的{n}只成分股中仅{share}有行情：请修正代码映射，或去掉该指数",
)


def check_intervals(name: str, frame: pl.DataFrame) -> list[Finding]:
    """Ends not before starts, no two intervals of one symbol (and index) overlapping."""
    if "end_date" not in frame.columns:
        return []
    out = rows_where("error", "interval", name, "end_date", frame, pl.col("end_date") < pl.col("start_date"), _TURNED)
    group = ["index", "symbol"] if "index" in frame.columns else ["symbol"]
    rows = frame.with_row_index("row").sort([*group, "start_date"])
    before = pl.col("end_date").shift(1).over(group)
    open_before = before.is_null() & (pl.int_range(pl.len()).over(group) > 0) & (pl.lit(name == "index_members"))
    clash = rows.filter((pl.col("start_date") <= before) | open_before)
    if clash.height:
        examples = tuple(" ".join(map(str, row)) for row in clash.select(*group, "start_date").head(5).rows())
        message = _OVERLAP.filled(example=examples[0])
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
            out.append(_names("no_prices", name, lacking, _NO_PRICES.filled(n=len(lacking))))
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
            out.append(_names(f"not_in_{name}", "daily", lacking, _NOT_THERE.filled(n=len(lacking), table=name)))
    return out


def _check_members(name: str, frame: pl.DataFrame, priced: Collection[str]) -> list[Finding]:
    """An index of whose symbols most have no prices is another market's, or its codes are of another form."""
    has = pl.col("symbol").cast(pl.String).is_in(list(priced))
    of_index = frame.lazy().group_by("index").agg(pl.col("symbol").unique())
    members = of_index.explode("symbol").with_columns(has=has).collect()
    shares = members.group_by("index").agg(pl.col("has").mean(), total=pl.len())
    bare = shares.filter((pl.col("has") < _LEAST_PRICED) & (pl.col("total") >= _LEAST_MEMBERS)).sort("index")
    if bare.is_empty():
        return []
    index, share, total = bare.row(0)
    message = _BARE.filled(n=total, index=index, share=f"{share:.0%}")
    wrong = pl.col("index").is_in(bare["index"].implode()) & ~has
    return rows_where("error", "members_without_prices", name, "symbol", frame, wrong, message)


def _names(code: str, table: str, symbols: list[str], message: Text) -> Finding:
    return Finding("warning", code, table, "symbol", len(symbols), message, None, tuple(symbols[:5]))
