"""Volume in lots for all but STAR, where the vendor gives shares, and a mapping that multiplies all by 100."""

from __future__ import annotations

import polars as pl
import pytest

from deepfactor.report.press.words import words
from support.bars import CODES, DAILY, bars, write
from support.cli import deepfactor

CODES = (*CODES, "688020.SH", "688021.SH")
STAR = pl.col("symbol").str.starts_with("688")
LOTS = DAILY.replace('volume = "volume"', 'volume = { from = "volume", multiply = 100 }')
VWAP = (pl.col("open") + pl.col("high") + pl.col("low") + 2 * pl.col("close")) / 5
MAPPINGS = {
    "amount": LOTS,
    "vwap_and_turnover": LOTS.replace('amount = "amount"', 'vwap = "vwap"\nturnover = "turnover"'),
    "vwap_only": LOTS.replace('amount = "amount"', 'vwap = "vwap"'),
}


def vendor(n=90):
    """Volumes in lots everywhere."""
    made = pl.col("volume") * pl.col("close") / pl.col("float_mv")
    return bars(CODES, n).with_columns(vwap=VWAP, turnover=made).with_columns(pl.col("volume") / 100)


def ingest(folder, frame, mapping):
    file = write(folder, frame, mapping)
    return deepfactor("ingest", file, folder / "market", "--folder", folder)


@pytest.mark.slow
def test_right_units_have_no_finding(tmp_path):
    for name, mapping in MAPPINGS.items():
        said = ingest(tmp_path / name, vendor(), mapping)
        assert said.code == 0, said.err
        assert "warning" not in said.out
        assert deepfactor("check", tmp_path / name / "market").code == 0


@pytest.mark.parametrize(("name", "says"), [
    ("amount", "amount / volume is 0.01 × close on 21.43% of rows: all rows of STAR"),
    ("vwap_and_turnover", "volume × close / float_mv is 100 × the given turnover on 21.43% of rows: all rows of STAR"),
])  # fmt: skip
def test_one_board_in_shares_is_refused_and_named(tmp_path, name, says):
    shares = pl.when(STAR).then(pl.col("volume") * 100).otherwise("volume")
    said = ingest(tmp_path, vendor().with_columns(volume=shares), MAPPINGS[name])
    assert said.code == 2
    assert says in said.err
    assert "bars.parquet" in said.err
    assert not (tmp_path / "market").exists()


def test_without_amount_and_turnover_the_boards_level_is_warned_of_by_ingest_and_check(tmp_path):
    shares = pl.when(STAR).then(pl.col("volume") * 100).otherwise("volume")
    said = ingest(tmp_path, vendor().with_columns(volume=shares), MAPPINGS["vwap_only"])
    assert said.code == 0, said.err
    says = "volume × close / float_mv of STAR is about 100 × that of any other board"
    assert says in said.out
    (warning,) = (line for line in said.out.splitlines() if line.startswith("warning: "))
    assert "科创板的换手率约为其他板块的100倍" in words().sentence(warning.removeprefix("warning: ")).zh
    assert says in deepfactor("check", tmp_path / "market").out
    findings = deepfactor("check", tmp_path / "market", "--json").json()["findings"]
    assert [one["code"] for one in findings] == ["unit_of_board"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
def test_one_evenings_file_in_shares(tmp_path, name):
    """Days before are right; where nothing else measures the volume, few names are warned of."""
    frame = vendor()
    days = frame["date"].unique().sort()
    assert ingest(tmp_path, frame.filter(pl.col("date") < days[-1]), MAPPINGS[name]).code == 0
    shares = pl.when(pl.col("date") == days[-1]).then(pl.col("volume") * 100).otherwise("volume")
    said = ingest(tmp_path, frame.with_columns(volume=shares), MAPPINGS[name])
    if name == "vwap_only":
        assert said.code == 0, said.err
        (warning,) = (line for line in said.out.splitlines() if line.startswith("warning: "))
        assert f"names on {days[-1]}" in warning
        assert "jumps by one factor from a day to the next: by × 100 on 1" in warning
        assert "换手水平在相邻两天之间整体跳变" in words().sentence(warning.removeprefix("warning: ")).zh
    else:
        assert said.code == 2
        assert f"all rows of {days[-1]} (14 of 14)" in said.err
    assert deepfactor("ingest", write(tmp_path, frame, MAPPINGS[name]), tmp_path / "market", "--folder", tmp_path,
                      "--accept-revisions").code == 0  # fmt: skip
    said = deepfactor("check", tmp_path / "market")
    assert said.code == 0
    assert "unit" not in said.out
