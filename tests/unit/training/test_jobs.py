"""What names a job, what doesn't, and what a recipe may not ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind, recipe_error
from deepfactor.training import jobs as jobs_module
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.jobs import Job, plan_jobs
from deepfactor.training.plan import Fold
from deepfactor.training.spec import Fit, Plan
from support.training import FIT, FOLD, PLAN, TINY, toy_jobs, toy_training


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training()


def job(data: TrainingData, **changes: object) -> Job:
    """One job with something changed."""
    given: dict[str, object] = {
        "arms": [Arm(name="a", model=TINY)],
        "folds": [FOLD],
        "plan": PLAN,
        "fit": Fit(epochs=3, seeds=(0,)),
        "inputs": {"kind": "price_volume"},
        "label": {"horizon": 10},
    }
    return plan_jobs(data, **(given | changes))[0]  # type: ignore[arg-type]


def test_the_same_content_has_the_same_key(data: TrainingData) -> None:
    spelled_out = Arm(name="other", model=Kind(kind="gru", hidden=4, patch=3), published="study_b/gru_ic")  # type: ignore[call-arg]
    assert job(data).key == job(data).key
    assert job(data).key == job(data, arms=[spelled_out]).key
    assert job(data).key == job(data, fit=Fit(epochs=3, seeds=(0, 42))).key
    assert job(data).key == job(data, arms=[Arm(name="a", model=TINY, seeds=(0,))], fit=Fit(epochs=3)).key
    assert job(data).key == job(data, arms=[Arm(name="a", model=TINY, scaling="last_close")]).key  # type: ignore[arg-type]
    assert job(data).identity["arm"] == {"model": {"kind": "gru", "hidden": 4}, "loss": {"kind": "ic"}}


def test_whatever_changes_numbers_changes_the_key(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    gru8 = Kind(kind="gru", hidden=8)  # type: ignore[call-arg]
    label = data.label.copy()
    label[FOLD.train[0], 0] = 0.5
    keys = [
        job(data).key,
        job(data, arms=[Arm(name="a", model=gru8)]).key,
        job(data, arms=[Arm(name="a", model=TINY, loss=Kind(kind="weighted_mse"))]).key,
        job(data, folds=[replace(FOLD, train=FOLD.train[1:])]).key,
        job(data, plan=Plan(first_test=2019, every=5)).key,
        job(data, plan=Plan(first_test=2019, valid_every=5)).key,
        job(data, fit=Fit(epochs=4, seeds=(0,))).key,
        job(data, fit=Fit(epochs=3, seeds=(1,))).key,
        job(data, fit=Fit(epochs=3, seeds=(0,), days_per_step=2)).key,
        job(data, arms=[Arm(name="a", model=TINY, scaling=Kind(kind="in_window"))]).key,
        job(data, arms=[Arm(name="a", model=TINY, scaling=Kind(kind="by_day"))]).key,
        job(data, arms=[Arm(name="a", model=TINY, scaling=Kind(kind="by_day", trailing=5))]).key,  # type: ignore[call-arg]
        job(data, inputs={"kind": "other"}).key,
        job(data, label={"horizon": 5}).key,
        job(replace(data, label=label)).key,
    ]
    monkeypatch.setattr(jobs_module, "NUMERICS", 99)
    keys.append(job(data).key)
    assert len(set(keys)) == len(keys)


def test_a_day_appended_leaves_every_key(data: TrainingData) -> None:
    later = Fold("later", range(20, 50), range(53, 65), range(68, len(data.dates)))

    def keys(days: int) -> list[str]:
        rows = slice(0, days)
        cut = {n: getattr(data, n)[rows] for n in ("dates", "label", "eligible", "size", "entry_ok")}
        features = replace(data.features, values=data.features.values[rows])
        fold = replace(later, test=range(later.test.start, days))
        return [j.key for j in toy_jobs(replace(data, features=features, **cut), fold=FOLD)[:1]] + [
            j.key for j in toy_jobs(replace(data, features=features, **cut), fold=fold)[:1]
        ]

    before, after = keys(len(data.dates) - 1), keys(len(data.dates))
    assert before == after


def test_a_job_a_fold_arm_and_seed(data: TrainingData) -> None:
    folds = [FOLD, Fold("next", range(20, 45), range(48, 60), range(63, 70))]
    arms = [Arm(name="a", model=TINY), Arm(name="b", model=Kind(kind="decomp_gru"))]
    jobs = plan_jobs(data, arms, folds, PLAN, FIT, inputs={}, label={})
    assert len({j.key for j in jobs}) == len(jobs) == 8
    assert [j.label for j in jobs[:3]] == ["a toy seed 0", "a toy seed 42", "b toy seed 0"]


def test_an_arm_may_have_seeds_of_its_own(data: TrainingData) -> None:
    arms = [Arm(name="a", model=TINY), Arm(name="b", model=TINY, loss=Kind(kind="weighted_mse"), seeds=(3,))]
    jobs = plan_jobs(data, arms, [FOLD], PLAN, FIT, inputs={}, label={})
    assert [j.label for j in jobs] == ["a toy seed 0", "a toy seed 42", "b toy seed 3"]
    with pytest.raises(ValueError, match="the same seed twice"):
        Arm(name="a", model=TINY, seeds=(3, 3))


def test_by_day_reads_further_back(data: TrainingData) -> None:
    """What a row is relative to lies before the first window; the key knows."""
    fold = replace(FOLD, train=range(30, FOLD.train.stop))

    def key(scaling: str, values: np.ndarray) -> str:
        given = replace(data, features=replace(data.features, values=values))
        kind = {"kind": scaling} | ({"trailing": 5} if scaling == "by_day" else {})
        return job(given, arms=[Arm(name="a", model=TINY, scaling=Kind(**kind))], folds=[fold]).key  # type: ignore[arg-type]

    def changed(row: int) -> np.ndarray:
        values = data.features.values.copy()
        values[row] += 0.01
        return values

    first = 30 - data.window + 1
    same = data.features.values
    assert key("last_close", changed(first - 1)) == key("last_close", same) != key("last_close", changed(first))
    assert key("by_day", changed(first - 6)) == key("by_day", same) != key("by_day", changed(first - 5))


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"model": {"kind": "gru2"}}, r"arms\.0\.model\.kind: no kind 'gru2'"),
        ({"model": {"kind": "gru", "hiden": 3}}, r"arms\.0\.model\.hiden"),
        ({"model": TINY, "scaling": "z"}, r"arms\.0\.scaling\.kind: no kind 'z'.*in_window"),
        ({"model": TINY, "scaling": {"kind": "by_day", "trailing": 0}}, r"arms\.0\.scaling\.trailing"),
        ({"model": TINY, "loss": {"kind": "mse"}}, r"arms\.0\.loss\.kind: no kind 'mse'.*weighted_mse"),
        ({"model": {"kind": "support.noisy_model"}}, "allow"),
    ],
)
def test_bad_arms_name_their_key(arm: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        arm_of(arm)


def arm_of(said: dict[str, Any]) -> Arm:
    """The arm of a recipe's table; what is wrong, as a recipe says it."""
    try:
        return Arm(name="a", **said)
    except ValidationError as error:
        raise recipe_error(error, "arms.0") from None


