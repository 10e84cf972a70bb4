"""The audit of the tables on disk: damage, gaps against the calendar, what ingest warned of."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deepfactor.store.audit import audit_tables
from deepfactor.store.folder import MarketFolder, write_market
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=6, days=30)


def codes(path: Path) -> dict[tuple[str, str], int]:
    return {(one.severity, one.code): one.count for one in audit_tables(MarketFolder.open(path))}


def test_what_ingest_warned_of_is_found_again(tables, tmp_path):
    folder = write_market(tmp_path / "m", tables, source={})
    found = codes(tmp_path / "m")
    assert found == {(w["severity"], w["code"]): w["count"] for w in folder.manifest.warnings}
    assert ("warning", "no_prices") in found


def test_gaps_against_the_calendar(tables, tmp_path):
    days = sorted(set(tables["daily"]["date"]))
    without = tables["daily"].filter(~pl.col("date").is_in([days[5], days[9]]))
    calendar = tables["calendar"].filter(pl.col("date") != days[12])
    write_market(tmp_path / "m", {**tables, "daily": without, "calendar": calendar}, source={})
    found = codes(tmp_path / "m")
    assert found["warning", "calendar_gap"] == 2
    assert found["warning", "off_calendar"] == 1


@pytest.mark.parametrize("damage", ["other rows", "half", "gone"])
def test_a_damaged_part_is_an_error(tables, tmp_path, damage):
    folder = write_market(tmp_path / "m", tables, source={})
    *_, file = folder.part_files("daily")
    if damage == "other rows":
        pl.read_parquet(file).with_columns(close=pl.col("close") * 2).write_parquet(file)
    elif damage == "half":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        file.unlink()
    assert set(codes(tmp_path / "m")) == {("error", "damaged")}
