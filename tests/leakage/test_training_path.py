"""Training, validation and scores can't read the future, from the panel to the last bit; planted leaks are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.kind import Kind, kinds_in
from deepfactor.features._rank_codes import rank_codes
from deepfactor.inputs.day_features import DayFeatures
from deepfactor.labels import neutral_return
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted
from deepfactor.panel.universe import Universe
from deepfactor.training.arms import Arm
from deepfactor.training.baseline import Baseline
from deepfactor.training.baseline import scores as baseline_scores
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, settled_torch
from deepfactor.training.jobs import Job, task_of
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.scalings import last_close
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.spec import Fit
from deepfactor.training.stored import StoredInputs
from deepfactor.training.weightings.base import ROOM as WEIGHTINGS
from support.law import reads_future
from support.toy import toy_market
from support.training import LABEL
from support.training import training_of as build

REACH = neutral_return.reach(LABEL)
TRAIN, VALID, TEST = range(15, 60 - REACH), range(60, 90 - REACH), range(90, 120)
INPUTS = frozenset({"windows", "size_rank"})
ARM = Arm(name="tiny", model=Kind(kind="decomp_gru", hidden=4))  # type: ignore[call-arg]
FIT = Fit(epochs=2, seeds=(0,), min_stocks=5, lr=0.01)
BY_SEQUENCES = Fit(**FIT.model_dump(exclude_defaults=True), samples="sequences", steps=3, burn_in=1)

Market = tuple[Panel, Universe]
Build = Callable[[Panel, Universe], TrainingData]


@pytest.fixture(scope="module")
def market() -> Market:
    return toy_market(days=120, stocks=40)


def samples(
    panel: Panel, universe: Universe, *, build: Build = build, scaling: str = "last_close", split: int = 1
) -> np.ndarray:
    """(T, N, L·f + 1): each day's standardised windows and size ranks, NaN outside the batch."""
    data = build(panel, universe)
    sampler = Sampler(data, SCALINGS.choose(scaling)).split(split)
    out = np.full((*panel.shape, data.window * (6 if split == 1 else 12) + 1), np.nan)
    for t in range(len(panel.dates)):
        stocks = data.stocks(t)
        if len(stocks):
            batch = sampler.cross_section(t, INPUTS)
            out[t, stocks, :-1] = batch.windows.transpose(0, 1).reshape(len(stocks), -1).numpy()
            out[t, stocks, -1] = batch["size_rank"].numpy()
    return out


def targets(panel: Panel, universe: Universe, *, build: Build = build) -> np.ndarray:
    """(T, N) what the loss compares with, NaN where unlabelled."""
    data = build(panel, universe)
    out = np.full(panel.shape, np.nan)
    for t in range(len(panel.dates)):
        stocks = data.stocks(t)
        chosen = stocks[data.labelled(t, stocks)]
        if len(chosen):
            out[t, chosen] = standardise(data.label[t, chosen], "rank")
    return out


def fitted(data: TrainingData, folder: Path, train: range, valid: range, fit: Fit, kind: str) -> Fitter:
    """Two epochs on a market that may end before the test span begins; `kind` of sequences may be "kind:split"."""
    fold = Fold("toy", train, valid, range(TEST.start, len(data.dates)))
    name, _, split = kind.partition(":")
    model = Kind(kind=name, hidden=16, **({"split": split} if split else {}))
    arm = ARM if fit.samples == "windows" and kind == "decomp_gru" else Arm(name="s", model=model, scaling="by_day")
    job = Job(arm, fold, 0, fit, 3, 1, {"arm": arm.identity()})
    fitter = Fitter(task_of(job, data), Sampler(data), folder / "checkpoint.safetensors")
    fitter.checkpoint.unlink(missing_ok=True)
    fitter.run(lambda *event: None)
    return fitter


def weights(
    panel: Panel,
    universe: Universe,
    *,
    folder: Path,
    build: Build = build,
    train: range = TRAIN,
    valid: range = VALID,
    fit: Fit = FIT,
    kind: str = "decomp_gru",
) -> np.ndarray:
    """(T, …): what is known of the weights at the close of each day: from the eve of the test span on, all of them."""
    with settled_torch():
        fitter = fitted(build(panel, universe), folder, train, valid, fit, kind)
    log = [[row["loss"], row["valid_rank_ic"]] for row in fitter.course.log]
    flat = np.concatenate([v.numpy().ravel() for v in fitter.course.best.values()] + [np.ravel(log)])
    out = np.full((len(panel.dates), len(flat)), np.nan)
    out[TEST.start - 1 :] = flat
    return out


