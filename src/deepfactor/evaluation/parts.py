"""RankIC within each industry and each third of size: where in the market a factor ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Indices, Integers
from deepfactor.evaluation.records import PartRecord
from deepfactor.evaluation.settings import TestSettings
from deepfactor.evaluation.statistics import every, mean_of, newey_west_t
from deepfactor.evaluation.window import Window
from deepfactor.panel.returns import Convention, forward_return

#: Thirds of a day's names by market value, the smallest first.
THIRDS = ("small", "middle", "large")


@dataclass(frozen=True)
class PartSeries:
    """RankIC within one part of the names of a universe.

    Attributes
    ----------
    by : "industry" or "size"
    name : of the industry; "" = names of none; or one of `THIRDS`
    values : (K,) float64
        on days a horizon apart; NaN where the part has too few names, or scores or returns without spread.
    names : (K,) how many of them there were
    """

    universe: str
    convention: Convention
    horizon: int
    by: Literal["industry", "size"]
    name: str
    values: Float64
    names: Integers

    def record(self) -> PartRecord:
        """As in `factor_report.json`; days don't overlap, so t has lag 0."""
        known = np.isfinite(self.values)
        return {
            "universe": self.universe,
            "convention": self.convention,
            "horizon": self.horizon,
            "by": self.by,
            "name": self.name,
            "rank_ic": mean_of(self.values),
            "t": newey_west_t(self.values, 0),
            "days": int(known.sum()),
            "names": mean_of(self.names[known].astype(np.float64)),
        }


def within_parts(window: Window, settings: TestSettings) -> tuple[PartSeries, ...]:
    """Of the first universe, convention and horizon; none where the market knows neither industries nor sizes."""
    universe, convention, horizon = settings.universes[0], settings.conventions[0], settings.horizons[0]
    ret = forward_return(window.panel, convention, horizon)[: len(window.scores)]
    have = window.names(universe) & np.isfinite(window.scores) & np.isfinite(ret)
    there = np.flatnonzero(have.any(axis=1))
    days = there[every(there, horizon)]
    made = []
    for by, parts, names in _divisions(window, have, days):
        found = [rank_ic_within(window.scores[t], ret[t], parts[k], len(names)) for k, t in enumerate(days)]
        values = np.array([ic for ic, _ in found]).reshape(len(days), len(names))
        counts = np.array([n for _, n in found], np.int64).reshape(len(days), len(names))
        values[counts < settings.min_names] = np.nan
        made += [
            PartSeries(universe, convention, horizon, by, name, values[:, k], counts[:, k])
            for k, name in enumerate(names)
            if np.isfinite(values[:, k]).any()
        ]
    return tuple(made)


def rank_ic_within(scores: Floats, returns: Floats, part: Integers, parts: int) -> tuple[Float64, Integers]:
    """Spearman's correlation within each of `parts` parts, (parts,), NaN without spread, and the names of each.

    `part` (N,): of each name; −1 = none, also of those without a score or a return.

    >>> rank_ic_within(np.array([1.0, 2.0, 5.0, 6.0]), np.array([3.0, 4.0, 9.0, 8.0]), np.array([0, 0, 1, 1]), 2)[0]
    array([ 1., -1.])
    """
    at = np.flatnonzero(part >= 0)
    own = part[at]
    count = np.bincount(own, minlength=parts)
    x, y = (_centred_ranks(side[at], own, count) for side in (scores, returns))
    products = [np.bincount(own, one, minlength=parts) for one in (x * y, x * x, y * y)]
    size = np.sqrt(products[1] * products[2])
    return np.where(size > 0, products[0] / np.where(size > 0, size, 1.0), np.nan), count


def _centred_ranks(values: Floats, part: Integers, count: Integers) -> Float64:
    """Average ranks within each part, less their mean."""
    order = np.lexsort((values, part))
    ordered, own = values[order], part[order]
    runs = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]) | (own[1:] != own[:-1]))[: len(order)])
    lengths = np.diff(np.append(runs, len(order)))
    first = np.cumsum(count) - count  # of each part
    mean = np.repeat(runs + (lengths - 1) / 2.0, lengths) - first[own]
    out = np.empty(len(values))
    out[order] = mean - (count[own] - 1) / 2.0
    return out


def _divisions(
    window: Window, have: Bools, days: Indices
) -> list[tuple[Literal["industry", "size"], Integers, tuple[str, ...]]]:
    """What the names of the `days` are divided by: part (K, N) of each, −1 = not looked at, and the parts' names."""
    made: list[tuple[Literal["industry", "size"], Integers, tuple[str, ...]]] = []
    industries = window.universe.industries
    if industries:
        own = window.industry[days][:, window.columns].astype(np.int64) % (len(industries) + 1)  # −1 is the last
        made.append(("industry", np.where(have[days], own, -1), (*industries, "")))
    if window.cap is not None:
        cap = np.asarray(window.panel[window.cap])[: len(have)]
        made.append(("size", np.stack([_thirds(cap[t], have[t]) for t in days]), THIRDS))
    return made


def _thirds(cap: Floats, have: Bools) -> Integers:
    """Third of each name by market value, (N,); −1 without one."""
    at = np.flatnonzero(have & np.isfinite(cap))
    out = np.full(len(cap), -1)
    rank = np.argsort(np.argsort(cap[at], kind="stable"), kind="stable")
    out[at] = rank * len(THIRDS) // max(len(at), 1)
    return out
