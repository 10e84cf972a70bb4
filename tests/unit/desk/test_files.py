"""The desk's files: numbers read back bit for bit; a folder that isn't whole, or was changed, is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from deepfactor.core.errors import DataError
from deepfactor.desk import files
from deepfactor.desk.files import csv_text, read_aligned, read_folder, write_folder

SYMBOLS = np.array(["000001.SZ", "600000.SH", "600001.SH"])


@given(some.lists(some.floats(allow_infinity=False, allow_nan=True), min_size=1))
def test_numbers_read_back_as_they_are(values: list[float]) -> None:
    column = np.array(values) + 0.0  # −0 is 0
    lines = csv_text({"x": column, "y": column}).splitlines()[1:]
    again = [float(line.split(",")[0] or "nan") for line in lines]
    np.testing.assert_array_equal(again, column)


def test_a_folder_reads_back(tmp_path: Path) -> None:
    columns = {"symbol": SYMBOLS[[2, 0]], "weight": np.array([1 / 3, np.nan]), "date": np.array(["2024-01-05"] * 2)}
    write_folder(tmp_path, "it.json", {"table": columns}, {"key": "k"})
    assert read_folder(tmp_path, "it.json", "verb")["key"] == "k"
    found = read_aligned(tmp_path / "table.csv", SYMBOLS, ("weight",))["weight"]
    np.testing.assert_array_equal(found, [np.nan, 0.0, 1 / 3])
    with pytest.raises(DataError, match=r"600001\.SH is no stock of this market"):
        read_aligned(tmp_path / "table.csv", SYMBOLS[:2], ("weight",))


@pytest.mark.parametrize("moment", ["write_csv", "file_hash", "write_json"])
def test_a_folder_that_was_killed_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    tables = {"table": {"symbol": SYMBOLS}}
    write_folder(tmp_path, "it.json", tables, {"key": "k"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(files, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            write_folder(tmp_path, "it.json", tables, {"key": "k"})
    with pytest.raises(DataError, match="has not ended"):
        read_folder(tmp_path, "it.json", "verb")
    write_folder(tmp_path, "it.json", tables, {"key": "k"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_another_version_wrote_is_said(tmp_path: Path) -> None:
    write_folder(tmp_path, "it.json", {}, {"key": "k"})
    assert read_folder(tmp_path, "it.json", "verb", ("key",))
    with pytest.raises(DataError, match="lacks date, as another version wrote it: repeat `deepfactor verb`"):
        read_folder(tmp_path, "it.json", "verb", ("key", "date"))


@pytest.mark.parametrize("change", ["symbol\n000001.SZ\n", None])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, change: str | None) -> None:
    write_folder(tmp_path, "it.json", {"table": {"symbol": SYMBOLS}}, {})
    table = tmp_path / "table.csv"
    if change is None:
        table.unlink()
    else:
        table.write_text(change)
    with pytest.raises(DataError, match=r"table\.csv: was changed or removed since `deepfactor verb` wrote it"):
        read_folder(tmp_path, "it.json", "verb")
