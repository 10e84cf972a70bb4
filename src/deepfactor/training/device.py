"""Where networks are trained and score: the one place in which processor and GPU differ.

A GPU works off a queue while the host goes on. So nothing on the way to a step waits for it: copies are queued, losses
are read some steps later, and the recurrence of a step is two CUDA graphs (see `one_shape`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.core.arrays import AnyArray, Bytes, Float32, Indices
from deepfactor.core.errors import UserError
from deepfactor.features._rank_codes import VALUES

CPU = torch.device("cpu")
_AHEAD = 32  # steps; far more than a host can be ahead of a GPU, few enough that progress is seen


def device_of(name: str) -> torch.device:
    """The device ``cpu``, ``cuda`` or ``cuda:1``.

    Raises
    ------
    UserError
        no such device, here or at all.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device {name!r}: give cpu, cuda, or cuda:1 for the second GPU") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count()
        raise UserError(f"device {name} is not there: this torch ({torch.__version__}) sees {seen} GPUs; take cpu")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device {name!r} is not supported: give cpu or cuda")
    return device


def is_host(device: torch.device) -> bool:
    """Whether what numpy computes is there already."""
    return device.type == "cpu"


def takes_graphs(device: torch.device) -> bool:
    """Whether steps run as CUDA graphs there, for which all have one shape."""
    return device.type == "cuda"


def steps_ahead(device: torch.device) -> int:
    """How many steps are queued before their losses are read."""
    return _AHEAD if device.type == "cuda" else 1


def to_device(array: AnyArray, device: torch.device) -> Tensor:
    """`array` on the device. To a GPU the copy is queued, from pinned memory: the host doesn't wait for its turn."""
    host = torch.from_numpy(array)
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)


def graphed(module: nn.Module, sample: tuple[Tensor, ...]) -> nn.Module:
    """`module`, which on a GPU runs from now on as two CUDA graphs, forwards and backwards; as it is elsewhere.

    It must be called with tensors of the shapes of `sample`, read nothing on the host, and be in the mode, training or
    not, that it stays in. Gradients lie in the graph's own memory, which the next backward pass overwrites, so that
    they must be added to ``grad`` tensors that are there already (https://github.com/pytorch/pytorch/issues/181723):
    never set these to None.
    """
    if not takes_graphs(sample[0].device):
        return module
    made: nn.Module = torch.cuda.make_graphed_callables(module, sample, allow_unused_input=True)  # type: ignore[assignment]
    return made


@contextmanager
def float32_throughout() -> Iterator[None]:
    """cuDNN takes float32 for what it is, not for TF32, of ten bits, and the same way each time."""
    before = torch.backends.cudnn.enabled
    with torch.backends.cudnn.flags(enabled=before, deterministic=True, allow_tf32=False):
        yield


class DeviceRows:
    """The (T, N, f) array that windows are gathered from: mapped from disk for the CPU, resident on a GPU."""

    def __init__(self, values: Float32 | Bytes, device: torch.device) -> None:
        self._host, self.device = values, device
        self._codes = np.nan_to_num(VALUES) if values.dtype == np.uint8 else None
        self._meaning = None if self._codes is None else torch.from_numpy(self._codes).to(device)

    @cached_property
    def _resident(self) -> Tensor | None:
        """The array on a GPU, from when it is first read."""
        return None if is_host(self.device) else torch.tensor(self._host, device=self.device)

    def gather(self, first: int, stop: int, stocks: Indices, out: Tensor) -> None:
        """Rows first … stop − 1 of the `stocks` (b,) into contiguous `out` (stop − first, b, f).

        Codes of ranks become what they stand for, missing ones 0.
        """
        if self._resident is None and self._codes is not None:
            np.take(self._codes, np.take(self._host[first:stop], stocks, axis=1), out=out.numpy(), mode="clip")
        elif self._resident is None:
            np.take(self._host[first:stop], stocks, axis=1, out=out.numpy(), mode="clip")  # a third of torch's time
        elif self._meaning is not None:
            codes = torch.index_select(self._resident[first:stop], 1, to_device(stocks, self.device))
            out.copy_(self._meaning[codes.long()])
        else:
            torch.index_select(self._resident[first:stop], 1, to_device(stocks, self.device), out=out)
