"""A recipe trained on a simulated market: each arm and seed beside the truth, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import Float64, Floats
from deepfactor.cross_section.regression import merge_small, residual_on_groups
from deepfactor.evaluation.ic import InformationCoefficients, information_coefficients
from deepfactor.evaluation.paired import paired_difference
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.experiment import run
from deepfactor.pipeline.markets import Market, simulate
from deepfactor.pipeline.planning import plan
from deepfactor.recipe import Recipe
from deepfactor.runs.factors import read_factor
from deepfactor.runs.results import read_json
from deepfactor.sources.simulated import Settings
from deepfactor.training.data import open_data
from research.learning.measures import HORIZON, MIN_NAMES, Truth, mean

#: Lag of the Newey–West t of daily differences: twice the horizon over which the returns of two days overlap.
LAG = 2 * HORIZON
MEASURES = ("oracle", "neutral", "neutral_rank", "rank_ic")
#: Industries of fewer names are one, as in the label.
MIN_INDUSTRY = 10


@dataclass(frozen=True)
class Daily:
    """Of one score on the test days (days,); NaN where not defined.

    Attributes
    ----------
    oracle : cross-sectional Pearson correlation with the 10-day oracle.
    neutral : the same with what neutralising by size and industry, as the label is, leaves of the oracle.
    neutral_rank : the same by ranks.
    rank_ic : RankIC with the neutralised 10-day return.
    cpu : seconds of its training.
    """

    oracle: Float64
    neutral: Float64
    neutral_rank: Float64
    rank_ic: Float64
    cpu: float = float("nan")

    @classmethod
    def of(cls, scores: Floats, truth: Truth, oracle: Float64, cpu: float = float("nan")) -> Daily:
        """Of scores (days, N) on the truth's test days; `oracle` (days, N) is the neutralised one."""

        def against(values: Floats) -> InformationCoefficients:
            return information_coefficients(scores, values, truth.scored, min_names=MIN_NAMES)

        neutral = against(oracle)
        return cls(against(truth.oracle).ic, neutral.ic, neutral.rank_ic, against(truth.neutral).rank_ic, cpu)

    def content(self) -> dict[str, Any]:
        """Means, as JSON holds them."""
        return {m: _number(mean(getattr(self, m))) for m in MEASURES} | {"cpu": _number(self.cpu)}


@dataclass(frozen=True)
class Trained:
    """A market and what was trained on it; `daily` by (arm, seed)."""

    settings: Settings
    market: Market
    test: range
    truth: Truth
    oracle: Float64
    daily: dict[tuple[str, int], Daily]

    def measure(self, scores: Floats) -> Daily:
        """Other scores (days, N) of the test rows."""
        return Daily.of(scores, self.truth, self.oracle)


def train(recipe: Recipe, settings: Settings, out: Path, console: Console) -> Trained:
    """Simulate a market under `out`, run the recipe's one fold on it, measure each seed.

    Done jobs are not done again. All arms must score the same stocks.
    """
    market = simulate(out / "market", settings, console)
    folder = run(recipe, market, out / "runs", workers=1, console=console)
    planned = plan(recipe, market, folder.jobs)
    (test,) = {job.fold.test for job in planned.jobs}
    truth = Truth.of(market, open_data(planned.arrays[recipe.arms[0].name]), test)
    oracle = neutralised(truth, market, test)
    daily = {}
    for arm in recipe.arms:
        for job in read_json(folder.arm(arm.name) / "training.json")["jobs"]:
            scores = read_factor(folder.arm(arm.name) / f"scores_seed{job['seed']}.parquet", market.panel)
            values = scores.values[test.start : test.stop]
            if not np.isfinite(values[truth.scored]).all():
                raise ValueError(f"{arm.name} leaves {np.isnan(values[truth.scored]).sum()} stock-days without a score")
            daily[arm.name, job["seed"]] = Daily.of(values, truth, oracle, job["cpu"])
    return Trained(settings, market, test, truth, oracle, daily)


def neutralised(truth: Truth, market: Market, test: range) -> Float64:
    """The oracle (days, N) less what industries and ln cap explain of it, over each day's scored stocks."""
    size = np.log(market.panel.market_cap("float").astype(np.float64))
    out = np.full(truth.oracle.shape, np.nan)
    for i, t in enumerate(test):
        stocks = np.flatnonzero(truth.scored[i] & np.isfinite(truth.oracle[i]) & np.isfinite(size[t]))
        industry = merge_small(market.universe.industry[t, stocks], MIN_INDUSTRY)
        out[i, stocks] = residual_on_groups(truth.oracle[i, stocks].astype(np.float64), industry, size[t, stocks])
    return out


def difference(first: Daily, second: Daily) -> dict[str, float | None]:
    """Mean daily difference first − second of each measure, and its Newey–West t."""
    found: dict[str, float | None] = {}
    for measure in MEASURES:
        paired = paired_difference(getattr(first, measure), getattr(second, measure), LAG)
        found |= {measure: _number(paired.mean), f"{measure}_t": _number(paired.t_newey_west)}
    return found


def spread(groups: Sequence[Float64]) -> float:
    """Standard deviation within groups (pooled, n − 1 each); 0 where no group has two values."""
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return float(np.sqrt(squares / max(sum(len(group) - 1 for group in groups), 1)))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
