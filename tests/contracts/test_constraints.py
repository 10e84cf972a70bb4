"""What every constraint must keep; a new file in the room is found unasked."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in
from deepfactor.core.spec import Spec
from deepfactor.portfolio.constraints.base import ROOM
from deepfactor.portfolio.enhancer import DEFAULT_RELAX_ORDER
from deepfactor.portfolio.problem import Bounds, Deviation, Rebalance, Rows
from support.rebalances import with_risk

KINDS = kinds_in("deepfactor.portfolio.constraints")
#: Settings that limit something, where the defaults don't.
MORE = {
    "restricted": {"never_buy": ("600001.SH",), "must_sell": ("600020.SH", "600999.SH")},
    "must_hold": {"weights": {"600001.SH": 0.001, "600002.SH": 0.0}},
    "no_trade": {"symbols": ("600002.SH", "600020.SH", "600999.SH")},
    "minimum_weight_heuristic": {"minimum": 0.01},
}


def rebalance(n: int = 30) -> Rebalance:
    g = np.random.default_rng(0)
    benchmark = np.where(np.arange(n) < n // 2, g.random(n), 0.0)
    previous = g.random(n)
    bare = Rebalance(
        date=np.datetime64("2020-01-10"),
        symbols=np.array([f"{600000 + i}.SH" for i in range(n)]),
        score=g.standard_normal(n),
        previous=0.9 * previous / previous.sum(),
        benchmark=benchmark / benchmark.sum(),
        frozen=np.arange(n) % 7 == 0,
        buyable=np.arange(n) % 7 > 1,
        member=benchmark > 0,
        industry=np.arange(n) % 4 - 1,
        styles={"SIZE": g.standard_normal(n)},
        first=False,
        previous_target=0.9 * benchmark / benchmark.sum(),
        adv=1e7 * g.random(n),
        value=1e8,
    )
    return with_risk(bare, 0)


def test_the_studies_constraints_are_here():
    assert {ROOM.load(k).FAMILY for k in KINDS} >= set(DEFAULT_RELAX_ORDER)


@pytest.fixture(params=[*((kind, {}) for kind in KINDS), *MORE.items()], ids=lambda p: f"{p[0]}{'+' if p[1] else ''}")
def constraint(request):
    """(kind's name, its module, settings)."""
    kind, more = request.param
    module = ROOM.load(kind)
    return kind, module, module.Settings(**more)


@pytest.mark.parametrize("first", [False, True])
def test_limits_are_whole_and_named(constraint, first):
    kind, module, settings = constraint
    assert issubclass(module.Settings, Spec)
    r = replace(rebalance(), first=first)
    check_limits(module.limits(settings, r, 0.995), kind, module, r)
    if hasattr(module, "limits_again") and (again := module.limits_again(settings, r, 0.995, r.previous)) is not None:
        check_limits(again, kind, module, r)


def check_limits(limits, kind, module, r):
    assert isinstance(limits, Rows | Bounds | Deviation)
    assert (limits.name, limits.family) == (kind, module.FAMILY)
    m, n = len(limits.lower), len(r)
    assert limits.upper.shape == limits.lower.shape == (m,)
    assert limits.reference.shape == ((n,) if isinstance(limits, Deviation) else (m,))
    assert (limits.lower <= limits.upper).all()
    assert np.isfinite(limits.reference).all()
    assert not (np.isposinf(limits.lower) | np.isneginf(limits.upper)).any()
    assert len({limits.label(k) for k in range(m)}) == m
    assert limits.values(r.previous).shape == (m,)
    if isinstance(limits, Deviation):
        assert m == 1
        assert limits.values(limits.reference) == 0.0
    elif isinstance(limits, Bounds):
        assert m == n
    else:
        assert (np.isfinite(limits.lower) | np.isfinite(limits.upper)).all()
        assert limits.coefficients.shape == (m, n)
        assert np.isfinite(limits.coefficients).all()
        assert len(limits.labels) == m
        if limits.origin is not None:
            assert (limits.coefficients >= 0).all()
            assert np.isneginf(limits.lower).all()


def test_the_index_itself_keeps_every_limit_with_an_empty_trade(constraint):
    """The reference portfolio, already held and nothing frozen, is inside every limit: active means against it."""
    _, module, settings = constraint
    r = rebalance()
    held = 0.995 * r.benchmark
    none = np.zeros(len(r), dtype=bool)
    r = replace(r, previous=held, previous_target=held, frozen=none, buyable=~none)
    limits = module.limits(settings, r, 0.995)
    values = limits.values(held)
    assert (values >= limits.lower - 1e-12).all()
    assert (values <= limits.upper + 1e-12).all()


def test_facts_are_not_changed(constraint):
    _, module, settings = constraint
    r, same = rebalance(), rebalance()
    module.limits(settings, r, 0.995)
    for f in fields(r):
        before, after = getattr(same, f.name), getattr(r, f.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)


def test_the_future_and_the_score_are_not_asked(constraint):
    """A limit says what a portfolio may be, not which one is wanted."""
    _, module, settings = constraint
    r = rebalance()
    one = module.limits(settings, r, 0.995)
    two = module.limits(settings, replace(r, score=-r.score), 0.995)
    for f in fields(one):
        np.testing.assert_array_equal(getattr(one, f.name), getattr(two, f.name))
