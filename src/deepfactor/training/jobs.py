"""Jobs: one (arm, fold, seed) each, named by the content of what it reads, in ``JOBS/<key>/``.

``job.json`` says what the key stands for; of a network ``checkpoint.safetensors`` and ``log.jsonl`` grow by epoch;
``weights.safetensors`` (of a weighting ``weighting.json``), ``scores.npy`` (days × stocks, NaN = none)
with ``axes.json`` are the result; ``checksums.json`` and ``done`` come last. A job with ``done`` whose files are what
was written is skipped, in whatever run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import nn

from deepfactor.core.arrays import Float32, Indices
from deepfactor.core.errors import DamagedFile, RecipeError
from deepfactor.core.files import atomic_path, folder_lock, remove_file, write_json, write_text
from deepfactor.core.spec import content_key
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.models.base import WINDOWS, split_days
from deepfactor.training.arms import Arm, Learner, Network, Stacked
from deepfactor.training.baseline import Baseline, scores
from deepfactor.training.building import built_without_memory
from deepfactor.training.data import Arrays, Folders, TrainingData
from deepfactor.training.finished import DONE, LOG, damage_of, finish
from deepfactor.training.fit import Fitter, Task, seed_torch, settled_torch
from deepfactor.training.plan import Fold
from deepfactor.training.records import (
    AxesFile,
    EpochRecord,
    JobContent,
    JobIdentity,
    JobRecord,
    ScoredRecord,
    WeightingFile,
)
from deepfactor.training.samples import Sampler, shapes_of
from deepfactor.training.scalings.base import rows_back
from deepfactor.training.second_stage import (
    SecondStage,
    check_factors,
    check_fold,
    holds_out,
    network_fold,
    quarters_beside,
    weighting_fold,
)
from deepfactor.training.second_stage import fit as fit_second_stage
from deepfactor.training.sequences import check_causal, days_read
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs
from deepfactor.training.weights import save_tensors

#: Bumped when a change of code or of a default changes reviewed numbers, so that no old job passes for a new one.
NUMERICS = 2
PRECISION = "float32"


@dataclass(frozen=True)
class Job:
    """One network or weighting to fit and predict with. `identity` is what `key` hashes, and all that may change it."""

    arm: Arm
    fold: Fold
    seed: int
    fit: Fit
    every: int
    valid_every: int
    identity: JobIdentity

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
    """Where a job is. `valid_rank_ic` is None until the epoch has been validated; `phase` "skip" = was done before,
    "damaged" = `note` says what of it isn't what was written, and it is done again."""

    job: str
    key: str
    phase: str  # "gather" | "train" | "validate" | "predict" | "done" | "skip" | "damaged"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    valid_rank_ic: float | None = None
    note: str = ""


def plan_jobs(
    data: TrainingData,
    arms: Iterable[Arm],
    folds: Iterable[Fold],
    plan: Plan,
    fit: Fit,
    *,
    inputs: Mapping[str, object],
    label: Mapping[str, object],
    keys: Sequence[str] | None = None,
    stored: Mapping[str, StoredInputs] | None = None,
) -> list[Job]:
    """The jobs of arms that read the same arrays, fold by fold, then arm by arm, then seed by seed.

    Parameters
    ----------
    inputs, label : what features, universe rule and label were resolved to, as JSON can hold it.
    keys : where the arms stand in the recipe, for messages; ``arms.0``, ``arms.1`` … by default.
    stored : what an arm reads beside `data`, by its name.

    Raises
    ------
    RecipeError
        an arm that doesn't fit what it reads, the fold or the fit.
    """
    arms = list(arms)
    keys = keys or [f"arms.{i}" for i in range(len(arms))]
    contents = [arm.identity() for arm in arms]
    whole = [replace(data, inputs=(stored or {}).get(arm.name, StoredInputs())) for arm in arms]
    back = []
    for arm, key, own in zip(arms, keys, whole, strict=True):
        network = _check_shapes(arm, key, own)
        arm.scaling.part.check(data.features)
        read = data.window
        if network is not None and fit.samples == "sequences":
            read = max(read, days_read(fit, check_causal(network, arm, key)))
        split = 1 if arm.model is None else split_days(arm.model)
        back.append(read - 1 + split - 1 + rows_back(arm.scaling))
    jobs = []
    for fold in folds:
        spans = {rows: range(max(fold.train.start - rows, 0), fold.test.stop) for rows in back}
        prints = {rows: data.fingerprint(read, (fold.train, fold.valid)) for rows, read in spans.items()}
        for arm, content, rows, own, key in zip(arms, contents, back, whole, keys, strict=True):
            check_fold(arm, fold, key)
            every = arm.every or plan.every
            common: JobContent = {
                "inputs": {**inputs, **own.inputs.content},
                "label": dict(label),
                "arm": content,
                "fold": _fold_content(arm, fold, data),
                "every": every,
                "valid_every": plan.valid_every,
                "fit": _fit_content(arm, fit),
                "data": prints[rows],
                "precision": PRECISION,
                "numerics": NUMERICS,
            }
            if own.inputs.content:
                common["parts"] = own.input_fingerprints(range(fold.train.start, fold.test.stop))
            for seed in arm.seeds or fit.seeds:
                jobs.append(Job(arm, fold, seed, fit, every, plan.valid_every, {**common, "seed": seed}))
    return jobs


