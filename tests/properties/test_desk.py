"""Properties of the desk over random books, lists, limits, suspensions, locks and cash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as some

from deepfactor.backtest.fills import Fills
from deepfactor.core.errors import DataError
from deepfactor.desk.holdings import Holdings
from deepfactor.desk.lists import Lists
from deepfactor.desk.morning import Quotes, check_orders
from deepfactor.desk.rebalancing import Rebalanced, rebalance, trading_day
from deepfactor.desk.reconciling import evening, require_ordered
from deepfactor.market.boards import boards_of
from deepfactor.market.fees import Costs
from deepfactor.market.lots import MINIMUM, STEP
from deepfactor.portfolio.problem import InfeasibleError
from support.desk import desk_constraints, desk_knowledge, random_holdings

COSTS = some.sampled_from([{"rate": 0.0015}, {"rate": 0.0}, {"kind": "schedule", "slippage": 0.001}])
VALUE = some.sampled_from([20_000.0, 1e6, 1e9])
SEED = some.integers(0, 2**32 - 1)


def random_lists(rng: np.random.Generator, symbols: np.ndarray) -> Lists:
    """Each name on at most one list."""
    which = rng.integers(0, 8, len(symbols))
    names = [tuple(symbols[which == k].tolist()) for k in range(3)]
    return Lists(restricted=names[0], must_sell=names[1], no_trade=names[2])


@settings(max_examples=60)
@given(seed=SEED, costs=COSTS, value=VALUE)
def test_a_trade_list_keeps_the_rules_the_lists_and_the_books(seed: int, costs: dict, value: float) -> None:
    rng = np.random.default_rng(seed)
    known = desk_knowledge(seed % 50)
    panel, row = known.panel, len(known.panel.dates) - 1
    holdings, lists = random_holdings(rng, panel, value), random_lists(rng, panel.symbols)
    book = holdings.book(panel, row)
    assume(book.value() > 0)
    made = rebalance(known, row, book, desk_constraints(costs=costs), lists)
    # The account itself is as it was.
    np.testing.assert_array_equal(book.shares, holdings.shares)
    assert book.cash == holdings.cash
    require_rules(made, holdings, lists, panel.symbols)
    # Nothing comes from nowhere: value, cost and cash balance to a cent.
    paid = made.buys.amount.sum() + made.buys.cost.sum() - made.sells.amount.sum() + made.sells.cost.sum()
    assert abs(made.expected.cash - (book.cash - paid)) < 0.005
    cost = made.sells.cost.sum() + made.buys.cost.sum()
    room = 0.005 * (len(made.trades(panel.symbols)) + 1)  # each amount is rounded to a fen
    assert abs(made.expected.value() + cost - book.value()) < room


def require_rules(made: Rebalanced, holdings: Holdings, lists: Lists, symbols: np.ndarray) -> None:
    sold, bought = made.sells.shares, made.buys.shares
    assert made.expected.cash >= 0
    assert (sold <= holdings.sellable).all()
    assert not (sold + bought)[~made.day.open_at_close].any()
    boards = boards_of(symbols)
    for filled in (bought, np.where(sold == holdings.shares, 0.0, sold)):  # odd lots only when selling out
        np.testing.assert_array_equal(filled % STEP[boards], 0)
        assert ((filled == 0) | (filled >= MINIMUM[boards])).all()
    assert not ((sold > 0) & (bought > 0)).any()
    assert not bought[np.isin(symbols, [*lists.restricted, *lists.must_sell])].any()
    assert not (sold + bought)[np.isin(symbols, lists.no_trade)].any()
    free = made.day.open_at_close & (holdings.sellable == holdings.shares)
    gone = np.isin(symbols, lists.must_sell) & free
    left = sum((part for why, part in made.sells.rejected.items() if why == "cash"), np.zeros(len(symbols)))
    np.testing.assert_array_equal((sold + left)[gone], holdings.shares[gone])
    # Nothing is wanted sold that can't be, where a portfolio without that was possible.
    locked = holdings.shares - holdings.sellable
    bound = made.day.open_at_close & (locked > 0) & ~np.isin(symbols, lists.must_sell)
    assert bool(made.unheld) <= bool((locked > 0).any())
    if bound.any():  # held by the target, or said to be passed over
        assert any(one.kind == "must_hold" for one in made.enhancement.constraints) != bool(made.unheld)
    if any(one.kind == "must_hold" for one in made.enhancement.constraints):
        kept = made.day.open_at_close & (locked > 0) & ~np.isin(symbols, lists.must_sell)
        least = locked * np.where(holdings.shares > 0, made.book.last, 0.0) / made.book.value()
        assert (made.decision.aimed_at[kept] >= least[kept] - 1e-7).all()
        event("locked shares bound")
    # What is not done has a reason.
    wanted = np.abs(made.decision.orders)
    rejected = sum([*made.sells.rejected.values(), *made.buys.rejected.values()], np.zeros(len(symbols)))
    assert ((wanted == 0) | (sold + bought + rejected > 0)).all()


@settings(max_examples=25)
@given(seed=SEED)
def test_a_list_of_what_has_to_be_held_is_kept_or_said(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = desk_knowledge(seed % 50)
    panel, row = known.panel, len(known.panel.dates) - 1
    names = rng.choice(panel.symbols, 2, replace=False).tolist()
    book = random_holdings(rng, panel, 1e6).book(panel, row)
    assume(book.value() > 0)
    lists = Lists(must_hold=dict.fromkeys(names, 0.03))
    try:
        made = rebalance(known, row, book, desk_constraints(), lists)
    except InfeasibleError as error:
        named = {constraint for constraint, _ in error.conflict}
        if "must_hold" not in named:
            raise
        return
    weight = made.decision.aimed_at[np.isin(panel.symbols, names)]
    assert (weight >= 0.03 - 1e-7).all()


@settings(max_examples=40)
@given(seed=SEED, share=some.sampled_from([0.0, 0.5, 1.0]), reinvested=some.booleans())
def test_partial_fills_balance_to_a_cent(seed: int, share: float, reinvested: bool) -> None:
    rng = np.random.default_rng(seed)
    known = desk_knowledge(seed % 50)
    panel, universe, row = known.panel, known.universe, 55
    book = random_holdings(rng, panel, 1e6).book(panel, row)
    assume(book.value() > 0)
    made = rebalance(known, row, book, desk_constraints(), Lists())
    day = trading_day(known, row + 1)
    sells, buys = (partial(rng, made, day, side, share) for side in ("sells", "buys"))
    require_ordered(made.decision.orders, day, sells, buys, panel.symbols)
    held, cash, last, locked = book.shares, book.cash, book.last, book.locked
    try:
        done = evening(book, panel, universe, range(row + 1, row + 2), sells, buys, 0.3, reinvested=reinvested)
    except DataError as error:  # buys without the sales that were to pay for them
        if "more than the account has" not in str(error):
            raise
        return
    flow = (sells.amount - sells.cost - buys.amount - buys.cost).sum()
    settled = np.isin(panel.symbols, done.settled)
    proceeds = np.round(np.where(settled, held * last * 0.7, 0.0), 2).sum()
    assert abs(book.cash - (cash + flow + proceeds + done.dividends)) < 0.01 * (1 + settled.sum())
    assert book.cash >= 0
    plain = (day.ratio == 1.0) & ~settled
    np.testing.assert_array_equal(book.shares[plain], (held - sells.shares + buys.shares)[plain])
    assert (book.locked == np.minimum(locked, book.shares)).all()
    if not reinvested:
        np.testing.assert_allclose(book.shares, np.rint(book.shares), atol=1e-6)


def partial(rng: np.random.Generator, made: Rebalanced, day, side: str, share: float) -> Fills:
    """A part of a side's orders, as if at the day's close."""
    wanted: Fills = getattr(made, side)
    could = day.traded & day.listed
    shares = np.where(could, np.floor(wanted.shares * np.minimum(rng.random(25) + share, 1.0)), 0.0)
    amount = np.round(shares * np.nan_to_num(day.close), 2)
    return Fills(shares, amount, np.round(amount * 0.001, 2), {})


def test_more_than_was_ordered_is_refused() -> None:
    known = desk_knowledge(1)
    panel, row = known.panel, 55
    book = random_holdings(np.random.default_rng(1), panel, 1e6).book(panel, row)
    made = rebalance(known, row, book, desk_constraints(), Lists())
    day = trading_day(known, row + 1)
    none = Fills(*np.zeros((3, 25)), {})
    k = int(np.flatnonzero((made.buys.shares > 0) & (day.ratio == 1.0))[0])
    shares = np.zeros(25)
    shares[k] = made.buys.shares[k] + 50
    orders = made.buys.shares - made.sells.shares
    with pytest.raises(DataError, match=f"fills exceed the orders: .* {panel.symbols[k]} were bought"):
        require_ordered(orders, day, none, Fills(shares, shares, none.cost, {}), panel.symbols)
    with pytest.raises(DataError, match="no such order was made"):
        require_ordered(orders, day, Fills(shares, shares, none.cost, {}), none, panel.symbols)


@settings(max_examples=60)
@given(seed=SEED, value=VALUE, offset=some.sampled_from([0.0, 0.01, 0.1]))
def test_a_random_morning_leaves_orders_that_can_be_done(seed: int, value: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    known = desk_knowledge(seed % 50)
    panel, row = known.panel, len(known.panel.dates) - 1
    holdings = random_holdings(rng, panel, value)
    book = holdings.book(panel, row)
    assume(book.value() > 0)
    made = rebalance(known, row, book, desk_constraints(), Lists())
    evening_orders = made.buys.shares - made.sells.shares
    quotes = random_quotes(rng, book.last)
    costs = Costs(kind="schedule")
    checked = check_orders(evening_orders, book, quotes, costs, np.datetime64("2024-01-08"), panel.symbols, offset)
    sold, bought = np.maximum(-checked.orders, 0.0), np.maximum(checked.orders, 0.0)
    boards = boards_of(panel.symbols)
    assert (sold <= np.minimum(holdings.sellable, np.maximum(-evening_orders, 0))).all()
    assert not (sold + bought)[quotes.suspended | np.isnan(quotes.price)].any()
    assert not bought[quotes.price >= quotes.limit_up].any()
    assert not sold[quotes.price <= quotes.limit_down].any()
    for filled in (bought, np.where(sold == holdings.shares, 0.0, sold)):
        np.testing.assert_array_equal(filled % STEP[boards], 0)
        assert ((filled == 0) | (filled >= MINIMUM[boards])).all()
    price = np.nan_to_num(checked.price)
    assert not ((checked.orders != 0) & ((price > quotes.limit_up + 1e-9) | (price < quotes.limit_down - 1e-9))).any()
    flow = price * (sold - bought)
    day = np.datetime64("2024-01-08")
    paid = costs.cost(price * bought, "buy", day).sum() + costs.cost(price * sold, "sell", day).sum()
    assert holdings.cash + flow.sum() - paid >= -0.01 * (1 + (checked.orders != 0).sum())
    assert (np.isin(panel.symbols, checked.changed.symbol) == (checked.orders != evening_orders)).all()
    assert (checked.changed.reason != "").all()


def random_quotes(rng: np.random.Generator, last: np.ndarray) -> Quotes:
    """Some suspended, at a limit, over an ex-date or not in the file."""
    reference = np.round(np.where(rng.random(25) < 0.2, last / rng.uniform(1.0, 2.0, 25), last), 2)
    up, down = np.round(reference * 1.1, 2), np.round(reference * 0.9, 2)
    price = np.round(np.clip(reference * (1 + 0.06 * rng.standard_normal(25)), down, up), 2)
    price[rng.random(25) < 0.05] = np.nan
    return Quotes(reference, price, up, down, rng.random(25) < 0.1)
