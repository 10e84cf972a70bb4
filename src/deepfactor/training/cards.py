"""What an arm is made of and how its training went, as plain facts for results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from deepfactor.core.kind import Chosen
from deepfactor.models.base import parameter_count, summary
from deepfactor.training.arms import Arm, Learner, Network, Scorer, Stacked
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_log, read_record
from deepfactor.training.jobs import Job
from deepfactor.training.samples import shapes_of

#: What a job with a weighting says more.
_OF_WEIGHTINGS = ("weighting_valid_rank_ic", "importance", "deep_factors", "days_without_factors")


def model_card(jobs: Sequence[Job], data: TrainingData, label: Mapping[str, Any]) -> dict[str, Any]:
    """Network or weighting, inputs, label, loss, seeds and folds of one arm's `jobs`."""
    arm, fit = jobs[0].arm, jobs[0].fit
    spans = {job.fold.name: job.fold for job in jobs}
    fitted = {"min_stocks": fit.min_stocks}
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
        "folds": [
            {"name": name} | {span: _ends(data, getattr(fold, span)) for span in ("train", "valid", "test")}
            for name, fold in spans.items()
        ],
    }


def _scorer(scorer: Scorer, data: TrainingData) -> dict[str, Any]:
    """What scores, in its parts."""
    match scorer:
        case Network() as network:
            return _network(network, data)
        case Learner(weighting):
            return {**_of(weighting), "loss": "squared error of the day's ranks"}
        case Stacked(network, weighting, fit_on):
            return {**_network(network, data), "weighting": {**_of(weighting), "fit_on": fit_on}}


def _network(network: Network, data: TrainingData) -> dict[str, Any]:
    """A network's parts."""
    built = network.model.part.build(network.model.settings, shapes_of(data))
    return {
        **_of(network.model),
        "parameters": parameter_count(built),
        "layers": [{"name": name, "parameters": count, "what": _what(built, name)} for name, count in summary(built)],
        "loss": network.loss.written(),
    }


def _of(chosen: Chosen[Any, Any]) -> dict[str, Any]:
    return {"kind": chosen.kind, "settings": chosen.settings.model_dump(mode="json")}


def _windows(arm: Arm, data: TrainingData) -> dict[str, Any]:
    """The features and their days, where the arm reads them: a network on company reports alone doesn't."""
    if "windows" not in arm.scorer.reads():
        return {}
    return {"features": list(data.features.names), "window": data.window}


def _beside(arm: Arm, data: TrainingData) -> dict[str, Any]:
    """What else the network reads."""
    found = {} if arm.graph is None else {"graph": arm.graph.written()}
    return {name: fact for one in data.inputs.held.values() for name, fact in one.card().items()} | found


def _what(network: nn.Module, name: str) -> str:
    """A part of the network in torch's words, on one line."""
    return " ".join(repr(getattr(network, name)).split())


def _ends(data: TrainingData, span: range) -> list[str]:
    return [str(data.dates[span.start]), str(data.dates[span.stop - 1])]


def training_record(jobs: Sequence[Job], folder: Path) -> dict[str, Any]:
    """Every finished job's epochs and what it left out; loss and validation RankIC by epoch.

    Of arms without a network there are no epochs, but the ``valid_rank_ic`` of each job. Of arms with a weighting each
    job has ``importance``, column -> share, and the arm the mean over the jobs: of deep factors all together, for
    factor 7 of one job is not factor 7 of another.
    """
    rows = []
    for job in jobs:
        record = read_record(folder / job.key)
        kept = ("best_epoch", "valid_rank_ic", *_OF_WEIGHTINGS, "seconds", "cpu", "left_out")
        rows.append(
            {
                "key": job.key,
                "fold": job.fold.name,
                "seed": job.seed,
                **{name: record[name] for name in kept if name in record},
                "epochs": [] if isinstance(job.arm.scorer, Learner) else read_log(folder / job.key),
            }
        )
    shares = [_pooled(row) for row in rows if "importance" in row]
    if not shares:
        return {"jobs": rows}
    return {"jobs": rows, "importance": {name: float(np.mean([one[name] for one in shares])) for name in shares[0]}}


def _pooled(row: Mapping[str, Any]) -> dict[str, float]:
    """A job's shares, those of its deep factors in one."""
    deep = {factor["name"] for factor in row.get("deep_factors", ())}
    own = {name: share for name, share in row["importance"].items() if name not in deep}
    return {f"{len(deep)} deep factors": sum(row["importance"][name] for name in deep), **own} if deep else own
