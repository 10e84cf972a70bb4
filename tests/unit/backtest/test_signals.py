"""Who is in a rebalance's problem."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.core.kind import Kind
from deepfactor.panel.scores import Scores
from deepfactor.portfolio.enhancer import EnhanceSettings, IndexEnhancer
from deepfactor.portfolio.problem import Rebalance, Target
from support.portfolio import INDEX, hand_market

NAN = np.nan
#: Two weeks and a day. A is the index; X and Y are outside it.
A, X, Y = "600000.SH", "600001.SH", "600002.SH"
DATES = ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07", "2020-01-10", "2020-01-13", "2020-01-14"]


class Watched:
    """The enhancer with a turnover limit from the last target; remembers question and answer."""

    def __init__(self) -> None:
        turnover = Kind(kind="turnover", limit=0.3, sided="two", turnover_from="target")
        most = Kind(kind="stock_active_weight", limit=0.7)
        self.enhancer = IndexEnhancer(
            EnhanceSettings(cash=0.0, constraints=(turnover, most), relax_order=("turnover",))
        )
        self.seen: list[tuple[Rebalance, Target]] = []

    def solve(self, r: Rebalance) -> Target:
        self.seen.append((r, self.enhancer.solve(r)))
        return self.seen[-1][1]


def test_giving_up_a_target_that_was_never_bought_counts_as_turnover() -> None:
    """X is aimed at, locked at its limit on the fill day, then neither scored nor held."""
    close = {A: [10.0] * 6, X: [10.0] * 2 + [11.0] * 4, Y: [10.0] * 6}

    def limits(up: np.ndarray, down: np.ndarray) -> None:
        up[2, 1] = 1100

    panel, universe = hand_market(DATES, close, limits=limits, benchmark={A: 1.0})
    values = np.array([[NAN] * 3, [0.0, 2.0, 1.0], *[[NAN] * 3] * 2, [0.0, NAN, 1.0], [NAN] * 3])
    enhancer = Watched()
    result = run_backtest(
        panel, universe, Scores("by hand", panel.dates, panel.symbols, values), {}, enhancer, INDEX,
        BacktestSettings(capital=1e6), eligible=universe.traded,
    )  # fmt: skip
    assert (result.rejected.symbol.tolist(), result.rejected.reason.tolist()) == ([X], ["limit_up"])
    (_, first), (r, second) = enhancer.seen
    assert first.weights.tolist() == pytest.approx([0.3, 0.7, 0.0])
    assert r.symbols.tolist() == [A, X, Y]
    assert r.previous[1] == 0.0
    assert r.previous_target.tolist() == pytest.approx([0.3, 0.7, 0.0])
    (relaxed,) = second.relaxations
    assert (relaxed.constraint, relaxed.bound) == ("turnover", 0.3)
    assert relaxed.value == pytest.approx(1.4)  # X given up, as much of the others bought
