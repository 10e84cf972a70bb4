"""What an arm is made of and how its training went, as plain facts for results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from deepfactor.core.kind import resolve
from deepfactor.models.base import Shapes, parameter_count, summary
from deepfactor.training.data import TrainingData
from deepfactor.training.jobs import Job, read_record


def model_card(
    jobs: Sequence[Job], data: TrainingData, label: Mapping[str, Any], *, allow_code: bool = False
) -> dict[str, Any]:
    """Network, inputs, label, loss, seeds and folds of one arm's `jobs`."""
    arm, fit = jobs[0].arm, jobs[0].fit
    module, settings = resolve("deepfactor.models", arm.model, key="arm.model", allow_code=allow_code)
    network = module.build(settings, Shapes(features=len(data.features.names), window=data.window))
    spans = {job.fold.name: job.fold for job in jobs}
    return {
        "kind": arm.model.kind,
        "settings": settings.model_dump(mode="json"),
        "parameters": parameter_count(network),
        "layers": [
            {"name": name, "parameters": count, "what": _what(network, name)} for name, count in summary(network)
        ],
        "inputs": {"features": list(data.features.names), "window": data.window},
        "label": dict(label),
        "loss": arm.loss.model_dump(mode="json"),
        "scaling": arm.scaling.model_dump(mode="json") if arm.scaling.settings() else arm.scaling.kind,
        "fit": fit.model_dump(mode="json", exclude={"seeds"}) | {"every": jobs[0].every},
        "seeds": list(arm.seeds or fit.seeds),
        "published": arm.published,
        "folds": [
            {"name": name} | {span: _ends(data, getattr(fold, span)) for span in ("train", "valid", "test")}
            for name, fold in spans.items()
        ],
    }


def _what(network: nn.Module, name: str) -> str:
    """A part of the network in torch's words, on one line."""
    return " ".join(repr(getattr(network, name)).split())


def _ends(data: TrainingData, span: range) -> list[str]:
    return [str(data.dates[span.start]), str(data.dates[span.stop - 1])]


def training_record(jobs: Sequence[Job], folder: Path) -> dict[str, Any]:
    """Every finished job's epochs and what it left out; loss and validation RankIC by epoch."""
    rows = []
    for job in jobs:
        record = read_record(folder, job)
        lines = (folder / job.key / "log.jsonl").read_text(encoding="utf-8").splitlines()
        rows.append(
            {
                "key": job.key,
                "fold": job.fold.name,
                "seed": job.seed,
                "best_epoch": record["best_epoch"],
                "seconds": record["seconds"],
                "cpu": record["cpu"],
                "left_out": record["left_out"],
                "epochs": [json.loads(line) for line in lines],
            }
        )
    return {"jobs": rows}
