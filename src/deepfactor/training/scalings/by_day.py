"""`by_day`: every calendar day's features scaled once, across that day's stocks; a window is then L such rows.

The one scaling in which a stock's row of a day is the same number in every window that holds it, so consecutive days'
windows share work exactly. For that a row must be relative to something known on its own day:

1. prices relative to the stock's last close observed in the `trailing` days before (so close says the day's return),
   volume relative to its own mean over the observed ones of the `trailing` days before, in logs; missing where none of
   these days is observed;
2. per feature, over the stocks of that day's own batch: median ± 5·1.4826·MAD, z-score, as in `last_close`; applied to
   all stocks, missing → 0. A day on which nobody is scored is missing altogether.

`trailing` bounds how far a row reads back, so that a job's key can say what it read.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Float32
from deepfactor.core.spec import Spec
from deepfactor.features.base import Features
from deepfactor.inputs.standardising import cross_section
from deepfactor.training.scalings.base import require_close
from deepfactor.training.scalings.standardising import log_mean

SCALES: Final = "rows"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "by_day": "逐日截面",
    "trailing": "参照天数",
}


class Settings(Spec):
    """How far back a day's features look for what they are relative to."""

    trailing: int = Field(
        default=20, ge=1, le=250, description="days before that give the last close and the mean volume"
    )


def check(features: Features) -> None:
    """Prices need a close."""
    require_close(features, "by_day")


def rows_back(settings: Settings) -> int:
    """A row reads the trailing days before it."""
    return settings.trailing


def rows(settings: Settings, features: Features, eligible: Bools, span: range) -> Float32:
    """The scaled rows of `span`: (len(span), N, f) float32, no NaN."""
    out = np.zeros((len(span), *features.values.shape[1:]), np.float32)
    for i, s in enumerate(span):
        stocks = np.flatnonzero(eligible[s])
        if s and len(stocks):
            out[i] = _scaled(features, s, settings.trailing, stocks)
    return out


def _scaled(features: Features, s: int, trailing: int, stocks: np.ndarray) -> Float32:
    """Row s: (N, f)."""
    values = features.plain()
    before, x = values[max(s - trailing, 0) : s], values[s].T.copy()  # (≤ trailing, N, f), (f, N)
    for k, role in enumerate(features.roles):
        if role == "price":
            x[k] -= _last(before[:, :, features.names.index("close")])
        elif role == "volume":
            x[k] -= log_mean(before[:, :, k])
    low, high, mean, inverse = cross_section(x[:, stocks])
    np.clip(x, low[:, None], high[:, None], out=x)
    x -= mean[:, None]
    x *= inverse[:, None]
    scaled: Float32 = np.nan_to_num(x, copy=False).T
    return scaled


def _last(values: Float32) -> Float32:
    """Last finite value of each column of (days, N); NaN where there is none."""
    seen = np.isfinite(values)
    last = len(values) - 1 - seen[::-1].argmax(axis=0)
    known: Float32 = np.where(seen.any(axis=0), values[last, np.arange(values.shape[1])], np.float32(np.nan))
    return known
