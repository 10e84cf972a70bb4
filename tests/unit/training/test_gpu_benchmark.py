"""What the GPU benchmark measures is right where it can be seen without a GPU: on the processor, small."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.gpu import __main__ as bench
from benchmarks.gpu import plan
from benchmarks.gpu.fixed import FixedStep, batch, ic_loss, networks, resident
from benchmarks.gpu.stacked import StackedGRU, clip
from deepfactor.models import gru
from deepfactor.models.base import Shapes
from deepfactor.training.losses import ic
from deepfactor.training.samples import Sampler
from support.training import toy_training

CPU = torch.device("cpu")
DAYS = [40, 41, 60]
SETTINGS, SHAPES = gru.Settings(hidden=8), Shapes(features=6, window=9)


def fresh(seeds: int) -> list[gru.PatchGRU]:
    return networks(lambda: gru.build(SETTINGS, SHAPES), range(seeds))  # type: ignore[return-value]


def test_a_padded_day_holds_the_trainers_windows_and_its_loss_is_the_trainers() -> None:
    data = toy_training()
    market, sampler = resident(data, DAYS, CPU), Sampler(data)
    assert len({len(data.stocks(t)) for t in DAYS}) > 1  # so that some are padded
    for number, t in enumerate(DAYS):
        windows, day = batch(market, torch.tensor([number]))
        stocks = data.stocks(t)
        wanted = sampler.cross_section(t, frozenset({"windows"})).windows
        torch.testing.assert_close(windows[:, : len(stocks)], wanted, rtol=1e-5, atol=1e-5)
        labelled = day.weight.bool()
        assert int(labelled.sum()) == len(data.labelled(t, stocks))
        scores = torch.randn(2, windows.shape[1])
        alone = sum(ic.loss(ic.Settings(), one[labelled], day.target[labelled]) for one in scores)
        torch.testing.assert_close(ic_loss(scores, day), alone)


def test_stacked_seeds_score_and_learn_as_each_alone() -> None:
    data = toy_training()
    market, own = resident(data, DAYS, CPU), fresh(3)
    stacked = StackedGRU(own)
    windows, day = batch(market, torch.tensor([0]))
    scores = stacked(windows)
    ic_loss(scores, day).backward()  # type: ignore[no-untyped-call]
    clip(stacked, 0.05)
    patches = windows.permute(1, 2, 0)
    for seed, network in enumerate(own):
        embedded = network.embedding.norm(network.embedding.conv(patches).permute(2, 0, 1))
        alone = network.head(network.gru(embedded)[0][-1]).squeeze(1)
        torch.testing.assert_close(scores[seed], alone, rtol=1e-5, atol=1e-5)
        ic_loss(alone[None], day).backward()  # type: ignore[no-untyped-call]
        assert torch.nn.utils.clip_grad_norm_(network.parameters(), 0.05) > 0.05  # so that it clips
        assert stacked.again.grad is not None
        torch.testing.assert_close(stacked.again.grad[seed], network.gru.weight_hh_l0.grad.T, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(stacked.head.grad[seed, :, 0], network.head.weight.grad[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bf16", [False, True])
def test_steps_learn_and_a_graph_is_taken_on_a_gpu_alone(bf16: bool) -> None:
    market = resident(toy_training(), DAYS, CPU)
    losses = {}
    for graph in (False, True):
        step = FixedStep(StackedGRU(fresh(2)), market, 1e-2, 3.0, bf16=bf16, graph=graph)
        losses[graph] = []
        for number in [0, 1, 2] * 10:
            step(number)
            losses[graph].append(float(step.loss))
    assert losses[False] == losses[True]
    assert np.mean(losses[True][-3:]) < np.mean(losses[True][:3]) - 0.2


def test_the_command_runs_small(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", "--dry"])
    bench.main()
    import json

    said = json.loads(capsys.readouterr().out.replace("NaN", "null"))
    assert max(said["apart"].values()) < 1e-4
    assert [one["way"] for one in said["speed"]][-1] == "graph, bf16, 2 seeds stacked"


def test_the_simulation_shares_out_and_loses_what_stops() -> None:
    one = plan.simulate(1, [1.0] * 32, between=1e9)
    assert 2.0 < one.hours < 4.0
    assert (one.failures, one.lost, one.ideal) == (0, 0.0, 2.0)
    torn = plan.simulate(4, [2.0] * 400, between=5.0)
    assert torn.failures > 10
    assert 0 < torn.lost < torn.failures * 2.0 / 30 + 1e-9
    assert torn.hours > plan.simulate(4, [2.0] * 400, between=1e9).hours
    assert plan.simulate(4, [2.0] * 400, between=5.0) == torn
    assert any("not yet run" in line for line in plan.lines())
