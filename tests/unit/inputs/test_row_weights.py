"""How much stock-days count, by pandas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepfactor.core.errors import DataError
from deepfactor.inputs import row_weights
from support.toy import INDEX, toy_market


def test_each_weight_is_what_it_says() -> None:
    panel, universe = toy_market(60, 20)
    own = {by: row_weights.prepare(row_weights.Settings(by=by), panel, universe, universe.traded) for by in
           ("members", "size", "turnover")}  # fmt: skip
    np.testing.assert_array_equal(own["members"].weight, universe.members[INDEX])
    np.testing.assert_allclose(own["size"].weight, np.nan_to_num(np.sqrt(panel["float_mv"])), rtol=1e-6)
    for k in range(20):
        amount = pd.Series(np.where(universe.traded[:, k], panel["vwap"][:, k] * panel["volume"][:, k], np.nan))
        want = np.sqrt(amount.rolling(20, min_periods=10).mean()).fillna(0)
        np.testing.assert_allclose(own["turnover"].weight[:, k], want, rtol=1e-4)


def test_a_market_without_the_indices_is_named() -> None:
    panel, universe = toy_market(40, 10)
    with pytest.raises(DataError, match="000905"):
        row_weights.prepare(row_weights.Settings(), panel, replace(universe, members={}), universe.traded)
