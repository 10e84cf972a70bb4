"""Infeasible days: what gives way, in which order, by how much; against arithmetic and against `linprog`."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from deepfactor.core.kind import Kind
from deepfactor.portfolio._assembly import assemble, build_model
from deepfactor.portfolio._lp import Infeasible, solve_lp
from deepfactor.portfolio.enhancer import EnhanceSettings, IndexEnhancer
from deepfactor.portfolio.problem import Bounds, InfeasibleError, Rebalance
from deepfactor.portfolio.relaxation import relax
from oracles.linear_program import KEYS, NAMES, least_violations


def enhancer(*kinds: dict, **more) -> IndexEnhancer:
    return IndexEnhancer(EnhanceSettings(constraints=tuple(Kind(**k) for k in kinds), **more))


STOCK = {"kind": "stock_active_weight", "limit": 0.01}
NEUTRAL = {"kind": "industry_active_weight", "limit": 0.0}
SIZE = {"kind": "style_active_exposure", "default": 0.0}
MEMBERS = {"kind": "constituents_weight", "minimum": 1.0}
TURNOVER = {"kind": "turnover", "limit": 0.3}


def even_week(n: int = 10, *, industries: int = 2, **changes) -> Rebalance:
    """n names of equal index weight, the book fully on the index, industries 0, 1, 0, 1 ..."""
    r = Rebalance(
        date=np.datetime64("2020-01-10"),
        symbols=np.array([f"{600000 + i}.SH" for i in range(n)]),
        score=np.linspace(-1.0, 1.0, n),
        previous=np.full(n, 0.995 / n),
        benchmark=np.full(n, 1.0 / n),
        frozen=np.zeros(n, dtype=bool),
        buyable=np.ones(n, dtype=bool),
        member=np.ones(n, dtype=bool),
        industry=np.arange(n) % industries,
        styles={},
        first=False,
    )
    return replace(r, **changes)


def violations(target, family: str) -> dict[str, float]:
    """Row -> size of the violation, for the relaxations of one constraint."""
    return {x.row: abs(x.value - x.bound) for x in target.relaxations if x.constraint == family}


def test_frozen_name_in_a_neutral_industry_relaxes_industry_by_the_least():
    # Industry 0 is 0.4975 of the reference. One frozen name of it weighs 0.6: 0.1025 too much whatever is done.
    previous = np.full(10, 0.395 / 9)
    previous[0] = 0.6
    frozen = np.arange(10) == 0
    r = even_week(previous=previous, frozen=frozen, buyable=~frozen)
    target = enhancer(NEUTRAL, {**TURNOVER, "limit": 2.0}).solve(r)
    assert violations(target, "industry_active_weight") == pytest.approx({"0": 0.1025, "1": 0.1025}, abs=3e-8)
    assert {x.constraint for x in target.relaxations} == {"industry_active_weight"}
    assert {x.reason for x in target.relaxations} == {"untradeable"}  # one name's state, not the constraints
    assert target.status == "relaxed"
    assert target.conflict == (("industry_active_weight", "0"),)
    # Within the least violation the score is still the best: all of industry 1 on its best name.
    assert target.weights[9] == pytest.approx(0.395, abs=3e-8)


def test_no_turnover_and_a_changed_index_relaxes_turnover_by_the_least():
    # Names 0-4 leave the index, their 0.4975 in the book must come down to 5 * 0.01: at least 2 * 0.4475 is traded.
    benchmark = np.repeat([0.0, 0.2], 5)
    r = even_week(benchmark=benchmark, industry=np.zeros(10, dtype=int))
    target = enhancer(STOCK, NEUTRAL, {**TURNOVER, "limit": 0.0}).solve(r)
    assert violations(target, "turnover") == pytest.approx({"two-sided": 2 * 0.4475}, abs=3e-8)
    assert [x.constraint for x in target.relaxations] == ["turnover"]
    assert set(target.conflict) == {("turnover", "two-sided"), ("stock_active_weight", "names")}


def test_one_sided_turnover_is_half():
    benchmark = np.repeat([0.0, 0.2], 5)
    r = even_week(benchmark=benchmark, industry=np.zeros(10, dtype=int))
    target = enhancer(STOCK, {**TURNOVER, "limit": 0.1, "sided": "one"}).solve(r)
    assert violations(target, "turnover") == pytest.approx({"one-sided": 0.4475 - 0.1}, abs=3e-8)


@pytest.mark.parametrize(("order", "gives"), list(itertools.permutations(["turnover", "stock"])))
def test_the_first_family_of_the_order_gives_way(order, gives):
    # Either would do: the names that left can stay (stock gives way) or be sold (turnover does).
    r = even_week(benchmark=np.repeat([0.0, 0.2], 5), industry=np.zeros(10, dtype=int))
    target = enhancer(STOCK, {**TURNOVER, "limit": 0.0}, relax_order=(order, gives)).solve(r)
    name = {"turnover": "turnover", "stock": "stock_active_weight"}[order]
    assert {x.constraint for x in target.relaxations} == {name}


CASES = [
    ({"stock": 0.02, "industry": 0.0, "style": 0.0, "turnover": 0.02}, {"frozen": 0.1}),
    ({"stock": 0.01, "industry": 0.0, "style": 0.1, "constituents": 1.0, "turnover": 0.1}, {"frozen": 0.3}),
    ({"stock": 0.002, "industry": 0.0, "style": 0.0, "constituents": 1.0, "turnover": 0.3}, {"frozen": 0.05}),
    ({"stock": 0.05, "industry": 0.0, "style": 0.0, "constituents": 0.9, "turnover": 0.0}, {"frozen": 0.6}),
]


def kinds_of(limits: dict[str, float]) -> list[dict]:
    wanted = {"stock": STOCK, "industry": NEUTRAL, "style": SIZE, "constituents": MEMBERS, "turnover": TURNOVER}
    named = {"style": "default", "constituents": "minimum"}
    return [wanted[f] | {named.get(f, "limit"): v} for f, v in limits.items()]


@pytest.mark.parametrize("seed", range(100, 105))
@pytest.mark.parametrize(("limits", "facts"), CASES)
def test_least_violations_agree_with_linprog(week, peer, limits, facts, seed):
    r = week(seed, 40, **facts)
    target = enhancer(*kinds_of(limits)).solve(r)
    wanted = {}
    if peer(r, **{KEYS.get(f, f): v for f, v in limits.items()}).solve().status != 0:
        wanted = least_violations(r, limits)
    for family, name in NAMES.items():
        unit = 0.995 if family == "constituents" else 1.0  # the peer's row is in weight, ours a share of the invested
        found = {x.row: abs(x.value - x.bound) for x in target.relaxations if x.constraint == name}
        assert unit * sum(found.values()) == pytest.approx(wanted.get(family, 0.0), abs=2e-7)


def test_the_linprog_cases_reach_every_family(week):
    seen = set()
    for (limits, facts), seed in itertools.product(CASES, range(100, 105)):
        relaxations = enhancer(*kinds_of(limits)).solve(week(seed, 40, **facts)).relaxations
        seen |= {x.constraint for x in relaxations if x.reason in ("infeasible", "untradeable")}
    assert seen == set(NAMES.values())


@pytest.mark.parametrize(("limits", "facts"), CASES)
def test_who_is_to_blame_is_what_linprog_says_of_the_day_without_frozen_names(week, peer, limits, facts):
    """Where rows gave way: "untradeable" if the same day has a portfolio once the frozen names can be traded."""
    seen = set()
    for seed in range(100, 110):
        r = week(seed, 40, **facts)
        target = enhancer(*kinds_of(limits)).solve(r)
        given = {x.reason for x in target.relaxations} & {"infeasible", "untradeable"}
        if not target.conflict:
            assert not given
            continue
        free = replace(r, frozen=np.zeros(len(r), dtype=bool), buyable=r.buyable | r.frozen)
        solvable = peer(free, **{KEYS.get(f, f): v for f, v in limits.items()}).solve().status == 0
        assert given <= {"untradeable" if solvable else "infeasible"}
        seen |= given
    assert seen


def test_families_not_in_the_order_never_give_way():
    previous = np.full(10, 0.395 / 9)
    previous[0] = 0.6
    frozen = np.arange(10) == 0
    r = even_week(previous=previous, frozen=frozen, buyable=~frozen)
    with pytest.raises(InfeasibleError, match=r"industry_active_weight \(0\).*turnover, style") as caught:
        enhancer(NEUTRAL, TURNOVER, relax_order=("turnover", "style")).solve(r)
    assert caught.value.conflict == (("industry_active_weight", "0"),)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.parametrize(("limits", "facts"), CASES)
def test_the_conflict_is_irreducible(week, peer, limits, facts, seed):
    """By `linprog`: the rows named can't hold together, and can without any one of them."""
    r = week(seed, 40, **facts)
    conflict = enhancer(*kinds_of(limits)).solve(r).conflict

    def can_hold(named: list[tuple[str, str]]) -> bool:
        program = peer(r, stock=limits["stock"] if ("stock_active_weight", "names") in named else None)
        for name, row in named:
            if name not in NAMES.values():
                continue
            family = next(f for f, n in NAMES.items() if n == name)
            whole = peer(r, **{KEYS.get(family, family): limits[family]})
            codes = [str(c) if c >= 0 else "unknown" for c in sorted(set(r.industry.tolist()))]
            at = 2 * codes.index(row) if family == "industry" else 0
            for line in range(at, min(at + 2, len(whole.rows))):
                program.at_most(whole.rows[line][:40], whole.rows[line][40:], whole.upper[line])
        return program.solve(np.zeros(80), budget=("budget", "sum of weights") in named).status == 0

    if conflict:
        assert not can_hold(list(conflict))
        for one in conflict:
            assert can_hold([x for x in conflict if x != one])


