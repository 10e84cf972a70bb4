"""Graph attention against its definition, stock by stock, and against torch_geometric."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import Tensor

from deepfactor.models import bi_agru_gat
from deepfactor.models._graph_attention import GraphAttention, _WeightedSum
from deepfactor.models.base import CrossSection, Neighbours, Shapes


def related(b: int, m: int, seed: int = 0) -> Neighbours:
    """Up to m distinct neighbours, in any place of the row; the first stock has none."""
    g = torch.Generator().manual_seed(seed)
    index = torch.stack([torch.randperm(b, generator=g)[:m] for _ in range(b)])
    index[torch.rand(b, m, generator=g) < 0.3] = -1
    index[0] = -1
    return Neighbours(index, torch.rand(b, m, generator=g).masked_fill(index < 0, 0.0))


def module(width: int = 12, heads: int = 3, size: int = 4, dropout: float = 0.0) -> GraphAttention:
    torch.manual_seed(1)
    made = GraphAttention(width, heads, size, dropout)
    with torch.no_grad():
        made.similarity.copy_(torch.tensor([1.0, -0.5, 2.0])[:heads])
    return made


def beside(neighbours: Neighbours) -> dict[str, Tensor]:
    """As a batch holds them."""
    return {"neighbours": neighbours.index, "similarity": neighbours.similarity}


def by_definition(gat: GraphAttention, states: Tensor, neighbours: Neighbours) -> Tensor:
    """One stock and one head at a time."""
    rows = []
    values = (states @ gat.value.weight.t()).view(len(states), gat.heads, gat.size)
    for i, (js, alike) in enumerate(zip(neighbours.index, neighbours.similarity, strict=True)):
        known = [(int(j), s) for j, s in zip(js, alike, strict=True) if j >= 0]
        for head in range(gat.heads):
            total, out = torch.zeros(()), torch.zeros(gat.size)
            for j, s in known:
                score = values[j, head] @ gat.of_neighbour[head] + values[i, head] @ gat.of_self[head]
                score = score + gat.similarity[head] * s
                e = torch.exp(score if score > 0 else 0.2 * score)
                total, out = total + e, out + e * values[j, head]
            rows.append(out / total if known else out)
    return torch.stack(rows).view(len(states), -1)


def test_it_is_its_definition_and_so_are_its_gradients():
    gat, neighbours = module(), related(25, 6)
    states = torch.randn(25, 12, generator=torch.Generator().manual_seed(2), requires_grad=True)
    found, slow = gat(states, neighbours), by_definition(gat, states, neighbours)
    torch.testing.assert_close(found, slow, rtol=1e-5, atol=1e-6)
    assert not found[0].any()
    grad = torch.randn(25, 12, generator=torch.Generator().manual_seed(3))
    inputs = [states, *gat.parameters()]
    for a, b in zip(torch.autograd.grad(found, inputs, grad), torch.autograd.grad(slow, inputs, grad), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_gradients_of_the_weighted_sum():
    g = torch.Generator().manual_seed(0)
    weight = torch.rand(2, 9, 4, dtype=torch.float64, generator=g, requires_grad=True)
    value = torch.randn(2, 9, 3, dtype=torch.float64, generator=g, requires_grad=True)
    index = torch.randint(0, 10, (9, 4), generator=g)
    index[:, 2] = index[:, 1]  # a neighbour counted twice
    assert torch.autograd.gradcheck(lambda w, v: _WeightedSum.apply(w, v, index), (weight, value))


def test_the_order_and_the_empty_places_of_a_row_do_not_matter():
    gat, neighbours = module(), related(25, 6)
    states = torch.randn(25, 12)
    order = torch.randperm(6)
    other = Neighbours(
        torch.cat([neighbours.index[:, order], torch.full((25, 3), -1)], dim=1),
        torch.cat([neighbours.similarity[:, order], torch.zeros(25, 3)], dim=1),
    )
    torch.testing.assert_close(gat(states, other), gat(states, neighbours), rtol=1e-5, atol=1e-6)


def test_dropout_is_of_training_alone():
    gat, neighbours, states = module(dropout=0.5), related(40, 8), torch.randn(40, 12)
    torch.testing.assert_close(gat.eval()(states, neighbours), module()(states, neighbours))
    torch.manual_seed(0)
    with torch.no_grad():
        seen = torch.stack([gat.train()(states, neighbours) for _ in range(400)])
        quiet = gat.eval()(states, neighbours)
    assert seen.std(dim=0)[1:].min() > 0
    assert ((seen.mean(dim=0) - quiet).abs() < 6 * seen.std(dim=0) / 20 + 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("similarity", [False, True])
def test_torch_geometric_agrees(similarity):
    """The same numbers as GATConv without bias, to 1e-5, forwards and backwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reason = "torch_geometric is not installed: GATConv was not compared (pip install torch_geometric)"
        geometric = pytest.importorskip("torch_geometric.nn", reason=reason)
        conv = geometric.GATConv(64, 16, heads=4, edge_dim=1 if similarity else None, bias=False, add_self_loops=False)
    torch.manual_seed(0)
    gat, neighbours = GraphAttention(64, 4, 16, 0.0), related(500, 20)
    with torch.no_grad():
        conv.lin.weight.copy_(gat.value.weight)
        conv.att_src.copy_(gat.of_neighbour[None])
        conv.att_dst.copy_(gat.of_self[None])
        gat.similarity.copy_(torch.tensor([1.0, -0.5, 2.0, 0.3]) if similarity else torch.zeros(4))
        if similarity:
            conv.lin_edge.weight.fill_(1 / math.sqrt(16))
            conv.att_edge.copy_(gat.similarity[None, :, None].expand(1, 4, 16) / math.sqrt(16))
    there = neighbours.index >= 0
    edges = torch.stack([neighbours.index[there], torch.arange(500)[:, None].expand(500, 20)[there]])
    states = torch.randn(500, 64, requires_grad=True)
    found = gat(states, neighbours)
    theirs = conv(states, edges, neighbours.similarity[there][:, None] if similarity else None)
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-5)
    ours_back, theirs_back = (torch.autograd.grad(y.square().sum(), states)[0] for y in (found, theirs))
    torch.testing.assert_close(ours_back, theirs_back, rtol=1e-4, atol=1e-4)


