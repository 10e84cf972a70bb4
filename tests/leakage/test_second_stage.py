"""A weighting behind a network can't read the future; planted leaks are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepfactor.inputs import fundamentals
from deepfactor.labels import neutral_return
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.training import second_stage
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, settled_torch
from deepfactor.training.jobs import Job, baseline_of, task_of
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit
from deepfactor.training.stored import StoredInputs
from support.law import reads_future
from support.parts import company_market
from support.training import LABEL, training_of

REACH = neutral_return.reach(LABEL)
FOLD = Fold(
    "toy", range(15, 60 - REACH), range(60, 80 - REACH), range(80, 100), range(15, 45 - REACH), range(45, 60 - REACH)
)
ARM = Arm.model_validate(
    {
        "name": "second",
        "model": {"kind": "bi_agru", "hidden": 4, "layers": 1, "factors": 2, "orthogonal": True},
        "weighting": {"kind": "ridge"},
    }
)
EVE = range(FOLD.test.start - 1, FOLD.test.start)

Market = tuple[Panel, Universe]
Build = Callable[[Panel, Universe], TrainingData]


@pytest.fixture(scope="module")
def market() -> Market:
    return company_market(days=100, stocks=100)


def build(panel: Panel, universe: Universe) -> TrainingData:
    """With the companies' quarters."""
    quarters = fundamentals.prepare(fundamentals.Settings(quarters=4), panel, universe, universe.listed)
    return replace(training_of(panel, universe), inputs=StoredInputs({"fundamentals": quarters}))


def known(panel: Panel, universe: Universe, *, folder: Path, build: Build = build, fold: Fold = FOLD) -> np.ndarray:
    """(T, N + …): scores of the test span; from its eve on signs, weights and validation RankIC."""
    data = build(panel, universe)
    fold = replace(fold, test=range(fold.test.start, len(data.dates)))
    job = Job(ARM, fold, 0, Fit(epochs=1, seeds=(0,), min_stocks=5), 3, 1, {"arm": ARM.identity()})
    with settled_torch():
        fitter = Fitter(task_of(job, data), Sampler(data), folder / "checkpoint.safetensors")
        fitter.checkpoint.unlink(missing_ok=True)
        fitter.run(lambda *event: None)
        quarters = second_stage.quarters_beside(ARM, data)
        stage = second_stage.fit(baseline_of(job), fitter.scorer, quarters, lambda day, days: None)
        own = stage.weighted
        fitted = np.concatenate([own.signs, stage.rank_ics, own.fitted.weights, [stage.valid_rank_ic]])  # type: ignore[attr-defined]
        out = np.full((len(panel.dates), panel.shape[1] + len(fitted)), np.nan)
        out[fold.test.start - 1 :, panel.shape[1] :] = fitted
        for t in fold.test:
            stocks, score = own.scores(t)
            out[t, stocks] = score
    return out


def test_signs_weights_and_scores_are_known_at_the_close(market: Market, tmp_path: Path) -> None:
    found = partial(known, folder=tmp_path)
    whole = found(*market)[FOLD.test.start :, : market[0].shape[1]]
    assert np.isfinite(whole).any(axis=1).all()
    assert reads_future(found, *market, range(EVE.start, 99, 10)) is None


def label_shifted_by_one(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    return replace(data, label=np.vstack([data.label[1:], data.label[-1:]]))


def tomorrows_quarters(panel: Panel, universe: Universe) -> TrainingData:
    data = build(panel, universe)
    quarters = data.inputs.held["fundamentals"]
    change = quarters.change
    late = replace(quarters, change=np.vstack([change[9:], np.repeat(change[-1:], 9, axis=0)]))
    return replace(data, inputs=StoredInputs({"fundamentals": late}))


@pytest.mark.slow
def test_planted_leaks_are_caught(market: Market, tmp_path: Path) -> None:
    assert reads_future(partial(known, folder=tmp_path, build=label_shifted_by_one), *market, EVE) is not None
    assert reads_future(partial(known, folder=tmp_path, build=tomorrows_quarters), *market, range(85, 90)) is not None
    seam = replace(FOLD, valid=range(60, 80))
    assert reads_future(partial(known, folder=tmp_path, fold=seam), *market, EVE) is not None
