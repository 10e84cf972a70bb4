"""Properties of books and fills over random markets: balance, T+1, limits, lots, cash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.fills import execute
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.market.boards import boards_of
from deepfactor.market.fees import Costs
from deepfactor.market.lots import MINIMUM, STEP
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.portfolio.problem import Rebalance, Target
from support.portfolio import BestScores, answer, random_scores
from support.toy import INDEX, toy_market

SYMBOLS = np.array(["600000.SH", "300001.SZ", "688001.SH", "430047.BJ", "000001.SZ", "688002.SH"])
BOARDS = boards_of(SYMBOLS)
N = len(SYMBOLS)
COSTS = some.sampled_from([Costs(), Costs(rate=0.0), Costs(kind="schedule", slippage=0.001)])


def random_day(rng: np.random.Generator, row: int, listed: np.ndarray) -> TradingDay:
    traded = listed & (rng.random(N) > 0.2)
    price = np.where(traded, np.round(np.exp(rng.normal(2.5, 1.2, N)), 2), np.nan)
    return TradingDay(
        row=row,
        date=np.datetime64("2020-01-02") + row,
        ratio=np.where(rng.random(N) < 0.1, rng.uniform(1.0, 2.0, N), 1.0),
        close=np.where(traded, np.round(np.nan_to_num(price, nan=1.0) * rng.uniform(0.95, 1.05, N), 2), np.nan),
        price=np.where(rng.random(N) < 0.05, np.nan, price),
        can_buy=traded & (rng.random(N) > 0.2),
        can_sell=traded & (rng.random(N) > 0.2),
        open_at_close=traded,
        traded=traded,
        listed=listed,
    )


@settings(deadline=None, max_examples=60)
@given(seed=some.integers(0, 2**32 - 1), costs=COSTS, capital=some.sampled_from([1_000.0, 50_000.0, 1e8]))
def test_orders_keep_the_rules_and_the_books(seed: int, costs: Costs, capital: float) -> None:
    rng = np.random.default_rng(seed)
    listed = np.ones(N, dtype=bool)
    book = Book(np.zeros(N), capital, np.full(N, 10.0))
    for row in range(12):
        listed = listed & (rng.random(N) > 0.02)
        day = random_day(rng, row, listed)
        book.open_day(day.ratio)
        value_gone = np.where(~listed, book.market_value(), 0.0)
        cash = book.cash
        _, proceeds = book.settle(~listed & (book.shares > 0), 0.3)
        assert abs(proceeds.sum() - 0.7 * value_gone.sum()) < 0.01 * N
        assert abs(book.cash - cash - proceeds.sum()) < 1e-6
        bought = np.zeros(N)
        for _ in range(2):  # a second round on the same day meets what T+1 forbids
            bought += follow_orders(rng, book, day, costs, bought)
        book.mark(day.close)


def follow_orders(
    rng: np.random.Generator, book: Book, day: TradingDay, costs: Costs, bought: np.ndarray
) -> np.ndarray:
    """Random orders into `book`, checked; `bought` earlier today. What these bought."""
    scale = book.value() / np.nan_to_num(day.price, nan=10.0)
    orders = np.where(rng.random(N) < 0.3, -book.shares, rng.uniform(-0.5, 0.5, N) * scale)
    held, cash = book.shares.copy(), book.cash
    sells, buys = execute(book, orders, day, BOARDS, costs)
    # Cash and shares follow from the fills alone, to a cent.
    paid = (buys.amount + buys.cost).sum() - (sells.amount - sells.cost).sum()
    assert abs(book.cash - (cash - paid)) < 0.005
    assert book.cash >= 0
    np.testing.assert_allclose(book.shares, held + buys.shares - sells.shares)
    assert (book.shares >= 0).all()
    # Nothing is sold that T+1, a limit or a suspension forbids; nothing bought at the upper limit.
    assert (sells.shares <= held - bought + 1e-9).all()
    assert not sells.shares[~day.can_sell | ~day.listed | np.isnan(day.price)].any()
    assert not buys.shares[~day.can_buy | ~day.listed | np.isnan(day.price)].any()
    # Lots: orders are whole lots, but for selling out.
    partial = sells.shares[sells.shares < held]
    for filled, board in ((buys.shares, BOARDS), (partial, BOARDS[sells.shares < held])):
        np.testing.assert_array_equal(filled % STEP[board], 0)
        assert ((filled == 0) | (filled >= MINIMUM[board])).all()
    # No order goes the other way or beyond what was asked; fills and rejections of an order never exceed it.
    for side, fills in ((np.maximum(orders, 0), buys), (np.minimum(np.maximum(-orders, 0), held), sells)):
        rejected = sum(fills.rejected.values(), np.zeros(N))
        assert (fills.shares + rejected <= side + 1e-6 * np.maximum(side, 1)).all()
        assert ((side == 0) | (fills.shares + rejected > 0)).all()
    return buys.shares


@settings(deadline=None, max_examples=15)
@given(
    seed=some.integers(0, 10_000),
    fill=some.sampled_from(["next_vwap", "next_close"]),
    costs=COSTS,
    capital=some.sampled_from([20_000.0, 1e6, 1e9]),
)
def test_a_random_backtest_balances_and_trades_only_after_signals(
    seed: int, fill: str, costs: Costs, capital: float
) -> None:
    panel, universe = toy_market(days=70, stocks=25, seed=seed)
    result = run_backtest(
        panel, universe, random_scores(panel, seed), {}, BestScores(6), INDEX,
        BacktestSettings(capital=capital, fill=fill, costs=costs), eligible=universe.traded,
    )  # fmt: skip
    trades = result.trades
    signals = np.flatnonzero(universe.week_ends())
    fills = panel.dates[signals[signals + 1 < len(panel.dates)] + 1]
    assert np.isin(trades.date[trades.reason == "rebalance"], fills).all()
    assert np.isin(result.rejected.date, fills).all()
    assert (result.cash >= 0).all()
    # Replayed from the trades alone, with prices and factors of the panel: the value of each day, to a cent.
    value = replay(panel, universe, result, capital)
    np.testing.assert_allclose(result.nav * capital, value, rtol=1e-12, atol=0.01)


def replay(panel, universe, result, capital: float) -> list[float]:  # type: ignore[no-untyped-def]
    """The value of each day by a slow second bookkeeping in plain Python."""
    cash, shares, price, factor = capital, {}, {}, {}
    trades = list(zip(*result.trades.columns().values(), strict=True))
    out = []
    for date in result.dates:
        t = int(np.searchsorted(panel.dates, date))
        f = {s: float(panel["adj_factor"][t, i]) for i, s in enumerate(panel.symbols.tolist())}
        for s in shares:
            ratio = f[s] / factor[s] if f[s] > 0 and factor[s] > 0 else 1.0
            shares[s] *= ratio
            price[s] /= ratio
        factor = f
        for _, s, side, n, p, cost, _ in (x for x in trades if x[0] == date):
            sign = 1 if side == "buy" else -1
            shares[str(s)] = shares.get(str(s), 0.0) + sign * n
            price.setdefault(str(s), p)
            cash -= sign * round(n * p, 2) + cost
        for i, s in enumerate(panel.symbols.tolist()):
            if s in shares and np.isfinite(panel["close"][t, i]):
                price[s] = round(float(panel["close"][t, i]), 2)
        out.append(cash + sum(n * price[s] for s, n in shares.items()))
    return out


def narrow(universe: Universe, panel: Panel) -> Universe:
    """The same market with limits of ±1 %, so that many days end at or beyond one."""
    before = np.vstack([panel["close"][:1], panel["close"][:-1]]).astype(np.float64)
    fen = np.nan_to_num(before * 100)
    return replace(
        universe,
        limit_up=np.floor(fen * 1.01 + 0.5).astype(np.int32),
        limit_down=np.floor(fen * 0.99 + 0.5).astype(np.int32),
    )


@settings(deadline=None, max_examples=15)
@given(seed=some.integers(0, 10_000), fill=some.sampled_from(["next_vwap", "next_close"]))
def test_no_fill_at_a_limit_and_none_of_a_suspended_stock(seed: int, fill: str) -> None:
    panel, universe = toy_market(days=70, stocks=25, seed=seed)
    universe = narrow(universe, panel)
    result = run_backtest(
        panel, universe, random_scores(panel, seed), {}, BestScores(6), INDEX,
        BacktestSettings(capital=1e7, fill=fill), eligible=universe.traded,
    )  # fmt: skip
    field = "vwap" if fill == "next_vwap" else "close"
    for date, symbol, side, reason in zip(
        result.trades.date, result.trades.symbol, result.trades.side, result.trades.reason, strict=True
    ):
        if reason == "delisting":
            continue
        t, n = np.searchsorted(panel.dates, date), np.searchsorted(panel.symbols, symbol)
        price, low, high = (round(float(panel[name][t, n]) * 100) for name in (field, "low", "high"))
        up, down = int(universe.limit_up[t, n]), int(universe.limit_down[t, n])
        assert universe.traded[t, n]
        if side == "buy" and up > 0:
            assert price < up
            assert low < up
        if side == "sell" and down > 0:
            assert price > down
            assert high > down
    # T+1: no stock is bought and sold on one day.
    both = [
        np.unique(result.trades.date[of].astype(str).astype(object) + result.trades.symbol[of].astype(object))
        for of in ((result.trades.side == side) & (result.trades.reason == "rebalance") for side in ("buy", "sell"))
    ]
    assert not np.intersect1d(*both).size


@settings(deadline=None, max_examples=15)
@given(seed=some.integers(0, 10_000), fill=some.sampled_from(["next_vwap", "next_close"]), costs=COSTS)
def test_attribution_adds_up_each_day_and_over_time(seed: int, fill: str, costs: Costs) -> None:
    panel, universe = toy_market(days=80, stocks=25, seed=seed)
    styles = {"SIZE": np.log(panel["float_mv"]), "X": random_scores(panel, seed + 1).values}
    chosen = BacktestSettings(capital=1e7, fill=fill, costs=costs)
    result = run_backtest(
        panel, universe, random_scores(panel, seed), styles, BestScores(6), INDEX, chosen, eligible=universe.traded
    )
    found = attribute(result, panel, universe, styles, chosen.haircut)
    book, replica = (x[1:] / x[:-1] - 1 for x in (result.nav, result.replica_nav))
    np.testing.assert_allclose(found.contribution[1:].sum(axis=1), book - replica, atol=1e-12)
    # What no part explains is the rounding of amounts to fen and of weights to float32.
    assert np.abs(found.contribution[:, -1]).max() < 1e-7
    linked = (found.contribution * found.scale[:, None]).sum(axis=1)
    np.testing.assert_allclose(np.cumsum(linked), np.log(result.nav / result.replica_nav), atol=1e-12)


class TheIndex:
    """Targets the benchmark's weights, all invested."""

    def solve(self, r: Rebalance) -> Target:
        return answer(r, r.benchmark)


