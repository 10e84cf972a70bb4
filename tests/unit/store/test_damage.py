"""Tables and manifest that were changed on disk: an error that names the file, and never other rows."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.store.audit import audit_tables
from deepfactor.store.folder import MANIFEST, MarketFolder, write_market
from support.damage import DAMAGES, flip, truncate
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=4, days=25)


@pytest.fixture
def market(tables, tmp_path) -> Path:
    write_market(tmp_path / "m", tables, source={"name": "test"})
    return tmp_path / "m"


def without_checksums(market: Path) -> None:
    """As schema 3 wrote it."""
    file = market / MANIFEST
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["checksum"]
    for parts in content["tables"].values():
        for part in parts:
            del part["checksum"]
    file.write_text(json.dumps({**content, "schema_version": 3}), encoding="utf-8")


def refused(folder: MarketFolder, table: str, file: Path) -> bool:
    try:
        folder.read(table)
    except DamagedFile as error:
        return f"{file.name}: " in str(error) and "ingest the market again, into a new folder" in str(error)
    return False


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_and_not_read(market, damage):
    folder = MarketFolder.open(market)
    for table in folder.manifest.tables:
        file = folder.part_files(table)[-1]
        good = file.read_bytes()
        damage(file)
        assert refused(folder, table, file)
        with pytest.raises(DamagedFile):
            folder.columns(table)
        (finding,) = audit_tables(folder)
        assert (finding.severity, finding.code, finding.table) == ("error", "damaged", table)
        if file.is_dir():
            file.rmdir()
        file.write_bytes(good)
    assert not [one for one in audit_tables(folder) if one.severity == "error"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_part_without_checksum_is_refused_or_has_its_rows(market, damage):
    without_checksums(market)
    folder = MarketFolder.open(market)
    for table in folder.manifest.tables:
        file, before = folder.part_files(table)[-1], folder.read(table)
        damage(file)
        assert refused(folder, table, file) or folder.read(table).equals(before)


def test_a_part_of_before_there_were_checksums_is_compared_by_its_rows(market):
    without_checksums(market)
    folder = MarketFolder.open(market)
    file = folder.part_files("daily")[0]
    rows = pl.read_parquet(file)
    rows.write_parquet(file, compression="zstd")
    assert folder.read("daily").head(rows.height).equals(rows), "the same rows in other bytes"
    rows.with_columns(close=pl.col("close") + 0.01).write_parquet(file)
    with pytest.raises(DamagedFile, match="does not hold what was written"):
        folder.read("daily")


def test_no_bit_of_the_manifest_can_change(market):
    file = market / MANIFEST
    good = file.read_bytes()
    before = MarketFolder.open(market).manifest
    for at in range(0, len(good), 5):
        flip(file, at=(at + 0.5) / len(good), bit=at % 7)
        with contextlib.suppress(DataError):
            assert MarketFolder.open(market).manifest == before, f"byte {at}: no white space"
        file.write_bytes(good)


def test_a_manifest_that_is_a_folder(market):
    (market / MANIFEST).unlink()
    (market / MANIFEST).mkdir()
    with pytest.raises(DataError, match="is no manifest of a market, or damaged"):
        MarketFolder.open(market)


def test_writing_the_same_rows_again_mends_a_damaged_part(market, tables):
    whole = {p: p.read_bytes() for p in market.rglob("*.parquet")}
    for file in whole:
        truncate(file)
    write_market(market, tables, source={"name": "test"})
    assert {p: p.read_bytes() for p in market.rglob("*.parquet")} == whole


def test_a_manifest_of_schema_3_goes_on(market, tables):
    without_checksums(market)
    daily = tables["daily"].filter(pl.col("date") < tables["daily"]["date"].max())
    folder = write_market(market, {**tables, "daily": daily}, source={"name": "test"})
    assert folder.read("daily").height == daily.height
    assert all(part.checksum for parts in folder.manifest.tables.values() for part in parts)
    copied = Path(shutil.copytree(market, market.with_name("copy")))
    assert replace(MarketFolder.open(copied), path=market) == folder
