"""The enhancer against scipy's `linprog`, its own residuals, and every constraint recomputed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind
from deepfactor.portfolio import _lp
from deepfactor.portfolio.enhancer import EnhanceSettings, IndexEnhancer
from deepfactor.portfolio.presets import parse_enhancement
from deepfactor.portfolio.problem import TOLERANCE, Rebalance, SolverError, Target


def enhancer(*, stock=0.01, industry=0.02, style=0.3, members=0.8, turnover=0.3, sided="two", since="drifted", **more):
    kinds = [
        {"kind": "stock_active_weight", "limit": stock},
        {"kind": "industry_active_weight", "limit": industry},
        {"kind": "style_active_exposure", "default": style},
        {"kind": "constituents_weight", "minimum": members},
        {"kind": "turnover", "limit": turnover, "sided": sided, "turnover_from": since},
    ]
    return IndexEnhancer(EnhanceSettings(constraints=tuple(Kind(**k) for k in kinds), **more))


@pytest.mark.parametrize("seed", range(32))
def test_objective_agrees_with_linprog(week, peer, seed):
    g = np.random.default_rng(seed)
    r = week(seed, int(g.integers(50, 301)), first=seed % 5 == 0, styles=("SIZE", "VALUE")[: 1 + seed % 2])
    one, target = seed % 3 == 0, seed % 4 == 1
    ours = enhancer(
        turnover=0.15 if one else 0.3, sided="one" if one else "two", since="target" if target else "drifted"
    ).solve(r)
    origin = r.previous_target if target and not r.first else r.previous
    theirs = peer(r, stock=0.01, industry=0.02, style=0.3, members=0.8, turnover=0.3, origin=origin).solve()
    assert theirs.status == 0
    assert ours.objective == pytest.approx(-theirs.fun, rel=1e-7)
    assert ours.objective == pytest.approx(float(r.score @ ours.weights), rel=1e-12)
    assert max(ours.primal_residual, ours.dual_residual, abs(ours.gap)) < 1e-9
    assert not [x for x in ours.relaxations if x.reason in ("infeasible", "untradeable")]
    assert ours.conflict == ()


def broken(r: Rebalance, w: np.ndarray, *, stock, industry, style, members, turnover) -> set[tuple[str, str]]:
    """(constraint, row) of every limit that `w` breaks by more than the tolerance, by plain loops."""
    active = w - 0.995 * r.benchmark
    found = {("stock_active_weight", str(s)) for s, a in zip(r.symbols, active, strict=True) if abs(a) > stock + 1e-7}
    for code in set(r.industry.tolist()):
        if abs(sum(active[r.industry == code])) > industry + 1e-7:
            found.add(("industry_active_weight", "unknown" if code < 0 else str(code)))
    found |= {("style_active_exposure", k) for k, x in r.styles.items() if abs(sum(active * x)) > style + 1e-7}
    if sum(w[r.member]) / 0.995 < members - 1e-7:
        found.add(("constituents_weight", "members"))
    if not r.first and sum(abs(w - r.previous)) > turnover + 1e-7:
        found.add(("turnover", "two-sided"))
    return found


def check_target(r: Rebalance, target: Target, **limits: float) -> None:
    w = target.weights
    assert abs(w.sum() - 0.995) < 1e-7
    assert (w >= 0).all()
    assert (w[r.frozen] == r.previous[r.frozen]).all()
    assert (w <= r.previous + 1e-7)[~r.buyable].all()
    assert broken(r, w, **limits) <= {(x.constraint, x.row) for x in target.relaxations}
    for x in target.relaxations:
        assert abs(x.value) > abs(x.bound) or x.constraint == "constituents_weight"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(12, 70),
    first=st.booleans(),
    frozen=st.sampled_from([0.0, 0.1, 0.5]),
    stock=st.sampled_from([0.002, 0.01, 0.1]),
    industry=st.sampled_from([0.0, 0.02]),
    style=st.sampled_from([0.0, 0.3]),
    members=st.sampled_from([0.0, 0.8, 1.0]),
    turnover=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_target_keeps_every_row_that_is_not_recorded(week, seed, n, first, frozen, **limits):
    r = week(seed, n, first=first, frozen=frozen)
    target = enhancer(**limits).solve(r)
    check_target(r, target, **limits)
    assert target.primal_residual <= TOLERANCE
    assert abs(target.gap) <= TOLERANCE


def test_score_alone_goes_all_in(week):
    r = week(1, 30, first=True, frozen=0.0)
    target = IndexEnhancer(EnhanceSettings(cash=0.1)).solve(r)
    best = np.argmax(np.where(r.buyable, r.score, -np.inf))
    assert target.weights[best] == 0.9
    assert target.weights.sum() == 0.9


def test_name_that_left_the_universe_is_only_sold(week):
    r = week(2, 60, frozen=0.0, unbuyable=0.0)
    gone = int(np.argmax(r.benchmark == 0))
    previous = 0.9 * r.previous
    previous[gone] = 0.05
    score = r.score.copy()
    score[gone] = 9.0
    buyable = np.arange(60) != gone
    r = replace(r, previous=previous, score=score, buyable=buyable)
    target = IndexEnhancer(EnhanceSettings()).solve(r)
    assert target.weights[gone] == pytest.approx(0.05, abs=1e-12)
    assert target.status == "optimal"


def test_names_of_no_industry_are_a_group(week):
    r = week(5, 80, frozen=0.0, unbuyable=0.0, styles=())
    score = np.where(r.industry < 0, 5.0, r.score)
    w = enhancer(industry=0.0, turnover=2.0, members=0.0).solve(replace(r, score=score)).weights
    assert w[r.industry < 0].sum() == pytest.approx(0.995 * r.benchmark[r.industry < 0].sum(), abs=1e-9)


def test_same_facts_give_the_same_bits(week):
    r = week(7, 200)
    one, two = enhancer().solve(r), enhancer().solve(r)
    assert one == two
    assert (one.weights == two.weights).all()


@pytest.mark.parametrize(
    ("constraint", "step"),
    [("industry_active_weight", 1e-5), ("stock_active_weight", 1e-5), ("style_active_exposure", 1e-4)],
)
def test_shadow_price_is_the_slope_of_the_objective(week, constraint, step):
    r = week(11, 120, frozen=0.0, unbuyable=0.0)
    settings_ = {"industry": 0.02, "stock": 0.01, "style": 0.05}
    before = enhancer(**settings_).solve(r)
    name = constraint.split("_")[0]
    after = enhancer(**{**settings_, name: settings_[name] + step}).solve(r)
    # Raising the limit lifts upper bounds and lowers lower ones: prices of lower bounds are negative.
    slope = sum(abs(x.shadow_price) for x in before.binding if x.constraint == constraint)
    assert slope > 0
    assert (after.objective - before.objective) / step == pytest.approx(slope, rel=1e-3)


def test_turnover_price_and_binding_row(week):
    r = week(12, 120, frozen=0.0, unbuyable=0.0)
    before, after = enhancer(turnover=0.2).solve(r), enhancer(turnover=0.2 + 1e-5).solve(r)
    (row,) = [x for x in before.binding if x.constraint == "turnover"]
    assert (row.row, row.bound) == ("two-sided", 0.2)
    assert (after.objective - before.objective) / 1e-5 == pytest.approx(row.shadow_price, rel=1e-3)


@pytest.mark.parametrize("seed", range(40, 46))
def test_prices_of_rows_are_the_duals_of_linprog(week, peer, seed):
    r = week(seed, 90, styles=("SIZE", "VALUE"))
    ours = enhancer(style=0.1, members=0.9, turnover=0.2).solve(r)
    program = peer(r, stock=0.01, industry=0.02, style=0.1, members=0.9, turnover=0.2)
    theirs = program.solve()
    assert ours.objective == pytest.approx(-theirs.fun, rel=1e-9)
    codes = ["unknown" if code < 0 else str(code) for code in sorted(set(r.industry.tolist()))]
    two_sided = [*(("industry_active_weight", c) for c in codes), *(("style_active_exposure", s) for s in r.styles)]
    # linprog minimises -score, and has each lower limit as an upper one of the row turned round.
    price = -theirs.ineqlin.marginals[2 * 90 :]
    wanted = {row: price[2 * k] - price[2 * k + 1] for k, row in enumerate(two_sided)}
    wanted["constituents_weight", "members"] = -0.995 * price[-2]
    wanted["turnover", "two-sided"] = price[-1]
    found = {(x.constraint, x.row): x.shadow_price for x in ours.binding}
    for row, value in wanted.items():
        assert found.get(row, 0.0) == pytest.approx(value, abs=1e-7), row
    assert sum(abs(value) > 1e-6 for value in wanted.values()) >= 2


def test_a_wrong_answer_of_the_solver_is_caught(week, monkeypatch):
    r = week(3, 60)
    honest = _lp.solve_lp

    def off(lp):
        outcome = honest(lp)
        return replace(outcome, x=outcome.x * (1 + 1e-3))

    monkeypatch.setattr("deepfactor.portfolio.enhancer.solve", off)
    with pytest.raises(SolverError, match="fails its check"):
        enhancer().solve(r)


def test_a_worse_vertex_is_caught_by_the_gap(week, monkeypatch):
    r = week(3, 60)
    honest = _lp.solve_lp

    def poor(lp):
        feasible = honest(replace(lp, cost=-lp.cost))
        return replace(feasible, objective=float(lp.cost @ feasible.x), row_price=-feasible.row_price)

    monkeypatch.setattr("deepfactor.portfolio.enhancer.solve", poor)
    with pytest.raises(SolverError, match="gap"):
        enhancer().solve(r)


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ({"relax_order": ("turnover", "beta")}, "relax_order.1", "stock, style, turnover"),
        ({"relax_order": ("stock", "stock")}, "relax_order.1", "twice"),
        ({"constraints": (Kind(kind="stock_weight"),)}, "constraints.0.kind", "stock_active_weight"),
        ({"constraints": (Kind(kind="turnover", limits=1),)}, "constraints.0.limits", "turnover_from"),
        ({"constraints": (Kind(kind="turnover", limit=-1),)}, "constraints.0.limit", "greater than or equal to 0"),
    ],
)
def test_wrong_settings_name_the_key_and_the_choice(more, key, says):
    with pytest.raises(RecipeError) as caught:
        parse_enhancement(more, key="portfolios.2")
    assert f"portfolios.2.{key}" in str(caught.value)
    assert says in str(caught.value)


def test_two_turnover_rows_need_one_origin(week):
    kinds = tuple(Kind(kind="turnover", turnover_from=x) for x in ("drifted", "target"))
    with pytest.raises(RecipeError, match="same weights"):
        IndexEnhancer(EnhanceSettings(constraints=kinds)).solve(week(1, 60))
