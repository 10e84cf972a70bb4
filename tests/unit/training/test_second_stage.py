"""A weighting behind a network: what it reads, what it is fitted on, what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file

from deepfactor.core.errors import RecipeError, UserError
from deepfactor.cross_section.correlation import spearman
from deepfactor.features import price_volume
from deepfactor.inputs import fundamentals
from deepfactor.panel.universe import UniverseRule
from deepfactor.training import estimate as costs
from deepfactor.training.arms import Arm
from deepfactor.training.cards import model_card, training_record
from deepfactor.training.data import Arrays, TrainingData, prepare_data
from deepfactor.training.engine import run_jobs
from deepfactor.training.ensemble import collect
from deepfactor.training.finished import read_record
from deepfactor.training.fit import Fitter
from deepfactor.training.jobs import Job, Progress, plan_jobs, task_of
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.second_stage import fundamental_factors
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs, prepare_input
from support.parts import company_market

RULE = UniverseRule(window=20, min_observed=10)
FOLD = Fold("toy", range(20, 60), range(63, 80), range(83, 110), range(20, 37), range(40, 60))
MODEL = {"kind": "bi_agru", "hidden": 4, "layers": 1, "factors": 3, "orthogonal": True}
RIDGE = {"kind": "ridge", "strengths": [0.01]}
TREES = {"kind": "xgboost", "rounds": 20, "min_weight": 5.0, "depth": 2, "learning_rate": 0.2, "check_every": 5}
FIT = Fit(epochs=2, seeds=(0,), min_stocks=5)
COST = costs.DayCost(stocks=100, step=0.3, score=0.1, statistics=0.0, parameters=10, peak=0)
PLAN = Plan(first_test=2019, every=2)


def arm_of(name: str = "second", **changes: Any) -> Arm:
    return Arm.model_validate({"name": name, "model": MODEL, "weighting": RIDGE} | changes)


def training_data(label: Callable[[np.ndarray], np.ndarray] | None = None) -> TrainingData:
    """120 days of 130 stocks; `label` makes it of the standardised book to price (T, N), None = noise."""
    panel, universe = company_market(days=120, stocks=130)
    eligible = universe.eligible(RULE)
    quarters = fundamentals.prepare(fundamentals.Settings(quarters=6), panel, universe, universe.listed)
    rng = np.random.default_rng(0)
    bare = TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=price_volume.compute(price_volume.Settings(window=6), panel, universe),
        label=rng.standard_normal(panel.shape),
        eligible=eligible,
        size=np.log(panel.market_cap("float").astype(np.float64)),
        entry_ok=rng.random(panel.shape) > 0.05,
        window=6,
        inputs=StoredInputs({"fundamentals": quarters}, {"fundamentals": {"quarters": 6}}),
    )
    if label is None:
        return bare
    book = np.full(panel.shape, np.nan)
    for t in range(20, 120):
        stocks = bare.stocks(t)
        book[t, stocks] = fundamental_factors(quarters, t, stocks)[:, quarters.names.index("BP")]
    return replace(bare, label=label(book) + 0.5 * bare.label)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data(lambda book: book)


def reads_quarters(arm: Arm) -> bool:
    return "fundamentals" in arm.scorer.reads()


def jobs_of(data: TrainingData, *arms: Arm, fit: Fit = FIT, fold: Fold = FOLD) -> list[Job]:
    own = {arm.name: data.inputs if reads_quarters(arm) else StoredInputs() for arm in arms}
    base = replace(data, inputs=StoredInputs())
    return plan_jobs(base, arms, [fold], PLAN, fit, inputs={"x": 1}, label={}, stored=own)


def done(
    data: TrainingData, jobs: list[Job], folder: Path, progress: Callable[[Progress], None] | None = None
) -> list[dict[str, Any]]:
    base = prepare_data(folder, "toy", lambda: replace(data, inputs=StoredInputs()))
    quarters = data.inputs.held["fundamentals"]
    part = prepare_input(base, "fundamentals", data.inputs.content["fundamentals"], lambda: quarters)
    whole, bare = Arrays(base, {"fundamentals": part}), Arrays(base)
    run_jobs(
        jobs, {j.arm.name: whole if reads_quarters(j.arm) else bare for j in jobs}, folder, workers=0, progress=progress
    )
    return [read_record(folder / job.key) for job in jobs]


def test_a_network_is_trained_once_whatever_stands_behind_it(data: TrainingData, tmp_path: Path) -> None:
    """In one folder the second arm's network is the first one's; the bytes are those of an arm that trains its own."""
    arms = (arm_of(), arm_of("deep", beside=[]), arm_of("trees", weighting=TREES))
    told: list[Progress] = []
    done(data, jobs_of(data, *arms), tmp_path / "together", told.append)
    taken = {event.job: event.note for event in told if event.phase == "note"}
    text = "its network is that of second toy seed 0, which is trained: taken from there"
    assert taken == {"deep toy seed 0": text, "trees toy seed 0": text}
    assert {event.job for event in told if event.phase == "validate"} == {"second toy seed 0"}
    for arm in arms[1:]:
        (job,) = jobs_of(data, arm)
        done(data, [job], tmp_path / arm.name)
        for name in ("weights.safetensors", "weighting.json", "scores.npy"):
            alone, shared = (tmp_path / at / job.key / name for at in (arm.name, "together"))
            assert alone.read_bytes() == shared.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"fit_on": "train"},
        {"model": MODEL | {"factors": 4}},
        {"select": "top"},
        {"loss": {"kind": "weighted_mse"}},
        {"scaling": "by_day"},
    ],
)
def test_another_network_is_trained(changes: dict[str, Any], data: TrainingData, tmp_path: Path) -> None:
    told: list[Progress] = []
    done(data, jobs_of(data, arm_of(), arm_of("other", **changes)), tmp_path, told.append)
    assert not [event for event in told if event.phase == "note"]
    assert {event.job for event in told if event.phase == "validate"} == {"second toy seed 0", "other toy seed 0"}


@pytest.mark.parametrize("damage", ["no end", "bytes", "no identity"])
def test_what_is_not_whole_is_not_taken(damage: str, data: TrainingData, tmp_path: Path) -> None:
    first, other = jobs_of(data, arm_of(), arm_of("deep", beside=[]))
    done(data, [first], tmp_path)
    folder, told = tmp_path / first.key, list[Progress]()
    if damage == "no end":
        (folder / "trained.json").unlink()
    elif damage == "bytes":
        (folder / "checkpoint.safetensors").write_bytes(b"no tensors")
    else:
        (folder / "job.json").write_text("[]")
    done(data, [other], tmp_path, told.append)
    assert {event.phase for event in told} >= {"train", "validate"}
    assert not [event for event in told if event.phase == "note"]


def test_fundamental_factors_are_the_newest_known(data: TrainingData) -> None:
    quarters = data.inputs.held["fundamentals"]
    older = 0
    for t in (25, 70, 110):
        stocks = data.stocks(t)
        x, _ = quarters.at(t, stocks)
        raw = np.full((len(stocks), len(quarters.names)), np.nan)
        for i in range(len(stocks)):
            for k in range(len(quarters.names)):
                known = [q for q in (5, 4, 3, 2) if np.isfinite(x[q, i, k])]
                if known:
                    raw[i, k] = x[known[0], i, k]
                    older += known[0] < 5
        for k in range(raw.shape[1]):
            column = raw[:, k]
            median = np.nanmedian(column)
            bound = 5 * 1.4826 * np.nanmedian(np.abs(column - median))
            clipped = np.clip(column, median - bound, median + bound) if bound > 0 else column
            raw[:, k] = np.nan_to_num((clipped - np.nanmean(clipped)) / np.nanstd(clipped))
        found = fundamental_factors(quarters, t, stocks)
        np.testing.assert_allclose(found, raw, rtol=2e-3, atol=2e-3)
    assert older, "some figures of the newest quarter are not out"


def network_of(data: TrainingData, job: Job, folder: Path) -> Fitter:
    """The job's trained network."""
    fitter = Fitter(task_of(job, data), Sampler(data), folder / "none")
    fitter.scorer.load(load_file(folder / job.key / "weights.safetensors"))
    return fitter


