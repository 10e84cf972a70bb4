"""Is the live score the one that was tested? What each day is measured by, and the band that the test's own days give.

A measure is a series, one number a day. Its band is the range that it had over the tested span, widened on either side
by half of it: a measure outside has left all that the test has seen. The RankIC, whose days are noise, is judged by the
mean of its last matured days against the test's mean less three standard errors (Newey and West 1987).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.cross_section.correlation import spearman
from deepfactor.evaluation.statistics import newey_west_error
from deepfactor.features.base import Features

#: Days of a RankIC that are averaged, and the fewest that are judged.
MATURED, LEAST = 20, 5
#: Share of the names that is the top of a score.
TOP = 0.1
#: Standard errors that the mean RankIC may lie below that of the test.
ERRORS = 3.0
#: Population stability above which a feature has moved, by the usual rule of thumb, and how many times that of the days
#: before: features with a bound, as the distance from a high, pile up there on days when the whole market does.
MOVED, TIMES = 0.25, 3.0
#: Share of the names by which a feature may stand still more than on any of the days before.
STILL = 0.1
#: Share of the names that may lack a score, where hardly one did in the test.
FEW_NAMES = 0.02
_BINS = 10
_ALL_BUT = 0.9999  # more names than that with yesterday's very value: it is frozen

State = Literal["ok", "alarm", "too_few"]


@dataclass(frozen=True)
class Light:
    """A measure on a day: its value within `low` … `high` (None = no bound), and what that means."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    state: State


def measured(
    scores: Floats, eligible: Bools, returns: Floats, amount: Floats, characters: Mapping[str, Floats]
) -> dict[str, Float64]:
    """Each measure by day, (T,); NaN where a day has none.

    Parameters
    ----------
    scores : (T, N); eligible : (T, N), who should have one
    returns : (T, N), what the scores foresee; NaN where it hasn't matured
    amount : (T, N), CNY traded
    characters : name -> (T, N), what a score may lean on

    Returns
    -------
    ``coverage``, share of the eligible names that are scored; ``autocorrelation`` of the score with the day before;
    ``turnover`` of its top tenth; ``activity``, that tenth's share of all that was traded over a tenth; ``rank_ic``;
    and ``leans on NAME``, rank correlation with a character.
    """
    days = len(scores)
    found = {name: np.full(days, np.nan) for name in ("coverage", "autocorrelation", "turnover", "activity", "rank_ic")}
    found |= {f"leans on {name}": np.full(days, np.nan) for name in characters}
    before: Bools | None = None
    for t in range(days):
        known = np.isfinite(scores[t])
        if eligible[t].any():
            found["coverage"][t] = (known & eligible[t]).sum() / eligible[t].sum()
        if known.sum() < 2:
            before = None
            continue
        top = _top(scores[t], known)
        traded = np.nansum(np.where(known, amount[t], 0.0))
        if traded > 0:
            found["activity"][t] = np.nansum(amount[t, top]) / traded / (top.sum() / known.sum())
        found["rank_ic"][t] = _correlation(scores[t], returns[t])
        for name, values in characters.items():
            found[f"leans on {name}"][t] = _correlation(scores[t], values[t])
        if t and before is not None:
            found["autocorrelation"][t] = _correlation(scores[t], scores[t - 1])
            found["turnover"][t] = 1.0 - (top & before).sum() / top.sum()
        before = top
    return found


def _top(score: Floats, known: Bools) -> Bools:
    least = np.quantile(score[known], 1.0 - TOP)
    top: Bools = known & (score >= least)
    return top


def _correlation(x: Floats, y: Floats) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3:
        return np.nan
    return spearman(x[both].astype(np.float64), y[both].astype(np.float64))


