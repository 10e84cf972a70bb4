"""The orthogonal layer: what it gives is uncorrelated to the last digit, and says when it can't be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind
from deepfactor.models import bi_agru
from deepfactor.models._orthogonal import LEAST_STOCKS, orthogonal, whitened
from deepfactor.models.base import ROOM, CrossSection, Shapes, inputs_of

EXPOSURES = 8  # six industries, ln cap, BP
SHAPES = Shapes(features=6, window=30, widths={"exposures": EXPOSURES})
ALL = ("industry", "size", "value")


def factors(b: int = 300, n: int = 32, seed: int = 0) -> Tensor:
    """Strongly collinear, of very different scales, not centred."""
    g = torch.Generator().manual_seed(seed)
    mixed = torch.randn(b, n, generator=g) @ (torch.randn(n, n, generator=g) + 4.0)
    return mixed * torch.logspace(-4, 2, n) + torch.randn(n, generator=g)


def exposures(b: int = 300, seed: int = 1) -> Tensor:
    """Industry dummies that add up to one, one of them empty; ln cap and BP, correlated."""
    g = torch.Generator().manual_seed(seed)
    dummies = torch.nn.functional.one_hot(torch.randint(0, EXPOSURES - 3, (b,), generator=g), EXPOSURES - 2)
    cap = torch.randn(b, 1, generator=g)
    return torch.cat([dummies.float(), cap, torch.randn(b, 1, generator=g) - cap], dim=1)


def correlation(*parts: Tensor) -> np.ndarray:
    """By numpy, in float64."""
    return np.corrcoef(np.hstack([part.double().numpy() for part in parts]), rowvar=False)


def off_identity(found: Tensor) -> float:
    return float(np.abs(correlation(found) - np.eye(found.shape[1])).max())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("projected", [False, True])
def test_uncorrelated_to_six_digits(seed: int, projected: bool) -> None:
    raw, out = factors(seed=seed), exposures(seed=seed)
    assert off_identity(raw) > 0.9
    found = orthogonal(raw, out if projected else None)
    assert found is not None
    assert found.dtype == torch.float32
    assert off_identity(found) < 1e-6
    np.testing.assert_allclose(found.double().std(dim=0, correction=0), 1, rtol=1e-6)
    known = out[:, out.std(dim=0) > 0]
    with_exposures = np.abs(correlation(found, known)[:32, 32:]).max()
    assert bool(with_exposures < 1e-6) is projected


def test_it_is_gram_schmidt_in_the_order_of_the_factors() -> None:
    """A factor is what the ones before leave of it, its sign kept; its own scale doesn't matter."""
    raw = factors(n=4).double()
    found = orthogonal(raw)
    assert found is not None
    for k in range(4):
        design = np.column_stack([np.ones(len(raw)), raw[:, :k].numpy()])
        own = raw[:, k].numpy()
        left = own - design @ np.linalg.lstsq(design, own, rcond=None)[0]
        np.testing.assert_allclose(found[:, k], left / left.std(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(orthogonal(raw * torch.tensor([3.0, 0.01, 1.0, 70.0])), found)


def test_the_training_form_goes_to_the_exact_one_as_the_ridge_matters_less() -> None:
    raw = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    found, exact = whitened(raw), orthogonal(raw)
    assert exact is not None
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-3)
    assert off_identity(found) < 1e-3
    slow = raw.double() - raw.double().mean(dim=0)
    slow = slow / slow.std(dim=0, correction=0)
    lower = np.linalg.cholesky((slow.T @ slow / 500 + 1e-4 * torch.eye(8)).numpy())
    np.testing.assert_allclose(found, np.linalg.solve(lower, slow.numpy().T).T, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("projected", [False, True])
def test_gradients(projected: bool) -> None:
    out = exposures(70) if projected else None
    raw = torch.randn(70, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: whitened(x, out), raw)
    assert torch.autograd.gradcheck(lambda x: orthogonal(x, out), raw)


def test_days_without_output() -> None:
    assert orthogonal(factors(LEAST_STOCKS - 1, 3)) is None
    assert orthogonal(factors(LEAST_STOCKS, 3)) is not None
    twice, constant, blend = factors(n=6), factors(n=6), factors(n=6)
    twice[:, 4] = twice[:, 1]
    constant[:, 2] = 0.7
    blend[:, 5] = blend[:, 0] + blend[:, 1] - 0.5 * blend[:, 3] + 2
    assert [orthogonal(day) for day in (twice, constant, blend)] == [None] * 3
    assert orthogonal(factors(n=3), torch.cat([factors(n=3)[:, 1:2], exposures()], dim=1)) is None
    assert orthogonal(factors(70, 66)) is not None
    assert orthogonal(factors(70, 66), exposures(70)) is None, "66 factors in the 70 - 1 - 6 dimensions left"


@pytest.mark.parametrize("b", [1, 2, 40])
def test_the_training_form_is_finite_on_any_day(b: int) -> None:
    for raw in (factors(b), torch.zeros(b, 32), torch.ones(b, 32)):
        raw.requires_grad_(True)
        found = whitened(raw, exposures(b))
        (found * torch.randn(b, 32, generator=torch.Generator().manual_seed(0))).sum().backward()
        assert torch.isfinite(found).all()
        assert raw.grad is not None
        assert torch.isfinite(raw.grad).all()


def day(b: int = 120, seed: int = 4) -> CrossSection:
    windows = torch.randn(SHAPES.window, b, 6, generator=torch.Generator().manual_seed(seed))
    return CrossSection(windows, {"exposures": exposures(b)})


@pytest.mark.parametrize("project", [(), ("size",), ("value", "industry"), ALL])
def test_the_networks_factors(project: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    settings = bi_agru.Settings(orthogonal=True, project=project)
    model, batch = bi_agru.build(settings, SHAPES).eval(), day()
    with torch.no_grad():
        found = model.factors(batch)
        assert found is not None
        assert found.shape == (120, 32)
        assert off_identity(found) < 1e-6
        assert model.factors(day(LEAST_STOCKS - 1)) is None
        assert torch.isfinite(model(day(LEAST_STOCKS - 1))).all()
    columns = {"industry": [0, 1, 2, 3, 4], "size": [6], "value": [7]}
    asked = [column for name in project for column in columns[name]]
    both = np.abs(correlation(found, batch["exposures"][:, [0, 1, 2, 3, 4, 6, 7]])[:32, 32:]).max(axis=0)
    for column, largest in zip([0, 1, 2, 3, 4, 6, 7], both, strict=True):
        assert (largest < 1e-6) == (column in asked), column
    chosen = ROOM.choose(Kind(kind="bi_agru", orthogonal=True, project=project))
    assert inputs_of(chosen) == ({"windows", "exposures"} if project else {"windows"})


def test_it_learns_through_the_layer() -> None:
    """Every parameter but the last bias gets a gradient under the IC, and a few steps raise the IC."""
    torch.manual_seed(1)
    model, batch = bi_agru.build(bi_agru.Settings(orthogonal=True, project=ALL, hidden=16), SHAPES), day(200)
    target = batch.windows[-5:].mean(dim=(0, 2))
    optimizer, course = torch.optim.Adam(model.parameters(), 3e-3), []
    for _ in range(12):
        loss = -torch.corrcoef(torch.stack([model(batch), target]))[0, 1]
        optimizer.zero_grad()
        loss.backward()
        sizes = [float(p.grad.norm()) for p in model.parameters()]
        assert min(sizes[:-1]) > 1e-4 * max(sizes)
        optimizer.step()
        course.append(-loss.item())
    assert course[-1] > course[0] + 0.1


def test_wrong_settings() -> None:
    with pytest.raises(RecipeError, match="orthogonal = true"):
        bi_agru.build(bi_agru.Settings(project=("size",)), SHAPES)
    with pytest.raises(RecipeError, match="no exposures"):
        bi_agru.build(bi_agru.Settings(orthogonal=True, project=("size",)), Shapes(features=6, window=30))
    model = bi_agru.build(bi_agru.Settings(orthogonal=True, project=("size",)), SHAPES)
    with pytest.raises(ValueError, match="exposures, which this batch"):
        model(CrossSection(torch.zeros(30, 3, 6)))
