"""Units of `daily`: volume in shares, amount and market values in CNY."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding, rows_where

#: Smallest price step, CNY. A vwap may lie this far outside [low, high]: vendors round it.
TICK = 0.01
EPSILON = 1e-6
#: The median turnover of a day of a market lies well within; outside, volume or market value is in another unit.
_PLAUSIBLE_TURNOVER = (0.0005, 0.2)
#: A hundredth of what is usual (volume in lots) and a hundred times of it lie outside; no market of many stocks does.
_POSSIBLE_TURNOVER, _MANY_STOCKS = (0.0003, 0.5), 100
#: A given turnover and volume × close / float_mv may differ by this factor at the median.
_TURNOVER_TOLERANCE = 3.0
#: Share of rows whose amount / volume may lie outside [low, high] before the units are held to be wrong.
_IMPLIED_VWAP_TOLERANCE = 0.01
_VWAP_UNIT = Sentence(
    "amount / volume is {ratio} × close at the median: amount must be in CNY and volume in shares (a factor 100 too "
    "high = volume in lots, 1000 or 10000 = amount in thousands; about 1 = adjusted prices beside raw volumes: say "
    "adjusted = true)",
    "成交额÷成交量为收盘价的{ratio}倍（中位数）：成交额应以元计，成交量应以股计"
    "（高100倍＝成交量以手计，1000或10000倍＝成交额以千元或万元计；"
    "约为1＝复权价配未复权成交量：请声明adjusted = true）",
)
_VWAP_OUTSIDE = Sentence(
    "amount / volume lies outside [low, high] by more than a tick: no vwap on these rows",
    "成交额与成交量推算的均价超出最高最低价一个最小变动价位以上：这些行没有均价",
)
_TURNOVER_UNIT = Sentence(
    "volume × close / float_mv is {ratio} × turnover at the median: volume must be in shares, float_mv in CNY (a "
    "factor 100 = volume in lots, 10000 = values in 10,000 CNY), turnover a fraction",
    "成交量×收盘价÷流通市值为所给换手率的{ratio}倍（中位数）：成交量应以股计，流通市值应以元计"
    "（100倍＝成交量以手计，10000倍＝市值以万元计），换手率应为小数",
)
_STRANGE_TURNOVER = Sentence(
    "volume × close / float_mv is {median} at the median, a strange turnover: volume must be in shares, float_mv in "
    "CNY (a factor 100 = volume in lots, 10000 = values in 10,000 CNY)",
    "换手率异常：成交量×收盘价÷流通市值的中位数为{median}；成交量应以股计，流通市值应以元计"
    "（100倍＝成交量以手计，10000倍＝市值以万元计）",
)


def outside_range(price: pl.Expr) -> pl.Expr:
    """Whether a price lies beyond the day's low and high by more than a tick's rounding."""
    slack = TICK + EPSILON
    return (price < pl.col("low") - slack) | (price > pl.col("high") + slack)


def check_implied_vwap(frame: pl.DataFrame) -> list[Finding]:
    """amount / volume must be a price of the day: an error of units where it isn't on many rows, a warning on few."""
    implied = pl.when(pl.col("volume") > 0).then(pl.col("amount") / pl.col("volume"))
    bad = outside_range(implied)
    ratio, n, total = frame.select(
        ratio=(implied / pl.col("close")).median(), n=bad.fill_null(False).sum(), total=(pl.col("volume") > 0).sum()
    ).row(0)
    if not n:
        return []
    if n > _IMPLIED_VWAP_TOLERANCE * total:
        message = _VWAP_UNIT.filled(ratio=f"{ratio:.4g}")
        return rows_where("error", "wrong_unit", "daily", "volume", frame, bad, message)
    return rows_where("warning", "implied_vwap_outside", "daily", "amount", frame, bad, _VWAP_OUTSIDE)


def traded_value(columns: Collection[str], basis: Basis) -> pl.Expr | None:
    """CNY of a day's trade as far as they make turnover: volume × close, beside adjusted prices and raw volumes amount.

    None where there is no such.
    """
    if not basis.raw_volume:
        return pl.col("volume") * pl.col("close")
    return pl.col("amount") if "amount" in columns else None


def check_turnover(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """volume × close / float_mv must be the given turnover, or at least a plausible one: else a unit is wrong."""
    value = traded_value(frame.columns, basis)
    if value is None:
        return []
    made = pl.when(pl.col("volume") > 0).then(value / pl.col("float_mv"))
    if "turnover" in frame.columns:
        ratio = frame.select((made / pl.when(pl.col("turnover") > 0).then(pl.col("turnover"))).median()).item()
        if ratio is None or 1 / _TURNOVER_TOLERANCE < ratio < _TURNOVER_TOLERANCE:
            return []
        message = _TURNOVER_UNIT.filled(ratio=f"{ratio:.4g}")
        return [Finding("error", "wrong_unit", "daily", "volume", frame.height, message)]
    median, stocks = frame.select(made.median(), pl.col("symbol").n_unique()).row(0)
    if median is None or _PLAUSIBLE_TURNOVER[0] < median < _PLAUSIBLE_TURNOVER[1]:
        return []
    message = _STRANGE_TURNOVER.filled(median=f"{median:.3g}")
    if stocks >= _MANY_STOCKS and not _POSSIBLE_TURNOVER[0] < median < _POSSIBLE_TURNOVER[1]:
        return [Finding("error", "wrong_unit", "daily", "volume", frame.height, message)]
    return [Finding("warning", "strange_turnover", "daily", "volume", frame.height, message)]
