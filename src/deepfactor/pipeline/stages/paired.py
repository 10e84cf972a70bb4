"""Each arm beside each other one, from their factor tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.pipeline.pages import load_arm
from deepfactor.pipeline.pairs import paired_differences
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.runs.done import Outcome

NAME, GROUP = "paired", "tests"
MANY = Sentence("tables of paired differences", "配对差异表")
READS = ("factor_test",)
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One, over all arms that are tested."""
    file = work.folder.path / "paired.json"
    known = {arm: work.done.of(work.folder.tests(arm)[0]) for arm in work.scored}
    tests = {arm: dict(record.files) for arm, record in known.items() if record is not None}
    yield Unit(", ".join(tests), file, {"tests": list(tests.items())}, [file], partial(_pair, work, list(tests), file))


def _pair(work: Work, arms: list[str], file: Path) -> Outcome:
    write_json(file, paired_differences([load_arm(work.folder, arm) for arm in arms]))
    return Outcome()
