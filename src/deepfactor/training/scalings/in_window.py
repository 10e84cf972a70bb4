"""`in_window`: every feature z-scored inside its own window, over its observed days; no other stock enters.

The same as z-scoring what `last_close` takes relative, for a z-score doesn't see the level. z is clipped at ±5, a scale
below 1e-6 gives 0, missing → 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from deepfactor.core.arrays import Float32
from deepfactor.core.spec import Spec
from deepfactor.features.base import Features
from deepfactor.inputs.standardising import LEAST_SCALE
from deepfactor.training.scalings import _torch
from deepfactor.training.scalings.base import Numbers, Standard

SCALES: Final = "windows"
KEEP = False

CLIP = 5.0


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "in_window": "窗口内",
}


class Settings(Spec):
    """The scaling has none."""


def check(features: Features) -> None:
    """Any features will do."""


def standard(settings: Settings, features: Features, windows: Float32) -> Standard:
    """Mean and scale (b, f) of each of the day's `windows` (L, b, f), NaN = missing."""
    seen = np.isfinite(windows)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = (np.sum(windows, axis=0, dtype=np.float64, where=seen) / count).astype(np.float32)
    deviation = windows - mean
    scale = np.sqrt(np.sum(np.square(deviation, out=deviation), axis=0, dtype=np.float64, where=seen) / count)
    rate = np.divide(1.0, scale, where=scale >= LEAST_SCALE, out=np.zeros_like(scale)).astype(np.float32)
    f, bound = windows.shape[2], np.full((len(windows), windows.shape[2]), CLIP, np.float32)
    none = np.empty((0, f), np.float32)
    return Standard(mean, np.arange(f), rate, -bound, bound, none, none)


def numbers(settings: Settings, features: Features, windows: Tensor) -> Numbers:
    """`standard` on the device of `windows` (L, b, f)."""
    count = (~windows.isnan()).sum(dim=0).clamp(min=1)
    mean = (windows.nansum(dim=0, dtype=torch.float64) / count).float()
    rate = _torch.inverse((windows - mean).square().nansum(dim=0, dtype=torch.float64) / count)
    f, bound = windows.shape[2], windows.new_full((len(windows), windows.shape[2]), CLIP)
    none = windows.new_empty(0, f)
    return Numbers(mean, torch.arange(f, device=windows.device), rate, -bound, bound, none, none)
