"""Consecutive days that share a network's front end score as from whole windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deepfactor.core.kind import Kind
from deepfactor.models.base import ROOM as MODELS
from deepfactor.models.base import Shapes
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import settled_torch
from deepfactor.training.front import Front, front_of
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS
from support.training import toy_training

INPUTS = frozenset({"windows"})
BY_DAY = SCALINGS.choose(Kind(kind="by_day", trailing=5))  # type: ignore[call-arg]
SETTINGS: dict[str, dict[str, object]] = {
    "folded": {"kind": "gru", "hidden": 32},
    "not folded": {"kind": "gru", "hidden": 16},  # patches are wider than the embedding
    "two days": {"kind": "gru", "hidden": 16, "patch": 2},
}


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training(window=12)


def network(settings: dict[str, object]) -> torch.nn.Module:
    torch.manual_seed(1)
    model = MODELS.choose(Kind(**settings))  # type: ignore[arg-type]
    return model.part.build(model.settings, Shapes(features=6, window=12)).eval()


def compare(net: torch.nn.Module, front: Front, sampler: Sampler, days: range) -> None:
    with torch.inference_mode(), settled_torch():
        for t in days:
            expected: Tensor = net(sampler.cross_section(t, INPUTS)).clone()
            torch.testing.assert_close(front.scores(t), expected, rtol=0, atol=1e-6)
            assert float(expected.std()) > 1e-3


@pytest.mark.parametrize("kernels", ["auto", "off"])
@pytest.mark.parametrize("name", SETTINGS)
def test_as_from_whole_windows(name: str, kernels: str, data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    """From days with rows before the market's first on; days left out, and a step back."""
    monkeypatch.setenv("DEEPFACTOR_KERNELS", kernels)
    net, sampler = network(SETTINGS[name]), Sampler(data, BY_DAY)
    front = front_of(net, sampler)
    assert front is not None
    for days in (range(8, 40), range(45, 70, 4), range(30, 33)):
        compare(net, front, sampler, days)


def test_new_weights_are_seen_once_the_old_are_forgotten(data: TrainingData) -> None:
    net, sampler = network(SETTINGS["folded"]), Sampler(data, BY_DAY)
    front = front_of(net, sampler)
    assert front is not None
    compare(net, front, sampler, range(40, 45))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)
    with pytest.raises(AssertionError, match="not close"):
        compare(net, front, sampler, range(42, 43))
    front.forget()
    compare(net, front, sampler, range(42, 45))


def test_the_same_bits_whatever_was_scored_before(data: TrainingData) -> None:
    net, sampler = network(SETTINGS["folded"]), Sampler(data, BY_DAY)
    with torch.inference_mode(), settled_torch():
        first, second = front_of(net, sampler), front_of(net, sampler)
        assert first is not None
        assert second is not None
        for t in range(40, 60):
            last = first.scores(t)
        np.testing.assert_array_equal(last.numpy(), second.scores(59).numpy())


def test_only_where_a_row_is_the_same_in_every_window(data: TrainingData) -> None:
    for kind in ("last_close", "in_window"):
        assert front_of(network(SETTINGS["folded"]), Sampler(data, SCALINGS.choose(kind))) is None
    assert front_of(network({"kind": "decomp_gru"}), Sampler(data, BY_DAY)) is None
