"""Arms without a network: the table they are fitted on, their jobs, and what they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from deepfactor.core.errors import RecipeError, UserError
from deepfactor.core.kind import Kind
from deepfactor.cross_section.correlation import spearman
from deepfactor.features._rank_codes import VALUES
from deepfactor.inputs.row_weights import RowWeights
from deepfactor.training.arms import Arm
from deepfactor.training.baseline import features_of, table
from deepfactor.training.baseline import scores as scores_of
from deepfactor.training.cards import model_card, training_record
from deepfactor.training.data import TrainingData
from deepfactor.training.engine import run_jobs
from deepfactor.training.ensemble import collect
from deepfactor.training.estimate import estimate
from deepfactor.training.finished import read_record
from deepfactor.training.jobs import Job, Progress, baseline_of, plan_jobs
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.selection import top_excess
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs
from deepfactor.training.weightings import ridge
from deepfactor.training.weightings.base import LabelledRows
from deepfactor.training.weightings.validation import best_round, mean_rank_ic
from support.training import FOLD, TINY, stored, toy_training

RIDGE = Arm(name="ridge", weighting=Kind(kind="ridge"))
XGBOOST = Arm(name="trees", weighting=Kind(kind="xgboost", rounds=20, min_weight=5.0), seeds=(0, 1))  # type: ignore[call-arg]
NETWORK = Arm(name="gru", model=TINY)
FIT = Fit(epochs=2, seeds=(0,), min_stocks=5)
PLAN = Plan(first_test=2019, every=2)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Four plain features of single days; the second says what the label will be."""
    whole = toy_training()
    rng = np.random.default_rng(1)
    values = rng.standard_normal((*whole.label.shape, 4)).astype(np.float32)
    values[..., 1] = np.nan_to_num(whole.label) + 0.03 * rng.standard_normal(whole.label.shape)
    values[rng.random(values.shape) < 0.05] = np.nan
    features = replace(whole.features, names=("a", "b", "c", "d"), roles=("plain",) * 4, values=values)
    return replace(whole, features=features, window=1)


def jobs_of(data: TrainingData, *arms: Arm, fit: Fit = FIT, plan: Plan = PLAN) -> list[Job]:
    return plan_jobs(data, arms, [FOLD], plan, fit, inputs={"toy": 1}, label={"toy": 1})


