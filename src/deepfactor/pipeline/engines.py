"""Which engine a command means."""

from __future__ import annotations

from enum import StrEnum

from deepfactor.core.errors import UserError
from deepfactor.pipeline.console import Console
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.on_ray import Ray, package
from deepfactor.training.engines.processes import Processes


class EngineName(StrEnum):
    """Where work is done: in processes of this machine, or on a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"


def engine_of(name: str, workers: int | None, address: str | None, console: Console, *, gpus: float = 1.0) -> Engine:
    """The engine `name` with `workers` at once; None = one, or of Ray as many as fit; `address`, `gpus`: see `Ray`.

    Raises
    ------
    UserError
        an address without Ray, Ray without its package or with no workers.
    """
    if EngineName(name) is EngineName.LOCAL:
        if address is not None:
            raise UserError(f"--address {address} is a Ray cluster's: add --engine ray")
        return Processes(1 if workers is None else workers)
    if workers == 0:
        raise UserError("--workers 0 is all in this process: leave out --engine ray")
    package()
    return Ray(address, workers, gpus, console.say)
