"""Barra China Equity Model (CNE5): ten styles, as far as the market has their data.

Descriptors are clipped at median ± 5·1.4826·MAD and standardised; a composite's weights are renormalised over what a
stock has; what is said to be orthogonal is a residual of the day's regression; every style is standardised at the end.

========= ==================================================================================================
SIZE      ln market cap
NLSIZE    SIZE³, residual of a √cap-weighted regression on SIZE
BETA      slope on the cap-weighted market, 252 days, half-life 63
MOMENTUM  daily log returns over 504 days lagged 21, half-life 126
RESVOL    0.74 DASTD + 0.16 CMRA + 0.10 HSIGMA, orthogonal to BETA and SIZE
BTOP      equity ÷ total market value
EARNYILD  0.656 CETOP + 0.344 ETOP (trailing net profit ÷ total market value; a loss may be known as missing only)
GROWTH    0.338 EGRO + 0.662 SGRO: slope of five annual figures ÷ their mean absolute value, of profit and revenue
LEVERAGE  0.38 MLEV + 0.35 DTOA + 0.27 BLEV
LIQUIDITY 0.35 STOM + 0.35 STOQ + 0.30 STOA, orthogonal to SIZE
========= ==================================================================================================

Source: MSCI Barra, China Equity Model (CNE5) Descriptor Details; descriptors that need analysts are left out.
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
from deepfactor.styles._composite import composite
from deepfactor.styles.base import NO_WEIGHTS, CombinedStyles, Styles

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS: dict[str, str | tuple[str, str]] = {
    "SIZE": "市值",
    "definition.barra_cne5.SIZE": ("log of the market value", "市值的对数"),
    "NLSIZE": "非线性市值",
    "definition.barra_cne5.NLSIZE": ("SIZE cubed, orthogonal to SIZE", "市值因子的立方对市值因子正交"),
    "BETA": "贝塔",
    "definition.barra_cne5.BETA": (
        "slope on the cap-weighted market, 252 days, half-life 63",
        "对市值加权市场收益的回归系数，252日，半衰期63日",
    ),
    "MOMENTUM": "动量",
    "barra_cne5.MOMENTUM": ("MOMENTUM (504 to 21 days ago)", "动量（504日至21日前）"),
    "definition.barra_cne5.MOMENTUM": (
        "log returns over 504 days, the last 21 left out, half-life 126",
        "504日对数收益之和，剔除最近21日，半衰期126日",
    ),
    "RESVOL": "残差波动率",
    "definition.barra_cne5.RESVOL": (
        "volatility (daily, range, residual), orthogonal to BETA and SIZE",
        "波动率（日波动、区间幅度、残差），对贝塔与市值正交",
    ),
    "BTOP": "账面市值比",
    "definition.barra_cne5.BTOP": ("equity / total market value", "净资产与总市值之比"),
    "EARNYILD": "盈利收益率",
    "definition.barra_cne5.EARNYILD": (
        "cash flow and net profit / total market value",
        "经营现金流与净利润分别除以总市值",
    ),
    "GROWTH": "成长",
    "definition.barra_cne5.GROWTH": (
        "slope of five annual figures of profit and revenue / their mean size",
        "五年净利润与营业收入的趋势除以均值",
    ),
    "LEVERAGE": "杠杆",
    "definition.barra_cne5.LEVERAGE": (
        "market leverage, debt to assets, book leverage",
        "市值杠杆、资产负债率与账面杠杆",
    ),
    "LIQUIDITY": "流动性",
    "definition.barra_cne5.LIQUIDITY": (
        "log turnover of 21, 63 and 252 days, orthogonal to SIZE",
        "21、63、252日换手率的对数，对市值正交",
    ),
    "REVERSAL": "短期反转",
    "definition.barra_cne5.REVERSAL": ("minus the return over the last 21 days", "近21个交易日收益率的相反数"),
}


class Settings(Spec):
    """Portfolios by scores that lean on short reversal are a third to a half riskier than a model without that style
    says (docs/results/risk-variants.md)."""

    cap: Literal["total", "float"] = Field(default="float", description="market value that is size and weight")
    clip: float = Field(default=5.0, gt=0, description="robust deviations (1.4826·MAD) at which each descriptor is cut")
    reversal: bool = Field(
        default=False, description="a style more, REVERSAL, which CNE5 has not: minus the return over 21 days"
    )


#: Styles of several descriptors and their weights; STOM … are named by their window.
RESVOL = {"DASTD": 0.74, "CMRA": 0.16, "HSIGMA": 0.10}
LIQUIDITY = {"STOM": 0.35, "STOQ": 0.35, "STOA": 0.30}
#: Descriptors from prices and turnover.
PRICES = ("SIZE", "BETA", "HSIGMA", "DASTD", "MOMENTUM", "CMRA", *LIQUIDITY)
COMPANY = {
    "BTOP": {"BTOP": 1.0},
    "EARNYILD": {"CETOP": 0.656, "ETOP": 0.344},
    "GROWTH": {"EGRO": 0.338, "SGRO": 0.662},
    "LEVERAGE": {"MLEV": 0.38, "DTOA": 0.35, "BLEV": 0.27},
}
_DESCRIBED = {
    "BTOP": c.book_to_price,
    "CETOP": c.cash_to_price,
    "ETOP": c.earnings_to_price,
    "EGRO": c.five_year_growth("net_profit"),
    "SGRO": c.five_year_growth("revenue"),
    "MLEV": c.market_leverage,
    "DTOA": c.debt_to_assets,
    "BLEV": c.book_leverage,
}


def compute(settings: Settings, panel: Panel, universe: Universe) -> Styles:
    """The styles of all listed stocks with a market value, (T, N); what the market can't give is in `absent`.

    A descriptor that is missing from a style that the market can give is in `absent` as ``STYLE/DESCRIPTOR``.
    """
    field = f"{settings.cap}_mv"
    if field not in panel.fields:
        every = ("SIZE", "NLSIZE", "BETA", "MOMENTUM", "RESVOL", "LIQUIDITY", *COMPANY)
        wanted = (*every, "REVERSAL") if settings.reversal else every
        return Styles({}, dict.fromkeys(wanted, NO_WEIGHTS.format(field=field)))
    cap = d.listed_cap(panel, universe, settings.cap)
    company, lacking = c.described(panel.between(0, 1), _DESCRIBED)
    absent = {} if "turnover" in panel.fields else {"LIQUIDITY": LACKS.format(what="turnover")}
    prices = [name for name in PRICES if not (absent and name in LIQUIDITY)]

    own = ["REVERSAL"] if settings.reversal else []

    def describe(first: int) -> Mapping[str, Floats]:
        raw = _price_descriptors(panel, universe, cap, first) | c.described_from(panel, _DESCRIBED, first)
        return raw | {name: _fall(panel, first) for name in own}

    def combine(day: Mapping[str, Float64], cap: Float64) -> Mapping[str, Float64]:
        return _combine(
            {name: zscore_rows_by_cap(clip_mad_rows(x, settings.clip), cap) for name, x in day.items()}, cap
        )

    for style, parts in COMPANY.items():
        if not company.keys() & parts.keys():
            absent[style] = "; ".join(dict.fromkeys(lacking[part] for part in parts))
        else:
            absent |= {f"{style}/{part}": lacking[part] for part in parts if part in lacking}
    return Styles(CombinedStyles([*prices, *own, *company], describe, cap, combine), absent)


def _price_descriptors(panel: Panel, universe: Universe, cap: d.ListedCap, first: int) -> dict[str, Float32]:
    """Raw descriptors of the days from `first` on, NaN where not listed."""
    behind, total = d.rows_behind(first, d.YEAR), len(panel.dates)
    own = first - behind
    read, known = panel.between(behind, total), universe.between(behind, total)
    returns = d.daily_return(read)
    beta, hsigma = d.beta_and_residual(returns, d.market_return(returns, cap[behind:]), own)
    raw = {"SIZE": np.log(cap[first:]).astype(np.float32), "BETA": beta, "HSIGMA": hsigma}
    raw["DASTD"] = d.deviation(returns, d.YEAR, 42, own)
    del returns
    if "turnover" in panel.fields:
        windows = {"STOM": d.MONTH, "STOQ": 3 * d.MONTH, "STOA": d.YEAR}
        raw |= {name: d.log_turnover(read, known, days, own) for name, days in windows.items()}
    behind = d.rows_behind(first, d.ANCHOR, lag=d.MONTH)
    price = d.held_log_price(panel, behind)
    return raw | {"MOMENTUM": d.momentum(price, first - behind), "CMRA": d.cumulative_range(price, first - behind)}


def _fall(panel: Panel, first: int) -> Float32:
    """Minus the return over 21 days, of the days from `first` on."""
    behind = d.rows_behind(first, d.MONTH)
    return -d.past_return(d.held_log_price(panel, behind), d.MONTH, first - behind)


def _combine(z: Mapping[str, Float64], cap: Float64) -> dict[str, Float64]:
    """Some days' standardised descriptors → styles."""
    size = z["SIZE"]
    out = {name: z[name] for name in ("SIZE", "BETA", "MOMENTUM", "REVERSAL") if name in z}
    out["NLSIZE"] = residual_rows(size**3, [size], np.sqrt(cap))
    out["RESVOL"] = residual_rows(composite([(w, z[name]) for name, w in RESVOL.items()]), [z["BETA"], size])
    if "STOM" in z:
        out["LIQUIDITY"] = residual_rows(composite([(w, z[name]) for name, w in LIQUIDITY.items()]), [size])
    for style, weights in COMPANY.items():
        parts = [(w, z[name]) for name, w in weights.items() if name in z]
        if parts:
            out[style] = composite(parts)
    return {name: zscore_rows_by_cap(x, cap) for name, x in out.items()}
