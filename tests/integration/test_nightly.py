"""`nightly`: an evening from tables to a page by one file, two accounts, the same bytes again, what isn't there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from deepfactor.core.files import folder_lock
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from support.cli import deepfactor, refused
from support.killed_command import killed
from support.recipe import RIDGE
from support.results import contents

RECIPE = RIDGE.format(name="live")
NIGHTLY = """
market = "market"
run = "runs/live"
out = "desk"

[[accounts]]
name = "csi500"
index = "000905.SH"
constraints = "loose.toml"
cash = 20_000_000

[[accounts]]
name = "monthly"
index = "000905.SH"
constraints = "monthly.toml"
cash = 5_000_000
"""
LOOSE = """
definitions = "study_b"
cash = 0.02
relax_order = ["stock"]

[[constraints]]
kind = "stock_active_weight"
limit = 0.05
"""
#: A Friday after the test.
FRIDAY = "2020-11-06"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    """A folder with a market, a trained run and the desk's settings."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(small_market, folder / "market")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "nightly.toml").write_text(NIGHTLY)
    (folder / "loose.toml").write_text(LOOSE)
    (folder / "monthly.toml").write_text('signal = "month_end"\n' + LOOSE)
    asked = ("run", folder / "recipe.toml", "--market", folder / "market", "--out", folder / "runs", "--workers", 0)
    assert deepfactor(*asked).code == 0
    return folder


def test_an_evening_leaves_drafts_of_every_account_and_a_page(home: Path) -> None:
    ended = deepfactor("nightly", home / "nightly.toml", "--day", FRIDAY, "--json")
    record = ended.json()
    assert (record["day"], record["alarms"], record["failed"]) == (FRIDAY, [], {})
    assert record["monitored"]
    weekly, monthly = record["accounts"]
    assert "no signal day" in monthly["why"]
    assert monthly["rebalance"] is None
    assert Path(weekly["orders"]).name.startswith("draft-")
    assert json.loads((home / "desk" / weekly["rebalance"] / "rebalance.json").read_text())["trades"] > 5
    page = (home / "desk" / record["page"]).read_text()
    assert all(
        word in page for word in ("The evening of 2020-11-06", "收盘后", "To trade", "待交易", "csi500", "monthly")
    )
    assert json.loads((home / "desk" / "evenings" / f"{FRIDAY}.json").read_text()) == record
    before = contents(home / "desk")
    again = deepfactor("nightly", home / "nightly.toml", "--day", FRIDAY)
    assert again.code == 0
    changed = {name for name, value in contents(home / "desk").items() if before.get(name) != value}
    assert changed == {"nightly.log"}


def test_a_release_is_seen_on_the_page_and_in_the_next_evening(home: Path) -> None:
    record = deepfactor("nightly", home / "nightly.toml", "--day", FRIDAY, "--json").json()
    folder = home / "desk" / record["accounts"][0]["rebalance"]
    assert deepfactor("release", folder, "--by", "Lin").code == 0
    record = deepfactor("nightly", home / "nightly.toml", "--day", FRIDAY, "--json").json()
    assert not Path(record["accounts"][0]["orders"]).name.startswith("draft-")
    assert "released by Lin" in (home / "desk" / record["page"]).read_text()
    sheets = openpyxl.load_workbook(home / "desk" / "evenings" / f"{FRIDAY}.xlsx", read_only=True).sheetnames
    assert {"contents", "lights", "trades_csi500", "bounds_csi500"} <= {name.lower() for name in sheets}


