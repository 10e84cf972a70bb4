"""Statistics of a backtest, by hand and against pandas."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepfactor.backtest.episodes import deepest_episode
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import excess_statistics, monthly_win_rate, summary
from deepfactor.backtest.result import BacktestResult, RelaxedBounds
from deepfactor.evaluation.definitions import PRESETS
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market, weekdays

DATES = weekdays(600, "2019-01-01")


@pytest.fixture(scope="module")
def curves() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    returns = 0.0002 + 0.01 * rng.standard_normal((599, 2))
    nav = np.vstack([[1.0, 1.0], np.cumprod(1 + returns, axis=0)])
    return nav[:, 0], nav[:, 1]


def test_full_span_against_pandas(curves: tuple[np.ndarray, np.ndarray]) -> None:
    nav, other = (pd.Series(x, index=pd.DatetimeIndex(DATES)) for x in curves)
    got = excess_statistics(*curves, DATES, PRESETS["study_b"])
    a, b = nav.iloc[-1] ** (252 / 599) - 1, other.iloc[-1] ** (252 / 599) - 1
    difference = (nav.pct_change() - other.pct_change()).dropna()
    ratio = nav / other
    error = difference.std() * np.sqrt(252)
    growth = ratio.iloc[-1] ** (252 / 599) - 1
    assert abs(growth - (a - b)) > 1e-4
    assert got.excess == pytest.approx(growth, abs=1e-12)
    assert got.tracking_error == pytest.approx(error)
    assert got.information_ratio == pytest.approx(growth / error)
    assert got.excess_sharpe == pytest.approx(difference.mean() / difference.std() * np.sqrt(252))
    depth = (ratio / ratio.cummax() - 1).min()
    assert got.excess_max_drawdown == pytest.approx(depth)
    assert got.calmar == pytest.approx(growth / -depth)
    months = ratio.resample("ME").last()
    start = pd.concat([pd.Series([1.0]), months.iloc[:-1]])
    assert got.monthly_win_rate == pytest.approx((months.to_numpy() > start.to_numpy()).mean())
    calendar = excess_statistics(*curves, DATES, PRESETS["study_a"])
    years = (DATES[-1] - DATES[0]).astype(int) / 365
    apart = nav.iloc[-1] ** (1 / years) - other.iloc[-1] ** (1 / years)
    assert calendar.excess == pytest.approx(apart, abs=1e-12)
    assert calendar.information_ratio == pytest.approx(apart / error)
    assert calendar.calmar == pytest.approx(apart / -depth)


def test_a_year_starts_at_the_close_before_it(curves: tuple[np.ndarray, np.ndarray]) -> None:
    nav, other = curves
    inside = np.flatnonzero(DATES.astype("datetime64[Y]") == np.datetime64("2020"))
    growth = nav[inside[-1]] / nav[inside[0] - 1]
    index = other[inside[-1]] / other[inside[0] - 1]
    b = excess_statistics(*curves, DATES, PRESETS["study_b"], year=2020)
    a = excess_statistics(*curves, DATES, PRESETS["study_a"], year=2020)
    assert b.days == a.days == len(inside)
    assert b.excess == pytest.approx(growth / index - 1)
    assert a.excess == pytest.approx(growth - index)
    assert b.calmar == pytest.approx(((growth / index) ** (252 / b.days) - 1) / -b.excess_max_drawdown)


def test_a_part_year_is_not_annualised(curves: tuple[np.ndarray, np.ndarray]) -> None:
    part = excess_statistics(*curves, DATES, PRESETS["study_b"], year=2021)
    assert part.days < 100
    assert part.calmar == pytest.approx(part.excess / -part.excess_max_drawdown)


def test_years_of_study_b_chain_to_the_whole(curves: tuple[np.ndarray, np.ndarray]) -> None:
    yearly = [excess_statistics(*curves, DATES, PRESETS["study_b"], year=y).excess for y in (2019, 2020, 2021)]
    chained = np.prod(1 + np.array(yearly))
    assert chained == pytest.approx(curves[0][-1] / curves[1][-1])
    whole = excess_statistics(*curves, DATES, PRESETS["study_b"])
    assert whole.excess == pytest.approx(chained ** (252 / whole.days) - 1, abs=1e-12)


def test_deepest_episode_by_hand() -> None:
    dates = weekdays(7)
    ratio = np.array([1.0, 1.2, 1.1, 0.9, 1.0, 1.3, 1.25])
    episode = deepest_episode(ratio, dates)
    assert episode is not None
    assert (episode.start, episode.trough, episode.recovery) == (dates[1], dates[3], dates[5])
    assert episode.depth == pytest.approx(-0.25)
    open_ended = deepest_episode(ratio[:5], dates[:5])
    assert open_ended is not None
    assert np.isnat(open_ended.recovery)
    assert deepest_episode(np.array([1.0, 1.1]), dates[:2]) is None


def test_months_without_a_rise_are_no_wins() -> None:
    dates = np.array(["2019-01-30", "2019-01-31", "2019-02-01", "2019-02-28", "2019-03-01"], dtype="datetime64[D]")
    assert monthly_win_rate(np.array([1.0, 1.1, 1.2, 1.1, 1.3]), dates) == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    panel, universe = toy_market(320, 30, seed=8)
    return run_backtest(
        panel, universe, random_scores(panel), {}, BestScores(8), INDEX, BacktestSettings(), eligible=universe.traded
    )


def test_summary_is_plain_and_says_each_year_and_benchmark(result: BacktestResult) -> None:
    content = json.loads(json.dumps(summary(result, "study_b"), allow_nan=False))
    assert list(content["by_year"]) == ["2019", "2020"]
    assert set(content["definitions"]) == {"study_a", "study_b"}
    assert set(content["definitions"]["study_a"]) == {"price", "replica"}
    whole = content["all"]
    assert whole["excess"] == content["definitions"]["study_b"]["price"]["all"]["excess"]
    assert whole["excess_replica"] == content["definitions"]["study_b"]["replica"]["all"]["excess"]
    assert whole["excess_total_return"] is None
    assert whole["excess_gross"] > whole["excess"]
    assert sum(year["days"] for year in content["by_year"].values()) == whole["days"] == len(result.dates) - 1
    assert sum(year["cost"] for year in content["by_year"].values()) == pytest.approx(whole["cost"])
    assert sum(year["rebalances"] for year in content["by_year"].values()) == whole["rebalances"]
    assert sum(content["rejected"].values()) == len(result.rejected)


def test_turnover_leaves_the_first_purchase_out(result: BacktestResult) -> None:
    table = result.rebalances
    later = np.isfinite(table.bought) & ~table.first
    assert table.first.tolist() == [True] + [False] * (len(table) - 1)
    entry = summary(result, "study_b")["all"]
    assert entry["turnover"] == pytest.approx((table.bought + table.sold)[later].mean())
    assert entry["turnover_one_sided"] == entry["turnover"] / 2


def test_net_is_gross_less_rate_times_turnover(result: BacktestResult) -> None:
    """−ln((1 + net) / (1 + gross)) / turnover = the rate a side, as it was found in Study A's tables."""
    traded = (result.rebalances.bought + result.rebalances.sold)[np.isfinite(result.rebalances.bought)].sum()
    assert -np.log(result.nav[-1] / result.gross_nav[-1]) / traded == pytest.approx(0.0015, rel=0.01)