def test_inputs_that_samples_cannot_give(monkeypatch: pytest.MonkeyPatch) -> None:
    import deepfactor.models.gru as gru

    monkeypatch.setattr(gru, "INPUTS", frozenset({"windows", "news"}))
    with pytest.raises(RecipeError, match=r"arms\.0\.model\.kind: gru asks for news: there are day_features, expos"):
        arm_of({"model": TINY})


GAT, COMPANIES = Kind(kind="bi_agru_gat"), Kind(kind="fundamental_gru")
FREED = Kind(kind="bi_agru", orthogonal=True, project=("industry",))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"model": GAT}, r"arms\.0\.graph: bi_agru_gat reads neighbours: say whose"),
        ({"model": TINY, "graph": {"kind": "full"}}, r"arms\.0\.graph: gru reads no neighbours"),
        ({"weighting": {"kind": "ridge"}, "graph": {"kind": "full"}}, "a baseline reads no neighbours"),
        ({"model": GAT, "graph": {"kind": "full"}}, r"arms\.0\.model: bi_agru_gat reads neighbours, which"),
        ({"model": COMPANIES}, r"arms\.0\.model: fundamental_gru reads fundamentals, which these inputs"),
        ({"model": FREED}, r"arms\.0\.model: bi_agru reads exposures, which these inputs"),
    ],
)
def test_an_arm_says_all_that_its_network_reads(arm: dict[str, Any], message: str, data: TrainingData) -> None:
    with pytest.raises(RecipeError, match=message):
        job(data, arms=[arm_of(arm)])


def test_days_of_an_arms_own(data: TrainingData) -> None:
    own = job(data, arms=[Arm(name="a", model=TINY, every=5)])
    assert own.every == own.identity["every"] == 5
    assert own.key == job(data, plan=Plan(first_test=2019, every=5)).key != job(data).key


def test_seeds_are_numbers_of_their_own(data: TrainingData) -> None:
    assert np.unique([j.key for j in toy_jobs(data)]).size == len(FIT.seeds)
