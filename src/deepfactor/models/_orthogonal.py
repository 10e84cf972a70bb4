"""The orthogonal layer of Study A: the day's 32 deep factors made mutually uncorrelated, from that day alone.

Factors are centred over the stocks and, if asked, freed of given exposures by least squares. Then F <- F L^-T with
L L' = F'F / b, which gives every factor unit variance and zero correlation with the others. That is Gram-Schmidt in the
factors' order, so it doesn't see a factor's own (positive) scale: factors are scaled to unit variance first, and the
ridge that keeps the training stable is relative to it. All in float64; results in the input's type.
"""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 1e-4
"""Added to the unit variances in training, where collinear factors must not blow up the gradient."""

LEAST_STOCKS = 64
"""Below, a day has no orthogonal factors."""

_LEFT = 1e-6
"""A factor of which the others (and the exposures) leave no more than this share is float32's rounding, no factor."""


def whitened(raw: Tensor, exposures: Tensor | None = None) -> Tensor:
    """Factors (b, n) of unit variance and next to no correlation, for training and scores: finite on every day.

    A factor that is the same for all stocks becomes 0.

    Parameters
    ----------
    raw
        (b, n).
    exposures
        (b, c) to be projected out, constants to the gradient.
    """
    free = _freed(raw, exposures)
    variance = free.square().mean(dim=0)
    varies = variance > _LEFT**2 * raw.detach().double().square().mean(dim=0)
    unit = torch.where(varies, free * torch.where(varies, variance, 1.0).rsqrt(), 0.0)
    identity = torch.eye(raw.shape[1], dtype=unit.dtype, device=unit.device)
    covariance = unit.t() @ unit / len(unit) + RIDGE * identity
    return _solved(unit, torch.linalg.cholesky(covariance)).to(raw.dtype)


def orthogonal(raw: Tensor, exposures: Tensor | None = None) -> Tensor | None:
    """Exactly uncorrelated factors (b, n) of unit variance, uncorrelated with `exposures`; by QR, without a ridge.

    Returns
    -------
    Tensor or None
        None on a day without output: fewer than `LEAST_STOCKS` stocks, or factors that depend on each other or on the
        exposures. The caller counts such days.
    """
    if len(raw) < LEAST_STOCKS:
        return None
    free = _freed(raw, exposures)
    q, r = torch.linalg.qr(free)
    left = r.diagonal()
    if not bool((left.abs() > _LEFT * raw.double().norm(dim=0)).all()):
        return None
    factors: Tensor = (q * left.sign() * len(raw) ** 0.5).to(raw.dtype)
    return factors


def _freed(raw: Tensor, exposures: Tensor | None) -> Tensor:
    """`raw` in float64, centred over the stocks and without what `exposures` explain."""
    centred = raw.double() - raw.double().mean(dim=0)
    if exposures is None:
        return centred
    basis = _basis(exposures)
    return centred - basis @ (basis.t() @ centred)


@torch.no_grad()
def _basis(exposures: Tensor) -> Tensor:
    """Orthonormal basis (b, r) of the centred exposures (b, c); dummies that add up, or are empty, count once."""
    u, s, _ = torch.linalg.svd(exposures.double() - exposures.double().mean(dim=0), full_matrices=False)
    basis: Tensor = u[:, s > 1e-9 * s.max()]
    return basis


def _solved(factors: Tensor, lower: Tensor) -> Tensor:
    """F L^-T."""
    solved: Tensor = torch.linalg.solve_triangular(lower, factors.t(), upper=False).t()
    return solved
