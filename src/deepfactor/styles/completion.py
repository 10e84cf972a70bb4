"""Style exposures of a day with the missing ones filled in, counted."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64, Indices, Int16
from deepfactor.cross_section.clipping import median
from deepfactor.cross_section.regression import GroupLines
from deepfactor.styles.base import StylesByDay

#: The style that the others are regressed on, beside industry.
SIZE = "SIZE"


def complete_exposures(
    styles: StylesByDay, row: int, names: Indices, industry: Int16
) -> tuple[dict[str, Float64], dict[str, int]]:
    """Exposures of `names` on day `row`, without gaps.

    A missing exposure becomes the fitted value of the day's cross-sectional regression of that style on industry
    dummies and `SIZE`, over all stocks that have the three; where industry or size is missing too, and for `SIZE`
    itself, the day's median.

    Parameters
    ----------
    styles : mapping of name to (T, N)
        NaN = missing.
    names : (n,) columns of those wanted
    industry : (N,) of the day, −1 = none known

    Returns
    -------
    exposures : mapping of name to (n,)
    counts : mapping
        ``missing_exposures.<style>`` and, of these, ``median_exposures.<style>``; zeros left out.
    """
    size = np.asarray(styles[SIZE][row], dtype=np.float64) if SIZE in styles else None
    exposures, counts = {}, {}
    for style, values in styles.items():
        day = np.asarray(values[row], dtype=np.float64)
        own = day[names]
        missing = np.isnan(own)
        if missing.any():
            own = own.copy()
            gaps = names[missing]
            fitted = np.full(len(gaps), np.nan)
            if size is not None and style != SIZE:
                fitted = _fit_on_industry_and_size(day, industry.astype(np.intp), size)[gaps]
            unfitted = np.isnan(fitted)
            own[missing] = np.where(unfitted, _median(day), fitted)
            counts[f"missing_exposures.{style}"] = int(missing.sum())
            counts[f"median_exposures.{style}"] = int(unfitted.sum())
        exposures[style] = own
    return exposures, {name: count for name, count in counts.items() if count}


def _median(day: Float64) -> float:
    """Median over what is known; 0, the mean of a z-score, where nothing is."""
    known = day[np.isfinite(day)]
    return median(known) if len(known) else 0.0


def _fit_on_industry_and_size(day: Float64, industry: Indices, size: Float64) -> Float64:
    """Fitted values (N,) of OLS of `day` on industry dummies and size; NaN where industry or size isn't known.

    An industry without a known exposure has no line: NaN.
    """
    placed = (industry >= 0) & np.isfinite(size)
    used = placed & np.isfinite(day)
    if not used.any():
        return np.full(len(day), np.nan)
    lines = GroupLines.of(day[used], industry[used], size[used], int(industry.max()) + 1)
    out = np.full(len(day), np.nan)
    out[placed] = lines.fitted(industry[placed], size[placed])
    return out
