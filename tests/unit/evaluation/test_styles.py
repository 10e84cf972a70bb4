"""What is left of a score without styles and industries, against statsmodels with a column a dummy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from deepfactor.cross_section.regression import neutralise_rows
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.panel.returns import forward_return
from deepfactor.styles.base import Styles

INDEX = "000300.SH"


@pytest.fixture(scope="module")
def exposures(market):
    rng = np.random.default_rng(11)
    found = {name: rng.standard_normal(market.panel.shape).astype(np.float32) for name in ("SIZE", "BETA")}
    found["BETA"][rng.random(market.panel.shape) < 0.1] = np.nan
    return found


@pytest.fixture(scope="module")
def industry(market):
    return np.random.default_rng(12).integers(-1, 4, market.panel.shape).astype(np.int16)


def by_hand(scores, mask, exposures, industry, t):
    kept = mask[t] & np.isfinite(scores[t]) & np.all([np.isfinite(x[t]) for x in exposures.values()], axis=0)
    dummies = (industry[t, kept][:, None] == np.unique(industry[t, kept])).astype(float)
    x = np.column_stack([dummies, *(values[t, kept].astype(float) for values in exposures.values())])
    return kept, sm.OLS(scores[t, kept], x).fit().resid


def test_residual_is_that_of_least_squares_with_dummies(market, scores, exposures, industry):
    found = neutralise_rows(scores.values, market.eligible, [*exposures.values()], industry)
    for t in range(len(found)):
        kept, expected = by_hand(scores.values, market.eligible, exposures, industry, t)
        np.testing.assert_array_equal(np.isfinite(found[t]), kept)
        np.testing.assert_allclose(found[t, kept], expected, rtol=0, atol=1e-12)


def test_nothing_is_left_of_a_style(market, exposures, industry):
    """Not even its rounding, whose ranks would look like a factor."""
    score = 3.0 * exposures["SIZE"].astype(float) + industry
    found = neutralise_rows(score, market.eligible, [*exposures.values()], industry)
    assert np.isnan(found).all()


def test_a_style_without_spread_changes_nothing(market, scores, exposures, industry):
    flat = {**exposures, "FLAT": np.where(np.isfinite(exposures["BETA"]), np.float32(1), np.float32(np.nan))}
    np.testing.assert_allclose(
        neutralise_rows(scores.values, market.eligible, [*flat.values()], industry),
        neutralise_rows(scores.values, market.eligible, [*exposures.values()], industry),
        atol=1e-12,
    )


def filled_by_hand(exposures, industry, t):
    """Each style's fitted value of least squares on industry dummies and SIZE over all stocks that have the three; the
    day's median where industry or SIZE isn't known."""
    size = exposures["SIZE"][t].astype(float)
    out = {}
    for name, values in exposures.items():
        own = values[t].astype(float)
        known = np.isfinite(own) & np.isfinite(size) & (industry[t] >= 0)
        codes = np.unique(industry[t, known])
        x = np.column_stack([(industry[t][:, None] == codes).astype(float), size])
        fit = sm.OLS(own[known], x[known]).fit()
        placed = np.isfinite(size) & np.isin(industry[t], codes) & (name != "SIZE")
        fitted = np.where(placed, np.nan_to_num(x) @ fit.params, np.nanmedian(own))
        out[name] = np.where(np.isfinite(own), own, fitted)
    return out


@pytest.mark.slow
def test_residual_ic_is_the_rank_correlation_of_what_is_left(market, scores, exposures, industry):
    """Over all names of the raw coefficient: what is missing is filled in from all stocks, scored or not."""
    universe = replace(market.universe, industry=industry)
    settings = TestSettings(
        universes=("all", INDEX), horizons=(5,), decay=0, min_names=5, groups={}, other_groups=0, tops=()
    )
    styles = [
        ("own", Styles({"SIZE": exposures["SIZE"]}, {})),
        ("both", Styles(exposures, {})),
        ("none", Styles({}, {})),
    ]
    report = run_test(scores, market.panel, universe, settings, eligible=market.eligible, styles=iter(styles))
    content = report.to_json_dict()
    assert list(content["style_correlation"]) == ["SIZE"]
    assert {name: list(found) for name, found in content["style_correlations"].items()} == {
        "own": ["SIZE"], "both": ["SIZE", "BETA"], "none": [],
    }  # fmt: skip
    assert len(content["residual_ic"]) == 2 * 2 * 3  # sets with styles, universes, conventions
    for entry in content["residual_ic"]:
        chosen = dict(styles)[entry["set"]].exposures
        mask = market.eligible & (market.universe.members[INDEX] if entry["universe"] == INDEX else True)
        future = forward_return(market.panel, entry["convention"], 5)
        expected, raw, names = [], [], []
        for t in range(len(future)):
            complete = {name: x[None] for name, x in filled_by_hand(chosen, industry, t).items()}
            kept, residual = by_hand(scores.values[[t]], mask[[t]], complete, industry[[t]], 0)
            np.testing.assert_array_equal(kept, mask[t] & np.isfinite(scores.values[t]))
            have = np.isfinite(future[t, kept])
            if have.sum() >= 5:
                left = residual[have].round(12)  # an industry's only name has 0 left; statsmodels leaves rounding
                expected.append(stats.spearmanr(left, future[t, kept][have]).statistic)
                raw.append(stats.spearmanr(scores.values[t, kept][have], future[t, kept][have]).statistic)
                names.append(have.sum())
        assert entry["rank_ic"]["n"] == entry["raw_rank_ic"]["n"] == len(expected)
        assert entry["rank_ic"]["mean"] == pytest.approx(np.mean(expected), abs=1e-12)
        assert entry["raw_rank_ic"]["mean"] == pytest.approx(np.mean(raw), abs=1e-12)
        assert entry["names"] == pytest.approx(np.mean(names))
        inside = mask & np.isfinite(scores.values)
        gaps = np.any([np.isnan(x) for x in chosen.values()], axis=0) & inside
        assert entry["filled"] == pytest.approx(gaps.sum() / inside.sum())
    missing = (market.eligible & np.isfinite(scores.values) & np.isnan(exposures["BETA"])).sum()
    assert content["dropped"]["missing_exposures.both.BETA"] == missing
    assert not [reason for reason in content["dropped"] if reason.startswith("scores_without_styles")]
    columns = report.residual_columns()
    assert np.isfinite(columns["raw_rank_ic"]).sum() == np.isfinite(columns["rank_ic"]).sum() > 0


def test_a_day_on_which_nothing_is_left_has_no_raw_coefficient_beside(market, exposures, industry):
    """The raw mean is over the residual's days."""
    universe = replace(market.universe, industry=np.zeros_like(industry))
    settings = TestSettings(
        universes=("all",), conventions=("t1_close",), horizons=(5,), decay=0, min_names=5, groups={}, other_groups=0,
        tops=(),
    )  # fmt: skip
    size = np.nan_to_num(exposures["SIZE"])
    values = np.random.default_rng(3).standard_normal(size.shape)
    values[10:20] = size[10:20]
    found = run_test(
        market.scores(values), market.panel, universe, settings, eligible=market.eligible,
        styles=iter([("own", Styles({"SIZE": size}, {}))]),
    ).to_json_dict()  # fmt: skip
    (entry,) = found["residual_ic"]
    (record,) = (r for r in found["records"] if r["names"] == "all" and r["sampling"] == "daily")
    assert record["rank_ic"]["n"] - 10 == entry["rank_ic"]["n"] == entry["raw_rank_ic"]["n"]
    assert found["dropped"]["scores_without_styles.own.all"] == market.eligible[10:20].sum()
