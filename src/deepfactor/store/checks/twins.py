"""One company under two codes: two symbols whose bars are equal on many days."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.finding import Finding

#: The code of its finding.
TWINS = "twin_symbols"
#: Days with different bars, each equal to the other symbol's, that are no chance. Close, volume and amount agree by
#: chance on single days of stocks that hardly trade.
_ENOUGH = 20
#: Of many rows days are looked at first whose number this divides: of 20 trading days in a row there is at least one.
_STEP, _MANY_ROWS = 11, 500_000
#: Symbols that share a bar of a day and from which on it is a filling, no company's.
_CROWD = 10
_EQUAL = Sentence(
    "pairs of symbols have equal bars: one company under two codes counts twice in every cross-section; drop one of "
    "them, or say in [[renames]] which became which",
    "疑为同一公司的两个代码，逐日行情相同，在每个截面中被计两次：请去掉其一，或在[[renames]]中说明代码变更",
)


def bar_columns(columns: list[str]) -> list[str]:
    """Columns that tell two stocks apart, of those that there are."""
    return ["close", "volume", "amount" if "amount" in columns else "vwap"]


def check_twins(frame: pl.DataFrame) -> list[Finding]:
    """A warning that names pairs of symbols with equal bars, but for days without trade and bars that stay the same."""
    bar = bar_columns(frame.columns)
    traded = frame.lazy().select("date", "symbol", *bar).filter(pl.col("volume") > 0)
    some = traded.filter(pl.col("date").to_physical() % _STEP == 0) if frame.height > _MANY_ROWS else traded
    pairs = _pairs(some.collect(), bar)
    if pairs.is_empty():
        return []
    symbols = pl.concat([pairs["one"], pairs["other"]]).unique()
    mine = traded.filter(pl.col("symbol").is_in(symbols.implode())).collect()
    twins = _pairs(mine, bar).filter(pl.col("bars") >= _ENOUGH).sort("one", "other")
    if twins.is_empty():
        return []
    examples = tuple(
        f"{one} and {other}: {days} days, {first} to {last}"
        for one, other, days, _, first, last in twins.head(5).rows()
    )
    return [Finding("warning", TWINS, "daily", "symbol", twins.height, _EQUAL, None, examples)]


def _pairs(rows: pl.DataFrame, bar: list[str]) -> pl.DataFrame:
    """Pairs of symbols with equal bars: one, other, days, bars (different ones), first and last day."""
    key = ["date", *bar]
    same = rows.filter(rows.select(pl.struct(key).hash()).to_series().is_duplicated())
    same = same.filter(pl.len().over(key) <= _CROWD)
    both = same.join(same, on=key, suffix="_other").filter(pl.col("symbol") < pl.col("symbol_other"))
    pairs = both.group_by(one="symbol", other="symbol_other")
    days = (pl.col("date").min().alias("first"), pl.col("date").max().alias("last"))
    return pairs.agg(pl.len().alias("days"), pl.struct(bar).n_unique().alias("bars"), *days)
