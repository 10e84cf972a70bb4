"""A peer of the optimiser under a limit on the tracking error: QOCO on weights and trades, apart from the product.

QOCO (Chari, Açıkmeşe, 2025) is an interior point of its own, beside Clarabel, which the product calls. Up to `DENSE`
names the cone is the Cholesky factor of the names' whole covariance matrix, beyond that the factors and what they
leave: the matrix alone would fill the machine's memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import qoco
from scipy import sparse

from deepfactor.core.arrays import Float64
from deepfactor.risk.forecast import Forecast

from .linear_program import Peer

#: Names up to which the covariance is one dense matrix.
DENSE = 520
#: Of QOCO: feasibility and gap.
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Answer:
    """QOCO's objective (or least tracking error), weights (n,), the largest limit broken, and how it ended."""

    objective: float
    weights: Float64
    violation: float
    status: str

    @property
    def solved(self) -> bool:
        """Whether it says so itself, also where it fell short of its own tolerance."""
        return self.status in ("QOCO_SOLVED", "QOCO_SOLVED_INACCURATE")


def best_score(peer: Peer, limit: float, invested: float = 0.995) -> Answer:
    """The best score with a tracking error of at most `limit`; the rest as the peer's rows and box say."""
    return _solve(peer, limit, invested)


def least_tracking_error(peer: Peer, invested: float = 0.995) -> Answer:
    """The least tracking error that the peer's rows and box admit."""
    return _solve(peer, None, invested)


def _solve(peer: Peer, limit: float | None, invested: float) -> Answer:
    """Columns: w, t, active exposures, the deviation of each block of rows of R, the tracking error. QOCO fills the
    square of a cone, so that one of 5,000 rows is out of its reach; the norm of the blocks' norms is the same limit."""
    r, n = peer.r, len(peer.r)
    assert r.risk is not None
    exposures, root = _root(r.risk)
    k, reference = exposures.shape[0], invested * r.benchmark
    blocks = np.array_split(np.arange(root.shape[0]), int(np.ceil(np.sqrt(root.shape[0]))))
    first = 2 * n + k
    columns = first + len(blocks) + 1
    low, high = np.array(peer.box).T
    stuck, eye = high - low < 1e-12, sparse.eye_array(n, format="csr")

    def over(weights: Any, trades: Any = None, exposed: Any = None) -> sparse.csr_array:
        height = weights.shape[0]
        trades = sparse.csr_array((height, n)) if trades is None else trades
        exposed = sparse.csr_array((height, k)) if exposed is None else exposed
        rest = sparse.csr_array((height, columns - first))
        return sparse.csr_array(sparse.hstack([weights, trades, exposed, rest], format="csr"))

    equal = sparse.vstack(
        [
            over(sparse.csr_array(np.ones((1, n)))),
            over(eye[stuck]),
            over(exposures, exposed=-sparse.eye_array(k, format="csr")),
        ],
        format="csc",
    )
    right = np.concatenate([[invested], low[stuck], exposures @ reference])
    rows = sparse.csr_array(np.array(peer.rows).reshape(-1, 2 * n))
    inside = [over(eye[~stuck]), over(-eye[~stuck]), over(eye, -eye), over(-eye, -eye), over(rows[:, :n], rows[:, n:])]
    below = [high[~stuck], -low[~stuck], peer.origin, -peer.origin, np.array(peer.upper)]
    if limit is not None:
        inside.append(_unit(columns, [columns - 1]))
        below.append(np.array([limit]))
    cones, sizes, centre = [], [], root[:, :n] @ reference
    for j, block in enumerate(blocks):
        cones += [-_unit(columns, [first + j]), over(-root[block, :n], exposed=-root[block, n:])]
        sizes.append(1 + len(block))
        below += [np.zeros(1), -centre[block]]
    cones.append(-_unit(columns, [columns - 1, *range(first, columns - 1)]))
    sizes.append(1 + len(blocks))
    below.append(np.zeros(sizes[-1]))
    linear = sum(x.shape[0] for x in inside)
    left = sparse.vstack([*inside, *cones], format="csc")
    cost = np.concatenate([-r.score, np.zeros(columns - n)]) if limit is not None else np.zeros(columns)
    cost[-1] = float(limit is None)
    x, status = _run(cost, equal, right, left, np.concatenate(below), linear, sizes)
    w = x[:n]
    broken = [left[:linear] @ x - np.concatenate(below)[:linear], np.abs(equal @ x - right)]
    if limit is not None:
        broken.append(np.array([r.risk.tracking_error(w - reference) - limit]))
    worst = max(float(np.max(one, initial=0.0)) for one in broken)
    return Answer(float(r.score @ w if limit is not None else x[-1]), w, worst, status)


def _run(
    cost: Float64, equal: Any, budget: Float64, left: Any, right: Float64, linear: int, sizes: list[int]
) -> tuple[Float64, str]:
    solver = qoco.QOCO()
    solver.setup(
        len(cost), len(right), len(budget), None, cost, _narrow(equal), budget, _narrow(left), right,
        linear, len(sizes), np.array(sizes), abstol=_TOLERANCE, reltol=_TOLERANCE, max_iters=200,
    )  # fmt: skip
    answer = solver.solve()
    return np.asarray(answer.x, dtype=np.float64), str(answer.status)


def _narrow(matrix: Any) -> sparse.csc_array:
    """By columns, with the indices of 32 bits that QOCO takes."""
    out = sparse.csc_array(matrix)
    out.sort_indices()
    return sparse.csc_array((out.data, out.indices.astype(np.int32), out.indptr.astype(np.int32)), shape=out.shape)


def _unit(columns: int, at: list[int]) -> sparse.csr_array:
    """A row for each of `at`, 1 in that column."""
    return sparse.csr_array((np.ones(len(at)), (np.arange(len(at)), at)), shape=(len(at), columns))


def _root(forecast: Forecast) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Exposures X (k, n) of columns of their own, and R (m, n + k) with ‖R (a, X a)‖² = the variance of weights a:
    Cholesky's factor of the whole covariance, k = 0; or the factors' root over what they leave."""
    n = len(forecast.specific)
    if n <= DENSE:
        dense = forecast.exposures.T @ forecast.covariance @ forecast.exposures + np.diag(forecast.specific)
        return sparse.csr_array((0, n)), sparse.csr_array(np.linalg.cholesky(dense).T)
    factors = np.linalg.cholesky(forecast.covariance + 1e-14 * np.eye(len(forecast.covariance))).T
    own = sparse.diags_array(np.sqrt(forecast.specific))
    return sparse.csr_array(forecast.exposures), sparse.csr_array(sparse.block_array([[None, factors], [own, None]]))
