"""Several processes on one device at once, as ``deepfactor run --workers`` has them."""

from __future__ import annotations

import multiprocessing
import tempfile
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.ways import Size, Way, market, timed
from deepfactor.training.fit import settled_torch

_PATIENCE = 120.0  # seconds until all are ready


def shared(way: Way, size: Size, device: torch.device, processes: int) -> float:
    """Wall milliseconds of a step while as many processes take steps, all beginning together."""
    context = multiprocessing.get_context("spawn")
    ready, said = context.Barrier(processes), context.Queue()
    given = (way, size, str(device), ready, said)
    workers = [context.Process(target=_steps, args=given, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    walls = [said.get(timeout=2 * _PATIENCE) for _ in workers]
    for worker in workers:
        worker.join()
    return max(walls)


def _steps(way: Way, size: Size, device: str, ready: Barrier, said: Queue[float]) -> None:
    place = torch.device(device)
    with settled_torch(), tempfile.TemporaryDirectory() as folder:
        data, days = market(size.stocks, size.days)
        fitter = way.fitter(data, days, place, Path(folder))
        said.put(timed(lambda t: fitter.queue(np.array([t])), size, days, place, lambda: ready.wait(_PATIENCE)))
