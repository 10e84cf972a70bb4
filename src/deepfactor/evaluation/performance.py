"""Statistics of a NAV curve, by named definitions. A NAV starts at 1 just before its first date's costs."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Dates, Float64, Floats
from deepfactor.evaluation.definitions import TRADING_DAYS, Definitions
from deepfactor.evaluation.statistics import years_of


def annualised_return(nav: Floats, dates: Dates, definitions: Definitions) -> Float64:
    """Growth a year, minus 1, of NAVs (D, ...) that started from 1 on dates[0]; NaN for fewer than two dates."""
    years = span_in_years(dates, definitions)
    if years <= 0:
        return np.full(np.shape(nav)[1:], np.nan)
    return np.asarray(nav[-1] ** (1.0 / years) - 1.0, dtype=np.float64)


def annual_excess(nav: Floats, benchmark: Floats, dates: Dates, definitions: Definitions) -> float:
    """Excess a year of a NAV (D,) over another, both from 1 on dates[0], by the definition; NaN below two dates."""
    if definitions.annual_excess == "ratio":
        return float(annualised_return(nav / benchmark, dates, definitions))
    return float(annualised_return(nav, dates, definitions) - annualised_return(benchmark, dates, definitions))


def span_in_years(dates: Dates, definitions: Definitions) -> float:
    """Years from the first to the last of `dates`: 365 calendar days or 252 trading days each."""
    if len(dates) < 2:
        return 0.0
    if definitions.year == "trading":
        return (len(dates) - 1) / TRADING_DAYS
    return float((dates[-1] - dates[0]) / np.timedelta64(1, "D")) / 365.0


def daily_returns(nav: Floats) -> Float64:
    """(D − 1, ...) returns from each date of `nav` to the next."""
    return np.asarray(nav[1:] / nav[:-1] - 1.0, dtype=np.float64)


def sharpe_ratio(returns: Floats) -> float:
    """Annualised mean / sample standard deviation of daily returns × √252, no risk-free rate; NaN where undefined."""
    if len(returns) < 2:
        return np.nan
    spread = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / spread * float(np.sqrt(TRADING_DAYS)) if spread > 0 else np.nan


def drawdowns(nav: Floats) -> Float64:
    """NAV over its highest so far, minus 1: (D,), never positive."""
    return np.asarray(nav / np.maximum.accumulate(nav) - 1.0, dtype=np.float64)


def max_drawdown(nav: Floats) -> float:
    """The deepest drawdown, ≤ 0; NaN for an empty curve."""
    return float(drawdowns(nav).min()) if len(nav) else np.nan


def by_calendar_year(nav: Floats, dates: Dates) -> dict[int, Float64]:
    """Each year's NAV rebased to 1 at the last date before it, that date included in front.

    In the first year the value in front is the 1 that the NAV started from, before the first date's costs.
    """
    years = years_of(dates)
    curves = {}
    for year in np.unique(years):
        inside = np.flatnonzero(years == year)
        before = 1.0 if inside[0] == 0 else float(nav[inside[0] - 1])
        curves[int(year)] = np.concatenate(([before], nav[inside])) / before
    return curves


def excess_by_year(nav: Floats, benchmark: Floats, dates: Dates, definitions: Definitions) -> dict[int, float]:
    """Cumulative excess of each calendar year, by the definition; never annualised, so a part-year shows what it is."""
    own, other = by_calendar_year(nav, dates), by_calendar_year(benchmark, dates)
    if definitions.yearly_excess == "ratio":
        return {year: float(own[year][-1] / other[year][-1] - 1.0) for year in own}
    return {year: float(own[year][-1] - other[year][-1]) for year in own}
