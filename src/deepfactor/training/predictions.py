"""Scores of a job on disk: days × stocks, which grow by the day.

Beside them stands what each day was that they read. A day that is held isn't scored again unless one of the days that
its score read is another now; so a new day costs itself, and a revised one all that come after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import Float32, Indices, Symbols
from deepfactor.core.checksums import file_checksum, sealed, unsealed
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import atomic_path, write_json
from deepfactor.core.system import raise_of_machine
from deepfactor.training.data import TrainingData
from deepfactor.training.records import AxesFile

SCORES, AXES = "scores.npy", "axes.json"


def read_scores(folder: Path) -> tuple[AxesFile, np.ndarray[Any, np.dtype[np.float32]]]:
    """``axes.json`` and the scores (days, stocks) of a job, NaN = none.

    Raises
    ------
    DamagedFile
        they can't be read, or don't fit each other.
    """
    axes = _read_axes(folder)
    shape = (len(axes["dates"]), len(axes["symbols"]))
    try:
        scores: np.ndarray[Any, np.dtype[np.float32]] = np.load(folder / SCORES, allow_pickle=False)
    except Exception as error:  # its head is parsed as Python, which raises all kinds of things where it is broken
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=folder / SCORES) from None
    if scores.shape != shape:
        raise DamagedFile(f"is damaged: shape {scores.shape}, wanted {shape}", file=folder / SCORES)
    return axes, scores


def _read_axes(folder: Path) -> AxesFile:
    try:
        axes: AxesFile = unsealed(json.loads((folder / AXES).read_text(encoding="utf-8")))
        for name in ("dates", "symbols"):
            if not isinstance(axes[name], list):
                raise TypeError(f"{name} is no list")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error!r})", file=folder / AXES) from None
    return axes


def held_days(folder: Path, dates: Sequence[str], read: Mapping[str, str]) -> int:
    """Of how many of the first of the days `dates` a job holds scores that read what would be read now, `read` by day;
    0 where it can't be read."""
    try:
        axes = _read_axes(folder)
    except DamagedFile:
        return 0
    before, count = axes.get("read", {}), 0
    stale = next((day for day, what in read.items() if before.get(day) != what), None)
    for held, wanted in zip(axes["dates"], dates, strict=False):
        if held != wanted or (stale is not None and stale <= wanted):
            break
        count += 1
    return count


def extend(
    folder: Path,
    data: TrainingData,
    days: range,
    read: Mapping[str, str],
    scores: Callable[[int], tuple[Indices, Float32]],
    report: Callable[[int, int], None],
) -> int:
    """Score the `days` that the job doesn't hold, and write them all; on how many of them there are scores.

    `report` hears (day, days) to score.
    """
    dates = [str(data.dates[t]) for t in days]
    held = held_days(folder, dates, read) if _whole(folder) else 0
    values = np.full((len(days), len(data.symbols)), np.nan, np.float32)
    if held:
        axes, before = read_scores(folder)
        values[:held, _places(data.symbols, axes["symbols"])] = before[:held]
    for step, t in enumerate(days[held:]):
        stocks, score = scores(t)
        values[held + step, stocks] = score
        report(step + 1, len(days) - held)
    columns = np.flatnonzero(np.asarray(data.eligible[days.start : days.stop]).any(axis=0))
    with atomic_path(folder / SCORES) as temporary, temporary.open("wb") as handle:
        np.save(handle, values[:, columns])
    written: AxesFile = {
        "dates": dates,
        "symbols": [str(s) for s in data.symbols[columns]],
        "read": dict(read),
        "scores": file_checksum(folder / SCORES),
    }
    write_json(folder / AXES, sealed(written))
    return int(np.isfinite(values).any(axis=1).sum())


def _whole(folder: Path) -> bool:
    """Whether the scores are those that the axes were written for."""
    try:
        return _read_axes(folder).get("scores") == file_checksum(folder / SCORES)
    except DamagedFile:
        return False
    except OSError as error:
        raise_of_machine(error)
        return False


def _places(symbols: Symbols, held: list[str]) -> Indices:
    """Column of each symbol; those of a job are those of its market, whose days it has read."""
    return np.searchsorted(symbols, np.array(held, symbols.dtype))
