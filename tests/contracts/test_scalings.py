"""What every scaling kind must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.training import samples
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.scalings.base import OnDevice, rows_back
from deepfactor.training.scalings.store import Store
from support.training import stored, toy_training

ROOM = "deepfactor.training.scalings"
INPUTS = frozenset({"windows"})
DAYS = (6, 8, 30, 50, 79)


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def sampler(data: TrainingData, kind: ModuleType, store: Store | None = None) -> Sampler:
    return Sampler(data, SCALINGS.choose(kind.__name__.split(".")[-1]), store=store)


def windows(data: TrainingData, kind: ModuleType, store: Store | None = None) -> list[np.ndarray]:
    """(L, b, f) of each of `DAYS`, twice over: fresh and from what is kept."""
    made = sampler(data, kind, store)
    return [made.cross_section(t, INPUTS).windows.numpy().copy() for t in (*DAYS, *DAYS)]


def test_the_room_is_not_empty() -> None:
    assert {"by_day", "in_window", "last_close"} <= set(kinds_in(ROOM))


def test_windows_are_finite_and_of_unit_scale(kind: ModuleType) -> None:
    data = toy_training(stocks=80)
    for t, x in zip(DAYS, windows(data, kind), strict=False):
        assert x.shape == (data.window, len(data.stocks(t)), 6)
        assert np.isfinite(x).all()
        assert np.abs(x).max() < 50
    x = windows(data, kind)[3]
    assert 0.5 < x[:-1][x[:-1] != 0].std() < 1.5


def test_missing_is_zero(kind: ModuleType) -> None:
    data, t = toy_training(), 30
    days = data.features.values[t + 1 - data.window : t + 1][:, data.stocks(t)]
    assert np.isnan(days).any()
    assert not sampler(data, kind).cross_section(t, INPUTS).windows.numpy()[np.isnan(days)].any()


def test_a_later_adjustment_factor_changes_nothing(kind: ModuleType) -> None:
    """All prices of a stock times two, all its volumes by two: the same sample but for rounding."""
    data = toy_training()
    values = data.features.values.copy()
    values[:, 7, :5] += np.float32(np.log(2))
    values[:, 7, 5] -= np.float32(np.log(2))
    other = replace(data, features=replace(data.features, values=values))
    for a, b in zip(windows(data, kind), windows(other, kind), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_statistics_of_a_gpu_are_the_hosts_but_for_rounding(
    kind: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the same torch code as on a GPU; nothing of it is written where the host would read it."""
    data = toy_training()
    wanted, folder = windows(data, kind), stored(data, tmp_path)
    monkeypatch.setattr(samples, "is_host", lambda device: False)
    for a, b in zip(windows(data, kind, Store(folder)), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert isinstance(kind, OnDevice) == (kind.SCALES == "windows")
    assert not list(folder.glob("scaled-*/*.standard"))


def test_kept_on_disk_and_in_memory_the_same_bits(kind: ModuleType, tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = toy_training()
    folder = stored(data, tmp_path)
    wanted = windows(data, kind)
    for _ in range(2):  # written, then read by another process
        for a, b in zip(wanted, windows(data, kind, Store(folder)), strict=True):
            np.testing.assert_array_equal(a, b)
    for path in folder.glob("scaled-*/*.standard"):
        path.write_bytes(path.read_bytes()[:-9])  # torn by a crash
    for a, b in zip(wanted, windows(data, kind, Store(folder)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_are_read_no_further_back_than_it_says(kind: ModuleType) -> None:
    """Nothing before the window's first row less `rows_back` matters; so a job's key can say what was read."""
    data, t = toy_training(), 60
    scaling = SCALINGS.choose(kind.__name__.split(".")[-1])
    values = data.features.values.copy()
    values[: t + 1 - data.window - rows_back(scaling)] = 0.123
    other = replace(data, features=replace(data.features, values=values))
    a, b = (sampler(d, kind).cross_section(t, INPUTS).windows.clone() for d in (data, other))
    assert torch.equal(a, b)


def test_stocks_of_no_batch_do_not_matter(kind: ModuleType) -> None:
    """A job's key leaves them out."""
    data = toy_training()
    eligible = data.eligible.copy()
    eligible[:, 4] = False
    data = replace(data, eligible=eligible)
    values = data.features.values.copy()
    values[:, 4] = np.random.default_rng(1).standard_normal(values[:, 4].shape)
    other = replace(data, features=replace(data.features, values=values))
    for a, b in zip(windows(data, kind), windows(other, kind), strict=True):
        np.testing.assert_array_equal(a, b)
