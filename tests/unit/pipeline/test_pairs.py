"""Each arm beside each other one: RankIC, residual RankIC and top groups, against pandas and statsmodels."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm

from deepfactor.pipeline.pairs import WEEK, paired_differences
from deepfactor.report.content import ArmContent


def days(first, n):
    return [date(2020, 1, 1) + timedelta(days=first + k) for k in range(n)]


def series(rng, first, n, *, convention="t1_close", **labels):
    frames = [
        pl.DataFrame({"date": days(first, n), "rank_ic": rng.normal(0.1 / h, 0.1, n)}).with_columns(
            pl.lit("all").alias("universe"),
            pl.lit(convention).alias("convention"),
            pl.lit(h).alias("horizon"),
            *(pl.lit(value).alias(name) for name, value in labels.items()),
        )
        for h in (5, 10, 20)
    ]
    return pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=1)


def navs(rng, first, n):
    nav = np.cumprod(1 + rng.normal(0.001, 0.01, n))
    return pl.DataFrame({"date": days(first, n), "universe": "all", "nav": nav, "excess_nav": nav})


def hac(difference, lags):
    return sm.OLS(difference, np.ones(len(difference))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )


def by_date(frame, **wanted):
    kept = frame.filter(*(pl.col(key) == value for key, value in wanted.items()))
    return pd.DataFrame(kept.to_dict(as_series=False)).set_index("date")["rank_ic"]


def test_differences_are_of_common_days_with_the_peers_error():
    rng = np.random.default_rng(0)
    one, two = series(rng, 0, 200), series(rng, 50, 200)
    mixed = pl.concat([two, series(rng, 0, 300, convention="t0_close")])
    arms = [ArmContent("a", None, {}, {}, {}, one), ArmContent("b", None, {}, {}, {}, mixed)]
    found = paired_differences(arms)
    assert [(entry["measure"], entry["horizon"], entry["n"]) for entry in found] == [
        ("rank_ic", 10, 150),
        ("rank_ic", 20, 150),
    ]
    for entry in found:
        h = entry["horizon"]
        wanted = {"horizon": h, "convention": "t1_close"}
        difference = (by_date(one, **wanted) - by_date(mixed, **wanted)).dropna().sort_index().to_numpy()
        fit = hac(difference, h)
        assert entry["lags"] == h
        assert entry["difference"] == pytest.approx(difference.mean(), rel=1e-12)
        assert entry["standard_error"] == pytest.approx(fit.bse[0], rel=1e-10)
        assert entry["t_newey_west"] == pytest.approx(fit.tvalues[0], rel=1e-10)
        assert entry["win_rate"] == pytest.approx((difference > 0).mean())
        assert entry["seed_std_first"] is None


def test_residuals_are_compared_set_by_set_and_every_pair_once():
    rng = np.random.default_rng(1)
    arms = []
    for name in "abc":
        own = pl.concat([series(rng, 0, 80, set=s) for s in ("basic", "barra_cne5")])
        arms.append(ArmContent(name, None, {}, {}, {}, series(rng, 0, 80), residual_series=own))
    found = [entry for entry in paired_differences(arms) if entry["measure"] == "residual_rank_ic"]
    assert len(found) == 3 * 2 * 2  # pairs, sets, horizons
    assert {(e["first"], e["second"]) for e in found} == {("a", "b"), ("a", "c"), ("b", "c")}
    for entry in found:
        wanted = {"horizon": entry["horizon"], "set": entry["set"]}
        left, right = (
            by_date(next(a for a in arms if a.name == entry[which]).residual_series, **wanted)
            for which in ("first", "second")
        )
        assert entry["difference"] == pytest.approx((left - right).mean(), rel=1e-12)
        assert entry["raw_difference"] is None  # a run of before doesn't say


def test_raw_coefficients_and_names_stand_beside_what_styles_leave():
    """Of the days on which both have a residual."""
    rng = np.random.default_rng(5)
    arms = []
    for name, first in (("a", 0), ("b", 30)):
        own = series(rng, first, 80, set="basic").sort("horizon", "date")
        n = rng.integers(50, 90, own.height)
        own = own.with_columns(raw_rank_ic=pl.col("rank_ic") + pl.Series(rng.normal(0, 1, own.height)), n=pl.Series(n))
        arms.append(ArmContent(name, None, {}, {}, {}, own.clear(), residual_series=own))
    found = [entry for entry in paired_differences(arms) if entry["measure"] == "residual_rank_ic"]
    assert [entry["horizon"] for entry in found] == [10, 20]
    for entry in found:
        one, two = (arm.residual_series.filter(pl.col("horizon") == entry["horizon"]) for arm in arms)
        both = one.join(two, on="date", suffix="_b")
        assert entry["n"] == both.height == 50
        assert entry["raw_difference"] == pytest.approx((both["raw_rank_ic"] - both["raw_rank_ic_b"]).mean())
        assert (entry["names_first"], entry["names_second"]) == pytest.approx((both["n"].mean(), both["n_b"].mean()))


def test_top_groups_by_log_returns_a_year():
    rng = np.random.default_rng(2)
    one, two = navs(rng, 0, 120), navs(rng, 20, 120)
    empty = series(rng, 0, 5).clear()
    arms = [ArmContent(n, None, {}, {}, {}, empty, group_nav=f) for n, f in (("a", one), ("b", two))]
    (entry,) = paired_differences(arms)
    left, right = (pd.Series(np.log(f["nav"].to_numpy()), f["date"].to_list()).diff() for f in (one, two))
    difference = (left - right).dropna().to_numpy()
    fit = hac(difference, WEEK)
    assert (entry["measure"], entry["n"], entry["lags"]) == ("top_excess", 99, WEEK)
    assert entry["difference"] == pytest.approx(252 * difference.mean(), rel=1e-10)
    assert entry["standard_error"] == pytest.approx(252 * fit.bse[0], rel=1e-10)
    assert entry["t_newey_west"] == pytest.approx(fit.tvalues[0], rel=1e-10)


def test_the_seeds_spread_stands_beside():
    rng = np.random.default_rng(3)
    case = {"universe": "all", "convention": "t1_close", "horizon": 10, "names": "all"}
    spread = [
        {**case, "sampling": "every_h", "std": 9.0},
        {**case, "sampling": "daily", "std": 0.004},
        {**case, "sampling": "daily", "names": "tradeable", "std": 8.0},
    ]
    arms = [
        ArmContent("a", None, {}, {}, {"seed_spread": spread}, series(rng, 0, 50)),
        ArmContent("b", None, {}, {}, {"seed_spread": None}, series(rng, 0, 50)),
    ]
    ten, twenty = paired_differences(arms)
    assert (ten["seed_std_first"], ten["seed_std_second"]) == (0.004, None)
    assert (twenty["seed_std_first"], twenty["seed_std_second"]) == (None, None)


def test_without_the_studys_clock_the_first_tested_one_is_taken():
    rng = np.random.default_rng(4)
    arms = [ArmContent(n, None, {}, {}, {}, series(rng, 0, 50, convention="t1_vwap")) for n in "ab"]
    assert {entry["convention"] for entry in paired_differences(arms)} == {"t1_vwap"}
