"""Who can be bought and sold, stock by stock: no trade, a price or a day at a limit, missing highs and lows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from deepfactor.panel.returns import can_trade

UP, DOWN = 1100, 900  # fen


@dataclass
class Given:
    """As much of a panel or universe as is read."""

    shape: tuple[int, int]
    fields: dict[str, np.ndarray]
    traded: np.ndarray
    limit_up: np.ndarray
    limit_down: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        return self.fields[name]


def test_every_combination():
    prices, traded, limits = (np.nan, 9.0, 9.01, 10.0, 10.99, 11.0), (True, False), ((UP, DOWN), (0, 0))
    cases = list(product(prices, prices, prices, traded, limits))
    rows = -(-len(cases) // 7)  # more rows than are worked on at once
    cases += cases[: rows * 7 - len(cases)]
    close, low, high = (np.array([c[k] for c in cases], np.float32).reshape(rows, 7) for k in range(3))
    given = Given(
        shape=close.shape,
        fields={"close": close, "low": low, "high": high},
        traded=np.array([c[3] for c in cases]).reshape(rows, 7),
        limit_up=np.array([c[4][0] for c in cases], np.int32).reshape(rows, 7),
        limit_down=np.array([c[4][1] for c in cases], np.int32).reshape(rows, 7),
    )
    buy, sell = can_trade(given, given, "close")  # type: ignore[arg-type]
    for (price, lowest, highest, open_, (up, down)), bought, sold in zip(cases, buy.flat, sell.flat, strict=True):
        fen, low_fen, high_fen = (0 if np.isnan(x) else round(x * 100) for x in (price, lowest, highest))
        there = open_ and not np.isnan(price)
        assert bought == (there and not (up > 0 and (fen >= up or low_fen >= up)))
        assert sold == (there and not (down > 0 and (fen <= down or high_fen <= down)))
