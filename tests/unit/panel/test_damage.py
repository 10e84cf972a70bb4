"""A compiled panel that was changed on disk: made again from the tables, and said; never read as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.checksums import CHECKSUMS, read_checksums
from deepfactor.core.errors import DamagedFile
from deepfactor.panel.build import damage as build_damage
from deepfactor.panel.build import extend as build_extend
from deepfactor.panel.build import open_panel
from deepfactor.store.folder import MarketFolder, write_market
from support.damage import DAMAGES, flip, lose, restore
from support.market_tables import LATE, filings, market_tables, until

DAYS = 30


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return {**market_tables(seed=8, days=DAYS), "fundamentals": filings(8)}


@pytest.fixture(scope="module")
def dates(tables):
    return sorted(set(tables["daily"]["date"]))


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory) -> Path:
    market = tmp_path_factory.mktemp("made") / "m"
    write_market(market, tables, source={})
    open_panel(market)
    return market


@pytest.fixture
def market(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "m"))


def compiled(market: Path) -> Path:
    (panel,) = (market / "panel").iterdir()
    return panel


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def opened(market: Path, **how: bool) -> list[str]:
    """What opening it said."""
    said: list[str] = []
    open_panel(market, said.append, **how)
    return said


def test_every_file_of_a_panel_is_known_by_its_checksum(market):
    panel = compiled(market)
    checksums = read_checksums(panel) or {}
    assert {*checksums, CHECKSUMS} == set(contents(panel))


def test_every_file_damaged_in_every_way_is_seen(market, made):
    panel, good = compiled(market), compiled(made)
    missed = []
    for name in contents(good):
        for damage in DAMAGES:
            damage(panel / name)
            found = build_damage.damage_of(panel)
            if (found is None and (name, damage) != (CHECKSUMS, lose)) or (
                found and name not in found and name != CHECKSUMS
            ):
                missed.append((name, damage.__name__, found))
            restore(panel / name, good / name)
    assert not missed
    assert build_damage.damage_of(panel) is None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["panel.json", CHECKSUMS, "symbols.npy", "universe/st.npy"])
def test_what_is_damaged_is_made_again_and_said(market, made, name, damage):
    panel = compiled(market)
    damage(panel / name)
    if name == CHECKSUMS and damage is lose:
        assert opened(market) == []
    else:
        (said,) = opened(market)
        assert f"compiled panel {panel} is damaged" in said
        assert name == CHECKSUMS or name in said
    assert contents(panel) == contents(compiled(made))


def test_a_copy_is_compared_once(market, monkeypatch):
    compared: list[str] = []
    honest = build_damage.file_checksum_of

    def counted(file, rows):
        compared.append(file.name)
        return honest(file, rows)

    monkeypatch.setattr(build_damage, "file_checksum_of", counted)
    assert opened(market) == []
    assert len(compared) > 30
    compared.clear()
    assert opened(market) == []
    assert compared == []
    assert opened(market, always=True) == []
    assert len(compared) > 30


def test_a_modification_time_that_was_set_back_hides_nothing(market):
    file = compiled(market) / "fields" / "close.npy"
    assert opened(market) == []
    before = file.stat()
    flip(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(opened(market)) == 1


def test_a_panel_of_before_there_were_checksums_gets_them(market, made):
    panel = compiled(market)
    (panel / CHECKSUMS).unlink()
    assert opened(market) == []
    assert contents(panel) == contents(compiled(made))
    (panel / CHECKSUMS).unlink()
    (panel / "fields" / "close.npy").write_bytes(b"")
    assert len(opened(market)) == 1
    assert contents(panel) == contents(compiled(made))


def test_damage_of_tables_is_an_error_that_names_the_part(market):
    shutil.rmtree(compiled(market))
    *_, file = MarketFolder.open(market).part_files("daily")
    flip(file)
    with pytest.raises(DamagedFile, match=f"{file.name}.*ingest the market again") as error:
        open_panel(market)
    assert error.value.exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize("row", [2, DAYS - 3])
def test_appended_days_take_nothing_over_that_is_damaged(tables, dates, tmp_path, row):
    """The arrays of both panels are the same files."""
    market, whole = tmp_path / "m", tmp_path / "whole"
    write_market(market, until(tables, dates[DAYS - 3]), source={})
    open_panel(market)
    first = compiled(market)
    write_market(market, until(tables, dates[DAYS - 2]), source={})
    second = market / "panel" / open_panel(market)[0].fingerprint
    assert os.path.samefile(first / "fields" / "close.npy", second / "fields" / "close.npy")
    close = np.load(second / "fields" / "close.npy", mmap_mode="r+")
    close[row] += 1
    close.flush()
    write_market(market, tables, source={})
    third = market / "panel" / open_panel(market)[0].fingerprint
    write_market(whole, tables, source={})
    open_panel(whole)
    assert contents(third) == contents(compiled(whole))


@pytest.mark.slow
def test_a_widened_panel_copies_no_damage_that_left_no_trace(tables, dates, tmp_path, monkeypatch):
    """Bits that rot on the disk change no time: seen where the arrays are read whole."""
    market, whole = tmp_path / "m", tmp_path / "whole"
    late = tables["daily"].filter(pl.col("symbol") == LATE)["date"].min()
    others = {name: tables[name].filter(pl.col("symbol") != LATE) for name in ("index_members", "index_weights")}
    tables = {**tables, **others}  # a symbol with a past is built whole
    write_market(market, until(tables, dates[dates.index(late) - 1]), source={})
    open_panel(market)
    monkeypatch.setattr(build_extend, "damage_of", lambda path: None)
    flip(compiled(market) / "fields" / "close.npy", at=0.5)
    write_market(market, until(tables, late), source={})
    assert "panel before is damaged" in opened(market)[0]
    write_market(whole, until(tables, late), source={})
    open_panel(whole)
    newest = market / "panel" / open_panel(market)[0].fingerprint
    assert contents(newest) == contents(compiled(whole))
