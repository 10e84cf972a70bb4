"""What the GPU benchmark measures is right where it can be seen without a GPU: on the processor, small."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks.gpu import __main__ as bench
from benchmarks.gpu import plan
from benchmarks.gpu.stacked import StackedGRU, StackedStep, clip, fresh
from deepfactor.models import gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.training.losses import ic
from deepfactor.training.samples import Sampler
from support.compiled import runnable
from support.training import toy_training

SETTINGS, SHAPES = gru.Settings(hidden=8), Shapes(features=6, window=9)


def test_stacked_seeds_score_and_learn_as_each_alone() -> None:
    windows = Sampler(toy_training()).cross_section(40, gru.INPUTS).windows
    own = fresh(3, SETTINGS, SHAPES)
    stacked = StackedGRU(own)
    scores = stacked(windows)
    target = torch.randn(scores.shape[1])
    sum(ic.loss(ic.Settings(), one, target) for one in scores).backward()  # type: ignore[union-attr]
    clip(stacked, 0.05)
    for seed, network in enumerate(own):
        alone = network(CrossSection(windows))
        torch.testing.assert_close(scores[seed], alone, rtol=1e-5, atol=1e-5)
        ic.loss(ic.Settings(), alone, target).backward()  # type: ignore[no-untyped-call]
        assert torch.nn.utils.clip_grad_norm_(network.parameters(), 0.05) > 0.05  # so that it clips
        assert stacked.again.grad is not None
        torch.testing.assert_close(stacked.again.grad[seed], network.gru.weight_hh_l0.grad.T, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(stacked.head.grad[seed, :, 0], network.head.weight.grad[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bf16", [False, True])
def test_stacked_steps_learn(bf16: bool) -> None:
    step = StackedStep(Sampler(toy_training()), 2, 24, SETTINGS, bf16=bf16)
    losses = [step(t).numpy() for t in [40, 41, 42] * 20]
    assert (np.mean(losses[-3:], axis=0) < np.mean(losses[:3], axis=0) - 0.1).all()


@pytest.mark.slow
@pytest.mark.skipif(not runnable(), reason="bf16 on the processor needs the compiled GRU, which isn't built here")
def test_the_command_runs_small(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it: on the processor, one shape is the day's own shape but for rounding."""
    monkeypatch.setattr("sys.argv", ["gpu", "--dry"])
    bench.main()
    said = json.loads(capsys.readouterr().out)
    assert len(said["apart"]) == len(bench.all_ways()) == 12
    for one in said["apart"]:
        allowed = 5e-3 if one["way"].endswith("bf16") else 1e-4  # a sum's last bit may round to the next bfloat16
        assert max(one["loss"], one["scores"], one["gradients"]) < allowed, one
    assert [one["way"] for one in said["speed"]][12:] == [
        "gru on windows, float32, a graph, processes: 1",
        "gru on windows, bf16, a graph, processes: 1",
        "gru on windows, float32, 2 seeds stacked",
        "gru on windows, bf16, 2 seeds stacked",
    ]


def test_the_page_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    text = bench.page([bench.Apart("a way", 1e-6, 2e-6, 3e-6)], [bench.Speed("8 seeds", 2.0, 0.25)])
    assert "on a GPU, torch" in text
    assert "| 8 seeds | 2.00 | 0.25 |" in text
    assert "| a way | 1.0e-06 | 2.0e-06 | 3.0e-06 |" in text


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


def test_the_roof_of_eight_seeds_is_the_devices_own_in_float32_and_the_graphs_share_in_bf16() -> None:
    half, full = plan.roof(), plan.roof(bf16=False)
    assert full.seed(8) == pytest.approx(full.arithmetic)
    assert half.seed(8) == pytest.approx(half.launches_graph / 8)
    assert half.seed(1) == full.seed(1) == half.launches_graph
    assert half.launches_eager > 3 * half.launches_graph
