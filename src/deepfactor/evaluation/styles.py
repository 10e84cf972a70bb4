"""How a factor stands to style sets: its correlation with each style, and what is left of it without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfactor.evaluation.ic import blocks, pearson
from deepfactor.evaluation.series import Case, ICSeries, entry_prices, fill_cases
from deepfactor.evaluation.settings import TestSettings
from deepfactor.evaluation.sorting import Array
from deepfactor.evaluation.statistics import mean_of, summarise
from deepfactor.evaluation.window import Window
from deepfactor.panel.panel import Bools, Floats
from deepfactor.panel.returns import PriceField
from deepfactor.styles.base import Styles

#: A residual this small beside the score's deviations is rounding: nothing is left of the score.
_NOTHING = 1e-10


@dataclass(frozen=True)
class StyleTest:
    """A factor beside one style set.

    Attributes
    ----------
    name : of the set
    correlation : {style: (S,) daily Pearson correlation over the test's first universe}
    residual : daily coefficients of the score's residual on the set's styles and the industries
    absent : {style: why the market can't have it}
    dropped : count a reason
    """

    name: str
    correlation: Mapping[str, Array]
    residual: tuple[ICSeries, ...]
    absent: Mapping[str, str]
    dropped: Mapping[str, int]

    def correlations(self) -> dict[str, dict[str, float]]:
        """{style: mean over the days, and the last day that has one}."""
        result = {}
        for style, series in self.correlation.items():
            present = series[np.isfinite(series)]
            result[style] = {"mean": mean_of(series), "last": float(present[-1]) if len(present) else np.nan}
        return result

    def residual_records(self) -> list[dict[str, Any]]:
        """Entries of `residual_ic`; the samples are daily, so the t's lag is horizon − 1."""
        return [
            {
                "set": self.name,
                "universe": one.universe,
                "convention": one.convention,
                "horizon": one.horizon,
                "rank_ic": asdict(summarise(one.values.rank_ic, one.horizon - 1)),
            }
            for one in self.residual
        ]


def compare_with_styles(
    window: Window, settings: TestSettings, styles: Iterable[tuple[str, Styles]]
) -> tuple[StyleTest, ...]:
    """The factor beside each set that the market supports; a set is let go before the next is asked for."""
    prices = entry_prices(window, settings)
    return tuple(_one_set(window, settings, prices, name, found) for name, found in styles)


def _one_set(
    window: Window, settings: TestSettings, prices: Mapping[PriceField, Array], name: str, styles: Styles
) -> StyleTest:
    S = len(window.scores)
    masks = {universe: window.names(universe) for universe in settings.universes}
    first = masks[settings.universes[0]]
    correlation = {style: np.full(S, np.nan) for style in styles.exposures}
    residuals = {universe: np.full(window.scores.shape, np.nan) for universe in masks}
    for rows in blocks(S):
        there = slice(window.rows.start + rows.start, window.rows.start + rows.stop)
        exposures = {k: np.asarray(v[there])[:, window.columns] for k, v in styles.exposures.items()}
        for style, values in exposures.items():
            correlation[style][rows] = pearson(window.scores[rows], values, first[rows])
        for universe, mask in masks.items():
            residuals[universe][rows] = neutralise(
                window.scores[rows], mask[rows], exposures, window.universe.industry[rows]
            )
    residual = _residual_series(window, settings, prices, residuals) if styles.exposures else ()
    dropped = {
        f"scores_without_styles.{name}.{universe}": int(
            (mask & np.isfinite(window.scores)).sum() - np.isfinite(residuals[universe]).sum()
        )
        for universe, mask in masks.items()
        if styles.exposures
    }
    return StyleTest(name, correlation, residual, styles.absent, dropped)


def _residual_series(
    window: Window, settings: TestSettings, prices: Mapping[PriceField, Array], residuals: Mapping[str, Array]
) -> tuple[ICSeries, ...]:
    series: list[ICSeries] = []
    for universe, residual in residuals.items():
        cases = [
            Case.empty(universe, convention, horizon, len(residual), kinds=("all",))
            for convention in settings.conventions
            for horizon in settings.horizons
        ]
        fill_cases(cases, residual, prices, {universe: np.isfinite(residual)}, {}, settings)
        series += [one for case in cases for one in case.series(window)]
    return tuple(series)


def neutralise(
    scores: Floats, mask: Bools, exposures: Mapping[str, Floats], industry: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Residual of each row's least squares of the score on the exposures and industry dummies: (B, N).

    Over the names of `mask` with a score and every exposure; NaN elsewhere, and where nothing but rounding is left.
    Unknown industries (−1) are one. By Frisch–Waugh: score and exposures less their industry means, then regressed.
    """
    kept = mask & np.isfinite(scores)
    for values in exposures.values():
        kept &= np.isfinite(values)
    result = np.full(scores.shape, np.nan)
    for t in np.flatnonzero(kept.any(axis=1)):
        names = np.flatnonzero(kept[t])
        table = np.array([scores[t, names], *(values[t, names] for values in exposures.values())], dtype=np.float64)
        scale = np.abs(table[0] - table[0].mean()).max()
        table = _within(table, industry[t, names] + 1)
        y, x = table[0], table[1:]
        y = y - (np.linalg.pinv(x @ x.T, rcond=1e-12, hermitian=True) @ (x @ y)) @ x
        if np.abs(y).max() > _NOTHING * scale:
            result[t, names] = y
    return result


def _within(table: Array, code: NDArray[np.integer]) -> Array:
    """Rows of (k, n) less their means a code."""
    count = np.maximum(np.bincount(code), 1)
    means = np.array([np.bincount(code, row, minlength=len(count)) / count for row in table])
    return np.asarray(table - means[:, code])
