"""A stage of a run that fails doesn't take the others with it, and a portfolio ends where its index ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from deepfactor.backtest import loop
from deepfactor.pipeline import enhancing, factor, factor_tests
from deepfactor.pipeline.stages import combination, correlation
from deepfactor.report.sections import drivers
from support.bars import CODES, DAILY, bars, write
from support.cli import Ended, deepfactor, refused, strict_json
from support.factors import reversal

pytestmark = pytest.mark.usefixtures("styles_once")

MEMBERS = """
[tables.index_members]
file = "members.csv"
columns = { index = "index", symbol = "symbol", start_date = "since", end_date = "until" }
[tables.industry]
file = "industry.csv"
columns = { symbol = "symbol", industry = "industry", start_date = "since", end_date = "until" }
"""
#: The members of CSI 300 end here, weeks before the bars do; those of CSI 1000 begin here.
LAST, FIRST = date(2020, 3, 31), date(2020, 2, 14)
RECIPE = """
name = "tiny"
title = "Two arms, four portfolios"
features = { kind = "price_volume", window = 30 }
universe = { window = 30, min_observed = 20 }
plan = { first_test = 2020, train_years = 1, every = 120, valid_every = 120 }
fit = { epochs = 1, seeds = [0], min_stocks = 5 }

[test]
universes = ["all", "csi300"]
conventions = ["t1_close"]
horizons = [5]
groups = { csi300 = 3 }
other_groups = 3
tops = []

[[arms]]
name = "gru"
model = { kind = "gru", hidden = 4 }

[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 4, groups = 2 }

[[combinations]]
name = "both"
of = ["gru", "decomp"]

[[portfolios]]
index = "csi300"
arms = ["gru"]

[[portfolios]]
index = "CSI 500"
arms = ["gru", "both"]

