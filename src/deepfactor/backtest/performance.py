"""How a backtest did against its benchmarks: by year and in all, by each study's definitions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepfactor.backtest.attribution import METHOD, Attribution
from deepfactor.backtest.episodes import Episode, days_between, deepest_episode, episodes
from deepfactor.backtest.invested import invested
from deepfactor.backtest.records import (
    Alone,
    BindingRecord,
    CapacityRecord,
    EpisodeRecord,
    ExcessRecord,
    RelaxedRecord,
    SpanRecord,
    SummaryFile,
    Trading,
)
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import Dates, Float64
from deepfactor.evaluation.definitions import PRESETS, TRADING_DAYS, Definitions, Study, in_words
from deepfactor.evaluation.performance import (
    annual_excess,
    annualised_return,
    daily_returns,
    max_drawdown,
    sharpe_ratio,
)
from deepfactor.evaluation.statistics import years_of

#: Drawdowns of the excess NAV that a summary lists.
EPISODES = 5


@dataclass(frozen=True)
class ExcessStatistics:
    """A NAV against a benchmark over one span; NaN = not defined. Drawdowns are negative.

    Attributes
    ----------
    days : trading days, each with a return
    annual_return, benchmark_annual_return : annualised as the definition says
    excess : over the full span a year, over a calendar year cumulative: differences of returns, or growth of the ratio
        of the NAVs, by the definition
    tracking_error : sample standard deviation of the daily differences of returns × √252
    information_ratio : annualised excess, by the definition, / tracking error
    excess_sharpe : mean / standard deviation of the daily differences × √252
    excess_max_drawdown : of the ratio of NAVs
    calmar : annualised excess / depth of that drawdown; in a part-year (not all twelve months) the excess as it is
    monthly_win_rate : share of months in which the ratio of NAVs rose
    """

    days: int
    annual_return: float
    benchmark_annual_return: float
    excess: float
    tracking_error: float
    information_ratio: float
    excess_sharpe: float
    excess_max_drawdown: float
    calmar: float
    monthly_win_rate: float

    def record(self) -> ExcessRecord:
        """As in ``summary.json``."""
        return {
            "days": self.days,
            "annual_return": self.annual_return,
            "benchmark_annual_return": self.benchmark_annual_return,
            "excess": self.excess,
            "tracking_error": self.tracking_error,
            "information_ratio": self.information_ratio,
            "excess_sharpe": self.excess_sharpe,
            "excess_max_drawdown": self.excess_max_drawdown,
            "calmar": self.calmar,
            "monthly_win_rate": self.monthly_win_rate,
        }


def excess_statistics(
    nav: Float64, benchmark: Float64, dates: Dates, definitions: Definitions, *, year: int | None = None
) -> ExcessStatistics:
    """Statistics of NAVs (D,) on `dates`, over all of them or over one calendar year of them.

    A year starts at the last close before it, or at the first date where there is none.
    """
    whole_span = year is None
    if year is not None:
        rows = np.flatnonzero(years_of(dates) == year)
        span = slice(max(int(rows[0]) - 1, 0), int(rows[-1]) + 1)
        nav, benchmark, dates = nav[span], benchmark[span], dates[span]
    own, other = nav / nav[0], benchmark / benchmark[0]
    ratio = own / other
    difference = daily_returns(own) - daily_returns(other)
    annual, annual_other = (float(annualised_return(x, dates, definitions)) for x in (own, other))
    a_year = annual_excess(own, other, dates, definitions)
    if whole_span:
        excess = a_year
    elif definitions.yearly_excess == "ratio":
        excess = float(ratio[-1] - 1.0)
    else:
        excess = float(own[-1] - other[-1])
    error = _volatility(difference)
    depth = max_drawdown(ratio)
    return ExcessStatistics(
        days=len(difference),
        annual_return=annual,
        benchmark_annual_return=annual_other,
        excess=excess,
        tracking_error=error,
        information_ratio=_over(a_year, error),
        excess_sharpe=sharpe_ratio(difference),
        excess_max_drawdown=depth,
        calmar=_over(a_year if whole_span or _has_all_months(dates) else excess, -depth),
        monthly_win_rate=monthly_win_rate(ratio, dates),
    )


def _has_all_months(dates: Dates) -> bool:
    """Do the returns to dates[1:] fall in all twelve months of a year?"""
    return len(np.unique(dates[1:].astype("datetime64[M]"))) == 12


def monthly_win_rate(ratio: Float64, dates: Dates) -> float:
    """Share of calendar months in which `ratio` (D,) rose; the first starts at dates[0], part-months count."""
    months = dates.astype("datetime64[M]")
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    last = last[last > 0]
    if not len(last):
        return math.nan
    return float((np.diff(ratio[np.concatenate(([0], last))]) > 0).mean())


def summary(
    result: BacktestResult,
    study: Study,
    attribution: Attribution | None = None,
    *,
    stated: bool = True,
    preset: str | None = None,
    constraints: str = "",
    capacity: CapacityRecord | None = None,
) -> SummaryFile:
    """``summary.json``: plain values, None = not defined.

    ``all`` and ``by_year`` hold `ExcessStatistics` of the net NAV against the headline benchmark by `study`'s
    definitions, beside them excess against the replica and the total-return index and before cost, turnover, cost,
    counts and what was invested (``warnings`` has a sentence where that is far below the target). ``definitions`` holds
    the same statistics by both studies' definitions against each benchmark there is; ``definition_stated`` says whether
    the constraint set stated `study` or it is the default. ``preset`` is the shipped set that the portfolio kept
    unchanged, None for any other; ``constraints`` the set's own name. ``attribution``, ``episodes`` (of the excess NAV,
    the deepest first) and ``binding`` say where the excess came from; without an `attribution` the first is None and
    episodes have no exposures. ``capacity``: see `capacity`; None where it isn't known.
    """
    definitions = PRESETS[study]
    book = invested(result)
    warning = book.warning()
    years = [int(year) for year in np.unique(years_of(result.dates[1:]))]
    content: SummaryFile = _plain(
        {
            "index": result.index,
            "capital": result.capital,
            "start": result.dates[0],
            "end": result.dates[-1],
            "cuts": [asdict(cut) for cut in result.cuts],
            "definition": study,
            "definition_stated": stated,
            "definition_says": in_words(definitions),
            "preset": preset,
            "constraints": constraints or preset,
            "benchmark": "replica" if result.benchmark_nav is None else "price",
            **result.replica_weights.summary(),
            "dividend_tax": "ignored",
            "invested": asdict(book),
            "capacity": capacity,
            "warnings": [] if warning is None else [warning],
            "all": _entry(result, definitions, None),
            "by_year": {str(year): _entry(result, definitions, year) for year in years},
            "definitions": {
                name: {
                    against: {
                        "all": excess_statistics(result.nav, curve, result.dates, preset).record(),
                        "by_year": {
                            str(y): excess_statistics(result.nav, curve, result.dates, preset, year=y).record()
                            for y in years
                        },
                    }
                    for against, curve in benchmarks(result).items()
                }
                for name, preset in PRESETS.items()
            },
            "attribution": None if attribution is None else attribution.summary(),
            "attribution_method": None if attribution is None else str(METHOD),
            "episodes": _episodes(result, attribution),
            "binding": binding_shares(result),
            "rejected": dict(sorted(Counter(result.rejected.reason.tolist()).items())),
            "counts": dict(result.counts),
        }
    )
    return content


def benchmarks(result: BacktestResult) -> dict[str, Float64]:
    """The benchmark curves that there are: ``price``, ``total_return``, ``replica``."""
    curves = {
        "price": result.benchmark_nav,
        "total_return": result.total_return_nav,
        "replica": result.replica_nav,
    }
    return {name: curve for name, curve in curves.items() if curve is not None}


def _episodes(result: BacktestResult, attribution: Attribution | None) -> list[EpisodeRecord]:
    """The deepest drawdowns of the excess NAV, each with the active exposures at the close that it fell from."""
    content: list[EpisodeRecord] = []
    for episode in episodes(result.excess_nav, result.dates, EPISODES):
        down, up = days_between(episode, result.dates)
        exposures = {}
        if attribution is not None:
            row = int(np.searchsorted(result.dates, episode.start))
            exposures = dict(zip(attribution.styles, attribution.exposures[row].tolist(), strict=True))
        content.append({**_episode(episode), "days_down": down, "days_up": up, "exposures_at_start": exposures})
    return content


def binding_shares(result: BacktestResult) -> list[BindingRecord]:
    """How often each bound is touched at a price, and its mean absolute shadow price when it is, the most often first.

    Bounds on single names are pooled: row None, the share of rebalances with any, the mean over names and rebalances.
    """
    table, rebalances = result.binding, len(result.rebalances)
    pooled = np.isin(table.row, result.weights.symbol)
    row = np.where(pooled, "", table.row)
    content: list[BindingRecord] = []
    for constraint, name in sorted(set(zip(table.constraint.tolist(), row.tolist(), strict=True))):
        of = (table.constraint == constraint) & (row == name)
        content.append(
            {
                "constraint": constraint,
                "row": name or None,
                "share_of_rebalances": len(np.unique(table.date[of])) / rebalances,
                "mean_shadow_price": float(np.abs(table.shadow_price[of]).mean()),
            }
        )
    return sorted(content, key=lambda entry: -(entry["share_of_rebalances"] or 0.0))


def _entry(result: BacktestResult, definitions: Definitions, year: int | None) -> SpanRecord:
    """One span's numbers against the headline benchmark, and what stands beside them."""
    dates, headline = result.dates, result.headline_nav

    def of(nav: Float64, benchmark: Float64) -> ExcessStatistics:
        return excess_statistics(nav, benchmark, dates, definitions, year=year)

    replica = of(result.nav, result.replica_nav)
    gross = of(result.gross_nav, headline)
    inside = np.arange(1, len(dates)) if year is None else np.flatnonzero(years_of(dates) == year)
    curve = slice(max(int(inside[0]) - 1, 0), int(inside[-1]) + 1)
    deepest = deepest_episode((result.nav / headline)[curve], dates[curve])
    return {
        **of(result.nav, headline).record(),
        "excess_gross": gross.excess,
        "annual_return_gross": gross.annual_return,
        "excess_replica": replica.excess,
        "tracking_error_replica": replica.tracking_error,
        "information_ratio_replica": replica.information_ratio,
        "excess_total_return": None
        if result.total_return_nav is None
        else of(result.nav, result.total_return_nav).excess,
        "replica_tracking_error": of(result.replica_nav, headline).tracking_error,
        **_alone(result.nav[curve], headline[curve]),
        "excess_drawdown": None if deepest is None else _episode(deepest),
        **_trading(result, dates[inside]),
    }


