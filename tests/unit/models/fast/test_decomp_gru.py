"""`decomp_gru` on the compiled GRU, every path that this processor runs, against its layers in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from deepfactor.models import _fast, _kernels, decomp_gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.models.decomp_gru import DecompGRU, Settings
from support.compiled import runnable

SHAPES = Shapes(features=4, window=30)
SWITCHES = (
    {},
    {"cross_section": "mean"},
    {"cross_section": "none"},
    {"residual_branch": False},
    {"residual_branch": False, "cross_section": "none"},
    {"decompose": False},
    {"split": "before_scaling"},
    {"split": "before_scaling", "residual_branch": False},
    {"groups": 400},  # more groups than stocks: some are empty
    {"hidden": 48, "patch": 2},
)


@pytest.fixture(params=runnable())
def path(request, monkeypatch) -> str:
    monkeypatch.setenv(_kernels.VARIABLE, request.param)
    return request.param


def model(**settings: object) -> DecompGRU:
    torch.manual_seed(5)
    m = decomp_gru.build(Settings(**{"hidden": 32, **settings}), SHAPES)
    for p in m.parameters():  # no weight of zero or one, as LayerNorm's are at first
        p.data.add_(0.1 * torch.randn_like(p))
    return m


def batch(b: int = 301, seed: int = 4, *, split_before: bool = False) -> CrossSection:
    torch.manual_seed(seed)
    windows = torch.randn(SHAPES.window, b, SHAPES.features * (1 + split_before))
    return CrossSection(windows, {"size_rank": torch.randperm(b)})


def exact(m: DecompGRU, day: CrossSection) -> tuple[DecompGRU, Tensor]:
    double = copy.deepcopy(m).double()
    return double, double(CrossSection(day.windows.double(), day.inputs))


def gradients(m: DecompGRU, scores: Tensor) -> list[Tensor]:
    weight = torch.randn(scores.shape, generator=torch.Generator().manual_seed(6)).to(scores.dtype)
    return list(torch.autograd.grad((scores * weight).sum(), list(m.parameters())))


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_scores_and_gradients_equal_float64(path, switches):
    m = model(**switches)
    day = batch(split_before=m.split_before)
    scores = m(day)
    assert "_PairBackward" in str(scores.grad_fn.next_functions[0][0].next_functions[1][0])
    double, expected = exact(m, day)
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=3e-6)
    with torch.no_grad():
        assert torch.equal(m(day), scores)
    for (name, _), ours, wanted in zip(
        m.named_parameters(), gradients(m, scores), gradients(double, expected), strict=True
    ):
        assert (ours.double() - wanted).norm() <= 5e-6 * wanted.norm(), name


def test_windows_that_are_cut_from_wider_ones(path):
    m, day = model(), batch()
    cut = CrossSection(day.windows[:, 40:240], {"size_rank": torch.randperm(200)})
    dense = CrossSection(cut.windows.contiguous(), cut.inputs)
    strange = CrossSection(cut.windows.transpose(0, 1).contiguous().transpose(0, 1), cut.inputs)
    assert torch.equal(m(cut), m(dense))
    assert torch.equal(m(strange), m(dense))


def test_live_graphs_do_not_share_memory(path):
    m, days = model(), [batch(seed=1), batch(seed=2)]
    apart = [gradients(m, m(day)) for day in days]
    together = [m(day) for day in days]  # the second forward runs before the first backward
    for scores, expected in zip(together, apart, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(gradients(m, scores), expected, strict=True))


def test_a_graph_is_run_back_once(path):
    m, day = model(), batch(20)
    loss = m(day).sum()
    torch.autograd.grad(loss, list(m.parameters()), retain_graph=True)
    with pytest.raises(RuntimeError, match="run forward again"):
        torch.autograd.grad(loss, list(m.parameters()))


def test_the_same_bits_at_any_number_of_threads(path):
    """Of all that the kernel computes; the head behind it is a product of torch's, whose sums are torch's affair."""
    m, day, seen = model(), batch(), []
    inside = [p for name, p in m.named_parameters() if not name.startswith("head")]
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            last = _fast.decomp_gru_states(m, day.windows, *m._group(day))
            seen.append([last, *torch.autograd.grad(last.square().sum(), inside)])
    finally:
        torch.set_num_threads(before)
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))


def test_wide_patches_and_windows_with_a_gradient_run_by_layers(path):
    m, day = model(hidden=16, patch=5), batch(20)  # patches of 21 numbers, wider than the embedding
    _, expected = exact(m, day)
    torch.testing.assert_close(m(day).double(), expected, rtol=0, atol=3e-6)
    narrow = model()
    windows = day.windows.clone().requires_grad_()
    narrow(CrossSection(windows, day.inputs)).sum().backward()
    assert windows.grad is not None
    assert (windows.grad != 0).any(dim=2).all()
