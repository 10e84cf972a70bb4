"""Who belongs to a group or a top portfolio, and with what share: equal scores are shared out, never ordered.

An edge between two groups that lies within equal scores takes its part of each of the names: of five equals of which
two places are below the edge, each belongs to the lower group by 2/5 and to the upper one by 3/5. So no result depends
on the names' codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Indices, Int32
from deepfactor.cross_section.sorting import ranked


@dataclass(frozen=True)
class Members:
    """Names of portfolios, with the share of each that belongs to one; (K,) each.

    Attributes
    ----------
    portfolios : 0 … G − 1
    names : columns; one that is shared is there once a portfolio
    shares : 1 = the whole name; of a group they sum to its size
    scored, shared : names with a score, and those of them that are shared
    cut : (E,) bool
        of each edge between portfolios, whether it lies within equal scores
    """

    portfolios: Indices
    names: Indices
    shares: Float64
    scored: int
    shared: int
    cut: Bools


def decides(score: Floats) -> bool:
    """Whether a score (N,) tells any two names apart; one name alone needs no telling."""
    finite = score[np.isfinite(score)]
    return len(finite) == 1 or bool(len(finite) and finite.min() < finite.max())


def assign_groups(score: Floats, n: int, order: Int32 | None = None) -> Members:
    """Groups 0 … n − 1 by ascending score, of sizes that differ by at most one; by name, then group.

    `score` : (N,), at least `n` of them finite. `order`: see `ranked`.
    """
    names = ranked(score, order)
    m = len(names)
    group = np.arange(m) * n // max(m, 1)
    firsts = -(-np.arange(1, n) * m // n)  # the place of each group's first name but the lowest group's
    value = score[names]
    cut = value[firsts - 1] == value[firsts]
    if not cut.any():
        of = np.full(len(score), -1, dtype=np.intp)
        of[names] = group
        columns = np.flatnonzero(of >= 0)
        return Members(of[columns], columns, np.ones(m), m, 0, cut)
    parts, shared = [], 0
    whole = np.ones(m, np.bool_)
    for first, stop in _runs(value, value[firsts[cut]]):
        whole[first:stop] = False
        shared += stop - first
        sizes = np.bincount(group[first:stop] - group[first])
        parts += [
            (np.full(stop - first, group[first] + k), names[first:stop], np.full(stop - first, size / (stop - first)))
            for k, size in enumerate(sizes)
        ]
    parts.append((group[whole], names[whole], np.ones(int(whole.sum()))))
    groups, columns, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
    at = np.lexsort((groups, columns))
    return Members(groups[at], columns[at], shares[at], m, shared, cut)


def best(score: Floats, sizes: Iterable[int], order: Int32 | None = None) -> Members:
    """Portfolio k takes the k-th of `sizes` highest of the finite scores (N,), all where there are fewer; by portfolio,
    then name. `order`: see `ranked`."""
    names = ranked(score, order)
    value, m = score[names], len(names)
    taken, cut, shared = [], [], np.zeros(m, np.bool_)
    for size in sizes:
        share = np.zeros(len(score))
        first = max(m - size, 0)
        share[names[first:]] = 1.0
        cut.append(bool(0 < first < m and value[first - 1] == value[first]))
        if cut[-1]:
            ((start, stop),) = _runs(value, value[first : first + 1])
            share[names[start:stop]] = (stop - first) / (stop - start)
            shared[start:stop] = True
        taken.append(share)
    table = np.array(taken)
    portfolios, columns = np.nonzero(table)
    return Members(portfolios, columns, table[portfolios, columns], m, int(shared.sum()), np.array(cut))


def _runs(value: Floats, of: Floats) -> list[tuple[int, int]]:
    """Where the ascending `value` is each of the numbers `of`: first place and the one behind the last; each once."""
    different = np.unique(of)
    first, stop = (np.searchsorted(value, different, side=side) for side in ("left", "right"))
    return list(zip(first.tolist(), stop.tolist(), strict=True))
