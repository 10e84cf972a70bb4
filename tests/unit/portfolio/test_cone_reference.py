"""Programs with a limit on the tracking error against another solver, and in few columns against in all."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.portfolio import _screening
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, load_preset, parse_enhancement
from deepfactor.portfolio.problem import Rebalance, Target
from oracles.cone_program import best_score, least_tracking_error
from oracles.linear_program import make_peer
from support.rebalances import make_week, with_risk


def enhancement(limit: float | None = None, aversion: float = 0.0) -> Enhancement:
    content = load_preset("study_b").model_dump(mode="json") | {"risk_aversion": aversion}
    content["relax_order"] = ["turnover", "risk", "style", "industry", "constituents", "stock"]
    if limit is not None:
        content["constraints"] = [*content["constraints"], {"kind": "tracking_error", "limit": limit}]
    return parse_enhancement(content)


def solve(r: Rebalance, limit: float | None = None, aversion: float = 0.0) -> Target:
    return IndexEnhancer(enhancement(limit, aversion)).solve(r)


def week(seed: int, n: int) -> Rebalance:
    return with_risk(make_week(seed, n, styles=("SIZE", "BETA")), seed)


def deviation(r: Rebalance, weights: np.ndarray) -> float:
    assert r.risk is not None
    return r.risk.tracking_error(weights - 0.995 * r.benchmark)


@pytest.mark.parametrize("seed", range(30))
def test_another_solver_finds_the_same_or_nothing_either(seed: int) -> None:
    """Objectives to a millionth, limits kept to 1e-8; where a limit gave way no portfolio keeps them all."""
    r = week(seed, 60 + 4 * seed)
    limit = (0.7 + 0.01 * seed) * deviation(r, solve(r).weights)
    got = solve(r, limit)
    peer = make_peer(
        r, stock=0.008, industry=0.02, style=0.3, members=0.8, turnover=0.3, origin=r.previous_target
    )  # fmt: skip
    gave_way = {one.constraint for one in got.relaxations if one.reason not in ("frozen", "not_buyable")}
    assert got.primal_residual <= 1e-8
    if gave_way:
        least = least_tracking_error(peer)
        assert not least.solved or least.objective > limit * (1 - 1e-7)
        return
    answer = best_score(peer, limit)
    assert answer.solved
    assert got.objective == pytest.approx(answer.objective, rel=1e-6)
    assert deviation(r, got.weights) <= limit + 1e-8


@pytest.mark.parametrize(("seed", "share", "aversion"), [(0, 0.9, 0.0), (1, 0.6, 0.0), (2, 0.3, 0.0), (3, None, 8.0)])
def test_in_few_columns_the_answer_is_that_in_all(
    seed: int, share: float | None, aversion: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun with hardly a column too many, so that some must be found missing, also where limits give way."""
    r = week(seed, 200)
    limit = None if share is None else share * deviation(r, solve(r).weights)
    whole = solve(r, limit, aversion)
    calls: list[int] = []
    restricted = _screening.restricted
    monkeypatch.setattr("deepfactor.portfolio._screening._SMALL", 0)
    monkeypatch.setattr("deepfactor.portfolio._screening._FIRST", 10)
    monkeypatch.setattr("deepfactor.portfolio._screening._MORE", 20)
    monkeypatch.setattr(
        "deepfactor.portfolio._cone.restricted",
        lambda lp, risk, columns: calls.append(len(lp.cost) - len(columns)) or restricted(lp, risk, columns),
    )
    few = solve(r, limit, aversion)
    assert max(calls) > 0
    assert few.objective == pytest.approx(whole.objective, rel=1e-9)
    np.testing.assert_allclose(few.weights, whole.weights, atol=1e-6)
    assert {(x.constraint, x.row) for x in few.relaxations} == {(x.constraint, x.row) for x in whole.relaxations}
    assert abs(few.gap) <= 1e-9
