"""A backtest's active risk as it was forecast at each rebalance, what it became, and what of the score got through.

With a the active weights of a target, V their forecast covariance, s the score (0 where there is none):

* **transfer coefficient** = s·a ÷ √(a·Va × s·V⁻¹s): 1 where nothing but risk limits the portfolio (Clarke, de Silva,
  Thorley, 2002, with the whole of V in place of its diagonal);
* **expected return** of a name until the next rebalance = IC × specific risk × score (Grinold, 1994), IC the mean, over
  the rebalances before, of the correlation of the score with what returns less their mean came to in units of specific
  risk; **ex-ante information ratio** = expected active return ÷ tracking error, a year;
* **breadth** = (Σv)² ÷ Σv², v the names' specific active variances: as many names with equal bets would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from deepfactor.backtest.attribution import Attribution
from deepfactor.backtest.result import BacktestResult, Columns
from deepfactor.core.arrays import Bools, Dates, Float64, Indices
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.evaluation.records import Number
from deepfactor.evaluation.statistics import years_of
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.risk.covariance import YEAR
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.model import RiskModel
from deepfactor.styles.base import StylesByDay

#: Names whose contributions to the last target's tracking error are shown.
SHOWN = 10


class RiskSpan(TypedDict):
    """Means over a span's rebalances; `realised` is the standard deviation of daily returns over the replica's, a year,
    `bias` that of returns between rebalances over their forecasts (right at 1)."""

    rebalances: int
    tracking_error: Number
    realised: Number
    bias: Number
    specific_share: Number
    transfer_coefficient: Number
    ex_ante_ir: Number
    breadth: Number


class FactorRisk(TypedDict):
    """A style over the rebalances: mean exposure, `alone` = mean |exposure| × volatility, what it adds to the tracking
    error, and by how much that rises a unit of exposure."""

    name: str
    exposure: Number
    alone: Number
    contribution: Number
    marginal: Number


class NameRisk(TypedDict):
    """A name of the last target: its active weight and what it adds to the tracking error."""

    symbol: str
    active: Number
    contribution: Number


class PartError(TypedDict):
    """A part of the active return, log a year, with the standard error of its mean."""

    part: str
    name: str
    a_year: Number
    standard_error: Number
    t: Number


class ActiveRiskFile(TypedDict):
    """``risk.json`` of a portfolio."""

    model: str
    last: str
    all: RiskSpan
    by_year: Mapping[str, RiskSpan]
    industries: Number
    styles: list[FactorRisk]
    contributors: list[NameRisk]
    attribution: list[PartError]


@dataclass(frozen=True)
class RiskAtRebalances(Columns):
    """One row a rebalance: forecasts a year of its target; `days` and `realised`, the active return, until the next
    rebalance, NaN at the last."""

    kinds = ("datetime64[D]", *("f8",) * 7)

    date: Dates
    tracking_error: Float64
    specific_share: Float64
    transfer_coefficient: Float64
    ex_ante_ir: Float64
    breadth: Float64
    days: Float64
    realised: Float64


@dataclass(frozen=True)
class ActiveRisk:
    """Of R rebalances; styles (R, K) as exposures, volatilities, contributions and marginal risk."""

    rows: RiskAtRebalances
    styles: tuple[str, ...]
    exposures: Float64
    volatility: Float64
    contributions: Float64
    marginal: Float64
    industries: Float64
    contributors: tuple[NameRisk, ...]


@dataclass(frozen=True)
class _Target:
    """A rebalance: its row of the panel, names (n,), active weights, score, forecast."""

    row: int
    names: Indices
    active: Float64
    score: Float64
    risk: Forecast


def active_risk(
    result: BacktestResult,
    panel: Panel,
    universe: Universe,
    scores: Scores,
    styles: StylesByDay,
    eligible: Bools,
    model: RiskModel,
) -> ActiveRisk:
    """The forecasts of a backtest's targets; `scores`, `styles`, `eligible` as the backtest had them."""
    rows: list[tuple[float, ...]] = []
    by_style: list[tuple[Float64, ...]] = []
    first = len(model.factors) - len(styles)
    coefficients: list[float] = []
    targets = list(_targets(result, panel, universe, scores, styles, eligible, model))
    industries: list[float] = []
    contributors: tuple[NameRisk, ...] = ()
    for k, target in enumerate(targets):
        stop = targets[k + 1].row if k + 1 < len(targets) else None
        forecast, active = target.risk, target.active
        deviation = forecast.tracking_error(active)
        days = float(stop - target.row) if stop is not None else float("nan")
        mean_ic = float(np.mean(coefficients)) if coefficients else float("nan")
        rows.append(
            (
                deviation,
                forecast.specific_share(active),
                transfer_coefficient(forecast, active, target.score),
                _ex_ante_ir(forecast, active, target.score, mean_ic, targets, k),
                _breadth(forecast, active),
                days,
                float("nan") if stop is None else _active_return(result, panel, target.row, stop),
            )
        )
        exposure = forecast.exposures @ active
        contribution = forecast.factor_contributions(active)
        by_style.append(
            (
                exposure[first:],
                np.sqrt(np.diagonal(forecast.covariance))[first:],
                contribution[first:],
                forecast.factor_marginal(active)[first:],
            )
        )
        industries.append(float(contribution[1:first].sum()))
        if stop is not None:
            coefficients.append(_coefficient(panel, target, stop))
        else:
            contributors = _contributors(panel, target)
    columns = np.array(rows).reshape(-1, 7).T
    made = RiskAtRebalances(panel.dates[[target.row for target in targets]], *columns)
    exposures, volatility, contributions, marginal = np.array(by_style).reshape(-1, 4, len(styles)).transpose(1, 0, 2)
    return ActiveRisk(
        made, tuple(styles), exposures, volatility, contributions, marginal, np.array(industries), contributors
    )


