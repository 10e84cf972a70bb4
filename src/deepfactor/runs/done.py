"""What of a run is done: ``stages.json``, by result what it was made of and what its files hold.

A result counts as done where its key is that of what would be read now, and its files hold what was written. It is
forgotten before it is made anew, so one that was killed on the way is not done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deepfactor.core.checksums import damaged, file_checksum, sealed, unsealed
from deepfactor.core.files import write_json
from deepfactor.core.system import raise_of_machine
from deepfactor.runs.layout import RunFolder


@dataclass(frozen=True)
class Outcome:
    """What a result tells those who work on it.

    Attributes
    ----------
    content : of scores, by name a hash of their rows
    dropped : reason → count of what has no score
    warnings : what is to be said of it on the page
    """

    content: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """A result that was made: `key` of what it was made of, `files` by name below the run's folder → checksum."""

    key: str
    files: Mapping[str, str]
    outcome: Outcome


class Done:
    """The records of a run, by the place of a result in its folder; `tell` is told where they are damaged."""

    def __init__(self, folder: RunFolder, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._records = _read(folder.done, tell)

    def of(self, place: Path) -> Record | None:
        """What is known of a result, whether or not it still fits."""
        return self._records.get(self._name(place))

    def damage(self, place: Path) -> str | None:
        """What of a result's files isn't what was written; None where all are."""
        record = self.of(place)
        wrong = {} if record is None else damaged(self._folder.path, record.files, keep=False)
        return ", ".join(f"{name} {why}" for name, why in wrong.items()) or None

    def forget(self, place: Path) -> None:
        """It is not done, or no longer."""
        if self._records.pop(self._name(place), None) is not None:
            self._write()

    def note(self, place: Path, key: str, outputs: Iterable[Path], outcome: Outcome) -> None:
        """It is done: what of `outputs` (files and folders) is there holds what was written."""
        path = self._folder.path
        files = {file.relative_to(path).as_posix(): file_checksum(file) for file in _files(outputs)}
        self._records[self._name(place)] = Record(key, files, outcome)
        self._write()

    def _name(self, place: Path) -> str:
        return place.relative_to(self._folder.path).as_posix()

    def _write(self) -> None:
        write_json(self._folder.done, sealed({name: asdict(record) for name, record in self._records.items()}))


def _read(file: Path, tell: Callable[[str], None]) -> dict[str, Record]:
    """The records of a file; none, which is told, where it isn't what was written."""
    try:
        content = unsealed(json.loads(file.read_text(encoding="utf-8")))
        return {name: _record(**entry) for name, entry in content.items()}
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise_of_machine(error)
        tell(f"{file.name} is damaged ({error}): what stands behind training is made again")
        return {}


def _record(key: str, files: dict[str, str], outcome: Mapping[str, object]) -> Record:
    content, dropped, warnings = outcome["content"], outcome["dropped"], outcome["warnings"]
    assert isinstance(content, dict)
    assert isinstance(dropped, dict)
    assert isinstance(warnings, list)
    return Record(key, files, Outcome(content, dropped, tuple(warnings)))


def _files(outputs: Iterable[Path]) -> Iterator[Path]:
    for path in outputs:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in inside if file.is_file() and not file.name.startswith("."))