def _check_shapes(arm: Arm, key: str, data: TrainingData) -> nn.Module | None:
    """The arm fits the inputs and has what it needs; its network, built without memory. A plan finds out before any
    training."""
    match arm.scorer:
        case Learner(weighting):
            if data.window != 1:
                raise RecipeError(
                    "an arm without a network reads single days, these features have windows of "
                    f'{data.window} days: take features = {{ kind = "hand_features" }}, or window = 1',
                    key=f"{key}.features",
                )
            weighting.part.check()
            return None
        case Network() as network:
            return _build_network(arm, network, key, data)
        case Stacked(network, weighting):
            built = _build_network(arm, network, key, data)
            check_factors(arm, built, key)
            weighting.part.check()
            return built


def _build_network(arm: Arm, network: Network, key: str, data: TrainingData) -> nn.Module:
    for name in sorted(arm.scorer.reads() - {WINDOWS}):
        if INPUTS.load(name).KEPT and name not in data.inputs.held:
            raise RecipeError(f"{network.named} reads {name}, which these inputs don't hold", key=f"{key}.model")
    return built_without_memory(network.model, data, f"{key}.model")


def _fit_content(arm: Arm, fit: Fit) -> dict[str, object]:
    """What of the fit may change an arm's numbers."""
    said = {k: v for k, v in fit.identity().items() if k != "seeds"}
    return {k: v for k, v in said.items() if k == "min_stocks"} if isinstance(arm.scorer, Learner) else said


def _fold_content(arm: Arm, fold: Fold, data: TrainingData) -> dict[str, list[str]]:
    """First and last date of each span."""
    spans = {"train": fold.train, "valid": fold.valid, "test": fold.test}
    if holds_out(arm):
        spans |= {"early": fold.early, "late": fold.late}
    return {name: [str(data.dates[span.start]), str(data.dates[span.stop - 1])] for name, span in spans.items()}


def arrays_of(data: Folders, job: Job) -> Arrays:
    """Where what the job reads lies."""
    own = data if isinstance(data, Path) else data[job.arm.name]
    return Arrays(own) if isinstance(own, Path) else own


def run_job(job: Job, sampler: Sampler, jobs: Path, report: Callable[[Progress], None]) -> None:
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
    start, cpu = time.perf_counter(), time.process_time()
    with folder_lock(folder), settled_torch():
        for litter in folder.glob(".*.tmp"):  # of a process that was killed while writing
            litter.unlink()
        write_json(folder / "job.json", job.identity)
        work = _weigh if isinstance(job.arm.scorer, Learner) else _train
        scored = work(job, sampler, folder, report)
        record: JobRecord = {
            "job": job.label,
            **scored,
            "device": str(sampler.device),
            "days_without_batch": sum(not len(sampler.data.stocks(t)) for t in job.fold.test),
            "left_out": {name: sampler.data.left_out(span, job.fit.min_stocks) for name, span in _spans(job).items()},
            "seconds": round(time.perf_counter() - start, 3),
        }
        record.setdefault("cpu", round(time.process_time() - cpu, 3))
        finish(folder, record)
    epochs = record["epochs"]
    report(Progress(job.label, job.key, "done", epochs, job.fit.epochs, valid_rank_ic=record["valid_rank_ic"]))


def _spans(job: Job) -> dict[str, range]:
    """What the job learns from."""
    train, valid = network_fold(job.arm, job.fold).train, job.fold.valid
    return {"train": train, **({"held_out": job.fold.late} if holds_out(job.arm) else {}), "valid": valid}


def _train(job: Job, sampler: Sampler, folder: Path, report: Callable[[Progress], None]) -> ScoredRecord:
    """Fit a network and score; what `done` says of it."""
    checkpoint = folder / "checkpoint.safetensors"
    fitter = Fitter(task_of(job, sampler.data), sampler, checkpoint)
    try:
        course = fitter.run(_epoch_reporter(job, fitter, folder, report))
    except DamagedFile as error:
        report(Progress(job.label, job.key, "damaged", note=str(error)))
        remove_file(checkpoint)
        return _train(job, sampler, folder, report)
    _write_log(folder, course.log)  # also where the last epoch's log was lost with the process
    note = {"best_epoch": course.best_epoch, "valid_rank_ic": course.best_rank_ic}
    save_tensors(folder / "weights.safetensors", course.best, note)
    stage = _second_stage(job, fitter, folder, report) if isinstance(job.arm.scorer, Stacked) else None
    by = fitter.scores if stage is None else stage.scores
    days = _predict(job, sampler.data, by, len(course.log), folder, report)
    scored: ScoredRecord = {
        "epochs": len(course.log),
        "best_epoch": course.best_epoch,
        "valid_rank_ic": course.best_rank_ic,
        "cpu": round(sum(row["cpu"] for row in course.log), 3),  # of all epochs, whoever computed them
        "days_scored": days,
    }
    return scored if stage is None else {**scored, **stage.record(job.fold.test, days)}


