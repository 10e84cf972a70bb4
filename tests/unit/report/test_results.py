"""What the factor test and the backtest leave goes onto the page as it is."""

from __future__ import annotations

import json

import polars as pl
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import summary
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.report.content import ArmContent, PortfolioContent
from deepfactor.report.page import render, report_json
from deepfactor.report.press.formats import number
from deepfactor.styles.base import Styles
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market


@pytest.fixture(scope="module")
def results():
    panel, universe = toy_market(300, 40, seed=3)
    scores = random_scores(panel)
    settings = TestSettings(universes=("all", INDEX), groups={"all": 5}, other_groups=3, tops=("top10pct",))
    sets = [("basic", Styles({"SIZE": panel["float_mv"]}, {}))]
    tested = run_test(scores, panel, universe, settings, eligible=universe.traded, styles=sets)
    back = run_backtest(panel, universe, scores, {}, BestScores(8), INDEX, BacktestSettings(), eligible=universe.traded)
    return tested, back


@pytest.fixture(scope="module")
def run(results, request):
    tested, back = results
    series = pl.DataFrame({k: v.astype(str) if v.dtype.kind == "U" else v for k, v in tested.ic_columns().items()})
    arm = ArmContent("random", None, {}, {}, tested.to_json_dict(), series)
    columns = ("nav", "benchmark_nav", "replica_nav", "excess_nav", "cash")
    nav = pl.DataFrame({"date": back.dates, **{name: getattr(back, name) for name in columns}})
    bounds = back.relaxations.columns()
    relaxed = pl.DataFrame({k: v.astype(str) if v.dtype.kind == "U" else v for k, v in bounds.items()})
    told = summary(back, "study_b")
    portfolio = PortfolioContent("random", INDEX, "study_b", told, nav, relaxed, told["rejected"], len(back.trades))
    return arm, portfolio


@pytest.mark.parametrize("preset", ["study_a", "study_b"])
def test_a_studys_own_tables_become_a_report(make_content, preset):
    """Study A has no daily records and no `t1_close`: what the page looks for may be absent."""
    panel, universe = toy_market(120, 40, seed=3)
    settings = TestSettings(preset=preset, universes=("all", INDEX), decay=0)
    tested = run_test(random_scores(panel), panel, universe, settings, eligible=universe.traded)
    series = pl.DataFrame({k: v.astype(str) if v.dtype.kind == "U" else v for k, v in tested.ic_columns().items()})
    arm = ArmContent("random", None, {}, {}, tested.to_json_dict(), series)
    content = make_content(arms=(arm,), portfolios=(), oracle=None, correlation=None)
    json.dumps(report_json(content), allow_nan=False)
    assert "random" in render(content)


def test_a_factor_test_and_a_backtest_become_a_report(run, make_content):
    arm, portfolio = run
    content = make_content(arms=(arm,), portfolios=(portfolio,), oracle=None, correlation=None)
    result = report_json(content)
    json.dumps(result, allow_nan=False)
    (head,), (enhanced,) = result["tables"]["headline_factor"], result["tables"]["headline_portfolio"]
    wanted = {"universe": "all", "horizon": 10, "convention": "t1_close", "names": "all", "sampling": "daily"}
    (record,) = [r for r in arm.factor_report["records"] if wanted.items() <= r.items()]
    assert head["rank_ic_10"] == record["rank_ic"]["mean"]
    assert enhanced["information_ratio"] == portfolio.summary["all"]["information_ratio"]
    html = render(content)
    assert number(head["rank_ic_10"], "ic") in html
    assert number(enhanced["tracking_error"], "percent") in html
    known = {
        "headline_factor",
        "ic_10d",
        "top_group",
        "top_n",
        "autocorrelation",
        "portfolio_1_by_year",
    }
    (styles,) = [name for name in result["tables"] if name.startswith("style_correlation")]
    assert known <= set(result["tables"])
    missing = [
        (table, key)
        for table in ("headline_factor", "headline_portfolio", "ic_10d", "top_group", "top_n", styles)
        for row in result["tables"][table]
        for key, value in row.items()
        if value is None
    ]
    assert missing == []
