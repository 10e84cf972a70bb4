"""`nn.GRU` whose ``precision = "bf16"`` holds where the compiled kernel doesn't run: on a GPU.

What enters a matrix product is rounded to bfloat16, forwards and backwards; sums, gates and states are float32. torch
has nothing that does this: autocast runs cuDNN's GRU in float16, whatever it is asked for
(https://github.com/pytorch/pytorch/pull/42385), and a GRU on bfloat16 tensors rounds its states as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class GRU(nn.GRU):
    """One layer, forwards, time first; `precision` "float32" is `nn.GRU` itself."""

    def __init__(self, inputs: int, hidden: int, precision: str) -> None:
        super().__init__(inputs, hidden)
        self.precision = precision

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Outputs (p, b, d) over `x` (p, b, i) from `state` (1, b, d), None = zeros, and the last of them (1, b, d)."""
        if self.precision == "float32":
            made: tuple[Tensor, Tensor] = super().forward(x, state)
            return made
        (p, b, _), (w_ih, w_hh, b_ih, b_hh) = x.shape, self.parameters()
        gates = (_product(x.flatten(0, 1), w_ih) + b_ih).view(p, b, -1)
        h = x.new_zeros(b, self.hidden_size) if state is None else state[0]
        states = []
        for given in gates:
            (r, z, n), (hr, hz, hn) = given.chunk(3, dim=1), (_product(h, w_hh) + b_hh).chunk(3, dim=1)
            candidate = torch.tanh(n + torch.sigmoid(r + hr) * hn)
            h = candidate + torch.sigmoid(z + hz) * (h - candidate)
            states.append(h)
        return torch.stack(states), h[None]


class _Product(torch.autograd.Function):
    """``x @ w.t()`` of rounded operands; back, the gradient is rounded as it enters its two products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        x, w = x.bfloat16(), w.bfloat16()
        ctx.save_for_backward(x, w)
        return _sums(x, w.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, w = ctx.saved_tensors
        grad = grad.bfloat16()
        return _sums(grad, w), _sums(grad.t(), x)


def _product(x: Tensor, w: Tensor) -> Tensor:
    product: Tensor = _Product.apply(x, w)  # type: ignore[no-untyped-call]
    return product


def _sums(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of bfloat16 tensors, in float32; on a GPU by its tensor cores, which torch can from 2.8 on."""
    if a.device.type == "cpu":
        return a.float() @ b.float()
    return torch.mm(a, b, out_dtype=torch.float32)
