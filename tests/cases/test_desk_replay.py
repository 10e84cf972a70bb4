"""The desk is the backtest one evening at a time: its targets and its books, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import last_close
from deepfactor.backtest.decision import Knowledge
from deepfactor.backtest.fills import Fills
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import Float64
from deepfactor.desk.lists import Lists
from deepfactor.desk.rebalancing import Rebalanced, rebalance, trading_day
from deepfactor.desk.reconciling import evening, require_ordered
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, load_preset
from support.portfolio import random_scores

INDEX = "000905.SH"


@dataclass(frozen=True)
class Scene:
    """A market, a factor, a constraint set, and their backtest."""

    market: Market
    known: Knowledge
    enhancement: Enhancement
    result: BacktestResult


@pytest.fixture(scope="module", params=["study_b", pytest.param("study_a_all_market", marks=pytest.mark.slow)])
def scene(request: pytest.FixtureRequest, small_market: Path) -> Scene:
    market = open_market(small_market)
    enhancement = load_preset(request.param)
    panel, universe = market.panel, market.universe
    styles = StyleSets(market).of(enhancement.styles)
    eligible = buyable(universe.traded, universe, enhancement)
    scores = random_scores(panel, seed=3)
    known = Knowledge(panel, universe, scores, styles.exposures, INDEX, eligible)
    settings = BacktestSettings(
        capital=3e7, fill=enhancement.fill, costs=enhancement.costs, haircut=enhancement.haircut
    )
    result = run_backtest(
        panel, universe, scores, styles.exposures, IndexEnhancer(enhancement), INDEX, settings,
        start="2019-06-03", eligible=eligible,
    )  # fmt: skip
    return Scene(market, known, enhancement, result)


def target_of(scene: Scene, date: np.datetime64) -> Float64:
    """(N,) the backtest's target of a signal day."""
    weights, symbols = scene.result.weights, scene.market.panel.symbols
    of = weights.date == date
    out = np.zeros(len(symbols))
    out[np.searchsorted(symbols, weights.symbol[of])] = weights.weight[of]
    return out


def fills_of(scene: Scene, date: np.datetime64, side: str) -> Fills:
    """The backtest's fills of a day, as a broker would report them."""
    trades, symbols = scene.result.trades, scene.market.panel.symbols
    of = (trades.date == date) & (trades.side == side) & (trades.reason == "rebalance")
    at = np.searchsorted(symbols, trades.symbol[of])
    columns = np.zeros((3, len(symbols)))
    columns[:, at] = trades.shares[of], np.round(trades.shares[of] * trades.price[of], 2), trades.cost[of]
    return Fills(*columns, {})


def test_evenings_one_at_a_time_are_the_backtest(scene: Scene) -> None:
    """Each evening knows what lies before it alone, and starts from the book that the fills have left."""
    panel, universe, result = scene.market.panel, scene.market.universe, scene.result
    rebalances = result.rebalances
    rows = np.searchsorted(panel.dates, rebalances.date).tolist()
    ends = [*rows[1:], int(np.searchsorted(panel.dates, result.dates[-1]))]
    book = Book(np.zeros(panel.shape[1]), 3e7, last_close(panel, rows[0]))
    aimed_at = None
    assert len(rows) > 70
    for k, (row, end) in enumerate(zip(rows, ends, strict=True)):
        made = rebalance(until(scene.known, row), row, book, scene.enhancement, Lists(), aimed_at)
        aimed_at = made.decision.aimed_at
        np.testing.assert_array_equal(aimed_at, target_of(scene, panel.dates[row]))
        assert made.decision.target.objective == rebalances.objective[k]
        require_possible(made, book)
        if np.isnat(rebalances.fill_date[k]):
            break
        sells, buys = (fills_of(scene, rebalances.fill_date[k], side) for side in ("sell", "buy"))
        day = trading_day(scene.known, row + 1)
        require_ordered(made.decision.orders, day, sells, buys, panel.symbols)
        done = evening(
            book, panel, universe, range(row + 1, end + 1), sells, buys, scene.enhancement.haircut, reinvested=True
        )
        at = int(np.searchsorted(result.dates, panel.dates[end]))
        assert book.cash == result.cash[at]
        assert done.value == pytest.approx(result.nav[at] * 3e7, abs=0.005)
        assert done.value == book.value()


def until(known: Knowledge, row: int) -> Knowledge:
    """What was known at the close of `row`, and nothing after it."""
    cut = slice(0, row + 1)
    scores = Scores(known.scores.name, known.scores.dates[cut], known.scores.symbols, known.scores.values[cut])
    styles = {name: values[cut] for name, values in known.styles.items()}
    return Knowledge(
        known.panel.until(row), known.universe.until(row), scores, styles, known.index, known.eligible[cut]
    )


def require_possible(made: Rebalanced, book: Book) -> None:
    assert made.expected.cash >= 0
    assert not made.sells.shares[~made.day.open_at_close].any()
    assert not made.buys.shares[~made.day.open_at_close].any()
    assert (made.sells.shares <= book.sellable()).all()