def drifted(features: Features, eligible: Bools) -> dict[str, Float64]:
    """Of each feature by day, (T,): ``frozen NAME``, the share of names with the day before's very value, and ``moved
    NAME``, the population stability of the day's z-scores against those of the first half of the days."""
    values = features.plain()
    found = {}
    for k, name in enumerate(features.names):
        x = np.where(eligible, values[..., k], np.nan).astype(np.float64)
        both = np.isfinite(x[1:]) & np.isfinite(x[:-1])
        same = ((x[1:] == x[:-1]) & both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        found[f"frozen {name}"] = np.concatenate([[np.nan], np.where(both.any(axis=1), same, np.nan)])
        found[f"moved {name}"] = _stability(_standard(x))
    return found


def _standard(x: Float64) -> Float64:
    """Each day's values to median 0 and interquartile range 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        known = np.isfinite(x).any(axis=1)
        out = np.full_like(x, np.nan)
        low, middle, high = np.nanquantile(x[known], (0.25, 0.5, 0.75), axis=1)
        spread = np.where(high > low, high - low, np.nan)
        out[known] = (x[known] - middle[:, None]) / spread[:, None]
    return out


def _stability(x: Float64) -> Float64:
    """Population stability index of each day's values over the tenths of those of the first half of the days."""
    past = x[: len(x) // 2]
    past = past[np.isfinite(past)]
    out = np.full(len(x), np.nan)
    if not len(past):
        return out
    edges = np.unique(np.quantile(past, np.linspace(0, 1, _BINS + 1)[1:-1]))
    wanted = np.bincount(np.searchsorted(edges, past), minlength=len(edges) + 1) / len(past)
    for t, row in enumerate(x):
        known = row[np.isfinite(row)]
        if len(known):
            share = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1) / len(known)
            a, b = np.maximum(share, 1e-4), np.maximum(wanted, 1e-4)
            out[t] = float(((a - b) * np.log(a / b)).sum())
    return out


def lights(series: Mapping[str, Float64], tested: Bools, live: Bools, t: int, lag: int) -> Iterator[Light]:
    """The measures of `measured` on day `t`.

    `tested`, `live` : (T,) days of the test, and those that are watched; `lag` : days that returns of neighbours share.
    """
    for name, values in series.items():
        past = values[tested & np.isfinite(values)]
        if name == "rank_ic":
            yield _rank_ic(past, values[: t + 1][live[: t + 1]], lag)
        elif len(past) < LEAST or not np.isfinite(values[t]):
            yield Light(name, _number(values[t]), None, None, "too_few")
        else:
            yield _within(name, float(values[t]), *_widened(past, FEW_NAMES if name == "coverage" else 0.0))


def drift_lights(series: Mapping[str, Float64]) -> Iterator[Light]:
    """The measures of `drifted` on the last day, against the days before."""
    for name, values in series.items():
        past, now = values[:-1][np.isfinite(values[:-1])], float(values[-1])
        if len(past) < LEAST or not np.isfinite(now):  # what was there and is gone is no small thing
            yield Light(name, None, None, None, "too_few" if len(past) < LEAST else "alarm")
            continue
        frozen = name.startswith("frozen")
        high = min(_widened(past, STILL)[1], _ALL_BUT) if frozen else max(TIMES * float(past.max()), MOVED)
        yield Light(name, now, None, high, "ok" if now <= high else "alarm")


def _rank_ic(past: Float64, live: Float64, lag: int) -> Light:
    recent = live[np.isfinite(live)][-MATURED:]
    if len(recent) < LEAST or len(past) < MATURED:
        return Light("rank_ic", None, None, None, "too_few")
    spread = newey_west_error(past, lag) * np.sqrt(len(past))  # of one day, as its neighbours overlap
    low = float(past.mean() - ERRORS * spread / np.sqrt(len(recent)))
    value = float(recent.mean())
    return Light("rank_ic", value, low, None, "ok" if value >= low else "alarm")


def _widened(past: Float64, least: float = 0.0) -> tuple[float, float]:
    low, high = float(past.min()), float(past.max())
    more = max(0.5 * (high - low), least)
    return low - more, high + more


def _within(name: str, value: float, low: float, high: float) -> Light:
    return Light(name, value, low, high, "ok" if low <= value <= high else "alarm")


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
