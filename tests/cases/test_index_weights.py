"""Index weights that aren't the index: cut to the largest, in another unit, or old. Never "published" in a result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, bars, write, write_membership
from support.cli import deepfactor

FREE_FLOAT = """
[[tables.daily.steps]]
into = "a_shares"
file = "shares.csv"
value = "issued"
lag_days = 0
[[tables.daily.steps]]
into = "free_float"
file = "shares.csv"
value = "free"
lag_days = 0
[tables.index_members]
file = "members.csv"
columns = { index = "index", symbol = "symbol", start_date = "since", end_date = "until" }
"""
FULL = {code: (k + 1) / 78 for k, code in enumerate(CODES)}
LARGEST = dict(list(FULL.items())[-3:])


def market(folder: Path, weights: dict[str, float], every: int = 21):
    """Ingests a market of twelve stocks with an index of `weights`, and writes a mild reversal on it."""
    frame = bars(n=180)
    mapping = write(folder / "data", frame, DAILY + MEMBERSHIP)
    write_membership(folder / "data", sorted(frame["date"].unique()), weights, every)
    change = pl.col("close") / pl.col("close").shift(10).over("symbol")
    frame.select("date", "symbol", score=1 - change).drop_nulls().write_parquet(folder / "f.parquet")
    return deepfactor("ingest", mapping, folder / "M", "--folder", folder / "data")


def enhance(folder: Path):
    return deepfactor(
        "enhance", folder / "f.parquet", "--market", folder / "M", "--index", INDEX, "--out", folder / "E"
    )


def summary(folder: Path) -> dict:
    (path,) = (folder / "E").rglob("summary.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "total"), [(LARGEST, "0.42"), ({code: 0.08 * w for code, w in FULL.items()}, "0.08")]
)
def test_less_than_half_an_index_is_warned_of_and_not_enhanced(tmp_path, weights, total):
    ended = market(tmp_path, weights)
    assert ended.code == 0
    assert f"the least to {total}" in ended.out
    found = deepfactor("check", tmp_path / "M")
    assert found.code == 0
    assert f"the least to {total}" in found.out
    assert f"the weights of {INDEX} are on" in found.out
    ended = enhance(tmp_path)
    assert ended.code == 2
    message = ended.err.splitlines()[-1]
    assert f"sum to {total}, wanted 1" in message
    assert INDEX in message


@pytest.mark.slow
def test_a_part_of_an_index_is_named_where_the_excess_stands(tmp_path):
    assert market(tmp_path, dict(list(FULL.items())[-9:])).code == 0
    ended = enhance(tmp_path)
    assert ended.code == 0
    assert "WARNING: index weights published, incomplete: sum to 0.92, wanted 1" in ended.err
    made = summary(tmp_path)
    assert made["replica_weights"] == "published_incomplete"
    assert made["replica_weights_sum"] == pytest.approx(0.923, abs=1e-3)
    page = (tmp_path / "E" / "report.html").read_text(encoding="utf-8")
    assert "not the whole index (published, incomplete: they sum to 0.92, wanted 1)" in page
    assert "不是完整指数（指数公司公布，但不完整：权重合计0.92（应为1））" in page


@pytest.mark.slow
def test_old_weights_are_named_where_the_excess_stands(tmp_path):
    ended = market(tmp_path, FULL, every=1000)
    assert "publications lie more than 100 days apart, or before the last day, 1 times" in ended.out
    ended = enhance(tmp_path)
    assert ended.code == 0
    assert "WARNING: index weights published, stale" in ended.err
    made = summary(tmp_path)
    assert made["replica_weights"] == "published_stale"
    assert made["replica_weights_age"] > 200
    page = (tmp_path / "E" / "report.html").read_text(encoding="utf-8")
    assert f"are up to {made['replica_weights_age']} days old" in page


def test_percent_is_refused_also_where_each_weight_is_below_one(tmp_path):
    ended = market(tmp_path, {code: 4 * weight for code, weight in FULL.items()})
    assert ended.code == 2
    assert "row 1, column weight: weights of 000905.SH on 2020-01-02 sum to 4, wanted 1" in ended.err.splitlines()[-1]
    assert not (tmp_path / "M").exists()


@pytest.mark.slow
def test_whole_weights_are_published(tmp_path):
    ended = market(tmp_path, FULL)
    assert "warning" not in ended.out
    assert enhance(tmp_path).code == 0
    made = summary(tmp_path)
    assert (made["replica_weights"], made["replica_weights_days"].keys()) == ("published", {"published"})


def test_free_float_in_shares_by_steps_makes_the_providers_weights(tmp_path):
    """A step table of shares: free float of 12 % counts as 12 %, of 41 % as 50 %, of 85 % as all."""
    frame, data = bars(n=60), tmp_path / "data"
    free = {code: (0.12, 0.41, 0.85)[k % 3] for k, code in enumerate(CODES)}
    rows = [f"{code},2019-12-01,{1e9 * (1 + k):.0f},{1e9 * (1 + k) * free[code]:.0f}" for k, code in enumerate(CODES)]
    write(data, frame.with_columns(float_mv=0.9e9 * (pl.col("close"))), DAILY + FREE_FLOAT)
    (data / "shares.csv").write_text("\n".join(["symbol,date,issued,free", *rows]) + "\n")
    members = [f"{INDEX},{code},2019-12-01,\n" for code in CODES]
    (data / "members.csv").write_text("index,symbol,since,until\n" + "".join(members))
    ended = deepfactor("ingest", data / "mapping.toml", tmp_path / "M", "--folder", data)
    assert ended.code == 0, ended.err
    panel, universe = open_panel(tmp_path / "M")
    counted = np.array([{0.12: 0.12, 0.41: 0.5, 0.85: 1.0}[free[code]] * 1e9 * (1 + CODES.index(code))
                        for code in panel.symbols.tolist()])  # fmt: skip
    value = panel["close"].astype(float) * counted
    np.testing.assert_allclose(universe.benchmark[INDEX], value / value.sum(axis=1, keepdims=True), rtol=1e-5)
    assert dict(universe.weighting[INDEX].used().days) == {"free_float": 60}
    found = deepfactor("check", tmp_path / "M")
    assert f"{INDEX} (60 days): by the vendor's free float instead" in found.out
