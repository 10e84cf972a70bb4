from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from deepfactor.evaluation.statistics import every, newey_west_t, summarise, years_of


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    """Overlapping sums, as the returns of an h-day horizon are."""
    noise = np.random.default_rng(3).standard_normal(260)
    return 0.05 + 0.1 * np.convolve(noise, np.ones(10) / 3, mode="valid")


@pytest.mark.parametrize("lag", [0, 1, 4, 9, 19, 400])
def test_newey_west_agrees_with_statsmodels(series, lag):
    fit = sm.OLS(series, np.ones(len(series))).fit(
        cov_type="HAC", cov_kwds={"maxlags": min(lag, len(series) - 1), "kernel": "bartlett", "use_correction": False}
    )
    if lag < len(series):
        assert newey_west_t(series, lag) == pytest.approx(fit.tvalues[0], rel=1e-10)
    else:
        assert np.isfinite(newey_west_t(series, lag))


def test_overlap_lowers_the_t(series):
    assert newey_west_t(series, 9) < 0.6 * newey_west_t(series, 0)


def test_summary_agrees_with_pandas_and_leaves_out_the_missing(series):
    holed = series.copy()
    holed[::7] = np.nan
    kept = pd.Series(holed).dropna()
    result = summarise(holed, lag=4)
    assert result.n == len(kept)
    assert result.mean == pytest.approx(kept.mean())
    assert result.std == pytest.approx(kept.std())
    assert result.icir == pytest.approx(kept.mean() / kept.std())
    assert result.win_rate == pytest.approx((kept > 0).mean())
    assert result.t_newey_west == newey_west_t(kept.to_numpy(), 4)


@pytest.mark.parametrize(("values", "n"), [([], 0), ([np.nan, np.nan], 0), ([0.1], 1), ([0.1, 0.1], 2)])
def test_too_little_to_say_is_nan_and_not_an_error(values, n):
    result = summarise(np.array(values, dtype=float), lag=9)
    assert result.n == n
    assert np.isnan(result.icir)
    assert np.isnan(result.t_newey_west)


def test_every_is_every_hth_of_daily_rows_and_never_closer():
    np.testing.assert_array_equal(every(np.arange(3, 25), 5), [0, 5, 10, 15, 20])
    rows = np.array([0, 5, 9, 10, 12, 21])
    np.testing.assert_array_equal(rows[every(rows, 5)], [0, 5, 10, 21])
    assert len(every(np.zeros(0, dtype=int), 5)) == 0


def test_years():
    np.testing.assert_array_equal(years_of(np.array(["2019-12-31", "2020-01-01"], "datetime64[D]")), [2019, 2020])
