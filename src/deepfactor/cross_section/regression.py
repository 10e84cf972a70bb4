"""Least squares over the stocks of a day: what is left of values without groups (industries), size or factors.

Group dummies are swept out first (Frisch–Waugh), so that no system holds them. Where a result must be the same bit for
bit on every machine there are no matrix products: BLAS rounds by memory alignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Indices, Integers
from deepfactor.cross_section.plain_size import shift_of

#: A residual this small beside the values' deviations is rounding: nothing is left of them.
_NOTHING = 1e-10
#: Of a z-scored part's unit spread; below it there is rounding alone.
_LEAST_RESIDUAL = 1e-6


@dataclass(frozen=True)
class GroupLines:
    """Least squares of values on group dummies and one regressor: a line through each group's means, one slope.

    Attributes
    ----------
    level, centre : (G,)
        mean of the values and of the regressor; NaN for a group without a member.
    slope : within the groups; None without a regressor, or where it has no spread.
    """

    level: Float64
    centre: Float64
    slope: float | None

    @classmethod
    def of(cls, y: Float64, group: Indices, x: Float64 | None, groups: int = 0, least: float = 0.0) -> GroupLines:
        """Of finite y (m,), their groups (m,) 0 … G − 1, at least `groups`, and regressor x (m,), None = dummies alone.
        `least`: sum of squares within groups above which x has a spread."""
        n = np.bincount(group, minlength=groups)
        with np.errstate(invalid="ignore"):
            level = np.bincount(group, y, groups) / n
            centre = np.zeros(len(n)) if x is None else np.bincount(group, x, groups) / n
        if x is None:
            return cls(level, centre, None)
        within = x - centre[group]
        spread = float((within * within).sum())
        slope = float((within * (y - level[group])).sum()) / spread if spread > least else None
        return cls(level, centre, slope)

    def fitted(self, group: Indices, x: Float64) -> Float64:
        """Values on the lines; NaN in a group without one."""
        level: Float64 = self.level[group]
        return level if self.slope is None else level + self.slope * (x - self.centre[group])

    def residual(self, y: Float64, group: Indices, x: Float64 | None) -> Float64:
        """What the lines leave of the values that they were fitted to."""
        rest: Float64 = y - self.level[group]
        return rest if x is None or self.slope is None else rest - (x - self.centre[group]) * self.slope


def residual_on_groups(y: Float64, group: Indices, x: Float64 | None) -> Float64:
    """Residual of y (m,) on all group dummies and x (m,), None = dummies alone."""
    return GroupLines.of(y, group, x, least=1e-12).residual(y, group, x)


def merge_small(group: Integers, least: int) -> Indices:
    """Group codes 0 … k−1; unknown ones (−1) and groups of fewer than `least` members share one code."""
    _, code, count = np.unique(group, return_inverse=True, return_counts=True)
    small = (count[code] < least) | (group < 0)
    return np.unique(np.where(small, -1, code), return_inverse=True)[1]


@dataclass(frozen=True)
class WeightedFit:
    """Weighted least squares on group dummies and factors: `slopes` (K,) of the factors, `levels` (G,) of the groups,
    and which groups have a weight, `known` (G,)."""

    slopes: Float64
    levels: Float64
    known: Bools


def weighted_fit(y: Float64, factors: Float64, group: Indices, weight: Float64, groups: int) -> WeightedFit:
    """Of y (m,) on group dummies and factors (K, m), no NaN anywhere; no matrix products.

    A factor that the day's stocks can't tell from the others has the slope of least norm; a group without weight has
    level 0.
    """
    total = np.bincount(group, weight, groups)
    known = total > 0
    lines = np.vstack((factors, y))
    means = np.stack([np.bincount(group, weight * line, groups) for line in lines]) / np.where(known, total, 1.0)
    within = lines - means[:, group]
    gram = np.array([[(weight * a * b).sum() for b in within] for a in within[:-1]]).reshape(-1, len(lines))
    slopes = np.linalg.lstsq(gram[:, :-1], gram[:, -1], rcond=1e-10)[0] if len(factors) else np.zeros(0)
    levels = means[-1] - (slopes[:, None] * means[:-1]).sum(axis=0)
    return WeightedFit(slopes, levels, known)


def neutralise_rows(values: Floats, mask: Bools, factors: Sequence[Floats], group: Integers) -> Float64:
    """Residual of each row's least squares of the values on the factors and group dummies: (B, N).

    Over the names of `mask` with a value and every factor; NaN elsewhere, and where nothing but rounding is left.
    Unknown groups (−1) are one. In the values' unit, but values of extreme size in plain size (`shift_of`). Products by
    BLAS: a factor test takes thousands of days with a dozen factors.
    """
    lines = np.array([values, *factors], dtype=np.float64)
    kept = mask & np.isfinite(lines).all(axis=0)
    places = np.flatnonzero(kept)
    table = np.take(lines.reshape(len(lines), -1), places, axis=1)
    stops = np.cumsum(np.count_nonzero(kept, axis=1))
    days = [slice(*ends) for ends in zip([0, *stops], stops, strict=False) if ends[0] < ends[1]]
    shift = shift_of(np.array([np.abs(table[0, day]).max() for day in days]))
    if shift.any():
        table[0] = np.ldexp(table[0], np.repeat(shift, [day.stop - day.start for day in days]))
    scales = [np.abs(table[0, day] - table[0, day].mean()).max() for day in days]
    _take_out_means(table, (places // kept.shape[1]) * (group.max(initial=0) + 2) + np.take(group, places) + 1)
    grams = np.array([table[1:, day] @ table[1:, day].T for day in days])
    inverses = np.linalg.pinv(grams, rcond=1e-12, hermitian=True) if days else grams
    for day, scale, inverse in zip(days, scales, inverses, strict=True):
        y, x = table[0, day], table[1:, day]
        y -= (inverse @ (x @ y)) @ x
        if np.abs(y).max() <= _NOTHING * scale:
            y[:] = np.nan
    result = np.full(values.shape, np.nan)
    result.ravel()[places] = table[0]
    return result


def _take_out_means(table: Float64, code: Integers) -> None:
    """Rows of (k, n) less their means a code."""
    count = np.maximum(np.bincount(code), 1)
    for row in table:
        row -= np.take(np.bincount(code, row, len(count)) / count, code)


def residual_rows(y: Float64, on: Sequence[Float64], weight: Float64 | None = None) -> Float64:
    """Residual of each row's least squares of `y` on an intercept and the rows of `on`; NaN where any is missing.

    Parameters
    ----------
    weight : regression weights (≥ 0), None = equal. Regressors without spread are dropped by the pseudo-inverse.

    A row with no more stocks than coefficients is NaN: its residual would be zero whatever `y` is.
    """
    known = np.isfinite(y)
    for regressor in on:
        known &= np.isfinite(regressor)
    if weight is not None:
        known &= np.isfinite(weight)
    w = known.astype(np.float64) if weight is None else np.where(known, weight, 0.0)
    design = [np.ones(y.shape), *(np.where(known, regressor, 0.0) for regressor in on)]
    rest = np.where(known, y, 0.0)
    gram = np.array([[(w * a * b).sum(axis=1) for b in design] for a in design]).transpose(2, 0, 1)
    moment = np.array([(w * a * rest).sum(axis=1) for a in design]).T
    coefficient = (np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ moment[:, :, None])[:, :, 0]
    for a, b in zip(design, coefficient.T, strict=True):
        rest = rest - b[:, None] * a
    enough = known.sum(axis=1, keepdims=True) > len(design)
    return np.where(known & enough, rest, np.nan)


def orthogonalise_in_turn(parts: Sequence[Float64], common: Bools) -> tuple[list[Float64], Indices]:
    """Z-scored `parts` (T, N) over `common`, each less its regression on the earlier ones of the day, z-scored.

    Returns
    -------
    the residuals, 0 where the earlier ones span a part; and the number of such days a part.
    """
    count = np.maximum(common.sum(axis=1, keepdims=True), 1)
    kept: list[Float64] = []
    spanned = []
    for part in parts:
        residual = np.where(common, part, 0.0)
        for earlier in kept:  # each of unit variance and orthogonal to the others
            residual = residual - earlier * ((earlier * residual).sum(axis=1, keepdims=True) / count)
        spread = np.sqrt((residual * residual).sum(axis=1, keepdims=True) / count)
        flat = spread < _LEAST_RESIDUAL
        kept.append(np.where(flat, 0.0, residual / np.where(flat, 1.0, spread)))
        spanned.append(int((flat[:, 0] & common.any(axis=1)).sum()))
    return [np.where(common, part, np.nan) for part in kept], np.array(spanned, np.intp)
