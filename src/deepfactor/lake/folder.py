"""The lake on disk: answers as received in parquet files that never change, and a journal that names them.

::

    LAKE/
        lake.json           format, vendor
        answers.jsonl       a line a file: its checksum, and of each answer in it request, time, rows, hash
        answers/<api>/<content>.parquet    rows of one or several answers, one after the other; all columns text

A file is put down and synced before its line is appended, so what the journal names is there. A line that a killed
writer left torn at the end names nothing: its answers are asked for again. An answer to a request that was asked before
stands beside the older one: what was known on a day is the newest of then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import polars as pl

from deepfactor.core.checksums import checksum, damaged, file_checksum, sealed, sealed_line, unsealed, unsealed_line
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import folder_lock, remove_litter, write_json
from deepfactor.lake.request import Answer, Request
from deepfactor.store.parquet import scan_parquet, write_parquet

HEAD, JOURNAL, ANSWERS = "lake.json", "answers.jsonl", "answers"
FORMAT = 1
_END = b"\n"


class Recorded(NamedTuple):
    """An answer in the lake; a tuple, since there are tens of thousands.

    Attributes
    ----------
    fetched_at : in UTC
    rows, content : number of rows; hash of columns and rows
    part, first : file, relative to the lake; its first row there
    columns : of the file
    number : in the order of arrival
    """

    request: Request
    fetched_at: datetime
    rows: int
    content: str
    part: str
    first: int
    columns: tuple[str, ...]
    number: int


class Mark(TypedDict):
    """A state of a lake: how many bytes of its journal there were, and their checksum."""

    bytes: int
    checksum: str


class Lake:
    """A lake that is open; `writing` holds it against other writers."""

    def __init__(self, path: Path, vendor: str) -> None:
        self.path, self.vendor = path, vendor
        self.recorded: list[Recorded] = []
        self._of_api: dict[str, list[Recorded]] = {}
        self._newest: dict[str, dict[Request, Recorded]] = {}  # by call, in the order of arrival
        self._checksums: dict[str, str] = {}
        self._end = 0  # of what is whole in the journal
        self._answers_at: dict[int, int] = {0: 0}  # end of each of its lines = answers until there
        self._read()

    @classmethod
    def open(cls, path: Path, vendor: str | None = None) -> Lake:
        """The lake at `path`, which must hold answers of `vendor` (None = whichever).

        Raises
        ------
        DataError
            there is none, it is another vendor's, or damaged.
        """
        head = path / HEAD
        if not head.is_file():
            raise DataError(
                f"{path} is no lake (it has no {HEAD}): make one with `deepfactor fetch`, name it by --folder"
            )
        try:
            content = unsealed(json.loads(head.read_text(encoding="utf-8")))
            form, held = int(content["format"]), str(content["vendor"])
        except (ValueError, LookupError, TypeError) as error:
            raise DamagedFile(f"is damaged ({error})", file=head) from None
        if form > FORMAT:
            raise DataError(f"was written by a newer deepfactor (format {form}, known {FORMAT})", file=head)
        if vendor is not None and held != vendor:
            raise DataError(f"{path} holds answers of {held}, not of {vendor}: name another folder")
        return cls(path, held)

    @classmethod
    @contextmanager
    def writing(cls, path: Path, vendor: str) -> Iterator[Lake]:
        """The lake at `path`, made where there is none, for one writer; what killed ones left is cleared."""
        if path.exists() and not (path / HEAD).is_file() and any(one.name != ".lock" for one in path.iterdir()):
            raise DataError(f"{path} holds something that is no lake: name another folder")
        with folder_lock(path):
            if not (path / HEAD).is_file():
                write_json(path / HEAD, sealed({"format": FORMAT, "vendor": vendor}))
            lake = cls.open(path, vendor)
            lake._clear()
            yield lake

    def newest(self, request: Request) -> Recorded | None:
        """The newest answer to a request."""
        return self._newest.get(request.api, {}).get(request)

    def of(self, *apis: str, as_of: datetime | None = None, first: int | None = None) -> list[Recorded]:
        """The newest answer to each request of `apis` that was there at the time `as_of` (None = now), by arrival.

        `first`: of the first so many answers of the lake, see `answers_at`.
        """
        every = [self._newest_of(api, as_of, first) for api in dict.fromkeys(apis)]
        found = [one for newest in every for one in newest.values()]
        return found if len(every) == 1 else sorted(found, key=attrgetter("number"))

    def _newest_of(self, api: str, as_of: datetime | None, first: int | None) -> dict[Request, Recorded]:
        if as_of is None and (first is None or first == len(self.recorded)):
            return self._newest.get(api, {})
        newest: dict[Request, Recorded] = {}
        for one in self._of_api.get(api, ()):
            if (as_of is None or one.fetched_at <= as_of) and (first is None or one.number < first):
                newest.pop(one.request, None)
                newest[one.request] = one
        return newest

    def has(self, api: str, as_of: datetime | None = None) -> bool:
        """Whether there was any answer to a call at the time `as_of` (None = now)."""
        return any(as_of is None or one.fetched_at <= as_of for one in self._of_api.get(api, ()))

    def mark(self) -> Mark:
        """What names the answers that the lake has now: see `answers_at`."""
        return {"bytes": self._end, "checksum": self._checksum_until(self._end)}

    def answers_at(self, mark: Mark) -> int | None:
        """How many answers the lake had when it gave `mark`, which are its first; None where it isn't the same lake.

        Whatever was taken out of the journal or written into it before its end then, is seen.

        >>> lake.answers_at(lake.mark()) == len(lake.recorded)  # doctest: +SKIP
        True
        """
        known = self._answers_at.get(mark["bytes"])
        return known if known is not None and self._checksum_until(mark["bytes"]) == mark["checksum"] else None

    def add(self, answers: Sequence[Answer]) -> None:
        """Keep answers, which have the same call and columns: whole in the lake when this returns."""
        rows = pl.concat([answer.rows for answer in answers])
        api, told = answers[0].request.api, []
        for answer in answers:
            content = content_of(answer.rows)
            told.append(
                {
                    "request": dict(answer.request.params),
                    "fetched_at": answer.fetched_at.astimezone(UTC).isoformat(),
                    "rows": answer.rows.height,
                    "content": content,
                }
            )
        name = hashlib.sha256(json.dumps([api, told]).encode()).hexdigest()[:16]
        part = f"{ANSWERS}/{api}/{name}.parquet"
        write_parquet(self.path / part, rows, compression="zstd")
        line = {"part": part, "api": api, "columns": rows.columns, "answers": told}
        line["checksum_of_part"] = file_checksum(self.path / part)
        text = sealed_line(line) + _END
        self._append(text)
        self._take(line)
        self._ends_at(self._end + len(text))

    def rows(self, recorded: Iterable[Recorded], columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of answers, one answer after the other as they lie in the lake; text.

        Raises
        ------
        DamagedFile
            a file is missing or doesn't hold what was written.
        DataError
            a column that an answer with rows doesn't have.
        """
        wanted = self._wanted(recorded)
        pieces = [one.collect() for one in self._scans(wanted, columns)]
        return pl.concat(pieces) if pieces else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))

    def distinct(self, recorded: Iterable[Recorded], column: str) -> pl.Series:
        """The values of a column of answers, each once, sorted, without null; raises as `rows`."""
        wanted = self._wanted(recorded)
        pieces = [one.unique().collect()[column] for one in self._scans(wanted, [column])]
        every = pl.concat(pieces) if pieces else pl.Series(column, [], pl.String)
        return every.unique().drop_nulls().sort()

    def _wanted(self, recorded: Iterable[Recorded]) -> dict[str, list[Recorded]]:
        """Answers that have rows, by their files, which are whole."""
        wanted: dict[str, list[Recorded]] = {}
        for one in recorded:
            if one.rows:
                wanted.setdefault(one.part, []).append(one)
        self._require_whole(list(wanted))
        return wanted

    def _scans(self, wanted: Mapping[str, list[Recorded]], columns: Sequence[str]) -> Iterator[pl.LazyFrame]:
        """Rows of some columns that are still to be read, in pieces; files that are wanted as a whole together."""
        whole = []
        for part, answers in wanted.items():
            for column in columns:
                if column not in answers[0].columns:
                    there = ", ".join(answers[0].columns)
                    raise DataError(f"is not there; the answer has {there}", file=self.path / part, column=column)
            if sum(one.rows for one in answers) == self._heights[part]:
                whole.append(self.path / part)
            else:
                for first, rows in _runs(answers):
                    yield scan_parquet(self.path / part).select(columns).slice(first, rows)
        for piece in _alike(whole, {self.path / part: answers[0].columns for part, answers in wanted.items()}):
            yield scan_parquet(piece).select(columns)

    def damage(self) -> dict[str, str]:
        """What is wrong with files of the lake, by name; empty where all hold what was written."""
        return damaged(self.path, self._checksums, always=True)

    def _require_whole(self, parts: Sequence[str]) -> None:
        wrong = damaged(self.path, {part: self._checksums[part] for part in parts})
        for part, why in wrong.items():
            raise DamagedFile(
                f"{why}: remove this lake's line of it, or the lake, and fetch again", file=self.path / part
            )

    def _read(self) -> None:
        self._heights: dict[str, int] = {}
        file = self.path / JOURNAL
        data = file.read_bytes() if file.exists() else b""
        for number, line in enumerate(data.split(_END)[:-1], 1):
            try:
                content = unsealed_line(line)
            except ValueError as error:
                if self._end + len(line) + 1 == len(data):  # torn by a crash of the machine, though its end is there
                    break
                raise DamagedFile(f"is damaged ({error})", file=file, row=number) from None
            self._take(content)
            self._ends_at(self._end + len(line) + 1)

    def _ends_at(self, end: int) -> None:
        self._end = end
        self._answers_at[end] = len(self.recorded)

    def _checksum_until(self, end: int) -> str:
        if not end:
            return checksum(b"")
        with (self.path / JOURNAL).open("rb") as handle:
            return checksum(handle.read(end))

    def _take(self, line: dict[str, Any]) -> None:
        api, part, first, columns = line["api"], line["part"], 0, tuple(line["columns"])
        newest, taken = self._newest.setdefault(api, {}), []
        for number, told in enumerate(line["answers"], len(self.recorded)):
            request, at = Request.of(api, told["request"]), datetime.fromisoformat(told["fetched_at"])
            one = Recorded(request, at, told["rows"], told["content"], part, first, columns, number)
            first += one.rows
            taken.append(one)
            newest.pop(request, None)
            newest[request] = one
        self.recorded.extend(taken)
        self._of_api.setdefault(api, []).extend(taken)
        self._heights[part] = first
        self._checksums[part] = line["checksum_of_part"]

    def _append(self, line: bytes) -> None:
        with (self.path / JOURNAL).open("ab") as handle:
            handle.write(line)
            handle.flush()
            os.fsync(handle.fileno())

    def _clear(self) -> None:
        """Take away the torn end of the journal, files that it doesn't name, and temporaries."""
        journal = self.path / JOURNAL
        if journal.exists() and journal.stat().st_size > self._end:
            os.truncate(journal, self._end)
        remove_litter(self.path)
        for file in (self.path / ANSWERS).rglob("*.parquet"):
            if file.relative_to(self.path).as_posix() not in self._checksums:
                file.unlink()


def content_of(rows: pl.DataFrame) -> str:
    """SHA-256 of columns and values of text, as hex; null and empty text differ."""
    digest = hashlib.sha256(json.dumps(rows.columns).encode())
    for column in rows.columns:
        text = rows[column].to_list()
        digest.update("\x1e".join("\x00" if one is None else one for one in text).encode())
        digest.update(b"\x1d")
    return digest.hexdigest()


def _runs(answers: Sequence[Recorded]) -> list[tuple[int, int]]:
    """First row and number of rows of answers of a file, those that lie behind each other together."""
    runs: list[tuple[int, int]] = []
    for one in answers:
        if runs and sum(runs[-1]) == one.first:
            runs[-1] = (runs[-1][0], runs[-1][1] + one.rows)
        else:
            runs.append((one.first, one.rows))
    return runs


def _alike(files: Sequence[Path], columns: dict[Path, tuple[str, ...]]) -> list[list[Path]]:
    """Files that follow each other with the same columns, together."""
    groups: list[list[Path]] = []
    for file in files:
        if groups and columns[groups[-1][-1]] == columns[file]:
            groups[-1].append(file)
        else:
            groups.append([file])
    return groups