def _alone(nav: Float64, benchmark: Float64) -> Alone:
    """The portfolio and the benchmark each by itself."""
    own, other = daily_returns(nav), daily_returns(benchmark)
    return {
        "max_drawdown": max_drawdown(nav),
        "benchmark_max_drawdown": max_drawdown(benchmark),
        "volatility": _volatility(own),
        "benchmark_volatility": _volatility(other),
        "sharpe": sharpe_ratio(own),
        "benchmark_sharpe": sharpe_ratio(other),
    }


def _volatility(returns: Float64) -> float:
    return float(np.std(returns, ddof=1)) * math.sqrt(TRADING_DAYS) if len(returns) > 1 else math.nan


def _trading(result: BacktestResult, dates: Dates) -> Trading:
    """Turnover, cost and relaxations of the rebalances filled, and relaxed, on `dates`."""
    table = result.rebalances
    filled = np.isin(table.fill_date, dates)
    counted = filled & ~table.first
    two_sided = (table.bought + table.sold)[counted]
    return {
        "rebalances": int(filled.sum()),
        "turnover": float(two_sided.mean()) if len(two_sided) else math.nan,
        "turnover_one_sided": float(two_sided.mean()) / 2 if len(two_sided) else math.nan,
        "cost": float(result.cost[np.isin(result.dates, dates)].sum()),
        **_relaxed(result, table.date[filled]),
    }


