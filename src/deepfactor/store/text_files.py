"""Tables as text (CSV and its kin) as people have them: encoding, separator, names of columns, lines of other lengths.

Read are UTF-8 (with a mark or without), UTF-16 with its mark, and GB18030 (GBK, GB2312), also gzipped; separated by
commas, tabs, semicolons or bars. What a file is, its content says, not its name.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

import numpy as np

_ZIP, _ARROW, _XLS = "a zip archive (or .xlsx, .npz)", "an Arrow file (.feather, .arrow)", "an Excel file (.xls)"
#: First bytes of files, and what they are.
_MARKS = (
    (b"PAR1", "parquet"),
    (b"PARE", "an encrypted parquet file"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", _ZIP),
    (b"FEA1", "a feather file of version 1"),
    (b"ARROW1", _ARROW),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"\xd0\xcf\x11\xe0", _XLS),
    (b"\x89HDF", "an HDF5 file (.h5)"),
    (b"\x93NUMPY", "a NumPy file (.npy)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"ORC", "an ORC file"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PARQUET = (".parquet", ".parq", ".pq")
_SHEETS = (".xlsx", ".xlsm", ".xls")
_TEXT = (".csv", ".tsv", ".txt")
_SEPARATORS = ",\t;|"
_CHUNK = 1 << 24


class NoTable(ValueError):
    """What is wrong with a file, in a user's words; `row` from 1 where a line is to blame, the head not counted."""

    def __init__(self, message: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(message)


@dataclass(frozen=True)
class TextTable:
    """A table as text.

    Attributes
    ----------
    source : what polars can read: the path, or bytes in UTF-8 where the file is of another encoding or gzipped
    encoding : "UTF-8", "UTF-16" or "GB18030"
    separator : between fields
    head : names of the columns, as they are written
    """

    source: Path | bytes
    encoding: str
    separator: str
    head: tuple[str, ...]


def form_of(path: Path) -> str:
    """What a file is by its first bytes: "parquet", "gzip", "text", "empty", or another kind in words."""
    with path.open("rb") as handle:
        start = handle.read(16)
    if not start:
        return "empty"
    known = next((kind for mark, kind in _MARKS if start.startswith(mark)), None)
    return known or ("bytes that are no text" if b"\0" in start and not start.startswith(_UTF16) else "text")


def form_to_read(path: Path, *, more: Collection[str] = ()) -> Literal["parquet", "text", "arrow", "excel"]:
    """What to read a file as.

    Parameters
    ----------
    more : what is read beside parquet and text: "arrow" (.feather, .arrow) and "excel" (.xlsx, .xls)

    Raises
    ------
    NoTable
        empty, of a form that isn't read, or of another form than its name says.
    """
    form = form_of(path)
    if form == "empty":
        raise NoTable("is empty")
    if "arrow" in more and form == _ARROW:
        return "arrow"
    if "excel" in more and (form == _XLS or (form == _ZIP and path.suffix.lower() in _SHEETS)):
        return "excel"
    if form not in ("parquet", "text", "gzip"):
        also = (", .feather" if "arrow" in more else "") + (", .xlsx, .xls" if "excel" in more else "")
        raise NoTable(f"is {form}: parquet and CSV are read (.csv, .tsv, .txt, .csv.gz{also})")
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    named = endings[-1] if endings else ""
    if form == "parquet":
        if named in _TEXT:
            raise NoTable(f"is a parquet file, though its name ends in {named}: rename it to .parquet")
        return "parquet"
    if named in _PARQUET:
        raise NoTable(f"is text, no parquet file, though its name ends in {named}: rename it to .csv")
    return "text"


def open_text(path: Path, skip_lines: int = 0) -> TextTable:
    """The table in a text file; looked at once for each change of it.

    Parameters
    ----------
    skip_lines : lines above the head

    Raises
    ------
    NoTable
        no text, neither UTF-8 nor GBK, nothing in it, a damaged .gz, or a line with more or fewer fields than the head.
    """
    told = path.stat()
    return _opened(path.absolute(), told.st_size, told.st_mtime_ns, skip_lines)


@lru_cache(maxsize=2)
def _opened(path: Path, size: int, changed: int, skip_lines: int) -> TextTable:
    raw = _unpacked(path) if form_of(path) == "gzip" else None
    encoding = _encoding(path if raw is None else raw)
    if encoding == "UTF-8":
        source: Path | bytes = path if raw is None else raw
    else:
        source = (path.read_bytes() if raw is None else raw).decode(encoding).encode()
    if skip_lines:
        source = _below(source, skip_lines)
    with _lines(source) as lines:
        first = lines.readline()
    if first.endswith("\r"):
        raise NoTable("its lines end in carriage returns alone: save it with the usual line ends")
    if not (first := first.rstrip("\r\n")).strip():
        raise NoTable("its first line is empty, wanted the names of the columns")
    separator, head = max(((mark, _cells(first, mark)) for mark in _SEPARATORS), key=lambda split: len(split[1]))
    if ragged := _first_ragged(source, separator, len(head)):
        row, fields = ragged
        raise NoTable(f"the line has {fields} fields, the head has {len(head)}: {_why(fields, len(head))}", row)
    return TextTable(source, encoding, separator, tuple(head))


def _below(source: Path | bytes, lines: int) -> bytes:
    """All bytes below so many lines."""
    content = source.read_bytes() if isinstance(source, Path) else source
    return content.split(b"\n", lines)[-1] if content.count(b"\n") >= lines else b""


def _why(fields: int, wanted: int) -> str:
    if fields > wanted:
        return "quote what holds the separator, and write numbers without thousands marks"
    return "is the file cut off?"


def _unpacked(path: Path) -> bytes:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise NoTable(f"can't be unpacked, is it cut off? ({error})") from None
    if content.startswith(b"PAR1"):
        raise NoTable("is a gzipped parquet file: unpack it")
    if not content:
        raise NoTable("is empty")
    return content


def _encoding(source: Path | bytes) -> str:
    """The encoding of all bytes; a null byte is in no text."""
    if _chunk_start(source).startswith(_UTF16):
        return "UTF-16"
    for name in ("UTF-8", "GB18030"):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            for chunk in _chunks(source):
                if b"\0" in chunk:
                    raise NoTable("holds null bytes: it is no text, or text of another encoding than UTF-8 and GBK")
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    raise NoTable("is neither UTF-8 nor GBK text: save it as UTF-8")


def _chunk_start(source: Path | bytes) -> bytes:
    return next(_chunks(source, 16), b"")


def _chunks(source: Path | bytes, size: int = _CHUNK) -> Iterator[bytes]:
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as handle:
        while chunk := handle.read(size):
            yield chunk


def _lines(source: Path | bytes) -> IO[str]:
    raw: IO[bytes] = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _first_ragged(source: Path | bytes, separator: str, fields: int) -> tuple[int, int] | None:
    """The first line, from 1 behind the head, with another number of fields than `fields`, and that number.

    polars doesn't look where not all columns are asked for. Empty lines pass.
    """
    if any(b'"' in chunk for chunk in _chunks(source)):
        with _lines(source) as lines:
            try:
                rows = enumerate(csv.reader(lines, delimiter=separator))
                return next(((row, len(cells)) for row, cells in rows if cells and len(cells) != fields), None)
            except csv.Error:  # left to who reads it
                return None
    row, rest = 0, b""
    for chunk in _chunks(source):
        whole, mark, rest = (rest + chunk).rpartition(b"\n")
        ragged, lines_of_chunk = _ragged_line(whole + mark, ord(separator), fields)
        if ragged:
            return row + ragged[0], ragged[1]
        row += lines_of_chunk
    ragged, _ = _ragged_line(rest + b"\n", ord(separator), fields) if rest else (None, 0)
    return (row + ragged[0], ragged[1]) if ragged else None


def _ragged_line(whole: bytes, separator: int, fields: int) -> tuple[tuple[int, int] | None, int]:
    """The first line (from 0) of whole lines with another number of fields, and that number; and how many lines."""
    letters = np.frombuffer(whole, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    marks = np.searchsorted(np.flatnonzero(letters == separator), ends)
    counts = np.diff(marks, prepend=0) + 1
    lengths = np.diff(ends, prepend=-1) - 1
    wrong = np.flatnonzero((counts != fields) & (lengths > 1))
    return ((int(wrong[0]), int(counts[wrong[0]])) if len(wrong) else None), len(ends)
