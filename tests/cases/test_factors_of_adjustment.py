"""Adjustment factors as vendors have delivered them: one that collapses on a stock, those of the last day not there."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from support.bars import bars, weekdays, write
from support.cli import deepfactor
from support.ex_dates import with_ex_dates

DAYS = weekdays(220)
EX = 198


def ingest(folder: Path, *flags: str):
    return deepfactor("ingest", folder / "mapping.toml", folder / "M", "--folder", folder, *flags)


def checked(folder: Path) -> dict[str, dict]:
    found = deepfactor("check", folder / "M", "--json").json()["findings"]
    return {one["code"]: one for one in found}


def test_a_factor_that_collapses_on_one_stock(tmp_path):
    """From 6.285 to 1 for eighty days, and back; the price doesn't move."""
    mine = pl.col("symbol") == "600003.SH"
    inside = mine & pl.col("date").is_between(DAYS[120], DAYS[199])
    factor = pl.when(inside).then(1.0).when(mine).then(6.285).otherwise(1.0)
    write(tmp_path, bars(n=220).with_columns(adj_factor=factor))
    result = ingest(tmp_path)
    assert result.code == 0, result.err
    found = checked(tmp_path)
    for text in (result.out, " ".join(found["factor_jump"]["examples"])):
        assert f"{DAYS[120]} 600003.SH -8" in text
        assert f"{DAYS[200]} 600003.SH +5" in text
    beyond = found["beyond_limit"]
    assert beyond["count"] == 2, "a change of the factor doesn't explain a close that doesn't follow it"
    assert "adj_factor 6.285 → 1" in beyond["examples"][0]


@pytest.mark.slow
def test_a_level_change_that_is_declared_is_taken_out(tmp_path):
    """The remedy that the warning names."""
    mine = pl.col("symbol") == "600003.SH"
    later = mine & (pl.col("date") >= DAYS[120])
    frame = bars(n=220).with_columns(adj_factor=pl.when(later).then(1.0).when(mine).then(6.285).otherwise(1.0))
    mapping = write(tmp_path, frame)
    told = ingest(tmp_path).out
    assert "can be declared (level_changes)" in told
    declared = f'\nlevel_changes = [{{ symbol = "600003.SH", date = {DAYS[120]} }}]\n'
    text = mapping.read_text(encoding="utf-8").replace('file = "bars.parquet"\n', f'file = "bars.parquet"{declared}')
    mapping.write_text(text, encoding="utf-8")
    again = ingest(tmp_path)
    assert again.code == 0, again.err
    assert "warning" not in again.out
    assert checked(tmp_path) == {}


@pytest.fixture
def evenings(tmp_path):
    """Bars with an ex-date of ten for ten on the last day of a delivery, the days before it already ingested."""
    frame = with_ex_dates(bars(n=220), {"600002.SH": (EX,)})
    write(tmp_path, frame.filter(pl.col("date") < DAYS[EX]))
    assert ingest(tmp_path).code == 0
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("late", [None, 1.0])
def test_factors_of_the_last_day_that_are_not_there_yet(evenings, tmp_path, late):
    """Missing, or the last known one again: the price falls by half."""
    waiting = pl.when(pl.col("date") == DAYS[EX]).then(late).otherwise("adj_factor")
    write(tmp_path, evenings.with_columns(adj_factor=waiting).filter(pl.col("date") <= DAYS[EX]))
    evening = ingest(tmp_path)
    assert evening.code == 0, evening.err
    found = checked(tmp_path)
    missing = f"missing on 12 of 12 rows of {DAYS[EX]}"
    for text in (evening.out, str(found)):
        assert f"{DAYS[EX]} 600002.SH -5" in text or f"{DAYS[EX]} 600002.SH -4" in text
        assert (missing in text) == (late is None)
    assert found["beyond_limit"]["examples"][0].startswith(f"{DAYS[EX]} 600002.SH")

    write(tmp_path, evenings.filter(pl.col("date") <= DAYS[EX + 1]))
    morning = ingest(tmp_path)
    assert morning.code == 2
    rows = "12 rows missing until now in adj_factor" if late is None else "1 rows changed in adj_factor"
    assert f"daily: {rows} ({DAYS[EX]} " in morning.err
    assert "--accept-revisions" in morning.err
    taken = ingest(tmp_path, "--accept-revisions")
    assert taken.code == 0, taken.err
    assert "warning" not in taken.out, "what was found is mended"
    assert checked(tmp_path) == {}
    assert ingest(tmp_path).code == 0


@pytest.mark.slow
def test_a_factor_that_stays_away_is_named_once_more_each_evening(evenings, tmp_path):
    for t in (EX, EX + 1):
        waiting = pl.when(pl.col("date") >= DAYS[EX]).then(None).otherwise("adj_factor")
        write(tmp_path, evenings.with_columns(adj_factor=waiting).filter(pl.col("date") <= DAYS[t]))
        evening = ingest(tmp_path)
        assert evening.code == 0, evening.err
    assert "(24 rows: missing on 12 of 12 rows of " in evening.out
    fresh = deepfactor("ingest", tmp_path / "mapping.toml", tmp_path / "N", "--folder", tmp_path)
    assert "(24 rows: missing on 12 of 12 rows of " in fresh.out
