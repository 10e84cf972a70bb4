"""CrossGRU and CrossGRU-2 against the text-book form of their attention, and what a score may depend on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models import cross_gru, cross_gru2
from deepfactor.models._attention import MarketLatents, Read
from deepfactor.models.base import CrossSection, Shapes, parameter_count

SHAPES = Shapes(features=6, window=30)


def windows(b: int = 40, seed: int = 0) -> Tensor:
    return torch.randn(SHAPES.window, b, SHAPES.features, generator=torch.Generator().manual_seed(seed))


def norm(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)


def slow_read(read: Read, reader: Tensor, of: Tensor) -> Tensor:
    """One reader (d,) of (m, d), number by number."""
    query = read.query.weight @ norm(reader)
    scores = torch.stack([query @ (read.key.weight @ norm(x)) / math.sqrt(len(query)) for x in of])
    weight = torch.exp(scores) / torch.exp(scores).sum()
    return sum((w * (read.value.weight @ norm(x)) for w, x in zip(weight, of, strict=True)), torch.zeros(len(query)))


@pytest.mark.parametrize(("kind", "count"), [(cross_gru, 51_970), (cross_gru2, 115_714)])
def test_parameters(kind, count):
    assert parameter_count(kind.build(kind.Settings(), Shapes(features=6, window=150))) == count


def test_latents_read_the_stocks_and_stocks_read_the_latents():
    torch.manual_seed(1)
    module, states = MarketLatents(8, 3), torch.randn(11, 8)
    market = torch.stack([x + slow_read(module.gather, x, states) for x in module.latents])
    expected = torch.stack([h + module.scale * slow_read(module.read, h, market) for h in states])
    torch.testing.assert_close(module(states), expected, rtol=1e-5, atol=1e-6)


def test_without_the_market_a_score_is_the_stocks_own():
    torch.manual_seed(2)
    model, x = cross_gru.build(cross_gru.Settings(), SHAPES), windows()
    other = x.clone()
    other[:, 1:] = windows(seed=9)[:, 1:]  # every stock but the first has another past
    with torch.no_grad():
        assert model(CrossSection(x))[0] != model(CrossSection(other))[0]
        model.market.scale.zero_()
        torch.testing.assert_close(model(CrossSection(x))[0], model(CrossSection(other))[0], rtol=0, atol=1e-7)
        embedded = model.embedding(x)
        alone = model.head(model.gru(embedded)[0][-1]).squeeze(1)
        torch.testing.assert_close(model(CrossSection(x)), alone, rtol=1e-5, atol=1e-6)


def test_the_last_row_is_that_of_attention_between_all_steps():
    torch.manual_seed(3)
    model, x = cross_gru2.build(cross_gru2.Settings(), SHAPES), windows()
    with torch.no_grad():
        fine = model.fine_gru(model.fine_embedding(x))[0].transpose(0, 1)  # (b, p, d)
        coarse = model.coarse_gru(model.coarse_embedding(x))[0].transpose(0, 1)  # (b, q, d)
        both = [fine + model.fine_reads(fine, coarse), coarse + model.coarse_reads(coarse, fine)]
        joined = torch.tanh(model.join(torch.cat([both[0][:, -1], both[1][:, -1]], dim=-1)))
        expected = model.head(model.market(joined)).squeeze(1)
        torch.testing.assert_close(model(CrossSection(x)), expected, rtol=1e-5, atol=1e-6)


def test_the_attention_is_not_uniform_at_the_start():
    """What would leave it without a gradient under the IC loss."""
    torch.manual_seed(4)
    module, states = MarketLatents(64, 16), nn.GRU(6, 64)(windows(200))[0][-1]
    context = module.read(states, module.latents + module.gather(module.latents, states))
    assert context.std(dim=0).mean() > 0.05 * states.std(dim=0).mean()


def test_a_window_must_hold_whole_patches_of_both_lengths():
    with pytest.raises(RecipeError, match="multiple of the patch"):
        cross_gru2.build(cross_gru2.Settings(), Shapes(features=6, window=33))
