"""`late_fusion_gru`: `gru` where the day's features weigh nothing, a recurrence and a head otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deepfactor.core.errors import RecipeError
from deepfactor.models import gru, late_fusion_gru
from deepfactor.models.base import CausalBeside, CrossSection, Shapes, parameter_count, summary
from support.compiled import runnable

SHAPES = Shapes(features=6, window=30, widths={"day_features": 11})


def network(**settings: object) -> late_fusion_gru.LateFusionGRU:
    torch.manual_seed(0)
    return late_fusion_gru.build(late_fusion_gru.Settings(**{"hidden": 16, **settings}), SHAPES).eval()


def day(stocks: int = 37, seed: int = 1) -> CrossSection:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(stocks, 11, generator=generator)
    return CrossSection(torch.randn(30, stocks, 6, generator=generator), {"day_features": features})


def test_parameter_count() -> None:
    model = late_fusion_gru.build(late_fusion_gru.Settings(), Shapes(6, 150, {"day_features": 178}))
    deep = (64 + 178) * 64 + 64 + 64
    assert summary(model) == [("embedding", 1344), ("gru", 24_960), ("deep", deep), ("head", 243)]
    assert parameter_count(model) == 42_163


@pytest.mark.parametrize("mlp", [0, 8])
def test_it_is_gru_where_the_days_features_weigh_nothing(mlp: int) -> None:
    """Scores, and the gradient of all that both have."""
    model, batch = network(mlp=mlp), day()
    plain = gru.build(gru.Settings(hidden=16), SHAPES).eval()
    for name in ("embedding", "gru"):
        getattr(plain, name).load_state_dict(getattr(model, name).state_dict())
    with torch.no_grad():
        model.head.weight[:, 16:] = 0.0
        plain.head.weight.copy_(model.head.weight[:, :16])
        plain.head.bias.copy_(model.head.bias)
        if model.deep is not None:
            model.deep[-1].weight.zero_()
    scores, expected = model(batch), plain(batch)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-6)
    weight = torch.randn(scores.shape)
    for one in (scores, expected):
        (one * weight).sum().backward()
    for (name, ours), theirs in zip(model.gru.named_parameters(), plain.gru.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6, msg=name)
    torch.testing.assert_close(model.head.weight.grad[:, :16], plain.head.weight.grad, rtol=1e-5, atol=1e-6)


def test_the_head_is_wide_and_deep() -> None:
    model, batch = network(mlp=8).double(), day()
    windows, x = batch.windows.double(), batch["day_features"].double()
    h = model.gru(model.embedding(windows))[0][-1]
    z = torch.cat([h, x], dim=1)
    hidden, out = model.deep[0], model.deep[-1]
    deep = torch.relu(z @ hidden.weight.T + hidden.bias) @ out.weight[0]
    expected = z @ model.head.weight[0] + model.head.bias + deep
    torch.testing.assert_close(model(CrossSection(windows, {"day_features": x})), expected, rtol=1e-12, atol=1e-12)


def test_a_stock_depends_on_its_own_features_alone() -> None:
    model, batch = network(), day(stocks=6)
    other = batch["day_features"].clone()
    other[4] += 1.0
    changed = model(batch) != model(CrossSection(batch.windows, {"day_features": other}))
    assert changed.tolist() == [False] * 4 + [True, False]


def test_dropout_is_of_training_alone() -> None:
    model, batch = network(dropout=0.5), day()
    with torch.no_grad():
        quiet = model(batch)
        assert torch.equal(model(batch), quiet)
        assert not torch.equal(model.train()(batch), model(batch))


def test_states_of_a_sequence_are_those_of_windows_and_of_going_on() -> None:
    model, stocks, patches = network(), 41, 12
    assert isinstance(model, CausalBeside)
    windows, state = torch.randn(3 * patches, stocks, 6), None
    with torch.no_grad():
        states = model.states(windows, 5)
        assert states.shape == (5, stocks, 16)
        for p in range(patches):
            state = model.remember(state, windows[3 * p : 3 * p + 3])
            if p >= patches - 5:
                of_day = {"day_features": torch.randn(stocks, 11)}
                row = states[p - patches + 5]
                torch.testing.assert_close(state, row, rtol=0, atol=1e-5)
                whole = model(CrossSection(windows[: 3 * p + 3], of_day))
                torch.testing.assert_close(model.score(row, of_day), whole, rtol=0, atol=1e-5)


@pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")
def test_compiled_states_dont_know_to_the_last_bit_who_else_is_remembered() -> None:
    model, few, everybody = network(hidden=32), None, None
    windows, others = torch.randn(18, 41, 6), torch.rand(41) < 0.3
    with torch.no_grad():
        for p in range(6):
            rows = windows[3 * p : 3 * p + 3]
            everybody = model.remember(everybody, rows)
            few = model.remember(few, rows[:, ~others])
            assert torch.equal(everybody[~others], few)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (Shapes(6, 30), "late_fusion_gru reads features of the day, and the arm has none"),
        (Shapes(6, 31, {"day_features": 11}), "patches of 3 days don't fill a window of 31"),
    ],
)
def test_what_it_cannot_be_built_for(shapes: Shapes, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        late_fusion_gru.build(late_fusion_gru.Settings(), shapes)


def test_a_batch_without_the_features_says_so() -> None:
    model: nn.Module = network()
    with pytest.raises(ValueError, match="reads day_features, which this batch doesn't hold"):
        model(CrossSection(day().windows))
