"""Where networks are trained and score: the one place in which processor and GPU differ."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from deepfactor.core.arrays import Bytes, Float32, Indices
from deepfactor.core.errors import UserError
from deepfactor.features._rank_codes import VALUES

CPU = torch.device("cpu")


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


class DeviceRows:
    """The (T, N, f) array that windows are gathered from: mapped from disk for the CPU, resident on a GPU."""

    def __init__(self, values: Float32 | Bytes, device: torch.device) -> None:
        self._host, self.device = values, device
        self._codes = np.nan_to_num(VALUES) if values.dtype == np.uint8 else None
        self._resident = None if device.type == "cpu" else torch.tensor(values, device=device)

    def gather(self, first: int, stop: int, stocks: Indices, out: Tensor) -> None:
        """Rows first … stop − 1 of the `stocks` (b,) into contiguous `out` (stop − first, b, f).

        Codes of ranks become what they stand for, missing ones 0.
        """
        if self._codes is not None and self._resident is None:
            np.take(self._codes, np.take(self._host[first:stop], stocks, axis=1), out=out.numpy(), mode="clip")
        elif self._codes is not None and self._resident is not None:
            codes = torch.index_select(self._resident[first:stop], 1, torch.from_numpy(stocks).to(self.device))
            out.copy_(torch.from_numpy(self._codes).to(self.device)[codes.long()])
        elif self._resident is None:
            np.take(self._host[first:stop], stocks, axis=1, out=out.numpy(), mode="clip")  # a third of torch's time
        else:
            torch.index_select(self._resident[first:stop], 1, torch.from_numpy(stocks).to(self.device), out=out)
