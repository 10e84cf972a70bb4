"""Alpha: decaying memories of one-day signals, and the oracle, which is what they have committed to the days ahead.

A memory holds ``x(d) = λ·x(d−1) + g·s(d)`` with s(d) a cross-sectional z-score of what the tables published on day d.
The alpha in the return of day d+1 is the sum of all x(d). So signals up to t have committed ``λ^k·x(t)`` to day t+1+k,
and to ``close t+1 → close t+1+h`` (days t+2 … t+1+h) the sum ``x(t)·(λ + … + λ^h)``: exact, in closed form. Later
signals have conditional mean zero up to second order, because the noise is symmetric.

Two parts keep their state otherwise. `value` is frozen between the statutory deadlines of reports and weighs h·x(t): a
deadline on the way is taken to bring the same value again. `carry` is what the price limit cut off a return, and comes
whole on the next traded day: committed is what another day's limit would leave of it, an upper bound, because the other
parts of that day's return often let more of it through.

A new memory is a name in `settings.PARTS` with a strength, a kernel in `KERNELS` and a signal in `SIGNALS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Ints
from deepfactor.sources._simulation.cross_section import SIZE_GROUPS, group_mean, zscore
from deepfactor.sources._simulation.firms import YEAR
from deepfactor.sources._simulation.settings import PARTS, Settings

#: Horizon in days of `Strength`, and the horizons that the oracle table holds.
STRENGTH_HORIZON, ORACLE_HORIZONS = 10, (5, 10, 20)

#: Part → half-lives in days of its memories: the first adds, the second is taken away. The slow trend's kernel is
#: λ_slow^j − λ_skip^j: nothing from the newest days, else it would cancel the reversal.
KERNELS: dict[str, tuple[float, ...]] = {
    "reversal": (8.0,),
    "trend": (40.0, 15.0),
    "divergence": (8.0,),
    "drift": (15.0,),
    "spillover": (6.0,),
}

#: Mean square of a day's signal where it isn't 1: a firm has news on four days a year.
MEAN_SQUARE = {"drift": 4 / YEAR}

#: A neighbour's residual return counts up to this size.
SPILLOVER_CUT = 0.12


@dataclass(frozen=True)
class Published:
    """What signals may see of day d: all of it but `neighbours` and `cut` follows from tables up to d. Arrays (N,).

    Attributes
    ----------
    traded, seasoned : bool
        traded today; traded and listed for 20 days or more: who gets a signal.
    returns, residual : float64
        close / reference − 1; the same less industry mean and size slope.
    size_group : int64
        0 (smallest) … 4 by market value at the day's reference price.
    turnover, turnover_5, turnover_10, turnover_60 : float64
        today's, and exponential means (span 5, 10, 60 traded days) up to the day before.
    surprise : float64
        standardised unexpected earnings of the statements known from today on; 0 without.
    book_to_price : float64, or None
        ln of equity last reported / market value, on days that re-set the value state.
    neighbours : (N, k) int64
        true neighbours.
    cut : float64
        what the day's limit took off the return; 0 elsewhere.
    """

    traded: Bools
    seasoned: Bools
    returns: Float64
    residual: Float64
    size_group: Ints
    turnover: Float64
    turnover_5: Float64
    turnover_10: Float64
    turnover_60: Float64
    surprise: Float64
    book_to_price: Float64 | None
    neighbours: Ints
    cut: Float64


def reversal(day: Published) -> Float64:
    """Minus residual return × relative turnover of the last days: what ran up on heavy trading comes back."""
    weight = np.clip(day.turnover_5 / day.turnover_60, 0.4, 2.5)
    return -zscore(day.residual * weight, day.seasoned)


def trend(day: Published) -> Float64:
    """Return less the mean of its size group."""
    relative = day.returns - group_mean(day.returns, day.seasoned, day.size_group, SIZE_GROUPS)
    return zscore(relative, day.seasoned)


def divergence(day: Published) -> Float64:
    """Minus residual return × abnormal volume: a move on rising volume fades, one on falling volume goes on."""
    abnormal = np.log(np.maximum(day.turnover, 1e-7) / day.turnover_10)
    mean = abnormal.sum(where=day.seasoned) / max(int(day.seasoned.sum()), 1)
    return -zscore(day.residual * np.clip(abnormal - mean, -1.5, 1.5), day.seasoned)


def drift(day: Published) -> Float64:
    """The surprise itself: already in units of its deviation, and most firms have none today."""
    return day.surprise


def spillover(day: Published) -> Float64:
    """Mean residual return of the firm's true neighbours."""
    moves = np.clip(day.residual, -SPILLOVER_CUT, SPILLOVER_CUT)
    return zscore(moves[day.neighbours].mean(axis=1), day.seasoned)


