"""A top group held under a bound on turnover, and its decay, name by name. No code of deepfactor, on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Facts:
    """(T, N): adjusted close (NaN without a trade), who may be picked and bought, who may be sold; week's ends (T,).

    `gone`: delisted and settled at the last price less `haircut`.
    """

    price: Array
    pickable: Array
    enterable: Array
    sellable: Array
    gone: Array
    week_end: Array
    haircut: float


def picks(facts: Facts, scores: Array, part: int, last: int) -> dict[int, tuple[dict[int, float], list[int]]]:
    """By row of the trade: weights of the top 1/part (equals across the edge share), and everybody who could be had."""
    found = {}
    for t in np.flatnonzero(facts.week_end).tolist():
        if t + 1 >= last:
            continue
        everybody = [j for j in range(scores.shape[1]) if facts.pickable[t, j] and facts.enterable[t + 1, j]]
        scored = sorted((float(scores[t, j]), j) for j in everybody if np.isfinite(scores[t, j]))
        if len(scored) < part or scored[0][0] == scored[-1][0]:
            continue
        size = max(1, len(scored) // part)
        edge = scored[-size][0]
        above, equal = [j for s, j in scored if s > edge], [j for s, j in scored if s == edge]
        shares = dict.fromkeys(above, 1.0) | dict.fromkeys(equal, (size - len(above)) / len(equal))
        found[t + 1] = ({j: share / size for j, share in shares.items()}, everybody)
    return found


def marks(facts: Facts) -> Array:
    """Prices carried over days without one; cut once where a name is gone."""
    out = facts.price.copy()
    for t in range(1, len(out)):
        for j in range(out.shape[1]):
            if not np.isfinite(out[t, j]):
                cut = facts.gone[t, j] and not facts.gone[t - 1, j]
                out[t, j] = out[t - 1, j] * (1 - facts.haircut if cut else 1)
    return out


def held(
    facts: Facts, plan: Mapping[int, tuple[dict[int, float], list[int]]], bound: float, cost: float, last: int
) -> tuple[list[float], list[float], list[float]]:
    """NAV before and after cost from the first trade to `last`, and one-sided turnover of the trades after it."""
    price, weights = marks(facts), dict[int, float]()
    gross, net, turnover, level, paid = [], [], [], 1.0, 1.0
    for t in range(min(plan), last + 1):
        if gross:
            values = {j: w * price[t, j] / price[t - 1, j] for j, w in weights.items()}
            total = sum(values.values())
            level *= total
            weights = {j: v / total for j, v in values.items()}
        if t in plan:
            aim = plan[t][0]
            if not weights:
                new, traded = dict(aim), 1.0
            else:
                names = {*weights, *aim}
                change = {j: aim.get(j, 0.0) - weights.get(j, 0.0) for j in names}
                sales = {j: -d for j, d in change.items() if d < 0 and facts.sellable[t, j]}
                buys = {j: d for j, d in change.items() if d > 0}
                sold, wanted = sum(sales.values()), sum(buys.values())
                share = min(1.0, bound / sold) if sold else 0.0
                new = dict(weights)
                for j, d in sales.items():
                    new[j] -= share * d
                for j, d in buys.items():
                    new[j] = new.get(j, 0.0) + share * sold * d / wanted
                traded = sum(abs(new.get(j, 0.0) - weights.get(j, 0.0)) for j in {*new, *weights})
                turnover.append(traded / 2)
            paid *= 1 - cost * traded
            weights = {j: w for j, w in new.items() if w}
        gross.append(level)
        net.append(level * paid)
    return gross, net, turnover


def decay(
    facts: Facts, plan: Mapping[int, tuple[dict[int, float], list[int]]], weeks: Sequence[int]
) -> dict[int, list[float]]:
    """By week after the trade the picks' return less everybody's mean, a number a signal that has that week."""
    price, found = marks(facts), {week: list[float]() for week in weeks}
    for t, (aim, everybody) in plan.items():
        for week in weeks:
            start, stop = t + 5 * (week - 1), t + 5 * week
            if stop < len(price):
                change = price[stop] / price[start] - 1
                own = sum(w * change[j] for j, w in aim.items())
                found[week].append(own - sum(change[j] for j in everybody) / len(everybody))
    return found
