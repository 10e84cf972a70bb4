"""The shipped recipes of both studies, all their arms, on the small market: one epoch of few days, two test months."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file

from deepfactor.pipeline import planning
from deepfactor.pipeline.markets import open_market
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.training.data import TrainingData, open_data
from deepfactor.training.fit import Fitter, settled_torch
from deepfactor.training.jobs import Job, task_of
from deepfactor.training.samples import Sampler
from support.cli import Ended, deepfactor
from support.shared import made_once

pytestmark = pytest.mark.slow

#: Train 2018, validate 2019, test two months of 2020; three training days.
SMALL = {
    "universe": {"window": 30, "min_observed": 20},
    "plan.first_test": 2020,
    "plan.last_test": "2020-02-28",
    "plan.train_years": 1,
    "plan.every": 80,
    "plan.valid_every": 80,
    "fit.epochs": 1,
    "fit.seeds": [0],
    "test.universes": ["all"],
    "test.horizons": [5],
    "test.decay": 0,
}
NETWORKS_A = (0, 2, 3, 4, 5, 6, 7, 8, 9)
SECOND = (7, 8, 9)
STUDY_A = SMALL | {
    "features.window": 10,
    "fundamentals.quarters": 4,
    "test.tops": ["top10pct"],
    "test.top_every": [5],
    **{f"arms.{i}.model.{name}": value for i in NETWORKS_A for name, value in (("hidden", 8), ("layers", 1))},
    **{f"arms.{i}.model.factors": 3 for i in SECOND},
    "arms.7.fit_on": "train",  # one year can't be held out of one
    "arms.7.weighting": {"kind": "ridge"},
    "arms.9.fit_on": "train",
    "arms.9.weighting": {"kind": "ridge"},
    "arms.8.weighting": {"kind": "xgboost", "rounds": 5, "check_every": 1, "min_weight": 5},
    "arms.1.model.hidden": 8,
    "arms.1.every": 80,
    **{
        f"portfolios.{i}.arms": [arm]
        for i, arm in enumerate(("bi_agru_gat", "composite", "fundamental_gru", "bi_agru"))
    },
}
STUDY_B = SMALL | {
    "features.window": 30,
    "test.groups": {"all": 5},
    "test.tops": [],
    **{f"arms.{i}.model.hidden": 8 for i in range(6)},
    **{f"arms.6.weighting.{name}": value for name, value in (("rounds", 5), ("check_every", 1), ("min_rows", 20))},
    "portfolios.0.arms": ["gru_ic"],
    "portfolios.1.arms": ["decomp_gru_mse"],
    "portfolios.2.arms": ["ridge"],
}


@dataclass(frozen=True)
class Done:
    """A finished run of a shipped recipe."""

    market: Path
    runs: Path
    name: str
    settings: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.name, self.settings)

    def scores(self, arm: str) -> pl.DataFrame:
        return pl.read_parquet(self.runs / self.name / "arms" / arm / "scores.parquet")


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def finished(factory: pytest.TempPathFactory, market: Path, name: str, settings: dict[str, object], *more: str) -> Done:
    said = tuple(f"{key}={toml(value)}" for key, value in settings.items())

    def make(folder: Path) -> None:
        given = [word for one in said for word in ("--set", one)]
        ended: Ended = deepfactor("run", name, "--market", market, "--out", folder, "--workers", 0, *given, *more)
        assert ended.code == 0, ended.err

    return Done(market, made_once(factory, f"run_{name}", make), name, said)


@pytest.fixture(scope="module")
def study_a(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Done:
    return finished(tmp_path_factory, small_market, "study_a", STUDY_A, "--edges")


@pytest.fixture(scope="module")
def study_b(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Done:
    return finished(tmp_path_factory, small_market, "study_b", STUDY_B)


@pytest.fixture(params=["study_a", "study_b"])
def done(request: pytest.FixtureRequest) -> Done:
    found: Done = request.getfixturevalue(request.param)
    return found


def test_every_arm_scores_every_test_day(done: Done) -> None:
    recipe, market = done.recipe, open_market(done.market)
    days = market.panel.dates.astype("datetime64[D]")
    wanted = [str(day) for day in days[(days >= np.datetime64("2020-01-01")) & (days <= np.datetime64("2020-02-28"))]]
    assert len(recipe.arms) >= 7
    stocks = market.universe.eligible(recipe.universe).sum(axis=1)[np.isin(days, np.array(wanted, "datetime64[D]"))]
    for arm in recipe.arms:
        scores = done.scores(arm.name)
        assert scores["date"].cast(pl.String).unique().sort().to_list() == wanted, arm.name
        assert scores["score"].is_finite().all(), arm.name
        assert scores.height > 0.95 * stocks.sum(), arm.name
        assert (scores.group_by("date").agg(pl.col("score").std())["score"] > 0).all(), arm.name


def test_every_arm_and_portfolio_is_in_the_report(done: Done) -> None:
    run, recipe = done.runs / done.name, done.recipe
    page = (run / "report.html").read_text(encoding="utf-8")
    for arm in recipe.arms:
        assert arm.name in page
        assert json.loads((run / "arms" / arm.name / "factor_report.json").read_text())["records"]
    for portfolio in recipe.portfolios:
        nav = pl.read_parquet(
            run / "portfolio" / portfolio.arms[0] / portfolio.index / portfolio.constraints / "nav.parquet"
        )
        assert nav["nav"].is_finite().all()
        assert nav["nav"].n_unique() > 20


def test_model_cards_say_what_was_read(study_a: Done) -> None:
    def inputs(arm: str) -> dict[str, object]:
        card = json.loads((study_a.runs / "study_a" / "arms" / arm / "model_card.json").read_text())
        found: dict[str, object] = card["inputs"]
        return found

    assert set(inputs("bi_agru")) == {"features", "window"}
    assert {"features", "window"} < set(inputs("composite"))
    assert {"features", "window"}.isdisjoint(inputs("fundamental_gru"))
    assert inputs("composite")["quarters"] == inputs("fundamental_gru")["quarters"] == 4
    assert {"BP", "ROE", "SUE"} <= set(inputs("composite")["fundamentals"])  # type: ignore[call-overload]
    assert inputs("bi_agru_gat_random")["graph"] == {"kind": "random"}


def fitters(done: Done, *arms: str) -> dict[str, tuple[Job, TrainingData]]:
    planned = planning.plan(done.recipe, open_market(done.market), done.runs / "jobs")
    return {
        job.arm.name: (job, open_data(planned.arrays[job.arm.name])) for job in planned.jobs if job.arm.name in arms
    }


def score(done: Done, job: Job, data: TrainingData, t: int, folder: Path) -> np.ndarray:
    """Scores of row t by the job's weights."""
    with settled_torch():
        fitter = Fitter(task_of(job, data), Sampler(data), folder / "none")
        fitter.scorer.load(load_file(done.runs / "jobs" / job.key / "weights.safetensors"))
        return fitter.scorer.scores(t)[1]