def scores(
    panel: Panel, universe: Universe, *, folder: Path, build: Build = build, fit: Fit = FIT, kind: str = "decomp_gru"
) -> np.ndarray:
    """(T, N) scores of the test span."""
    data = build(panel, universe)
    out = np.full(panel.shape, np.nan)
    with settled_torch():
        fitter = fitted(data, folder, TRAIN, VALID, fit, kind)
        for t in range(TEST.start, len(panel.dates)):
            stocks, score = fitter.scorer.scores(t)
            out[t, stocks] = score
    return out


EVE = range(TEST.start - 1, TEST.start)


@pytest.mark.parametrize("split", [1, 5])
@pytest.mark.parametrize("scaling", kinds_in("deepfactor.training.scalings"))
def test_samples_are_known_at_the_close(scaling: str, split: int, market: Market) -> None:
    found = partial(samples, scaling=scaling, split=split)
    assert np.isfinite(found(*market)).any(axis=(1, 2))[15:].all()
    assert reads_future(found, *market, range(20, 119, 14)) is None


def test_targets_reach_no_further_than_the_label_says(market: Market) -> None:
    assert reads_future(targets, *market, range(20, 119, 7), looks_ahead=REACH) is None
    assert reads_future(targets, *market, range(20, 119, 7), looks_ahead=REACH - 1) is not None


def test_weights_are_known_on_the_eve_of_the_test_span(market: Market, tmp_path: Path) -> None:
    assert reads_future(partial(weights, folder=tmp_path), *market, EVE) is None


def test_scores_are_known_at_the_close(market: Market, tmp_path: Path) -> None:
    found = partial(scores, folder=tmp_path)
    assert np.isfinite(found(*market)[TEST.start :]).any(axis=1).all()
    assert reads_future(found, *market, range(TEST.start, 119, 9)) is None


def with_ranks(panel: Panel, universe: Universe, *, ahead: int = 0) -> TrainingData:
    """With features of the day: codes of the day's returns and volumes; of a day `ahead` they are a leak."""
    data, close = build(panel, universe), adjusted(panel, "close")
    back = np.vstack([np.full((1, close.shape[1]), np.nan), close[1:] / close[:-1]])
    codes = np.stack([rank_codes(x.astype(np.float64)) for x in (back, panel["volume"], panel["vwap"])], axis=-1)
    codes = codes[np.minimum(np.arange(len(codes)) + ahead, len(codes) - 1)]
    held = DayFeatures(("ret_1", "volume", "vwap"), codes)
    return replace(data, inputs=StoredInputs({"day_features": held}, {"day_features": {}}))


@pytest.mark.slow
@pytest.mark.parametrize("fit", [BY_SEQUENCES, FIT], ids=["sequences", "windows"])
def test_a_network_beside_the_days_features_is_known_at_the_close(fit: Fit, market: Market, tmp_path: Path) -> None:
    """And tomorrow's features are caught."""
    by = {"folder": tmp_path, "fit": fit, "kind": "late_fusion_gru"}
    planted = partial(with_ranks, ahead=1)
    assert reads_future(partial(weights, build=with_ranks, **by), *market, EVE) is None
    assert np.isfinite(scores(*market, build=with_ranks, **by)[TEST.start :]).any(axis=1).all()
    assert reads_future(partial(scores, build=with_ranks, **by), *market, range(TEST.start, 119, 9)) is None
    assert reads_future(partial(scores, build=planted, **by), *market, range(95, 100)) is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "decomp_gru", "decomp_gru:before_scaling", "cross_gru"])
def test_sequences_and_streamed_scores_are_known_at_the_close(kind: str, market: Market, tmp_path: Path) -> None:
    by = {"folder": tmp_path, "fit": BY_SEQUENCES, "kind": kind}
    assert reads_future(partial(weights, **by), *market, EVE) is None
    assert np.isfinite(scores(*market, **by)[TEST.start :]).any(axis=1).all()
    assert reads_future(partial(scores, **by), *market, range(TEST.start, 119, 9)) is None
    assert reads_future(partial(scores, build=knows_tomorrows_suspension, **by), *market, range(95, 100)) is not None
    assert reads_future(partial(weights, build=label_shifted_by_one, **by), *market, EVE) is not None


def test_training_reads_no_label_of_the_validation_span(market: Market) -> None:
    """The first seam: what the last training row's label reads lies before the first validation row."""
    days = range(VALID.start - 1, VALID.start)

    def train_targets(panel: Panel, universe: Universe) -> np.ndarray:
        out = targets(panel, universe)
        out[TRAIN.stop :] = np.nan
        return out

    assert reads_future(train_targets, *market, days) is None

    def one_day_more(panel: Panel, universe: Universe) -> np.ndarray:
        out = targets(panel, universe)
        out[TRAIN.stop + 1 :] = np.nan
        return out

    assert reads_future(one_day_more, *market, days) is not None


