"""The long side against a bookkeeping name by name (`oracles.long_side`), and what must hold whatever the market."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as report_of
from deepfactor.evaluation.holding import Marks
from deepfactor.evaluation.long_side import LongSide, long_side
from deepfactor.evaluation.window import cut_window
from oracles import long_side as by_hand

INDEX, HAIRCUT, COST = "000300.SH", 0.3, 0.0015
DEFINITIONS = PRESETS["study_b"]


def measured(market, scores, universe="all", part=5, bound=0.15, weeks=8) -> LongSide:
    window = cut_window(scores, market.panel, market.universe, market.eligible, start=None, end=None, reach=21)
    marks = Marks.of(window.panel, window.universe, "close", delist_haircut=HAIRCUT)
    return long_side(window, universe, marks, part, bound, weeks, COST, DEFINITIONS)


def facts(market, names) -> by_hand.Facts:
    panel, universe = market.panel, market.universe
    price = panel["close"].astype(np.float64) * panel["adj_factor"]
    price = np.where(universe.traded, price, np.nan)
    fen = {name: np.rint(panel[name].astype(np.float64) * 100) for name in ("close", "low", "high")}
    up = (fen["close"] >= universe.limit_up) | (fen["low"] >= universe.limit_up)
    down = (fen["close"] <= universe.limit_down) | (fen["high"] <= universe.limit_down)
    gone = ~universe.listed & np.maximum.accumulate(universe.listed, axis=0)
    weeks = [day.astype(object).isocalendar()[:2] for day in panel.dates]
    following = [day.astype(object).isocalendar()[:2] for day in universe.next_date]
    return by_hand.Facts(
        price=price,
        pickable=names,
        enterable=universe.traded & ~up & ~down,
        sellable=(universe.traded & ~down) | gone,
        gone=gone,
        week_end=np.array([a != b for a, b in zip(weeks, following, strict=True)]),
        haircut=HAIRCUT,
    )


@pytest.mark.parametrize(("universe", "part", "bound"), [("all", 5, 0.15), (INDEX, 3, 0.3), ("every", 5, 0.05)])
def test_held_and_decay_are_those_kept_by_hand(market, scores, universe, part, bound) -> None:
    result = measured(market, scores, universe, part, bound)
    members = market.universe.members[INDEX] & market.eligible
    names = {"all": market.eligible, "every": np.isfinite(scores.values), INDEX: members}[universe]
    own, last = facts(market, names), len(market.panel.dates) - 1
    plan = by_hand.picks(own, scores.values, part, last)
    for most, found in ((bound, result.held), (1.0, result.refreshed)):
        gross, net, turnover = by_hand.held(own, plan, most, COST, last)
        assert found.gross == pytest.approx(gross)
        assert found.net == pytest.approx(net)
        assert found.turnover == pytest.approx(turnover)
        assert str(found.dates[0]) == str(market.panel.dates[min(plan)])
    decayed = by_hand.decay(own, plan, range(1, 9))
    for week, entry in zip(range(1, 9), result.record()["decay"], strict=True):
        assert entry["n"] == len(decayed[week])
        assert entry["excess"] == pytest.approx(np.mean(decayed[week]) * 252 / 5)


def test_no_more_is_traded_than_the_bound_and_less_costs_less(market, scores) -> None:
    result = measured(market, scores)
    assert (result.held.turnover <= 0.15 + 1e-12).all()
    assert result.held.turnover.mean() < result.refreshed.turnover.mean()
    for found in (result.held, result.refreshed):
        assert found.net[0] == pytest.approx(1 - COST)
        assert (np.diff(found.net / found.gross) <= 1e-12).all()


def test_a_bound_of_one_is_no_bound(market, scores) -> None:
    result = measured(market, scores, bound=1.0)
    assert np.array_equal(result.held.gross, result.refreshed.gross)


def test_the_unit_of_the_score_changes_nothing(market, scores) -> None:
    again = measured(market, market.scores(scores.values * 3.0))
    assert again.held.net == pytest.approx(measured(market, scores).held.net)


def test_a_score_without_differences_has_no_long_side(market, scores) -> None:
    flat = market.scores(np.where(np.isfinite(scores.values), 1.0, np.nan))
    record = measured(market, flat).record()
    assert record["held"]["net"] is None
    assert record["decay"][0]["n"] == 0


def test_it_stands_in_the_report_where_there_are_groups(market, scores) -> None:
    settings = TestSettings(universes=("all", INDEX), horizons=(5,), decay=0, groups={"all": 5, INDEX: 3}, tops=())
    report = report_of(scores, market.panel, market.universe, settings, eligible=market.eligible)
    content = report.to_json_dict()["long_side"]
    assert [(one["universe"], one["part"]) for one in content] == [("all", 5), (INDEX, 3)]
    assert content[0]["held"]["net"] == pytest.approx(measured(market, scores).record()["held"]["net"])
    assert content[0]["decay"][0]["week"] == 1
    none = settings.model_copy(update={"long_weeks": 0})
    again = report_of(scores, market.panel, market.universe, none, eligible=market.eligible)
    assert again.to_json_dict()["long_side"] == []
