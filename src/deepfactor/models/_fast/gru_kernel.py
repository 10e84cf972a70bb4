"""The compiled GRU (`_kernels`) as an autograd node."""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deepfactor.models._kernels import GRUJob, Kernel, PatchesJob

_STEP = 16
"""Hidden sizes that the library computes are multiples of it."""


#: Of one layer: weights (3d, i) and (3d, d), biases (3d,) and (3d,).
GruWeights = tuple[Tensor, Tensor, Tensor, Tensor]


class How(NamedTuple):
    """How a GRU is run.

    Attributes
    ----------
    reverse : from the last step to the first; outputs keep the order of time
    bf16 : numbers are rounded to bfloat16 as they enter a matrix product; sums, states and gates stay float32
    """

    reverse: bool = False
    bf16: bool = False


class KernelArguments(TypedDict, total=False):
    """What the kernel takes beside x and the weights, named as in `gru.h`: dense tensors, None = null."""

    initial: Tensor | None
    gates: Tensor
    states: Tensor
    last: Tensor | None
    group: Tensor
    offset: Tensor
    side: Tensor
    embed: Tensor
    gamma: Tensor
    beta: Tensor
    eps: float
    sums: Tensor
    grad_offset: Tensor
    grad_states: Tensor
    grad_last: Tensor
    grad_x: Tensor | None
    moment: Tensor | None
    grad_w_ih: Tensor
    grad_w_hh: Tensor
    grad_b_ih: Tensor
    grad_b_hh: Tensor
    grad_embed: Tensor
    grad_gamma: Tensor
    grad_beta: Tensor


def fits(x: Tensor, hidden: int) -> bool:
    """Whether the library can compute a GRU over `x` (p, b, k)."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and hidden % _STEP == 0 and x.numel() > 0


def infer(kernel: Kernel, x: Tensor, weights: tuple[Tensor, ...], steps: int | None, how: How) -> Tensor:
    """Outputs without a graph: the last `steps` of them (steps, b, d), or the last one (b, d)."""
    p, b, d = *x.shape[:2], weights[1].shape[1]
    if steps is None:
        last = x.new_empty(b, d)
        run(kernel.forward, x, weights, how, {"last": last})
        return last
    states = x.new_empty(p, b, d)
    run(kernel.forward, x, weights, how, {"states": states})
    return states[p - steps :]


class KernelGRU(torch.autograd.Function):
    """The node. Gates and states live in memory leased to this graph alone and handed back when the graph is freed.

    Gives the last `steps` outputs, or the last one. With `centred` (d, k) x is taken for patches scaled by the norm of
    ``centred @ patch``, see `patch_gru`, and its gradient goes to `centred` instead.
    """

    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, x: Tensor, steps: int | None, how: How, centred: Tensor | None, *weights: Tensor
    ) -> Tensor:
        p, b, d = *x.shape[:2], weights[1].shape[1]
        ctx.leases = gates, states = Lease(p, b, 2 * d), Lease(p, b, d)
        kept: KernelArguments = {"gates": gates.tensor, "states": states.tensor}
        if steps is None:
            kept["last"] = output = x.new_empty(b, d)
            run(kernel.forward, x, weights, how, kept)
        else:
            run(kernel.forward, x, weights, how, kept)
            output = states.tensor[p - steps :].clone()
        ctx.save_for_backward(x, *weights)
        ctx.kernel, ctx.steps, ctx.how = kernel, steps, how
        ctx.centred = None if centred is None else centred.detach()
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        gates, states = (lease.tensor for lease in ctx.leases)
        k = x.shape[2]
        grad_x = x.new_empty(x.shape) if ctx.needs_input_grad[1] else None
        moment = None if ctx.centred is None else x.new_empty(k, k)
        grads = [torch.empty_like(w) for w in weights]
        given: KernelArguments = {"gates": gates, "states": states, "grad_x": grad_x, "moment": moment}
        run(ctx.kernel.backward, x, weights, ctx.how, given | of_weights(grads) | of_outputs(grad, ctx.steps))
        grad_centred = None if moment is None else centred_gradient(ctx.centred, moment)
        return None, grad_x, None, None, grad_centred, *grads


def of_outputs(grad: Tensor, steps: int | None) -> KernelArguments:
    """`run`'s argument for the gradient of the last `steps` outputs, or of the last one."""
    return {"grad_last": grad.contiguous()} if steps is None else {"grad_states": grad.contiguous()}


def of_weights(grads: list[Tensor]) -> KernelArguments:
    """`run`'s arguments for the gradients of the weights."""
    w_ih, w_hh, b_ih, b_hh = grads
    return {"grad_w_ih": w_ih, "grad_w_hh": w_hh, "grad_b_ih": b_ih, "grad_b_hh": b_hh}


