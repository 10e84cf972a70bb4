"""A market's risk model: made, gone on with, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from deepfactor.core.words import Text, joined
from deepfactor.evaluation.records import Number
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.markets import Market, StyleSets, absent_styles, open_market
from deepfactor.report.press.words import words
from deepfactor.risk.covariance import YEAR
from deepfactor.risk.estimation import Market as Estimated
from deepfactor.risk.model import RiskModel
from deepfactor.risk.opening import model_key, open_model
from deepfactor.risk.settings import RiskSettings
from deepfactor.styles.base import StylesByDay, StyleSet

if TYPE_CHECKING:  # a model alone solves nothing: it needs no SciPy
    from deepfactor.portfolio.presets import Enhancement

#: Days that a factor's return and bias are shown of.
_MONTH, _BIAS_DAYS = 21, 252
_HEAD = Text(
    "{days} days, forecasts since {first}; {stocks} stocks on {last}",
    "{days}个交易日，自{first}起有预测；{last}共{stocks}只股票",
)
_EXPLAINED = Text(
    "of squared returns the factors explain {share} (mean of {n} days)",
    "因子对收益平方的解释比例为{share}（{n}日平均）",
)
_REGIMES = Text(
    "volatility regime: factors × {factors}, stocks × {stocks}", "波动率状态调整：因子×{factors}，个股×{stocks}"
)
_SPECIFIC = Text(
    "specific risk of stocks: {low} to {high} (5 % to 95 %), median {middle}",
    "个股特质风险：{low}至{high}（5%至95%分位），中位数{middle}",
)
_COLUMNS = (
    Text("volatility a year", "年化波动率"),
    Text("return of 21 days", "21日收益"),
    Text("bias, 252 days", "252日偏差统计量"),
    Text("factor", "因子"),
)
_NONE = Text("the market is too short for a forecast", "市场历史太短，没有预测")


class FactorRecord(TypedDict):
    """A factor as it stands: `bias` = standard deviation of its returns over their forecasts, right at 1."""

    name: str
    part: str
    volatility: Number
    return_21_days: Number
    bias: Number


class RiskRecord(TypedDict):
    """What ``deepfactor risk --json`` prints; the last day's, a year. Numbers are None where there is no forecast."""

    market: str
    folder: str
    styles: str
    settings: Mapping[str, object]
    days: int
    first: str | None
    last: str
    stocks: int
    explained: Number
    regime_of_factors: Number
    regime_of_stocks: Number
    specific_5: Number
    specific_50: Number
    specific_95: Number
    factors: list[FactorRecord]
    absent: list[str]


def risk_folder(market: Market, styles: StyleSet, settings: RiskSettings) -> Path:
    """Where the model of a style set lies."""
    return market.folder.path / "risk" / model_key(settings, styles.whole())


def risk_model(
    market: Market,
    styles: StyleSet,
    exposures: StylesByDay,
    settings: RiskSettings,
    console: Console | None = None,
) -> RiskModel:
    """The risk model of a market and a style set, whose `exposures` are (T, N) each; made or gone on with first."""
    console = console or Silent()
    what = f"risk model of {styles.kind}"
    with step(console, what):
        model = open_model(
            risk_folder(market, styles, settings),
            Estimated(market.panel, market.universe, exposures),
            settings,
            tell=console.say,
            progress=lambda done, total: console.progress(what, done, total, "days"),
        )
    console.finish(what)
    return replace(model, name=styles.kind)


def risk_wanted(
    market: Market,
    styles: StyleSet,
    exposures: StylesByDay,
    enhancements: Sequence[Enhancement],
    console: Console | None = None,
) -> RiskModel | None:
    """The risk model that any of `enhancements` wants, by the settings of the first that does; None = none does."""
    wanted = [settings for one in enhancements if (settings := one.of_risk) is not None]
    return risk_model(market, styles, exposures, wanted[0], console) if wanted else None


def risk(market: Path, styles: StyleSet, settings: RiskSettings, console: Console | None = None) -> RiskRecord:
    """Make the risk model of the market folder `market`, or go on with it, and say how it stands."""
    console = console or Silent()
    opened = open_market(market, console)
    with step(console, f"styles {styles.kind}"):
        made = StyleSets(opened).of_few_days(styles)
    absent = absent_styles(styles, made)
    for text in absent:
        console.say(text)
    model = risk_model(opened, styles, made.by_day(), settings, console)
    return _record(opened, styles, settings, model, absent)


