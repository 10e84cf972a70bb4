"""The ledger of trials: every test and backtest once, by content; deflated ratios in JSON, on the page, in the verb."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepfactor.evaluation.deflated import ReturnMoments, deflated_sharpe
from deepfactor.panel.build import open_panel
from deepfactor.panel.scores import Scores
from deepfactor.runs.factors import write_scores
from deepfactor.store.trials import LOG, read_trials
from support.cli import deepfactor, refused

pytestmark = pytest.mark.slow

INDEX = "000905.SH"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    folder = tmp_path_factory.mktemp("trials")
    shutil.copytree(small_market, folder / "market", ignore=shutil.ignore_patterns("placebo", "trials.jsonl"))
    panel, _ = open_panel(folder / "market")
    for seed in (1, 2):
        values = np.random.default_rng(seed).standard_normal(panel.shape)
        write_scores(folder / f"f{seed}.parquet", Scores(f"f{seed}", panel.dates, panel.symbols, values))
    return folder


def enhance(home: Path, factor: str, *more: object) -> dict[str, Any]:
    asked = ("enhance", home / factor, "--market", home / "market", "--index", INDEX, "--out", home / "out")
    return deepfactor(*asked, "--start", "2020-07-01", "--placebo", 0, "--json", *more).json()


def keys(home: Path) -> list[str]:
    return [one["key"] for one in read_trials(home / "market")[0]]


def test_the_same_again_is_no_new_trial_and_another_is(home: Path) -> None:
    enhance(home, "f1.parquet")
    first = keys(home)
    assert len(first) == 1
    before = (home / "market" / LOG).read_bytes()
    enhance(home, "f1.parquet")
    renamed = home / "other_name.parquet"
    shutil.copy(home / "f1.parquet", renamed)
    enhance(home, renamed.name)
    assert (home / "market" / LOG).read_bytes() == before
    enhance(home, "f2.parquet")
    enhance(home, "f1.parquet", "--constraints", "study_a")
    enhance(home, "f1.parquet", "--what-if", "max_active_weight=0.02")
    assert keys(home)[:1] == first
    assert len(keys(home)) == len(set(keys(home))) == 4


def test_what_is_judged_stands_by_the_ledger(home: Path) -> None:
    enhance(home, "f2.parquet")
    (judged,) = json.loads((home / "out" / "trials.json").read_text())
    trials, unreadable = read_trials(home / "market")
    own = next(one for one in trials if one["key"] == judged["key"])
    same = [one for one in trials if (one["kind"], one["place"]) == ("enhanced", INDEX)]
    assert (judged["trials"], unreadable) == (len(same), 0)
    moments = ReturnMoments(own["sharpe"], own["skew"], own["kurtosis"], own["days"])
    variance = float(np.var([one["sharpe"] for one in same], ddof=1))
    assert judged["deflated"] == pytest.approx(deflated_sharpe(moments, len(same), variance))
    nav = pl.read_parquet(home / "out" / "portfolio" / "f2" / INDEX / "study_b" / "nav.parquet")
    daily = nav["nav"].pct_change() - nav["benchmark_nav"].pct_change()
    assert judged["sharpe"] == pytest.approx(daily.mean() / daily.std() * 252**0.5)
    assert "Deflated" in (home / "out" / "report.html").read_text()


def test_a_test_notes_its_top_groups(home: Path) -> None:
    before = len(keys(home))
    asked = ("test", home / "f1.parquet", "--market", home / "market", "--universe", "all,csi500", "--horizon", 5)
    for _ in range(2):
        assert deepfactor(*asked, "--out", home / "tested").code == 0
    assert len(keys(home)) == before + 2
    judged = json.loads((home / "tested" / "trials.json").read_text())
    assert [(one["kind"], one["place"]) for one in judged] == [("top", "all"), ("top", INDEX)]


def test_the_verb_and_a_torn_line(home: Path) -> None:
    state = deepfactor("trials", home / "market", "--json").json()
    assert state["trials"] == len(keys(home))
    span = next(one for one in state["spans"] if one["kind"] == "enhanced")
    assert span["best"]["sharpe"] == pytest.approx(
        max(one["sharpe"] for one in state["all"] if one["kind"] == "enhanced") * 252**0.5
    )
    log = home / "market" / LOG
    log.write_bytes(log.read_bytes()[:-30])
    torn = deepfactor("trials", home / "market", "--all")
    assert "1 lines can't be read" in torn.out
    assert torn.out.count("Sharpe ") >= state["trials"] - 1
    refused(deepfactor("trials", home), "no market folder")


def test_a_ledger_that_cannot_be_written_is_said_and_ends_nothing(home: Path) -> None:
    """A folder in its place: root, too, can't write there."""
    log = home / "market" / LOG
    kept = log.rename(log.with_suffix(".kept"))
    log.mkdir()
    asked = ("enhance", home / "f1.parquet", "--market", home / "market", "--index", INDEX, "--out", home / "unnoted")
    try:
        ended = deepfactor(*asked, "--start", "2020-07-01", "--placebo", 0, "--constraints", "study_b_tight")
    finally:
        log.rmdir()
        kept.rename(log)
    assert ended.code == 0, ended.err
    assert "not noted in" in ended.err
    assert "not judged by" in ended.err
    assert next((home / "unnoted").rglob("summary.json")).is_file()