def transfer_coefficient(forecast: Forecast, active: Float64, score: Float64) -> float:
    """Of active weights and scores (n,); NaN without risk or score."""
    wanted = float(score @ solved(forecast, score))
    risk = forecast.variance(active)
    return float(score @ active) / float(np.sqrt(wanted * risk)) if wanted > 0 and risk > 0 else float("nan")


def solved(forecast: Forecast, right: Float64) -> Float64:
    """V⁻¹ × (n,), by Woodbury's formula."""
    plain, root = right / forecast.specific, forecast.root
    inner = np.eye(len(root)) + (root / forecast.specific) @ root.T
    return np.asarray(plain - (root.T @ np.linalg.solve(inner, root @ plain)) / forecast.specific)


def _targets(
    result: BacktestResult,
    panel: Panel,
    universe: Universe,
    scores: Scores,
    styles: StylesByDay,
    eligible: Bools,
    model: RiskModel,
) -> Iterator[_Target]:
    """The rebalances in order; names are those with a weight and all that are scored."""
    weights = result.weights
    starts = np.searchsorted(weights.date, result.rebalances.date)
    ends = np.searchsorted(weights.date, result.rebalances.date, side="right")
    columns = np.searchsorted(panel.symbols, weights.symbol)
    for date, start, end in zip(result.rebalances.date, starts, ends, strict=True):
        row = int(np.searchsorted(panel.dates, date))
        target, index = np.zeros(panel.shape[1]), np.zeros(panel.shape[1])
        target[columns[start:end]] = weights.weight[start:end]
        index[columns[start:end]] = weights.benchmark_weight[start:end]
        scored = eligible[row] & np.isfinite(scores.values[row])
        z = np.nan_to_num(zscore_rows(scores.values[row][None], scored[None])[0])
        names = np.flatnonzero((target != 0) | (index != 0) | scored)
        active = (target - target.sum() * index)[names]
        yield _Target(row, names, active, z[names], model.of_market(row, names, universe, styles))


def _ex_ante_ir(
    forecast: Forecast, active: Float64, score: Float64, coefficient: float, targets: Sequence[_Target], k: int
) -> float:
    """Expected active return over the tracking error, a year, for a rebalance as long as those so far on average."""
    deviation = forecast.tracking_error(active)
    if k == 0 or not np.isfinite(coefficient) or deviation == 0:
        return float("nan")
    years = (targets[k].row - targets[0].row) / k / YEAR
    expected = coefficient * float((np.sqrt(forecast.specific * years) * score) @ active)
    return expected / years / deviation


def _breadth(forecast: Forecast, active: Float64) -> float:
    own = forecast.specific * active**2
    return float(own.sum() ** 2 / (own**2).sum()) if own.any() else 0.0


def _active_return(result: BacktestResult, panel: Panel, row: int, stop: int) -> float:
    """Of the book over the replica, from one rebalance's close to the next one's."""
    at = np.searchsorted(result.dates, panel.dates[[row, stop]])
    book, replica = (float(nav[at[1]] / nav[at[0]]) for nav in (result.nav, result.replica_nav))
    return book - replica