@pytest.mark.parametrize("allowed", [True, False])
def test_frozen_name_beyond_its_own_bound(allowed):
    previous = np.full(10, 0.895 / 9)
    previous[3] = 0.1
    frozen = np.arange(10) == 3
    benchmark = np.full(10, 0.97 / 9)
    benchmark[3] = 0.03
    r = even_week(previous=previous, benchmark=benchmark / benchmark.sum(), frozen=frozen, buyable=~frozen)
    if not allowed:
        with pytest.raises(InfeasibleError, match=r"stock_active_weight \(600003.SH\)"):
            enhancer(STOCK, relax_order=("turnover",)).solve(r)
        return
    target = enhancer(STOCK).solve(r)
    (only,) = target.relaxations
    assert (only.constraint, only.row, only.bound, only.reason) == ("stock_active_weight", "600003.SH", 0.01, "frozen")
    assert only.value == pytest.approx(0.1 - 0.995 * 0.03, abs=1e-12)
    assert target.weights[3] == 0.1
    assert target.conflict == ()


def test_index_heavyweight_that_cannot_be_bought_is_recorded():
    benchmark = np.full(10, 0.8 / 9)
    benchmark[5] = 0.2
    r = even_week(benchmark=benchmark / benchmark.sum(), buyable=np.arange(10) != 5)
    target = enhancer({**STOCK, "limit": 0.05}).solve(r)
    (only,) = target.relaxations
    assert (only.row, only.bound, only.reason) == ("600005.SH", -0.05, "not_buyable")
    assert target.weights[5] == pytest.approx(0.0995, abs=1e-9)


