"""A factor out of several: equally weighted, weighted by what they were worth lately, or made orthogonal first.

A name is scored on a day on which every factor scores it; what that leaves out is counted. Over these names each
factor's scores are z-scored, or ranked and z-scored (``standard = "rank"``).

* ``equal``: their mean.
* ``ic_weighted``: weights of day t in proportion to each factor's mean RankIC over the days t − reach − window …
  t − reach − 1, whose returns all ended before t (reach = days from a score to the exit of its return). A factor
  promises that higher is better: one whose mean is negative, or that has fewer than `min_days` RankICs, weighs nothing.
  A day on which none weighs anything has no scores.
* ``orthogonalised``: each factor is regressed per day on the earlier ones in the given order, its residual z-scored and
  weighted like ``ic_weighted``, by the residuals' own RankICs. A factor that the earlier ones span adds nothing on that
  day, and the day is counted.
* ``top_weighted``: weights of a calendar year in proportion to how far the returns of each factor's best tenth lay
  above the mean of all, over the days of the year before whose returns ended before the year; with an `index` inside
  it: tenth and mean are of its members. Where the year before has fewer than `min_days` such days, or none is above 0,
  all weigh alike. Of rolling folds of a year that is the fold's validation year, scored by the fold before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from deepfactor.core.arrays import Bools, Dates, Float64, Floats
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.core.words import Sentence
from deepfactor.cross_section.plain_size import constant_rows
from deepfactor.cross_section.ranks import average_rank
from deepfactor.cross_section.regression import orthogonalise_in_turn
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.evaluation.statistics import years_of
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import MOST_DAYS, Convention, entry, forward_return
from deepfactor.panel.scores import Scores

Method = Literal["equal", "ic_weighted", "orthogonalised", "top_weighted"]
Standard = Literal["zscore", "rank"]

_NOT_SCORED = Sentence("not_scored_by_{factor}", "{factor}未评分的股票")
_EQUAL_SCORES = Sentence("days_of_equal_scores_{factor}", "{factor}全部得分相同的日期")
_MIN_NAMES = 10  # a day with fewer pairs of score and return has no RankIC
_TENTH = 0.1


class CombinationSettings(Spec):
    """How factors become one; what follows `standard` is for weights by what factors were worth."""

    method: Method = Field(default="equal", description="equal, ic_weighted, orthogonalised or top_weighted")
    standard: Standard = Field(default="zscore", description="a day's scores of a factor z-scored, or ranked first")
    index: str | None = Field(default=None, description="top_weighted: the index inside which tops are taken")
    horizon: int = Field(default=10, ge=1, le=MOST_DAYS, description="trading days of the RankICs' returns")
    convention: Convention = Field(default="t1_close", description="entry and exit of the RankICs' returns")
    window: int = Field(default=240, ge=1, le=10_000, description="trading days whose RankICs make a day's weights")
    min_days: int = Field(default=60, ge=1, le=10_000, description="a factor with fewer RankICs there weighs nothing")

    @property
    def reach(self) -> int:
        """Days from a score to the exit of its return."""
        return entry(self.convention)[0] + self.horizon

    @model_validator(mode="after")
    def _enough_days(self) -> CombinationSettings:
        if self.min_days > self.window:
            raise ValueError(f"min_days {self.min_days} of a window of {self.window} days: take a longer window")
        if self.index is not None and self.method != "top_weighted":
            raise ValueError(f'an index is for method = "top_weighted", not {self.method!r}')
        return self


@dataclass(frozen=True)
class CombinedFactor:
    """The factor and how it came about.

    Attributes
    ----------
    scores : Scores
        `dropped` counts days and stock-days without a score, by reason.
    weights : (T, K) float64
        of the factors `names`; NaN on days without scores.
    """

    scores: Scores
    names: tuple[str, ...]
    weights: Float64

    def mean_weights(self) -> dict[str, float | None]:
        """Mean weight of each factor over the scored days; None without any."""
        return self._mean(np.isfinite(self.weights[:, 0]))

    def weights_by_year(self) -> dict[str, dict[str, float | None]]:
        """The same by calendar year."""
        scored, years = np.isfinite(self.weights[:, 0]), years_of(self.scores.dates)
        return {str(year): self._mean(scored & (years == year)) for year in np.unique(years[scored])}

    def _mean(self, days: Bools) -> dict[str, float | None]:
        if not days.any():
            return dict.fromkeys(self.names)
        return {name: float(mean) for name, mean in zip(self.names, self.weights[days].mean(axis=0), strict=True)}


def combine_factors(
    factors: Mapping[str, Scores],
    panel: Panel,
    settings: CombinationSettings,
    name: str = "combination",
    members: Bools | None = None,
) -> CombinedFactor:
    """One factor out of at least two, in their order. `members` (T, N) are those of the settings' `index`.

    Raises
    ------
    DataError
        fewer than two factors, one that isn't aligned with `panel`, or no name that all of them score.
    """
    if len(factors) < 2:
        raise DataError(f"a combination takes at least two factors, got {len(factors)}: {', '.join(factors) or 'none'}")
    for key, scores in factors.items():
        if scores.values.shape != panel.shape:
            raise DataError(f"factor {key!r} of shape {scores.values.shape} doesn't fit the market's {panel.shape}")
    scored = {key: np.isfinite(scores.values) for key, scores in factors.items()}
    common, some = np.logical_and.reduce(list(scored.values())), np.logical_or.reduce(list(scored.values()))
    if not common.any():
        raise DataError(f"no name has a score of all of {', '.join(factors)} on any day")
    parts = [standardised(scores.values, common, settings.standard) for scores in factors.values()]
    dropped = {_NOT_SCORED.format(factor=key): int((some & ~own).sum()) for key, own in scored.items()}
    dropped["days_not_scored_by_all"] = int((some.any(axis=1) & ~common.any(axis=1)).sum())
    several = common.sum(axis=1) > 1
    for key, scores in factors.items():  # a factor that tells no two names apart adds nothing to the day
        dropped[_EQUAL_SCORES.format(factor=key)] = int((several & constant_rows(scores.values, common)).sum())
    if settings.method == "orthogonalised":
        parts, spanned = orthogonalise_in_turn(parts, common)
        dropped |= {f"days_spanned_{key}": int(days) for key, days in zip(factors, spanned, strict=True)}
    days = common.any(axis=1)
    if settings.method == "equal":
        weights = np.where(days[:, None], np.full((len(days), len(parts)), 1 / len(parts)), np.nan)
    elif settings.method == "top_weighted":
        inside = common if members is None else common & members
        weights = yearly_weights(top_tenths(parts, inside, panel, settings), panel.dates, settings)
        weights[~days] = np.nan
    else:
        weights = past_weights(rank_ics(parts, common, panel, settings), settings)
        dropped["days_without_weights"] = int((days & np.isnan(weights[:, 0])).sum())
        weights[~days] = np.nan
    values = sum((weights[:, k, None] * part for k, part in enumerate(parts)), np.zeros(panel.shape))
    return CombinedFactor(Scores(name, panel.dates, panel.symbols, values, dropped), tuple(factors), weights)


def standardised(values: Floats, mask: Bools, standard: Standard) -> Float64:
    """Each row of (T, N) z-scored over `mask`, or its ranks, equals sharing theirs; NaN elsewhere."""
    if standard == "zscore":
        return zscore_rows(values, mask)
    ranks = np.full(values.shape, np.nan)
    for t in np.flatnonzero(mask.any(axis=1)):
        ranks[t, mask[t]] = average_rank(values[t, mask[t]])
    return zscore_rows(ranks, mask)


def top_tenths(parts: Sequence[Float64], inside: Bools, panel: Panel, settings: CombinationSettings) -> Float64:
    """(T, K) mean return of each part's best tenth of `inside` less the mean of all there; NaN on days of few names.

    Row t reads returns up to row t + `settings.reach`.
    """
    returns = forward_return(panel, settings.convention, settings.horizon)
    out = np.full((len(inside), len(parts)), np.nan)
    for t in np.flatnonzero(inside.any(axis=1)):
        names = np.flatnonzero(inside[t] & np.isfinite(returns[t]))
        if len(names) >= _MIN_NAMES:
            count = max(round(_TENTH * len(names)), 1)
            for k, part in enumerate(parts):
                best = np.argsort(-part[t, names], kind="stable")[:count]
                out[t, k] = returns[t, names[best]].mean() - returns[t, names].mean()
    return out


def yearly_weights(worth: Float64, dates: Dates, settings: CombinationSettings) -> Float64:
    """Weights (T, K) that add up to 1, the same all year, by the mean of `worth` (T, K) in the year before."""
    years, out = years_of(dates), np.full(worth.shape, 1 / worth.shape[1])
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        before = np.flatnonzero(years[: max(rows[0] - settings.reach, 0)] == year - 1)
        past = worth[before]
        past = past[np.isfinite(past).all(axis=1)]
        mean = np.maximum(past.mean(axis=0), 0.0) if len(past) >= settings.min_days else np.zeros(worth.shape[1])
        if mean.sum() > 0:
            out[rows] = mean / mean.sum()
    return out


def rank_ics(parts: Sequence[Float64], common: Bools, panel: Panel, settings: CombinationSettings) -> Float64:
    """RankIC (T, K) of each part over `common`; row t reads returns up to row t + `settings.reach`."""
    days = np.flatnonzero(common.any(axis=1))
    returns = forward_return(panel, settings.convention, settings.horizon)[days]
    out = np.full((len(common), len(parts)), np.nan)
    for k, part in enumerate(parts):
        out[days, k] = information_coefficients(part[days], returns, common[days], min_names=_MIN_NAMES).rank_ic
    return out


def past_weights(rank_ic: Float64, settings: CombinationSettings) -> Float64:
    """Weights (T, K) that add up to 1, by the RankICs (T, K) whose returns ended before each day; NaN = none."""
    weights = np.full(rank_ic.shape, np.nan)
    for t in range(settings.reach + 1, len(rank_ic)):
        stop = t - settings.reach
        past = rank_ic[max(stop - settings.window, 0) : stop]
        known = np.isfinite(past)
        count = known.sum(axis=0)
        mean = np.where(known, past, 0.0).sum(axis=0) / np.maximum(count, 1)
        worth = np.where(count >= settings.min_days, np.maximum(mean, 0.0), 0.0)
        if worth.sum() > 0:
            weights[t] = worth / worth.sum()
    return weights
