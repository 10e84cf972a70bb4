"""The work of a job: fit unless that is done, then score the days that are not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deepfactor.core.arrays import Float32, Indices
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import remove_file, write_json, write_text
from deepfactor.core.leases import folder_lease
from deepfactor.core.system import raise_of_machine
from deepfactor.training.arms import Learner, Network, Stacked
from deepfactor.training.baseline import scores as scores_of_features
from deepfactor.training.finished import DONE, LOG, STREAM, finish, finish_training, read_trained
from deepfactor.training.fit import Fitter, settled_torch
from deepfactor.training.jobs import Job, Progress, baseline_of, is_done, task_of
from deepfactor.training.predictions import extend
from deepfactor.training.records import (
    EpochRecord,
    FittedRecord,
    JobRecord,
    TrainedRecord,
    WeightingFile,
)
from deepfactor.training.same_network import take_checkpoint
from deepfactor.training.samples import Sampler
from deepfactor.training.scorer import Scorer
from deepfactor.training.second_stage import fit as fit_second_stage
from deepfactor.training.second_stage import holds_out, network_fold, quarters_beside, restored
from deepfactor.training.sequences import Stream
from deepfactor.training.stream_state import save_stream, take_up
from deepfactor.training.weightings.base import Fitted
from deepfactor.training.weights import load_tensors, save_tensors

WEIGHTS, WEIGHTING, CHECKPOINT = "weights.safetensors", "weighting.json", "checkpoint.safetensors"
Listener = Callable[[Progress], None]
Scores = Callable[[int], tuple[Indices, Float32]]


@dataclass(frozen=True)
class Scoring:
    """What scores a day: columns of its batch and their scores; of sequences by a running state."""

    scores: Scores
    stream: Stream | None = None


def run_job(job: Job, sampler: Sampler, jobs: Path, report: Listener) -> None:
    """Train, predict and write ``jobs/<key>``; goes on from a checkpoint, does nothing where the job is done.

    A job that is trained only scores the days that it lacks.

    Raises
    ------
    UserError
        the fit failed.
    InUse
        another process works on this job.
    OutOfResources
        the disk is full.
    """
    folder = jobs / job.key
    if is_done(jobs, job):
        report(Progress(job.label, job.key, "skip"))
        return
    with folder_lease(folder), settled_torch():
        for litter in folder.glob(".*.tmp"):  # of a process that was killed while writing
            litter.unlink()
        remove_file(folder / DONE)
        trained = read_trained(folder) or _fit(job, sampler, folder, report)
        try:
            by = scorer_of(job, sampler, folder)
        except DamagedFile as error:  # written before there were checksums of fits, or hurt since
            report(Progress(job.label, job.key, "damaged", note=str(error)))
            trained, by = _fit(job, sampler, folder, report), scorer_of(job, sampler, folder)
        finish(folder, _scored(job, sampler, folder, trained, by, report))
    epochs, reached, top = trained["epochs"], trained["valid_rank_ic"], trained.get("valid_top")
    report(Progress(job.label, job.key, "done", epochs, job.fit.epochs, valid_rank_ic=reached, valid_top=top))


def _fit(job: Job, sampler: Sampler, folder: Path, report: Listener) -> TrainedRecord:
    """Train, and say that it is done."""
    start, cpu = time.perf_counter(), time.process_time()
    write_json(folder / "job.json", job.identity)
    remove_file(folder / STREAM)  # of other weights
    fit = _fit_weighting if isinstance(job.arm.scorer, Learner) else _fit_network
    record: TrainedRecord = {
        "job": job.label,
        **fit(job, sampler, folder, report),
        "device": str(sampler.device),
        "left_out": {name: sampler.data.left_out(span, job.fit.min_stocks) for name, span in _spans(job).items()},
        "seconds": round(time.perf_counter() - start, 3),
    }
    record.setdefault("cpu", round(time.process_time() - cpu, 3))
    finish_training(folder, record)
    return record


def _spans(job: Job) -> dict[str, range]:
    """What the job learns from."""
    train, valid = network_fold(job.arm, job.fold).train, job.fold.valid
    return {"train": train, **({"held_out": job.fold.late} if holds_out(job.arm) else {}), "valid": valid}


def _fit_network(job: Job, sampler: Sampler, folder: Path, report: Listener, *, take: bool = True) -> FittedRecord:
    """Fit a network, unless with `take` another job has, and the weighting that stands behind it."""
    if take and (other := take_checkpoint(job, folder, CHECKPOINT)) is not None:
        told = f"its network is that of {other}, which is trained: taken from there"
        report(Progress(job.label, job.key, "note", note=told))
    fitter = Fitter(task_of(job, sampler.data), sampler, folder / CHECKPOINT)
    try:
        course = fitter.run(_epoch_reporter(job, fitter, folder, report))
    except DamagedFile as error:
        report(Progress(job.label, job.key, "damaged", note=str(error)))
        remove_file(folder / CHECKPOINT)
        return _fit_network(job, sampler, folder, report, take=False)
    _write_log(folder, course.log)  # also where the last epoch's log was lost with the process
    note = {"best_epoch": course.best_epoch, "valid_rank_ic": course.best_rank_ic}
    save_tensors(folder / WEIGHTS, course.best, note)
    record: FittedRecord = {
        "epochs": len(course.log),
        "best_epoch": course.best_epoch,
        "valid_rank_ic": course.best_rank_ic,
        "cpu": round(sum(row["cpu"] for row in course.log), 3),  # of all epochs, whoever computed them
    }
    if course.best_top is not None:
        record["valid_top"] = course.best_top
    if not isinstance(job.arm.scorer, Stacked):
        return record
    baseline, most = baseline_of(job), job.fit.epochs
    stage = fit_second_stage(
        baseline,
        fitter.scorer,
        quarters_beside(job.arm, sampler.data),
        lambda day, days: report(Progress(job.label, job.key, "gather", most, most, day, days)),
    )
    write_json(folder / WEIGHTING, stage.weighted.state(baseline.weighting.kind))
    return {**record, **stage.record()}


def _fit_weighting(job: Job, sampler: Sampler, folder: Path, report: Listener) -> FittedRecord:
    """Fit a weighting of features."""
    baseline = baseline_of(job)
    fitted, judged = baseline.fit(
        sampler.scaled(job.arm.scaling),
        lambda day, days: report(Progress(job.label, job.key, "gather", 0, 1, day, days)),
    )
    state: WeightingFile = {"kind": baseline.weighting.kind, "state": fitted.state()}
    write_json(folder / WEIGHTING, state)
    names = sampler.data.features.names
    importance = {name: float(share) for name, share in zip(names, fitted.importance(), strict=True)}
    return {"epochs": 0, "valid_rank_ic": judged.rank_ic, "valid_top": judged.top, "importance": importance}


def scorer_of(job: Job, sampler: Sampler, folder: Path) -> Scoring:
    """What scores a day by what the job has fitted.

    Raises
    ------
    DamagedFile
        what was fitted can't be read.
    """
    scorer = job.arm.scorer
    if isinstance(scorer, Learner):
        rows, fitted = sampler.scaled(job.arm.scaling), _fitted(job, _read_weighting(folder))
        return Scoring(lambda t: scores_of_features(fitted, rows, t))
    task = task_of(job, sampler.data)
    streams = job.fit.samples == "sequences"
    own = sampler.scaled(job.arm.scaling).split(task.split)
    network = Scorer(task.model, task.inputs, own, job.fold.test, streams=streams)
    try:
        network.load(load_tensors(folder / WEIGHTS)[0])
    except RuntimeError as error:  # of another network
        raise DamagedFile(f"holds no weights of this job ({error})", file=folder / WEIGHTS) from None
    if isinstance(scorer, Network):
        return Scoring(network.scores, network.stream)
    file = _read_weighting(folder)
    return Scoring(restored(network, quarters_beside(job.arm, sampler.data), _fitted(job, file), file).scores)


def _fitted(job: Job, file: WeightingFile) -> Fitted:
    return baseline_of(job).weighting.part.restore(dict(file["state"]))


def _read_weighting(folder: Path) -> WeightingFile:
    try:
        file: WeightingFile = json.loads((folder / WEIGHTING).read_text(encoding="utf-8"))
        if not isinstance(file["state"], dict):
            raise TypeError("state is no object")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=folder / WEIGHTING) from None
    return file


def _scored(
    job: Job, sampler: Sampler, folder: Path, trained: TrainedRecord, by: Scoring, report: Listener
) -> JobRecord:
    """Score what is lacking; what `done` says."""
    data, test, epochs = sampler.data, job.fold.test, trained["epochs"] or 1
    most = 1 if isinstance(job.arm.scorer, Learner) else job.fit.epochs

    def tell(day: int, days: int) -> None:
        report(Progress(job.label, job.key, "predict", epochs, most, day, days))

    if by.stream is not None and not take_up(folder / STREAM, by.stream, job.read):
        remove_file(folder / STREAM)
    scored = extend(folder, data, test, job.read, by.scores, tell)
    if by.stream is not None:
        save_stream(folder / STREAM, by.stream, test[-1], job.read)
    without = sum(not len(data.stocks(t)) for t in test)
    record: JobRecord = {**trained, "days_scored": scored, "days_without_batch": without}
    if (lacking := trained.get("days_without_factors")) is not None:
        record["days_without_factors"] = {**lacking, "test": len(test) - without - scored}
    return record


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