@settings(deadline=None, max_examples=15)
@given(seed=some.integers(0, 10_000))
def test_the_index_at_its_weights_without_cost_is_the_replica(seed: int) -> None:
    panel, universe = index_market(seed)
    result = run_backtest(
        panel, universe, random_scores(panel, seed), {}, TheIndex(), INDEX,
        BacktestSettings(capital=1e12, fill="next_close", costs=Costs(rate=0.0)), eligible=universe.traded,
    )  # fmt: skip
    assert result.nav.std() > 0.001
    np.testing.assert_allclose(result.nav, result.replica_nav, rtol=2e-6)  # lots, float32 weights


def index_market(seed: int) -> tuple[Panel, Universe]:
    """A market with splits, in which all trade always; prices stand still until the index is bought."""
    panel, universe = toy_market(days=70, stocks=25, seed=seed)
    rng = np.random.default_rng(seed)
    shape, yes = panel.shape, np.ones(panel.shape, dtype=bool)
    moves = 0.02 * rng.standard_normal(shape)
    moves[: int(np.argmax(universe.week_ends())) + 2] = 0.0
    factor = np.cumprod(np.where(rng.random(shape) < 0.01, 2.0, 1.0), axis=0)
    value = 50 * np.exp(rng.standard_normal(shape[1]) + np.cumsum(moves, axis=0))
    close = (value / factor).astype(np.float32)
    weight = np.where(np.arange(shape[1]) % 2 == 0, close.astype(np.float64) * factor, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    fields = dict.fromkeys(("open", "high", "low", "close", "vwap"), close) | {"adj_factor": factor}
    none = np.zeros(shape, dtype=np.int32)
    universe = replace(
        universe, listed=yes, traded=yes, limit_up=none, limit_down=none,
        members={INDEX: weight > 0}, benchmark={INDEX: weight.astype(np.float32)},
    )  # fmt: skip
    return Panel(panel.dates, panel.symbols, fields, "index"), universe
