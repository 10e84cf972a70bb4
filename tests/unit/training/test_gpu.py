"""On a GPU, where there is one: what it trains is what the processor trains, but for rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu.__main__ import apart
from benchmarks.gpu.ways import Size, Way, all_ways
from deepfactor.core.kind import Kind
from deepfactor.training.engine import run_jobs
from deepfactor.training.jobs import Job
from deepfactor.training.predictions import read_scores
from deepfactor.training.spec import Fit
from support.training import stored, toy_jobs, toy_training

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU: the same paths are tested without graphs"
)
GPU = torch.device("cuda")
FIT = Fit(epochs=3, seeds=(0,), min_stocks=5)


@pytest.mark.parametrize("way", all_ways(), ids=str)
def test_a_step_is_the_processors(way: Way, tmp_path: Path) -> None:
    one = apart(way, Size(compared=200), GPU, tmp_path)
    allowed = 2e-2 if way.precision == "bf16" else 1e-4
    assert max(one.scores, one.loss, one.gradients) < allowed, one


def jobs() -> list[Job]:
    kinds = [Kind(kind=name, hidden=4) for name in ("gru", "decomp_gru", "cross_gru", "bi_agru")]  # type: ignore[call-arg]
    return toy_jobs(toy_training(), *kinds, fit=FIT)


def test_jobs_are_the_processors_and_the_same_bits_each_time(tmp_path: Path) -> None:
    data = toy_training()
    places = {"cpu": "cpu", "once": "cuda", "again": "cuda"}
    for name, device in places.items():
        run_jobs(jobs(), stored(data, tmp_path / name), tmp_path / name, workers=0, device=device)
    for job in jobs():
        cpu, once, again = (read_scores(tmp_path / name / job.key)[1] for name in places)
        np.testing.assert_array_equal(once, again)
        centred = [one - np.nanmean(one, axis=1, keepdims=True) for one in (cpu, once)]
        np.testing.assert_allclose(*centred, rtol=0, atol=5e-3)
