"""`size_rank`: rank of each stock by SIZE within the day's batch, int64 (b,), 0 = smallest, b − 1 = largest, each once.

Ties are broken by the order of the symbols. A model that wants G equal groups takes ``size_rank * G // b``.
"""

from __future__ import annotations

from typing import Final

from deepfactor.core.arrays import Float64
from deepfactor.core.spec import Spec
from deepfactor.cross_section.ranks import position_rank
from deepfactor.inputs.base import DayArrays

KEPT: Final = False


class Settings(Spec):
    """The input has none."""


def day(settings: Settings, size: Float64) -> DayArrays:
    """The ranks of `size` (b,)."""
    return {"size_rank": position_rank(size)}