def _relaxed(result: BacktestResult, dates: Dates) -> RelaxedRecord:
    """Bounds that the rebalances signalled on `dates` did not keep, and why.

    ``frozen_rebalances``: only because of names that can't be traded; ``infeasible_rebalances``: the constraints had no
    solution whoever could be traded. ``relaxed_constraints``: constraint → rebalances.
    """
    table = result.relaxations
    inside = np.isin(table.date, dates)
    infeasible = np.unique(table.date[inside & (table.reason == "infeasible")])
    relaxed = np.unique(table.date[inside])
    names = sorted(set(table.constraint[inside].tolist()))
    return {
        "relaxed_bounds": int(inside.sum()),
        "relaxed_rebalances": len(relaxed),
        "frozen_rebalances": len(relaxed) - len(infeasible),
        "infeasible_rebalances": len(infeasible),
        "relaxed_constraints": {
            name: len(np.unique(table.date[inside & (table.constraint == name)])) for name in names
        },
    }


def _episode(episode: Episode) -> EpisodeRecord:
    recovery = None if np.isnat(episode.recovery) else str(episode.recovery)
    return {
        "start": str(episode.start),
        "trough": str(episode.trough),
        "recovery": recovery,
        "depth": episode.depth,
    }


def _over(a: float, b: float) -> float:
    return a / b if b > 0 else math.nan


def _plain(content: Any) -> Any:
    """Dates as ISO text, NaN and NaT as None, all the way down."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if isinstance(content, np.datetime64):
        return None if np.isnat(content) else str(content)
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
