"""Facts that can't be right are refused before anything is solved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.portfolio.problem import Rows


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score": np.full(80, np.nan)}, "score is not finite for 80 names, the first is 600000.SH"),
        ({"styles": {"SIZE": np.full(80, np.nan)}}, "styles.SIZE is not finite"),
        ({"member": np.ones(79, dtype=bool)}, r"member has shape \(79,\), wanted \(80,\)"),
        ({"benchmark": np.ones(80)}, "benchmark weights sum to 80.0"),
        ({"previous": np.ones(80)}, "previous weights sum to 80.0"),
        ({"previous": np.full(80, -0.01)}, "previous has the negative value -0.01"),
        ({"adv": np.full(80, -1.0)}, "adv has the negative value -1"),
        ({"value": 0.0}, "value is 0.0, wanted more than 0"),
        ({"previous_target": np.full(3, 0.1)}, "previous_target has shape"),
    ],
)
def test_wrong_facts_are_refused(week, changes, says):
    with pytest.raises(DataError, match=says):
        replace(week(1, 80), **changes)


def test_rows_on_trades_count_both_directions():
    rows = Rows("turnover", "turnover", ("x",), np.array([[1.0, 1.0, 0.0]]), np.array([-np.inf]), np.array([1.0]),
                np.zeros(1), origin=np.array([0.2, 0.3, 0.5]))  # fmt: skip
    assert rows.values(np.array([0.1, 0.5, 0.4])) == pytest.approx([0.3])
