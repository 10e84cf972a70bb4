"""Numerics of scalings: applying a `Standard`, and means of logs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from deepfactor.core.arrays import Float32
from deepfactor.training.device import to_device
from deepfactor.training.scalings.base import Numbers, Standard

_TILE = 64  # stocks; a lag's f numbers, repeated so often, are long enough for vector instructions


def apply(windows: Tensor, standard: Standard | Numbers) -> None:
    """Standardise contiguous `windows` (L, b, f) in place, on their device."""
    part = numbers_of(standard, windows.device) if isinstance(standard, Standard) else standard
    flat = windows.view(len(windows), -1)  # (L, b·f)
    level, rate = part.level[:, part.of].flatten(), part.rate.flatten()
    lags = [one.repeat(1, _TILE) for one in (part.low, part.high, part.mean, part.inverse)]  # (L, _TILE·f)
    step = _rows_at_once(windows)
    for first in range(0, len(windows), step):
        span = slice(first, first + step)
        flat[span].sub_(level)
        if len(rate):
            flat[span].mul_(rate)
        for x, columns in _tiles(flat[span], _TILE * windows.shape[2]):
            low, high, mean, inverse = (v[span, None, :columns] if len(v) else v for v in lags)
            torch.clamp(x, low, high, out=x)
            if len(mean):
                x.sub_(mean).mul_(inverse)
            x.nan_to_num_(0.0)


def numbers_of(standard: Standard, device: torch.device) -> Numbers:
    """A `Standard` on the device."""
    return Numbers(*(to_device(getattr(standard, name), device) for name in Numbers._fields))


def _rows_at_once(windows: Tensor) -> int:
    """Lags whose values fit a core's cache; on other devices all."""
    if windows.device.type != "cpu":
        return len(windows)
    return max(1, (1 << 18) // max(windows[0].numel(), 1))


def _tiles(flat: Tensor, width: int) -> Iterator[tuple[Tensor, int]]:
    """`flat` (L, w) as a view (L, n, width) and what is left as (L, 1, w − n·width), each with its last size."""
    whole = flat.shape[1] // width * width
    if whole:
        yield flat[:, :whole].view(len(flat), -1, width), width
    if whole < flat.shape[1]:
        yield flat[:, None, whole:], flat.shape[1] - whole


def log_mean(logs: Float32) -> Float32:
    """Log of the mean of exp(logs) (L, b) over the observed days: (b,); NaN where none is observed."""
    seen = np.isfinite(logs)
    values = np.exp(logs, where=seen, out=np.zeros_like(logs))
    count = seen.sum(axis=0)
    mean = values.sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
    out: Float32 = np.log(mean, where=count > 0, out=np.full(mean.shape, np.nan)).astype(np.float32)
    return out
