"""Results that were changed on disk are named, not read; the oracle is its market's."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.checksums import CHECKSUMS, read_checksums
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import write_json
from deepfactor.runs.factors import read_table
from deepfactor.runs.results import check_oracle, read_frame, read_json, write_oracle
from deepfactor.runs.written import all_damaged, is_there, reading_results, renew_checksums, writing_results
from deepfactor.store.parquet import write_parquet
from support.damage import DAMAGES, be_a_folder, flip, lose, restore

ROWS = pl.DataFrame({"date": [], "symbol": [], "score": []}, schema={"date": pl.Date, "symbol": str, "score": float})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with writing_results(folder):
        write_json(folder / "recipe.json", {"name": "run"})
        write_json(folder / "paired.json", [1.5])
        write_parquet(folder / "arms" / "a" / "scores.parquet", ROWS)
        (folder / "run.log").write_text("said")
    return folder


def test_all_results_are_known(run: Path) -> None:
    assert set(read_checksums(run) or ()) == {"recipe.json", "paired.json", "arms/a/scores.parquet"}
    assert read_json(run / "paired.json") == [1.5]
    assert all_damaged(run) == {}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_named(run: Path, damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    readers = {
        "recipe.json": read_json,
        "paired.json": read_json,
        "arms/a/scores.parquet": read_frame,
        CHECKSUMS: lambda _: read_json(run / "paired.json"),
    }
    for name, reader in readers.items():
        good = tmp_path / "good"
        good.write_bytes((run / name).read_bytes())
        damage(run / name)
        if not (damage is lose and name == CHECKSUMS):
            with pytest.raises(DamagedFile, match=rf"{name}.*: repeat the command that made it"):
                reader(run / name)
            with pytest.raises(DamagedFile):
                is_there(run / name if name != CHECKSUMS else run / "paired.json")
        restore(run / name, good)


def test_a_factor_file_of_a_run_is_compared_too(run: Path, tmp_path: Path) -> None:
    file = run / "arms" / "a" / "scores.parquet"
    copy = tmp_path / "mine.parquet"
    copy.write_bytes(file.read_bytes())
    flip(file)
    with pytest.raises(DamagedFile, match=r"scores.parquet: does not hold what was written"):
        read_table(file)
    assert read_table(copy).is_empty()


@pytest.mark.slow
def test_what_nothing_writes_keeps_its_checksum(run: Path) -> None:
    flip(run / "paired.json")
    with writing_results(run):
        write_json(run / "recipe.json", {"name": "other"})
        write_json(run / "new.json", {})
        assert read_json(run / "paired.json"), "while results are written nothing is compared"
    assert all_damaged(run) == {"paired.json": "does not hold what was written"}
    write_json(run / "paired.json", [2.5])
    renew_checksums(run, ["paired.json"])
    assert all_damaged(run) == {}
    (run / CHECKSUMS).unlink()
    renew_checksums(run, ["paired.json"])
    assert not (run / CHECKSUMS).exists()


def test_damaged_checksums_are_made_anew(run: Path) -> None:
    (run / CHECKSUMS).write_text("{")
    with writing_results(run):
        write_json(run / "recipe.json", {"name": "other"})
    assert all_damaged(run) == {}
    be_a_folder(run / CHECKSUMS)
    with pytest.raises(DataError.__base__, match="is a folder"), writing_results(run):  # type: ignore[arg-type]
        pass


def test_an_error_of_form_is_the_files_unless_they_are_known(run: Path) -> None:
    with pytest.raises(KeyError), reading_results(run):
        json.loads("{}")["arms"]
    (run / CHECKSUMS).unlink()
    with (
        pytest.raises(DataError, match=r"results that this version can't read \(KeyError: 'arms'\)"),
        reading_results(run),
    ):
        json.loads("{}")["arms"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m.oracle.parquet", "M[1].oracle.parquet"])
def test_an_oracle_is_its_markets(tmp_path: Path, name: str) -> None:
    file, frame = tmp_path / name, pl.DataFrame({"symbol": ["a", "b"], "oracle_5": [0.1, 0.2]})
    check_oracle(file, "no market has one")
    write_oracle(file, frame, "this")
    check_oracle(file, "this")
    with pytest.raises(DataError, match=r"oracle of another market \(this, this one is that\): move it away"):
        check_oracle(file, "that")
    good, before = file.read_bytes(), pl.read_parquet(file, glob=False)
    for at in range(0, len(good), 3):
        flip(file, at=(at + 0.5) / len(good), bit=at % 8)
        try:
            check_oracle(file, "this")
        except DataError as error:
            assert str(file) in str(error)  # noqa: PT017
        else:
            assert pl.read_parquet(file, glob=False).equals(before), at
        file.write_bytes(good)
    frame.write_parquet(file)
    check_oracle(file, "of before it said so")
