"""Seeds averaged, folds joined, and what does not fit together refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfactor.core.checksums import sealed
from deepfactor.core.errors import DataError
from deepfactor.training.ensemble import average, collect
from deepfactor.training.jobs import Job
from deepfactor.training.plan import Fold
from support.training import FOLD, TINY, toy_jobs, toy_training

SYMBOLS = np.array(["600000.SH", "600001.SH", "600002.SH", "600003.SH"])
DATES = np.array(["2020-01-02", "2020-01-03", "2020-01-06"], "datetime64[D]")


def write(jobs: Path, job: Job, dates: list[str], symbols: list[str], values: np.ndarray) -> Job:
    """The job with these days, and what it would leave of them; of one more day that another run has asked for."""
    folder, read = jobs / job.key, dict.fromkeys(dates, "print")
    folder.mkdir(parents=True)
    np.save(folder / "scores.npy", np.vstack([values, np.full_like(values[:1], 9.0)]).astype(np.float32))
    axes = {"dates": [*dates, "2029-12-31"], "symbols": symbols, "read": read | {"2029-12-31": "later"}}
    (folder / "axes.json").write_text(json.dumps(sealed(axes)))
    (folder / "done").write_text("{}")
    return replace(job, dates=tuple(dates), read=read)


def test_ensemble_is_the_mean_of_daily_z_scores() -> None:
    rng = np.random.default_rng(0)
    seeds = [rng.standard_normal((5, 30)) * k for k in (1, 50)]
    for s in seeds:
        s[2, :7] = np.nan
    frames = [pd.DataFrame(s).T for s in seeds]
    wanted = sum((f - f.mean()) / f.std(ddof=0) for f in frames) / 2
    np.testing.assert_allclose(average(seeds), wanted.T, atol=1e-12)


def test_folds_are_joined_and_aligned(tmp_path: Path) -> None:
    data = toy_training()
    first = toy_jobs(data, TINY)
    second = toy_jobs(data, TINY, fold=Fold("next", range(20, 45), range(48, 60), range(63, 70)))
    early, late = ["2020-01-02"], ["2020-01-03", "2020-01-06"]
    first = [
        write(tmp_path, job, early, ["600001.SH", "600003.SH"], np.array([[1.0, 2.0 + k]]))
        for k, job in enumerate(first)
    ]
    second = [write(tmp_path, job, late, ["600000.SH"], np.array([[5.0], [np.nan]])) for job in second]
    arm = collect([*first, *second], tmp_path, DATES, SYMBOLS)["arm0"]
    nan = np.nan
    wanted = [[nan, 1, nan, 3], [5, nan, nan, nan], [nan] * 4]
    np.testing.assert_array_equal(arm.seeds[42].values, wanted)
    np.testing.assert_array_equal(arm.ensemble.values, [[nan, -1, nan, 1], [0, nan, nan, nan], [nan] * 4])
    assert arm.ensemble.name == "arm0"
    assert set(arm.seeds) == {0, 42}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    jobs = toy_jobs(toy_training(), TINY, fold=FOLD)
    with pytest.raises(DataError, match="arm0 toy seed 0 is not done"):
        collect(jobs, tmp_path, DATES, SYMBOLS)
    day, symbols = ["2020-01-02"], ["600001.SH", "600002.SH"]
    jobs = [
        write(tmp_path, job, day, symbols, np.array([values]))
        for job, values in zip(jobs, ([1.0, 2.0], [1.0, np.nan]), strict=True)
    ]
    with pytest.raises(DataError, match="seed 42 scores other stocks"):
        collect(jobs, tmp_path, DATES, SYMBOLS)
    with pytest.raises(DataError, match=r"a stock that the market doesn't have: 600001"):
        collect(jobs[:1], tmp_path, DATES, SYMBOLS[2:])
    with pytest.raises(DataError, match="a day that the market doesn't have: 2020-01-02"):
        collect(jobs[:1], tmp_path, DATES[1:], SYMBOLS)
