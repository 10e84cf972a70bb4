"""Losses against their formulas in numpy, and what their kinds must offer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.core.spec import Spec
from deepfactor.training.losses import ic, listnet, top_ic, weighted_mse

ROOM = "deepfactor.training.losses"


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y = rng.standard_normal(200)
    return 0.5 * y + rng.standard_normal(200), y


@pytest.mark.parametrize("kind", kinds_in(ROOM))
def test_every_loss_keeps_the_rooms_contract(kind: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    module = load_kind(ROOM, kind)
    assert issubclass(module.Settings, Spec)
    assert module.target(module.Settings()) in ("rank", "zscore")
    prediction = torch.tensor(pair[0], requires_grad=True)
    value = module.loss(module.Settings(), prediction, torch.tensor(pair[1]))
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(prediction.grad).all()
    assert prediction.grad.abs().sum() > 0


def test_ic_is_minus_the_correlation(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = map(torch.tensor, pair)
    assert ic.loss(ic.Settings(), p, y).item() == pytest.approx(-np.corrcoef(*pair)[0, 1], rel=1e-6)
    assert ic.loss(ic.Settings(), 3 * p + 7, y).item() == pytest.approx(-np.corrcoef(*pair)[0, 1], rel=1e-6)


def test_ic_of_equal_predictions_is_zero_with_finite_gradient() -> None:
    p = torch.full((5,), 2.0, requires_grad=True)
    value = ic.loss(ic.Settings(), p, torch.arange(5.0))
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(p.grad).all()


@pytest.mark.parametrize(("tau", "alpha"), [(1.0, 2.0), (0.5, 0.7), (1.0, 0.0)])
def test_weighted_mse_by_its_formula(tau: float, alpha: float, pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = pair
    s = np.maximum(y - tau, 0)
    w = 1 + alpha * (1 / (1 + np.exp(-s)) - 0.5)
    got = weighted_mse.loss(weighted_mse.Settings(tau=tau, alpha=alpha), torch.tensor(p), torch.tensor(y)).item()
    assert got == pytest.approx(np.mean(w * (p - y) ** 2), rel=1e-12)


def test_weight_runs_from_one_to_two() -> None:
    settings = weighted_mse.Settings()

    def weight(y: float) -> float:
        target = torch.tensor([y], dtype=torch.float64)
        return weighted_mse.loss(settings, target + 1, target).item()

    assert weight(-3) == weight(1) == 1
    assert weight(1.5) > 1
    assert weight(40) == pytest.approx(2)


def test_the_ic_loss_can_take_z_scored_labels() -> None:
    assert ic.target(ic.Settings()) == "rank"
    assert ic.target(ic.Settings(target="zscore")) == "zscore"
    assert "target" not in ic.Settings().identity()  # jobs trained before keep their keys


@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_listnet_by_its_formula(temperature: float, pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = pair
    mass = np.exp(y / temperature) / np.exp(y / temperature).sum()
    logs = p - np.log(np.exp(p).sum())
    settings = listnet.Settings(temperature=temperature)
    got = listnet.loss(settings, torch.tensor(p), torch.tensor(y)).item()
    assert got == pytest.approx(-(mass * logs).sum(), rel=1e-9)
    assert listnet.loss(settings, torch.tensor(p + 5), torch.tensor(y)).item() == pytest.approx(got, rel=1e-9)


def test_top_ic_is_a_weighted_correlation_and_without_strength_the_ic(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = pair[0], (np.argsort(np.argsort(pair[1])) + 0.5) / 200 * np.sqrt(12) - np.sqrt(3)
    w = np.exp(3 * (y / np.sqrt(12) + 0.5))
    c = np.cov(p, y, aweights=w)
    got = top_ic.loss(top_ic.Settings(), torch.tensor(p), torch.tensor(y)).item()
    assert got == pytest.approx(-c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]), rel=1e-6)
    assert w.max() / w.min() == pytest.approx(np.exp(3), rel=0.02)
    plain = top_ic.loss(top_ic.Settings(strength=0.0), torch.tensor(p), torch.tensor(y)).item()
    assert plain == pytest.approx(ic.loss(ic.Settings(), torch.tensor(p), torch.tensor(y)).item(), rel=1e-6)