def _second_stage(job: Job, fitter: Fitter, folder: Path, report: Callable[[Progress], None]) -> SecondStage:
    """Fit what stands behind the fitted network."""
    baseline, most = baseline_of(job), job.fit.epochs
    stage = fit_second_stage(
        baseline,
        fitter,
        quarters_beside(job.arm, fitter.sampler.data),
        lambda day, days: report(Progress(job.label, job.key, "gather", most, most, day, days)),
    )
    write_json(folder / "weighting.json", stage.state(baseline.weighting.kind))
    return stage


def _weigh(job: Job, sampler: Sampler, folder: Path, report: Callable[[Progress], None]) -> ScoredRecord:
    """Fit a weighting and score; what `done` says of it."""
    own, baseline = sampler.scaled(job.arm.scaling), baseline_of(job)
    fitted, valid_rank_ic = baseline.fit(
        own, lambda day, days: report(Progress(job.label, job.key, "gather", 0, 1, day, days))
    )
    state: WeightingFile = {"kind": baseline.weighting.kind, "state": fitted.state()}
    write_json(folder / "weighting.json", state)
    days = _predict(job, sampler.data, lambda t: scores(fitted, own, t), 1, folder, report)
    names = sampler.data.features.names
    importance = {name: float(share) for name, share in zip(names, fitted.importance(), strict=True)}
    return {"epochs": 0, "valid_rank_ic": valid_rank_ic, "days_scored": days, "importance": importance}


def is_done(jobs: Path, job: Job) -> bool:
    """Whether the job's result is on disk, as it was written."""
    return (jobs / job.key / DONE).exists() and damage_of(jobs / job.key) is None


def baseline_of(job: Job) -> Baseline:
    """The weighting of a job and what it is fitted on."""
    scorer = job.arm.scorer
    assert not isinstance(scorer, Network), f"{job.label} has no weighting"
    fold = weighting_fold(job.arm, job.fold)
    return Baseline(scorer.weighting, fold, job.every, job.valid_every, job.fit.min_stocks, job.seed)


def task_of(job: Job, data: TrainingData) -> Task:
    """The network of a job, freshly initialised, and what it is trained on."""
    network = job.arm.network
    assert network is not None, f"{job.label} has no network"
    first_day = int(data.dates[job.fold.train.start].astype("datetime64[D]").astype(np.int64))
    own = {name: said for name, said in job.identity["arm"].items() if name not in ("weighting", "fit_on", "beside")}
    entropy = (job.seed, first_day, int(content_key(own), 16))  # the same network whatever stands behind it
    seed_torch(entropy, 0)
    built = network.model.part.build(network.model.settings, shapes_of(data))
    plan = (network_fold(job.arm, job.fold), job.fit, job.every, job.valid_every)
    return Task(built, network.reads(), network.loss, *plan, entropy, job.arm.scaling, split_days(network.model))


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


def _write_log(folder: Path, log: list[EpochRecord]) -> None:
    write_text(folder / LOG, "".join(json.dumps(row, allow_nan=False) + "\n" for row in log))


def _predict(
    job: Job,
    data: TrainingData,
    scores: Callable[[int], tuple[Indices, Float32]],
    epochs: int,
    folder: Path,
    report: Callable[[Progress], None],
) -> int:
    """Write the scores of every test day that has a batch; how many days have."""
    test, most = job.fold.test, epochs if isinstance(job.arm.scorer, Learner) else job.fit.epochs
    columns = np.flatnonzero(np.asarray(data.eligible[test.start : test.stop]).any(axis=0))
    values = np.full((len(test), len(data.symbols)), np.nan, np.float32)
    for step, t in enumerate(test):
        stocks, score = scores(t)
        values[step, stocks] = score
        report(Progress(job.label, job.key, "predict", epochs, most, step + 1, len(test)))
    with atomic_path(folder / "scores.npy") as temporary, temporary.open("wb") as handle:
        np.save(handle, values[:, columns])
    axes: AxesFile = {"dates": [str(data.dates[t]) for t in test], "symbols": [str(s) for s in data.symbols[columns]]}
    write_json(folder / "axes.json", axes)
    return int(np.isfinite(values).any(axis=1).sum())
