"""Groups as a table, and equal scores shared out by the book: what a name gets on average over all orders of equals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepfactor.evaluation.membership import Members


def table(members: Members, portfolios: int, names: int) -> np.ndarray:
    """(G, N) share of each name in each portfolio."""
    out = np.zeros((portfolios, names))
    out[members.portfolios, members.names] = members.shares
    return out


def numbers(members: Members, names: int) -> np.ndarray:
    """(N,) the group of each name, −1 = none; no name may be shared."""
    assert (members.shares == 1).all()
    out = np.full(names, -1)
    out[members.names] = members.portfolios
    return out


def shared_by_hand(
    scores: dict[int, float], groups: int, group_of: Callable[[int, int], int]
) -> list[dict[int, float]]:
    """{name: share} a group, out of {name: score}: place k of m goes to ``group_of(k, m)`` (−1 = none), and equals
    share their places."""
    ranked = sorted(scores.values())
    places: dict[float, list[int]] = {}
    for k, value in enumerate(ranked):
        places.setdefault(value, []).append(group_of(k, len(ranked)))
    out: list[dict[int, float]] = [{} for _ in range(groups)]
    for name, value in scores.items():
        for group in set(places[value]) - {-1}:
            out[group][name] = places[value].count(group) / len(places[value])
    return out
