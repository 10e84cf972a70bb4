"""What a finished job leaves in its folder, and whether it is still there: a job that isn't whole is done again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from deepfactor.core.checksums import (
    checksum,
    damaged,
    file_checksum,
    read_checksums,
    sealed,
    unsealed,
    write_checksums,
)
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import json_text, write_json, write_text
from deepfactor.core.system import raise_of_machine
from deepfactor.training.predictions import AXES, SCORES, read_scores
from deepfactor.training.records import EpochRecord, JobRecord, TrainedRecord

#: Comes last.
DONE = "done"
LOG = "log.jsonl"
#: Comes before any score.
TRAINED = "trained.json"
#: What a running state remembers, of sequences; without it scores of further days take longer, and are the same.
STREAM = "stream.safetensors"
_TRAINED = ("job.json", LOG, "checkpoint.safetensors", "weights.safetensors", "weighting.json")
_RESULTS = (*_TRAINED, TRAINED, SCORES, AXES, STREAM)


def finish_training(folder: Path, record: TrainedRecord) -> None:
    """Write `record` and the checksums of all that the fit left: from here on the job only scores."""
    files = {name: file_checksum(folder / name) for name in _TRAINED if (folder / name).exists()}
    write_json(folder / TRAINED, sealed({"record": record, "files": files}))


def read_trained(folder: Path) -> TrainedRecord | None:
    """What a fit said of itself; None where it isn't finished, or not all that it left is what was written."""
    try:
        content = unsealed(json.loads((folder / TRAINED).read_text(encoding="utf-8")))
        if damaged(folder, content["files"], keep=False):
            return None
        record: TrainedRecord = content["record"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise_of_machine(error)
        return None
    return record


def finish(folder: Path, record: JobRecord) -> None:
    """Write the checksums of all that the job left, then `record` as ``done``."""
    text = json_text(record)
    checksums = {name: file_checksum(folder / name) for name in _RESULTS if (folder / name).exists()}
    write_checksums(folder, {**checksums, DONE: checksum(text.encode())})
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
