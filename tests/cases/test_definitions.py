"""By whose definition a portfolio's excess is counted is said everywhere; a book of cash is no result."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, bars, write, write_membership
from support.cli import deepfactor, refused

pytestmark = pytest.mark.usefixtures("styles_once")

OWN = """
relax_order = ["turnover", "style", "industry", "constituents", "stock"]
[[constraints]]
kind = "stock_active_weight"
limit = 0.05
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A market of twelve stocks over a year and a mild reversal on it."""
    folder = tmp_path_factory.mktemp("definitions")
    frame = bars(n=180)
    mapping = write(folder / "data", frame, DAILY + MEMBERSHIP)
    write_membership(folder / "data", sorted(frame["date"].unique()))
    assert deepfactor("ingest", mapping, folder / "M", "--folder", folder / "data").code == 0
    change = pl.col("close") / pl.col("close").shift(10).over("symbol")
    frame.select("date", "symbol", score=1 - change).drop_nulls().write_parquet(folder / "f.parquet")
    (folder / "study_a.toml").write_text(OWN)
    (folder / "mine.toml").write_text('name = "calm and small"\ndefinitions = "study_a"\n' + OWN)
    return folder


def enhance(place: Path, out: str, *more: object):
    given = ("enhance", place / "f.parquet", "--market", place / "M", "--index", INDEX, "--out", place / out)
    ended = deepfactor(*given, *more)
    assert ended.code == 0, ended.err
    (path,) = (place / out).rglob("summary.json")
    return (
        json.loads(path.read_text(encoding="utf-8")),
        ended,
        (place / out / "report.html").read_text(encoding="utf-8"),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constraints", "study", "preset"),
    [
        ("study_a", "study_a", "study_a"),
        ("study_a_all_market", "study_a", "study_a_all_market"),
        ("study_b", "study_b", "study_b"),
        ("mine.toml", "study_a", None),
    ],
)
def test_a_constraint_set_s_own_definitions_count(place, constraints, study, preset):
    given = place / constraints if constraints.endswith("toml") else constraints
    summary, ended, page = enhance(place, f"out_{constraints}", "--constraints", given)
    assert (summary["definition"], summary["definition_stated"], summary["preset"]) == (study, True, preset)
    assert summary["all"]["excess"] == summary["definitions"][study]["replica"]["all"]["excess"]
    other = {"study_a": "study_b", "study_b": "study_a"}[study]
    assert summary["all"]["excess"] != summary["definitions"][other]["replica"]["all"]["excess"]
    said = {"study_a": "difference of annualised returns, calendar time", "study_b": "annualised ratio of NAVs, 252"}
    named = {"study_a": "Study A", "study_b": "Study B"}[study]
    assert f"excess by {named}&#39;s definition" in page.replace("Excess by", "excess by")
    assert said[study] in page
    assert f"excess by {named}'s definition: {said[study]}" in ended.err
    assert "the default" not in ended.err
    assert summary["constraints"] == (preset or "calm and small")
    assert f"CSI 500 · {preset or 'calm and small'}" in page  # a set goes by its own name


@pytest.mark.slow
def test_a_file_that_states_none_gets_the_default_and_says_so_whatever_it_is_called(place):
    summary, ended, page = enhance(place, "unstated", "--constraints", place / "study_a.toml", "--what-if", "cash=0.02")
    assert (summary["definition"], summary["definition_stated"], summary["preset"]) == ("study_b", False, None)
    assert "excess by Study B's definition, the default: the constraint set states no definitions" in ended.err
    assert "(the default: the constraint set states no definitions)" in page
    assert "约束集未注明" in page
    (what_if,) = (place / "unstated").rglob("what_if.json")
    content = json.loads(what_if.read_text(encoding="utf-8"))
    assert content["definition"] == "study_b"
    assert "excess: annualised ratio of NAVs, 252 trading days a year" in ended.out  # below the table of scenarios
    assert content["scenarios"][0]["backtest"]["excess"] == summary["all"]["excess"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('signal = "weekly"', "signal: 'weekly'"),
        ('signal = "every:0"', "signal: 'every:0'"),
        ("signal = [2020-01-03, 2020-01-02]", "signal: days must ascend"),
        ('indices = ["000300.SH"]', "indices: no longer a setting"),
        ('exclude = ["st", "limit_locked"]', "such names are never traded"),
        ('definitions = "mine"', "definitions: "),
    ],
)
def test_settings_that_nothing_reads_are_refused(place, line, says):
    (place / "old.toml").write_text(line + "\n" + OWN)
    given = ("enhance", place / "f.parquet", "--market", place / "M", "--index", INDEX, "--out", place / "old")
    refused(deepfactor(*given, "--constraints", place / "old.toml"), says)
    assert not (place / "old").exists()


@pytest.mark.slow
def test_a_book_of_cash_warns_on_the_terminal_the_page_and_in_the_summary(place):
    """1,000 CNY buy no lot of any of these stocks: the excess is that of cash over a falling index."""
    summary, ended, page = enhance(place, "tiny", "--capital", 1000)
    assert summary["invested"]["mean"] == 0.0
    assert summary["invested"]["target"] == pytest.approx(0.995, abs=0.01)
    (warning,) = summary["warnings"]
    assert "0.0% of the book was invested on average" in warning
    assert "WARNING: 0.0% of the book was invested" in ended.err
    assert "its excess is largely that of cash" in page
    assert "其超额主要来自现金" in page
    assert deepfactor(
        "enhance", place / "f.parquet", "--market", place / "M", "--index", INDEX, "--out", place / "j",
        "--capital", 1000, "--json",
    ).json()["warnings"] == [warning]  # fmt: skip


def test_a_book_that_is_invested_is_not_warned_of(place):
    summary, ended, _ = enhance(place, "whole")
    assert summary["invested"]["mean"] > 0.98
    assert summary["warnings"] == []
    assert "WARNING" not in ended.err


@pytest.mark.slow
def test_a_book_half_in_cash_warns(place):
    """Where a lot is a large part of a target weight, rounding down leaves much of it in cash."""
    summary, *_ = enhance(place, "small", "--capital", 15000)
    assert 0.05 < summary["invested"]["mean"] < 0.9
    assert len(summary["warnings"]) == 1
    assert len(CODES) == 12