@pytest.mark.slow
@pytest.mark.parametrize("fit_on", ["held_out", "train"])
def test_scores_are_those_of_the_weighting_of_all_columns(fit_on: str, data: TrainingData, tmp_path: Path) -> None:
    """Ridge by hand on every second day of the span: deep factors with their signs, then the fundamental ones."""
    (job,) = jobs_of(data, arm_of(fit_on=fit_on))
    (record,) = done(data, [job], tmp_path)
    fitter, quarters = network_of(data, job, tmp_path), data.inputs.held["fundamentals"]

    def columns(t: int) -> tuple[np.ndarray, np.ndarray]:
        stocks, deep = fitter.scorer.factors(t)
        assert deep is not None
        np.testing.assert_allclose(np.cov(deep.T, bias=True), np.eye(3), atol=1e-5)
        return stocks, np.hstack([deep, fundamental_factors(quarters, t, stocks)])

    tables = []
    for t in (FOLD.late if fit_on == "held_out" else FOLD.train)[::2]:
        stocks, x = columns(t)
        usable = np.isfinite(data.label[t, stocks]) & data.entry_ok[t, stocks]
        tables.append((x[usable], standardise(data.label[t, stocks[usable]], "rank")))
    means = np.mean([[spearman(x[:, j], y) for j in range(3)] for x, y in tables], axis=0)
    signs = np.where(means < 0, -1, 1)
    said = json.loads((tmp_path / job.key / "weighting.json").read_text())
    assert said["signs"] == signs.tolist() == [factor["sign"] for factor in record["deep_factors"]]
    assert said["columns"] == ["deep_01", "deep_02", "deep_03", *quarters.names]
    np.testing.assert_allclose([f["rank_ic"] for f in record["deep_factors"]], np.abs(means), atol=1e-6)
    turn = np.r_[signs, np.ones(len(quarters.names))]
    x, y = np.vstack([x for x, _ in tables]) * turn, np.concatenate([y for _, y in tables])
    weights = np.linalg.solve(x.T @ x + 0.01 * len(x) * np.eye(x.shape[1]), x.T @ y)
    np.testing.assert_allclose(said["state"]["weights"], weights, atol=1e-4)
    scores = collect([job], tmp_path, data.dates, data.symbols)["second"].seeds[0].values
    for t in FOLD.test:
        stocks, x = columns(t)
        np.testing.assert_allclose(scores[t, stocks], x * turn @ weights, atol=1e-3)
    assert record["days_scored"] == len(FOLD.test)
    assert record["days_without_factors"] == {"fit": 0, "valid": 0, "test": 0}