def _record(
    market: Market, styles: StyleSet, settings: RiskSettings, model: RiskModel, absent: list[str]
) -> RiskRecord:
    last = len(model.dates) - 1
    ready = np.flatnonzero(np.isfinite(model.covariance[:, 0, 0]))
    deviation = model.deviation(last)
    known = deviation[np.isfinite(deviation)]
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]).tolist() if len(known) else (None, None, None)
    explained = model.explained[-YEAR:][np.isfinite(model.explained[-YEAR:])]
    return {
        "market": str(market.folder.path),
        "folder": str(risk_folder(market, styles, settings)),
        "styles": styles.kind,
        "settings": settings.model_dump(mode="json"),
        "days": len(model.dates),
        "first": str(model.dates[ready[0]]) if len(ready) else None,
        "last": str(model.dates[last]),
        "stocks": len(known),
        "explained": float(explained.mean()) if len(explained) else None,
        "regime_of_factors": float(model.regimes[last, 0]) if len(ready) else None,
        "regime_of_stocks": float(model.regimes[last, 1]) if len(ready) else None,
        "specific_5": low,
        "specific_50": middle,
        "specific_95": high,
        "factors": _factors(model) if len(ready) else [],
        "absent": absent,
    }


def _factors(model: RiskModel) -> list[FactorRecord]:
    """The factors that were there in the last month."""
    variance = np.diagonal(np.asarray(model.covariance[-_BIAS_DAYS - 1 :]), axis1=1, axis2=2)
    returns = np.asarray(model.returns[-_BIAS_DAYS:])
    with np.errstate(invalid="ignore"):
        ratio = returns[-len(variance) + 1 :] / np.sqrt(variance[:-1] / YEAR)
    styles = len(model.styles)
    parts = ["market", *["industry"] * (len(model.factors) - 1 - styles), *["style"] * styles]
    records: list[FactorRecord] = []
    for k, (name, part) in enumerate(zip(model.factors, parts, strict=True)):
        month = returns[-_MONTH:, k]
        own = ratio[np.isfinite(ratio[:, k]), k]
        if np.isfinite(month).any():
            records.append(
                {
                    "name": name,
                    "part": part,
                    "volatility": float(np.sqrt(variance[-1, k])),
                    "return_21_days": float(np.expm1(np.log1p(np.nan_to_num(month)).sum())),
                    "bias": float(own.std()) if len(own) > 1 else None,
                }
            )
    return records


def risk_lines(record: RiskRecord) -> list[Text]:
    """The record as lines, English and Chinese."""
    if record["first"] is None:
        return [_NONE]
    plain = {"days": record["days"], "first": record["first"], "stocks": record["stocks"], "last": record["last"]}
    share = {"share": _percent(record["explained"]), "n": min(record["days"], YEAR)}
    regimes = {"factors": _ratio(record["regime_of_factors"]), "stocks": _ratio(record["regime_of_stocks"])}
    specific = {
        "low": _percent(record["specific_5"]),
        "middle": _percent(record["specific_50"]),
        "high": _percent(record["specific_95"]),
    }
    lines = [
        _HEAD.filled(**plain), _EXPLAINED.filled(**share), _REGIMES.filled(**regimes), _SPECIFIC.filled(**specific)
    ]  # fmt: skip
    lines.append(joined("  ", _COLUMNS))  # names come last: Chinese ones are wider than they are long
    for one in record["factors"]:
        named = words().style(one["name"], record["styles"]) if one["part"] == "style" else words().name(one["name"])
        numbers = (_percent(one["volatility"]), _percent(one["return_21_days"]), _ratio(one["bias"]))
        english, chinese = (
            "  ".join(f"{cell:>{width}}" for cell, width in zip(numbers, widths, strict=True))
            for widths in ((17, 17, 14), (10, 10, 15))
        )
        lines.append(Text(f"{english}  {named}", f"{chinese}  {named.zh}"))
    return lines


def _percent(value: Number) -> str:
    return "–" if value is None else f"{value:.1%}"


def _ratio(value: Number) -> str:
    return "–" if value is None else f"{value:.2f}"
