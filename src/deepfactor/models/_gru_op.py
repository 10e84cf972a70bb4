"""A one-layer GRU as one autograd node, for wide batches on the CPU: the numbers and parameters of `torch.nn.GRU`.

Equations (Cho et al. 2014 in the form of cuDNN and `torch.nn.GRU`), h_0 = 0, for every step::

    r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    hn = W_hn h + b_hn                                   n = tanh(W_in x + b_in + r * hn)
    h' = n + z * (h - n)

Why it is faster than `nn.GRU`: no graph node and no new tensor a step; the four pre-activations [n | r | z | hn] of a step
are one row-major block, so that input and state each enter by one matrix product written in place, and backward sends
everything back by one product each. The caller cuts the batch into `tiles`, so that a step's block stays in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE = 256
"""Stocks a tile: the fastest of 64 ... 1024 at hidden 64 with 1 MiB of L2 cache a core."""


def tiles(sequence: Tensor) -> tuple[Tensor, ...]:
    """`sequence` (steps, b, width) cut along the stocks into views of at most `TILE` stocks."""
    return sequence.split(TILE, dim=1)


def gru_steps(gru: nn.GRU, x: Tensor) -> Tensor:
    """Outputs of `gru` (one layer, time first) at all steps from a zero state: (p, b, i) -> (p, b, d)."""
    return _apply(gru, x, True)


def gru_last(gru: nn.GRU, x: Tensor) -> Tensor:
    """Output of `gru` (one layer, time first) at the last step from a zero state: (p, b, i) -> (b, d)."""
    return _apply(gru, x, False)


def _apply(gru: nn.GRU, x: Tensor, all_steps: bool) -> Tensor:
    output: Tensor = _GRU.apply(x, gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0, all_steps)
    return output


class _GRU(torch.autograd.Function):
    """The node. Weights and biases are laid out as in `nn.GRU`: three blocks of d rows, in the order r, z, n."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, all_steps: bool
    ) -> Tensor:
        training = any(ctx.needs_input_grad)
        w_in = w_ih.roll(w_hh.shape[1], dims=0)  # blocks n, r, z: the first three of [n | r | z | hn]
        gates, states = _recur(x, w_in, w_hh, _joint_bias(b_ih, b_hh), keep_gates=training, keep_states=training or all_steps)
        if training:
            ctx.save_for_backward(x, w_in, w_hh, gates, states)
            ctx.all_steps = all_steps
        return states[1:] if all_steps else states[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w_in, w_hh, gates, states = ctx.saved_tensors
        return *_recur_back(grad, x, w_in, w_hh, gates, states, ctx.needs_input_grad[0], ctx.all_steps), None


def _joint_bias(b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Bias of [n | r | z | hn]: (4d,)."""
    d = b_ih.shape[0] // 3
    return torch.cat([b_ih[2 * d :], b_ih[: 2 * d] + b_hh[: 2 * d], b_hh[2 * d :]])


def _recur(
    x: Tensor, w_in: Tensor, w_hh: Tensor, bias: Tensor, *, keep_gates: bool, keep_states: bool
) -> tuple[Tensor, Tensor]:
    """Gates (p, n, 4d) = [n | r | z | hn] and states (p + 1, n, d), of which the first is the zero start.

    What is not kept is overwritten step by step: all its steps are one block of memory.
    """
    p, n, _ = x.shape
    d = w_hh.shape[1]
    gates = x.new_empty(p, n, 4 * d) if keep_gates else x.new_empty(1, n, 4 * d).expand(p, n, 4 * d)
    states = x.new_empty(p + 1, n, d) if keep_states else x.new_empty(1, n, d).expand(p + 1, n, d)
    states[0].zero_()
    w_in_t, w_hh_t = w_in.t(), w_hh.t()
    steps = zip(
        x.unbind(),
        gates.unbind(),
        *_columns(gates, d, (0, 3), (1, 4), (1, 3), (0, 1), (1, 2), (2, 3), (3, 4)),
        states[:-1].unbind(),
        states[1:].unbind(),
        strict=True,
    )
    for x_t, block, from_input, from_state, rz, candidate, r, z, hn, h, h_next in steps:
        block.copy_(bias)
        from_input.addmm_(x_t, w_in_t)
        from_state.addmm_(h, w_hh_t)
        rz.sigmoid_()
        candidate.addcmul_(r, hn).tanh_()
        torch.lerp(candidate, h, z, out=h_next)
    return gates, states


def _recur_back(
    grad: Tensor, x: Tensor, w_in: Tensor, w_hh: Tensor, gates: Tensor, states: Tensor, need_x: bool, all_steps: bool
) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of (x, w_ih, w_hh, b_ih, b_hh), from that of all outputs (p, n, d) or of the last (n, d)."""
    p, n, _ = x.shape
    d = w_hh.shape[1]
    grad_x = torch.empty_like(x) if need_x else None
    grad_in, grad_hh, grad_bias = torch.zeros_like(w_in), torch.zeros_like(w_hh), w_hh.new_zeros(4 * d)
    block = x.new_empty(n, 4 * d)  # gradients of the pre-activations [n | r | z | hn]
    g_n, g_r, g_z, g_hn = block.split(d, dim=1)
    g_input, g_state = block[:, : 3 * d], block[:, d:]
    g_input_t, g_state_t = g_input.t(), g_state.t()
    part = x.new_empty(n, d)
    g_h, g_before = (grad[-1] if all_steps else grad).clone(memory_format=torch.contiguous_format), x.new_empty(n, d)
    ones = x.new_ones(n)
    columns = [c.unbind() for c in gates.split(d, dim=2)]
    aten = torch.ops.aten
    for t in range(p - 1, -1, -1):
        candidate, r, z, hn = (c[t] for c in columns)
        h = states[t]
        torch.mul(g_h, z, out=g_before)
        torch.sub(g_h, g_before, out=part)
        aten.tanh_backward.grad_input(part, candidate, grad_input=g_n)
        torch.sub(h, candidate, out=part).mul_(g_h)
        aten.sigmoid_backward.grad_input(part, z, grad_input=g_z)
        torch.mul(g_n, hn, out=part)
        aten.sigmoid_backward.grad_input(part, r, grad_input=g_r)
        torch.mul(g_n, r, out=g_hn)
        g_before.addmm_(g_state, w_hh)
        grad_in.addmm_(g_input_t, x[t])
        grad_hh.addmm_(g_state_t, h)
        grad_bias.add_(block.sum(0))
        if grad_x is not None:
            torch.mm(g_input, w_in, out=grad_x[t])
        if all_steps and t:
            g_before.add_(grad[t - 1])
        g_h, g_before = g_before, g_h
    g_b = grad_bias
    return grad_x, grad_in.roll(-d, dims=0), grad_hh, torch.cat([g_b[d : 3 * d], g_b[:d]]), g_b[d:].clone()


def _columns(gates: Tensor, d: int, *spans: tuple[int, int]) -> list[tuple[Tensor, ...]]:
    """For each span of blocks of width d its columns of `gates` (p, n, 4d), as p views."""
    return [gates[:, :, i * d : j * d].unbind() for i, j in spans]
