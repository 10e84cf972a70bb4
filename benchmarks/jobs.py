"""Training jobs on random data, run by the package's own engine, with the CPU time of their steps."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.trainer import random_data
from deepfactor.core.kind import Kind
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.jobs import Job, Progress, plan_jobs
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.work import run_job


def make(data: TrainingData, model: Kind, days: int, epochs: int, *, every: int = 1) -> Job:
    """A job on every n-th of `days` days of `data` from the first whole window on, that validates and predicts one."""
    first = data.window - 1
    fold = Fold("bench", *(range(first + a, first + b) for a, b in ((0, days), (days, days + 1), (days + 1, days + 2))))
    fit = Fit(epochs=epochs, seeds=(0,), weight_average=0.004)
    plan, arm = Plan(first_test=2020, every=every), Arm(name="bench", model=model)
    return plan_jobs(data, [arm], [fold], plan, fit, inputs={}, label={})[0]


class Steps:
    """Listens to a job: the CPU seconds from each training step's end to the next one's, by epoch."""

    def __init__(self) -> None:
        self.seconds: list[tuple[int, float]] = []
        self.last = 0.0

    def __call__(self, event: Progress) -> None:
        now = time.process_time()
        if event.phase == "train" and event.step > 1:  # the first step also lists the epoch's days
            self.seconds.append((event.epoch, now - self.last))
        self.last = time.process_time()

    def later(self) -> list[float]:
        """Of the epochs after the first, which have each day's statistics."""
        return [seconds for epoch, seconds in self.seconds if epoch > 1]


def steps(stocks: int, days: int, epochs: int, model: Kind | None = None) -> Steps:
    """The steps of one job, in this process."""
    data = random_data(stocks, days=152 + days)
    job = make(data, model or Kind(kind="gru"), days, epochs)
    watch = Steps()
    with tempfile.TemporaryDirectory() as folder:
        run_job(job, Sampler(data), Path(folder), watch)
    return watch
