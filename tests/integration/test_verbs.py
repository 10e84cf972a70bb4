"""The verbs beside `run`: test and enhance of any factor, without torch; demo, doctor."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deepfactor import __version__
from deepfactor.pipeline import demo
from deepfactor.pipeline import doctor as examining
from deepfactor.recipe import load_recipe, shipped_recipes
from deepfactor.sources.simulated import Settings
from support.cli import deepfactor, ended, refused, strict_json
from support.results import contents, daily, read

WITHOUT_TORCH = """
import json, sys
from deepfactor.cli.verbs import app

for arguments in json.loads(sys.argv[1]):
    app(arguments, standalone_mode=False)
loaded = sorted(name for name in sys.modules if name.split(".")[0] == "torch")
assert not loaded, f"loaded: {loaded[:3]}"
"""


@pytest.fixture(scope="module")
def factor_verbs(main_job, tmp_path_factory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """`test`, `enhance`, `combine` of the run's arm and of its score file, in one process that must not load torch."""
    out = tmp_path_factory.mktemp("factor_verbs")
    file, run = main_job.run / "arms" / "gru_ic" / "scores.parquet", main_job.run
    arm = ("--arm", "gru_ic")
    test = ("--universe", "all,000905.SH", "--horizon", "10,20")
    enhance = ("--index", "000905.SH", "--constraints", "study_b", "--placebo", 2)
    verbs = {
        "test_run": ("test", run, *arm, *test),
        "test_file": ("test", file, *test, "--language", "zh"),
        "enhance_run": ("enhance", run, *arm, *enhance),
        "enhance_file": ("enhance", file, *enhance, "--language", "zh"),
        "both.parquet": ("combine", file, f"{run}:decomp_gru_ic"),
    }
    more = ("--market", main_job.market, "--json")
    commands = [[str(part) for part in (*verb, *more, "--out", out / name)] for name, verb in verbs.items()]
    result = ended([sys.executable, "-c", WITHOUT_TORCH, json.dumps(commands)], cwd=out)
    assert result.code == 0, result.err
    return out, dict(zip(verbs, map(strict_json, result.out.splitlines()), strict=True))


@pytest.mark.parametrize("which", ["test_run", "test_file"])
def test_test_agrees_with_the_run(main_job, factor_verbs, which):
    out, answers = factor_verbs
    expected = daily(read(main_job.run / "arms" / "gru_ic" / "factor_report.json"), seed=None)
    found = daily(answers[which])
    assert found.keys() == {key for key in expected if key[0] in ("all", "000905.SH") and key[2] in (10, 20)}
    for key, mean in found.items():
        assert mean == expected[key], key
    name = {"test_run": "gru_ic", "test_file": "scores"}[which]
    place = out / which
    rows = answers[which].pop("rows")
    assert rows["matched"] == rows["file"]
    assert answers[which].pop("failures") == []
    assert read(place / "arms" / name / "factor_report.json") == {**answers[which], "seed_spread": None}
    assert {"report.html", "report.json", "environment.json"} <= {p.name for p in place.iterdir()}


@pytest.mark.parametrize(("kind", "tag"), [("run", "en"), ("file", "zh-CN")])
def test_pages_open_in_the_language_asked_for(factor_verbs, kind, tag):
    out, _ = factor_verbs
    for verb in ("test", "enhance"):
        assert f'<html lang="{tag}"' in (out / f"{verb}_{kind}" / "report.html").read_text()[:1000]


@pytest.mark.parametrize("which", ["enhance_run", "enhance_file"])
def test_enhance_agrees_with_the_run(main_job, factor_verbs, which):
    out, answers = factor_verbs
    expected = main_job.run / "portfolio" / "gru_ic" / "000905.SH" / "study_b"
    answers[which].pop("rows")
    assert answers[which].pop("placebo") == read(expected / "placebo.json")
    assert answers[which].pop("failures") == []
    assert answers[which] == read(expected / "summary.json")
    (place,) = (out / which / "portfolio").glob("*/000905.SH/study_b")
    known = {name: value for name, value in contents(expected).items() if name != "seeds.json"}  # a file has no seeds
    assert contents(place) == known
    assert [p["index"] for p in read(out / which / "report.json")["portfolios"]] == ["000905.SH"]