SIGNALS: dict[str, Callable[[Published], Float64]] = {
    "reversal": reversal,
    "trend": trend,
    "divergence": divergence,
    "drift": drift,
    "spillover": spillover,
}


@dataclass(frozen=True)
class Memories:
    """The K states of all parts.

    Attributes
    ----------
    parts : (K,) names; a part can have several memories.
    decay, gain : (K,) float64
        λ and g of each; 1 and the gain for `value`, 0 and the share carried for `carry`.
    """

    parts: tuple[str, ...]
    decay: Float64
    gain: Float64

    @classmethod
    def of(cls, settings: Settings) -> Memories:
        """Gains such that a white signal of unit variance gives each part's 10-day oracle the strength set."""
        parts: list[str] = []
        decay: list[float] = []
        gain: list[float] = []
        for part in PARTS:
            strength = settings.strength_of(part)
            if part in KERNELS:
                rates = [0.5 ** (1 / days) for days in KERNELS[part]]
                unit = strength / (_oracle_deviation(rates) * np.sqrt(MEAN_SQUARE.get(part, 1.0)))
                gains = [unit, -unit][: len(rates)]
            else:
                rates, gains = ([1.0], [strength / STRENGTH_HORIZON]) if part == "value" else ([0.0], [strength])
            parts += [part] * len(rates)
            decay += rates
            gain += gains
        return cls(tuple(parts), np.array(decay), np.array(gain))

    def row(self, part: str) -> int:
        """Position of a part's first state."""
        return self.parts.index(part)

    def update(self, state: Float64, day: Published, alive: Bools) -> Float64:
        """The states (K, N) after day d from those of day d − 1; zero where not listed."""
        none = np.zeros(state.shape[1])
        signal = {part: SIGNALS[part](day) if part in SIGNALS else none for part in dict.fromkeys(self.parts)}
        stacked = np.stack([signal[part] for part in self.parts])
        after = self.decay[:, None] * state + self.gain[:, None] * stacked
        if day.book_to_price is not None:
            after[self.row("value")] = self.gain[self.row("value")] * zscore(day.book_to_price, alive)
        carry = self.row("carry")
        after[carry] = np.where(day.traded, self.gain[carry] * day.cut, state[carry])
        return np.where(alive, after, 0.0)

    def truth(self, state: Float64, limit: Float64) -> Float64:
        """The states (K, N) as `oracle` wants them: of what is carried, the part beyond another day's limit.

        `limit` is the day's price limit as a fraction of the reference, (N,), inf where there is none.
        """
        carry, out = self.row("carry"), state.copy()
        out[carry] = np.sign(state[carry]) * np.maximum(np.abs(state[carry]) - limit, 0.0)
        return out

    def oracle(self, state: Floats, part: str, horizon: int) -> Float64:
        """What a part has committed to close t+1 → close t+1+horizon, from `truth` (K, …) at close t."""
        chosen = [k for k, name in enumerate(self.parts) if name == part]
        total = np.zeros(state.shape[1:])
        for k in chosen:
            weight = 1.0 if part == "carry" else committed(self.decay[k], horizon)
            total += weight * state[k]
        return total


def committed(decay: float, horizon: int) -> float:
    """λ + λ² + … + λ^horizon."""
    return float(sum(decay**k for k in range(1, horizon + 1)))


def _oracle_deviation(rates: list[float]) -> float:
    """Standard deviation of a part's 10-day oracle for gain 1 and white unit signals.

    The weight of the signal j days back is ±Σ c_m λ_m^j with c = `committed`, so the variance is the double sum of
    c_m c_n / (1 − λ_m λ_n) with the memories' signs.
    """
    decay = np.array(rates)
    signed = np.array([committed(rate, STRENGTH_HORIZON) for rate in rates]) * np.array([1.0, -1.0])[: len(decay)]
    products = np.outer(signed, signed) / (1 - np.outer(decay, decay))
    return float(np.sqrt(products.sum()))
