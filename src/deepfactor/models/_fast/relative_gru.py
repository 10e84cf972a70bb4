"""Two GRUs, the second reading what the first says of a stock beside its group: one autograd node of the kernel.

    h1 = first(x), all steps
    y = h1 - its mean over the stock's group + LayerNorm(embedding(side))
    output = second(y), the last step or the last few

The first recurrence adds up the group sums. y and the LayerNorm's gradient are made tile by tile in the cache, y again
in the backward pass: of all this only h1 and one gradient of its size go through memory, the latter over the states of
the second GRU, so that a graph can be run back once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deepfactor.models._fast.gru_kernel import (
    GruWeights,
    How,
    KernelArguments,
    Lease,
    centred_gradient,
    of_outputs,
    of_weights,
    run,
)
from deepfactor.models._kernels import Kernel


@dataclass(frozen=True)
class Groups:
    """Groups of stocks: `of` int32, the group of each, (b,) the same at every step or (p, b); `count` (G,) or (p, G)
    float, what a group's sum is divided by: its stocks."""

    of: Tensor
    count: Tensor

    @classmethod
    def split(cls, of: Tensor, groups: int) -> Groups:
        """The groups 0 ... `groups` - 1 whose members `of` (b,) or (p, b) names; -1 = of no group, whose mean is 0."""
        members = torch.stack([(of == group).sum(dim=-1) for group in range(groups)], dim=-1).clamp(min=1).float()
        if of.dim() == 1:  # of a day's batch, which all are in
            return cls(of.to(torch.int32), members)
        nobody = members.new_full((*members.shape[:-1], 1), torch.inf)  # a last group takes what belongs to none
        return cls(torch.where(of < 0, groups, of).to(torch.int32), torch.cat([members, nobody], dim=-1))

    def mean(self, sums: Tensor) -> Tensor:
        """Means (p, G, d) of sums; zero where a group is empty."""
        return sums / self.count[..., None]


@dataclass(frozen=True)
class Side:
    """A side input: `x` (p, b, m), its embedding `centred` (d, m) whose columns add up to zero, and its LayerNorm."""

    x: Tensor
    centred: Tensor
    gamma: Tensor
    beta: Tensor
    eps: float


@dataclass(frozen=True)
class First:
    """What the first GRU reads, x (p, b, k), its weights, and `centred` as in `gru.recur`: x gets no gradient."""

    x: Tensor
    weights: GruWeights
    centred: Tensor


def relative_gru(
    kernel: Kernel,
    first: First,
    groups: Groups | None,
    side: Side | None,
    second: GruWeights,
    *,
    steps: int | None = None,
    how: How = How(),
) -> Tensor:
    """The second GRU's output at the last step (b, d), or at the last `steps` (steps, b, d).

    Parameters
    ----------
    groups, side
        None: nothing is subtracted, nothing is added.
    how
        of both GRUs.
    """
    embedding = (None,) * 3 if side is None else (side.centred, side.gamma, side.beta)
    inputs = (first.x, first.centred, *embedding, *first.weights, *second)
    if torch.is_grad_enabled():
        output: Tensor = _Pair.apply(kernel, how, groups, side, steps, *inputs)  # type: ignore[no-untyped-call]
        return output
    (p, b), d = first.x.shape[:2], first.weights[1].shape[1]
    states, last = Lease(p, b, d), first.x.new_empty((b, d) if steps is None else (p, b, d))
    sums = _first(kernel, how, first.x, first.weights, groups, {"states": states.tensor})
    kept: KernelArguments = {"last": last} if steps is None else {"states": last}
    run(kernel.forward, states.tensor, second, how, kept | _between(groups, sums, side, embedding))
    return last if steps is None else last[p - steps :]


def relative_step(
    kernel: Kernel,
    first: First,
    groups: Groups | None,
    side: Side | None,
    second: GruWeights,
    *,
    initial: tuple[Tensor, Tensor] | None,
    how: How = How(),
) -> tuple[Tensor, Tensor]:
    """Both GRUs one step on from the states `initial` (b, d) each, None = from nothing; their states. For inference."""
    before = (None, None) if initial is None else initial
    states = tuple(first.x.new_empty(1, first.x.shape[1], w.shape[1]) for w in (first.weights[1], second[1]))
    embedding = (None,) * 3 if side is None else (side.centred, side.gamma, side.beta)
    sums = _first(kernel, how, first.x, first.weights, groups, {"states": states[0], "initial": before[0]})
    given: KernelArguments = {"states": states[1], "initial": before[1]}
    run(kernel.forward, states[0], second, how, given | _between(groups, sums, side, embedding))
    return states[0][0], states[1][0]