@pytest.mark.slow
def test_killed_at_a_write_a_rerun_leaves_the_same_files(home: Path, tmp_path: Path) -> None:
    (home / "whole.toml").write_text(NIGHTLY.replace('out = "desk"', 'out = "whole"'))
    (home / "cut.toml").write_text(NIGHTLY.replace('out = "desk"', 'out = "cut"'))
    ask = ("nightly", home / "whole.toml", "--day", FRIDAY)
    assert killed(home, 0, *ask, points=tmp_path / "points") == 0
    whole, points = left(home / "whole"), (tmp_path / "points").read_text().splitlines()
    assert any("rebalance.json" in point for point in points)
    assert any(f"{FRIDAY}.html" in point for point in points)
    kills = int(os.environ.get("DEEPFACTOR_KILLS", "3"))
    for kill in range(1, len(points) + 1, max(len(points) // kills, 1)):
        shutil.rmtree(home / "cut", ignore_errors=True)
        assert killed(home, kill, "nightly", home / "cut.toml", "--day", FRIDAY) == -9
        finals = [path for path in (home / "cut").rglob("draft-*") if not path.name.endswith(".tmp")]
        assert all(path.read_bytes() == whole[str(path.relative_to(home / "cut"))] for path in finals), points[kill - 1]
        assert deepfactor("nightly", home / "cut.toml", "--day", FRIDAY).code == 0
        assert left(home / "cut") == whole, points[kill - 1]


def left(desk: Path) -> dict[str, bytes]:
    return {name: value for name, value in contents(desk).items() if name != "nightly.log"}


def test_the_page_says_what_the_day_earned_and_by_what(home: Path) -> None:
    """The account holds what it held the evening before: the day's return is that of its stocks, and the parts add."""
    panel = open_panel(home / "market")[0]
    row = int(np.searchsorted(panel.dates, np.datetime64(FRIDAY)))
    held = np.flatnonzero(np.isfinite(panel["close"][row - 1 : row + 1]).all(axis=0))[:20]
    for k in (row - 1, row):
        lines = ["symbol,shares", "CASH,1000000", *(f"{panel.symbols[n]},1000" for n in held)]
        (home / f"held-{panel.dates[k]}.csv").write_text("\n".join(lines) + "\n")
    text = NIGHTLY.replace("cash = 20_000_000", 'holdings = "held-{day}.csv"').replace(
        'out = "desk"', 'out = "earning"'
    )
    (home / "earning.toml").write_text(text)
    record = deepfactor("nightly", home / "earning.toml", "--day", FRIDAY, "--json").json()
    earned = record["accounts"][0]["earned"]
    close = panel["close"][row - 1 : row + 1, held].astype(float)
    gained = 1000 * (close[1] * ratio_of(panel, row)[held] - close[0]).sum() / (1000 * close[0].sum() + 1e6)
    assert earned["held"] == pytest.approx(gained, abs=1e-7)
    parts = sum(earned["styles"].values()) + sum(earned["industries"].values()) + earned["selection"] + earned["cash"]
    assert parts == pytest.approx(earned["held"] - earned["replica"], abs=1e-12)
    plain = 1000 * (close[1] - close[0]).sum() / (1000 * close[0].sum() + 1e6)
    assert earned["book"] == pytest.approx(plain, abs=1e-7)
    assert record["accounts"][1]["earned"] is None
    page = (home / "earning" / record["page"]).read_text()
    assert f"What {FRIDAY} earned, and by what" in page
    assert f"{FRIDAY} 收益及来源" in page
    assert "aren&#39;t known: name a position file an evening, by {day} in its path" in page
    sheets = openpyxl.load_workbook(home / "earning" / "evenings" / f"{FRIDAY}.xlsx", read_only=True).sheetnames
    assert "earned_csi500" in {name.lower() for name in sheets}


def ratio_of(panel: Panel, row: int) -> np.ndarray:
    factor = panel["adj_factor"][row - 1 : row + 1].astype(float)
    return np.asarray(factor[1] / factor[0])


def test_a_wrong_account_keeps_no_other_from_its_evening(home: Path) -> None:
    text = NIGHTLY.replace('name = "csi500"', 'name = "broken"\nholdings = "positions-{day}.csv"', 1)
    text = text.replace('constraints = "monthly.toml"', 'constraints = "loose.toml"').replace(
        'out = "desk"', 'out = "two"'
    )
    (home / "two.toml").write_text(text)
    ended = deepfactor("nightly", home / "two.toml", "--day", FRIDAY)
    assert ended.code == 2
    assert f"positions-{FRIDAY}.csv" in ended.err.splitlines()[-1]
    record = json.loads((home / "two" / "evenings" / f"{FRIDAY}.json").read_text())
    assert list(record["failed"]) == ["broken"]
    assert record["accounts"][1]["orders"] is not None


def test_evenings_that_are_none(home: Path) -> None:
    ask = ("nightly", home / "nightly.toml", "--day")
    assert "no trading day" in deepfactor(*ask, "2020-11-07").out
    before = contents(home / "desk")
    refused(deepfactor(*ask, "2021-01-29"), "2021-01-29", "haven't come")
    assert {n: v for n, v in contents(home / "desk").items() if n != "nightly.log"} == {
        n: v for n, v in before.items() if n != "nightly.log"
    }
    with folder_lock(home / "desk"):
        refused(deepfactor(*ask, FRIDAY), "another process")


@pytest.mark.parametrize(("old", "new", "named"), [
    ('run = "runs/live"', "", "run"), ('name = "monthly"', 'name = "csi500"', "two accounts"),
    ('index = "000905.SH"', 'idx = "000905.SH"', "idx"), ("cash = 20_000_000", "cash = -1", "cash"),
    ('market = "market"', 'market = "nowhere"', "nowhere"),
])  # fmt: skip
def test_wrong_settings_name_their_key(home: Path, old: str, new: str, named: str) -> None:
    (home / "wrong.toml").write_text(NIGHTLY.replace(old, new, 1).replace('out = "desk"', 'out = "never"'))
    refused(deepfactor("nightly", home / "wrong.toml"), named)
