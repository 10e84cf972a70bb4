"""A market with a locked holdout is, at every door, the market that ends the day before; the desk sees it whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.markets import open_market
from deepfactor.runs.factors import write_scores
from deepfactor.store.holdout import LOG
from support.cli import deepfactor, refused
from support.recipe import RIDGE

START = "2020-07-01"
PORTFOLIO = """
[[portfolios]]
index = "000905.SH"
constraints = "study_b"
"""
RECIPE = RIDGE.format(name="locked").replace("portfolios = []\n", "") + PORTFOLIO


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    """A market locked from `START` on, a run over it, a factor file of all its days."""
    folder = tmp_path_factory.mktemp("locked")
    shutil.copytree(small_market, folder / "market")
    factor_of(folder / "factor.parquet", folder / "market")
    asked = ("--from", START, "--why", "chosen by what lies before", "--json")
    said = deepfactor("holdout", folder / "market", *asked).json()
    assert (said["start"], said["openings"]) == (START, 0)
    (folder / "recipe.toml").write_text(RECIPE)
    asked = ("run", folder / "recipe.toml", "--market", folder / "market", "--out", folder / "runs", "--workers", 0)
    ended = deepfactor(*asked)
    assert ended.code == 0, ended.err
    return folder


def factor_of(path: Path, market: Path) -> None:
    panel, _ = open_panel(market, live=True)
    values = np.random.default_rng(0).standard_normal(panel.shape)
    write_scores(path, Scores("factor", panel.dates, panel.symbols, values))


def openings(home: Path) -> list[str]:
    lines = (home / "market" / LOG).read_text().splitlines()
    return [json.loads(line)["what"] for line in lines if json.loads(line)["event"] == "opened"]


def last(path: Path) -> str:
    return str(pl.read_parquet(path)["date"].max())


def test_the_arrays_end_before_it_and_go_by_another_name(home: Path) -> None:
    whole, locked = open_market(home / "market", live=True), open_market(home / "market")
    rows = len(locked.panel.dates)
    assert str(locked.panel.dates[-1]) < START <= str(whole.panel.dates[rows])
    for name, field in locked.panel.fields.items():
        assert np.array_equal(field, whole.panel.fields[name][:rows], equal_nan=True)
    assert np.array_equal(locked.universe.traded, whole.universe.traded[:rows])
    assert locked.fingerprint != whole.fingerprint == whole.folder.fingerprint
    assert locked.panel.fingerprint != whole.panel.fingerprint


def test_run(home: Path) -> None:
    run = home / "runs" / "locked"
    arm, place = run / "arms" / "ridge", next((run / "portfolio").rglob("nav.parquet")).parent
    for file in (arm / "scores.parquet", arm / "ic_series.parquet", place / "nav.parquet"):
        assert last(file) < START, file
    environment = json.loads((run / "environment.json").read_text())
    assert environment["market"]["holdout"]["start"] == START
    assert environment["market"]["span"][1] < START
    judged = json.loads((run / "trials.json").read_text())
    assert [(one["kind"], one["factor"], one["place"]) for one in judged] == [("enhanced", "ridge", "000905.SH")]
    page = (run / "report.html").read_text()
    assert "locked holdout" in page
    assert "锁定的留存期" in page


def test_a_plan_within_it_is_refused(home: Path) -> None:
    setting = ("--set", "plan.first_test=2020-08-01")
    asked = ("run", home / "recipe.toml", "--market", home / "market", "--out", home / "other", *setting)
    ended = deepfactor(*asked)
    assert ended.code == 2
    assert f"days from {START} on are a locked holdout" in ended.err


@pytest.mark.slow
def test_test_and_enhance(home: Path, tmp_path: Path) -> None:
    market = ("--market", home / "market")
    tested = deepfactor("test", home / "factor.parquet", *market, "--out", tmp_path / "tested", "--json").json()
    assert tested["rows"]["dropped"]["in the market's locked holdout"] > 5000
    assert last(tmp_path / "tested" / "arms" / "factor" / "ic_series.parquet") < START
    index = ("--index", "csi500")
    enhanced = deepfactor("enhance", home / "factor.parquet", *market, *index, "--out", tmp_path / "enhanced", "--json")
    assert enhanced.code == 0, enhanced.err
    nav = next((tmp_path / "enhanced").rglob("nav.parquet"))
    assert last(nav) < START


def test_a_factor_of_locked_days_alone_is_refused(home: Path, tmp_path: Path) -> None:
    late = pl.read_parquet(home / "factor.parquet").filter(pl.col("date") >= pl.lit(START).str.to_date())
    late.write_parquet(tmp_path / "late.parquet")
    for verb, more in (("test", ()), ("enhance", ("--index", "csi500"))):
        asked = (verb, tmp_path / "late.parquet", "--market", home / "market", "--out", tmp_path / "out", *more)
        ended = deepfactor(*asked)
        assert ended.code == 2
        assert "in the market's locked holdout" in ended.err
        assert "--open-holdout" in ended.err


def test_combine(home: Path, tmp_path: Path) -> None:
    factors = (home / "factor.parquet", home / "runs" / "locked")
    ended = deepfactor("combine", *factors, "--market", home / "market", "--out", tmp_path / "both.parquet")
    assert ended.code == 0, ended.err
    assert last(tmp_path / "both.parquet") < START


@pytest.mark.slow
def test_check_shows_no_locked_day_but_audits_all_tables(home: Path) -> None:
    audited = deepfactor("check", home / "market", "--json").json()
    assert audited["account"]["span"][1] < START
    whole = deepfactor("check", home / "market", "--open-holdout", "--json").json()
    assert whole["account"]["span"][1] == "2020-12-31"
    year = audited["years"].index(2020)
    for index, replica in audited["replicas"].items():
        assert replica["index_return"][:year] == whole["replicas"][index]["index_return"][:year]
        assert replica["index_return"][year] != whole["replicas"][index]["index_return"][year]


@pytest.mark.slow
def test_opened_on_record_and_said_in_the_result(home: Path, tmp_path: Path) -> None:
    before = openings(home)
    asked = ("test", home / "factor.parquet", "--market", home / "market", "--out", tmp_path / "opened")
    ended = deepfactor(*asked, "--open-holdout")
    assert ended.code == 0, ended.err
    after = openings(home)
    assert len(after) == len(before) + 1
    assert after[: len(before)] == before
    assert after[-1].startswith("deepfactor test ")
    assert last(tmp_path / "opened" / "arms" / "factor" / "ic_series.parquet") > START
    environment = json.loads((tmp_path / "opened" / "environment.json").read_text())
    assert environment["market"]["holdout"]["opened"] == len(after)
    page = (tmp_path / "opened" / "report.html").read_text()
    assert "was opened for this" in page
    assert "第" in page
    compared = tmp_path / "compared"
    assert deepfactor("compare", home / "runs" / "locked", tmp_path / "opened", "--out", compared).code == 0
    shown = (compared / "report.html").read_text()
    assert "was opened for this" in shown
    assert "Runs differ in their market data" in shown


@pytest.mark.slow
def test_an_opened_run_shows_nothing_of_it_once_it_is_closed(home: Path, tmp_path: Path) -> None:
    """The same command without --open-holdout makes its results again, of the days before."""
    shutil.copytree(home / "runs", tmp_path / "runs")
    asked = ("run", home / "recipe.toml", "--market", home / "market", "--out", tmp_path / "runs", "--workers", 0)
    scores = tmp_path / "runs" / "locked" / "arms" / "ridge" / "scores.parquet"
    closed = scores.read_bytes()
    assert deepfactor(*asked, "--open-holdout").code == 0
    assert last(scores) == "2020-10-30"
    assert deepfactor(*asked).code == 0
    assert scores.read_bytes() == closed
    assert last(next((tmp_path / "runs").rglob("nav.parquet"))) < START


@pytest.mark.slow
def test_the_desk_goes_on(home: Path, tmp_path: Path) -> None:
    """Today is scored, watched and decided on; a day whose outcome is known isn't scored unless on record."""
    run = tmp_path / "runs" / "locked"
    shutil.copytree(home / "runs", tmp_path / "runs")
    market = ("--market", home / "market")
    before = openings(home)
    today: dict[str, Any] = deepfactor("score", run, *market, "--json").json()
    assert [one["date"] for one in today["scores"]] == ["2020-12-31"]
    assert today["scores"][0]["trained_until"] < START
    decided = deepfactor(
        "rebalance", run, *market, "--out", tmp_path / "desk", "--index", "csi500", "--cash", 1e7, "--json"
    )
    assert decided.json()["date"] == "2020-12-31"
    watched = deepfactor("monitor", run, *market, "--json")
    assert watched.code in (0, 4), watched.err
    assert openings(home) == before
    refused(deepfactor("score", run, *market, "--day", "2020-08-03"), "locked holdout", "--open-holdout")
    opened = deepfactor("score", run, *market, "--day", "2020-08-03", "--open-holdout", "--json").json()
    assert [one["date"] for one in opened["scores"]] == ["2020-08-03"]
    assert len(openings(home)) == len(before) + 1


def test_the_verb_says_what_is_locked_and_frees_no_day_in_silence(home: Path) -> None:
    market = home / "market"
    state = deepfactor("holdout", market, "--json").json()
    assert state["start"] == START
    assert 0 < state["locked_days"] < state["days"]
    assert state["log"][0]["what"] == "chosen by what lies before"
    for words in (("--from", "2020-10-01"), ("--remove",)):
        refused(deepfactor("holdout", market, *words), START, "--open-holdout")
    refused(deepfactor("holdout", market, "--from", "2018-01-02"), "nothing would be left")
    shown = deepfactor("holdout", market)
    assert f"locked from {START} on" in shown.out
