"""Study A's encoders against text-book forms, and what a score may depend on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models import bi_agru, bi_agru_gat, composite, fundamental_gru
from deepfactor.models._encoders import BiAGRU, across_days
from deepfactor.models.base import CrossSection, Shapes, parameter_count
from deepfactor.recipe import load_recipe

SHAPES = Shapes(features=6, window=20, widths={"fundamentals": 5, "quarters": 4})


def day(b: int = 30, seed: int = 0) -> CrossSection:
    g = torch.Generator().manual_seed(seed)
    windows = torch.randn(SHAPES.window, b, SHAPES.features, generator=g)
    return CrossSection(
        windows, {"fundamentals": torch.randn(SHAPES["quarters"], b, SHAPES["fundamentals"], generator=g)}
    )


def scores(model: nn.Module, batch: CrossSection) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(batch)
    return found


@pytest.mark.parametrize(
    ("kind", "count"), [(bi_agru, 151_649), (fundamental_gru, 15_745), (composite, 169_377), (bi_agru_gat, 160_037)]
)
def test_parameters(kind, count):
    assert parameter_count(kind.build(kind.Settings(), SHAPES)) == count


def test_the_mlp_is_as_wide_as_the_network_unless_said():
    def width(**settings: int) -> int:
        return bi_agru.build(bi_agru.Settings(hidden=8, factors=3, **settings), SHAPES).mlp[0].out_features

    assert (width(), width(mlp=20)) == (8, 20)


def test_second_weightings_of_the_recipes_have_spare_units():
    for name in ("study_a", "study_a_reduced"):
        for arm in load_recipe(name).arms:
            settings = bi_agru.Settings(**arm.model.said) if arm.weighting else None
            assert settings is None or settings.mlp >= 2 * settings.factors


def test_the_encoder_is_its_formula():
    torch.manual_seed(0)
    encoder, x = BiAGRU(6, 16, 2, 0.0, "float32"), day(7).windows
    encoder.requires_grad_(False)
    states, _ = encoder.gru(torch.tanh(encoder.embedding(x)))  # torch's own GRU
    pooled = []
    for stock in range(7):
        own = states[:, stock]
        known = [(h - h.mean()) / torch.sqrt(h.var(unbiased=False) + 1e-5) for h in own]
        energy = [float(encoder.pool.outer.weight[0] @ torch.tanh(encoder.pool.inner.weight @ h)) for h in known]
        total = sum(math.exp(e) for e in energy)
        pooled.append(sum((math.exp(e) / total * h for e, h in zip(energy, own, strict=True)), torch.zeros(32)))
    expected = torch.cat([torch.stack(pooled), states[-1][:, :16], states[0][:, 16:]], dim=1)
    torch.testing.assert_close(encoder(x), expected, rtol=1e-5, atol=1e-6)


def test_many_stocks_are_encoded_as_few():
    """More stocks than a tile."""
    torch.manual_seed(0)
    model, batch = bi_agru.build(bi_agru.Settings(hidden=16), SHAPES), day(800)
    apart = torch.cat([scores(model, CrossSection(part)) for part in batch.windows.split(200, dim=1)])
    torch.testing.assert_close(scores(model, batch), apart, rtol=1e-5, atol=1e-6)


def test_early_days_are_not_forgotten():
    """The attention weighs days by what they hold: not all alike at the start, and the first day moves the score."""
    torch.manual_seed(0)
    model, batch = bi_agru.build(bi_agru.Settings(), SHAPES), day(200)
    with torch.no_grad():
        encoder = model.encoder
        weight = encoder.pool.weights(encoder.gru(torch.tanh(encoder.embedding(batch.windows)))[0])
    torch.testing.assert_close(weight.sum(dim=0), torch.ones(200))
    assert (weight * SHAPES.window).std(dim=0).mean() > 0.05
    other = batch.windows.clone()
    other[0] = 0
    moved = scores(model, CrossSection(other)) - scores(model, batch)
    assert moved.std() > 0.01 * scores(model, batch).std()


def test_dropout_is_of_training_alone_and_by_the_seed():
    torch.manual_seed(0)
    model, batch = bi_agru.build(bi_agru.Settings(dropout=0.5), SHAPES), day()
    seen = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        seen.append(model.train()(batch))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert torch.equal(scores(model, batch), scores(model, batch))


def test_the_fundamental_network_is_its_formula():
    torch.manual_seed(0)
    model, batch = fundamental_gru.build(fundamental_gru.Settings(), SHAPES), day()
    with torch.no_grad():
        last = model.encoder.gru(batch["fundamentals"])[0][-1]
        expected = model.head(torch.relu(model.mlp[0](last))).squeeze(1)
    torch.testing.assert_close(scores(model, batch), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("early", [False, True])
def test_the_composite_reads_both(early):
    torch.manual_seed(0)
    model, batch = composite.build(composite.Settings(early=early), SHAPES), day()
    base = scores(model, batch)
    for changed in (
        CrossSection(batch.windows.flip(1), batch.inputs),
        CrossSection(batch.windows, {"fundamentals": batch["fundamentals"].flip(1)}),
        CrossSection(batch.windows, {"fundamentals": batch["fundamentals"].flip(0)}),
    ):
        assert not torch.allclose(scores(model, changed), base)


def test_quarters_over_days():
    quarters = torch.arange(4.0).view(4, 1, 1).expand(4, 2, 3)
    assert across_days(quarters, 20)[:, 0, 0].tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert across_days(quarters, 6)[:, 1, 2].tolist() == [0, 0, 1, 2, 2, 3]


def test_what_is_missing_is_said():
    for kind in (fundamental_gru, composite):
        with pytest.raises(RecipeError, match="fundamentals, and the arm has none"):
            kind.build(kind.Settings(), Shapes(features=6, window=20))
        with pytest.raises(ValueError, match="fundamentals, which this batch"):
            kind.build(kind.Settings(), SHAPES)(CrossSection(day().windows))
    with pytest.raises(ValueError, match="neighbours, which this batch"):
        bi_agru_gat.build(bi_agru_gat.Settings(), SHAPES)(day())


def test_they_can_be_built_without_memory():
    """As a plan does before any training."""
    with torch.device("meta"):
        for kind in (bi_agru, bi_agru_gat, composite, fundamental_gru):
            assert parameter_count(kind.build(kind.Settings(), SHAPES)) > 0
