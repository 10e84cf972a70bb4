"""What a loss file has, beside ``Settings(Spec)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec

if TYPE_CHECKING:  # what only reads recipes goes without torch
    from torch import Tensor


class LossKind(Protocol[SettingsOf]):
    """A file of this room."""

    def target(self, settings: SettingsOf, /) -> Literal["rank", "zscore"]:
        """What a day's labels are made into before they are compared."""

    def loss(self, settings: SettingsOf, prediction: Tensor, target: Tensor, /) -> Tensor:
        """The loss, a scalar, of one day's m labelled stocks: `prediction` and `target` (m,)."""


ROOM: Room[LossKind[Spec], Spec] = Room("deepfactor.training.losses")
Loss = Annotated[Chosen[LossKind[Spec], Spec], ROOM]
"""What a network minimises."""
