"""Whether prices that are given as raw are adjusted: off the grid of fen, or unmoved where the factor jumps."""

from __future__ import annotations

import polars as pl

from deepfactor.store.checks import Finding, rows_where

#: Traded rows of a year, and the share of them off the grid, from which on it is no slip of the vendor.
_ENOUGH_ROWS, _OFF_GRID = 200, 0.2
#: Fen that a price may lie off the grid: it may have been stored in single precision.
_SLACK, _SINGLE = 0.02, 2e-7
#: Jumps of the factor that are larger than any day's move, and how many of them say something.
_JUMP, _ENOUGH_JUMPS = 1.25, 5
_REMEDY = (
    "prices must be raw, with a cumulative backward adj_factor beside them; where the vendor has only adjusted ones, "
    "say adjusted = true in the mapping (limits and lots are off then)"
)


def check_adjustment(daily: pl.DataFrame) -> list[Finding]:
    """Errors of `daily`, whose prices are said to be raw.

    Exchanges quote in fen, so raw closes are multiples of 0.01; a forward-adjusted history is not, the less the older
    it is. Where a vendor rounds it, its closes don't fall on days on which the factor rises by a quarter or more.
    """
    return _off_grid(daily) or _adjusted_twice(daily)


def _off_grid(daily: pl.DataFrame) -> list[Finding]:
    fen = pl.col("close") * 100
    off = (pl.col("volume") > 0) & ((fen - fen.round()).abs() > _SLACK + _SINGLE * fen)
    rows = daily.filter(pl.col("volume") > 0).group_by(year=pl.col("date").dt.year())
    years = rows.agg(share=off.mean(), n=pl.len()).filter((pl.col("n") >= _ENOUGH_ROWS) & (pl.col("share") > _OFF_GRID))
    if years.is_empty():
        return []
    shares = ", ".join(f"{year}: {share:.0%}" for year, share, _ in years.sort("year").rows())
    message = f"closes are no whole fen, so not raw (share by year: {shares}): {_REMEDY}"
    return rows_where("error", "adjusted_prices", "daily", "close", daily, off, message)


def _adjusted_twice(daily: pl.DataFrame) -> list[Finding]:
    if "adj_factor" not in daily.columns:
        return []
    rows = daily.lazy().filter(pl.col("volume") > 0).select("date", "symbol", "close", "adj_factor")
    ratio, move = (pl.col(name) / pl.col(name).shift(1).over("symbol") for name in ("adj_factor", "close"))
    # Dates ascend within each symbol, or ingest has stopped before.
    jumps = rows.with_columns(ratio=ratio, move=move).filter(pl.col("ratio") >= _JUMP).collect()
    # A raw price falls by the factor: this is −1 then, and 0 where the price is adjusted already.
    answer = jumps.select((pl.col("move").log() / pl.col("ratio").log()).median()).item()
    if jumps.height < _ENOUGH_JUMPS or answer < -0.5:
        return []
    examples = tuple(f"{day} {symbol}" for day, symbol in jumps.select("date", "symbol").head(5).rows())
    message = (
        f"closes don't fall on the days on which adj_factor jumps ({jumps.height} jumps by {_JUMP - 1:.0%} or more, "
        f"first {examples[0]}): the prices are adjusted already, or the factor is no backward one; {_REMEDY}"
    )
    return [Finding("error", "adjusted_prices", "daily", "close", jumps.height, message, None, examples)]
