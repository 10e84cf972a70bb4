"""What the user can mend ends in exit code 2 and one line that says where, without a traceback."""

from __future__ import annotations

import errno
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from support.cli import deepfactor, misused, refused
from support.recipe import RECIPE

# recipes: text replaced in the small recipe, and what the message names

BAD_RECIPES = {
    "unknown key": ("epochs = 2", "epoks = 2", ("fit.epoks", "given: 2")),
    "unknown table": ("[plan]", "[plam]\nx = 1\n[plan]", ("plam",)),
    "missing key": ("first_test = 2020\n", "", ("plan.first_test", "required")),
    "wrong type": ("epochs = 2", "epochs = 'many'", ("fit.epochs", "'many'")),
    "out of range": ("epochs = 2", "epochs = 0", ("fit.epochs", "given: 0")),
    "bad name": ('name = "small"', 'name = "a/b"', ("name", "'a/b'")),
    "name of the job store": ('name = "small"', 'name = "jobs"', ("name", "'jobs'")),
    "unknown model": ('kind = "gru"', 'kind = "grue"', ("arms.0.model.kind", "'grue'", "decomp_gru")),
    "unknown model setting": ('"gru", hidden', '"gru", hiden', ("arms.0.model.hiden",)),
    "unknown loss": (
        'loss = { kind = "ic" }',
        'loss = { kind = "mse" }',
        ("arms.1.loss.kind", "'mse'", "weighted_mse"),
    ),
    "unknown loss setting": ('loss = { kind = "ic" }', 'loss = { kind = "ic", tau = 1 }', ("arms.1.loss.tau",)),
    "unknown scaling": ('loss = { kind = "ic" }', 'scaling = "z"', ("arms.1.scaling", "'z'")),
    "unknown label": ("[plan]", '[label]\nkind = "raw"\n[plan]', ("label.kind", "'raw'", "neutral_return")),
    "unknown label setting": ("[plan]", '[label]\nkind = "neutral_return"\nhorizon = 0\n[plan]', ("label.horizon",)),
    "unknown styles": ("[plan]", '[styles]\nkind = "barra"\n[plan]', ("styles.kind", "'barra'", "basic")),
    "code from outside": (
        'kind = "gru"',
        'kind = "mylab:my_gru"',
        ("arms.0.model.kind", "'mylab:my_gru'", "--allow-code"),
    ),
    "arms with one name": ('name = "decomp_gru_ic"', 'name = "gru_ic"', ("arms", "two arms", "gru_ic")),
    "unknown arm": ('arms = ["gru_ic"]', 'arms = ["gru"]', ("portfolios.0.arms", "'gru'", "gru_ic, decomp_gru_ic")),
    "unknown constraints": (
        '"study_b"\narms',
        '"study_c"\narms',
        ("portfolios.0.constraints", "'study_c'", "study_a, study_a_all_market, study_b"),
    ),
    "the same portfolio twice": (
        "[[portfolios]]",
        '[[portfolios]]\nindex = "000905.SH"\n[[portfolios]]',
        ("portfolios.1", "gru_ic/000905.SH/study_b"),
    ),
    "unknown index": ('"000905.SH"', '"000016.SH"', ("portfolios.0.index", "'000016.SH'", "000300.SH, 000852.SH")),
    "unknown test universe": (
        "[[portfolios]]",
        '[test]\nuniverses = ["all", "000016.SH"]\n[[portfolios]]',
        ("'000016.SH'", "000300.SH"),
    ),
    "unknown published numbers": (
        '"study_b/gru_ic"',
        '"study_c/x"',
        ("arms.0.published", "'study_c/x'", "study_b/gru_ic"),
    ),
    "market too short": ("train_years = 1", "train_years = 5", ("plan.first_test", "2014-01-01", "2018-01-02")),
    "test year after the market": ("= 2020", "= 2021", ("plan.first_test", "2021-01-01", "2020-12-31")),
}


