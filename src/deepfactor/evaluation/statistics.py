"""Statistics of a daily series, such as information coefficients. Missing values are left out and counted."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Dates, Float64, Floats, Indices, Ints
from deepfactor.evaluation.records import Statistics


@dataclass(frozen=True)
class SeriesSummary:
    """Summary of a series of information coefficients; NaN = not defined.

    Attributes
    ----------
    mean, std : float
        sample standard deviation (n − 1).
    icir : float
        mean / std of this series as sampled, not annualised.
    win_rate : float
        share of values > 0.
    t_newey_west : float
        t of the mean; see `newey_west_t`.
    n : int
        values that were not missing.
    """

    mean: float
    std: float
    icir: float
    win_rate: float
    t_newey_west: float
    n: int

    def record(self) -> Statistics:
        """As in ``factor_report.json``."""
        return {
            "mean": self.mean,
            "std": self.std,
            "icir": self.icir,
            "win_rate": self.win_rate,
            "t_newey_west": self.t_newey_west,
            "n": self.n,
        }


def summarise(series: Floats, lag: int) -> SeriesSummary:
    """Summary of `series` (T,), in time order. `lag` is that of the Newey–West t."""
    values = _present(series)
    n = len(values)
    if n == 0:
        return SeriesSummary(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    std = float(values.std(ddof=1)) if n > 1 else np.nan
    return SeriesSummary(
        mean=mean,
        std=std,
        icir=mean / std if std > 0 else np.nan,
        win_rate=float((values > 0).mean()),
        t_newey_west=newey_west_t(values, lag),
        n=n,
    )


def newey_west_t(series: Floats, lag: int) -> float:
    """t of the mean by `newey_west_error`. NaN where the variance is zero or there are fewer than two values."""
    return float(_present(series).mean() / error) if np.isfinite(error := newey_west_error(series, lag)) else np.nan


def newey_west_error(series: Floats, lag: int) -> float:
    """Standard error of the mean with a variance that stands autocorrelation up to `lag`.

    Bartlett weights 1 − j/(lag + 1), autocovariances over n, no small-sample correction (Newey and West 1987). Daily
    samples of an h-day return overlap, so their lag must be at least h − 1. Missing values are left out and their
    neighbours counted as adjacent. NaN where the variance is zero or there are fewer than two values.
    """
    values = _present(series)
    n = len(values)
    if n < 2:
        return np.nan
    deviation = values - values.mean()
    variance = float(deviation @ deviation) / n
    for j in range(1, min(lag, n - 1) + 1):
        variance += 2.0 * (1.0 - j / (lag + 1)) * float(deviation[j:] @ deviation[:-j]) / n
    return float(np.sqrt(variance / n)) if variance > 0 else np.nan


def every(rows: Indices, step: int) -> Indices:
    """Positions in ascending `rows` that lie at least `step` apart: the first, then the next that is far enough.

    Returns sampled so with a horizon of `step` days don't overlap.
    """
    chosen: list[int] = []
    position, days = 0, rows.tolist()
    while position < len(days):
        chosen.append(position)
        position = bisect_left(days, days[position] + step)
    return np.array(chosen, dtype=np.intp)


def mean_of(series: Floats) -> float:
    """Mean of what is not missing; NaN where nothing is."""
    values = _present(series)
    return float(values.mean()) if len(values) else np.nan


def share(part: int, whole: int) -> float:
    """`part` of `whole`; NaN of nothing."""
    return part / whole if whole else np.nan


def years_of(dates: Dates) -> Ints:
    """Calendar year of each date."""
    return dates.astype("datetime64[Y]").astype(np.int64) + 1970


def _present(series: Floats) -> Float64:
    values = np.asarray(series, dtype=np.float64)
    return values[np.isfinite(values)]