@pytest.mark.slow
def test_what_if_prints_and_writes_what_changes(main_job, tmp_path):
    file = main_job.run / "arms" / "gru_ic" / "scores.parquet"
    asked = ("max_active_weight=0.01", "turnover=off")
    what_if = [part for text in asked for part in ("--what-if", text)]
    more = ("--market", main_job.market, "--index", "000905.SH", "--out", tmp_path / "out")
    result = deepfactor("enhance", file, *more, *what_if)
    assert result.code == 0, result.err
    rows, band, head, *_ = result.out.splitlines()
    assert rows.startswith("rows: ")
    assert "random" in band
    assert head.split() == ["base", *asked]
    (place,) = (tmp_path / "out" / "portfolio").glob("*/000905.SH/study_b")
    scenarios = read(place / "what_if.json")["scenarios"]
    assert [one["setting"] for one in scenarios] == ["base", *asked]
    base, looser, free = (one["same_books"]["objective"] for one in scenarios)
    assert looser > base
    assert free >= base
    assert scenarios[0]["backtest"]["excess"] == read(place / "summary.json")["all"]["excess"]


@pytest.mark.slow
def test_a_factor_of_others_as_csv(main_job, tmp_path):
    scores = pl.read_parquet(main_job.run / "arms" / "gru_ic" / "scores.parquet")
    stranger = scores.with_columns(score=-pl.col("score")).sample(fraction=1, shuffle=True, seed=0)
    pl.concat([stranger, stranger[:3].with_columns(symbol=pl.lit("999999.SH"))[:1]]).write_csv(tmp_path / "mine.csv")
    result = deepfactor(
        *("test", tmp_path / "mine.csv", "--market", main_job.market, "--out", tmp_path / "out"),
        *("--universe", "all", "--horizon", "10", "--json"),
    )
    report = result.json()
    assert report["factor"] == "mine"
    assert report["dropped"]["symbol not in market"] == 1
    run = daily(read(main_job.run / "arms" / "gru_ic" / "factor_report.json"), universe="all", horizon=10, seed=None)
    for key, mean in daily(report).items():
        assert mean == pytest.approx(-run[key], rel=1e-9)


@pytest.mark.slow
def test_people_get_a_table(main_job, tmp_path):
    count = pl.read_parquet(main_job.run / "arms" / "gru_ic" / "scores.parquet").height
    result = deepfactor(
        *("test", main_job.run, "--arm", "gru_ic", "--market", main_job.market, "--out", tmp_path / "out"),
        *("--universe", "all", "--horizon", "10"),
    )
    assert result.code == 0
    rows, head, row, page = result.out.splitlines()
    assert rows == f"rows: {count:,} in the file, {count:,} matched"
    assert head.split() == ["universe", "days", "RankIC", "ICIR", "t", "win"]
    expected = daily(read(main_job.run / "arms" / "gru_ic" / "factor_report.json"), seed=None)
    assert row.split()[:3] == ["all", "10", f"{expected['all', 't1_close', 10, None]:.4f}"]
    assert page == f"report: {tmp_path / 'out' / 'report.html'}"


