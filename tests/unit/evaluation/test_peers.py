"""alphalens-reloaded and empyrical-reloaded on the same arrays, where they define the same thing.

alphalens fills prices forward and drops a row for all horizons when one is missing; here it is given clean forward
returns, one horizon, so that it averages and correlates what we do.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from deepfactor.evaluation.ic import information_coefficients
from deepfactor.evaluation.membership import assign_groups
from deepfactor.evaluation.performance import daily_returns, max_drawdown, sharpe_ratio
from support.membership import numbers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

DAYS, STOCKS, QUANTILES = 40, 57, 5


def _groups(scores: np.ndarray, n: int) -> np.ndarray:
    return np.array([numbers(assign_groups(row, n), len(row)) for row in scores])


@pytest.fixture(scope="module", autouse=True)
def _peers() -> None:
    """Imported here: it takes a second, and who collects the tests needs none of it. Their imports warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import alphalens.performance  # noqa: F401
        import empyrical  # noqa: F401


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    scores = rng.standard_normal((DAYS, STOCKS))
    returns = 0.02 * rng.standard_normal((DAYS, STOCKS)) + 0.003 * scores
    scores[rng.random(scores.shape) < 0.1] = np.nan
    returns[rng.random(scores.shape) < 0.1] = np.nan
    return scores, returns


@pytest.fixture(scope="module")
def frame(arrays) -> pd.DataFrame:
    """As `alphalens.utils.get_clean_factor` gives it: a row a pair, with its quantile from 1."""
    scores, returns = arrays
    kept = np.isfinite(scores) & np.isfinite(returns)
    quantile = _groups(np.where(kept, scores, np.nan), QUANTILES) + 1
    day, stock = np.nonzero(kept)
    index = pd.MultiIndex.from_arrays(
        [pd.bdate_range("2020-01-01", periods=DAYS)[day], [f"s{j:02d}" for j in stock]], names=["date", "asset"]
    )
    return pd.DataFrame({"10D": returns[kept], "factor": scores[kept], "factor_quantile": quantile[kept]}, index=index)


@pytest.mark.slow
def test_rank_ic_is_alphalens_ic(arrays, frame):
    from alphalens import performance

    theirs = performance.factor_information_coefficient(frame)["10D"].to_numpy()
    ours = information_coefficients(*arrays, np.ones((DAYS, STOCKS), bool)).rank_ic
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_group_returns_are_alphalens_mean_returns_by_quantile(arrays, frame):
    from alphalens import performance

    scores, returns = arrays
    theirs, _ = performance.mean_return_by_quantile(frame, by_date=True, demeaned=False)
    kept = np.isfinite(scores) & np.isfinite(returns)
    for t, (_, found) in enumerate(theirs["10D"].groupby(level="date")):
        (group,) = _groups(np.where(kept[t], scores[t], np.nan)[None], QUANTILES)
        ours = [returns[t, group == g].mean() for g in range(QUANTILES)]
        np.testing.assert_allclose(ours, found.to_numpy(), rtol=0, atol=1e-12)


def test_quantiles_are_alphalens_quantiles_where_they_divide_evenly(frame):
    """pandas cuts at interpolated quantiles: the same groups where all have one size, without ties."""
    from alphalens.utils import quantize_factor

    rng = np.random.default_rng(8)
    scores = rng.standard_normal((6, 50))
    index = pd.MultiIndex.from_product([pd.bdate_range("2020-01-01", periods=6), range(50)], names=["date", "asset"])
    theirs = quantize_factor(pd.DataFrame({"factor": scores.ravel()}, index=index), quantiles=10)
    ours = _groups(scores, 10) + 1
    np.testing.assert_array_equal(ours.ravel(), theirs.to_numpy())


def test_drawdown_and_sharpe_are_empyricals():
    import empyrical

    rng = np.random.default_rng(0)
    returns = pd.Series(0.0004 + 0.012 * rng.standard_normal(600), index=pd.bdate_range("2018-01-01", periods=600))
    nav = np.concatenate(([1.0], (1 + returns).cumprod()))
    assert max_drawdown(nav) == pytest.approx(empyrical.max_drawdown(returns), rel=1e-12)
    assert sharpe_ratio(daily_returns(nav)) == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-10)
