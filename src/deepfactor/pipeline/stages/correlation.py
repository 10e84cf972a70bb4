"""Correlation of the arms' scores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.evaluation.character import model_correlation
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.runs.done import Outcome

NAME, GROUP = "correlation", "tests"
MANY = Sentence("correlations of scores", "得分相关性")
READS = ("scores", "combination")
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One, over all arms with scores."""
    file, arms = work.folder.path / "model_correlation.json", work.scored
    reads = {
        "scores": [[arm, work.content(arm)["scores"]] for arm in arms],
        "universe": work.recipe.universe.model_dump(mode="json"),
    }
    yield Unit(", ".join(arms), file, reads, [file], partial(_correlate, work, arms, file))


def _correlate(work: Work, arms: list[str], file: Path) -> Outcome:
    write_json(file, model_correlation({arm: work.scores(arm).ensemble for arm in arms}, work.eligible))
    return Outcome()
