"""The first screen: what it says, and that its tables and figures are those of the portfolio's own files."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.content.reading import lead_arm
from deepfactor.report.page import page_of, render
from deepfactor.report.press.tables import Table
from deepfactor.report.sections import _portfolio_time as time
from deepfactor.report.sections import glance
from deepfactor.report.sections._book import book, holdings
from support.run_content import build


@pytest.fixture(scope="module")
def content() -> RunContent:
    return build()


@pytest.fixture(scope="module")
def tables(content: RunContent) -> dict[str, Table]:
    return {table.id: table for table in page_of(content).sections["glance"].tables()}


def first(content: RunContent) -> PortfolioContent:
    return content.portfolios[0]


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_three_sentences_say_what_was_run_how_it_ranks_and_what_it_earns(content: RunContent) -> None:
    page = page_of(content)
    run, ranks, earns = page.sentences()["glance"]
    assert run == "2 models on the simulated market, tested 2019-01-02 to 2020-12-31; portfolios after cost: 2."
    assert ranks.startswith("gru has a RankIC of 0.111 at 10 trading days over all stocks (ICIR 1.01)")
    assert earns.startswith("After cost its portfolio on CSI 500 earns +10.42% a year over the index")
    assert earns.endswith(": above luck.")
    assert "全市场" in ranks.zh
    assert next(iter(page.sections)) == "glance"


def test_without_a_band_it_says_that_luck_was_not_followed(content: RunContent) -> None:
    plain = replace(content, portfolios=(replace(first(content), placebo=None),))
    *_, earns = page_of(plain).sentences()["glance"]
    assert earns.endswith(": how much of it luck can do was not followed.")


def test_a_difference_that_is_noise_is_called_so() -> None:
    pair = {
        "first": "gru", "second": "decomp_gru", "measure": "rank_ic", "universe": "all", "convention": "t1_close",
        "horizon": 10, "difference": -0.001, "standard_error": 0.002, "t_newey_west": -0.5, "win_rate": 0.5, "n": 480,
        "seed_std_first": None, "seed_std_second": None, "lags": 10,
    }  # fmt: skip
    _, ranks, _ = page_of(build(paired=(pair,))).sentences()["glance"]
    assert ranks.endswith("; beside decomp_gru: RankIC noise.")


def test_the_first_arm_leads_but_for_a_combination_and_never_by_results(content: RunContent) -> None:
    assert lead_arm(content).name == "gru"
    combined = replace(content, recipe={**content.recipe, "combinations": [{"name": "decomp_gru"}]})
    assert lead_arm(combined).name == "decomp_gru"
    assert lead_arm(replace(content, arms=(), portfolios=())) is None
    assert lead_arm(replace(content, portfolios=content.portfolios[1:])).name == "decomp_gru"
    assert lead_arm(replace(content, portfolios=())).name == "gru"
    assert glance.section(replace(content, arms=(), portfolios=()), page_maker()) is None


def page_maker():
    from deepfactor.report.making import Maker

    return Maker()


def test_the_index_stands_beside_the_portfolio(content: RunContent) -> None:
    whole = {**first(content).whole, "annual_return": 0.21, "benchmark_annual_return": 0.1, "benchmark_sharpe": 0.4}
    made = replace(content, portfolios=(replace(first(content), summary={**first(content).summary, "all": whole}),))
    table = next(t for t in page_of(made).tables() if t.id == "returns")
    row = dict(zip((m.key for m in table.columns), cells(table)[0], strict=True))
    assert (row["annual_return"], row["annual_return_index"], row["sharpe_index"]) == ("+21.00%", "+10.00%", "0.40")


def test_the_book_is_that_of_the_last_rebalance(tables: dict[str, Table]) -> None:
    held = tables["book_holdings"]
    assert cells(held)[0] == ["600000.SH", "2.00%", "0.40%", "+1.60%"]
    assert len(held.rows) == 10
    assert held.note.startswith("13 stocks are held; the 10 largest are 15.5% of the book.")
    assert cells(tables["book_styles_held"]) == [["BETA", "+0.12"], ["SIZE", "−0.21"]]
    assert [row[0] for row in cells(tables["book_industries_held"])] == list("kjihdcba")
    assert cells(tables["book_fills"]) == [
        ["600000.SH", "buy", "1,200", "10.25", "12,300"], ["600001.SH", "sell", "300", "31.40", "9,420"]
    ]  # fmt: skip


def test_a_run_of_before_has_no_book(content: RunContent) -> None:
    old = replace(first(content), weights=None, filled=None, exposures=None, rebalances=None)
    assert holdings(old, "x") is None
    assert book(page_maker(), old, "x") == []
    assert time.leanings(old, "x") is None
    assert time.trading(old, "x") is None


def test_months_are_the_growth_of_the_excess(content: RunContent) -> None:
    p = first(content)
    drawn = time.monthly_excess(p, "x")
    years = drawn.spec["data"][0]["y"]
    known = [v for row in drawn.spec["data"][0]["z"] for v in row if v is not None]
    assert years == ["2019", "2020"]
    assert math.prod(1 + v for v in known) == pytest.approx(p.nav["excess_nav"][-1] / p.nav["excess_nav"][0], rel=1e-5)


def test_the_last_year_s_tracking_error_is_that_of_its_days(content: RunContent) -> None:
    p = first(content)
    excess, error = time.rolling_excess(p, "x").spec["data"]
    nav, index = (p.nav[key].to_numpy() for key in ("nav", "benchmark_nav"))
    daily = (nav[1:] / nav[:-1] - index[1:] / index[:-1])[-252:]
    assert error["y"][-1] == pytest.approx(daily.std(ddof=1) * np.sqrt(252), rel=1e-5)
    assert excess["y"][-1] == pytest.approx(daily.mean() * 252, rel=1e-5)
    assert error["x"][-1] == str(p.nav["date"][-1])
    short = replace(p, nav=p.nav.head(252))
    assert time.rolling_excess(short, "x") is None


def test_leanings_are_of_the_styles_leant_on_most(content: RunContent) -> None:
    size, beta = time.leanings(first(content), "x").spec["data"]
    assert (size["name"], beta["name"]) == ("SIZE", "BETA")
    assert size["y"] == [-0.21, -0.21]
    turnover, held = time.trading(first(content), "x").spec["data"]
    assert turnover["y"] == pytest.approx([0.105, 0.145])
    assert held["y"] == [120, 131]


def test_results_come_before_cards_and_are_folded(content: RunContent) -> None:
    page = page_of(content)
    names = list(page.sections)
    assert names.index("portfolios") < names.index("models") < names.index("data")
    assert [name for name, one in page.sections.items() if one.open] == ["glance", "summary", "warnings"]
    html = render(content)
    assert html.count('<details class="unfolds">') == len(names) - 3 + len(content.portfolios) + 1
    assert len(html) < 3_000_000


def test_rolling_and_monthly_rank_ic_are_means_of_days(content: RunContent) -> None:
    page = page_of(content)
    by_id = {figure.id: figure for figure in page.all_figures()}
    arm = content.arms[0]
    series = arm.ic_series.filter(
        (pl.col("universe") == "all") & (pl.col("convention") == "t1_close") & (pl.col("horizon") == 10)
    ).sort("date")
    rolling = by_id["rolling_rank_ic"].spec["data"][0]
    assert rolling["y"][-1] == pytest.approx(series["rank_ic"].tail(60).mean(), rel=1e-5)
    january = series.filter((pl.col("date").dt.year() == 2019) & (pl.col("date").dt.month() == 1))["rank_ic"].mean()
    assert by_id["rank_ic_months_gru"].spec["data"][0]["z"][0][0] == pytest.approx(january, rel=1e-5)
    assert sum(by_id["rank_ic_histogram"].spec["data"][0]["y"]) == pytest.approx(1, abs=1e-4)