def test_without_a_published_level_the_replica_is_the_headline() -> None:
    panel, universe = toy_market(60, 20, seed=8)
    universe.index_close.pop(INDEX)  # type: ignore[attr-defined]
    bare = run_backtest(
        panel, universe, random_scores(panel), {}, BestScores(8), INDEX, BacktestSettings(), eligible=universe.traded
    )
    content = summary(bare, "study_a")
    assert content["benchmark"] == "replica"
    assert content["all"]["excess"] == content["all"]["excess_replica"]


def test_summary_says_by_whose_definition(result: BacktestResult) -> None:
    content = summary(result, "study_a", stated=False, preset="study_a")
    assert (content["definition"], content["definition_stated"], content["preset"]) == ("study_a", False, "study_a")
    assert content["definition_says"].startswith("difference of annualised returns, calendar time")
    assert summary(result, "study_b")["definition_says"].startswith("annualised ratio of NAVs, 252 trading days a year")
    assert content["all"]["excess"] == content["definitions"]["study_a"]["price"]["all"]["excess"]
    assert content["all"]["excess"] != content["definitions"]["study_b"]["price"]["all"]["excess"]


def test_bounds_not_kept_are_told_apart_by_their_reason(result: BacktestResult) -> None:
    days = result.rebalances.date[[1, 1, 2, 3, 40]]
    table = RelaxedBounds(
        date=days,
        constraint=np.array(["stock", "industry", "stock", "style", "stock"]),
        row=np.array(["600000.SH", "0", "600001.SH", "SIZE", "600002.SH"]),
        bound=np.zeros(5),
        value=np.ones(5),
        reason=np.array(["frozen", "untradeable", "not_buyable", "infeasible", "frozen"]),
    )
    whole = summary(replace(result, relaxations=table), "study_b")["all"]
    assert (whole["relaxed_rebalances"], whole["frozen_rebalances"], whole["infeasible_rebalances"]) == (4, 3, 1)
    assert whole["relaxed_constraints"] == {"industry": 1, "stock": 3, "style": 1}
    assert (summary(result, "study_b")["all"]["relaxed_rebalances"], whole["relaxed_bounds"]) == (0, 5)
