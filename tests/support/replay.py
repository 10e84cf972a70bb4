"""A backtest lived again by the desk, one evening at a time, its fills as a broker would report them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import last_close
from deepfactor.backtest.fills import Fills
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.signals import Knowledge
from deepfactor.core.arrays import Float64
from deepfactor.desk.files import write_csv
from deepfactor.desk.holdings import Holdings, position_columns, read_holdings
from deepfactor.desk.lists import Lists
from deepfactor.desk.rebalancing import Rebalanced, rebalance, trading_day
from deepfactor.desk.reconciling import evening, require_ordered
from deepfactor.panel.scores import Scores
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement


@dataclass(frozen=True)
class Scene:
    """A market, a factor, a constraint set, and their backtest."""

    known: Knowledge
    enhancement: Enhancement
    result: BacktestResult

    @classmethod
    def follow(cls, known: Knowledge, enhancement: Enhancement, start: str, capital: float) -> Scene:
        settings = BacktestSettings(
            capital=capital,
            fill=enhancement.fill,
            costs=enhancement.costs,
            haircut=enhancement.haircut,
            signal=enhancement.signal,
        )
        result = run_backtest(
            known.panel, known.universe, known.scores, known.styles, IndexEnhancer(enhancement), known.index, settings,
            start=start, eligible=known.eligible,
        )  # fmt: skip
        return cls(known, enhancement, result)

    def target_of(self, date: np.datetime64) -> Float64:
        """(N,) the backtest's target of a signal day."""
        weights, symbols = self.result.weights, self.known.panel.symbols
        of = weights.date == date
        out = np.zeros(len(symbols))
        out[np.searchsorted(symbols, weights.symbol[of])] = weights.weight[of]
        return out

    def fills_of(self, date: np.datetime64, side: str) -> Fills:
        """The backtest's fills of a day."""
        trades, symbols = self.result.trades, self.known.panel.symbols
        of = (trades.date == date) & (trades.side == side) & (trades.reason == "rebalance")
        at = np.searchsorted(symbols, trades.symbol[of])
        columns = np.zeros((3, len(symbols)))
        columns[:, at] = trades.shares[of], np.round(trades.shares[of] * trades.price[of], 2), trades.cost[of]
        return Fills(*columns, {})


def replay(scene: Scene, folder: Path) -> int:
    """Live the backtest's evenings one at a time; how many there are.

    Each knows what lies before it alone, and starts from the book that the fills have left: in memory, and again from
    a position file in `folder`. Targets are the backtest's bit for bit, its books' cash and value to the cent.
    """
    known, enhancement, result = scene.known, scene.enhancement, scene.result
    panel, rebalances = known.panel, scene.result.rebalances
    rows = np.searchsorted(panel.dates, rebalances.date).tolist()
    ends = [*rows[1:], int(np.searchsorted(panel.dates, result.dates[-1]))]
    book = Book(np.zeros(panel.shape[1]), result.capital, last_close(panel, rows[0]))
    aimed_at = None
    for k, (row, end) in enumerate(zip(rows, ends, strict=True)):
        then = until(known, row)
        made = rebalance(then, row, book, enhancement, Lists(), aimed_at)
        by_file = rebalance(then, row, through_a_file(book, then, row, folder), enhancement, Lists(), aimed_at)
        aimed_at = made.decision.aimed_at
        np.testing.assert_array_equal(aimed_at, scene.target_of(panel.dates[row]))
        np.testing.assert_array_equal(by_file.decision.aimed_at, aimed_at)
        assert made.decision.target.objective == rebalances.objective[k]
        require_possible(made, book)
        if np.isnat(rebalances.fill_date[k]):
            break
        sells, buys = (scene.fills_of(rebalances.fill_date[k], side) for side in ("sell", "buy"))
        require_ordered(made.decision.orders, trading_day(known, row + 1), sells, buys, panel.symbols)
        days = range(row + 1, end + 1)
        done = evening(book, panel, known.universe, days, sells, buys, enhancement.haircut, reinvested=True)
        at = int(np.searchsorted(result.dates, panel.dates[end]))
        assert book.cash == result.cash[at]
        assert done.value == pytest.approx(result.nav[at] * result.capital, abs=0.005)
        assert done.value == book.value()
    return len(rows)


def until(known: Knowledge, row: int) -> Knowledge:
    """What was known at the close of `row`, and nothing after it."""
    cut = slice(0, row + 1)
    scores = Scores(known.scores.name, known.scores.dates[cut], known.scores.symbols, known.scores.values[cut])
    styles = {name: values[cut] for name, values in known.styles.items()}
    panel, universe = known.panel.until(row), known.universe.until(row)
    return Knowledge(panel, universe, scores, styles, known.index, known.eligible[cut])


def through_a_file(book: Book, known: Knowledge, row: int, folder: Path) -> Book:
    """The book as a position file has it."""
    panel, file = known.panel, folder / "holdings.csv"
    held = Holdings(book.shares, book.shares, np.full(len(book.shares), np.nan), book.cash)
    write_csv(file, position_columns(held, panel.symbols, panel.dates[row]))
    return read_holdings(file, panel, panel.dates[row], fractions=True).book(panel, row)


def require_possible(made: Rebalanced, book: Book) -> None:
    assert made.expected.cash >= 0
    assert not made.sells.shares[~made.day.open_at_close].any()
    assert not made.buys.shares[~made.day.open_at_close].any()
    assert (made.sells.shares <= book.sellable()).all()
