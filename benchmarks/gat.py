"""Graph attention against a plain gather in torch and against torch_geometric; how long a month's graph takes.

``python -m benchmarks.gat`` prints the lines; torch_geometric is left out where it isn't installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Line, alone, compare, interleave
from deepfactor.graphs.fundamental import most_alike
from deepfactor.models._graph_attention import GraphAttention
from deepfactor.models.base import Neighbours
from deepfactor.training.fit import settled_torch

STOCKS, K, WIDTH, HEADS, SIZE = 3000, 20, 64, 4, 16
MONTH, RATIOS = 5000, 8
ROUNDS = 21
#: What the ways' results may differ by.
AGREEMENT = 1e-5


def measure() -> list[Line]:
    """Forward and backward on k drawn neighbours and on a mutual graph of 2k + 1 places, then a month's graph."""
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.permutation(STOCKS)[:K] for _ in range(STOCKS)])
    mutual = most_alike(rng.standard_normal((STOCKS, RATIOS)).astype(np.float32), np.ones(STOCKS, bool), K)
    graphs = {
        f"{STOCKS} stocks, {K} neighbours": Neighbours(torch.from_numpy(drawn), torch.rand(STOCKS, K)),
        f"{STOCKS} stocks, mutual graph of k = {K}": Neighbours(*map(torch.from_numpy, mutual)),
    }
    with settled_torch():
        lines = [line for size, neighbours in graphs.items() for line in _attention(size, neighbours)]
    vectors = rng.standard_normal((MONTH, RATIOS)).astype(np.float32)
    build = interleave({"ours": lambda: most_alike(vectors, np.ones(MONTH, bool), K)}, 5)["ours"]
    return [*lines, alone("graph of a month, k = 20", f"{MONTH} stocks, {RATIOS} ratios", build, "", "≤ 0.5 s")]


def _attention(size: str, neighbours: Neighbours) -> list[Line]:
    torch.manual_seed(0)
    gat, states = GraphAttention(WIDTH, HEADS, SIZE, 0.0), torch.randn(STOCKS, WIDTH, requires_grad=True)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "ours": lambda x: gat(x, neighbours),
        "plain gather": lambda x: _gathered(gat, x, neighbours),
    }
    if (theirs := _geometric(gat, neighbours)) is not None:
        ways["torch_geometric"] = theirs
    grad = torch.randn(STOCKS, HEADS * SIZE)

    def step(way: str) -> Tensor:
        """Gradient of the states, and of all weights."""
        gat.zero_grad(set_to_none=True)
        states.grad = None
        ways[way](states).backward(grad)
        assert states.grad is not None
        return states.grad

    expected, back = ways["ours"](states).detach(), step("ours").clone()
    for way, compute in ways.items():
        if (compute(states) - expected).abs().max() > AGREEMENT or not torch.allclose(step(way), back, 1e-3, 1e-4):
            raise AssertionError(f"{way} gives other numbers than ours")
    times = interleave({way: lambda way=way: step(way) for way in ways}, ROUNDS)
    wanted = {"plain gather": "≥ 1"}
    job = "graph attention, forward and backward"
    return [compare(job, size, times["ours"], way, times[way], wanted.get(way, "")) for way in ways if way != "ours"]


def _gathered(gat: GraphAttention, states: Tensor, neighbours: Neighbours) -> Tensor:
    """As one would write it: each neighbour's value in a (b, m, heads, size) tensor."""
    absent, index = neighbours.index < 0, neighbours.index.clamp(min=0)
    value = gat.value(states).view(len(states), HEADS, SIZE)
    theirs, own = (value * gat.of_neighbour).sum(dim=2), (value * gat.of_self).sum(dim=2)
    score = theirs[index] + own[:, None] + gat.similarity * neighbours.similarity[:, :, None]
    score = torch.nn.functional.leaky_relu(score, 0.2)
    if absent.any():
        score = score.masked_fill(absent[:, :, None], -torch.inf)
    return (torch.softmax(score, dim=1)[..., None] * value[index]).sum(dim=1).flatten(1)


def _geometric(gat: GraphAttention, neighbours: Neighbours) -> Callable[[Tensor], Tensor] | None:
    """GATConv with the same weights, its edges ready."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from torch_geometric.nn import GATConv
        except ModuleNotFoundError:
            return None
    conv = GATConv(WIDTH, SIZE, heads=HEADS, edge_dim=1, bias=False, add_self_loops=False)
    with torch.no_grad():
        conv.lin.weight.copy_(gat.value.weight)
        conv.att_src.copy_(gat.of_neighbour[None])
        conv.att_dst.copy_(gat.of_self[None])
        conv.lin_edge.weight.fill_(SIZE**-0.5)
        conv.att_edge.copy_(gat.similarity[None, :, None].expand(1, HEADS, SIZE) * SIZE**-0.5)
    stock, place = torch.nonzero(neighbours.index >= 0, as_tuple=True)
    edges = torch.stack([neighbours.index[stock, place], stock])
    similarity = neighbours.similarity[stock, place][:, None]
    return lambda states: conv(states, edges, similarity)


if __name__ == "__main__":
    for line in measure():
        ratio = "" if line.ratio is None else f"{line.other} {line.ratio:.2f} ({line.low:.2f} to {line.high:.2f})"
        print(f"{line.job}, {line.size}: {line.ours * 1e3:.1f} ms {ratio} wanted {line.target or '-'}")
