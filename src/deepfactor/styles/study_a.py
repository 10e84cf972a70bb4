"""Study A's ten styles, as far as the market has their data.

Each is clipped at median ± 5·1.4826·MAD and standardised.

============= ==============================================================================================
SIZE          ln market cap
MID_CAP       SIZE² orthogonal to SIZE, raw sign: high = far from the middle
MOMENTUM      return over 21 days
LIQUIDITY     ln of the mean turnover of 21 days
VOLATILITY    standard deviation of daily returns over 63 days
VALUE         book to price: equity ÷ total market value
EP            trailing net profit ÷ total market value
PROFITABILITY trailing net profit ÷ equity
GROWTH        yoy of the single-quarter net profit, absolute denominator (of the trailing year if need be)
SUE           (Q_t − Q_{t−4} − drift) ÷ standard deviation, both of the eight quarters before
============= ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float32, Float64, Floats
from deepfactor.core.spec import Spec
from deepfactor.cross_section.clipping import clip_mad_rows
from deepfactor.cross_section.regression import residual_rows
from deepfactor.cross_section.zscores import zscore_rows_by_cap
from deepfactor.panel.panel import LACKS, Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles import _company_descriptors as c
from deepfactor.styles import _descriptors as d
from deepfactor.styles.base import NO_WEIGHTS, CombinedStyles, Styles

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS: dict[str, str | tuple[str, str]] = {
    "SIZE": "市值",
    "definition.study_a.SIZE": ("log of the market value", "市值的对数"),
    "MID_CAP": "中市值",
    "definition.study_a.MID_CAP": (
        "SIZE squared, orthogonal to SIZE: high = far from the middle",
        "市值因子的平方对市值因子正交：数值大表示远离中等市值",
    ),
    "MOMENTUM": "动量",
    "study_a.MOMENTUM": ("MOMENTUM (21 days)", "动量（近21日）"),
    "definition.study_a.MOMENTUM": ("return over the last 21 days", "近21个交易日收益率"),
    "LIQUIDITY": "流动性",
    "definition.study_a.LIQUIDITY": ("log of the mean turnover of 21 days", "近21日日均换手率的对数"),
    "VOLATILITY": "波动率",
    "definition.study_a.VOLATILITY": ("standard deviation of daily returns over 63 days", "近63日日收益率的标准差"),
    "VALUE": "估值",
    "definition.study_a.VALUE": ("equity / total market value", "净资产与总市值之比"),
    "EP": "盈利价格比",
    "definition.study_a.EP": ("trailing net profit / total market value", "滚动十二个月净利润与总市值之比"),
    "PROFITABILITY": "盈利能力",
    "definition.study_a.PROFITABILITY": ("trailing net profit / equity", "滚动十二个月净利润与净资产之比"),
    "GROWTH": "成长",
    "definition.study_a.GROWTH": ("change over a year of the single-quarter net profit", "单季净利润同比变化"),
    "SUE": "超预期",
    "definition.study_a.SUE": (
        "earnings surprise: change over a year less its drift, / standard deviation, of eight quarters",
        "超预期：单季净利润同比变化减漂移项，除以八个季度的标准差",
    ),
}


class Settings(Spec):
    """Its settings."""

    cap: Literal["total", "float"] = Field(default="float", description="market value that is size and weight")
    clip: float = Field(default=5.0, gt=0, description="robust deviations (1.4826·MAD) at which each descriptor is cut")


_DESCRIBED = {
    "VALUE": c.book_to_price,
    "EP": c.earnings_to_price,
    "PROFITABILITY": c.return_on_equity,
    "GROWTH": c.profit_growth,
    "SUE": c.earnings_surprise,
}


def compute(settings: Settings, panel: Panel, universe: Universe) -> Styles:
    """The styles of all listed stocks with a market value, (T, N); what the market can't give is in `absent`."""
    field = f"{settings.cap}_mv"
    if field not in panel.fields:
        every = ("SIZE", "MID_CAP", "MOMENTUM", "LIQUIDITY", "VOLATILITY", *_DESCRIBED)
        return Styles({}, dict.fromkeys(every, NO_WEIGHTS.format(field=field)))
    cap = d.listed_cap(panel, universe, settings.cap)
    company, absent = c.described(panel.between(0, 1), _DESCRIBED)
    if "turnover" not in panel.fields:
        absent["LIQUIDITY"] = LACKS.format(what="turnover")
    prices = ("SIZE", "MOMENTUM", "VOLATILITY", "LIQUIDITY")

    def describe(first: int) -> Mapping[str, Floats]:
        return _price_descriptors(panel, universe, cap, first) | c.described_from(panel, _DESCRIBED, first)

    def combine(day: Mapping[str, Float64], cap: Float64) -> Mapping[str, Float64]:
        z = {name: zscore_rows_by_cap(clip_mad_rows(x, settings.clip), cap) for name, x in day.items()}
        z["MID_CAP"] = zscore_rows_by_cap(residual_rows(z["SIZE"] ** 2, [z["SIZE"]]), cap)
        return z

    return Styles(CombinedStyles([*(x for x in prices if x not in absent), *company], describe, cap, combine), absent)


def _price_descriptors(panel: Panel, universe: Universe, cap: d.ListedCap, first: int) -> dict[str, Float32]:
    """Raw descriptors of the days from `first` on."""
    behind, total = d.rows_behind(first, 3 * d.MONTH), len(panel.dates)
    own = first - behind
    read, known = panel.between(behind, total), universe.between(behind, total)
    raw = {
        "SIZE": np.log(cap[first:]).astype(np.float32),
        "MOMENTUM": d.past_return(d.held_log_price(panel, behind), d.MONTH, own),
        "VOLATILITY": d.deviation(d.daily_return(read), 3 * d.MONTH, first=own),
    }
    if "turnover" in panel.fields:
        raw["LIQUIDITY"] = d.log_turnover(read, known, d.MONTH, own)
    return raw
