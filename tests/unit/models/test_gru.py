"""`gru` of Study B."""

from __future__ import annotations

import pytest
import torch

from deepfactor.core.errors import RecipeError
from deepfactor.models import gru
from deepfactor.models._fast.gru import TILE
from deepfactor.models.base import CrossSection, Shapes, parameter_count, summary

STUDY = Shapes(features=6, window=150)


def test_parameter_count_of_the_study():
    model = gru.build(gru.Settings(), STUDY)
    assert parameter_count(model) == 26_369
    assert summary(model) == [("embedding", 1344), ("gru", 24_960), ("head", 65)]


def test_forward_and_gradients_are_those_of_stock_layers():
    torch.manual_seed(3)
    model = gru.build(gru.Settings(hidden=16), Shapes(features=6, window=30)).double()
    windows = torch.randn(30, TILE + 5, 6, dtype=torch.float64)  # two tiles
    embedded = model.embedding.norm(model.embedding.conv(windows.permute(1, 2, 0)).permute(2, 0, 1))
    expected = model.head(model.gru(embedded)[0][-1])[:, 0]
    ours = model(CrossSection(windows))
    torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-12)
    weight, parameters = torch.randn_like(ours), list(model.parameters())
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), parameters),
        torch.autograd.grad((expected * weight).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_a_stock_depends_on_its_own_window_alone():
    model = gru.build(gru.Settings(hidden=8), Shapes(features=2, window=9))
    windows = torch.randn(9, 5, 2)
    other = windows.clone()
    other[:, 3] += 1.0
    changed = model(CrossSection(windows)) != model(CrossSection(other))
    assert changed.tolist() == [False, False, False, True, False]


def test_the_window_must_be_whole_patches():
    with pytest.raises(RecipeError, match="patches of 4 days don't fill a window of 150"):
        gru.build(gru.Settings(patch=4), STUDY)
