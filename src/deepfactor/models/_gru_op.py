"""A one-layer GRU as one autograd node, for wide batches on the CPU: the numbers and parameters of `torch.nn.GRU`.

Equations (Cho et al. 2014 in the form of cuDNN and `torch.nn.GRU`), h_0 = 0, for every step::

    r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    hn = W_hn h + b_hn                                   n = tanh(W_in x + b_in + r * hn)
    h' = n + z * (h - n)

Why it is faster than `nn.GRU`: no graph node and no new tensor a step; the four pre-activations [n | r | z | hn] of a
step are one row-major block, so that input and state each enter by one matrix product written in place, and each gets
its gradient by one. The caller cuts the batch into `tiles`, so that a step's block stays in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from deepfactor.models._gru_kernel import How, KernelGRU, fits, infer
from deepfactor.models._kernels import Kernel, choice

TILE = 384
"""Stocks a tile. At hidden 64 and 1 MiB of L2 cache 256 ... 768 lie within 4 %; 128 costs 10 %, no tiles 15 %."""

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of one layer, in the shapes and the order of `nn.GRU`."""

_SINGLE = ((0, 1), (1, 2), (2, 3), (3, 4))
_TANH_BACKWARD = torch.ops.aten.tanh_backward.grad_input
_SIGMOID_BACKWARD = torch.ops.aten.sigmoid_backward.grad_input


def tiles(sequence: Tensor) -> tuple[Tensor, ...]:
    """`sequence` (steps, b, width) cut along the stocks into views of at most `TILE` stocks."""
    return torch.split(sequence, TILE, dim=1)


