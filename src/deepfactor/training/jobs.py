"""Jobs: one (arm, fold, seed) each, named by the content of what its training reads, in ``JOBS/<key>/``.

``job.json`` says what the key stands for; of a network ``checkpoint.safetensors`` and ``log.jsonl`` grow by epoch;
``weights.safetensors`` (of a weighting ``weighting.json``) are what was fitted, with ``trained.json`` nothing is fitted
any more; ``scores.npy`` (days × stocks, NaN = none) with ``axes.json`` grow by the day; ``checksums.json`` and ``done``
come last. A job with ``done`` whose files are what was written and hold all its days is skipped, in whatever run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from torch import nn

from deepfactor.core.errors import RecipeError
from deepfactor.core.spec import content_key
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.models.base import WINDOWS, split_days
from deepfactor.training.arms import Arm, Learner, Network, Stacked
from deepfactor.training.baseline import Baseline
from deepfactor.training.building import built_without_memory
from deepfactor.training.data import Arrays, Folders, TrainingData
from deepfactor.training.finished import DONE, damage_of
from deepfactor.training.fit import Task, seed_torch
from deepfactor.training.plan import Fold
from deepfactor.training.predictions import held_days
from deepfactor.training.records import (
    JobContent,
    JobIdentity,
)
from deepfactor.training.samples import shapes_of
from deepfactor.training.scalings.base import rows_back
from deepfactor.training.second_stage import (
    check_factors,
    check_fold,
    holds_out,
    network_fold,
    weighting_fold,
)
from deepfactor.training.sequences import check_causal, days_read
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs

#: Of an arm's identity what a network's first weights know nothing of.
_OF_LEARNING = ("weighting", "fit_on", "beside", "target", "select")
#: Bumped when a change of code or of a default changes reviewed numbers, so that no old job passes for a new one.
NUMERICS = 2
PRECISION = "float32"


@dataclass(frozen=True)
class Job:
    """One network or weighting to fit and predict with.

    Attributes
    ----------
    identity : what `key` hashes, and all that may change what is fitted; what is predicted isn't part of it.
    dates : the days that are predicted, those of ``fold.test``
    read : day -> hash of what it holds, of all days that their scores read, these included
    """

    arm: Arm
    fold: Fold
    seed: int
    fit: Fit
    every: int
    valid_every: int
    identity: JobIdentity
    dates: tuple[str, ...] = ()
    read: Mapping[str, str] = field(default_factory=dict)

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
    """Where a job is. `valid_rank_ic` and `valid_top` are None until the epoch has been validated; `phase` "skip" = was
    done before, "damaged" = `note` says what of it isn't what was written, and it is done again, "note" = `note` is to
    be known."""

    job: str
    key: str
    phase: str  # "gather" | "train" | "validate" | "predict" | "done" | "skip" | "damaged" | "note"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    valid_rank_ic: float | None = None
    valid_top: float | None = None
    note: str = ""

    @property
    def passing(self) -> bool:
        """Nothing is lost where only the next one like it is heard."""
        return self.phase in ("gather", "train", "predict")


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
        _check_scaling(arm, key, own)
        read = data.window
        if network is not None and fit.samples == "sequences":
            read = max(read, days_read(fit, check_causal(network, arm, key)))
        split = 1 if arm.model is None else split_days(arm.model)
        back.append(read - 1 + split - 1 + rows_back(arm.scaling))
    jobs = []
    day_print = cache(data.day_print)
    for fold in folds:
        spans = {rows: range(max(fold.train.start - rows, 0), fold.valid.stop) for rows in back}
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
                common["parts"] = own.input_fingerprints(range(fold.train.start, fold.valid.stop))
            dates = tuple(str(data.dates[t]) for t in fold.test)
            print_of = day_print if not own.inputs.held else own.day_print
            scored = range(max(fold.test.start - rows, 0), fold.test.stop)
            held = {str(data.dates[t]): print_of(t) for t in scored}
            for seed in arm.seeds or fit.seeds:
                jobs.append(Job(arm, fold, seed, fit, every, plan.valid_every, {**common, "seed": seed}, dates, held))
    return jobs


def _check_scaling(arm: Arm, key: str, data: TrainingData) -> None:
    """The features are what the arm's scaling can scale; ranks are read as they are."""
    if not data.features.coded:
        arm.scaling.part.check(data.features)
        return
    if arm.scaling.identity() != {"kind": "last_close"}:
        raise RecipeError("these features are ranks, which are read as they are: leave it out", key=f"{key}.scaling")
    if arm.model is not None and split_days(arm.model) > 1:
        raise RecipeError(
            f"{arm.scorer.named} splits prices by an average, these features are ranks", key=f"{key}.model"
        )


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
    """First and last date of each span that is learnt from."""
    spans = {"train": fold.train, "valid": fold.valid}
    if holds_out(arm):
        spans |= {"early": fold.early, "late": fold.late}
    return {name: [str(data.dates[span.start]), str(data.dates[span.stop - 1])] for name, span in spans.items()}


def arrays_of(data: Folders, job: Job) -> Arrays:
    """Where what the job reads lies."""
    own = data if isinstance(data, Path) else data[job.arm.name]
    return Arrays(own) if isinstance(own, Path) else own


def is_done(jobs: Path, job: Job) -> bool:
    """Whether the scores of all the job's days are on disk, as they were written and of what would be read now."""
    folder = jobs / job.key
    if not (folder / DONE).exists() or damage_of(folder) is not None:
        return False
    return held_days(folder, job.dates, job.read) == len(job.dates)


def baseline_of(job: Job) -> Baseline:
    """The weighting of a job and what it is fitted on."""
    scorer = job.arm.scorer
    assert not isinstance(scorer, Network), f"{job.label} has no weighting"
    fold = weighting_fold(job.arm, job.fold)
    arm, least = job.arm, job.fit.min_stocks
    target = arm.target or "rank"
    return Baseline(scorer.weighting, fold, job.every, job.valid_every, least, job.seed, target, arm.select)


def task_of(job: Job, data: TrainingData) -> Task:
    """The network of a job, freshly initialised, and what it is trained on."""
    network = job.arm.network
    assert network is not None, f"{job.label} has no network"
    first_day = int(data.dates[job.fold.train.start].astype("datetime64[D]").astype(np.int64))
    own = {name: said for name, said in job.identity["arm"].items() if name not in _OF_LEARNING}
    entropy = (job.seed, first_day, int(content_key(own), 16))  # the same network whatever stands behind it
    seed_torch(entropy, 0)
    built = network.model.part.build(network.model.settings, shapes_of(data))
    plan = (network_fold(job.arm, job.fold), job.fit, job.every, job.valid_every)
    split = split_days(network.model)
    return Task(built, network.reads(), network.loss, *plan, entropy, job.arm.scaling, split, job.arm.select)
