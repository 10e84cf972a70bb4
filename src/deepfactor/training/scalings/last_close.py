"""`last_close`: prices and volume relative to the window's own end, then standardised per lag and feature.

1. Prices relative to the window's own last close, volume relative to the window's own mean volume, in logs; without a
   last close all prices are missing.
2. Per lag and feature over the day's batch: clip at median ± 5·1.4826·MAD (no clip where the MAD is 0), z-score (a
   scale below 1e-6 gives 0), missing → 0.

Only ratios within a window are used, so a later adjustment factor can't change an earlier sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from deepfactor.core.arrays import Float32
from deepfactor.core.spec import Spec
from deepfactor.features.base import Features
from deepfactor.inputs.standardising import cross_section
from deepfactor.training.scalings import _torch
from deepfactor.training.scalings.base import Numbers, Standard, require_close
from deepfactor.training.scalings.standardising import log_mean

SCALES: Final = "windows"
KEEP = True


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "last_close": "按最后收盘价",
}


class Settings(Spec):
    """The scaling has none."""


def check(features: Features) -> None:
    """Prices need a close."""
    require_close(features, "last_close")


def standard(settings: Settings, features: Features, windows: Float32) -> Standard:
    """The day's statistics of `windows` (L, b, f): logs, oldest first, NaN = missing."""
    level, of = levels(features, windows)
    relative = windows.transpose(0, 2, 1) - level[:, of].T  # (L, f, b): what is treated alike lies side by side
    return Standard(level, of, np.empty((0, len(of)), np.float32), *cross_section(np.ascontiguousarray(relative)))


def levels(features: Features, windows: Float32) -> tuple[Float32, np.ndarray]:
    """What each stock's features are relative to: the last close, 0, then the mean of each volume: (b, g) and (f,)."""
    close = windows[-1, :, features.names.index("close")] if "price" in features.roles else windows[-1, :, 0] * 0
    volumes = [log_mean(windows[:, :, k]) for k in _volumes(features)]
    return np.stack([close, np.zeros_like(close), *volumes], axis=1), _columns(features)


def numbers(settings: Settings, features: Features, windows: Tensor) -> Numbers:
    """`standard` on the device of `windows` (L, b, f)."""
    close = windows[-1, :, features.names.index("close")] if "price" in features.roles else windows[-1, :, 0] * 0
    volumes = [_torch.log_mean(windows[:, :, k]) for k in _volumes(features)]
    level = torch.stack([close, torch.zeros_like(close), *volumes], dim=1)  # (b, g)
    of = torch.from_numpy(_columns(features)).to(windows.device)
    relative = windows.transpose(1, 2) - level[:, of].T  # (L, f, b)
    return Numbers(level, of, level.new_empty(0, len(of)), *_torch.cross_section(relative))


def _volumes(features: Features) -> list[int]:
    return [k for k, role in enumerate(features.roles) if role == "volume"]


def _columns(features: Features) -> np.ndarray:
    """Column of the levels that each feature (f,) is relative to."""
    volumes = _volumes(features)
    return np.array(
        [2 + volumes.index(k) if k in volumes else int(role != "price") for k, role in enumerate(features.roles)],
        np.int64,
    )
