"""How large a book trades leave room for: against a search over books, and on a backtest."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.capacity import SHARE, WITHIN, Capacity, book_within


@pytest.mark.parametrize("seed", range(20))
def test_the_book_is_the_largest_that_leaves_enough_within(seed):
    rng = np.random.default_rng(seed)
    amount, moved = rng.lognormal(17, 2, 60), np.where(rng.random(60) < 0.2, 0.0, rng.random(60) / 100)
    book = book_within(amount, moved)

    def within(book: float) -> float:
        return float(moved[moved * book <= SHARE * amount * (1 + 1e-12)].sum() / moved.sum())

    assert within(book) >= WITHIN
    assert within(book * 1.000001) < WITHIN


def test_a_stock_that_did_not_trade_leaves_no_room_once_it_matters():
    assert book_within(np.array([0.0, 1e8]), np.array([0.04, 0.96])) == pytest.approx(0.1 * 1e8 / 0.96)
    assert book_within(np.array([0.0, 1e8]), np.array([0.06, 0.94])) == 0.0


def test_nothing_traded_is_no_book():
    assert np.isnan(book_within(np.ones(3), np.zeros(3)))
    assert Capacity(np.array([np.nan])).record()["median"] is None