def test_stock_bounds_give_way_last_and_by_the_least():
    # 10 names, each at most 0.005 above 0: nothing adds up to 0.995 unless the bounds give 0.945 in all.
    benchmark = np.zeros(11)
    benchmark[10] = 1.0
    frozen = np.arange(11) == 10
    r = even_week(11, benchmark=benchmark, previous=np.zeros(11), frozen=frozen, buyable=~frozen, first=True,
                  industry=np.zeros(11, dtype=int))  # fmt: skip
    target = enhancer({**STOCK, "limit": 0.005}, NEUTRAL).solve(r)
    sizes = {x.row: abs(x.value - x.bound) for x in target.relaxations if x.reason == "untradeable"}
    assert sum(sizes.values()) == pytest.approx(0.995 - 10 * 0.005, abs=3e-8)
    assert [x.row for x in target.relaxations if x.reason == "frozen"] == ["600010.SH"]
    assert sizes == pytest.approx({"600009.SH": 0.945}, abs=1e-7)  # all of it on the best score


@pytest.mark.parametrize(("each", "frozen", "reason"), [(0.09, 10, "not_buyable"), (0.0998, 10, "frozen")])
def test_a_book_that_cannot_be_traded_stands_as_it_is(each, frozen, reason):
    """The day of July 2015 on which 1,339 of 1,401 names were frozen: the book held more than 1 - cash of them."""
    r = even_week(previous=np.full(10, each), frozen=np.arange(10) < frozen, buyable=np.zeros(10, dtype=bool))
    target = enhancer(TURNOVER).solve(r)
    assert target.weights.tolist() == [each] * 10
    (only,) = target.relaxations
    assert (only.constraint, only.row, only.bound, only.reason) == ("budget", "sum of weights", 0.995, reason)
    assert only.value == pytest.approx(10 * each, abs=1e-12)


def test_what_can_be_sold_is_sold_where_frozen_names_leave_less_cash_than_was_asked():
    previous = np.append(np.full(9, 0.111), 0.0005)
    frozen = np.arange(10) < 9
    target = enhancer(STOCK, NEUTRAL, TURNOVER).solve(even_week(previous=previous, frozen=frozen, buyable=~frozen))
    assert target.weights == pytest.approx([0.111] * 9 + [0.0], abs=1e-12)
    assert violations(target, "budget") == {"sum of weights": pytest.approx(0.999 - 0.995, abs=1e-12)}


def test_bounds_that_cross_are_named_and_relaxed_in_order():
    """Two constraints on one name that leave it no weight, as a list of must-hold names could."""
    r = even_week(2, industries=1)
    edge = np.array([0.3, 1.0])
    at_least = Bounds("must_hold", "list", r.symbols, np.array([0.4, 0.0]), np.ones(2), np.zeros(2))
    at_most = Bounds("stock_cap", "stock", r.symbols, np.zeros(2), edge, np.zeros(2))
    model = build_model(r, 0.995, [at_least, at_most])
    hard = assemble(model)
    failed = solve_lp(hard.lp)
    assert isinstance(failed, Infeasible)
    relaxed = relax(model, hard, failed, ("stock",))
    assert relaxed.conflict == (("must_hold", "600000.SH"), ("stock_cap", "600000.SH"))
    weights = relaxed.assembly.weights(model, solve_lp(relaxed.lp).x)
    assert weights == pytest.approx([0.4, 0.595], abs=2e-8)
