"""A backtest follows the days that its scores and its index have in common."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.span import followed
from deepfactor.core.errors import DataError
from support.portfolio import INDEX, BestScores, random_scores
from support.toy import toy_market

DAYS = 60


@pytest.fixture
def market():
    """A toy market whose arrays may be changed, with a level of the index on every day."""
    panel, universe = toy_market(DAYS, 20, seed=3)
    universe.index_close[INDEX] = np.linspace(100.0, 110.0, DAYS)
    return panel, universe


def without_members(market, rows: slice) -> None:
    _, universe = market
    universe.benchmark[INDEX][rows] = 0.0
    universe.members[INDEX][rows] = False


def follow(market, **span: str) -> BacktestResult:
    panel, universe = market
    settings = BacktestSettings(capital=1e7, fill="next_close")
    scores = random_scores(panel)
    return run_backtest(panel, universe, scores, {}, BestScores(), INDEX, settings, eligible=universe.traded, **span)


def test_the_whole_span_is_cut_by_nothing(market):
    result = follow(market)
    assert result.cuts == ()
    assert result.dates[-1] == market[0].dates[-1]


def test_it_ends_where_its_index_ends(market):
    panel, _ = market
    whole = follow(market)
    without_members(market, slice(40, None))
    result = follow(market)
    (cut,) = result.cuts
    assert (cut.side, cut.day, cut.asked, cut.why) == ("end", panel.dates[39], panel.dates[-1], "members")
    assert cut.sentence(INDEX) == (
        f"ends on {panel.dates[39]}, with the members of {INDEX}; the scores go on to {panel.dates[-1]}"
    )
    assert result.dates[-1] == panel.dates[39]
    kept = len(result.dates)
    for curve in ("nav", "replica_nav", "benchmark_nav"):
        np.testing.assert_array_equal(getattr(result, curve), getattr(whole, curve)[:kept])


def test_it_begins_where_its_index_begins(market):
    panel, universe = market
    asked = follow(market).dates[0]
    without_members(market, slice(None, 25))
    result = follow(market)
    (cut,) = result.cuts
    assert (cut.side, cut.day, cut.asked, cut.why) == ("start", result.dates[0], asked, "members")
    row = int(np.searchsorted(panel.dates, result.dates[0]))
    assert row >= 25
    assert universe.week_ends()[row]
    assert "begins on" in cut.sentence(INDEX)


def test_levels_that_end_earlier(market):
    panel, universe = market
    universe.index_close[INDEX][50:] = np.nan
    result = follow(market)
    assert [(cut.side, cut.day, cut.why) for cut in result.cuts] == [("end", panel.dates[49], "levels")]
    assert result.benchmark_nav is not None
    universe.index_close[INDEX][:] = np.nan
    assert follow(market).benchmark_nav is None, "without any level the replica is the benchmark"
    assert follow(market).cuts == ()


def test_a_total_return_level_that_lacks_days_is_left_out(market):
    _, universe = market
    universe.index_total_return[INDEX] = np.linspace(100.0, 120.0, DAYS)
    assert follow(market).total_return_nav is not None
    universe.index_total_return[INDEX][-3:] = np.nan
    result = follow(market)
    assert result.total_return_nav is None
    assert result.counts["days_without_total_return_level"] == 3


def test_what_was_asked_for_is_no_cut(market):
    panel, _ = market
    without_members(market, slice(40, None))
    result = follow(market, start=str(panel.dates[10]), end=str(panel.dates[30]))
    assert result.cuts == ()
    assert result.dates[-1] == panel.dates[30]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([slice(None)], "has no members from"),
        ([slice(30, 32)], r"has no members on 2 of \d+ days from .* on, the first 2019-02-1"),
        ([slice(4), slice(7, None)], "has members from 2019-01-07 to 2019-01-09 alone, without a week's end"),
    ],
)
def test_an_index_that_can_not_be_followed(market, rows, says):
    for part in rows:
        without_members(market, part)
    with pytest.raises(DataError, match=says):
        follow(market)


def test_a_hole_in_the_levels(market):
    market[1].index_close[INDEX][30] = np.nan
    with pytest.raises(DataError, match=r"000905\.SH has no close on 1 of "):
        follow(market)


def test_a_span_without_scores_says_where_they_are(market):
    panel, universe = market
    with pytest.raises(DataError, match=rf"no week's end .*scores of eligible stocks lie from .* to {panel.dates[-1]}"):
        followed(universe, random_scores(panel), universe.traded, INDEX, start="2030-01-01")
    scores = random_scores(panel)
    with pytest.raises(DataError, match="no eligible stock has one"):
        followed(universe, scores, np.zeros_like(universe.traded), INDEX)