@pytest.mark.slow
def test_demo_answers_in_five_lines_and_a_file(main_job, tmp_path, monkeypatch):
    """What is printed and written, on a market and jobs that lie there already, of a smaller recipe."""
    settings = Settings(stocks=110, start=date(2018, 1, 2), end=date(2020, 12, 31))
    monkeypatch.setattr(demo, "Settings", lambda: settings)
    monkeypatch.setattr(demo, "load_recipe", lambda name: load_recipe(str(main_job.recipe)))
    out = tmp_path / "demo"
    shutil.copytree(main_job.market.parent, out)
    shutil.copytree(main_job.runs / "jobs", out / "runs" / "jobs")
    result = deepfactor("demo", "--out", out, "--workers", 0)
    assert result.code == 0, result.err
    assert "simulated" not in result.err
    assert result.err.count("was done before") == 4
    content = read(out / "demo.json")
    assert content.keys() == {"seconds", "report", "rank_ic", "enhanced"}
    assert content["report"] == str(out / "runs" / "small" / "report.html")
    rank_ic, enhanced = content["rank_ic"], content["enhanced"]
    arms = {"gru": "gru_ic", "decomp_gru": "decomp_gru_ic"}
    for kind, arm in arms.items():
        report = read(main_job.run / "arms" / arm / "factor_report.json")
        assert rank_ic[kind] == daily(report, seed=None)["all", "t1_close", 10, None]
    assert rank_ic["oracle"] == daily(read(main_job.run / "oracle.json"))["all", "t1_close", 10, None]
    summary = read(main_job.run / "portfolio" / "gru_ic" / "000905.SH" / "study_b" / "summary.json")["all"]
    assert enhanced == {"annual_excess_net": summary["excess"], "tracking_error": summary["tracking_error"]}
    page, *lines = result.out.splitlines()
    assert page == f"report: {content['report']}"
    numbers = [f"{rank_ic[name]:.4f}" for name in ("gru", "decomp_gru", "oracle")]
    numbers += [f"{enhanced['annual_excess_net']:+.2%} a year", f"{enhanced['tracking_error']:.2%}"]
    assert all(f" {number}" in line for line, number in zip(lines[:5], numbers, strict=True)), lines
    assert lines[5] == ""  # then a verdict and what to do next
    assert len(lines) == 8
    assert lines[3].endswith(f"{numbers[3]}, annualised ratio of NAVs, 252 trading days a year")


def test_doctor_says_what_is_here():
    found = deepfactor("doctor", "--json").json()
    assert {"versions", "machine", "torch", "kernels", "environment", "optional"} <= found.keys()
    assert found["torch"]["device"] == "cpu"
    assert deepfactor("doctor").out.count("\n") > 15
    assert {"sql", "excel", "vendors", "dbf"} <= found["optional"].keys()
    assert all(state.startswith(("ready", "absent: ")) for state in found["optional"].values())


def test_an_extra_that_is_absent_is_named_with_its_use(monkeypatch):
    monkeypatch.setattr(examining, "_installed", lambda name: name != "duckdb")
    state = deepfactor("doctor", "--json").json()["optional"]["sql"]
    assert state.startswith("absent: duckdb (source sql")
    assert "pip install 'deepfactor[sql]'" in state


def test_recipes_are_listed_shown_and_begun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = deepfactor("recipe", "list", "--json").json()["recipes"]
    assert [one["name"] for one in listed] == shipped_recipes()
    assert all(one["title_zh"] and not one["title_zh"].isascii() for one in listed)
    assert "研报B" in deepfactor("recipe", "list").out
    shown = deepfactor("recipe", "show", "study_b").out
    assert shown.startswith("# Study B as published")
    made = deepfactor("recipe", "new", "mine.toml", "--like", "study_b_reduced", "--json").json()
    assert (made["name"], made["arms"]) == ("mine", list(load_recipe("study_b_reduced").scored))
    own, like = load_recipe("mine.toml"), load_recipe("study_b_reduced")
    assert own.model_copy(update={"name": like.name}) == like
    refused(deepfactor("recipe", "new", "mine.toml"), "mine.toml", "already")
    refused(deepfactor("recipe", "new", "demo.toml"), "demo", "shipped")
    refused(deepfactor("recipe", "new", "a b.toml"), "letters")
    refused(deepfactor("recipe", "show"), "which")
    refused(deepfactor("recipe", "show", "study_c"), "study_c", "study_b")


def test_version():
    assert deepfactor("--version").out == f"{__version__}\n"