def _coefficient(panel: Panel, target: _Target, stop: int) -> float:
    """Correlation of the score with returns until the next rebalance, in units of specific risk; 0 without a spread."""
    price = panel["close"][[target.row, stop]][:, target.names].astype(np.float64)
    factor = panel["adj_factor"][[target.row, stop]][:, target.names]
    change = price[1] * factor[1] / (price[0] * factor[0]) - 1.0
    known = np.isfinite(change) & (target.score != 0)
    if known.sum() < 3:
        return 0.0
    own = (change[known] - change[known].mean()) / np.sqrt(target.risk.specific[known])
    score = target.score[known]
    spread = float(own.std() * score.std())
    return float(((own - own.mean()) * (score - score.mean())).mean()) / spread if spread > 0 else 0.0


def _contributors(panel: Panel, target: _Target) -> tuple[NameRisk, ...]:
    share = target.risk.name_contributions(target.active)
    largest = np.argsort(-share, kind="stable")[:SHOWN]
    return tuple(
        {
            "symbol": str(panel.symbols[target.names[i]]),
            "active": float(target.active[i]),
            "contribution": float(share[i]),
        }
        for i in largest.tolist()
    )


def risk_record(risk: ActiveRisk, result: BacktestResult, attribution: Attribution, model: str) -> ActiveRiskFile:
    """``risk.json``; `model` names the style set."""
    book, replica = (nav[1:] / nav[:-1] - 1.0 for nav in (result.nav, result.replica_nav))
    daily, day_years = book - replica, years_of(result.dates)[1:]
    years = years_of(risk.rows.date)
    styles: list[FactorRisk] = [
        {
            "name": name,
            "exposure": float(risk.exposures[:, k].mean()),
            "alone": float((np.abs(risk.exposures[:, k]) * risk.volatility[:, k]).mean()),
            "contribution": float(risk.contributions[:, k].mean()),
            "marginal": float(risk.marginal[:, k].mean()),
        }
        for k, name in enumerate(risk.styles)
    ]
    return {
        "model": model,
        "last": str(risk.rows.date[-1]),
        "all": _span(risk.rows, np.ones(len(years), bool), daily),
        "by_year": {str(y): _span(risk.rows, years == y, daily[day_years == y]) for y in np.unique(years).tolist()},
        "industries": float(risk.industries.mean()),
        "styles": styles,
        "contributors": list(risk.contributors),
        "attribution": part_errors(attribution),
    }


def _span(rows: RiskAtRebalances, own: Bools, daily: Float64) -> RiskSpan:
    forecast = rows.tracking_error * np.sqrt(rows.days / YEAR)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (rows.realised / forecast)[own]
    ratio = ratio[np.isfinite(ratio)]
    return {
        "rebalances": int(own.sum()),
        "tracking_error": _mean(rows.tracking_error[own]),
        "realised": float(daily.std(ddof=1) * np.sqrt(YEAR)) if len(daily) > 1 else None,
        "bias": float(ratio.std(ddof=1)) if len(ratio) > 1 else None,
        "specific_share": _mean(rows.specific_share[own]),
        "transfer_coefficient": _mean(rows.transfer_coefficient[own]),
        "ex_ante_ir": _mean(rows.ex_ante_ir[own]),
        "breadth": _mean(rows.breadth[own]),
    }


def _mean(values: Float64) -> Number:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def part_errors(attribution: Attribution) -> list[PartError]:
    """Styles one by one, industries together, then the other parts: what each made a year, with standard errors."""
    linked = (attribution.contribution * attribution.scale[:, None])[1:]
    wanted: list[tuple[str, str, list[int]]] = []
    for k, (part, name) in enumerate(attribution.sources):
        if part == "style":
            wanted.append((part, name, [k]))
    for part in dict.fromkeys(part for part, _ in attribution.sources if part != "style"):
        wanted.append((part, "all", [k for k, (own, _) in enumerate(attribution.sources) if own == part]))
    wanted.append(("active", "all", list(range(len(attribution.sources)))))
    records: list[PartError] = []
    for part, name, columns in wanted:
        daily = linked[:, columns].sum(axis=1)
        error = float(daily.std(ddof=1) / np.sqrt(len(daily)) * YEAR) if len(daily) > 1 else None
        mean = float(daily.mean() * YEAR) if len(daily) else None
        t = mean / error if mean is not None and error else None
        records.append({"part": part, "name": name, "a_year": mean, "standard_error": error, "t": t})
    return records
