"""The one place in which processor and GPU differ: without a GPU its other side is run on the processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepfactor.core.errors import UserError
from deepfactor.core.kind import Kind
from deepfactor.training.device import CPU, DeviceRows, device_of, float32_throughout, graphed, takes_graphs
from deepfactor.training.engine import run_jobs
from deepfactor.training.samples import Sampler
from support.training import FIT, TINY, stored, toy_jobs, toy_training

BOTH = frozenset({"windows", "size_rank"})


def test_devices_that_are_not_there_say_so() -> None:
    assert device_of("cpu") == CPU
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(UserError, match=f"device {absent} is not there: this torch"):
        device_of(absent)
    for name in ("gpu", "meta", ""):
        with pytest.raises(UserError, match=r"give cpu( or|,) cuda"):
            device_of(name)


def test_no_job_starts_without_its_device(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = toy_training()
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(UserError, match="is not there") as caught:
        run_jobs(toy_jobs(data), stored(data, tmp_path), tmp_path, workers=2, device=absent)
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["inputs-toy"]


def test_resident_rows_are_the_mapped_ones() -> None:
    values = np.random.default_rng(0).standard_normal((9, 7, 3)).astype(np.float32)
    mapped, resident = DeviceRows(values, CPU), DeviceRows(values, CPU)
    resident._resident = torch.tensor(values)
    stocks = np.array([0, 2, 6])
    one, other = torch.empty(4, 3, 3), torch.empty(4, 3, 3)
    mapped.gather(3, 7, stocks, one)
    resident.gather(3, 7, stocks, other)
    assert torch.equal(one, other)
    np.testing.assert_array_equal(one.numpy(), values[3:7][:, stocks])
    away = DeviceRows(values, torch.device("meta"))
    away.gather(3, 7, stocks, torch.empty(4, 3, 3, device="meta"))


@pytest.mark.parametrize("model", [TINY, Kind(kind="decomp_gru", hidden=4)])  # type: ignore[call-arg]
def test_what_a_network_reads_lies_on_the_samplers_device(model: Kind) -> None:
    """On torch's meta device, which has shapes alone: a tensor made on the processor in between would be refused."""
    from deepfactor.models.base import ROOM, CrossSection, Shapes

    data, t = toy_training(), 40
    meta = torch.device("meta")
    sampler = Sampler(data, device=meta)
    stocks = data.stocks(t)
    windows = sampler._gather(t, stocks)
    assert windows.device == meta
    here = Sampler(data).cross_section(t, BOTH)
    assert windows.shape == here.windows.shape
    kind = ROOM.choose(model)
    network = kind.part.build(kind.settings, Shapes(features=6, window=data.window)).to(meta)
    score = network(CrossSection(windows, {"size_rank": here["size_rank"].to(meta)}))
    assert score.device == meta
    assert score.shape == (len(stocks),)


def test_a_graph_is_taken_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, sample = torch.nn.Linear(2, 1), (torch.zeros(3, 2),)
    taken: list[object] = []
    monkeypatch.setattr(
        torch.cuda, "make_graphed_callables", lambda *given, **how: taken.append((given, how)) or "made"
    )
    assert graphed(layer, sample) is layer
    assert not taken
    monkeypatch.setattr("deepfactor.training.device.takes_graphs", lambda device: True)
    assert graphed(layer, sample) == "made"
    assert taken == [((layer, sample), {"allow_unused_input": True})]
    assert takes_graphs(torch.device("cuda:1"))
    assert not takes_graphs(CPU)


def test_float32_is_float32_while_training() -> None:
    cudnn = torch.backends.cudnn
    before = (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, cudnn.enabled)
    with float32_throughout():
        assert (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, cudnn.enabled) == (
            False,
            True,
            False,
            before[3],
        )
    assert (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, cudnn.enabled) == before


def test_the_record_says_where(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from deepfactor.training.finished import read_record

    data = toy_training()
    job = toy_jobs(data, fit=FIT.model_copy(update={"epochs": 1}))[0]
    run_jobs([job], stored(data, tmp_path), tmp_path, workers=0, device="cpu")
    assert read_record(tmp_path / job.key)["device"] == "cpu"
