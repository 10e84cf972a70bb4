"""A limit on the tracking error and an aversion to risk: against a general solver, the linear program, and by proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, load_preset, parse_enhancement
from deepfactor.portfolio.problem import InfeasibleError, Rebalance, Target
from deepfactor.portfolio.what_if import change
from support.rebalances import make_week, with_risk

STYLES = ("SIZE", "BETA")


def enhancement(limit: float | None = None, aversion: float = 0.0, **other: object) -> Enhancement:
    content = load_preset("study_b").model_dump(mode="json") | {"risk_aversion": aversion}
    content["relax_order"] = ["turnover", "risk", "style", "industry", "constituents", "stock"]
    if limit is not None:
        content["constraints"] = [*content["constraints"], {"kind": "tracking_error", "limit": limit}]
    return parse_enhancement(content | other)


def solve(r: Rebalance, limit: float | None = None, aversion: float = 0.0) -> Target:
    return IndexEnhancer(enhancement(limit, aversion)).solve(r)


def week(seed: int, n: int = 80, **other: object) -> Rebalance:
    return with_risk(make_week(seed, n, styles=STYLES, **other), seed)  # type: ignore[arg-type]


def deviation(r: Rebalance, weights: np.ndarray) -> float:
    assert r.risk is not None
    return r.risk.tracking_error(weights - 0.995 * r.benchmark)


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n=st.integers(30, 300), tight=st.floats(0.35, 0.99))
@settings(max_examples=25, deadline=None)
def test_the_limit_holds_and_the_proof_is_tight(seed: int, n: int, tight: float) -> None:
    r = week(seed, n)
    free = solve(r)
    got = solve(r, tight * deviation(r, free.weights))
    asked = tight * deviation(r, free.weights)
    relaxed = {one.constraint for one in got.relaxations}
    if "tracking_error" not in relaxed:
        assert deviation(r, got.weights) <= asked + 1e-8
    assert got.primal_residual <= 1e-8
    assert abs(got.gap) <= 1e-6
    if not got.relaxations:
        assert got.objective <= free.objective + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_a_general_solver_finds_nothing_better(seed: int) -> None:
    """SciPy's SLSQP on weights and trades, from the optimum and from the book: dense and written apart."""
    r = week(seed, 24, frozen=0.0, unbuyable=0.0, industries=2)
    limit = 0.7 * deviation(r, solve(r).weights)
    got = solve(r, limit)
    assert not got.relaxations
    turnover, bounds = 0.3, []
    n, reference = len(r), 0.995 * r.benchmark
    origin = r.previous_target
    assert origin is not None
    assert r.risk is not None
    for i in range(n):
        low, high = max(reference[i] - 0.008, 0.0), reference[i] + 0.008
        bounds.append((min(low, 1.0), max(high, 0.0)))
    dense = r.risk.exposures.T @ r.risk.covariance @ r.risk.exposures + np.diag(r.risk.specific)
    rows = [np.ones(n), *((r.industry == k).astype(float) for k in np.unique(r.industry)), *r.styles.values()]
    wide = [0.0, *[0.02] * len(np.unique(r.industry)), *[0.3] * len(r.styles)]
    matrix = np.hstack([np.array(rows), np.zeros((len(rows), n))])
    centre = np.array(rows) @ reference
    members = np.concatenate([r.member / 0.995, np.zeros(n)])
    eye = np.eye(n)
    trades = np.vstack([np.hstack([eye, -eye]), np.hstack([-eye, -eye])])
    constraints = [
        LinearConstraint(matrix[:1], centre[:1], centre[:1]),
        LinearConstraint(matrix[1:], (centre - wide)[1:], (centre + wide)[1:]),
        LinearConstraint(members, 0.8, np.inf),
        LinearConstraint(trades, -np.inf, np.concatenate([origin, -origin])),
        LinearConstraint(np.concatenate([np.zeros(n), np.ones(n)]), 0.0, turnover),
        NonlinearConstraint(
            lambda x: (x[:n] - reference) @ dense @ (x[:n] - reference) / limit**2,
            -np.inf,
            1.0,
            jac=lambda x: np.concatenate([2 * dense @ (x[:n] - reference), np.zeros(n)]) / limit**2,
        ),
    ]
    start = np.concatenate([got.weights, np.abs(got.weights - origin)])
    slope = np.concatenate([-r.score, np.zeros(n)])
    found = minimize(
        lambda x: float(slope @ x),
        start * 0.9 + 0.1 * np.concatenate([reference, np.zeros(n)]),
        jac=lambda x: slope,
        bounds=[*bounds, *[(0, 1)] * n],
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert -found.fun == pytest.approx(got.objective, rel=1e-5, abs=1e-6)


def test_a_limit_that_does_not_bind_gives_the_linear_program_bit_for_bit() -> None:
    r = week(1, 120)
    free, wide = solve(r), solve(r, 0.9)
    assert free.weights.tobytes() == wide.weights.tobytes()
    assert replace(free, iterations=0) == replace(wide, iterations=0)


@pytest.mark.parametrize("seed", range(5))
def test_an_aversion_of_nearly_nothing_gives_the_linear_program(seed: int) -> None:
    r = week(seed, 150)
    np.testing.assert_allclose(solve(r, aversion=1e-9).weights, solve(r).weights, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_more_aversion_is_less_risk_and_less_score(seed: int) -> None:
    r = week(seed, 150)
    targets = [solve(r, aversion=x) for x in (0.0, 3.0, 30.0, 300.0)]
    risks = [deviation(r, one.weights) for one in targets]
    scores = [float(r.score @ one.weights) for one in targets]
    assert np.all(np.diff(risks) < 1e-9)
    assert np.all(np.diff(scores) < 1e-9)
    assert risks[-1] < 0.9 * risks[0]
    assert targets[2].objective == pytest.approx(scores[2] - 30 * risks[2] ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_the_price_of_the_limit_is_what_a_wider_one_gains(seed: int) -> None:
    r = week(seed, 150)
    limit, step = 0.7 * deviation(r, solve(r).weights), 1e-6
    narrow, wide = solve(r, limit - step), solve(r, limit + step)
    (price,) = [b.shadow_price for b in solve(r, limit).binding if b.constraint == "tracking_error"]
    assert price == pytest.approx((wide.objective - narrow.objective) / (2 * step), rel=1e-3)


def test_the_price_of_another_bound_beside_a_limit() -> None:
    r = week(3, 150)
    limit = 0.8 * deviation(r, solve(r).weights)

    def at(turnover: float) -> Target:
        return IndexEnhancer(change(enhancement(limit), f"turnover.limit={turnover}").enhancement).solve(r)

    (price,) = [b.shadow_price for b in at(0.15).binding if b.constraint == "turnover"]
    assert price == pytest.approx((at(0.15 + 1e-5).objective - at(0.15 - 1e-5).objective) / 2e-5, rel=1e-3)


@pytest.mark.slow
def test_a_book_too_far_from_its_index_gives_way_in_the_order_asked() -> None:
    """Turnover first; with turnover fixed, the tracking error by the least that can be had."""
    r = week(5, 120, drift=1.2)
    limit = 0.01
    first = IndexEnhancer(enhancement(limit)).solve(r)
    assert first.status == "relaxed"
    assert ("tracking_error", "annual") in first.conflict
    assert {one.constraint for one in first.relaxations} <= {"turnover", "tracking_error", "stock_active_weight"}
    fixed = enhancement(limit, relax_order=["risk", "stock"])
    second = IndexEnhancer(fixed).solve(r)
    (relaxation,) = [one for one in second.relaxations if one.constraint == "tracking_error"]
    assert relaxation.bound == limit
    assert relaxation.value == pytest.approx(deviation(r, second.weights))
    assert relaxation.value > limit
    slightly = change(fixed, f"tracking_error.limit={relaxation.value - 2e-4}").enhancement
    assert [one.constraint for one in IndexEnhancer(slightly).solve(r).relaxations].count("tracking_error") == 1
    enough = change(fixed, f"tracking_error.limit={relaxation.value + 1e-6}").enhancement
    assert [one for one in IndexEnhancer(enough).solve(r).relaxations if one.constraint == "tracking_error"] == []


def test_what_can_not_hold_together_is_named() -> None:
    r = week(5, 120, frozen=0.0, unbuyable=0.0)
    wide = "max_active_weight=0.1,max_industry_weight=0.5,max_style_exposure=5,min_constituents=0"
    tight = "turnover.turnover_from=drifted,turnover.limit=0.05"
    asked = change(enhancement(0.001, relax_order=["style"]), f"{wide},{tight}")
    with pytest.raises(InfeasibleError, match=r"tracking_error \(annual\).*turnover") as caught:
        IndexEnhancer(asked.enhancement).solve(r)
    assert ("tracking_error", "annual") in caught.value.conflict


def test_without_a_forecast_it_is_refused() -> None:
    r = make_week(0, styles=STYLES)
    with pytest.raises(DataError, match="tracking_error needs a risk model"):
        solve(r, 0.05)
    with pytest.raises(DataError, match="risk_aversion needs a risk model"):
        solve(r, aversion=1.0)


def test_two_limits_are_refused() -> None:
    twice = enhancement(0.05).model_dump(mode="json")
    twice["constraints"].append({"kind": "tracking_error", "limit": 0.04})
    with pytest.raises(RecipeError, match="limited twice"):
        IndexEnhancer(parse_enhancement(twice)).solve(week(0))


def test_the_preset_and_what_if() -> None:
    preset = load_preset("study_b_te")
    assert preset.of_risk is not None
    assert load_preset("study_b").of_risk is None
    bare = [one.kind for one in preset.constraints if one.kind != "tracking_error"]
    assert bare == [one.kind for one in load_preset("study_b").constraints]
    scenario = change(load_preset("study_b"), "max_tracking_error=0.03,risk_aversion=2.5")
    assert scenario.enhancement.of_risk is not None
    assert scenario.changed == {"tracking_error.limit": (None, 0.03), "risk_aversion": (0.0, 2.5)}


def test_the_first_portfolio_and_frozen_names() -> None:
    for r in (week(2, 100, first=True), week(2, 100, frozen=0.3)):
        limit = 0.8 * deviation(r, solve(r).weights)
        got = solve(r, limit)
        np.testing.assert_array_equal(got.weights[r.frozen], r.previous[r.frozen])
        if "tracking_error" not in {one.constraint for one in got.relaxations}:
            assert deviation(r, got.weights) <= limit + 1e-8


@pytest.mark.parametrize("seed", range(8))
def test_days_on_which_much_gives_way_are_proved_too(seed: int) -> None:
    """Turnover and the limit both below what can be had."""
    r = week(seed, 250, drift=0.8, industries=20)
    asked = change(enhancement(0.008), "turnover.limit=0.05,turnover.turnover_from=drifted").enhancement
    got = IndexEnhancer(asked).solve(r)
    assert got.status == "relaxed"
    assert got.primal_residual <= 1e-8
    assert abs(got.gap) <= 1e-4
