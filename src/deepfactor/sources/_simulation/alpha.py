"""Alpha: decaying memories of one-day signals, and the oracle, which is what they have committed to the days ahead.

A memory holds ``x(d) = λ·x(d−1) + g·s(d)`` with s(d) a cross-sectional z-score of what the tables published on day d.
The alpha in the return of day d+1 is the sum of all x(d). So signals up to t have committed ``λ^k·x(t)`` to day t+1+k,
and to ``close t+1 → close t+1+h`` (days t+2 … t+1+h) the sum ``x(t)·(λ + … + λ^h)``: exact, in closed form. Later
signals have conditional mean zero up to second order, because the noise is symmetric.

A new part is a name in `settings.PARTS` with a strength, a kernel in `KERNELS` and a signal in `SIGNALS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfactor.sources._simulation.arrays import Labels, Mask, Vector
from deepfactor.sources._simulation.cross_section import SIZE_GROUPS, group_mean, zscore
from deepfactor.sources._simulation.settings import PARTS, Settings

#: Horizon in days of `Strength`, and the horizons that the oracle table holds.
STRENGTH_HORIZON, ORACLE_HORIZONS = 10, (5, 10, 20)

#: Part → half-lives in days of its memories: the first adds, the second is taken away. The slow trend's kernel is
#: λ_slow^j − λ_skip^j: nothing from the newest days, else it would cancel the reversal.
KERNELS: dict[str, tuple[float, ...]] = {"reversal": (8.0,), "trend": (40.0, 15.0), "divergence": (8.0,)}


@dataclass(frozen=True)
class Published:
    """What signals may see of day d: all of it follows from tables up to d. Arrays (N,).

    Attributes
    ----------
    seasoned : bool
        traded today and listed for 20 days or more: who gets a signal.
    returns, residual : float64
        close / reference − 1; the same less industry mean and size slope.
    size_group : int64
        0 (smallest) … 4 by market value at the day's reference price.
    turnover, turnover_5, turnover_10, turnover_60 : float64
        today's, and exponential means (span 5, 10, 60 traded days) up to the day before.
    """

    seasoned: Mask
    returns: Vector
    residual: Vector
    size_group: Labels
    turnover: Vector
    turnover_5: Vector
    turnover_10: Vector
    turnover_60: Vector


def reversal(day: Published) -> Vector:
    """Minus residual return × relative turnover of the last days: what ran up on heavy trading comes back."""
    weight = np.clip(day.turnover_5 / day.turnover_60, 0.4, 2.5)
    return -zscore(day.residual * weight, day.seasoned)


def trend(day: Published) -> Vector:
    """Return less the mean of its size group."""
    relative = day.returns - group_mean(day.returns, day.seasoned, day.size_group, SIZE_GROUPS)
    return zscore(relative, day.seasoned)


def divergence(day: Published) -> Vector:
    """Minus residual return × abnormal volume: a move on rising volume fades, one on falling volume goes on."""
    abnormal = np.log(np.maximum(day.turnover, 1e-7) / day.turnover_10)
    mean = abnormal.sum(where=day.seasoned) / max(int(day.seasoned.sum()), 1)
    return -zscore(day.residual * np.clip(abnormal - mean, -1.5, 1.5), day.seasoned)


SIGNALS: dict[str, Callable[[Published], Vector]] = {
    "reversal": reversal,
    "trend": trend,
    "divergence": divergence,
}


@dataclass(frozen=True)
class Memories:
    """The K memories of all parts.

    Attributes
    ----------
    parts : (K,) names; a part can have several memories.
    decay, gain : (K,) float64
        λ and g of each.
    """

    parts: tuple[str, ...]
    decay: Vector
    gain: Vector

    @classmethod
    def of(cls, settings: Settings) -> Memories:
        """Gains such that a white unit-variance signal gives each part's 10-day oracle the strength set."""
        parts: list[str] = []
        decay: list[float] = []
        gain: list[float] = []
        for part in PARTS:
            rates = [0.5 ** (1 / days) for days in KERNELS[part]]
            unit = settings.strength_of(part) / _oracle_deviation(rates)
            parts += [part] * len(rates)
            decay += rates
            gain += [unit, -unit][: len(rates)]
        return cls(tuple(parts), np.array(decay), np.array(gain))

    def update(self, state: Vector, day: Published, alive: Mask) -> Vector:
        """The memories (K, N) after day d from those of day d − 1; zero where not listed."""
        signal = {part: SIGNALS[part](day) for part in dict.fromkeys(self.parts)}
        stacked = np.stack([signal[part] for part in self.parts])
        return np.where(alive, self.decay[:, None] * state + self.gain[:, None] * stacked, 0.0)

    def oracle(self, state: NDArray[np.floating[Any]], part: str, horizon: int) -> NDArray[np.float64]:
        """What a part has committed to close t+1 → close t+1+horizon, from the memories (K, …) at close t."""
        weight = committed(self.decay, horizon)
        chosen = [k for k, name in enumerate(self.parts) if name == part]
        total: NDArray[np.float64] = sum((weight[k] * state[k].astype(np.float64) for k in chosen), np.zeros(1))
        return total


def committed(decay: Vector, horizon: int) -> Vector:
    """λ + λ² + … + λ^horizon."""
    return decay * (1 - decay**horizon) / (1 - decay)


def _oracle_deviation(rates: list[float]) -> float:
    """Standard deviation of a part's 10-day oracle for gain 1 and white unit signals.

    The weight of the signal j days back is ±Σ c_m λ_m^j with c = `committed`, so the variance is the double sum of
    c_m c_n / (1 − λ_m λ_n) with the memories' signs.
    """
    decay = np.array(rates)
    signed = committed(decay, STRENGTH_HORIZON) * np.array([1.0, -1.0])[: len(decay)]
    products = np.outer(signed, signed) / (1 - np.outer(decay, decay))
    return float(np.sqrt(products.sum()))
