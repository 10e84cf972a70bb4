"""Raw features split before they are scaled: what the parts are, where they lie, and who reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from deepfactor.core.kind import Kind, kinds_in
from deepfactor.models import decomp_gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_record
from deepfactor.training.fit import Fitter
from deepfactor.training.jobs import Job, plan_jobs, task_of
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.scalings.store import Store
from deepfactor.training.sequences import Stream
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.splitting import split_rows
from deepfactor.training.work import run_job
from support.training import FOLD, NAMES, toy_training

WINDOWS = frozenset({"windows"})
SEQUENCES = {"samples": "sequences", "steps": 3, "burn_in": 2}
SCALES = kinds_in("deepfactor.training.scalings")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training()


def jobs_of(
    data: TrainingData, *splits: str, scaling: str = "last_close", cross_section: str = "size_group", **fit: object
) -> list[Job]:
    models = {
        split: Kind(kind="decomp_gru", hidden=8, split=split, cross_section=cross_section)  # type: ignore[call-arg]
        for split in splits
    }
    arms = [Arm(name=split, model=model, scaling=scaling) for split, model in models.items()]
    said = Fit(**{"epochs": 2, "seeds": (7,), "min_stocks": 5, **fit})
    return plan_jobs(data, arms, [FOLD], Plan(first_test=2019), said, inputs={}, label={})


def test_the_parts_are_a_moving_average_and_what_it_leaves(data: TrainingData) -> None:
    """By pandas; a missing day is missing in both, and left out of the averages that it would stand in."""
    values = data.features.values
    split = split_rows(values, range(len(values)), 5)
    for k in range(len(NAMES)):
        raw = pd.DataFrame(values[:, :, k].astype(np.float64))
        mean = raw.rolling(5, min_periods=1).mean().where(raw.notna())
        np.testing.assert_allclose(split[:, :, k], mean, atol=1e-6)
        np.testing.assert_allclose(split[:, :, k + len(NAMES)], raw - mean, atol=1e-6)


def test_rows_are_the_same_bits_however_they_are_asked_for(data: TrainingData) -> None:
    whole = split_rows(data.features.values, range(80), 5)
    for span in (range(3), range(3, 40), range(79, 80)):
        assert split_rows(data.features.values, span, 5).tobytes() == whole[span.start : span.stop].tobytes()
    after = data.features.values.copy()
    after[50:] += 1.0
    assert split_rows(after, range(50), 5).tobytes() == whole[:50].tobytes()


@pytest.mark.parametrize("scaling", SCALES)
def test_windows_hold_both_parts_scaled_by_themselves(scaling: str, data: TrainingData) -> None:
    """As if the parts were the market's own fields; whoever is in the batch stays the same."""
    sampler = Sampler(data, SCALINGS.choose(scaling))
    parts = split_rows(data.features.values, range(80), 5)
    roles = (*data.features.roles, *["plain"] * 6)
    names = (*NAMES, *(f"{name}_residual" for name in NAMES))
    fields = replace(data, features=replace(data.features, names=names, roles=roles, values=parts))
    for t in (30, 61):
        found = sampler.split(5).cross_section(t, WINDOWS).windows
        assert found.shape == (data.window, len(data.stocks(t)), 12)
        assert torch.equal(found, Sampler(fields, SCALINGS.choose(scaling)).cross_section(t, WINDOWS).windows)
    assert sampler.split(1) is sampler


def test_a_residual_is_a_deviation_and_tells_nothing_of_the_level(data: TrainingData) -> None:
    """A stock that stands still has none; a price's level, and a later adjustment of it, change nothing."""
    still = data.features.values.copy()
    stock = int(data.stocks(60)[0])
    still[40:61, stock, :5] = 2.5
    assert (split_rows(still, range(44, 61), 5)[:, stock, 6:11] == 0).all()
    moved = data.features.values.copy()
    moved[..., :5] += 0.75
    for scaling in SCALES:
        one, other = (
            Sampler(replace(data, features=replace(data.features, values=values)), SCALINGS.choose(scaling))
            .split(5)
            .cross_section(60, WINDOWS)
            .windows.clone()
            for values in (data.features.values, moved)
        )
        torch.testing.assert_close(one, other, rtol=0, atol=2e-3)


def test_a_days_row_is_the_same_in_every_window(data: TrainingData) -> None:
    """What a network that reads days once needs."""
    sampler = Sampler(data, SCALINGS.choose("by_day")).split(5)
    both = np.intersect1d(data.stocks(60), data.stocks(61))
    first, second = (
        sampler.cross_section(t, WINDOWS).windows[:, np.searchsorted(data.stocks(t), both)].clone() for t in (60, 61)
    )
    assert torch.equal(first[1:], second[:-1])


