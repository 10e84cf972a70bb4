"""Transfer coefficient, breadth and forecasts of a backtest, against dense algebra and plain sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.active_risk import active_risk, part_errors, risk_record, solved, transfer_coefficient
from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.panel.universe import UniverseRule
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import parse_enhancement
from deepfactor.risk.estimation import Market
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.opening import open_model
from deepfactor.risk.settings import RiskSettings
from deepfactor.styles.base import ROOM
from support.portfolio import random_scores
from support.rebalances import make_week, with_risk
from support.toy import INDEX, toy_market

LIMIT = 0.09


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A backtest under a limit on the tracking error, with all that it was made from."""
    panel, universe = toy_market(200, 60, seed=1)
    kind = ROOM.choose("basic")
    styles = dict(kind.part.compute(kind.settings, panel, universe).exposures)
    model = open_model(tmp_path_factory.mktemp("model"), Market(panel, universe, styles), RiskSettings())
    scores = random_scores(panel)
    constraints = [{"kind": "stock_active_weight", "limit": 0.05}, {"kind": "tracking_error", "limit": LIMIT}]
    enhancer = IndexEnhancer(parse_enhancement({"constraints": constraints, "relax_order": ["risk", "stock"]}))
    eligible = universe.eligible(UniverseRule(window=20, min_observed=10))
    result = run_backtest(
        panel, universe, scores, styles, enhancer, INDEX, BacktestSettings(), start=panel.dates[80],
        eligible=eligible, risk=model,
    )  # fmt: skip
    return result, panel, universe, scores, styles, eligible, model


def dense(forecast: Forecast) -> np.ndarray:
    return forecast.exposures.T @ forecast.covariance @ forecast.exposures + np.diag(forecast.specific)


def test_woodbury_and_the_transfer_coefficient() -> None:
    r = with_risk(make_week(0, 60), 0)
    assert r.risk is not None
    v = dense(r.risk)
    np.testing.assert_allclose(solved(r.risk, r.score), np.linalg.solve(v, r.score), rtol=1e-9)
    best = np.linalg.solve(v, r.score)
    assert transfer_coefficient(r.risk, best, r.score) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert abs(transfer_coefficient(r.risk, rng.standard_normal(60), r.score)) <= 1.0
    assert np.isnan(transfer_coefficient(r.risk, np.zeros(60), r.score))


def test_targets_keep_the_limit_and_forecasts_are_the_optimisers(followed) -> None:  # type: ignore[no-untyped-def]
    result, *_ = followed
    made = active_risk(*followed)
    relaxed = set(result.relaxations.date[result.relaxations.constraint == "tracking_error"].tolist())
    kept = np.array([day not in relaxed for day in made.rows.date.tolist()])
    assert kept.sum() >= 5
    assert (made.rows.tracking_error[kept] <= LIMIT + 1e-6).all()
    touched = np.isin(made.rows.date, result.binding.date[result.binding.constraint == "tracking_error"])
    np.testing.assert_allclose(made.rows.tracking_error[touched & kept], LIMIT, rtol=1e-5)
    assert ((made.rows.transfer_coefficient > 0) & (made.rows.transfer_coefficient <= 1)).all()
    assert ((made.rows.breadth >= 1) & (made.rows.breadth <= 60)).all()
    assert np.isnan(made.rows.realised[-1])
    assert np.isnan(made.rows.ex_ante_ir[0])
    assert np.isfinite(made.rows.ex_ante_ir[1:]).all()


def test_parts_of_the_risk_add_up(followed) -> None:  # type: ignore[no-untyped-def]
    made = active_risk(*followed)
    assert len(made.contributors) == 10
    shares = [one["contribution"] for one in made.contributors]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) < 2 * made.rows.tracking_error[-1]
    factors = made.contributions.sum(axis=1) + made.industries
    specific = made.rows.specific_share * made.rows.tracking_error
    # What is left is the market factor's: active weights sum to zero.
    np.testing.assert_allclose(factors + specific, made.rows.tracking_error, rtol=1e-6)


def test_the_record_says_what_the_rows_say(followed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result, panel, universe, _, styles, *_ = followed
    made, attribution = active_risk(*followed), attribute(result, panel, universe, styles, 0.3)
    record = risk_record(made, result, attribution, "basic")
    whole = record["all"]
    assert whole["rebalances"] == len(made.rows)
    assert whole["tracking_error"] == pytest.approx(made.rows.tracking_error.mean())
    daily = np.diff(np.log(result.nav)) - np.diff(np.log(result.replica_nav))
    assert whole["realised"] == pytest.approx(daily.std(ddof=1) * np.sqrt(252), rel=0.05)
    assert whole["bias"] is not None
    assert sum(one["rebalances"] for one in record["by_year"].values()) == whole["rebalances"]


def test_errors_of_parts(followed) -> None:  # type: ignore[no-untyped-def]
    result, panel, universe, _, styles, *_ = followed
    attribution = attribute(result, panel, universe, styles, 0.3)
    records = {(one["part"], one["name"]): one for one in part_errors(attribution)}
    total = np.log(result.nav[-1] / result.replica_nav[-1]) / (len(result.nav) - 1) * 252
    assert records["active", "all"]["a_year"] == pytest.approx(total, rel=1e-9)
    parts = sum(one["a_year"] for key, one in records.items() if key != ("active", "all"))
    assert parts == pytest.approx(total, rel=1e-9)
    linked = (attribution.contribution * attribution.scale[:, None])[1:].sum(axis=1)
    error = records["active", "all"]["standard_error"]
    assert error == pytest.approx(linked.std(ddof=1) * 252 / np.sqrt(len(linked)))