def gru_steps(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor:
    """Outputs of `gru` (one layer, time first) at all steps from a zero state: (p, b, i) -> (p, b, d)."""
    return recur(x, one_layer(gru), all_steps=True, how=how)


def gru_last(gru: nn.GRU, x: Tensor, how: How = How()) -> Tensor:
    """Output of `gru` (one layer, time first) at the last step from a zero state: (p, b, i) -> (b, d)."""
    return recur(x, one_layer(gru), all_steps=False, how=how)


def bi_gru(gru: nn.GRU, x: Tensor, *, bf16: bool = False) -> Tensor:
    """Outputs of a bidirectional `gru` (time first, any number of layers, dropout between them) at all steps.

    Parameters
    ----------
    x
        (p, b, i), from zero states.
    bf16
        see `How`.

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
        raise ValueError(f"bi_gru takes a bidirectional nn.GRU, time first, with biases; given: {gru}")
    parameters = iter(gru.parameters())  # layer by layer, in a layer forwards then backwards, four each
    for layer in range(gru.num_layers):
        if layer:
            x = nn.functional.dropout(x, gru.dropout, gru.training)
        ways = []
        for reverse in (False, True):
            weights = (next(parameters), next(parameters), next(parameters), next(parameters))
            ways.append(recur(x, weights, all_steps=True, how=How(reverse, bf16)))
        x = torch.cat(ways, dim=2)
    return x


def one_layer(gru: nn.GRU) -> Weights:
    """Weights and biases of `gru`: (3d, i), (3d, d), (3d,), (3d,)."""
    w_ih, w_hh, b_ih, b_hh = gru.parameters()  # more of them would be more layers or directions
    return w_ih, w_hh, b_ih, b_hh


def recur(x: Tensor, weights: Weights, *, all_steps: bool, centred: Tensor | None = None, how: How = How()) -> Tensor:
    """`gru_steps` or `gru_last` of the GRU with these weights.

    With `how.reverse` "last" is what is reached last, at the first step.

    With `centred` (d, i) x is taken for patches scaled by the norm of ``centred @ patch``, see `_patch_gru`: it gets no
    gradient, and `centred` the one that comes through the norm.
    """
    kernel = fitting(x, weights[1].shape[1])
    if kernel is not None:
        if torch.is_grad_enabled():
            computed: Tensor = KernelGRU.apply(kernel, x, all_steps, how, centred, *weights)  # type: ignore[no-untyped-call]
            return computed
        return infer(kernel, x, weights, all_steps, how)
    if how.reverse:
        output = recur(x.flip(0), weights, all_steps=all_steps, centred=centred, how=How(bf16=how.bf16))
        return output.flip(0) if all_steps else output
    if torch.is_grad_enabled():
        if centred is not None:
            x = _Scaled.apply(x, centred)  # type: ignore[no-untyped-call]
        outputs: Tensor = _GRU.apply(x, *weights, all_steps, how.bf16)  # type: ignore[no-untyped-call]
        return outputs
    _, states = _recur(x, *_joint(*weights), keep_gates=False, keep_states=all_steps, bf16=how.bf16)
    return states[1:] if all_steps else states[-1]


def fitting(x: Tensor, hidden: int) -> Kernel | None:
    """The compiled kernel where it is in use and can compute a GRU of this hidden size over `x` (steps, b, width)."""
    kernel = choice().kernel
    return kernel if kernel is not None and fits(x, hidden) else None


class _Scaled(torch.autograd.Function):
    """y = p / s, s^2 = |C p|^2 / d + eps, with the gradient of C through s: ``-C sum (g . y) y y' / d``."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, centred: Tensor) -> Tensor:
        ctx.save_for_backward(y, centred)
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, centred = ctx.saved_tensors
        y = y.flatten(0, 1)
        along = torch.linalg.vecdot(grad.flatten(0, 1), y)
        return None, centred @ ((y * along[:, None]).t() @ y).div_(-len(centred))


class _GRU(torch.autograd.Function):
    """The node. Weights and biases are laid out as in `nn.GRU`: three blocks of d rows, in the order r, z, n."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, all_steps: bool, bf16: bool
    ) -> Tensor:
        w_in, w_hh, bias = _joint(w_ih, w_hh, b_ih, b_hh)
        gates, states = _recur(x, w_in, w_hh, bias, keep_gates=True, keep_states=True, bf16=bf16)
        ctx.save_for_backward(x, w_in, w_hh, gates, states)
        ctx.all_steps, ctx.bf16 = all_steps, bf16
        return states[1:] if all_steps else states[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w_in, w_hh, gates, states = ctx.saved_tensors
        need_x = ctx.needs_input_grad[0]
        wanted = {"need_x": need_x, "all_steps": ctx.all_steps, "bf16": ctx.bf16}
        return *_recur_back(grad, x, w_in, w_hh, gates, states, **wanted), None, None


def _joint(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (3d, i) from the input to n, r, z, weights (3d, d) from the state to r, z, hn, and all biases (4d,)."""
    d = w_hh.shape[1]
    bias = torch.cat([b_ih[2 * d :], b_ih[: 2 * d] + b_hh[: 2 * d], b_hh[2 * d :]])
    return w_ih.roll(d, dims=0), w_hh, bias


def _operand(x: Tensor, bf16: bool) -> Tensor:
    """`x` as it enters a product: with `bf16` rounded to bfloat16."""
    return x.bfloat16().to(x.dtype) if bf16 else x


def _recur(
    x: Tensor, w_in: Tensor, w_hh: Tensor, bias: Tensor, *, keep_gates: bool, keep_states: bool, bf16: bool
) -> tuple[Tensor, Tensor]:
    """Gates (p, n, 4d) = [n | r | z | hn] and states (p + 1, n, d), of which the first is the zero start.

    What is not kept is overwritten step by step: all its steps are one block of memory.
    """
    p, n, _ = x.shape
    d = w_hh.shape[1]
    gates = x.new_empty(p, n, 4 * d) if keep_gates else x.new_empty(1, n, 4 * d).expand(p, n, 4 * d)
    states = x.new_empty(p + 1, n, d) if keep_states else x.new_empty(1, n, d).expand(p + 1, n, d)
    states[0].zero_()
    # tanh(a) as 2 sigmoid(2a) - 1, a third of tanh's time here: the doubling of a sits in weights and bias
    double = torch.cat([x.new_full((d,), 2.0), x.new_ones(3 * d)])
    bias = bias * double
    w_in_t, w_hh_t = (_operand(w_in, bf16) * double[: 3 * d, None]).t(), _operand(w_hh, bf16).t()
    x = _operand(x, bf16)
    minus_one = x.new_full((), -1.0)
    steps = zip(
        x.unbind(),
        gates.unbind(),
        *_columns(gates, d, (0, 3), (1, 4), (1, 3), *_SINGLE),
        states[:-1].unbind(),
        states[1:].unbind(),
        strict=True,
    )
    for x_t, block, from_input, from_state, rz, candidate, r, z, hn, h, h_next in steps:
        block.copy_(bias)
        from_input.addmm_(x_t, w_in_t)
        from_state.addmm_(_operand(h, bf16), w_hh_t)
        rz.sigmoid_()
        candidate.addcmul_(r, hn, value=2.0).sigmoid_()
        torch.add(minus_one, candidate, alpha=2.0, out=candidate)
        torch.lerp(candidate, h, z, out=h_next)
    return gates, states


def _recur_back(
    grad: Tensor,
    x: Tensor,
    w_in: Tensor,
    w_hh: Tensor,
    gates: Tensor,
    states: Tensor,
    *,
    need_x: bool,
    all_steps: bool,
    bf16: bool,
) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of (x, w_ih, w_hh, b_ih, b_hh), from that of all outputs (p, n, d) or of the last (n, d)."""
    p, n, d = states.shape[0] - 1, *states.shape[1:]
    grad_x = torch.empty_like(x) if need_x else None
    grad_in, grad_hh, grad_bias = torch.zeros_like(w_in), torch.zeros_like(w_hh), w_hh.new_zeros(4 * d)
    block = gates.new_empty(n, 4 * d)
    to_input, to_state = block[:, : 3 * d], block[:, d:]
    to_input_t, to_state_t = to_input.t(), to_state.t()
    w_in, w_hh, x = _operand(w_in, bf16), _operand(w_hh, bf16), _operand(x, bf16)
    g_h = torch.empty_like(states[0]).copy_(grad[-1] if all_steps else grad)
    g_before, part = torch.empty_like(g_h), torch.empty_like(g_h)
    targets = torch.split(block, d, dim=1)
    steps = list(zip(x.unbind(), states[:-1].unbind(), *_columns(gates, d, *_SINGLE), strict=True))
    for t in range(p - 1, -1, -1):
        x_t, h, *activations = steps[t]
        _gates_back(g_h, h, activations, targets, g_before, part)
        grad_bias.add_(block.sum(0))
        if bf16:
            block.copy_(block.bfloat16())
            h = h.bfloat16().to(h.dtype)
        g_before.addmm_(to_state, w_hh)
        grad_in.addmm_(to_input_t, x_t)
        grad_hh.addmm_(to_state_t, h)
        if grad_x is not None:
            torch.mm(to_input, w_in, out=grad_x[t])
        if all_steps and t:
            g_before.add_(grad[t - 1])
        g_h, g_before = g_before, g_h
    grad_b_ih = torch.cat([grad_bias[d : 3 * d], grad_bias[:d]])
    return grad_x, grad_in.roll(-d, dims=0), grad_hh, grad_b_ih, grad_bias[d:].clone()


def _gates_back(
    g_h: Tensor, h: Tensor, activations: Sequence[Tensor], targets: Sequence[Tensor], g_before: Tensor, part: Tensor
) -> None:
    """Send the gradient `g_h` of h' back through the gates of one step; everything is (n, d).

    Writes into `targets` the gradients of the pre-activations [n | r | z | hn], into `g_before` that of h by the direct
    way h' = ... + z h; `part` is scratch.
    """
    candidate, r, z, hn = activations
    g_n, g_r, g_z, g_hn = targets
    torch.mul(g_h, z, out=g_before)
    torch.sub(g_h, g_before, out=part)
    _TANH_BACKWARD(part, candidate, grad_input=g_n)
    torch.sub(h, candidate, out=part).mul_(g_h)
    _SIGMOID_BACKWARD(part, z, grad_input=g_z)
    torch.mul(g_n, hn, out=part)
    _SIGMOID_BACKWARD(part, r, grad_input=g_r)
    torch.mul(g_n, r, out=g_hn)


def _columns(gates: Tensor, d: int, *spans: tuple[int, int]) -> list[tuple[Tensor, ...]]:
    """For each span of blocks of width d its columns of `gates` (p, n, 4d), as p views."""
    return [gates[:, :, i * d : j * d].unbind() for i, j in spans]
