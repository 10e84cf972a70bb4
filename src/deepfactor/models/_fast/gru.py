"""`torch.nn.GRU` by the compiled kernel, in tiles of the stocks.

Equations (Cho et al. 2014 in the form of cuDNN and `torch.nn.GRU`), h_0 = 0, for every step::

    r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    hn = W_hn h + b_hn                                   n = tanh(W_in x + b_in + r * hn)
    h' = n + z * (h - n)

The batch is cut along the stocks, so that a step's numbers stay in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfactor.core.errors import UserError
from deepfactor.models._fast.gru_kernel import GruWeights, How, KernelGRU, fits, infer
from deepfactor.models._kernels import Kernel, choice

TILE = 384
"""Stocks a tile. At hidden 64 and 1 MiB of L2 cache 256 ... 768 lie within 4 %; 128 costs 10 %, no tiles 15 %."""

"""Of one layer, in the shapes and the order of `nn.GRU`."""


def tiles(sequence: Tensor) -> tuple[Tensor, ...]:
    """`sequence` (steps, b, width) cut along the stocks into views of at most `TILE` stocks."""
    return torch.split(sequence, TILE, dim=1)


def gru_last(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor | None:
    """Output of `gru` (one layer, time first) at the last step from a zero state: (p, b, i) -> (b, d)."""
    kernel = fitting(x, gru.hidden_size, how)
    if kernel is None:
        return None
    return torch.cat([recur(kernel, tile, one_layer(gru), how=how) for tile in tiles(x)])


def bi_gru_steps(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor | None:
    """Outputs of a bidirectional `gru` (time first, any number of layers, dropout between them) at all steps.

    Parameters
    ----------
    x
        (p, b, i), from zero states.

    Returns
    -------
    Tensor
        (p, b, 2d) as `nn.GRU` gives it: the forward direction's states, then the backward direction's.

    Raises
    ------
    ValueError
        `gru` has one direction, is batch first or has no biases.
    """
    if not gru.bidirectional or gru.batch_first or not gru.bias:
        raise ValueError(f"bi_gru_steps takes a bidirectional nn.GRU, time first, with biases; given: {gru}")
    kernel = fitting(x, gru.hidden_size, how)
    if kernel is None:
        return None
    parameters = iter(gru.parameters())  # layer by layer, in a layer forwards then backwards, four each
    for layer in range(gru.num_layers):
        if layer:
            x = nn.functional.dropout(x, gru.dropout, gru.training)
        ways = []
        for reverse in (False, True):
            weights = (next(parameters), next(parameters), next(parameters), next(parameters))
            ways.append(recur(kernel, x, weights, steps=len(x), how=How(reverse, how.bf16)))
        x = torch.cat(ways, dim=2)
    return x


def one_layer(gru: nn.GRU) -> GruWeights:
    """Weights and biases of `gru`: (3d, i), (3d, d), (3d,), (3d,)."""
    w_ih, w_hh, b_ih, b_hh = gru.parameters()  # more of them would be more layers or directions
    return w_ih, w_hh, b_ih, b_hh


def recur(
    kernel: Kernel,
    x: Tensor,
    weights: GruWeights,
    *,
    steps: int | None = None,
    centred: Tensor | None = None,
    how: How = How(),
) -> Tensor:
    """The GRU with these weights over `x` (p, b, i) from a zero state: the last `steps` of its outputs (steps, b, d).

    Without `steps` the last output (b, d); with `how.reverse` that is what is reached last, at the first step.

    With `centred` (d, i) x is taken for patches scaled by the norm of ``centred @ patch``, see `patch_gru`: it gets no
    gradient, and `centred` the one that comes through the norm.
    """
    if torch.is_grad_enabled():
        computed: Tensor = KernelGRU.apply(kernel, x, steps, how, centred, *weights)  # type: ignore[no-untyped-call]
        return computed
    return infer(kernel, x, weights, steps, how)


def fitting(x: Tensor, hidden: int, how: How = How()) -> Kernel | None:
    """The compiled kernel where it is in use and can compute a GRU of this hidden size over `x` (steps, b, width).

    Raises
    ------
    UserError
        products in bfloat16 are wanted, which on a processor the kernel alone does fast.
    """
    chosen = choice()
    if chosen.kernel is not None and fits(x, hidden):
        return chosen.kernel
    if how.bf16 and x.device.type == "cpu":
        why = chosen.why if chosen.kernel is None else "it takes float32 on the CPU and hidden sizes that 16 divides"
        raise UserError(f'precision = "bf16" needs the compiled GRU: {why}')
    return None
