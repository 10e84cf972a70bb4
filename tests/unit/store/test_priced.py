"""The symbols that have prices: noted until the rows change, and never taken for those of other rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deepfactor.core import notes
from deepfactor.store import priced
from deepfactor.store.folder import MarketFolder, write_market
from deepfactor.store.update import update
from support.market_tables import LATE, market_tables, until

ACCOUNT = {"name": "vendor", "settings": {}}


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=3, days=160)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many parts were read each time that the symbols were read off the rows."""
    counts: list[int] = []
    honest = priced.scan_parquet
    monkeypatch.setattr(priced, "scan_parquet", lambda files: counts.append(len(files)) or honest(files))
    return counts


def grown(path: Path, tables: dict[str, pl.DataFrame], **options: bool) -> frozenset[str]:
    update(path, lambda held: tables.items(), lambda: ACCOUNT, **options)
    return MarketFolder.open(path).priced


def symbols(daily: pl.DataFrame) -> frozenset[str]:
    return frozenset(daily["symbol"])


def test_days_that_follow_are_added_to_what_is_noted(tables, tmp_path, read):
    first = tables["daily"].filter(pl.col("symbol") == LATE)["date"].min()
    days = [day for day in sorted(set(tables["daily"]["date"])) if day < first]
    for day in (days[-2], days[-1], first):
        known = until(tables, day)
        assert grown(tmp_path, known) == symbols(known["daily"])
    assert LATE in MarketFolder.open(tmp_path).priced
    assert read == []


def test_rows_that_change_are_read(tables, tmp_path, read):
    days = sorted(set(tables["daily"]["date"]))
    grown(tmp_path, until(tables, days[-2]))
    lost = {**tables, "daily": tables["daily"].filter((pl.col("symbol") != LATE) | (pl.col("date") < days[-40]))}
    assert grown(tmp_path, lost, accept_revisions=True) == symbols(lost["daily"])
    assert len(read) == 1


def test_another_markets_note_and_a_broken_one_are_none(tables, tmp_path, read):
    folder = write_market(tmp_path / "m", tables, source=ACCOUNT)
    fewer = {**tables, "daily": tables["daily"].filter(pl.col("symbol") != LATE)}
    (tmp_path / "m").rename(tmp_path / "n")
    write_market(tmp_path / "m", fewer, source=ACCOUNT)
    assert MarketFolder.open(tmp_path / "m").priced == symbols(fewer["daily"])
    assert read == []
    (tmp_path / "m").rename(tmp_path / "o")
    (tmp_path / "n").rename(tmp_path / "m")
    assert MarketFolder.open(tmp_path / "m").priced == folder.priced == symbols(tables["daily"])
    assert len(read) == 1
    note = notes._place("priced", tmp_path / "m")
    note.write_text(note.read_text().replace(LATE, "000009.SZ"))
    assert MarketFolder.open(tmp_path / "m").priced == symbols(tables["daily"])
    assert len(read) == 2
