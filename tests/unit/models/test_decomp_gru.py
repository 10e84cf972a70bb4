"""`decomp_gru` of Study B: against a slow form in stock layers, its invariances, its switches."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models import decomp_gru
from deepfactor.models._fast.gru import TILE
from deepfactor.models.base import CrossSection, Shapes, parameter_count, summary
from deepfactor.models.decomp_gru import DecompGRU, Settings

STUDY = Shapes(features=6, window=150)
SMALL = Shapes(features=3, window=30)


def batch(b: int, shapes: Shapes = SMALL, seed: int = 4) -> CrossSection:
    torch.manual_seed(seed)
    windows = torch.randn(shapes.window, b, shapes.features, dtype=torch.float64)
    return CrossSection(windows, {"size_rank": torch.randperm(b)})


def model(**settings: object) -> DecompGRU:
    torch.manual_seed(5)
    return decomp_gru.build(Settings(**{"hidden": 8, **settings}), SMALL).double()


def slow_scores(m: DecompGRU, day: CrossSection, groups: int) -> Tensor:
    """The study's steps, batch first, with torch's own pooling, convolutions and GRU, and a loop over the groups."""
    x = day.windows.permute(1, 2, 0)  # (b, f, L)
    b = x.shape[0]
    slow = nn.functional.avg_pool1d(nn.functional.pad(x, (4, 0), mode="replicate"), kernel_size=5, stride=1)
    embedded = m.trend_embedding.norm(m.trend_embedding.conv(slow).transpose(1, 2))  # (b, p, d)
    states = m.trend_gru(embedded.transpose(0, 1))[0].transpose(0, 1)  # (b, p, d)
    group = [int(rank) * groups // b for rank in day["size_rank"]]
    relative = []
    for i in range(b):
        own = [j for j in range(b) if group[j] == group[i]]
        relative.append(states[i] - states[own].mean(dim=0))
    r = m.residual_embedding
    fast = r.norm(r.pointwise(r.depthwise(x - slow)).transpose(1, 2))  # (b, p, d)
    last = m.gru((torch.stack(relative) + fast).transpose(0, 1))[0][-1]
    return m.head(last)[:, 0]


def test_parameter_count_of_the_study():
    m = decomp_gru.build(Settings(), STUDY)
    assert parameter_count(m) == 51_929
    assert summary(m) == [
        ("trend_embedding", 1344),
        ("trend_gru", 24_960),
        ("residual_embedding", 600),
        ("gru", 24_960),
        ("head", 65),
    ]


@pytest.mark.parametrize("b", [23, TILE + 9])
def test_forward_and_gradients_are_those_of_the_slow_form(b):
    m, day = model(), batch(b)
    ours, expected = m(day), slow_scores(m, day, groups=5)
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)
    weight, parameters = torch.randn_like(ours), list(m.parameters())
    for a, b_ in zip(
        torch.autograd.grad((ours * weight).sum(), parameters),
        torch.autograd.grad((expected * weight).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b_, rtol=1e-8, atol=1e-11)


def test_only_the_own_size_group_matters():
    m, b = model(), 25
    day = batch(b)
    group = day["size_rank"] * 5 // b
    stock = 7
    windows = day.windows.clone()
    windows[:, stock] += torch.randn(SMALL.window, SMALL.features, dtype=torch.float64)
    changed = m(day) != m(CrossSection(windows, day.inputs))
    assert torch.equal(changed, group == group[stock])


def test_mean_reaches_every_stock_and_none_reaches_no_other():
    day, stock = batch(12), 7
    windows = day.windows.clone()
    windows[:, stock] += torch.randn(SMALL.window, SMALL.features, dtype=torch.float64)
    for cross_section, expected in (("mean", 12), ("none", 1)):
        m = model(cross_section=cross_section)
        changed = m(CrossSection(day.windows)) != m(CrossSection(windows))
        assert changed[stock]
        assert changed.sum() == expected


def test_one_group_is_the_plain_mean():
    day = batch(12)
    torch.testing.assert_close(model(groups=1)(day), model(cross_section="mean")(day), rtol=1e-12, atol=1e-14)


def test_the_padding_stays_at_the_oldest_end():
    """Behind nine more days equal to the oldest one, every old day has the trend and residual that it had."""
    seen: list[list[Tensor]] = []
    day = batch(10)
    longer = torch.cat([day.windows[:1].expand(9, -1, -1), day.windows])
    for windows in (day.windows, longer):
        m, branches = model(), []
        m.trend_embedding.register_forward_hook(lambda _, given, out, keep=branches: keep.extend([given[0], out]))
        m.residual_embedding.register_forward_hook(lambda _, given, out, keep=branches: keep.extend([given[0], out]))
        m(CrossSection(windows, day.inputs))
        seen.append(branches)
    for short, long in zip(*seen, strict=True):
        torch.testing.assert_close(long[-short.shape[0] :], short, rtol=1e-12, atol=1e-12)


def test_the_last_days_trend_input_reads_the_last_five_days_only():
    m, day, seen = model(), batch(10), []
    m.trend_embedding.register_forward_hook(lambda _, given, out: seen.append(given[0][-1].clone()))
    older, newer = day.windows.clone(), day.windows.clone()
    older[:-5] += 1.0
    newer[-5] += 1.0
    for windows in (day.windows, older, newer):
        m(CrossSection(windows, day.inputs))
    assert torch.equal(seen[1], seen[0])
    assert not torch.isclose(seen[2], seen[0]).any()


def test_switches_change_what_they_say():
    day = batch(20)
    full = model()
    scores = full(day)
    no_residual = model(residual_branch=False)
    assert parameter_count(full) - parameter_count(no_residual) == 3 * 3 + 3 + 3 * 8 + 8 + 2 * 8
    plain = model(decompose=False)
    plain.load_state_dict(full.state_dict())
    given: list[Tensor] = []
    for part in (plain.trend_embedding, plain.residual_embedding):
        part.register_forward_hook(lambda _, inputs, out: given.append(inputs[0]))
    different = [plain(day), no_residual(day), model(cross_section="none")(day), model(groups=10)(day)]
    assert all(torch.equal(windows, day.windows) for windows in given)
    assert len(given) == 2
    assert not any(torch.allclose(other, scores) for other in different)


def test_the_two_grus_share_nothing():
    m = model()
    assert not {id(p) for p in m.trend_gru.parameters()} & {id(p) for p in m.gru.parameters()}


def test_size_groups_without_a_rank_are_refused():
    with pytest.raises(ValueError, match="reads size_rank"):
        model()(CrossSection(batch(4).windows))


def test_bad_settings_are_refused():
    with pytest.raises(ValidationError, match="cross_section"):
        Settings(cross_section="industry")
    with pytest.raises(ValidationError, match="groups"):
        Settings(groups=0)
    with pytest.raises(ValidationError, match="split"):
        Settings(split="later")
    with pytest.raises(ValidationError, match=r"split\n.*decompose = false splits nothing"):
        Settings(split="before_scaling", decompose=False)
    with pytest.raises(RecipeError, match="patches of 7 days don't fill a window of 150"):
        decomp_gru.build(Settings(patch=7), STUDY)
