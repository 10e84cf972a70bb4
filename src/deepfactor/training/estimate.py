"""What jobs will cost: a few real steps of every arm are measured in a worker process, the rest is arithmetic."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepfactor.core.errors import OutOfResources
from deepfactor.models.base import parameter_count
from deepfactor.training.arms import Learner, Stacked
from deepfactor.training.baseline import features_of, scores, table
from deepfactor.training.data import Folders, TrainingData, open_data
from deepfactor.training.device import device_of
from deepfactor.training.engines.processes import WORKER_ENVIRONMENT, environment
from deepfactor.training.finished import read_trained
from deepfactor.training.fit import Fitter, settled_torch
from deepfactor.training.jobs import Job, arrays_of, baseline_of, is_done, task_of
from deepfactor.training.plan import Fold
from deepfactor.training.predictions import held_days
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import key_of, rows_back
from deepfactor.training.second_stage import network_fold, weighting_fold
from deepfactor.training.spawning import bound_to_this_process

_REPEATS = 3
_FIT_DAYS = 20  # of a fold, that a weighting is fitted on for its cost
_MIB = 2**20


@dataclass(frozen=True)
class DayCost:
    """An arm's measured cost on a day of `stocks`, in CPU seconds: a step's, a scored day's, a day's statistics once.

    `parameters`: trainable numbers; `peak`: bytes of the worker, the rows of the market that the steps read among them;
    `remembered`: numbers that a running state has a stock.
    """

    stocks: int
    step: float
    score: float
    statistics: float
    parameters: int
    peak: int
    remembered: int = 0


@dataclass(frozen=True)
class Estimate:
    """What is left of a run's training, if no job stops early.

    Attributes
    ----------
    arms : name -> measured cost.
    arm_seconds : name -> CPU seconds of the arm's jobs that aren't done, without statistics, which arms share.
    cpu_seconds, wall_seconds : float
        of all jobs that aren't done; the wall with `workers` that have a core each.
    memory : int
        bytes a worker at most: what was measured and the fold's rows, which workers share.
    disk : int
        bytes that the jobs will add.
    """

    arms: dict[str, DayCost]
    arm_seconds: dict[str, float]
    workers: int
    cpu_seconds: float
    wall_seconds: float
    memory: int
    disk: int


def estimate(jobs: Sequence[Job], data: Folders, folder: Path, *, workers: int, device: str = "cpu") -> Estimate:
    """Measure each arm of what isn't done among `jobs`, and add up.

    Raises
    ------
    UserError
        a day can't be trained on, or the device isn't there.
    """
    device_of(device)
    left = list({job.key: job for job in jobs if not is_done(folder, job)}.values())
    arms = {job.arm.name: job for job in reversed(left)}
    costs = _in_worker(list(arms.values()), data, device) if arms else {}
    opened = {job.arm.name: open_data(arrays_of(data, job)) for job in arms.values()}
    seconds = [_seconds(job, costs[job.arm.name], opened[job.arm.name], folder) for job in left]
    by_arm = dict.fromkeys(sorted(arms), 0.0)
    for job, one in zip(left, seconds, strict=True):
        by_arm[job.arm.name] += one
    workers = min(max(workers, 1), max(len(left), 1))
    once = _statistics_once(left, costs, data)
    read = max((_read(opened[job.arm.name], job) for job in left), default=0)
    return Estimate(
        arms=dict(sorted(costs.items())),
        arm_seconds=by_arm,
        workers=workers,
        cpu_seconds=sum(seconds) + once,
        wall_seconds=_makespan(seconds, workers) + once / workers,
        memory=max((cost.peak for cost in costs.values()), default=0) + read,
        disk=sum(_disk(job, costs[job.arm.name], opened[job.arm.name]) for job in left),
    )


def _seconds(job: Job, cost: DayCost, data: TrainingData, jobs: Path) -> float:
    """CPU seconds of a job that takes all its epochs, or, trained, of the days that it lacks; a day's cost grows with
    its stocks."""
    fold, epochs = job.fold, 1 if isinstance(job.arm.scorer, Learner) else job.fit.epochs
    scale = [_median_stocks(data, span) / max(cost.stocks, 1) for span in (fold.train, fold.valid, fold.test)]
    if read_trained(jobs / job.key) is not None:
        return cost.score * scale[2] * (len(fold.test) - held_days(jobs / job.key, job.dates, job.read))
    train = cost.step * scale[0] * _steps_an_epoch(job)
    valid = cost.score * scale[1] * len(fold.valid) / job.valid_every
    second = 0.0
    if isinstance(job.arm.scorer, Stacked):  # its own fit is nothing beside
        second = cost.score * scale[0] * len(weighting_fold(job.arm, fold).train) / job.every + valid
    return epochs * (train + valid) + second + cost.score * scale[2] * len(fold.test)


def _steps_an_epoch(job: Job) -> float:
    """Gradient steps of one day each, or of one sequence."""
    days = len(network_fold(job.arm, job.fold).train)
    if isinstance(job.arm.scorer, Learner) or job.fit.samples == "windows":
        return days / job.every
    return job.fit.updates or -(-days // job.fit.steps)


def _read(data: TrainingData, job: Job) -> int:
    """Bytes of the market's rows that a fold reads, and of what its network reads beside windows."""
    part = data.between(job.fold.train.start, job.fold.test.stop)
    return part.features.values.nbytes + part.inputs.nbytes