@pytest.mark.parametrize("case", BAD_RECIPES)
def test_a_bad_recipe(case, small_market, tmp_path):
    old, new, named = BAD_RECIPES[case]
    assert RECIPE.count(old) == 1, "the case must change the recipe in one place"
    (tmp_path / "bad.toml").write_text(RECIPE.replace(old, new))
    out = tmp_path / "runs"
    refused(deepfactor("run", tmp_path / "bad.toml", "--market", small_market, "--out", out, "--workers", 0), *named)
    assert not out.exists(), "refused before anything was written"


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("no_such_recipe", None, ("'no_such_recipe'", "demo, desk_demo, long_only, study_a, study_a_reduced, study_b")),
        ("gone.toml", None, ("gone.toml",)),
        ("text.toml", b"name = \n", ("text.toml", "line 1")),
        ("bytes.toml", b"name = '\xff\xfe'", ("bytes.toml", "UTF-8")),
        ("folder.toml", "folder", ("folder.toml",)),
    ],
)
def test_no_recipe(name, content, named, small_market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content == "folder":
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content)
    refused(deepfactor("run", name, "--market", small_market), *named)


SETTINGS = {
    "fit.epochs": ("'fit.epochs'", "no '='"),
    "=12": ("'=12'", "no key"),
    "fit..epochs=1": ("no key",),
    "fit.epochs=abc": ("fit.epochs", "'abc'"),
    "fit.epoks=1": ("fit.epoks",),
    "name.x=1": ("name.x", "'small'", "no table"),
    "name.x.y=1": ("name.x.y", "no table"),
    "arms.2.name=x": ("arms.2.name", "'2'", "list of 2"),
    "arms.first.name=x": ("arms.first.name", "'first'"),
    "portfolios.0=x": ("portfolios.0", "'x'"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_bad_override(setting, small_market, tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    refused(deepfactor("run", tmp_path / "small.toml", "--market", small_market, "--set", setting), *SETTINGS[setting])


def test_a_refused_run_leaves_the_earlier_one_alone(main_job, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in main_job.runs.rglob("*")}
    more = ("--market", main_job.market, "--out", main_job.runs, "--set", "plan.train_years=9")
    refused(deepfactor("run", main_job.recipe, *more), "plan.first_test")
    assert {path: path.stat().st_mtime_ns for path in main_job.runs.rglob("*")} == before


# markets


@pytest.mark.parametrize("verb", ["run", "test", "enhance"])
def test_no_market(verb, main_job, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    what = main_job.recipe if verb == "run" else main_job.run
    more = ("--index", "000905.SH") if verb == "enhance" else ()
    for name, why in (("gone", "does not exist"), ("other", "manifest.json")):
        result = deepfactor(verb, what, "--market", tmp_path / name, "--out", tmp_path / "out", *more)
        refused(result, str(tmp_path / name), why, "deepfactor simulate")
    assert not (tmp_path / "out").exists()


def test_a_broken_market(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    refused(deepfactor("run", "demo", "--market", tmp_path), "manifest.json")


def test_simulate_refuses(tmp_path):
    market = tmp_path / "market"
    misused(deepfactor("simulate", market, "--start", "yesterday"), "--start", "yesterday")
    misused(deepfactor("simulate", market, "--start", "2020-02-30"), "--start", "2020-02-30")
    refused(deepfactor("simulate", market, "--start", "2020-01-02", "--end", "2019-01-02"), "simulate", "start and end")
    refused(deepfactor("simulate", market, "--start", "1990-01-02"), "2010-01-01")
    refused(deepfactor("simulate", market, "--stocks", 5), "simulate.stocks", "50")
    refused(deepfactor("simulate", market, "--only", "trend,magic"), "magic", "reversal, trend, divergence")
    assert not market.exists()
    (tmp_path / "notes.txt").write_text("mine")
    small = ("--stocks", 50, "--start", "2020-01-02", "--end", "2020-01-31")
    refused(deepfactor("simulate", tmp_path, *small), str(tmp_path), "notes.txt")
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["notes.txt"]


def test_ingest_refuses(tmp_path):
    market, empty = tmp_path / "market", tmp_path / "empty"
    empty.mkdir()
    refused(deepfactor("ingest", "ashare_parquet", market, "--folder", tmp_path / "gone"), "--folder", "gone")
    refused(deepfactor("ingest", "ashare_parquet", market), "--folder")
    refused(deepfactor("ingest", "ashare_parquet", market, "--folder", empty), str(empty / "prices.parquet"))
    refused(deepfactor("ingest", "my_vendor", market, "--folder", empty), "my_vendor", "ashare_parquet")
    refused(deepfactor("ingest", tmp_path / "gone.toml", market, "--folder", empty), "gone.toml")
    (tmp_path / "bad.toml").write_text('name = "bad"\nmagic = 1\n')
    refused(deepfactor("ingest", tmp_path / "bad.toml", market, "--folder", empty), "magic")
    assert not (market / "manifest.json").exists()


# factor files


def score_file(folder: Path, **changed: object) -> Path:
    """Two stocks on a day of the small market; columns changed, or left out (None)."""
    columns = {"date": [date(2020, 6, 1)] * 2, "symbol": ["000016.SZ", "000042.SZ"], "score": [1.0, 2.0]} | changed
    path = folder / "factor.parquet"
    pl.DataFrame({name: values for name, values in columns.items() if values is not None}).write_parquet(path)
    return path


BAD_FACTORS = {
    "no column": ({"score": None}, ("column score", "date, symbol")),
    "a duplicate row": ({"symbol": ["000016.SZ"] * 2}, ("row 1", "2020-06-01 000016.SZ")),
    "text for a score": ({"score": ["1", "high"]}, ("row 2", "column score", "'high'")),
    "a date that is none": ({"date": ["2020-06-01", "2020-06-31"]}, ("row 2", "column date", "'2020-06-31'")),
    "a number for a date": ({"date": [1590969600] * 2}, ("row 1", "column date", "1970", "2020-01-02")),
    "a missing symbol": ({"symbol": ["000016.SZ", None]}, ("row 2", "column symbol")),
    "other stocks": ({"symbol": ["AAPL", "MSFT"]}, ("symbol not in market 2 (as AAPL)", "symbols as 000016.SZ")),
    "other days": (
        {"date": [date(1999, 1, 4)] * 2},
        ("before the market's first day 2 (as 1999-01-04)", "2018-01-02 to 2020-12-31"),
    ),
    "no scores": ({"score": [None, float("nan")]}, ("no score 2",)),
}


@pytest.mark.parametrize("verb", [("test",), ("enhance", "--index", "000905.SH")], ids=lambda verb: verb[0])
@pytest.mark.parametrize("case", BAD_FACTORS)
def test_a_bad_factor_file(verb, case, small_market, tmp_path):
    changed, named = BAD_FACTORS[case]
    path, out = score_file(tmp_path, **changed), tmp_path / "out"
    refused(deepfactor(verb[0], path, *verb[1:], "--market", small_market, "--out", out), str(path), *named)
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("gone.parquet", None, "no such factor file"),
        ("text.parquet", b"date,symbol,score\n", "parquet"),
        ("empty.parquet", b"", "parquet"),
        ("empty.csv", b"", "is empty"),
        ("heads.csv", b"date,symbol,score\n", "holds no rows"),
    ],
)
def test_no_factor_file(name, content, named, small_market, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = deepfactor("test", tmp_path / name, "--market", small_market, "--out", tmp_path / "out")
    refused(result, str(tmp_path / name), named)


def test_a_run_needs_its_arm_named(main_job, tmp_path):
    more = ("--market", main_job.market, "--out", tmp_path / "out")
    refused(deepfactor("test", main_job.run, *more), "gru_ic, decomp_gru_ic", "--arm")
    refused(deepfactor("test", main_job.run, "--arm", "gru", *more), "'gru'", "gru_ic, decomp_gru_ic")
    file = main_job.run / "arms" / "gru_ic" / "scores.parquet"
    refused(deepfactor("test", file, "--arm", "gru_ic", *more), str(file), "'gru_ic'")
    refused(deepfactor("test", tmp_path, *more), str(tmp_path), "recipe.json")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--universe", "all,000016.SH"), ("'000016.SH'", "all, every, 000300.SH")),
        (("--universe", ","), ("test.universes",)),
        (("--horizon", "5,x"), ("test.horizons.1", "'x'")),
        (("--horizon", "0"), ("test.horizons.0", "'0'")),
    ],
)
def test_test_refuses(options, named, main_job, tmp_path):
    more = ("--arm", "gru_ic", "--market", main_job.market, "--out", tmp_path / "out")
    refused(deepfactor("test", main_job.run, *more, *options), *named)
    assert not (tmp_path / "out").exists()


CONSTRAINT_FILES = {
    "key": ("cash = 0.1\nmagic = 1\n", ("magic",)),
    "type": ("cash = 'much'\n", ("cash", "'much'")),
    "kind": ("[[constraints]]\nkind = 'beta'\n", ("constraints.0.kind", "'beta'", "stock_active_weight")),
    "setting": ("[[constraints]]\nkind = 'turnover'\nlimt = 1\n", ("constraints.0.limt",)),
    "toml": ("cash = \n", ("line 1",)),
}


def test_enhance_refuses(main_job, tmp_path):
    more = ("--arm", "gru_ic", "--market", main_job.market, "--out", tmp_path / "out")
    refused(deepfactor("enhance", main_job.run, *more, "--index", "000016.SH"), "'000016.SH'", "000300.SH, 000852.SH")
    index = ("--index", "000905.SH")
    refused(deepfactor("enhance", main_job.run, *more, *index, "--constraints", "study_c"), "constraints", "'study_c'")
    refused(deepfactor("enhance", main_job.run, *more, *index, "--capital", "-1"), "enhance.capital", "-1")
    refused(deepfactor("enhance", main_job.run, *more, *index, "--what-if", "beta=1"), "'beta'", "max_active_weight")
    for name, (text, named) in CONSTRAINT_FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
        result = deepfactor("enhance", main_job.run, *more, *index, "--constraints", tmp_path / f"{name}.toml")
        refused(result, "constraints", *named)
    assert not (tmp_path / "out").exists(), "refused before the factor was tested"


def test_results_of_a_factor_never_replace_a_run(main_job):
    before = (main_job.run / "recipe.json").read_bytes()
    result = deepfactor("test", main_job.run, "--arm", "gru_ic", "--market", main_job.market, "--out", main_job.run)
    refused(result, str(main_job.run), "--out")
    assert (main_job.run / "recipe.json").read_bytes() == before


def test_report_refuses(tmp_path):
    refused(deepfactor("report", tmp_path / "gone"), str(tmp_path / "gone"), "recipe.json")
    refused(deepfactor("report", tmp_path), str(tmp_path), "recipe.json")
    (tmp_path / "recipe.json").write_text("{}")
    refused(deepfactor("report", tmp_path), str(tmp_path / "environment.json"))


def test_a_place_that_cant_be_written(main_job, tmp_path):
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "out"
    result = deepfactor("test", main_job.run, "--arm", "gru_ic", "--market", main_job.market, "--out", out)
    refused(result, str(tmp_path / "file"), os.strerror(errno.ENOTDIR))


def test_wrong_words():
    misused(deepfactor("frobnicate"), "frobnicate")
    misused(deepfactor("run", "demo"), "--market")
    misused(deepfactor("run", "demo", "--market", "m", "--workers", "-1"), "--workers")
    misused(deepfactor("run", "demo", "--market", "m", "--wrokers", "1"), "--wrokers")
    misused(deepfactor("report"), "run")
    assert deepfactor("--help").code == 0
