"""Two markets beside each other: equal ones differ in nothing, planted differences are found, the cost is linear."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.core.errors import DataError
from deepfactor.panel.market_pair import MarketPair, compare_markets
from deepfactor.panel.pair_tally import Counts, Difference, Side
from support.toy import INDEX, toy_market

PAIR = toy_market(days=600, stocks=40, seed=5)
PRICES = ("open", "high", "low", "close", "vwap")


def changed(side: Side = PAIR, **arrays: np.ndarray) -> Side:
    """The market with other arrays: of the panel's fields by their names, else of the universe."""
    panel, universe = side
    fields = {name: array for name, array in arrays.items() if name in panel.fields}
    rest = {name: array for name, array in arrays.items() if name not in panel.fields}
    return replace(panel, fields={**panel.fields, **fields}), replace(universe, **rest)


def of(pair: MarketPair) -> dict[str, Difference]:
    return {one.quantity: one for one in pair.differences}


def found(pair: MarketPair) -> dict[str, Counts]:
    """What differs."""
    totals = {name: one.total() for name, one in of(pair).items()}
    return {name: one for name, one in totals.items() if one.differ or one.only_a or one.only_b}


def test_equal_markets_differ_in_nothing() -> None:
    pair = compare_markets(PAIR, PAIR)
    assert found(pair) == {}
    assert all(one.stocks == 0 and one.worst == () for one in pair.differences)
    shown = set(of(pair))
    assert shown >= {*PRICES, "adj_factor", "return", "listed", "suspended", "is_st", "limit_up", "industry", "level"}
    assert {f"members.{INDEX}", f"weight.{INDEX}"} <= shown
    assert pair.coverage.days == {"both": 600, "only_a": 0, "only_b": 0}
    traded = PAIR[1].traded
    assert sum(one.compared for one in pair.coverage.traded.values()) == traded.sum()
    close = of(pair)["close"].total()
    assert close.compared == np.isfinite(PAIR[0]["close"]).sum()


def test_another_level_of_the_factor_and_other_names_of_industries_are_no_difference() -> None:
    panel, universe = PAIR
    other = changed(adj_factor=panel["adj_factor"] * 7.5, industries=("bank", "steel", "food"))
    assert found(compare_markets(PAIR, other)) == {}
    swapped = changed(
        industries=("c", "a", "b"), industry=np.where(universe.industry < 0, -1, (universe.industry + 1) % 3)
    )
    assert found(compare_markets(PAIR, swapped)) == {}


