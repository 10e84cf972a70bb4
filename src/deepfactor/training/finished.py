"""What a finished job leaves in its folder, and whether it is still there: a job that isn't whole is done again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.checksums import checksum, damaged, file_checksum, read_checksums, write_checksums
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import json_text, write_text
from deepfactor.core.system import raise_of_machine
from deepfactor.training.records import AxesFile, EpochRecord, JobRecord

#: Comes last.
DONE = "done"
LOG = "log.jsonl"
_RESULTS = (
    "job.json",
    LOG,
    "checkpoint.safetensors",
    "weights.safetensors",
    "weighting.json",
    "scores.npy",
    "axes.json",
)


def finish(folder: Path, record: JobRecord) -> None:
    """Write the checksums of all that the job left, then `record` as ``done``."""
    text = json_text(record)
    found = {name: file_checksum(folder / name) for name in _RESULTS if (folder / name).exists()}
    write_checksums(folder, {**found, DONE: checksum(text.encode())})
    write_text(folder / DONE, text)


def damage_of(folder: Path) -> str | None:
    """What is wrong with a finished job, compared once in a process; None where nothing is, or where it isn't finished.

    One of before there were checksums is whole where its files can be read.
    """
    if not (folder / DONE).exists():
        return None
    try:
        checksums = read_checksums(folder)
        wrong = {} if checksums is None else damaged(folder, checksums, keep=False)
        if checksums is None:
            _read(folder)
    except DamagedFile as error:
        return str(error)
    return ", ".join(f"{name} {why}" for name, why in sorted(wrong.items())) or None


def adopt(folder: Path) -> None:
    """Give a finished job of before there were checksums its own."""
    if read_checksums(folder) is None:
        with contextlib.suppress(OSError):  # a folder that can't be written is taken as it is
            names = [name for name in (*_RESULTS, DONE) if (folder / name).exists()]
            write_checksums(folder, {name: file_checksum(folder / name) for name in names})


def read_scores(folder: Path) -> tuple[AxesFile, np.ndarray[Any, np.dtype[np.float32]]]:
    """``axes.json`` (``dates``, ``symbols``) and the scores (days, stocks) of a job.

    Raises
    ------
    DamagedFile
        they can't be read, or don't fit each other.
    """
    try:
        axes: AxesFile = json.loads((folder / "axes.json").read_text(encoding="utf-8"))
        shape = (len(axes["dates"]), len(axes["symbols"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=folder / "axes.json") from None
    try:
        scores: np.ndarray[Any, np.dtype[np.float32]] = np.load(folder / "scores.npy", allow_pickle=False)
    except Exception as error:  # its head is parsed as Python, which raises all kinds of things where it is broken
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=folder / "scores.npy") from None
    if scores.shape != shape:
        raise DamagedFile(f"is damaged: shape {scores.shape}, wanted {shape}", file=folder / "scores.npy")
    return axes, scores


def read_record(folder: Path) -> JobRecord:
    """What a finished job says of itself: epochs, best epoch, its validation RankIC, what was left out, times.

    Raises
    ------
    DamagedFile
        it can't be read.
    """
    record: JobRecord = _json_lines(folder / DONE, whole=True)[0]
    return record


def read_log(folder: Path) -> list[EpochRecord]:
    """A row an epoch of a network's job; raises as `read_record`."""
    return _json_lines(folder / LOG)


def _json_lines(file: Path, *, whole: bool = False) -> list[Any]:
    """The JSON objects of a file, one a line, or the whole of it as one."""
    try:
        text = file.read_text(encoding="utf-8")
        rows = [json.loads(row) for row in ([text] if whole else text.splitlines())]
    except (OSError, ValueError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=file) from None
    if not all(isinstance(row, dict) for row in rows):
        raise DamagedFile("is damaged: it holds no JSON object", file=file)
    return rows


def _read(folder: Path) -> None:
    """Try to read what results are made of."""
    read_record(folder)
    read_scores(folder)
    if (folder / "checkpoint.safetensors").exists():
        read_log(folder)