@pytest.mark.parametrize("scaling", ["last_close", "by_day"])
def test_what_is_kept_on_disk_is_what_is_made_in_memory(scaling: str, data: TrainingData, tmp_path: Path) -> None:
    kind = SCALINGS.choose(scaling)
    wanted = Sampler(data, kind).split(5).cross_section(60, WINDOWS).windows.clone()
    for _ in range(2):  # made, then found
        sampler = Sampler(data, kind, store=Store(tmp_path)).split(5)
        assert torch.equal(sampler.cross_section(60, WINDOWS).windows, wanted)
    assert not torch.equal(
        Sampler(data, kind, store=Store(tmp_path)).cross_section(60, WINDOWS).windows, wanted[..., :6]
    )
    rows = tmp_path / "split-5-1" / "rows.npy"
    rows.write_bytes(rows.read_bytes()[:-8] + b"\0" * 8)  # damaged: made again
    assert torch.equal(Sampler(data, kind, store=Store(tmp_path)).split(5).cross_section(60, WINDOWS).windows, wanted)


def test_the_network_reads_the_parts_where_it_read_its_own() -> None:
    """Given the average and the residual that it would make, it gives the scores of splitting by itself."""
    torch.manual_seed(0)
    after, before = (
        decomp_gru.build(decomp_gru.Settings(hidden=16, split=split), Shapes(6, 30))
        for split in ("after_scaling", "before_scaling")
    )
    before.load_state_dict(after.state_dict())
    windows, rank = torch.randn(30, 40, 6), torch.randperm(40)
    slow = decomp_gru.moving_average(decomp_gru.padded(windows, 5), 5)
    parts = torch.cat([slow, windows - slow], dim=2)
    with torch.no_grad():
        one, other = after(CrossSection(windows, {"size_rank": rank})), before(CrossSection(parts, {"size_rank": rank}))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
        ranks = rank.expand(10, -1)
        torch.testing.assert_close(
            after.sequence(windows, ranks, 4), before.sequence(parts, ranks, 4), rtol=0, atol=1e-5
        )
        state = None
        for p in range(10):
            state, scores = before.advance(state, parts[3 * p : 3 * p + 3], rank)
        torch.testing.assert_close(scores, one, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("scaling", "fit"), [("last_close", {}), ("by_day", {}), ("by_day", SEQUENCES)])
def test_a_job_trains_and_scores(scaling: str, fit: dict[str, object], data: TrainingData, tmp_path: Path) -> None:
    after, before = jobs_of(data, "after_scaling", "before_scaling", scaling=scaling, **fit)
    assert after.key != before.key
    assert "split" not in after.identity["arm"]["model"]
    for job in (after, before):
        run_job(job, Sampler(data, store=Store(tmp_path / "arrays")), tmp_path, lambda event: None)
        assert read_record(tmp_path / job.key)["days_scored"] == len(FOLD.test)
    one, other = (np.load(tmp_path / job.key / "scores.npy") for job in (after, before))
    assert not np.array_equal(one, other, equal_nan=True)
    assert np.array_equal(np.isfinite(one), np.isfinite(other))


def test_a_stream_begins_as_windows_do(data: TrainingData, tmp_path: Path) -> None:
    """It needs no day before a patch: the averages are in the rows."""
    (job,) = jobs_of(data, "before_scaling", scaling="by_day", cross_section="none", **SEQUENCES)
    fitter = Fitter(task_of(job, data), Sampler(data), tmp_path / "none")
    scorer, sampler = fitter.scorer, fitter.sampler
    assert scorer.network.memory == 0
    stream = Stream(scorer.network, sampler, range(50, 60))
    with torch.inference_mode():
        window = scorer.network(sampler.cross_section(50, fitter.task.inputs))
        torch.testing.assert_close(stream.scores(50), window, rtol=0, atol=1e-5)


def test_a_key_says_what_the_averages_read(data: TrainingData) -> None:
    """Four days before the first window's first."""
    first = FOLD.train.start - data.window + 1

    def keys(row: int) -> list[str]:
        values = data.features.values.copy()
        values[row] = np.nan_to_num(values[row]) + 1.0
        changed = replace(data, features=replace(data.features, values=values))
        return [job.key for job in jobs_of(changed, "after_scaling", "before_scaling")]

    own = [job.key for job in jobs_of(data, "after_scaling", "before_scaling")]
    for row in (first - 4, first - 1):
        assert [a == b for a, b in zip(keys(row), own, strict=True)] == [True, False]
    assert keys(first)[0] != own[0]
