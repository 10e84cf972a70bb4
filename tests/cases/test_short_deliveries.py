"""The evening's delivery holds half the names of the last day; the next morning the whole day is there."""

from __future__ import annotations

import polars as pl
import pytest

from deepfactor.report.press.words import words
from support.bars import CODES, bars, write
from support.cli import deepfactor

SAYS = "5 of 12 names that traded the day before have a row"


def ingest(folder, frame, *more):
    return deepfactor("ingest", write(folder, frame), folder / "market", "--folder", folder, *more)


@pytest.mark.slow
def test_half_a_day_is_warned_of_until_it_is_whole(tmp_path):
    frame = bars(n=100)
    days = frame["date"].unique().sort()
    assert ingest(tmp_path, frame.filter(pl.col("date") <= days[97])).code == 0
    half = (pl.col("date") == days[98]) & pl.col("symbol").is_in(CODES[:5])
    said = ingest(tmp_path, frame.filter((pl.col("date") <= days[97]) | half))
    assert said.code == 0, said.err
    assert f"on the last day, {days[98]}, {SAYS}" in said.out
    (warning,) = (line for line in said.out.splitlines() if line.startswith("warning: "))
    assert (
        words()
        .sentence(warning.removeprefix("warning: "))
        .zh.startswith(
            f"日行情：最后一天{days[98]}，前一交易日有交易的12只股票中仅5只有成交记录，请核对文件是否完整（缺7只"
        )
    )
    assert SAYS in deepfactor("check", tmp_path / "market").out
    (finding,) = deepfactor("check", tmp_path / "market", "--json").json()["findings"]
    assert (finding["severity"], finding["code"], finding["count"]) == ("warning", "short_last_day", 7)
    morning = frame.filter(pl.col("date") <= days[98])
    assert ingest(tmp_path, morning).code == 2
    said = ingest(tmp_path, morning, "--accept-revisions")
    assert said.code == 0
    assert "warning" not in said.out
    assert "short" not in deepfactor("check", tmp_path / "market").out


def test_half_a_day_that_stays_half_is_known_of_later(tmp_path):
    frame = bars(n=100)
    days = frame["date"].unique().sort()
    whole = frame.filter((pl.col("date") != days[97]) | pl.col("symbol").is_in(CODES[:5]))
    for last in (96, 97, 98, 99):
        said = ingest(tmp_path, whole.filter(pl.col("date") <= days[last]))
        assert said.code == 0, said.err
    (warning,) = (line for line in said.out.splitlines() if line.startswith("warning: "))
    assert "days without many of the names that trade on the days around: are the files whole? (1 days: " in warning
    assert "请核对文件是否完整（1天" in words().sentence(warning.removeprefix("warning: ")).zh
    (finding,) = deepfactor("check", tmp_path / "market", "--json").json()["findings"]
    assert (finding["code"], finding["count"]) == ("short_days", 1)
    assert finding["examples"] == [
        f"{days[97]}: {SAYS} with a trade; 7 of the others are back on {days[98]}",
    ]
    again = ingest(tmp_path / "anew", whole)
    lines = [line for line in again.out.splitlines() if line.startswith("warning")]
    assert lines == [line for line in said.out.splitlines() if line.startswith("warning")]