def centred_gradient(centred: Tensor, moment: Tensor) -> Tensor:
    """Gradient of `centred` (d, k) through the norm that scales the patches, from the kernel's `moment` (k, k)."""
    return (centred.detach() @ moment).div_(-len(centred))


def run(way: Any, x: Tensor, weights: Any, how: How, given: KernelArguments) -> None:
    """Run `way` of a kernel on x (p, b, k).

    Raises
    ------
    MemoryError
        the scratch of a tile was refused.
    """
    if x.stride()[1:] != (x.shape[2], 1):
        x = x.contiguous()
    dense = dict(zip(("w_ih", "w_hh", "b_ih", "b_hh"), (w.contiguous() for w in weights), strict=True))
    arrays = {"x": x} | dense | {name: one for name, one in given.items() if isinstance(one, Tensor)}
    addresses = {name: one.data_ptr() for name, one in arrays.items()}
    p, b, k = x.shape
    sums = next((arrays[name] for name in ("offset", "sums", "grad_offset") if name in arrays), None)
    side, group, grad = (arrays.get(name) for name in ("side", "group", "grad_states"))
    job = GRUJob(
        p=p, b=b, k=k, d=weights[1].shape[1], x_step=x.stride(0), reverse=how.reverse, bf16=how.bf16,
        eps=given.get("eps", 0.0), groups=0 if sums is None else sums.shape[1], m=0 if side is None else side.shape[2],
        group_step=0 if group is None or group.dim() == 1 else b, grad_from=0 if grad is None else p - len(grad),
        **addresses,
    )  # fmt: skip
    if way(ctypes.byref(job)):
        raise MemoryError("no memory for the scratch of the GRU kernel")


def scaled_patches(
    kernel: Kernel,
    windows: Tensor,
    days: int,
    root: Tensor,
    hidden: int,
    eps: float,
    *,
    average: int = 1,
    rest: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Patches (p, b, k) of the windows (L, b, f), scaled as in `patch_gru`; with `rest` also those of what is left.

    Parameters
    ----------
    root
        (k, k): ``|patch @ root|`` is the norm that scales.
    average
        the scaled patches are of the mean over that many days, the others of what it leaves; 1: both of the windows.
    """
    length, b, f = windows.shape
    if windows.stride()[1:] != (f, 1):
        windows = windows.contiguous()
    slow = windows.new_empty(length // days, b, days * f + 1)
    fast = torch.empty_like(slow) if rest else None
    root = root.contiguous()
    job = PatchesJob(
        p=length // days, b=b, f=f, days=days, d=hidden, average=average, day_step=windows.stride(0), eps=eps,
        windows=windows.data_ptr(), root=root.data_ptr(), slow=slow.data_ptr(),
        fast=None if fast is None else fast.data_ptr(),
    )  # fmt: skip
    if kernel.patches(ctypes.byref(job)):
        raise MemoryError("no memory for the scratch of the GRU kernel")
    return slow, fast


class _Pool:
    """Memory of freed graphs, kept for later ones: fresh pages cost more than what is computed in them.

    Live and idle together never exceed the most that has been live at once.
    """

    def __init__(self) -> None:
        self.idle: list[Tensor] = []
        self._live = self._most = 0

    def take(self, floats: int) -> Tensor:
        """At least `floats` numbers, and at most twice as many."""
        fitting = [m for m in self.idle if floats <= m.numel() <= 2 * floats]
        if fitting:
            memory = min(fitting, key=Tensor.numel)
            self.idle = [m for m in self.idle if m is not memory]
        else:
            memory = torch.empty(_rounded_up(floats))
        self._live += memory.numel()
        self._most = max(self._most, self._live)
        while self.idle and self._live + sum(m.numel() for m in self.idle) > self._most:
            self.idle.pop(0)  # the longest idle
        return memory

    def give(self, memory: Tensor) -> None:
        """Hand back what `take` gave."""
        self._live -= memory.numel()
        self.idle.append(memory)


def _rounded_up(floats: int) -> int:
    """To four significant binary digits: days of about as many stocks then share memory, and the heap has no holes."""
    step = 1 << max(floats.bit_length() - 4, 0)
    return -(-floats // step) * step


_POOL = _Pool()


class Lease:
    """Memory of one live graph, handed back when the graph is freed."""

    def __init__(self, *shape: int) -> None:
        self._pool = _POOL
        self._memory = self._pool.take(math.prod(shape))
        self.tensor = self._memory[: math.prod(shape)].view(shape)

    def __del__(self) -> None:
        self._pool.give(self._memory)