@pytest.mark.slow
@pytest.mark.parametrize("weighting", [RIDGE, TREES, {"kind": "lightgbm", "rounds": 20, "min_rows": 20}])
def test_what_matters_is_found(weighting: dict[str, Any], data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, arm_of(weighting=weighting))
    (record,) = done(data, [job], tmp_path)
    assert max(record["importance"], key=record["importance"].get) == "BP"
    assert sum(record["importance"].values()) == pytest.approx(1)
    assert record["weighting_valid_rank_ic"] > 0.5
    assert mean_rank_ic(data, job, tmp_path) > 0.5


def mean_rank_ic(data: TrainingData, job: Job, folder: Path) -> float:
    """Mean over the test days."""
    scores = collect([job], folder, data.dates, data.symbols)[job.arm.name].ensemble.values
    days = []
    for t in FOLD.test:
        both = np.isfinite(scores[t]) & np.isfinite(data.label[t])
        days.append(spearman(scores[t, both], data.label[t, both]))
    return float(np.mean(days))


@pytest.mark.slow
@pytest.mark.parametrize("fit_on", ["held_out", "train"])
def test_where_nothing_is_to_be_found_nothing_is(fit_on: str, tmp_path: Path) -> None:
    data = training_data()
    (job,) = jobs_of(data, arm_of(weighting=TREES, fit_on=fit_on))
    done(data, [job], tmp_path)
    assert abs(mean_rank_ic(data, job, tmp_path)) < 0.06, "three standard errors of 27 days of some 100 stocks"


@pytest.mark.slow
def test_the_deep_factors_alone(data: TrainingData, tmp_path: Path) -> None:
    """The control: the same network, no quarters read, nothing found of what only they hold."""
    jobs = jobs_of(data, arm_of(), arm_of("deep", beside=[]))
    whole, alone = done(data, jobs, tmp_path)
    weights = [(tmp_path / job.key / "weights.safetensors").read_bytes() for job in jobs]
    assert weights[0] == weights[1]
    assert list(alone["importance"]) == list(whole["importance"])[:3] == ["deep_01", "deep_02", "deep_03"]
    assert jobs[1].arm.scorer.reads() == {"windows"}
    assert jobs[1].identity["arm"] == jobs[0].identity["arm"] | {"beside": []}
    assert "parts" not in jobs[1].identity
    assert mean_rank_ic(data, jobs[0], tmp_path) > 0.5 > 0.3 > mean_rank_ic(data, jobs[1], tmp_path)
    assert model_card(jobs[1:], data, {})["weighting"]["beside"] == []


