"""Whether runs, trained jobs and training arrays on disk are what was written: all their files, each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from deepfactor.core.checksums import CHECKSUMS, damaged, read_checksums
from deepfactor.core.errors import DamagedFile
from deepfactor.core.words import Sentence, Text
from deepfactor.lake.folder import HEAD, Lake
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.store.checks import Finding, FindingRecord

#: File that makes a folder one whose files are known by checksums → what it is, and what to do where one is damaged.
_KINDS = {
    "recipe.json": ("run", "repeat the command that made it"),
    "done": ("job", "the next run does the job again"),
    "inputs.json": ("arrays", "the next run makes them again"),
    "part.json": ("arrays", "the next run makes them again"),
}
_CACHE = ("arrays", "the next run makes it again")
_NO_CHECKSUMS = Sentence(
    "{folder} has no checksums: an earlier version left it, or it was killed",
    "{folder}没有校验和：由较早版本写入，或写入时中断",
)


class ResultsCheck(TypedDict):
    """The folder, how many of its files were compared, what was found, and how many of that are errors."""

    results: str
    compared: int
    errors: int
    findings: list[FindingRecord]


def is_lake(path: Path) -> bool:
    """Whether `path` is a lake of a vendor's answers."""
    return (path / HEAD).exists()


def holds_results(path: Path) -> bool:
    """Whether `path` is a run's folder, or a folder of runs and their jobs."""
    return (path / "recipe.json").exists() or any(path.glob("*/recipe.json")) or any(path.glob("jobs/*/job.json"))


def check_lake(path: Path, console: Console | None = None) -> ResultsCheck:
    """Compare all files of a lake with what was noted when they were written; as `check_results`.

    Raises
    ------
    DataError
        it is no lake, or its journal is damaged.
    """
    with step(console or Silent(), f"compared {path} with its journal"):
        lake = Lake.open(path)
        mend = "put a copy of it back, or fetch anew into another folder"
        wrong = [
            Finding("error", "damaged", "lake", None, 1, Text(f"{path / name} {why}: {mend}"))
            for name, why in lake.damage().items()
        ]
    parts = {one.part for one in lake.recorded}
    findings = [one.record() for one in wrong]
    return {"results": str(path), "compared": len(parts), "errors": len(wrong), "findings": findings}


def check_results(path: Path, console: Console | None = None) -> ResultsCheck:
    """Compare all that lies in the folder of a run (with the jobs beside it), or of runs, with its checksums.

    What was left before there were checksums is a warning.
    """
    places = [path, path.parent / "jobs"] if (path / "recipe.json").exists() else [path]
    findings: list[Finding] = []
    compared = 0
    with step(console or Silent(), f"compared {path} with its checksums"):
        for folder, (kind, mend) in (known for place in places for known in _known_folders(place)):
            try:
                checksums = read_checksums(folder)
            except DamagedFile as error:
                findings.append(Finding("error", "damaged", kind, None, 1, Text(f"{error}: {mend}")))
                continue
            if checksums is None:
                message = _NO_CHECKSUMS.filled(folder=folder)
                findings.append(Finding("warning", "no_checksums", kind, None, 1, message))
                continue
            compared += len(checksums)
            for name, why in damaged(folder, checksums, always=True, keep=False).items():
                message = Text(f"{folder / name} {why}: {mend}")
                findings.append(Finding("error", "damaged", kind, None, 1, message))
    findings.sort(key=lambda one: one.severity)
    return {
        "results": str(path),
        "compared": compared,
        "errors": sum(one.severity == "error" for one in findings),
        "findings": [one.record() for one in findings],
    }


def _known_folders(place: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Folders below `place` whose files are known by checksums, or should be; what they are, and what to do."""
    folders = {file.parent for name in (*_KINDS, CHECKSUMS) for file in place.rglob(name)}
    for folder in sorted(folders):
        yield folder, next((kind for name, kind in _KINDS.items() if (folder / name).exists()), _CACHE)
