"""Jobs: one (arm, fold, seed) each, named by the content of what it reads, in ``JOBS/<key>/``.

``job.json`` says what the key stands for; ``checkpoint.safetensors`` and ``log.jsonl`` grow by epoch;
``weights.safetensors``, ``scores.npy`` (days × stocks, NaN = none) with ``axes.json`` are the result; ``done`` comes
last. A job with ``done`` is skipped, in whatever run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepfactor.core.errors import KindError, RecipeError
from deepfactor.core.files import atomic_path, folder_lock, write_json, write_text
from deepfactor.core.kind import resolve
from deepfactor.core.spec import Spec, content_key
from deepfactor.models.base import Shapes
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, Task, seed_torch, settled_torch
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import Scaling
from deepfactor.training.spec import Arm, Fit, Plan
from deepfactor.training.weights import save_tensors

#: Bumped when a change of code or of a default changes reviewed numbers, so that no old job passes for a new one.
NUMERICS = 2
PRECISION = "float32"
SCALINGS = "deepfactor.training.scalings"

#: Inputs that samples can give so far.
_OFFERED = frozenset({"windows", "size_rank"})


@dataclass(frozen=True)
class Job:
    """One network to train and predict with. `identity` is what `key` hashes; nothing else may change its numbers."""

    arm: Arm
    fold: Fold
    seed: int
    fit: Fit
    every: int
    valid_every: int
    identity: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Name of the job's folder."""
        return content_key(self.identity)

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.arm.name} {self.fold.name} seed {self.seed}"


@dataclass(frozen=True)
class Progress:
    """Where a job is. `valid_rank_ic` is None until the epoch has been validated; `phase` "skip" = was done before."""

    job: str
    key: str
    phase: str  # "train" | "validate" | "predict" | "done" | "skip"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    valid_rank_ic: float | None = None


def plan_jobs(
    data: TrainingData,
    arms: Iterable[Arm],
    folds: Iterable[Fold],
    plan: Plan,
    fit: Fit,
    *,
    inputs: Mapping[str, Any],
    label: Mapping[str, Any],
    allow_code: bool = False,
) -> list[Job]:
    """All jobs of a run, fold by fold, then arm by arm, then seed by seed.

    Parameters
    ----------
    inputs, label : what features, universe rule and label were resolved to, as JSON can hold it.

    Raises
    ------
    RecipeError
        an unknown model or loss, or a setting that is wrong.
    """
    arms = list(arms)
    contents = [arm_content(arm, f"arms.{i}", allow_code=allow_code) for i, arm in enumerate(arms)]
    back = []
    for i, arm in enumerate(arms):
        _check_shapes(arm, f"arms.{i}", data, allow_code=allow_code)
        scaling = scaling_of(arm, f"arms.{i}", allow_code=allow_code)
        scaling.module.check(data.features)
        back.append(data.window - 1 + scaling.rows_back)
    jobs = []
    for fold in folds:
        spans = {rows: range(max(fold.train.start - rows, 0), fold.test.stop) for rows in back}
        prints = {rows: data.fingerprint(read, (fold.train, fold.valid)) for rows, read in spans.items()}
        for arm, resolved, rows in zip(arms, contents, back, strict=True):
            common = {
                "inputs": dict(inputs),
                "label": dict(label),
                "arm": resolved,
                "fold": _fold_content(fold, data),
                "every": plan.every,
                "valid_every": plan.valid_every,
                "fit": {k: v for k, v in fit.identity().items() if k != "seeds"},
                "data": prints[rows],
                "precision": PRECISION,
                "numerics": NUMERICS,
            }
            for seed in arm.seeds or fit.seeds:
                jobs.append(Job(arm, fold, seed, fit, plan.every, plan.valid_every, common | {"seed": seed}))
    return jobs


def arm_content(arm: Arm, key: str, *, allow_code: bool = False) -> dict[str, Any]:
    """An arm as its numbers see it: kinds with what differs from their defaults, without its name."""
    model, settings = resolve("deepfactor.models", arm.model, key=f"{key}.model", allow_code=allow_code)
    if model.INPUTS - _OFFERED:
        unknown = ", ".join(sorted(model.INPUTS - _OFFERED))
        raise KindError(f"{arm.model.kind} asks for inputs not offered yet: {unknown}", key=f"{key}.model.kind")
    _, loss = resolve("deepfactor.training.losses", arm.loss, key=f"{key}.loss", allow_code=allow_code)
    content = {"model": _kind(arm.model.kind, settings), "loss": _kind(arm.loss.kind, loss)}
    scaling = _kind(arm.scaling.kind, scaling_of(arm, key, allow_code=allow_code).settings)
    return content if scaling == {"kind": "last_close"} else content | {"scaling": scaling}


def scaling_of(arm: Arm, key: str = "arm", *, allow_code: bool = False) -> Scaling:
    """The arm's scaling, resolved."""
    return Scaling(*resolve(SCALINGS, arm.scaling, key=f"{key}.scaling", allow_code=allow_code))


def _check_shapes(arm: Arm, key: str, data: TrainingData, *, allow_code: bool) -> None:
    """The arm's network fits the inputs; built without memory, so that a plan finds out before any training."""
    model, settings = resolve("deepfactor.models", arm.model, key=f"{key}.model", allow_code=allow_code)
    try:
        with torch.device("meta"):
            model.build(settings, Shapes(features=len(data.features.names), window=data.window))
    except RecipeError as error:
        raise RecipeError(str(error), key=f"{key}.model") from None


