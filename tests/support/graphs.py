"""What a CUDA graph does to those who use it, on the processor: fixed shapes, and memory of its own that each replay
overwrites. After `torch.cuda.make_graphed_callables`, whose gradients are given out without a copy, too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Replayed(nn.Module):
    """`module` as that makes it of it; takes what it takes."""

    def __init__(self, module: nn.Module, sample: tuple[Tensor, ...], *, allow_unused_input: bool) -> None:
        super().__init__()
        self.module, self.inputs, self.allow_unused = module, sample, allow_unused_input
        self.weights = list(module.parameters())
        self.output = torch.empty_like(module(*sample)).detach()
        self.gradients = [torch.empty_like(one) for one in self.weights]
        self.replays = 0

    def forward(self, *given: Tensor) -> Tensor:
        """A replay."""
        assert [one.shape for one in given] == [one.shape for one in self.inputs], "a graph has one shape"
        made: Tensor = _Replay.apply(self, given, *self.weights)
        return made


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Replayed, given: tuple[Tensor, ...], *weights: Tensor) -> Tensor:
        ctx.own = own
        own.replays += 1
        for mine, one in zip(own.inputs, given, strict=True):
            mine.copy_(one)
        with torch.enable_grad():
            own.live = own.module(*own.inputs)
        own.output.copy_(own.live.detach())
        return own.output.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        own = ctx.own
        found = torch.autograd.grad(own.live, own.weights, grad, allow_unused=own.allow_unused)
        for mine, one in zip(own.gradients, found, strict=True):
            if one is not None:
                mine.copy_(one)
        given = [None if one is None else mine.detach() for mine, one in zip(own.gradients, found, strict=True)]
        return None, None, *given
