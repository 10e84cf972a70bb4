"""What an arm reads, and whether it says all that is needed for it."""

from __future__ import annotations

from deepfactor.core.errors import KindError, RecipeError
from deepfactor.core.kind import resolve
from deepfactor.models.base import CROSS_SECTION_INPUTS, inputs_of
from deepfactor.training.spec import Arm


def inputs_of_arm(arm: Arm, key: str = "arm", *, allow_code: bool = False) -> frozenset[str]:
    """Which fields of a `CrossSection` the arm's network reads with its settings; a baseline reads windows, a weighting
    behind a network the fundamentals.

    Raises
    ------
    RecipeError
        neighbours are read and no graph is given, or the other way round; a network asks for what samples can't give.
    """
    read, who = frozenset({"windows"}), "a baseline"
    if arm.model is not None:
        model, settings = resolve("deepfactor.models", arm.model, key=f"{key}.model", allow_code=allow_code)
        read, who = inputs_of(model, settings), arm.model.kind
        if arm.weighting is not None:
            read |= {"fundamentals"}
    if unknown := read - CROSS_SECTION_INPUTS:
        raise KindError(
            f"{who} asks for {', '.join(sorted(unknown))}: there are {', '.join(sorted(CROSS_SECTION_INPUTS))}",
            key=f"{key}.model.kind",
        )
    if "neighbours" in read and arm.graph is None:
        raise RecipeError(
            f'{who} reads neighbours: say whose, as in graph = {{ kind = "fundamental" }}', key=f"{key}.graph"
        )
    if "neighbours" not in read and arm.graph is not None:
        raise RecipeError(f"{who} reads no neighbours: leave the graph out", key=f"{key}.graph")
    return read
