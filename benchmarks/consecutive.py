"""Scores of consecutive days under `by_day`: with the front end shared, with whole windows, and by stock PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

from benchmarks.networks import StockGRU
from benchmarks.timing import Line, compare, interleave
from benchmarks.trainer import NAMES, random_data
from deepfactor.models import gru
from deepfactor.models.base import Shapes
from deepfactor.training.fit import settled_torch
from deepfactor.training.front import Front
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS

DAYS, ROUNDS = 40, 7


def measure() -> list[Line]:
    """A day each round, one after the other, gathering included; the scores of the ways are compared first."""
    sampler = Sampler(random_data(days=150 + DAYS), SCALINGS.choose("by_day"))
    torch.manual_seed(0)
    network = gru.build(gru.Settings(), Shapes(len(NAMES), sampler.data.window)).eval()
    stock, front = StockGRU(network, time_major=False), Front(network, sampler)
    ways: dict[str, Callable[[int], torch.Tensor]] = {
        "ours": front.scores,
        "ours, whole windows": lambda t: network(sampler.cross_section(t, gru.INPUTS)),
        "nn.GRU batch-first": lambda t: stock(
            sampler.cross_section(t, gru.INPUTS).windows.transpose(0, 1).contiguous()
        ),
    }
    first = sampler.data.window
    with settled_torch(), torch.inference_mode():
        for t in range(first, first + network.patch):  # from then on a day has one new patch a stock
            for score in ways.values():
                torch.testing.assert_close(score(t), front.scores(t), rtol=1e-4, atol=1e-5)
        times = interleave({way: _next(score, first + network.patch) for way, score in ways.items()}, ROUNDS)
    wanted = {"nn.GRU batch-first": "≥ 5"}
    what = ("gru, a further day's scores", f"{len(sampler.data.symbols)} stocks")
    return [compare(*what, times["ours"], way, times[way], wanted.get(way, "")) for way in list(ways)[1:]]


def _next(score: Callable[[int], torch.Tensor], first: int) -> Callable[[], torch.Tensor]:
    """Scores of the day after the last call's."""
    days = itertools.count(first)
    return lambda: score(next(days))