class _Pair(torch.autograd.Function):
    """The node; its tensors: x, centred, (centred, gamma, beta) of the side, weights of the first and of the second."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, how: How, groups: Groups | None, side: Side | None, steps: int | None, *inputs: Any
    ) -> Tensor:
        x, _, *embedding = inputs[:5]
        first, second = inputs[5:9], inputs[9:]
        (p, b), d = x.shape[:2], first[1].shape[1]
        ctx.leases = [Lease(p, b, width * d) for width in (2, 1, 2, 1)]
        gates_1, states_1, gates_2, states_2 = (lease.tensor for lease in ctx.leases)
        sums = _first(kernel, how, x, first, groups, {"gates": gates_1, "states": states_1})
        between = _between(groups, sums, side, embedding)
        output: Tensor | None = x.new_empty(b, d) if steps is None else None
        kept: KernelArguments = {"gates": gates_2, "states": states_2, "last": output}
        run(kernel.forward, states_1, second, how, kept | between)
        if output is None:
            output = states_2[p - steps :].clone()
        ctx.save_for_backward(*inputs)
        ctx.kernel, ctx.how, ctx.groups, ctx.side, ctx.offset = kernel, how, groups, side, between.get("offset")
        ctx.steps, ctx.spent = steps, False
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, centred, *embedding = ctx.saved_tensors[:5]
        first, second = ctx.saved_tensors[5:9], ctx.saved_tensors[9:]
        way, groups, side = ctx.kernel.backward, ctx.groups, ctx.side
        if ctx.spent:
            raise RuntimeError("this graph of two GRUs was run back before, which took its states: run forward again")
        ctx.spent = True
        gates_1, states_1, gates_2, states_2 = (lease.tensor for lease in ctx.leases)
        grads_2 = [torch.empty_like(w) for w in second]
        between: KernelArguments = {"gates": gates_2, "states": states_2, "grad_x": states_2}
        between |= of_weights(grads_2) | of_outputs(grad, ctx.steps)
        if groups is not None:
            between |= {"group": groups.of, "offset": ctx.offset, "sums": torch.empty_like(ctx.offset)}
        grads_side: tuple[Tensor | None, ...] = (None,) * 3
        if side is not None:
            grads_side = embed, gamma, beta = tuple(torch.empty_like(e) for e in embedding)
            between |= _side(side, embedding)
            between |= {"grad_embed": embed, "grad_gamma": gamma, "grad_beta": beta}
        run(way, states_1, second, ctx.how, between)
        grads_1 = [torch.empty_like(w) for w in first]
        moment = x.new_empty(x.shape[2], x.shape[2])
        given: KernelArguments = {"gates": gates_1, "states": states_1, "grad_states": states_2, "moment": moment}
        given |= of_weights(grads_1)
        if groups is not None:
            given |= {"group": groups.of, "grad_offset": groups.mean(between["sums"])}
        run(way, x, first, ctx.how, given)
        return *(None,) * 6, centred_gradient(centred, moment), *grads_side, *grads_1, *grads_2


def _first(
    kernel: Kernel, how: How, x: Tensor, weights: Any, groups: Groups | None, kept: KernelArguments
) -> Tensor | None:
    """Run the first GRU into `kept`; sums of its states over each group (p, G, d)."""
    if groups is None:
        run(kernel.forward, x, weights, how, kept)
        return None
    sums = x.new_empty(x.shape[0], groups.count.shape[-1], weights[1].shape[1])
    run(kernel.forward, x, weights, how, kept | {"group": groups.of, "sums": sums})
    return sums


def _between(groups: Groups | None, sums: Tensor | None, side: Side | None, embedding: Any) -> KernelArguments:
    """The kernel's arguments for what the second GRU reads in the forward pass."""
    given: KernelArguments = {}
    if groups is not None and sums is not None:
        given = {"group": groups.of, "offset": groups.mean(sums)}
    return given if side is None else given | _side(side, embedding)


def _side(side: Side, embedding: Any) -> KernelArguments:
    embed, gamma, beta = (e.detach().contiguous() for e in embedding)
    return {"side": side.x, "embed": embed, "gamma": gamma, "beta": beta, "eps": side.eps}