def test_a_score_depends_on_its_neighbours_and_on_no_other_stock():
    torch.manual_seed(0)
    model = bi_agru_gat.build(bi_agru_gat.Settings(hidden=16), Shapes(features=6, window=10)).eval()
    windows, neighbours = torch.randn(10, 40, 6), related(40, 5)
    with torch.no_grad():
        before = model(CrossSection(windows, beside(neighbours)))
        other = windows.clone()
        other[:, 7] = torch.randn(10, 6)
        moved = model(CrossSection(other, beside(neighbours))) != before
    expected = (neighbours.index == 7).any(dim=1)
    expected[7] = True
    assert torch.equal(moved, expected)
    assert 2 < expected.sum() < 20


@pytest.mark.slow
def test_it_learns_what_neighbours_tell():
    """The target is the neighbours' last day: found on the true graph, on one drawn by chance it can't be."""
    generator = torch.Generator().manual_seed(0)

    def ic(model, graph, target_of):
        windows = torch.randn(4, 200, 2, generator=generator)
        around = windows[-1, :, 0][target_of.index].mean(dim=1)
        return torch.corrcoef(torch.stack([model(CrossSection(windows, beside(graph))), around]))[0, 1]

    truth = Neighbours(torch.randint(0, 200, (200, 5), generator=generator), torch.ones(200, 5))
    chance = Neighbours(torch.randint(0, 200, (200, 5), generator=generator), torch.ones(200, 5))
    found = {}
    for name, graph in (("truth", truth), ("chance", chance)):
        torch.manual_seed(0)
        settings = bi_agru_gat.Settings(hidden=16, layers=1, heads=2, head_size=8)
        model = bi_agru_gat.build(settings, Shapes(features=2, window=4))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(80):
            optimizer.zero_grad()
            (-ic(model, graph, truth)).backward()
            optimizer.step()
        with torch.no_grad():
            found[name] = sum(ic(model.eval(), graph, truth).item() for _ in range(5)) / 5
    assert found["truth"] > 0.6, found
    assert abs(found["chance"]) < 0.25, found