def full_sample_zscore(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    x = data.features.values
    scaled = (x - np.nanmean(x, axis=(0, 1))) / np.nanstd(x, axis=(0, 1))
    return replace(data, features=replace(data.features, values=scaled))


def tomorrows_prices(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    x = data.features.values
    return replace(data, features=replace(data.features, values=np.concatenate([x[1:], x[-1:]])))


def label_shifted_by_one(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    return replace(data, label=np.vstack([data.label[1:], data.label[-1:]]))


def knows_tomorrows_suspension(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    return replace(data, eligible=data.eligible & np.vstack([universe.traded[1:], universe.traded[-1:]]))


@pytest.mark.parametrize("scaling", kinds_in("deepfactor.training.scalings"))
def test_a_planted_leak_is_caught_under_every_scaling(scaling: str, market: Market) -> None:
    planted = partial(samples, build=tomorrows_prices, scaling=scaling)
    assert reads_future(planted, *market, range(20, 119, 14)) is not None


def baseline(panel: Panel, universe: Universe, *, build: Build = build) -> np.ndarray:
    """(T, N + 7): scores of a ridge on single days over the test span, from the eve of it on its validation RankIC and
    its weights."""
    data = replace(build(panel, universe), window=1)
    ridge = WEIGHTINGS.choose("ridge")
    fold = Fold("toy", TRAIN, VALID, range(TEST.start, len(data.dates)))
    sampler = Sampler(data)
    fitted, judged = Baseline(ridge, fold, 2, 1, 5, 0).fit(sampler, lambda day, days: None)
    out = np.full((len(panel.dates), panel.shape[1] + 7), np.nan)
    out[TEST.start - 1 :, panel.shape[1] :] = [judged.rank_ic, *fitted.weights]
    for t in range(TEST.start, len(panel.dates)):
        stocks, score = baseline_scores(fitted, sampler, t)
        out[t, stocks] = score
    return out


def test_a_baseline_is_known_at_the_close(market: Market) -> None:
    found = baseline(*market)[TEST.start :]
    assert np.isfinite(found[:, -7:]).all()
    assert np.isfinite(found[:, :-7]).any(axis=1).all()
    assert reads_future(baseline, *market, range(TEST.start - 1, 119, 7)) is None
    assert reads_future(partial(baseline, build=knows_tomorrows_suspension), *market, range(95, 100)) is not None
    assert reads_future(partial(baseline, build=label_shifted_by_one), *market, EVE) is not None


@pytest.mark.parametrize("leak", [full_sample_zscore, knows_tomorrows_suspension], ids=lambda f: f.__name__)
def test_planted_leaks_in_the_inputs_are_caught(leak: Build, market: Market, tmp_path: Path) -> None:
    assert reads_future(partial(samples, build=leak), *market, range(20, 119, 14)) is not None
    assert reads_future(partial(scores, build=leak, folder=tmp_path), *market, range(95, 100)) is not None


def test_a_planted_shift_of_the_label_is_caught(market: Market, tmp_path: Path) -> None:
    shifted = partial(targets, build=label_shifted_by_one)
    assert reads_future(shifted, *market, range(20, 119, 7), looks_ahead=REACH) is not None
    assert reads_future(partial(weights, build=label_shifted_by_one, folder=tmp_path), *market, EVE) is not None


def test_a_missing_purge_is_caught(market: Market, tmp_path: Path) -> None:
    unpurged = partial(weights, folder=tmp_path, valid=range(VALID.start, TEST.start))
    assert reads_future(unpurged, *market, EVE) is not None


def test_statistics_of_another_day_are_caught(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day scaled by statistics that were pooled with the market's last day."""
    own = last_close.standard

    def pooled(panel: Panel, universe: Universe) -> np.ndarray:
        data = build(panel, universe)
        last = len(panel.dates) - 1
        final = own(last_close.Settings(), data.features, Sampler(data)._gather(last, data.stocks(last)).numpy())

        def leaking(settings, features, windows):  # type: ignore[no-untyped-def]
            found = own(settings, features, windows)
            return replace(found, mean=(found.mean + final.mean) / 2)

        with monkeypatch.context() as patch:
            patch.setattr(last_close, "standard", leaking)
            return samples(panel, universe)

    assert reads_future(pooled, *market, range(20, 119, 30)) is not None
