"""`nn.GRU` whose ``precision = "bf16"`` holds where the compiled kernel doesn't run: on a GPU.

What enters a matrix product is rounded to bfloat16, forwards and backwards; sums, gates and states are float32. torch
has nothing that does this: autocast runs cuDNN's GRU in float16, whatever it is asked for
(https://github.com/pytorch/pytorch/pull/42385), and a GRU on bfloat16 tensors rounds its states as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Precision = Annotated[
    Literal["float32", "bf16"],
    Field(description="bf16: what enters the GRUs' matrix products is rounded to bfloat16; all else is float32"),
]
"""A setting of the models whose GRUs are computed in either."""


class GRU(nn.GRU):
    """Time first, from `layers` layers of one direction or two; `precision` "float32" is `nn.GRU` itself."""

    def __init__(
        self,
        inputs: int,
        hidden: int,
        precision: Precision,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(inputs, hidden, layers, bidirectional=bidirectional, dropout=dropout)
        self.precision = precision

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Outputs (p, b, w d) over `x` (p, b, i) from `state` (l w, b, d), None = zeros, and the last (l w, b, d).

        w directions and l layers, in the order of `nn.GRU`.
        """
        if self.precision == "float32":
            made: tuple[Tensor, Tensor] = super().forward(x, state)
            return made
        weights, ways = list(self.parameters()), 2 if self.bidirectional else 1  # four a direction of a layer
        ends: list[Tensor] = []
        for layer in range(self.num_layers):
            if layer:
                x = nn.functional.dropout(x, self.dropout, self.training)
            outputs = []
            for reverse in range(ways):
                at = len(ends)
                h = x.new_zeros(x.shape[1], self.hidden_size) if state is None else state[at]
                states = _recur(x.flip(0) if reverse else x, h, *weights[4 * at : 4 * at + 4])
                ends.append(states[-1])
                outputs.append(states.flip(0) if reverse else states)
            x = torch.cat(outputs, dim=2)
        return x, torch.stack(ends)


def _recur(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """States (p, b, d) of one layer over `x` (p, b, i) from `h` (b, d), in the order of `x`."""
    gates = (_product(x.flatten(0, 1), w_ih) + b_ih).view(*x.shape[:2], -1)
    states = []
    for given in gates:
        (r, z, n), (hr, hz, hn) = given.chunk(3, dim=1), (_product(h, w_hh) + b_hh).chunk(3, dim=1)
        candidate = torch.tanh(n + torch.sigmoid(r + hr) * hn)
        h = candidate + torch.sigmoid(z + hz) * (h - candidate)
        states.append(h)
    return torch.stack(states)


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
