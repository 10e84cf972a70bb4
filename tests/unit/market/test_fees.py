"""Costs of a trade, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from deepfactor.core.errors import DataError
from deepfactor.market.fees import Costs, schedule_on


def test_flat_costs_the_rate_on_both_sides() -> None:
    costs = Costs(rate=0.00125, slippage=0.0005)
    amount = np.array([0.0, 10_000.0])
    for side in ("buy", "sell"):
        np.testing.assert_allclose(costs.cost(amount, side, np.datetime64("1999-01-04")), [0.0, 17.5])


@pytest.mark.parametrize(
    ("date", "buy", "sell"),
    [
        # 100,000 CNY: transfer + handling + regulatory + commission 25 (+ stamp duty)
        ("2008-09-19", 2.0 + 4.87 + 2.0 + 25.0, 2.0 + 4.87 + 2.0 + 25.0 + 100.0),
        ("2022-04-28", 2.0 + 4.87 + 2.0 + 25.0, 2.0 + 4.87 + 2.0 + 25.0 + 100.0),
        ("2022-04-29", 1.0 + 4.87 + 2.0 + 25.0, 1.0 + 4.87 + 2.0 + 25.0 + 100.0),
        ("2023-08-27", 1.0 + 4.87 + 2.0 + 25.0, 1.0 + 4.87 + 2.0 + 25.0 + 100.0),
        ("2023-08-28", 1.0 + 3.41 + 2.0 + 25.0, 1.0 + 3.41 + 2.0 + 25.0 + 50.0),
    ],
)
def test_schedule_by_date_and_side(date: str, buy: float, sell: float) -> None:
    costs, amount = Costs(kind="schedule"), np.array([100_000.0])
    assert costs.cost(amount, "buy", np.datetime64(date))[0] == pytest.approx(buy)
    assert costs.cost(amount, "sell", np.datetime64(date))[0] == pytest.approx(sell)


def test_commission_has_a_minimum_an_order_and_no_order_no_cost() -> None:
    costs = Costs(kind="schedule", slippage=0.001)
    cost = costs.cost(np.array([0.0, 1000.0]), "buy", np.datetime64("2023-08-28"))
    np.testing.assert_allclose(cost, [0.0, 5.0 + 0.01 + 0.0341 + 0.02 + 1.0])


def test_before_the_schedule_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(DataError, match="begins on 2008-09-19"):
        schedule_on(np.datetime64("2008-09-18"))


@pytest.mark.parametrize("wrong", [{"rate": -0.1}, {"rate": 0.9}, {"kind": "free"}, {"stamp": 0.001}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Costs.model_validate(wrong)