def _statistics_once(jobs: Sequence[Job], costs: dict[str, DayCost], data: Folders) -> float:
    """CPU seconds of the scalings' statistics: each day of the same arrays once, whatever the arm, fold and seed."""
    days: dict[tuple[Path, str], set[int]] = {}
    each: dict[tuple[Path, str], float] = {}
    for job in jobs:
        name = arrays_of(data, job).folder, key_of(job.arm.scaling)
        days.setdefault(name, set()).update(job.fold.train, job.fold.valid, job.fold.test)
        each[name] = costs[job.arm.name].statistics
    return sum(each[name] * len(rows) for name, rows in days.items())


def _makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of `workers` ends, each taking the next job as soon as it is free."""
    busy = [0.0] * workers
    for one in seconds:
        first = busy.index(min(busy))
        busy[first] += one
    return max(busy)


def _disk(job: Job, cost: DayCost, data: TrainingData) -> int:
    """Bytes of a job's folder: checkpoint (weights, best, two moments), weights, scores, what a stream remembers."""
    scored = int(np.asarray(data.eligible[job.fold.test.start : job.fold.test.stop]).any(axis=0).sum())
    average = job.fit.weight_average is not None
    return 4 * ((5 + average) * cost.parameters + (len(job.fold.test) + cost.remembered) * scored)


def _median_stocks(data: TrainingData, span: range) -> int:
    return int(np.median(np.asarray(data.eligible[span.start : span.stop]).sum(axis=1)))


def _in_worker(jobs: Sequence[Job], data: Folders, device: str) -> dict[str, DayCost]:
    """`_measure` in a process like those that train; what it raises is raised here."""
    context = multiprocessing.get_context("spawn")
    with (
        environment(WORKER_ENVIRONMENT),
        bound_to_this_process(),
        ProcessPoolExecutor(1, mp_context=context) as pool,
    ):
        try:
            return pool.submit(_measure, jobs, data, device).result()
        except BrokenProcessPool:
            raise OutOfResources("the process that measures a step died, often for lack of memory") from None


def _measure(jobs: Sequence[Job], data: Folders, device: str) -> dict[str, DayCost]:
    """The cost of each job's arm on a training day of median size."""
    costs = {}
    with settled_torch(), tempfile.TemporaryDirectory() as folder:
        for job in jobs:
            opened = open_data(arrays_of(data, job))
            if isinstance(job.arm.scorer, Learner):
                costs[job.arm.name] = _baseline_cost(job, opened, device)
                continue
            t, cut = _around_a_median_day(opened, job, rows_back(job.arm.scaling))
            sampler = Sampler(cut, device=device_of(device))
            train = range(t if job.fit.samples == "windows" else 0, t + 1)  # a sequence has labels on many days
            scored = range(t if job.fit.samples == "windows" else t - 1, t + 1)  # a running state goes on
            here = replace(job, fold=Fold(job.fold.name, train, scored, scored))
            fitter = Fitter(task_of(here, cut), sampler, Path(folder) / "none")
            costs[job.arm.name] = _cost(fitter, t)
    return costs


def _cost(fitter: Fitter, t: int) -> DayCost:
    day, inputs = np.array([t], np.intp), fitter.task.inputs
    first = _least(lambda: fitter.sampler.cross_section(t, inputs), 1)
    again = _least(lambda: fitter.sampler.cross_section(t, inputs))
    fitter.step(day, 1)  # the first one also fills pools
    scorer = fitter.scorer
    if scorer.stream is not None:
        scorer.scores(t - 1)  # a running state scores a day once
    remembered = 0 if scorer.stream is None else sum(one.shape[1] for s in scorer.stream.states.values() for one in s)
    return DayCost(
        stocks=len(fitter.sampler.data.stocks(t)),
        step=_least(lambda: fitter.step(day, 1)),
        score=_least(lambda: scorer.scores(t), 1 if scorer.stream is not None else _REPEATS),
        statistics=max(first - again, 0.0),
        parameters=parameter_count(fitter.network),
        peak=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        remembered=remembered,
    )


def _baseline_cost(job: Job, data: TrainingData, device: str) -> DayCost:
    """Of an arm without a network: a fit on a few days, shared out among them. What a fit costs whatever its rows is
    counted too often, so the estimate is high."""
    baseline, fold = baseline_of(job), job.fold
    sampler = Sampler(data, job.arm.scaling, device=device_of(device))
    days = baseline.days(data, fold.train[:: max(len(fold.train) // _FIT_DAYS, 1)], "training")
    start = time.process_time()
    known = table(data, lambda t: features_of(sampler, t), days)
    statistics = (time.process_time() - start) / len(days)
    start = time.process_time()
    fitted = baseline.learn(known, known)
    step = (time.process_time() - start) / len(days)
    return DayCost(
        stocks=int(np.median([len(data.stocks(t)) for t in days])),
        step=step,
        score=_least(lambda: scores(fitted, sampler, days[-1])),
        statistics=statistics,
        parameters=0,
        peak=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )


def _least(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Least CPU seconds of a few times: others on the machine only add."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _around_a_median_day(data: TrainingData, job: Job, rows_back: int) -> tuple[int, TrainingData]:
    """The rows that a window needs whose day has the median number of labelled stocks, and that day's row in them."""
    labelled = [len(data.labelled(t, data.stocks(t))) for t in job.fold.train]
    t = job.fold.train[int(np.argsort(labelled, kind="stable")[len(labelled) // 2])]
    first = max(t + 1 - data.window - rows_back, 0)
    return t - first, data.between(first, t + 1)
