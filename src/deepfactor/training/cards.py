"""What an arm is made of and how its training went, as plain facts for results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from deepfactor.core.kind import resolve
from deepfactor.models.base import parameter_count, summary
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_log, read_record
from deepfactor.training.jobs import Job, weighting_of
from deepfactor.training.needs import inputs_of_arm
from deepfactor.training.samples import shapes_of
from deepfactor.training.spec import Arm

#: What a job with a weighting says more.
_OF_WEIGHTINGS = ("weighting_valid_rank_ic", "importance", "deep_factors", "days_without_factors")


def model_card(
    jobs: Sequence[Job], data: TrainingData, label: Mapping[str, Any], *, allow_code: bool = False
) -> dict[str, Any]:
    """Network or weighting, inputs, label, loss, seeds and folds of one arm's `jobs`."""
    arm, fit = jobs[0].arm, jobs[0].fit
    spans = {job.fold.name: job.fold for job in jobs}
    scores = _network(arm, data, allow_code) if arm.model is not None else _weighting(arm, allow_code)
    fitted = fit.model_dump(mode="json", exclude={"seeds"})
    return {
        **scores,
        "inputs": {**_windows(arm, data, allow_code=allow_code), **_parts(arm, data)},
        "label": dict(label),
        "scaling": arm.scaling.model_dump(mode="json") if arm.scaling.settings() else arm.scaling.kind,
        "fit": (fitted if arm.model is not None else {"min_stocks": fit.min_stocks}) | {"every": jobs[0].every},
        "seeds": list(arm.seeds or fit.seeds),
        "published": arm.published,
        "folds": [
            {"name": name} | {span: _ends(data, getattr(fold, span)) for span in ("train", "valid", "test")}
            for name, fold in spans.items()
        ],
    }


def _network(arm: Arm, data: TrainingData, allow_code: bool) -> dict[str, Any]:
    """A network's parts."""
    assert arm.model is not None
    module, settings = resolve("deepfactor.models", arm.model, key="arm.model", allow_code=allow_code)
    network = module.build(settings, shapes_of(data))
    second = {} if arm.weighting is None else {"weighting": _second_stage(arm, allow_code)}
    return {
        "kind": arm.model.kind,
        "settings": settings.model_dump(mode="json"),
        "parameters": parameter_count(network),
        "layers": [
            {"name": name, "parameters": count, "what": _what(network, name)} for name, count in summary(network)
        ],
        "loss": arm.loss.model_dump(mode="json"),
        **second,
    }


def _second_stage(arm: Arm, allow_code: bool) -> dict[str, Any]:
    """The weighting behind a network."""
    made = _weighting(arm, allow_code)
    return {"kind": made["kind"], "settings": made["settings"], "fit_on": arm.fit_on}


def _weighting(arm: Arm, allow_code: bool) -> dict[str, Any]:
    """What makes a score without a network."""
    assert arm.weighting is not None
    _, settings = weighting_of(arm, allow_code=allow_code)
    return {
        "kind": arm.weighting.kind,
        "settings": settings.model_dump(mode="json"),
        "loss": "squared error of the day's ranks",
    }


def _windows(arm: Arm, data: TrainingData, *, allow_code: bool) -> dict[str, Any]:
    """The features and their days, where the arm reads them: a network on company reports alone doesn't."""
    if "windows" not in inputs_of_arm(arm, "arm", allow_code=allow_code):
        return {}
    return {"features": list(data.features.names), "window": data.window}


def _parts(arm: Arm, data: TrainingData) -> dict[str, Any]:
    """What else the network reads: fundamental items and those that the market can't give, the graph, exposures."""
    found: dict[str, Any] = {}
    if (quarters := data.parts.fundamentals) is not None:
        found["fundamentals"] = list(quarters.names)
        found["fundamentals_absent"] = dict(quarters.absent)
        found["quarters"] = quarters.values.shape[1]
    if arm.graph is not None:
        found["graph"] = arm.graph.model_dump(mode="json")
    if data.parts.exposures is not None:
        found["exposures"] = ["industry", "size", "value"]
    return found


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
                "epochs": read_log(folder / job.key) if job.arm.model is not None else [],
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