[[portfolios]]
index = "000852"
arms = ["gru"]
start = 20200106
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A market of which one index ends and one begins among the test days, the recipe, and its run."""
    folder = tmp_path_factory.mktemp("stages")
    mapping = write(folder, bars(n=620, start=date(2018, 1, 2)), DAILY + MEMBERS)
    members = [f"000300.SH,{code},2010-01-04,{LAST}\n000905.SH,{code},2010-01-04,\n" for code in CODES]
    members += [f"000852.SH,{code},{FIRST},\n" for code in CODES]
    (folder / "members.csv").write_text("index,symbol,since,until\n" + "".join(members))
    industries = "".join(f"{code},I{k % 3},2010-01-01,\n" for k, code in enumerate(CODES))
    (folder / "industry.csv").write_text("symbol,industry,since,until\n" + industries)
    assert deepfactor("ingest", mapping, folder / "M", "--folder", folder).code == 0
    (folder / "recipe.toml").write_text(RECIPE)
    result = run(folder)
    assert result.code == 0, result.err
    (folder / "said").write_text(result.err)
    return folder


@pytest.fixture
def again(made, tmp_path) -> Path:
    """A copy of the run, to be repeated: nothing behind training counts as done."""
    copytree(made / "runs", tmp_path / "runs")
    (tmp_path / "runs/tiny/stages.json").unlink()
    for name in ("M", "recipe.toml"):
        (tmp_path / name).symlink_to(made / name)
    return tmp_path


def run(folder: Path, *more: object) -> Ended:
    command = ("run", folder / "recipe.toml", "--market", folder / "M", "--out", folder / "runs", "--workers", 0)
    return deepfactor(*command, *more)


def summary(folder: Path, arm: str, index: str) -> dict:
    return strict_json((folder / "runs/tiny/portfolio" / arm / index / "study_b/summary.json").read_text())


def page(folder: Path) -> str:
    return (folder / "runs/tiny/report.html").read_text(encoding="utf-8")


def test_a_portfolio_goes_as_far_as_its_index(made):
    whole, early, late = (summary(made, "gru", f"{code}.SH") for code in ("000905", "000300", "000852"))
    assert whole["cuts"] == []
    assert early["cuts"] == [{"side": "end", "day": str(LAST), "asked": whole["end"], "why": "members"}]
    assert (early["start"], early["end"]) == (whole["start"], str(LAST))
    (cut,) = late["cuts"]
    assert (cut["side"], cut["asked"], cut["why"]) == ("start", "2020-01-10", "members")
    assert late["start"] == cut["day"] == str(FIRST), "a Friday: the first signal with members"
    said = (made / "said").read_text()
    for text in (f"ends on {LAST}, with the members of 000300.SH", f"begins on {FIRST}, with the members of 000852.SH"):
        assert text in said
    for text in (
        f"gru on CSI 300 ends on {LAST}: the market has no members of the index after it.",
        f"gru对沪深300的组合止于{LAST}：此后行情数据中没有该指数的成分股",
        f"gru on CSI 1000 begins on {FIRST}",
    ):
        assert text in page(made)
    assert not (made / "runs/tiny/failures.json").exists()
    assert "parts are missing" not in page(made)


def test_groups_of_an_index_end_with_it(made):
    nav = pl.read_parquet(made / "runs/tiny/arms/gru/group_nav.parquet")
    last = dict(nav.group_by("universe").agg(pl.col("date").max()).iter_rows())
    assert last["000300.SH"] == LAST
    assert last["all"] > LAST


def fault(*arguments: object, **more: object) -> None:
    raise ZeroDivisionError("planted")


Spoil = Callable[[pytest.MonkeyPatch, Path], object]
NO_PORTFOLIO = """relax_order = []
[[constraints]]
kind = "must_hold"
weights = { "999999.SH" = 0.5 }
"""


def impossible(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """One portfolio's constraints can't be kept."""
    (folder / "mine.toml").write_text(NO_PORTFOLIO)
    text = RECIPE.replace('index = "csi300"', f'index = "csi300"\nconstraints = "{folder / "mine.toml"}"')
    (folder / "recipe.toml").unlink()
    (folder / "recipe.toml").write_text(text)


def of(name: str, module: object, function: str) -> Spoil:
    """A fault of ours where `function` works on what has `name`."""

    def spoil(patch: pytest.MonkeyPatch, folder: Path) -> None:
        inner = getattr(module, function)

        def sometimes(*arguments: object, **more: object) -> object:
            hit = any(getattr(one, "name", None) == name for one in (*arguments, *more.values()))
            return fault() if hit else inner(*arguments, **more)

        sometimes.__name__ = function
        patch.setattr(module, function, sometimes)

    return spoil


def always(module: object, function: str) -> Spoil:
    def spoil(patch: pytest.MonkeyPatch, folder: Path) -> None:
        def broken(*arguments: object, **more: object) -> None:
            fault()

        broken.__name__ = function
        patch.setattr(module, function, broken)

    return spoil


#: What is spoiled; exit code; stage and name of what is missing; what is there all the same.
FAULTS: dict[str, tuple[Spoil, int, set[tuple[str, str]], str]] = {
    "a portfolio without a solution": (
        impossible,
        2,
        {("portfolio", "gru · 000300.SH · mine")},
        "portfolio/gru/000905.SH/study_b/summary.json",
    ),
    "a test": (
        of("decomp", factor_tests, "test_factor"),
        1,
        {("factor_test", "decomp")},
        "arms/both/factor_report.json",
    ),
    "a combination": (
        of("both", combination, "combine_arms"),
        1,
        {("combination", "both"), ("portfolio", "both · 000905.SH · study_b")},
        "arms/gru/factor_report.json",
    ),
    "correlation": (
        always(correlation, "model_correlation"),
        1,
        {("correlation", "gru, decomp, both")},
        "paired.json",
    ),
    "all portfolios": (
        always(loop, "execute"),
        1,
        {
            ("portfolio", f"{arm} · {code}.SH · study_b")
            for arm, code in (("gru", "000300"), ("gru", "000905"), ("both", "000905"), ("gru", "000852"))
        },
        "arms/gru/factor_report.json",
    ),
    "drivers": (always(drivers, "drivers"), 1, {("page", "drivers")}, "report.xlsx"),
}


FAST = ("a portfolio without a solution", "a combination")


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(x, marks=[] if x in FAST else pytest.mark.slow) for x in FAULTS])
def test_a_stage_that_fails_leaves_the_others(case, again, monkeypatch):
    spoil, code, missing, there = FAULTS[case]
    place = again / "runs/tiny"
    with monkeypatch.context() as patch:
        spoil(patch, again)
        result = run(again, "--json")
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    shown = strict_json(result.out)
    assert {(one["stage"], one["what"]) for one in shown["failures"]} == missing
    assert shown["failures"] == strict_json((place / "failures.json").read_text())
    assert {one["code"] for one in shown["failures"]} <= {code, 2}
    assert f"deepfactor: {len(missing)} of the run's parts are missing:" in result.err
    assert (place / there).is_file()
    html = page(again)
    for stage, what in missing:
        assert what in html
        assert what in result.err
        gone = place / "portfolio" / Path(*what.split(" · ")) if stage == "portfolio" else place / "arms" / what
        assert stage not in ("portfolio", "factor_test", "combination") or not list(gone.glob("*[ry].json"))
    assert "缺失部分" in html
    assert "of this run&#39;s parts are missing" in html
    logs = [one["log"] for one in shown["failures"] if one["code"] == 1 and one["log"]]
    assert all("ZeroDivisionError: planted" in (place / log).read_text() for log in logs)
    assert bool(logs) == (code == 1)
    shown_again = deepfactor("report", place, "--json")
    assert shown_again.code == (0 if case == "drivers" else code)
    if case == "a portfolio without a solution":
        (again / "recipe.toml").write_text(RECIPE)
    mended = run(again)
    assert mended.code == 0, mended.err
    assert not (place / "failures.json").exists()
    assert not (place / "failures").exists()
    assert "parts are missing" not in page(again)


def test_the_workbook_alone(again, monkeypatch):
    from deepfactor.pipeline import pages

    monkeypatch.setattr(pages, "render_workbook", fault)
    result = deepfactor("report", again / "runs/tiny")
    assert result.code == 1
    assert "workbook of report.xlsx: a fault of ours, ZeroDivisionError: planted; traceback in " in result.err
    assert "report.xlsx" in page(again)
    assert not (again / "runs/tiny/report.xlsx").exists()


@pytest.mark.slow
def test_being_stopped_is_no_failure(again, monkeypatch):
    def stop(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(enhancing, "backtest_to", stop)
    assert run(again).code == 3
    assert not (again / "runs/tiny/failures.json").exists()


def test_a_run_that_was_stopped_shows_what_there_is(again):
    for name in ("arms/gru/factor_report.json", "portfolio/both/000905.SH/study_b/summary.json"):
        (again / "runs/tiny" / name).unlink()
    result = deepfactor("report", again / "runs/tiny")
    assert result.code == 2
    assert "factor test of gru: " in result.err
    assert "portfolio of both · 000905.SH · study_b: " in result.err
    assert "repeat the command that makes it" in page(again)


# enhance


@pytest.fixture(scope="module")
def scores(made) -> Path:
    path = made / "f.parquet"
    reversal(bars(n=620, start=date(2018, 1, 2))).filter(pl.col("date") >= date(2019, 6, 3)).write_parquet(path)
    return path


def enhance(made: Path, scores: Path, out: Path, *more: object, index: str = "csi500") -> Ended:
    command = ("enhance", scores, "--market", made / "M", "--index", index, "--out", out, "--json")
    return deepfactor(*command, *more)


def test_enhance_follows_the_days_asked_for(made, scores, tmp_path):
    more = ("--start", "20191008", "--end", "2019-12-20")
    shown = enhance(made, scores, tmp_path / "out", *more).json()
    assert (shown["start"], shown["end"]) == ("2019-10-11", "2019-12-20")
    assert shown["cuts"] == []
    tested = json.loads((tmp_path / "out/arms/f/factor_report.json").read_text())["span"]
    assert tested == ["2019-10-08", "2019-12-20"]


@pytest.mark.parametrize(
    ("index", "more", "named"),
    [
        ("csi500", ("--start", "2021-01-04"), ("enhance.start", "no week's end")),
        ("csi500", ("--end", "2019-05-31"), ("enhance.start", "2019-06-03")),
        ("csi500", ("--start", "2020-01-08", "--end", "2020-01-09"), ("enhance.start", "no week's end")),
        ("csi500", ("--start", "2020-02-01", "--end", "2020-01-01"), ("enhance", "lies before start")),
        ("csi300", ("--start", "2020-04-01"), ("enhance.start", "000300.SH has no members")),
        ("csi800", (), ("enhance.index", "'csi800'", "000300.SH, 000852.SH, 000905.SH")),
    ],
)
def test_enhance_refuses_a_span_without_anything(index, more, named, made, scores, tmp_path):
    refused(enhance(made, scores, tmp_path / "out", *more, index=index), *named)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_enhance_shows_the_test_where_there_is_no_portfolio(made, scores, tmp_path):
    (tmp_path / "mine.toml").write_text(NO_PORTFOLIO)
    result = enhance(made, scores, tmp_path / "out", "--constraints", tmp_path / "mine.toml")
    assert result.code == 2
    assert "must_hold" in result.err
    (failure,) = strict_json(result.out)["failures"]
    assert failure["what"] == "f · 000905.SH · mine"
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "f · 000905.SH · mine" in html
    with_fault = monkey_test(made, scores, tmp_path)
    assert with_fault.code == 1
    assert strict_json(with_fault.out)["all"]["rebalances"] > 0


def monkey_test(made: Path, scores: Path, folder: Path) -> Ended:
    """`enhance` whose factor test has a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factor, "test_factor", fault)
        return enhance(made, scores, folder / "other")


