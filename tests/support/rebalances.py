"""Random rebalances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepfactor.portfolio.problem import Rebalance
from deepfactor.risk.forecast import Forecast


def make_week(
    seed: int,
    n: int = 80,
    *,
    first: bool = False,
    frozen: float = 0.03,
    unbuyable: float = 0.05,
    industries: int = 5,
    drift: float = 0.02,
    styles: tuple[str, ...] = ("SIZE",),
) -> Rebalance:
    """A book near its index, drifted, some names gone from the index and some without a known industry."""
    g = np.random.default_rng(seed)
    member = np.zeros(n, dtype=bool)
    member[g.permutation(n)[: n // 2]] = True
    benchmark = np.where(member, g.lognormal(0.0, 0.7, n), 0.0)
    benchmark /= benchmark.sum()
    previous = np.zeros(n)
    if not first:
        book = 0.995 * benchmark * np.exp(drift * g.standard_normal(n))
        moved = g.permutation(n)[: n // 4]
        book[moved] *= g.random(len(moved))
        book += np.where(member, 0.0, 0.002 * g.random(n))
        previous = 0.995 * book / book.sum()
    is_frozen = g.random(n) < frozen
    buyable = ~is_frozen & (g.random(n) >= unbuyable)
    industry = g.integers(-1, industries, n)
    return Rebalance(
        date=np.datetime64("2020-01-10"),
        symbols=np.array([f"{600000 + i}.SH" for i in range(n)]),
        score=np.where(buyable, g.standard_normal(n), 0.0),
        previous=previous,
        benchmark=benchmark,
        frozen=is_frozen,
        buyable=buyable,
        member=member,
        industry=industry,
        styles={s: g.standard_normal(n) + (member if s == "SIZE" else 0.0) for s in styles},
        first=first,
        previous_target=None if first else 0.995 * benchmark,
    )


def with_risk(r: Rebalance, seed: int, strength: float = 1.0) -> Rebalance:
    """The same with a forecast: the market, industries and styles vary together, names by 20 to 60 % a year beyond."""
    g = np.random.default_rng(seed)
    groups = int(r.industry.max()) + 1
    names = ("market", *(f"industry {k}" for k in range(groups)), "unknown", *r.styles)
    scale = strength * np.array([0.2, *[0.1] * (groups + 1), *[0.05] * len(r.styles)])
    mixing = np.eye(len(names)) + 0.2 * g.standard_normal((len(names), len(names)))
    covariance = scale[:, None] * (mixing @ mixing.T) * scale
    deviation = strength * g.uniform(0.2, 0.6, len(r))
    return replace(r, risk=Forecast.of(names, covariance, deviation, r.industry, r.styles))
