"""Two daily series beside each other, such as the RankIC of two factors: is their difference more than noise?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Floats
from deepfactor.evaluation.statistics import newey_west_error, summarise


@dataclass(frozen=True)
class PairedDifference:
    """First series less second, over the days that both have; NaN = not defined.

    Attributes
    ----------
    mean : float
        of the daily differences.
    standard_error : float
        of the mean, by Newey–West; NaN where the differences don't vary.
    t_newey_west : float
        mean / standard_error.
    win_rate : float
        share of days on which the first is ahead.
    lags : int
        neighbouring days that the error allows for.
    n : int
        days.
    """

    mean: float
    standard_error: float
    t_newey_west: float
    win_rate: float
    lags: int
    n: int


def paired_difference(first: Floats, second: Floats, lags: int) -> PairedDifference:
    """Compare two aligned daily series (T,), in time order; a day that either lacks (NaN) is left out.

    Two factors' coefficients of one day share that day's market, so their difference varies less than either alone: two
    arms can differ by less than the error of each and still differ clearly. Coefficients of h-day returns overlap on h
    days: give `lags` ≥ h.

    Raises
    ------
    ValueError
        the series are not of one length, or `lags` is negative.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"series of {np.shape(first)} and {np.shape(second)}: align them by day first")
    if lags < 0:
        raise ValueError(f"lags = {lags}: give the number of days that samples overlap, 0 for none")
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    summary = summarise(difference, lags)
    error = newey_west_error(difference, lags)
    return PairedDifference(summary.mean, error, summary.t_newey_west, summary.win_rate, lags, summary.n)