def noisy(data: TrainingData, span: range) -> TrainingData:
    """With other labels on the days of `span`."""
    label = data.label.copy()
    label[span.start : span.stop] = np.random.default_rng(9).standard_normal((len(span), label.shape[1]))
    return replace(data, label=label)


def left(data: TrainingData, arm: Arm, folder: Path) -> tuple[bytes, str]:
    """The network's weights and the weighting's state."""
    (job,) = jobs_of(data, arm)
    done(data, [job], folder)
    place = folder / job.key
    return (place / "weights.safetensors").read_bytes(), (place / "weighting.json").read_text()


@pytest.mark.slow
def test_the_network_does_not_see_the_year_that_is_held_out(data: TrainingData, tmp_path: Path) -> None:
    """Its labels turn to noise, and those of the purged days before it: the network is the same, bit for bit."""
    arm = arm_of()
    network, weighting = left(data, arm, tmp_path / "whole")
    late = left(noisy(data, range(FOLD.early.stop, FOLD.valid.start)), arm, tmp_path / "late")
    assert (late[0] == network, late[1] == weighting) == (True, False)
    purged = left(noisy(data, range(FOLD.early.stop, FOLD.late.start)), arm, tmp_path / "purged")
    assert purged == (network, weighting)
    early = left(noisy(data, FOLD.early), arm, tmp_path / "early")
    assert (early[0] == network, early[1] == weighting) == (False, False)


@pytest.mark.slow
def test_on_the_training_span_the_network_sees_it_all(data: TrainingData, tmp_path: Path) -> None:
    arm = arm_of(fit_on="train")
    network, weighting = left(data, arm, tmp_path / "whole")
    late = left(noisy(data, FOLD.late), arm, tmp_path / "late")
    assert (late[0] == network, late[1] == weighting) == (False, False)


@pytest.mark.slow
def test_with_the_whole_span_the_network_is_that_of_the_arm_without_weighting(
    data: TrainingData, tmp_path: Path
) -> None:
    plain, second = jobs_of(data, arm_of("plain", weighting=None), arm_of(fit_on="train"))
    done(data, [plain, second], tmp_path)
    weights = [(tmp_path / job.key / "weights.safetensors").read_bytes() for job in (plain, second)]
    assert weights[0] == weights[1]
    assert not (tmp_path / plain.key / "weighting.json").exists()


@pytest.mark.slow
def test_days_without_deep_factors_are_counted_and_get_no_score(data: TrainingData, tmp_path: Path) -> None:
    eligible = data.eligible.copy()
    small = (50, 70, 90, 91)  # of the held-out year, the validation, the test
    for t in small:
        eligible[t, np.flatnonzero(eligible[t])[60:]] = False  # the layer wants 64
    eligible[95] = False
    few = replace(data, eligible=eligible)
    jobs = jobs_of(few, arm_of(seeds=(0, 1)))
    for record in done(few, jobs, tmp_path):
        assert record["days_without_factors"] == {"fit": 1, "valid": 1, "test": 2}
        assert record["days_without_batch"] == 1
        assert record["days_scored"] == len(FOLD.test) - 3
        assert set(record["left_out"]) == {"train", "held_out", "valid"}
    scores = collect(jobs, tmp_path, data.dates, data.symbols)["second"].ensemble.values
    scored = np.flatnonzero(np.isfinite(scores).any(axis=1))
    np.testing.assert_array_equal(scored, sorted(set(FOLD.test) - {90, 91, 95}))
    eligible[FOLD.late.start : FOLD.late.stop] = eligible[50]
    never = replace(few, eligible=eligible)
    with pytest.raises(UserError, match=r"second toy seed 0: none of 10 days of .* independent deep factors"):
        done(never, jobs_of(never, arm_of()), tmp_path / "never")