def by_hand(data: TrainingData, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Stocks of day t and their standardised features, a column at a time."""
    stocks = data.stocks(t)
    x = data.features.values[t, stocks].astype(np.float64)
    for k in range(x.shape[1]):
        median = np.nanmedian(x[:, k])
        bound = 5 * 1.4826 * np.nanmedian(np.abs(x[:, k] - median))
        clipped = np.clip(x[:, k], median - bound, median + bound)
        x[:, k] = (clipped - np.nanmean(clipped)) / np.nanstd(clipped)
    return stocks, np.nan_to_num(x)


def test_a_table_holds_the_labelled_stock_days(data: TrainingData) -> None:
    days = [*range(12, 40, 3)]
    sampler = Sampler(data)
    found = table(data, lambda t: features_of(sampler, t), days)
    assert len(found.starts) == len(days) + 1
    assert len(found.x) < sum(len(data.stocks(t)) for t in days), "some are unlabelled"
    for i, t in enumerate(days):
        stocks, x = by_hand(data, t)
        usable = np.isfinite(data.label[t, stocks]) & data.entry_ok[t, stocks]
        rows = slice(found.starts[i], found.starts[i + 1])
        np.testing.assert_allclose(found.x[rows], x[usable], atol=2e-5)
        np.testing.assert_array_equal(found.y[rows], standardise(data.label[t, stocks[usable]], "rank"))


def test_scores_are_those_of_the_weighting_on_the_training_days(data: TrainingData, tmp_path: Path) -> None:
    """Every second training day from the first; all test days scored, unlabelled stocks too."""
    (job,) = jobs_of(data, RIDGE)
    run_jobs([job], stored(data, tmp_path), tmp_path, workers=0)
    x, y = [], []
    for t in FOLD.train[::2]:
        stocks, features = by_hand(data, t)
        usable = np.isfinite(data.label[t, stocks]) & data.entry_ok[t, stocks]
        x.append(features[usable])
        y.append(standardise(data.label[t, stocks[usable]], "rank"))
    state = json.loads((tmp_path / job.key / "weighting.json").read_text())["state"]
    assert state["strength"] in ridge.Settings().strengths
    pooled = np.vstack(x)
    penalty = state["strength"] * len(pooled) * np.eye(4)
    weights = np.linalg.solve(pooled.T @ pooled + penalty, pooled.T @ np.concatenate(y))
    np.testing.assert_allclose(state["weights"], weights, atol=1e-4)
    scores = collect([job], tmp_path, data.dates, data.symbols)["ridge"].seeds[0].values
    expected = np.full(scores.shape, np.nan)
    for t in FOLD.test:
        stocks, features = by_hand(data, t)
        expected[t, stocks] = features @ weights
    np.testing.assert_allclose(scores, expected, atol=1e-3)
    record = read_record(tmp_path / job.key)
    valid = []
    for t in FOLD.valid:
        stocks, features = by_hand(data, t)
        usable = np.isfinite(data.label[t, stocks]) & data.entry_ok[t, stocks]
        valid.append(spearman(features[usable] @ weights, data.label[t, stocks[usable]]))
    assert record["valid_rank_ic"] == pytest.approx(np.mean(valid), abs=0.02)
    assert record["valid_rank_ic"] > 0.3
    assert max(record["importance"], key=record["importance"].get) == "b"
    assert record["days_scored"] == len(FOLD.test)


@pytest.mark.slow
def test_workers_and_folders_of_their_own(data: TrainingData, tmp_path: Path) -> None:
    """A network on windows and baselines on days in one call: each reads its own arrays."""
    windows = toy_training()
    jobs = [*jobs_of(windows, NETWORK), *jobs_of(data, RIDGE, XGBOOST)]
    left = []
    for workers in (0, 2):
        out = tmp_path / str(workers)
        days = stored(data, out, "days")
        folders = {"gru": stored(windows, out, "windows"), "ridge": days, "trees": days}
        events: list[Progress] = []
        run_jobs(jobs, folders, out, workers=workers, progress=events.append)
        assert sum(event.phase == "done" for event in events) == len(jobs) == 4
        left.append([(out / job.key / "scores.npy").read_bytes() for job in jobs])
    assert left[0] == left[1]
    assert left[0][2] != left[0][3], "trees see other rows under another seed"
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_names_a_job(data: TrainingData) -> None:
    base = jobs_of(data, RIDGE)[0]
    assert base.identity["arm"] == {"weighting": {"kind": "ridge"}}
    assert base.identity["fit"] == {"min_stocks": 5}
    same = [
        jobs_of(data, RIDGE, fit=Fit(epochs=9, lr=0.1, seeds=(0,), min_stocks=5))[0],
        jobs_of(data, replace_arm(RIDGE, name="other", published="study_b/gru_ic"))[0],
    ]
    assert {job.key for job in same} == {base.key}
    strong = Kind(kind="ridge", strengths=[1.0])  # type: ignore[call-arg]
    others = [
        jobs_of(data, replace_arm(RIDGE, weighting=strong))[0],
        jobs_of(data, replace_arm(RIDGE, scaling={"kind": "in_window"}))[0],
        jobs_of(data, RIDGE, fit=Fit(seeds=(1,), min_stocks=5))[0],
        jobs_of(data, RIDGE, fit=Fit(seeds=(0,), min_stocks=6))[0],
        jobs_of(data, RIDGE, plan=Plan(first_test=2019))[0],
    ]
    assert len({base.key, *(job.key for job in others)}) == 6


def replace_arm(arm: Arm, **changes: object) -> Arm:
    return Arm.model_validate(arm.model_dump() | changes)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({}, "a model .* or a weighting"),
        ({"weighting": {"kind": "ridge"}, "loss": {"kind": "weighted_mse"}}, "no loss"),
    ],
)
def test_an_arm_is_a_network_or_a_weighting(arm: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Arm.model_validate({"name": "x"} | arm)


def test_windows_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"arms\.0\.features: .* windows of 9 days"):
        jobs_of(toy_training(), RIDGE)


def test_days_without_labels_are_an_error_that_names_the_span(data: TrainingData, tmp_path: Path) -> None:
    jobs = jobs_of(data, RIDGE, fit=Fit(seeds=(0,), min_stocks=500))
    with pytest.raises(UserError, match=r"^ridge toy seed 0: fold toy: no training day has fit\.min_stocks = 500"):
        run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0)


@pytest.mark.slow
def test_what_is_told_of_it(data: TrainingData, tmp_path: Path) -> None:
    jobs = jobs_of(data, XGBOOST)
    before = estimate(jobs, stored(data, tmp_path), tmp_path, workers=1)
    assert before.arms["trees"].step > 0
    assert before.cpu_seconds > 0
    run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=0)
    card = model_card(jobs, data, {"kind": "neutral_return"})
    assert (card["kind"], card["inputs"]["features"], card["seeds"]) == ("xgboost", ["a", "b", "c", "d"], [0, 1])
    assert "parameters" not in card
    assert card["fit"] == {"min_stocks": 5, "every": 2}
    record = training_record(jobs, tmp_path)
    assert [row["epochs"] for row in record["jobs"]] == [[], []]
    assert sum(record["importance"].values()) == pytest.approx(1)
    means = np.mean([list(row["importance"].values()) for row in record["jobs"]], axis=0)
    np.testing.assert_allclose(list(record["importance"].values()), means)
    assert estimate(jobs, stored(data, tmp_path), tmp_path, workers=1).cpu_seconds == 0


def weighed(data: TrainingData, weight: np.ndarray, by: str = "size") -> TrainingData:
    held = RowWeights(by, weight.astype(np.float32))
    return replace(data, inputs=StoredInputs({"row_weights": held}, {"row_weights": {"by": by}}))


def test_those_of_weight_nothing_are_not_trained_on_but_scored_and_validated(
    data: TrainingData, tmp_path: Path
) -> None:
    """Members alone are ranked among themselves; validation and scores are of all."""
    member = np.arange(len(data.symbols)) % 3 > 0
    some = weighed(data, np.broadcast_to(member, data.label.shape).astype(float), "members")
    sampler, days = Sampler(some), [20, 23]
    found = table(some, lambda t: features_of(sampler, t), days, "zscore", weighed=True)
    assert found.weight is None, "all alike"
    for i, t in enumerate(days):
        stocks = data.stocks(t)
        usable = np.isfinite(data.label[t, stocks]) & data.entry_ok[t, stocks] & member[stocks]
        rows = slice(found.starts[i], found.starts[i + 1])
        np.testing.assert_array_equal(found.y[rows], standardise(data.label[t, stocks[usable]], "zscore"))
        np.testing.assert_allclose(found.label[rows], data.label[t, stocks[usable]], rtol=1e-6)
    told = [{}, {"ridge": some.inputs}]
    plans = [plan_jobs(data, [RIDGE], [FOLD], PLAN, FIT, inputs={}, label={}, stored=one)[0] for one in told]
    assert plans[0].key != plans[1].key
    fitted, judged = baseline_of(plans[1]).fit(sampler, lambda day, days_: None)
    everybody = table(data, lambda t: features_of(Sampler(data), t), list(FOLD.valid))
    assert judged.rank_ic == pytest.approx(mean_rank_ic(fitted.predict(everybody.x), everybody))
    assert np.isfinite(scores_of(fitted, sampler, FOLD.test.start)[1]).all()


def test_a_rows_weight_is_how_often_it_counts(data: TrainingData) -> None:
    """Ridge on rows of weight 2 is ridge on the rows twice."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 3)).astype(np.float32), rng.standard_normal(60).astype(np.float32)
    starts, twice = np.array([0, 30, 60]), np.r_[np.arange(60), np.arange(0, 60, 2)]
    weight = np.where(np.arange(60) % 2 == 0, 2.0, 1.0).astype(np.float32)
    plain = LabelledRows(x, y, starts)
    settings = ridge.Settings(strengths=(0.0,))
    by_weight = ridge.fit(settings, replace(plain, weight=weight), plain, 0)
    repeated = ridge.fit(settings, LabelledRows(x[twice], y[twice], np.array([0, 90])), plain, 0)
    np.testing.assert_allclose(by_weight.weights, repeated.weights, rtol=1e-5)


def test_weights_of_a_day_have_mean_one_and_what_is_unknown_weighs_nothing(data: TrainingData) -> None:
    rng = np.random.default_rng(2)
    weight = np.where(rng.random(data.label.shape) < 0.2, 0.0, rng.random(data.label.shape) * 7)
    some = weighed(data, weight)
    stocks = some.stocks(25)
    chosen, own = some.trained(25, stocks)
    assert own is not None
    assert own.mean() == pytest.approx(1, abs=1e-5)
    assert set(chosen) == set(some.labelled(25, stocks)) & set(np.flatnonzero(weight[25, stocks] > 0))
    everybody, none = some.trained(25, stocks, weighed=False)
    assert none is None
    np.testing.assert_array_equal(everybody, some.labelled(25, stocks))


def test_rounds_may_be_chosen_by_the_top_group(data: TrainingData) -> None:
    """The number of trees is the best by what was asked for, and both are told."""
    rng = np.random.default_rng(1)
    n, days = 400, 6
    label, noise = rng.standard_normal((2, n * days)).astype(np.float32)
    pieces = [label + rng.standard_normal(n * days), np.where(label > 1.6, 20.0, 5 * noise), -3 * label]
    valid = LabelledRows(label[:, None], label, np.arange(0, n * days + 1, n), label=label)
    by_rank = best_round(lambda a, b: sum(pieces[a:b]), 3, 1, valid)
    by_top = best_round(lambda a, b: sum(pieces[a:b]), 3, 1, replace(valid, select="top"))
    assert (by_rank, by_top) == (1, 2)
    day = slice(0, n)
    count = round(0.05 * n)
    want = np.sort(label[day])[-count:].mean() - label[day].mean()
    assert top_excess(label[day], label[day]) == pytest.approx(want, abs=1e-6)


def test_what_an_arm_is_trained_for_is_in_its_keys_and_the_default_is_not(data: TrainingData) -> None:
    plain = jobs_of(data, RIDGE)[0]
    same = jobs_of(data, RIDGE.model_copy(update={"target": "rank", "select": "rank_ic"}))[0]
    assert same.key == plain.key
    assert "target" not in plain.identity["arm"]
    others = [{"target": "zscore"}, {"select": "top"}]
    keys = {jobs_of(data, RIDGE.model_copy(update=one))[0].key for one in others}
    assert len(keys | {plain.key}) == 3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model": TINY, "target": "zscore"}, "with its loss"),
        ({"model": TINY, "train_on": "size"}, "knows no weights"),
        ({"weighting": {"kind": "ridge"}, "train_on": "everybody"}, "members"),
        ({"weighting": {"kind": "ridge"}, "select": "best"}, "top"),
    ],
)
def test_what_an_arm_can_t_be_trained_for_is_said(said: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Arm.model_validate({"name": "x", **said})


def test_ranks_are_read_as_they_are(data: TrainingData) -> None:
    """Codes become what they stand for, missing ones 0; no scaling is laid over them, and none may be asked for."""
    codes = np.random.default_rng(0).integers(0, 256, data.features.values.shape).astype(np.uint8)
    coded = replace(data, features=replace(data.features, values=codes))
    stocks, x = features_of(Sampler(coded), 30)
    np.testing.assert_array_equal(x, np.nan_to_num(VALUES)[codes[30, stocks]])
    with pytest.raises(RecipeError, match="ranks"):
        jobs_of(coded, RIDGE.model_copy(update={"scaling": SCALINGS.choose("in_window")}))
    again = replace(coded, symbols=np.append(coded.symbols, "900000.SH"), **with_one_more(coded))
    assert again.day_print(30) == coded.day_print(30), "a later listing leaves a day's print alone"


def with_one_more(data: TrainingData) -> dict[str, object]:
    """Arrays with a last stock of which nothing is known."""

    def more(x: np.ndarray, nothing: object) -> np.ndarray:
        return np.concatenate([x, np.full((len(x), 1, *x.shape[2:]), nothing, x.dtype)], axis=1)

    arrays = {"label": np.nan, "eligible": False, "size": np.nan, "entry_ok": False}
    made: dict[str, object] = {name: more(getattr(data, name), nothing) for name, nothing in arrays.items()}
    return {**made, "features": replace(data.features, values=more(data.features.values, 0))}
