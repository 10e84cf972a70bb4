"""How a factor stands to style sets: its correlation with each style, and what is left of it without them.

What is left is compared with the raw score over the very same names: a name without an exposure stays in, with the
exposure that the index enhancer would give it (`styles.completion`), counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Indices, Int16
from deepfactor.cross_section.correlation import pearson_rows
from deepfactor.cross_section.regression import neutralise_rows
from deepfactor.cross_section.rows import blocks
from deepfactor.evaluation.records import ResidualRecord, StyleCorrelation
from deepfactor.evaluation.series import Case, ICSeries, entry_prices, fill_cases
from deepfactor.evaluation.settings import TestSettings
from deepfactor.evaluation.statistics import mean_of, share, summarise
from deepfactor.evaluation.window import Window, take_columns
from deepfactor.styles.base import ExposuresByStyle, Styles
from deepfactor.styles.completion import complete_exposures


@dataclass(frozen=True)
class StyleTest:
    """A factor beside one style set.

    Attributes
    ----------
    name : of the set
    correlation : {style: (S,) daily Pearson correlation over the test's first universe}
    residual : daily coefficients of the score's residual on the set's styles and the industries
    raw : for each of them, the RankICs (K,) of the score itself over the same names; NaN on days without a residual
    filled : {universe: share of its scores, by name and day, with at least one exposure filled in}
    absent : {style: why the market can't have it}
    dropped : count a reason
    """

    name: str
    correlation: Mapping[str, Float64]
    residual: tuple[ICSeries, ...]
    raw: tuple[Float64, ...]
    filled: Mapping[str, float]
    absent: Mapping[str, str]
    dropped: Mapping[str, int]

    def correlations(self) -> dict[str, StyleCorrelation]:
        """{style: mean over the days, and the last day that has one}."""
        result: dict[str, StyleCorrelation] = {}
        for style, series in self.correlation.items():
            present = series[np.isfinite(series)]
            result[style] = {"mean": mean_of(series), "last": float(present[-1]) if len(present) else np.nan}
        return result

    def residual_records(self) -> list[ResidualRecord]:
        """Entries of `residual_ic`; the samples are daily, so the t's lag is horizon − 1. `names`: mean over the days
        with a coefficient."""
        return [
            {
                "set": self.name,
                "universe": one.universe,
                "convention": one.convention,
                "horizon": one.horizon,
                "rank_ic": summarise(one.values.rank_ic, one.horizon - 1).record(),
                "raw_rank_ic": summarise(raw, one.horizon - 1).record(),
                "names": mean_of(np.where(np.isfinite(one.values.rank_ic), one.values.n, np.nan)),
                "filled": self.filled[one.universe],
            }
            for one, raw in zip(self.residual, self.raw, strict=True)
        ]


def compare_with_styles(
    window: Window, settings: TestSettings, styles: Iterable[tuple[str, Styles]], raw: Sequence[ICSeries]
) -> tuple[StyleTest, ...]:
    """The factor beside each set that the market supports; a set is let go before the next is asked for.

    `raw` : the coefficients of the scores themselves, of the same cases
    """
    tests = []
    plain = {(one.universe, one.convention, one.horizon): one for one in raw if one.names == "all"}
    for name, one in styles:
        beside = _beside(window, settings, one)
        absent = one.absent
        del one  # a gigabyte on a market of 5000 stocks × 3000 days
        scored = {u: int((window.names(u) & np.isfinite(window.scores)).sum()) for u in beside.residuals}
        dropped = {
            f"scores_without_styles.{name}.{universe}": scored[universe] - int(np.isfinite(residual).sum())
            for universe, residual in beside.residuals.items()
        }
        dropped |= {f"{what.replace('.', f'.{name}.', 1)}": n for what, n in beside.counts.items()}
        residual = _residual_series(window, settings, beside.residuals)
        tests.append(
            StyleTest(
                name,
                beside.correlation,
                residual,
                tuple(_same_names(plain[r.universe, r.convention, r.horizon], r) for r in residual),
                {universe: share(n, scored[universe]) for universe, n in beside.filled.items()},
                absent,
                dropped,
            )
        )
    return tuple(tests)


def _same_names(raw: ICSeries, residual: ICSeries) -> Float64:
    """RankICs of the score on the days on which there is a residual, which is then of all the score's names."""
    same = np.isfinite(residual.values.rank_ic) & (residual.values.n == raw.values.n)
    return np.where(same, raw.values.rank_ic, np.nan)


@dataclass(frozen=True)
class _Beside:
    """{style: (S,) daily correlation}; {universe: (S, M) residual of the score}, empty without styles; scores with a
    filled exposure by universe; counts of filled exposures by style."""

    correlation: dict[str, Float64]
    residuals: dict[str, Float64]
    filled: Counter[str]
    counts: Counter[str]


def _beside(window: Window, settings: TestSettings, styles: Styles) -> _Beside:
    """All of a set's days, block by block."""
    masks = {universe: window.names(universe) for universe in settings.universes if styles.exposures}
    first, scored = window.names(settings.universes[0]), np.isfinite(window.scores)
    beside = _Beside(
        {style: np.full(len(first), np.nan) for style in styles.exposures},
        {universe: np.full(window.scores.shape, np.nan) for universe in masks},
        Counter(dict.fromkeys(masks, 0)),
        Counter(),
    )
    for rows in blocks(*window.scores.shape):
        there = slice(window.rows.start + rows.start, window.rows.start + rows.stop)
        whole = styles.of_days(there)
        exposures = {style: take_columns(values, window.columns) for style, values in whole.items()}
        for style, values in exposures.items():
            beside.correlation[style][rows] = pearson_rows(window.scores[rows], values, first[rows])
        if not masks:
            continue
        wanted = scored[rows] & np.logical_or.reduce([mask[rows] for mask in masks.values()])
        gaps = np.logical_or.reduce([np.isnan(values) for values in exposures.values()]) & wanted
        completed = _completed(whole, wanted, window.columns, window.industry[rows], beside.counts)
        for universe, mask in masks.items():
            beside.filled[universe] += int((gaps & mask[rows]).sum())
            beside.residuals[universe][rows] = neutralise_rows(
                window.scores[rows], mask[rows], [*completed.values()], window.universe.industry[rows]
            )
    return beside


def _completed(
    whole: ExposuresByStyle, wanted: Bools, columns: Indices, industry: Int16, counts: Counter[str]
) -> dict[str, Float64]:
    """Exposures (B, M) of the `wanted` names without gaps, NaN elsewhere; what was filled in is added to `counts`.

    `whole` : (B, N) of all the market's names, of which `columns` (M,) are ours
    """
    out = {style: np.full(wanted.shape, np.nan) for style in whole}
    for day, names in enumerate(wanted):
        at = np.flatnonzero(names)
        if len(at):
            own, filled = complete_exposures(whole, day, columns[at], industry[day])
            counts.update(filled)
            for style, values in own.items():
                out[style][day, at] = values
    return out


def _residual_series(window: Window, settings: TestSettings, residuals: Mapping[str, Float64]) -> tuple[ICSeries, ...]:
    prices = entry_prices(window, settings)
    series: list[ICSeries] = []
    for universe, residual in residuals.items():
        cases = [
            Case.empty(universe, convention, horizon, len(residual), kinds=("all",), leg=False)
            for convention in settings.conventions
            for horizon in settings.horizons
        ]
        fill_cases(cases, residual, np.isfinite(residual), prices, {}, settings)
        series += [one for case in cases for one in case.series(window)]
    return tuple(series)
