"""What an arm is made of and how its training went, as plain facts for results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import nn

from deepfactor.core.kind import Chosen
from deepfactor.core.spec import Spec
from deepfactor.models.base import parameter_count, summary
from deepfactor.training.arms import Arm, Learner, Network, Scorer, Stacked
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_log, read_record
from deepfactor.training.jobs import Job
from deepfactor.training.plan import Fold
from deepfactor.training.records import (
    DeepFactorRecord,
    FoldCard,
    ModelCard,
    ScorerCard,
    TrainedJob,
    TrainingFile,
    WeightingCard,
)
from deepfactor.training.samples import shapes_of

#: What results repeat of a job's record, in this order; not every job has all.
_KEPT = (
    "best_epoch",
    "valid_rank_ic",
    "valid_top",
    "weighting_valid_rank_ic",
    "importance",
    "deep_factors",
    "days_without_factors",
    "seconds",
    "cpu",
    "left_out",
)


def model_card(jobs: Sequence[Job], data: TrainingData, label: Mapping[str, object]) -> ModelCard:
    """Network or weighting, inputs, label, loss, seeds and folds of one arm's `jobs`."""
    arm, fit = jobs[0].arm, jobs[0].fit
    fitted: dict[str, object] = {"min_stocks": fit.min_stocks}
    if not isinstance(arm.scorer, Learner):
        fitted = fit.model_dump(mode="json", exclude={"seeds"})
    return {
        **_scorer(arm.scorer, data),
        "inputs": {**_windows(arm, data), **_beside(arm, data)},
        "label": dict(label),
        "scaling": arm.scaling.written() if arm.scaling.said else arm.scaling.kind,
        "fit": fitted | {"every": jobs[0].every},
        "seeds": list(arm.seeds or fit.seeds),
        "published": arm.published,
        "folds": [_fold(fold, data) for fold in {job.fold.name: job.fold for job in jobs}.values()],
    }


def _fold(fold: Fold, data: TrainingData) -> FoldCard:
    train, valid, test = (_ends(data, span) for span in (fold.train, fold.valid, fold.test))
    return {"name": fold.name, "train": train, "valid": valid, "test": test}


def _scorer(scorer: Scorer, data: TrainingData) -> ScorerCard:
    """What scores, in its parts."""
    match scorer:
        case Network() as network:
            return _network(network, data)
        case Learner(weighting):
            return {
                "kind": weighting.kind,
                "settings": _settings(weighting),
                "loss": "squared error of the day's ranks",
            }
        case Stacked(network, weighting, fit_on, beside):
            behind: WeightingCard = {
                "kind": weighting.kind,
                "settings": _settings(weighting),
                "fit_on": fit_on,
                "beside": list(beside),
            }
            return {**_network(network, data), "weighting": behind}


def _network(network: Network, data: TrainingData) -> ScorerCard:
    """A network's parts."""
    built = network.model.part.build(network.model.settings, shapes_of(data))
    return {
        "kind": network.model.kind,
        "settings": _settings(network.model),
        "parameters": parameter_count(built),
        "layers": [{"name": name, "parameters": count, "what": _what(built, name)} for name, count in summary(built)],
        "loss": network.loss.written(),
    }


def _settings(chosen: Chosen[Any, Spec]) -> Mapping[str, object]:
    return chosen.settings.model_dump(mode="json")


def _windows(arm: Arm, data: TrainingData) -> dict[str, object]:
    """The features and their days, where the arm reads them: a network on company reports alone doesn't."""
    if "windows" not in arm.scorer.reads():
        return {}
    return {"features": list(data.features.names), "window": data.window}


def _beside(arm: Arm, data: TrainingData) -> dict[str, object]:
    """What else the network reads."""
    graph = {} if arm.graph is None else {"graph": arm.graph.written()}
    return {name: fact for one in data.inputs.held.values() for name, fact in one.card().items()} | graph


def _what(network: nn.Module, name: str) -> str:
    """A part of the network in torch's words, on one line."""
    return " ".join(repr(getattr(network, name)).split())


def _ends(data: TrainingData, span: range) -> list[str]:
    return [str(data.dates[span.start]), str(data.dates[span.stop - 1])]


def training_record(jobs: Sequence[Job], folder: Path) -> TrainingFile:
    """Every finished job's epochs and what it left out; loss and validation RankIC by epoch.

    Of arms without a network there are no epochs, but the ``valid_rank_ic`` of each job. Of arms with a weighting each
    job has ``importance``, column -> share, and the arm the mean over the jobs: of deep factors all together, for
    factor 7 of one job is not factor 7 of another.
    """
    rows = [_trained(job, folder / job.key) for job in jobs]
    shares = [_pooled(row["importance"], row.get("deep_factors", [])) for row in rows if "importance" in row]
    if not shares:
        return {"jobs": rows}
    return {"jobs": rows, "importance": {name: float(np.mean([one[name] for one in shares])) for name in shares[0]}}


def _trained(job: Job, folder: Path) -> TrainedJob:
    record = read_record(folder)
    of_job = {"key": job.key, "fold": job.fold.name, "seed": job.seed}
    kept = {name: record.get(name) for name in _KEPT if name in record}
    epochs = [] if isinstance(job.arm.scorer, Learner) else read_log(folder)
    return cast(TrainedJob, {**of_job, **kept, "epochs": epochs})


def _pooled(importance: Mapping[str, float], factors: Sequence[DeepFactorRecord]) -> dict[str, float]:
    """A job's shares, those of its deep factors in one."""
    deep = {factor["name"] for factor in factors}
    own = {name: share for name, share in importance.items() if name not in deep}
    return {f"{len(deep)} deep factors": sum(importance[name] for name in deep), **own} if deep else own
