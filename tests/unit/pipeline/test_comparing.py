"""Paired differences and the correlation of scores of a comparison, against pandas and statsmodels."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm

from deepfactor.pipeline.comparing import _correlation, paired_differences
from deepfactor.report.content import ArmContent


def series(rng, first, n, *, convention="t1_close"):
    days = [date(2020, 1, 1) + timedelta(days=first + k) for k in range(n)]
    frames = [
        pl.DataFrame({"date": days, "rank_ic": rng.normal(0.1 / h, 0.1, n)}).with_columns(
            pl.lit("all").alias("universe"), pl.lit(convention).alias("convention"), pl.lit(h).alias("horizon")
        )
        for h in (5, 10, 20)
    ]
    return pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=1)


def frame_of(frame):
    """The same in pandas."""
    return pd.DataFrame(frame.to_dict(as_series=False))


def test_differences_are_of_common_days_with_the_peers_t():
    rng = np.random.default_rng(0)
    one, two = series(rng, 0, 200), series(rng, 50, 200)
    mixed = pl.concat([two, series(rng, 0, 300, convention="t0_close")])
    arms = [ArmContent("a", None, {}, {}, {}, one), ArmContent("b", None, {}, {}, {}, mixed)]
    found = paired_differences(arms)
    assert [(entry["horizon"], entry["n"]) for entry in found] == [(10, 150), (20, 150)]
    for entry in found:
        h = entry["horizon"]
        left, right = (
            frame.filter((pl.col("horizon") == h) & (pl.col("convention") == "t1_close"))
            .pipe(frame_of)
            .set_index("date")
            for frame in (one, mixed)
        )
        difference = (left["rank_ic"] - right["rank_ic"]).dropna().sort_index()
        fit = sm.OLS(difference.to_numpy(), np.ones(len(difference))).fit(
            cov_type="HAC", cov_kwds={"maxlags": h - 1, "use_correction": False}
        )
        assert entry["difference"] == pytest.approx(difference.mean(), rel=1e-12)
        assert entry["t_newey_west"] == pytest.approx(fit.tvalues[0], rel=1e-10)
        assert entry["win_rate"] == pytest.approx((difference > 0).mean())


def test_scores_are_correlated_over_what_both_score():
    rng = np.random.default_rng(1)
    keys = [(date(2020, 1, d), f"{s:06d}.SZ") for d in range(1, 6) for s in range(40)]
    frame = pl.DataFrame(keys, schema=["date", "symbol"], orient="row")
    one = frame.with_columns(score=pl.Series(rng.normal(size=200)))
    two = one.with_columns(score=pl.col("score") + pl.Series(rng.normal(size=200))).sample(150, shuffle=True, seed=2)
    found = _correlation({"one": one, "two": two})
    both = one.join(two, on=["date", "symbol"], suffix="_two").pipe(frame_of)
    by_day = [g["score"].corr(g["score_two"], method="spearman") for _, g in both.groupby("date")]
    assert found["one"]["two"] == pytest.approx(pd.Series(by_day).mean(), rel=1e-12)
    assert found["two"]["one"] == pytest.approx(found["one"]["two"], rel=1e-12)