def test_what_names_a_job(data: TrainingData) -> None:
    plain, held, train, trees = jobs_of(
        data,
        arm_of("plain", weighting=None),
        arm_of(),
        arm_of("train", fit_on="train"),
        arm_of("trees", weighting=TREES),
    )
    assert set(plain.identity["arm"]) == {"model", "loss"}
    assert set(plain.identity["fold"]) == {"train", "valid"}
    assert held.identity["arm"] == plain.identity["arm"] | {"weighting": RIDGE, "fit_on": "held_out"}
    assert held.identity["fold"]["late"] == [str(data.dates[40]), str(data.dates[59])]
    assert "late" not in train.identity["fold"]
    assert "fundamentals" in held.identity["parts"]
    assert len({plain.key, held.key, train.key, trees.key}) == 4


@pytest.mark.slow
def test_what_is_told_of_it(data: TrainingData, tmp_path: Path) -> None:
    jobs = jobs_of(data, arm_of(weighting=TREES, seeds=(0, 1)))
    records = done(data, jobs, tmp_path)
    card = model_card(jobs, data, {"kind": "neutral_return"})
    assert (card["kind"], card["weighting"]["kind"], card["weighting"]["fit_on"]) == ("bi_agru", "xgboost", "held_out")
    assert card["weighting"]["settings"]["depth"] == 2
    told = training_record(jobs, tmp_path)
    assert list(told["importance"])[:2] == ["3 deep factors", "BP"]
    assert sum(told["importance"].values()) == pytest.approx(1)
    deep = [sum(v for k, v in r["importance"].items() if k.startswith("deep_")) for r in records]
    assert told["importance"]["3 deep factors"] == pytest.approx(np.mean(deep))
    for row, record in zip(told["jobs"], records, strict=True):
        assert row["importance"] == record["importance"]
        assert row["deep_factors"] == record["deep_factors"]
        assert len(row["epochs"]) == 2


def test_what_it_will_cost(data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's epochs on the years that it sees, and the passes that fill the weighting's tables."""
    monkeypatch.setattr(costs, "_in_worker", lambda jobs, *_: {job.arm.name: COST for job in jobs})
    base = prepare_data(tmp_path, "toy", lambda: replace(data, inputs=StoredInputs()))
    quarters = data.inputs.held["fundamentals"]
    part = prepare_input(base, "fundamentals", data.inputs.content["fundamentals"], lambda: quarters)
    arrays = Arrays(base, {"fundamentals": part})

    def seconds(arm: Arm) -> float:
        return costs.estimate(jobs_of(data, arm), {"second": arrays}, tmp_path, workers=1).cpu_seconds

    plain, train, held = seconds(arm_of(weighting=None)), seconds(arm_of(fit_on="train")), seconds(arm_of())
    step, stocks = COST.step / COST.score, data.eligible.sum(axis=1)
    learned, validated = int(np.median(stocks[20:60])), int(np.median(stocks[63:80]))
    filled = learned * 40 / 2 + validated * 17
    assert (train - plain) * COST.stocks / COST.score == pytest.approx(filled)
    unseen = learned * (2 * (40 - 17) * step / 2 + (40 - 20) / 2)
    assert (train - held) * COST.stocks / COST.score == pytest.approx(unseen)


def test_refused(data: TrainingData) -> None:
    with pytest.raises(RecipeError, match=r"arms\.0\.model: gru has no deep factors .*bi_agru"):
        jobs_of(data, arm_of(model={"kind": "gru"}))
    with pytest.raises(RecipeError, match=r"arms\.0\.fit_on: .*plan\.train_years = 2 or more"):
        jobs_of(data, arm_of(), fold=replace(FOLD, early=range(20, 20)))
    jobs_of(data, arm_of(fit_on="train"), fold=replace(FOLD, early=range(20, 20)))
    for given in ({"weighting": None}, {"model": None}):
        with pytest.raises(ValidationError, match="give a model and a weighting"):
            arm_of(fit_on="train", **given)
    for given in ({"weighting": None}, {"model": None}):
        with pytest.raises(ValidationError, match=r"beside\n.*give a model and a weighting"):
            arm_of(beside=[], **given)
    with pytest.raises(ValidationError, match="fit_on"):
        arm_of(fit_on="test")
    for wrong in (["prices"], ["fundamentals", "fundamentals"], "fundamentals"):
        with pytest.raises(ValidationError, match="beside"):
            arm_of(beside=wrong)
    bare = replace(data, inputs=StoredInputs())
    with pytest.raises(RecipeError, match=r"arms\.0\.model: .* fundamentals"):
        plan_jobs(bare, [arm_of()], [FOLD], PLAN, FIT, inputs={}, label={})
