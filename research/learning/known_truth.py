"""One simulated market: the demo's two networks and ridge regressions, trained on the same days, beside the oracle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.experiment import run
from deepfactor.pipeline.markets import simulate
from deepfactor.pipeline.planning import plan
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.runs.factors import read_factor
from deepfactor.runs.results import read_json
from deepfactor.sources.simulated import Settings
from deepfactor.training.data import TrainingData, open_data
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from research.learning import ridge
from research.learning.measures import HORIZON, Measured, Truth

#: The factor test at its least: the numbers here are measured from the scores.
_TEST = TestSettings(
    universes=("all",),
    conventions=("t1_close",),
    horizons=(HORIZON,),
    decay=0,
    groups={},
    other_groups=0,
    tops=(),
    top_every=(),
)


@dataclass(frozen=True)
class Row:
    """One score's agreement with the truth; `valid` = its best validation RankIC, `cpu` = seconds of its training."""

    name: str
    measured: Measured
    valid: float | None = None
    cpu: float | None = None
    note: str = ""

    def content(self) -> dict[str, Any]:
        """As JSON holds it; a number that isn't defined is null."""
        numbers = {k: None if v != v else v for k, v in asdict(self.measured).items()}
        return {"score": self.name, **numbers, "valid": self.valid, "cpu": self.cpu, "note": self.note}


@dataclass(frozen=True)
class Trained:
    """Networks trained by the product on one simulated market, measured; and what they were trained on."""

    rows: list[Row]
    truth: Truth
    data: TrainingData
    fold: Fold


def demo_recipe(*models: str) -> Recipe:
    """The demo without portfolios, and only with the arms of `models`."""
    recipe = load_recipe("demo")
    arms = tuple(arm for arm in recipe.arms if arm.model.kind in models)
    if {arm.model.kind for arm in arms} != set(models) or len(recipe.fit.seeds) != 1:
        raise ValueError(f"the demo should have one arm each of {', '.join(models)}, and one seed")
    return recipe.model_copy(update={"arms": arms, "portfolios": (), "test": _TEST})


def train(recipe: Recipe, settings: Settings, out: Path, console: Console) -> Trained:
    """Simulate a market under `out`, run the recipe on it, measure its scores; done jobs are not done again."""
    market = simulate(out / "market", settings, console)
    folder = run(recipe, market, out / "runs", workers=1, console=console)
    planned = plan(recipe, market, folder.jobs)
    data, fold = open_data(planned.arrays[recipe.arms[0].name]), planned.jobs[0].fold
    truth = Truth.of(market, data, fold.test)
    rows = []
    for arm in recipe.arms:
        scores = read_factor(folder.arm(arm.name) / "scores.parquet", market.panel)
        job = read_json(folder.arm(arm.name) / "training.json")["jobs"][0]
        valid = max(epoch["valid_rank_ic"] for epoch in job["epochs"])
        note = f"epoch {job['best_epoch']} of {len(job['epochs'])}"
        measured = truth.measure(scores.values[fold.test.start : fold.test.stop])
        rows.append(Row(arm.model.kind, measured, valid, job["cpu"], note))
    return Trained(rows, truth, data, fold)


def compare(seed: int, out: Path, console: Console) -> list[Row]:
    """The oracle, both ridge regressions, GRU and DecompGRU on the demo's market of a seed."""
    recipe = demo_recipe("gru", "decomp_gru")
    trained = train(recipe, Settings(seed=seed), out, console)
    sampler, fold, truth = Sampler(trained.data), trained.fold, trained.truth
    fits = ridge.fit(sampler, fold, recipe.plan.valid_every, recipe.fit.min_stocks)
    scores = ridge.predict(sampler, fold.test, fits)
    lines = [Row(f.name, truth.measure(scores[f.name]), f.valid_rank_ic, note=f"penalty {f.penalty:g} n") for f in fits]
    ceilings = [Row("oracle", truth.measure(truth.oracle)), Row("oracle, visible", truth.measure(truth.visible))]
    return [*ceilings, *lines, *trained.rows]