def _kind(kind: str, settings: Spec) -> dict[str, Any]:
    return {"kind": kind, **settings.identity()}


def _fold_content(fold: Fold, data: TrainingData) -> dict[str, list[str]]:
    """First and last date of each span."""
    spans = {"train": fold.train, "valid": fold.valid, "test": fold.test}
    return {name: [str(data.dates[span.start]), str(data.dates[span.stop - 1])] for name, span in spans.items()}


def run_job(
    job: Job, sampler: Sampler, jobs: Path, report: Callable[[Progress], None], *, allow_code: bool = False
) -> None:
    """Train, predict and write ``jobs/<key>``; goes on from a checkpoint, does nothing where the job is done.

    Raises
    ------
    UserError
        the fit failed, or another process works on this job.
    OutOfResources
        the disk is full.
    """
    folder = jobs / job.key
    if is_done(jobs, job):
        report(Progress(job.label, job.key, "skip"))
        return
    start = time.perf_counter()
    with folder_lock(folder), settled_torch():
        for litter in folder.glob(".*.tmp"):  # of a process that was killed while writing
            litter.unlink()
        write_json(folder / "job.json", job.identity)
        fitter = Fitter(task_of(job, sampler.data, allow_code), sampler, folder / "checkpoint.safetensors")
        course = fitter.run(_epoch_reporter(job, fitter, folder, report))
        _write_log(folder, course.log)  # also where the last epoch's log was lost with the process
        note = {"best_epoch": course.best_epoch, "valid_rank_ic": course.best_rank_ic}
        save_tensors(folder / "weights.safetensors", course.best, note)
        days = _predict(job, fitter, folder, report)
        record = {
            "job": job.label,
            "epochs": len(course.log),
            **note,
            "device": str(sampler.device),
            "days_scored": days,
            "days_without_batch": len(job.fold.test) - days,
            "left_out": {
                "train": sampler.data.left_out(job.fold.train, job.fit.min_stocks),
                "valid": sampler.data.left_out(job.fold.valid, job.fit.min_stocks),
            },
            "seconds": round(time.perf_counter() - start, 3),
            "cpu": round(sum(row["cpu"] for row in course.log), 3),
        }
        write_json(folder / "done", record)
    report(Progress(job.label, job.key, "done", len(course.log), job.fit.epochs, valid_rank_ic=course.best_rank_ic))


def is_done(jobs: Path, job: Job) -> bool:
    """Whether the job's result is on disk."""
    return (jobs / job.key / "done").exists()


def read_record(jobs: Path, job: Job) -> dict[str, Any]:
    """What a finished job says of itself: epochs, best epoch, its validation RankIC, what was left out, times."""
    record: dict[str, Any] = json.loads((jobs / job.key / "done").read_text(encoding="utf-8"))
    return record


def task_of(job: Job, data: TrainingData, allow_code: bool) -> Task:
    """The job with its kinds resolved and its network freshly initialised."""
    model, settings = resolve("deepfactor.models", job.arm.model, key="arm.model", allow_code=allow_code)
    loss, loss_settings = resolve("deepfactor.training.losses", job.arm.loss, key="arm.loss", allow_code=allow_code)
    first_day = int(data.dates[job.fold.train.start].astype("datetime64[D]").astype(np.int64))
    entropy = (job.seed, first_day, int(content_key(job.identity["arm"]), 16))
    seed_torch(entropy, 0)
    network = model.build(settings, Shapes(features=len(data.features.names), window=data.window))
    scaling = scaling_of(job.arm, allow_code=allow_code)
    plan = (job.fold, job.fit, job.every, job.valid_every)
    return Task(network, model.INPUTS, loss, loss_settings, *plan, entropy, scaling)


def _epoch_reporter(
    job: Job, fitter: Fitter, folder: Path, report: Callable[[Progress], None]
) -> Callable[[int, int, int, float, float | None], None]:
    """What the fit calls after each step: passes the progress on, and writes the log after each epoch."""

    def step(epoch: int, step: int, steps: int, loss: float, valid_rank_ic: float | None) -> None:
        if valid_rank_ic is not None:
            _write_log(folder, fitter.course.log)
        phase = "train" if valid_rank_ic is None else "validate"
        report(Progress(job.label, job.key, phase, epoch, job.fit.epochs, step, steps, loss, valid_rank_ic))

    return step


def _write_log(folder: Path, log: list[dict[str, Any]]) -> None:
    write_text(folder / "log.jsonl", "".join(json.dumps(row, allow_nan=False) + "\n" for row in log))


def _predict(job: Job, fitter: Fitter, folder: Path, report: Callable[[Progress], None]) -> int:
    """Write the scores of every test day that has a batch; how many days have."""
    data, test, epochs = fitter.sampler.data, job.fold.test, len(fitter.course.log)
    columns = np.flatnonzero(np.asarray(data.batch[test.start : test.stop]).any(axis=0))
    values = np.full((len(test), len(data.symbols)), np.nan, np.float32)
    for step, t in enumerate(test):
        stocks, score = fitter.scores(t)
        values[step, stocks] = score
        report(Progress(job.label, job.key, "predict", epochs, job.fit.epochs, step + 1, len(test)))
    with atomic_path(folder / "scores.npy") as temporary, temporary.open("wb") as handle:
        np.save(handle, values[:, columns])
    axes = {"dates": [str(data.dates[t]) for t in test], "symbols": [str(s) for s in data.symbols[columns]]}
    write_json(folder / "axes.json", axes)
    return int(np.isfinite(values).any(axis=1).sum())
