"""Constraints beyond the studies', each against `linprog` on its own rows or against arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.core.kind import Kind
from deepfactor.portfolio.enhancer import DEFAULT_RELAX_ORDER, EnhanceSettings, IndexEnhancer
from deepfactor.portfolio.presets import parse_enhancement
from deepfactor.portfolio.problem import InfeasibleError, Rebalance, Target

BASE = (
    {"kind": "stock_active_weight", "limit": 0.02},
    {"kind": "industry_active_weight", "limit": 0.02},
    {"kind": "turnover", "limit": 0.4},
)


def solve(r: Rebalance, *kinds: dict, base: tuple = BASE, relax: tuple[str, ...] = DEFAULT_RELAX_ORDER) -> Target:
    constraints = tuple(Kind(**k) for k in (*base, *kinds))
    return IndexEnhancer(EnhanceSettings(constraints=constraints, relax_order=relax)).solve(r)


@pytest.fixture
def clean(week) -> Rebalance:
    """Nothing frozen, all buyable, so that every list can be kept."""
    r = week(21, 90, frozen=0.0, unbuyable=0.0)
    return replace(r, adv=np.random.default_rng(1).lognormal(16.0, 1.0, 90), value=1e8)


@pytest.fixture
def base_peer(peer, clean):
    return peer(clean, stock=0.02, industry=0.02, turnover=0.4)


def test_restricted_names_are_not_bought_and_sold_out(clean, base_peer):
    best = np.argsort(-clean.score)
    never, out = best[:4], best[-3:]
    target = solve(
        clean,
        {"kind": "restricted", "never_buy": clean.symbols[never].tolist(), "must_sell": clean.symbols[out].tolist()},
    )
    for i in never:
        low, high = base_peer.box[i]
        base_peer.box[i] = (low, min(high, clean.previous[i]))
    for i in out:
        base_peer.box[i] = (0.0, 0.0)
    assert (target.weights[never] <= clean.previous[never] + 1e-9).all()
    assert (target.weights[out] <= 1e-9).all()
    assert target.objective == pytest.approx(-base_peer.solve().fun, rel=1e-7)
    assert target.objective < solve(clean).objective


def test_a_frozen_name_that_must_be_sold_is_recorded_or_refused(clean):
    at = int(np.argmax(clean.previous))
    r = replace(clean, frozen=np.arange(90) == at, buyable=np.arange(90) != at)
    rule = {"kind": "restricted", "must_sell": [str(r.symbols[at])]}
    target = solve(r, rule, relax=("restricted", *DEFAULT_RELAX_ORDER))
    found = [x for x in target.relaxations if x.constraint == "restricted"]
    assert [(x.row, x.reason, x.bound) for x in found] == [(str(r.symbols[at]), "frozen", 0.0)]
    assert target.weights[at] == r.previous[at]
    with pytest.raises(InfeasibleError, match="restricted"):
        solve(r, rule)


def test_must_hold_is_a_floor(clean, base_peer):
    at = int(np.argmin(np.where(clean.member, np.inf, clean.score)))
    target = solve(clean, {"kind": "must_hold", "weights": {str(clean.symbols[at]): 0.015}})
    assert target.weights[at] == pytest.approx(0.015, abs=1e-9)
    base_peer.box[at] = (0.015, base_peer.box[at][1])
    assert target.objective == pytest.approx(-base_peer.solve().fun, rel=1e-7)
    (row,) = [x for x in target.binding if x.constraint == "must_hold"]
    more = solve(clean, {"kind": "must_hold", "weights": {str(clean.symbols[at]): 0.015 + 1e-6}})
    assert (more.objective - target.objective) / 1e-6 == pytest.approx(row.shadow_price, rel=1e-3)
    assert row.shadow_price < 0


def test_must_hold_of_a_stranger_is_never_passed_over(clean):
    rule = {"kind": "must_hold", "weights": {"999999.SH": 0.01}}
    with pytest.raises(InfeasibleError, match=r"must_hold \(999999.SH\)"):
        solve(clean, rule)
    target = solve(clean, rule, relax=("must_hold",))
    (only,) = target.relaxations
    assert (only.constraint, only.row, only.bound, only.value) == ("must_hold", "999999.SH", 0.01, 0.0)
    assert target.objective == pytest.approx(solve(clean).objective, abs=1e-6)


def test_no_trade_names_stay_at_their_drifted_weight(clean, base_peer):
    inside = np.flatnonzero(np.abs(clean.previous - 0.995 * clean.benchmark) < 0.02)[::7]
    target = solve(clean, {"kind": "no_trade", "symbols": clean.symbols[inside].tolist()})
    np.testing.assert_allclose(target.weights[inside], clean.previous[inside], atol=1e-9)
    for i in inside:
        base_peer.box[i] = (clean.previous[i], clean.previous[i])
    assert target.objective == pytest.approx(-base_peer.solve().fun, rel=1e-7)


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 0.02), (0.03, 0.05), (0.01, 0.01)])
def test_cash_band_frees_the_sum_within_its_edges(clean, base_peer, lower, upper):
    target = solve(clean, {"kind": "cash_band", "lower": lower, "upper": upper})
    assert lower - 1e-9 <= 1.0 - target.weights.sum() <= upper + 1e-9
    ones, none = np.ones(90), np.zeros(90)
    base_peer.at_most(ones, none, 1.0 - lower)
    base_peer.at_most(-ones, none, upper - 1.0)
    assert target.objective == pytest.approx(-base_peer.solve(budget=False).fun, rel=1e-7)
    assert (target.objective >= solve(clean).objective - 1e-9) == (lower <= 0.005 <= upper)


def test_a_cash_band_holds_cash_when_every_score_is_bad(clean):
    r = replace(clean, score=clean.score - 10.0)
    target = solve(r, {"kind": "cash_band", "lower": 0.0, "upper": 0.015})
    assert 1.0 - target.weights.sum() == pytest.approx(0.015, abs=1e-9)
    assert ("cash_band", "cash") in [(x.constraint, x.row) for x in target.binding]


def test_a_band_that_is_none_is_refused():
    with pytest.raises(RecipeError, match=r"constraints.0.*lower 0.02 is above upper 0.01"):
        parse_enhancement({"constraints": [{"kind": "cash_band", "lower": 0.02, "upper": 0.01}]})


@pytest.mark.parametrize(("share", "enough"), [(0.05, False), (0.3, True)])
def test_capacity_is_a_share_of_daily_volume(clean, base_peer, share, enough):
    room = share * clean.adv / 1e8
    target = solve(clean, {"kind": "capacity", "share": share})
    base_peer.box = [
        (max(low, p - x), min(high, p + x))
        for (low, high), p, x in zip(base_peer.box, clean.previous, room, strict=True)
    ]
    # With little room some names can't come back into their stock bound: the bounds cross, and stock gives way.
    assert all(low <= high for low, high in base_peer.box) == enough
    assert {x.constraint for x in target.relaxations} == (set() if enough else {"stock_active_weight"})
    assert (np.abs(target.weights - clean.previous) <= room + 1e-7).all()
    if enough:
        assert target.objective == pytest.approx(-base_peer.solve().fun, rel=1e-7)
        assert "capacity" in {x.constraint for x in target.binding}


def test_capacity_alone_binds_and_grows_with_the_book(clean):
    base = ({"kind": "turnover", "limit": 2.0},)
    small, large = (
        solve(replace(clean, value=value), {"kind": "capacity", "share": 0.1}, base=base) for value in (1e8, 4e8)
    )
    for target, value in ((small, 1e8), (large, 4e8)):
        room = 0.1 * clean.adv / value
        assert not target.relaxations
        assert (np.abs(target.weights - clean.previous) <= room + 1e-9).all()
        assert {x.constraint for x in target.binding} == {"capacity"}
    assert large.objective < small.objective


def test_a_name_without_volume_is_not_traded(clean):
    adv = np.where(np.arange(90) % 9 == 0, 0.0, 1e12)
    base = ({"kind": "turnover", "limit": 2.0},)
    target = solve(replace(clean, adv=adv), {"kind": "capacity"}, base=base)
    np.testing.assert_allclose(target.weights[::9], clean.previous[::9], atol=1e-12)


@pytest.mark.parametrize("missing", ["adv", "value"])
def test_capacity_without_its_facts_is_refused(clean, missing):
    with pytest.raises(DataError, match="capacity needs adv and value"):
        solve(replace(clean, **{missing: None}), {"kind": "capacity"})


def test_the_heuristic_leaves_nothing_or_a_minimum(clean):
    minimum = 0.01
    plain, few = solve(clean), solve(clean, {"kind": "minimum_weight_heuristic", "minimum": minimum})
    recorded = {x.row for x in few.relaxations if x.constraint == "minimum_weight_heuristic"}
    small = (few.weights > 1e-9) & (few.weights < minimum - 1e-9)
    assert set(clean.symbols[small].tolist()) <= recorded
    assert (few.weights > 1e-9).sum() < (plain.weights > 1e-9).sum()
    assert few.iterations > plain.iterations  # the first answer's count in


def test_the_heuristic_is_off_by_default(clean):
    plain = solve(clean)
    assert plain == solve(clean, {"kind": "minimum_weight_heuristic"})


def test_the_heuristic_alone_keeps_its_minimum_and_the_frozen_theirs(week):
    r = week(8, 60, frozen=0.1, unbuyable=0.1)
    base = ({"kind": "stock_active_weight", "limit": 0.03}, {"kind": "turnover", "limit": 2.0})
    few = solve(r, {"kind": "minimum_weight_heuristic", "minimum": 0.008}, base=base, relax=("names", "stock"))
    small = (few.weights > 1e-9) & (few.weights < 0.008 - 1e-9) & ~r.frozen
    recorded = {x.row for x in few.relaxations if x.constraint == "minimum_weight_heuristic"}
    assert set(r.symbols[small].tolist()) <= recorded
    assert (few.weights[r.frozen] == r.previous[r.frozen]).all()