def test_other_companies_reports_give_other_scores(study_a: Done, tmp_path: Path) -> None:
    """The networks that were trained, each stock given another one's quarters."""
    for job, data in fitters(study_a, "fundamental_gru", "composite").values():
        t = job.fold.test.start
        quarters = data.inputs.held["fundamentals"]
        order = np.random.default_rng(0).permutation(len(data.symbols))
        mixed = replace(quarters, change=quarters.change[:, order], value=quarters.value[:, order])
        own = score(study_a, job, data, t, tmp_path)
        saved = study_a.scores(job.arm.name).filter(pl.col("date") == pl.col("date").min())["score"].to_numpy()
        np.testing.assert_allclose((own - own.mean()) / own.std(), saved, atol=1e-4)
        other = score(
            study_a, job, replace(data, inputs=replace(data.inputs, held={"fundamentals": mixed})), t, tmp_path
        )
        assert np.abs(other - own).max() > 0.1 * own.std()


def test_the_random_graph_is_another_of_equal_degree(study_a: Done) -> None:
    def edges(arm: str) -> pl.DataFrame:
        return pl.read_parquet(study_a.runs / "study_a" / "arms" / arm / "edges.parquet")

    true, drawn = edges("bi_agru_gat"), edges("bi_agru_gat_random")
    assert true["date"].unique().sort().cast(pl.String).to_list() == ["2019-12-31", "2020-01-31", "2020-02-28"]
    degree = [one.group_by("date", "symbol").len().sort("date", "symbol") for one in (true, drawn)]
    assert degree[0].equals(degree[1])
    both = true.join(drawn, on=["date", "symbol", "neighbour"], how="inner").height
    assert both < 0.6 * true.height
    scores = [study_a.scores(f"bi_agru_gat{twin}")["score"].to_numpy() for twin in ("", "_random", "_industry")]
    assert all(np.abs(one - scores[0]).max() > 1e-3 * scores[0].std() for one in scores[1:])
    assert not (study_a.runs / "study_a" / "arms" / "bi_agru" / "edges.parquet").exists()
