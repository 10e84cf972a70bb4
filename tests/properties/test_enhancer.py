"""Any day, feasible or not: every limit holds to 1e-7 or stands in the relaxations, which are the least in their order.

The least totals come from `linprog` on programs of its own, family by family.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.core.kind import Kind
from deepfactor.portfolio.enhancer import EnhanceSettings, IndexEnhancer
from deepfactor.portfolio.problem import TOLERANCE, Rebalance, Target
from oracles.linear_program import KEYS, NAMES, least_violations, make_peer
from support.rebalances import make_week

SETTING = {"style": "default", "constituents": "minimum"}
LISTS = ("restricted", "must_hold", "no_trade", "capacity")


def solve(r: Rebalance, limits: dict[str, float], *more: Kind, relax: tuple[str, ...] = ()) -> Target:
    kinds = [Kind(kind=NAMES.get(f, "stock_active_weight"), **{SETTING.get(f, "limit"): v}) for f, v in limits.items()]
    order = {"relax_order": (*relax, *EnhanceSettings().relax_order)}
    return IndexEnhancer(EnhanceSettings(constraints=(*kinds, *more), **order)).solve(r)


days = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(8, 40),
    "frozen": st.sampled_from([0.0, 0.1, 0.5]),
    "stock": st.sampled_from([0.005, 0.02, 0.1]),
    "industry": st.sampled_from([0.0, 0.02]),
    "style": st.sampled_from([0.0, 0.3]),
    "constituents": st.sampled_from([0.5, 0.8, 1.0]),
    "turnover": st.sampled_from([0.0, 0.05, 0.3]),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(first=st.booleans(), **days)
def test_relaxations_are_the_least_in_their_order(seed, n, frozen, first, **limits):
    r = make_week(seed, n, frozen=frozen, first=first)
    target = solve(r, limits)
    wanted: dict[str, float] | None = {}
    if make_peer(r, **{KEYS.get(f, f): v for f, v in limits.items()}).solve().status != 0:
        wanted = least_violations(r, limits if not first else {f: v for f, v in limits.items() if f != "turnover"})
    gave_way = [x for x in target.relaxations if x.reason in ("infeasible", "untradeable")]
    if wanted is None:  # only stock bounds could help
        assert "stock_active_weight" in {x.constraint for x in gave_way}
        return
    assert "stock_active_weight" not in {x.constraint for x in gave_way}
    for family, name in NAMES.items():
        unit = 0.995 if family == "constituents" else 1.0  # the peer's row is in weight, ours a share of the invested
        total = sum(abs(x.value - x.bound) for x in gave_way if x.constraint == name)
        assert abs(unit * total - wanted.get(family, 0.0)) < 2e-7, family


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    never=st.integers(0, 4),
    out=st.integers(0, 4),
    held=st.sampled_from([0.0, 0.01, 0.2]),
    still=st.integers(0, 6),
    share=st.sampled_from([0.01, 0.3, 10.0]),
    cash=st.sampled_from([(0.0, 0.01), (0.02, 0.03)]),
    **days,
)
def test_lists_capacity_and_cash_hold_or_are_recorded(seed, n, frozen, never, out, held, still, share, cash, **limits):
    g = np.random.default_rng(seed)
    r = replace(make_week(seed, n, frozen=frozen), adv=g.lognormal(16.0, 1.5, n), value=1e8)
    names = r.symbols[g.permutation(n)].tolist()
    buys, sells, holds, leaves = names[:never], names[-out:] if out else [], names[4:5], names[:still]
    target = solve(
        r,
        limits,
        Kind(kind="restricted", never_buy=buys, must_sell=sells),
        Kind(kind="must_hold", weights=dict.fromkeys(holds, held)),
        Kind(kind="no_trade", symbols=leaves),
        Kind(kind="capacity", share=share),
        Kind(kind="cash_band", lower=cash[0], upper=cash[1]),
        relax=("must_hold", "restricted", "no_trade", "capacity", "cash"),
    )
    w, p = (
        dict(zip(r.symbols.tolist(), target.weights, strict=True)),
        dict(zip(r.symbols.tolist(), r.previous, strict=True)),
    )
    adv = dict(zip(r.symbols.tolist(), r.adv, strict=True))
    broken = {("restricted", s) for s in buys if s not in sells and w[s] > p[s] + TOLERANCE}
    broken |= {("restricted", s) for s in sells if w[s] > TOLERANCE}
    broken |= {("must_hold", s) for s in holds if w[s] < held - TOLERANCE}
    broken |= {("no_trade", s) for s in leaves if abs(w[s] - p[s]) > TOLERANCE}
    broken |= {("capacity", s) for s in w if abs(w[s] - p[s]) > share * adv[s] / 1e8 + TOLERANCE}
    if not cash[0] - TOLERANCE <= 1.0 - sum(w.values()) <= cash[1] + TOLERANCE:
        broken.add(("cash_band", "cash"))
    assert broken <= {(x.constraint, x.row) for x in target.relaxations}
    assert (target.weights >= 0).all()
    assert target.weights.sum() <= 1.0 + TOLERANCE
    assert (target.weights[r.frozen] == r.previous[r.frozen]).all()
    assert (target.weights[~r.buyable] <= r.previous[~r.buyable] + TOLERANCE).all()
    active = target.weights - 0.995 * r.benchmark
    for code in np.unique(r.industry):
        row = ("industry_active_weight", "unknown" if code < 0 else str(code))
        kept = abs(active[r.industry == code].sum()) <= limits["industry"] + TOLERANCE
        assert kept or row in {(x.constraint, x.row) for x in target.relaxations}
