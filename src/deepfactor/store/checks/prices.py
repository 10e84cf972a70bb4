"""Sanity of the bars of `daily`: signs, and low ≤ open, close, vwap ≤ high."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.checks.free_float import check_free_float
from deepfactor.store.checks.unit_parts import check_unit_parts
from deepfactor.store.checks.units import EPSILON, check_implied_vwap, check_turnover, outside_range

_PRICES = ("open", "high", "low", "close", "vwap", "prev_close")
_POSITIVE = (*_PRICES, "adj_factor", "total_mv", "float_mv", "a_shares", "limit_up", "limit_down")
_NOT_NEGATIVE = ("volume", "amount", "turnover", "free_float")
_NOT_POSITIVE = Sentence("must be positive; missing is null", "应为正数，缺失应为空值")
_NEGATIVE = Sentence("is negative", "出现负值")
_HIGH_BELOW_LOW = Sentence("high is below low", "最高价低于最低价")
_OUTSIDE = Sentence("lies outside [low, high]", "超出当日最低价与最高价的范围")
_VWAP_OUTSIDE = Sentence(
    "lies outside [low, high] by more than a tick: is its unit CNY a share?",
    "超出当日最低价与最高价一个最小变动价位以上，请核对单位（元/股）",
)
_VWAP_OUTSIDE_ADJUSTED = Sentence(
    "lies outside [low, high] by more than a tick: is its unit CNY a share? A raw vwap beside adjusted prices is to be "
    "left out",
    "超出当日最低价与最高价一个最小变动价位以上，请核对单位（元/股）；价格为复权价时，未复权的均价应去掉",
)
_NULL_PRICE = Sentence("shares were traded, but a price is null", "有成交而缺少价格")


def check_prices(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """Sanity of `daily`: signs, low ≤ open, close ≤ high, vwap inside, units of amount and volume.

    Beside adjusted prices (see `basis`) raw volumes say nothing of a price, and amounts alone measure turnover.
    """
    out: list[Finding] = []
    traded = pl.col("volume") > 0
    for column in _POSITIVE:
        if column in frame.columns:
            bad = pl.col(column) <= 0
            if column in _PRICES:  # vendors write zeros on days without a trade
                bad = bad & (traded | (pl.col(column) < 0))
            out += rows_where("error", "not_positive", "daily", column, frame, bad, _NOT_POSITIVE)
    for column in _NOT_NEGATIVE:
        if column in frame.columns:
            out += rows_where("error", "negative", "daily", column, frame, pl.col(column) < 0, _NEGATIVE)
    low, high = pl.col("low") - EPSILON, pl.col("high") + EPSILON
    out += rows_where("error", "high_below_low", "daily", "high", frame, traded & (high < low), _HIGH_BELOW_LOW)
    for column in ("open", "close"):
        bad = traded & ((pl.col(column) < low) | (pl.col(column) > high))
        out += rows_where("error", "outside_range", "daily", column, frame, bad, _OUTSIDE)
    if "vwap" in frame.columns:
        bad = traded & outside_range(pl.col("vwap"))
        message = _VWAP_OUTSIDE_ADJUSTED if basis.adjusted else _VWAP_OUTSIDE
        out += rows_where("error", "outside_range", "daily", "vwap", frame, bad, message)
    if not out:
        out += _check_units(frame, basis)
    traded_only = traded & pl.any_horizontal(pl.col("open", "high", "low", "close").is_null())
    return out + rows_where("error", "missing_price", "daily", "close", frame, traded_only, _NULL_PRICE)


def _check_units(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """Units of the whole table, unless a part of it explains more."""
    parts = check_unit_parts(frame, basis)
    if any(one.severity == "error" for one in parts):
        return parts
    out: list[Finding] = []
    if "vwap" not in frame.columns and not basis.raw_volume:
        out += check_implied_vwap(frame)
    if "float_mv" in frame.columns and not out:
        out += check_turnover(frame, basis)
    if not out:
        out += check_free_float(frame, basis)
    return [*out, *parts]
