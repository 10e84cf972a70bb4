"""A network before it is trained: whether there is such a one, and whether this machine could hold it."""

from __future__ import annotations

import torch

from deepfactor.core.errors import RecipeError
from deepfactor.core.system import machine_memory
from deepfactor.models.base import Model, parameter_count
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import shapes_of

#: Numbers that training keeps for each parameter: weights, gradient, Adam's two moments, the best and those that score.
COPIES = 6
#: Of the machine's memory that they may take; the rest is for what a step computes.
SHARE = 0.5


def built_without_memory(model: Model, data: TrainingData, key: str) -> torch.nn.Module:
    """The arm's network without its numbers; a `RecipeError` where there is no such network, or none that this machine
    could train."""
    said = ", ".join(f"{name} = {value}" for name, value in model.settings.identity().items())
    try:
        with torch.device("meta"):
            network = model.part.build(model.settings, shapes_of(data))
    except RecipeError as error:
        raise RecipeError(str(error), key=key) from None
    except (RuntimeError, OverflowError, TypeError) as error:  # torch on sizes beyond its whole numbers
        raise RecipeError(f"can't be built with {said}: {error}", key=key) from None
    needed, there = COPIES * 4 * parameter_count(network), machine_memory()
    if needed > SHARE * there:
        raise RecipeError(
            f"with {said} it has {parameter_count(network):,} parameters, whose training alone takes "
            f"{needed / 2**30:,.0f} GiB of memory; this machine has {there / 2**30:.0f}: take a smaller one",
            key=key,
        )
    return network
