"""Text tables: encodings, separators, lines of other lengths."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from deepfactor.store import text_files
from deepfactor.store.text_files import NoTable, TextTable, form_of, open_text

HEAD = ("date", "名称", "score")
ROWS = "2020-01-02,平安银行,1.5\n2020-01-03,万科,-2\n"
TEXT = ",".join(HEAD) + "\n" + ROWS


def table(folder: Path, content: bytes) -> TextTable:
    (folder / "f.csv").write_bytes(content)
    return open_text(folder / "f.csv")


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("gbk", "GB18030")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, told: str, packed: bool) -> None:
    content = TEXT.encode(encoding)
    found = table(tmp_path, gzip.compress(content) if packed else content)
    assert (found.encoding, found.separator, found.head) == (told, ",", HEAD)
    assert isinstance(found.source, Path) == (told == "UTF-8" and not packed)


@pytest.mark.parametrize("separator", list(",\t;|"))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends(tmp_path: Path, separator: str, end: str) -> None:
    found = table(tmp_path, TEXT.replace(",", separator).replace("\n", end).encode())
    assert (found.separator, found.head) == (separator, HEAD)


RAGGED = {
    "more": (TEXT + "2020-01-06,a,1,5\n", 3, "4 fields, the head has 3: quote what holds the separator"),
    "fewer": (TEXT + "2020-01-06,a\n" + ROWS, 3, "2 fields, the head has 3: is the file cut off"),
    "cut off": (TEXT + "2020-01-06", 3, "1 fields"),
    "first line": (TEXT.replace("1.5", "1,5"), 1, "4 fields"),
    "among quotes": (TEXT + '"2020-01-06","a,b",1\n"2020-01-06","a",b,1\n', 4, "4 fields"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("case", RAGGED)
def test_lines_of_other_lengths_are_named(tmp_path: Path, case: str, end: str) -> None:
    text, row, said = RAGGED[case]
    with pytest.raises(NoTable, match=said) as error:
        table(tmp_path, text.replace("\n", end).encode())
    assert error.value.row == row


@pytest.mark.parametrize("tail", ["", "\n", "\n\n", '"2020-01-06","a,\n""b""",1\n', "2020-01-06,,"])
def test_what_looks_ragged_and_isn_t(tmp_path: Path, tail: str) -> None:
    assert table(tmp_path, (TEXT + tail).encode()).head == HEAD


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_lines_may_lie_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(text_files._chunks, "__defaults__", (chunk,))
    lines = [f"2020-01-{day:02d},平安,{random.Random(day).random()}" for day in range(1, 29)]
    text = ",".join(HEAD) + "\n" + "\n".join(lines) + "\n"
    assert table(tmp_path, text.encode()).encoding == "UTF-8"
    with pytest.raises(NoTable) as error:
        table(tmp_path, (text + "2020-01-30,a\n" + "\n".join(lines)).encode())
    assert error.value.row == 29


def test_a_file_that_changed_is_looked_at_again(tmp_path: Path) -> None:
    assert table(tmp_path, TEXT.encode()).head == HEAD
    assert table(tmp_path, TEXT.replace("名称", "name of it").encode()).head[1] == "name of it"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n" + TEXT.encode(), "its first line is empty"),
        (TEXT.replace("\n", "\r").encode(), "its lines end in carriage returns alone"),
        (TEXT.encode() + b"\0", "null bytes"),
        (TEXT.encode("utf-16-le"), "null bytes"),
        (TEXT.encode("gbk") + b"\xff\xff", "neither UTF-8 nor GBK"),
        (gzip.compress(TEXT.encode())[:-9], "can't be unpacked, is it cut off"),
        (gzip.compress(b"PAR1"), "is a gzipped parquet file"),
        (gzip.compress(b""), "is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_table(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(NoTable, match=said):
        table(tmp_path, content)


def test_forms_by_content(tmp_path: Path) -> None:
    for content, form in ((b"", "empty"), (b"PAR1", "parquet"), (b"a,b\n", "text"), (b"\x1f\x8b\x08", "gzip")):
        (tmp_path / "f").write_bytes(content)
        assert form_of(tmp_path / "f") == form
