"""What of a folder of runs nothing refers to any more: training arrays of markets that have grown, jobs of recipes that
have changed. Arrays are made again where they are wanted; a job would be trained again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from deepfactor.core.errors import DataError
from deepfactor.core.files import folder_lock
from deepfactor.pipeline.planning import Planned
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.runs.written import reading_results


class RefersFile(TypedDict):
    """``refers.json`` of a run: names of the folders below ``jobs`` that its last call read."""

    jobs: list[str]
    inputs: list[str]


def refers(planned: Planned) -> RefersFile:
    """What a call reads."""
    inputs = {arrays.folder.name for arrays in planned.arrays.values()}
    return {"jobs": sorted({job.key for job in planned.jobs}), "inputs": sorted(inputs)}


@dataclass(frozen=True)
class Idle:
    """A folder below ``jobs`` that no run refers to; `size` in bytes."""

    path: Path
    kind: Literal["inputs", "job"]
    size: int


@dataclass(frozen=True)
class Survey:
    """`idle` folders, largest first; `silent`: runs that don't say what they refer to, as those of earlier versions."""

    runs: int
    idle: tuple[Idle, ...]
    silent: tuple[Path, ...]


def survey(folder: Path) -> Survey:
    """Look through the runs of a folder; nothing is changed.

    Raises
    ------
    DataError
        there are no runs.
    """
    runs = sorted(path.parent for path in folder.glob("*/recipe.json"))
    if not runs:
        raise DataError(
            "holds no run (no */recipe.json): give the folder that was --out of deepfactor run", file=folder
        )
    silent, kept = [], set[str]()
    for run in map(RunFolder, runs):
        if not run.refers.is_file():
            silent.append(run.path)
            continue
        with reading_results(run.path):
            refers: RefersFile = read_json(run.refers)
        kept.update(refers["jobs"], refers["inputs"])
    return Survey(len(runs), tuple(sorted(_idle(folder / "jobs", kept), key=lambda one: -one.size)), tuple(silent))


def _idle(jobs: Path, kept: set[str]) -> Iterator[Idle]:
    for path in jobs.iterdir() if jobs.is_dir() else ():
        if path.is_dir() and path.name not in kept:
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            yield Idle(path, "inputs" if path.name.startswith("inputs-") else "job", size)


def remove(found: Survey) -> None:
    """Remove the idle folders.

    Raises
    ------
    DataError
        a run doesn't say what it refers to, so that nothing can be said to be idle.
    UserError
        a process is writing one of them.
    """
    if found.silent:
        named = ", ".join(str(path) for path in found.silent)
        raise DataError(f"nothing removed: {named} were made by an earlier version, which didn't note what they read: "
                        "repeat deepfactor run on them, or remove them", file=found.silent[0].parent)  # fmt: skip
    for one in found.idle:
        with folder_lock(one.path):
            shutil.rmtree(one.path)
