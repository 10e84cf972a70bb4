"""What a constraint file has. Beside it there is ``Settings(Spec)``; most files are 15 to 30 lines."""

from __future__ import annotations

from typing import Annotated, Protocol, runtime_checkable

from deepfactor.core.arrays import Float64
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Limit, Rebalance, Rows


class ConstraintKind(Protocol[SettingsOf]):
    """A file of this room."""

    @property
    def FAMILY(self) -> str:  # noqa: N802
        """Name by which `relax_order` lets the constraint give way."""

    def limits(self, settings: SettingsOf, r: Rebalance, invested: float, /) -> Limit:
        """The day's limits, in the unit that people read; `invested` is 1 − cash. A row that does not apply on a day is
        left out, never loosened."""


@runtime_checkable
class LooksAgain(ConstraintKind[SettingsOf], Protocol[SettingsOf]):
    """A heuristic that has to see an answer first."""

    def limits_again(
        self, settings: SettingsOf, r: Rebalance, invested: float, weights: Float64, /
    ) -> Rows | Bounds | None:
        """The limits for a second solution of the day, in place of the first ones, from the first solution's `weights`
        (n,); None = it stands."""


ROOM: Room[ConstraintKind[Spec], Spec] = Room("deepfactor.portfolio.constraints")
Constraint = Annotated[Chosen[ConstraintKind[Spec], Spec], ROOM]
"""A constraint of an enhancement."""