# before anything is trained


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('index = "csi300"', 'index = "csi300"\nstart = 2020-04-01'), ("portfolios.0.index", "no members")),
        (('index = "csi300"', 'index = "csi300"\nend = 2019-04-01'), ("portfolios.0.end", "2020-01-01 to 2020-05-18")),
        (('index = "csi300"', 'index = "csi300"\nstart = 2022-04-01'), ("portfolios.0.start", "predicted are")),
        (('index = "csi300"', 'index = "sse50"'), ("portfolios.0.index", "'sse50'", "000300.SH, 000852.SH")),
        (('index = "CSI 500"', 'index = "hs300"'), ("portfolios.1", "gru/000300.SH/study_b")),
        (('"csi300"]\nconv', '"csi300", "399300.SZ"]\nconv'), ("test.universes.2", "000300.SH, which stands before")),
        (("csi300 = 3", "csi300 = 13"), ("test.groups.csi300", "12 stocks")),
        (("min_stocks = 5", "min_stocks = 50"), ("fit.min_stocks", "fold 2020", "the most are 12")),
        (("[test]", "[test]\nstart = 2021-01-04"), ("test.start", "2020-05-18")),
        (("[test]", "[test]\nhorizons = [620]"), ("test.horizons.0",)),
    ],
)
def test_what_can_not_be_is_refused_before_training(change, named, made, tmp_path):
    old, new = change
    text = RECIPE.replace("horizons = [5]\n", "") if "horizons" in new else RECIPE
    assert text.count(old) == 1
    (tmp_path / "recipe.toml").write_text(text.replace(old, new))
    (tmp_path / "M").symlink_to(made / "M")
    refused(run(tmp_path), *named)
    assert not (tmp_path / "runs/tiny").exists()


@pytest.mark.slow
def test_a_last_test_day_beyond_the_market_is_said(made, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("first_test = 2020", "first_test = 2020, last_test = 2021"))
    (tmp_path / "M").symlink_to(made / "M")
    copytree(made / "runs", tmp_path / "runs")
    result = run(tmp_path)
    assert result.code == 0, result.err
    assert "asked for 2021-12-31, the market ends on 2020-05-18" in result.err
    assert "2 jobs, 2 done before" in result.err, "the same days, so the same jobs"
    assert "plan.last_test：要求至2021-12-31，而市场数据止于2020-05-18" in page(tmp_path)
