"""What every label says of itself."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import MOST_DAYS, Convention
from deepfactor.panel.universe import Universe


class LabelSettings(Spec):
    """The forward return, and what it is freed of."""

    horizon: int = Field(default=10, ge=1, le=MOST_DAYS, description="trading days from entry to exit")
    convention: Convention = Field(default="t1_close", description="prices of entry and exit")
    cap: Literal["total", "float"] = Field(
        default="float",
        description='market value that is "size": total needs total shares, which not every vendor has',
    )


class LabelKind(Protocol[SettingsOf]):
    """A file of this room; its ``Settings`` are `LabelSettings`."""

    def reach(self, settings: SettingsOf, /) -> int:
        """How many rows after t the label of t reads."""

    def compute(self, settings: SettingsOf, panel: Panel, universe: Universe, eligible: Bools, /) -> Float64:
        """The label (T, N) of the stocks in `eligible` (T, N), over which a day is compared; NaN = none."""


ROOM: Room[LabelKind[LabelSettings], LabelSettings] = Room("deepfactor.labels")
Label = Annotated[Chosen[LabelKind[LabelSettings], LabelSettings], ROOM]
"""What a recipe's models are trained to foresee."""
