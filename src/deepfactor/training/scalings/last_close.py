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

from deepfactor.core.arrays import Float32
from deepfactor.core.spec import Spec
from deepfactor.features.base import Features
from deepfactor.inputs.standardising import cross_section
from deepfactor.training.scalings.base import Standard, require_close
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
    columns, of = [close, np.zeros_like(close)], []
    for k, role in enumerate(features.roles):
        of.append({"price": 0, "plain": 1, "volume": len(columns)}[role])
        if role == "volume":
            columns.append(log_mean(windows[:, :, k]))
    return np.stack(columns, axis=1), np.array(of, np.int64)