def cells(rng: np.random.Generator, mask: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Some cells of a mask, each in another stock."""
    stocks = rng.permutation(np.flatnonzero(mask.any(axis=0)))[:count]
    return np.array([rng.choice(np.flatnonzero(mask[:, i])) for i in stocks]), stocks


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from([*PRICES, "volume", "float_mv", "total_mv"]),
    count=st.integers(1, 12),
    seed=st.integers(0, 2**16),
    away=st.booleans(),
)
def test_every_planted_number_is_found(name: str, count: int, seed: int, away: bool) -> None:
    """With its year, stock, day and both values; and nothing else, but what is made of the price."""
    panel, universe = PAIR
    rng = np.random.default_rng(seed)
    t, i = cells(rng, np.isfinite(panel[name]) & universe.listed, count)
    values = panel[name].copy()
    values[t, i] = np.nan if away else values[t, i] * 1.2
    pair = compare_markets(PAIR, changed(**{name: values}), worst=40)
    one = of(pair)[name]
    total = one.total()
    assert (total.differ, total.only_a, total.only_b) == ((0, len(t), 0) if away else (len(t), 0, 0))
    years = panel.dates[t].astype("datetime64[Y]").astype(int) + 1970
    assert {y: c.differ + c.only_a for y, c in one.by_year.items()} == {y: int((years == y).sum()) for y in one.by_year}
    told = {(case.symbol, case.date): (case.a, case.b) for case in one.worst}
    assert set(told) == {(str(panel.symbols[k]), str(panel.dates[r])) for r, k in zip(t, i, strict=True)}
    for r, k in zip(t, i, strict=True):
        a, b = told[str(panel.symbols[k]), str(panel.dates[r])]
        assert a == float(panel[name][r, k])
        assert b is None if away else b == float(values[r, k])
    assert set(found(pair)) <= {name, *({"return"} if name == "close" else ())}


def test_what_lies_within_rounding_is_no_difference_and_what_doesnt_is() -> None:
    panel, _ = PAIR
    assert "close" not in found(compare_markets(PAIR, changed(close=panel["close"] + np.float32(0.004))))
    pair = compare_markets(PAIR, changed(close=panel["close"] + np.float32(0.01)))
    close = of(pair)["close"].total()
    assert close.differ == close.compared


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(["st", "listed", "traded"]), count=st.integers(1, 10), seed=st.integers(0, 2**16))
def test_every_planted_flag_is_found(name: str, count: int, seed: int) -> None:
    _, universe = PAIR
    rng = np.random.default_rng(seed)
    t, i = cells(rng, universe.listed, count)
    flags = getattr(universe, name).copy()
    flags[t, i] = ~flags[t, i]
    quantity = {"st": "is_st", "listed": "listed", "traded": "suspended"}[name]
    one = of(compare_markets(PAIR, changed(**{name: flags}), worst=40))[quantity]
    assert one.total().differ == one.total().only_a + one.total().only_b == len(t)
    assert {case.symbol for case in one.worst} == set(universe.symbols[i])
    assert all(case.days == 1 for case in one.worst)


def test_a_step_of_the_factor_is_found_on_its_day_and_across_blocks() -> None:
    panel, universe = PAIR
    stock = int(universe.listed.sum(axis=0).argmax())
    for t in (1, 255, 256, 257, 599):
        factor = panel["adj_factor"].copy()
        factor[t:, stock] *= 1.05
        pair = compare_markets(PAIR, changed(adj_factor=factor))
        one = of(pair)["adj_factor"]
        assert one.total().differ == 1
        assert (one.worst[0].symbol, one.worst[0].date) == (str(panel.symbols[stock]), str(panel.dates[t]))
        assert one.worst[0].b == pytest.approx((1 + one.worst[0].a) * 1.05 - 1)


def test_members_weights_levels_limits_and_industries_are_found() -> None:
    _, universe = PAIR
    members, weights = universe.members[INDEX].copy(), universe.benchmark[INDEX].copy()
    members[100:200, 3] ^= True
    weights[50, 2] += 0.01
    level = universe.index_close[INDEX].copy()
    level[7] *= 1.001
    limits = universe.limit_up.copy()
    t = int(np.flatnonzero(universe.listed[:, 4] & (limits[:, 4] > 0))[0])
    limits[t, 4] += 1
    industry = universe.industry.copy()
    stock = int(np.flatnonzero(industry[0] >= 0)[0])
    industry[300:, stock] = (industry[300:, stock] + 1) % 3
    other = changed(
        members={INDEX: members},
        benchmark={INDEX: weights},
        index_close={INDEX: level},
        limit_up=limits,
        industry=industry,
    )
    shown = of(compare_markets(PAIR, other))
    assert shown[f"members.{INDEX}"].total().differ == 100
    assert shown[f"members.{INDEX}"].worst[0].days == 100
    assert shown[f"weight.{INDEX}"].total().differ == 1
    assert (shown["level"].total().differ, shown["level"].worst[0].symbol) == (1, INDEX)
    assert shown["limit_up"].total().differ == 1
    assert shown["limit_up"].worst[0].b - shown["limit_up"].worst[0].a == pytest.approx(0.01)
    expected = int(universe.listed[300:, stock].sum())
    assert shown["industry"].total().differ == shown["industry"].worst[0].days == expected
    assert {shown["industry"].worst[0].a, shown["industry"].worst[0].b} < {"a", "b", "c"}


def test_what_one_market_has_alone_is_counted_and_named() -> None:
    panel, universe = PAIR
    wide, tall = toy_market(days=600, stocks=42, seed=5), PAIR
    short = panel.between(0, 590), universe.between(0, 590)
    pair = compare_markets(tall, short)
    assert pair.coverage.days == {"both": 590, "only_a": 10, "only_b": 0}
    assert pair.coverage.examples["days.only_a"] == [str(day) for day in panel.dates[590:]]
    assert sum(one.only_a for one in pair.coverage.traded.values()) == universe.traded[590:].sum()
    assert found(pair) == {}
    pair = compare_markets(tall, wide)
    assert pair.coverage.stocks == {"both": 40, "only_a": 0, "only_b": 2}
    assert pair.coverage.examples["stocks.only_b"] == [str(one) for one in wide[0].symbols[40:]]


def test_markets_without_a_day_in_common_are_refused() -> None:
    panel, universe = PAIR
    with pytest.raises(DataError, match="no day in common"):
        compare_markets(
            (panel.between(0, 10), universe.between(0, 10)), (panel.between(10, 20), universe.between(10, 20))
        )


def test_which_comes_first_changes_signs_alone() -> None:
    panel, _ = PAIR
    close = panel["close"].copy()
    close[5:9, :7] *= 1.1
    close[20, 3] = np.nan
    one, two = of(compare_markets(PAIR, changed(close=close))), of(compare_markets(changed(close=close), PAIR))
    for name, first in one.items():
        a, b = first.total(), two[name].total()
        assert (a.compared, a.differ, a.only_a, a.only_b) == (b.compared, b.differ, b.only_b, b.only_a)


@pytest.mark.slow
def test_the_cost_is_linear() -> None:
    """Four times the days take less than eight times as long."""
    spent = []
    for days in (1000, 4000):
        one = toy_market(days=days, stocks=200, seed=1)
        start = process_time()
        compare_markets(one, one)
        spent.append(process_time() - start)
    assert spent[1] < 8 * spent[0]
