"""The compiled GRU as the tests call it: every path that this processor runs, and its numbers by other means."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deepfactor.models import _kernels
from deepfactor.models._fast.gru import fitting, one_layer, recur
from deepfactor.models._fast.gru_kernel import How

BF16 = How(bf16=True)


def runnable() -> list[str]:
    """Names of the paths that this processor runs; none where the library isn't built."""
    library, _ = _kernels._library()
    return [path for path in _kernels.PATHS if library is not None and library.deepfactor_gru_runs(path.encode())]


def gru_steps(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor:
    """All outputs of a one-layer `gru` by the kernel: (p, b, i) -> (p, b, d)."""
    return recur(_kernel(gru, x, how), x, one_layer(gru), steps=len(x), how=how)


def gru_last(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor:
    """The last of them (b, d)."""
    return recur(_kernel(gru, x, how), x, one_layer(gru), how=how)


def rounded_gru(gru: nn.GRU, x: Tensor) -> Tensor:
    """All outputs of a one-layer `gru` step by step, the operands of every product rounded to bfloat16."""
    w_ih, w_hh, b_ih, b_hh = gru.parameters()
    h = x.new_zeros(x.shape[1], gru.hidden_size)
    steps = []
    for row in x:
        from_input = _product(row, w_ih) + b_ih
        from_state = _product(h, w_hh) + b_hh
        r, z, n = from_input.chunk(3, dim=1)
        hr, hz, hn = from_state.chunk(3, dim=1)
        candidate = torch.tanh(n + torch.sigmoid(r + hr) * hn)
        h = candidate + torch.sigmoid(z + hz) * (h - candidate)
        steps.append(h)
    return torch.stack(steps)


class _Product(torch.autograd.Function):
    """``x @ w.t()`` of rounded operands; back, the gradient is rounded as it enters its two products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        x, w = (operand.bfloat16().float() for operand in (x, w))
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, w = ctx.saved_tensors
        grad = grad.bfloat16().float()
        return grad @ w, grad.t() @ x


def _product(x: Tensor, w: Tensor) -> Tensor:
    product: Tensor = _Product.apply(x, w)
    return product


def _kernel(gru: nn.GRU, x: Tensor, how: How) -> _kernels.Kernel:
    kernel = fitting(x, gru.hidden_size, how)
    assert kernel is not None, "the kernel can't compute this"
    return kernel
