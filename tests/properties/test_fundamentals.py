"""Point-in-time fundamentals against asking one by one: random announcements, restatements, gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.panel.fundamentals import (
    Events,
    Fundamentals,
    annual_growth,
    surprise,
    year_on_year,
)
from support.filings import Known, day_of, events, random_fundamentals

SEEDS = range(6)
ITEMS = ("a_q", "b_ytd", "c_ttm", "total_shares")


@pytest.fixture(scope="module", params=SEEDS)
def market(request) -> Fundamentals:
    return random_fundamentals(request.param, ITEMS)


def asked(market: Fundamentals, item: str, t: int, stock: int) -> Known:
    return Known(market[item], stock, int(market.dates[t].astype(int)))


def every(market: Fundamentals):
    for t in range(0, len(market.dates), 23):
        for stock in range(market.stocks):
            yield t, stock


@pytest.mark.parametrize("item", ITEMS)
def test_in_force(market, item):
    found = market.in_force(item)
    for t, stock in every(market):
        known = asked(market, item, t, stock)
        wanted = np.nan if known.latest is None else known(known.latest)
        np.testing.assert_equal(found[t, stock], np.float32(wanted))


def test_last_twelve_quarters_and_their_mask(market):
    quarters = market.quarters("a_q", 12)
    for t in range(0, len(market.dates), 23):
        values, mask = market.last_quarters(quarters, t)
        assert (mask == np.isfinite(values)).all()
        for stock in range(market.stocks):
            known = asked(market, "a_q", t, stock)
            wanted = [known(known.latest - k) if known.latest is not None else np.nan for k in range(12)]
            np.testing.assert_equal(values[stock], wanted)


def test_at_quarter_ends(market):
    quarter_ends = [day_of(q) for q in range(2010 * 4, 2024 * 4)]
    for t in range(0, len(market.dates), 23):
        values, mask = market.at_quarter_ends("total_shares", t, 9)
        assert (mask == np.isfinite(values)).all()
        ends = [end for end in quarter_ends if end <= int(market.dates[t].astype(int))][: -9 - 1 : -1]
        for stock in range(market.stocks):
            asked = [Known(market["total_shares"], stock, end) for end in ends]
            wanted = [np.nan if known.latest is None else known(known.latest) for known in asked]
            np.testing.assert_equal(values[stock], wanted)


def test_single_quarters_and_trailing_years(market):
    single, trailing = market.single_quarters("b", 6), market.trailing_years("b", 6)
    summed = market.trailing_years("a", 5)
    assert market.trailing_years("c", 3) is not None
    for t, stock in every(market):
        b, a = asked(market, "b_ytd", t, stock), asked(market, "a_q", t, stock)
        if b.latest is not None:
            wanted = [b.single(b.latest - k) for k in range(6)]
            np.testing.assert_allclose(market.last_quarters(single, t)[0][stock], wanted, atol=1e-12)
            wanted = [b.trailing(b.latest - k) for k in range(6)]
            np.testing.assert_allclose(market.last_quarters(trailing, t)[0][stock], wanted, atol=1e-12)
        if a.latest is not None:
            wanted = [sum(a(a.latest - k - j) for j in range(4)) for k in range(5)]
            np.testing.assert_allclose(market.last_quarters(summed, t)[0][stock], wanted, atol=1e-12)


def brute_surprise(changes: list[float]) -> float:
    before = [x for x in changes[1:9] if np.isfinite(x)]
    if len(before) < 6:
        return np.nan
    return (changes[0] - np.mean(before)) / np.std(before, ddof=1)


def test_surprise(market):
    single, steps = market.yearly_changes("a", 9), market.yearly_changes("c", 9)
    by_quarter, by_step = (market.spread(x, surprise(x)) for x in (single, steps))
    assert np.isfinite(by_quarter).any()
    assert np.isfinite(by_step).any()
    for t, stock in every(market):
        a, c = asked(market, "a_q", t, stock), asked(market, "c_ttm", t, stock)
        if a.latest is not None:
            wanted = brute_surprise([a(a.latest - k) - a(a.latest - k - 4) for k in range(9)])
            np.testing.assert_allclose(by_quarter[t, stock], wanted, rtol=1e-4)
        if c.latest is not None:
            there = [c(q) for q in range(c.latest, c.latest - 18, -1) if q in c.figures][:10]
            changes = [x - y for x, y in pairwise(there)]
            wanted = brute_surprise(changes + [np.nan] * (9 - len(changes)))
            np.testing.assert_allclose(by_step[t, stock], wanted, rtol=1e-4)


def test_growth(market):
    five, twenty = market.quarters("a_q", 5), market.trailing_years("b", 20)
    yoy, slope = (market.spread(x, f(x)) for x, f in ((five, year_on_year), (twenty, annual_growth)))
    for t, stock in every(market):
        a, b = asked(market, "a_q", t, stock), asked(market, "b_ytd", t, stock)
        if a.latest is not None:
            now, then = a(a.latest), a(a.latest - 4)
            np.testing.assert_allclose(yoy[t, stock], (now - then) / abs(then) if then else np.nan, rtol=1e-5)
        if b.latest is not None:
            last = b.latest - (b.latest + 1) % 4
            years = np.array([b(last - 4 * k) for k in range(4, -1, -1)])
            wanted = np.polyfit(range(5), years, 1)[0] / np.abs(years).mean() if np.isfinite(years).all() else np.nan
            np.testing.assert_allclose(slope[t, stock], wanted, rtol=1e-4)


def everything(market: Fundamentals) -> list[np.ndarray]:
    changes, five = market.yearly_changes("b", 9), market.quarters("a_q", 5)
    return [
        *(market.in_force(item) for item in ITEMS),
        market.spread(changes, surprise(changes)),
        market.spread(five, year_on_year(five)),
    ]


def test_what_is_published_tomorrow_changes_nothing_today(market):
    """Cut, and with every figure of later days turned round."""
    whole = everything(market)
    for t in range(40, len(market.dates) - 1, 61):
        day = int(market.dates[t].astype(int))
        turned = {
            name: Events(e.column, e.quarter, e.known, np.where(e.known > day, -7 * e.value - 1, e.value))
            for name, e in market.items.items()
        }
        for other in (market.until(t), Fundamentals(market.dates, market.stocks, turned)):
            for a, b in zip(whole, everything(other), strict=True):
                assert a[: t + 1].tobytes() == b[: t + 1].tobytes()


def test_a_restatement_counts_from_its_day_and_hides_no_newer_quarter():
    q = 2019 * 4
    day = day_of(q)
    rows = [(0, q, day + 30, 1.0), (0, q + 1, day + 120, 2.0), (0, q, day + 150, 5.0), (1, q, day + 40, np.nan)]
    dates = np.arange(day, day + 200).astype("datetime64[D]")
    market = Fundamentals(dates, 3, {"a_q": events(rows)})
    found = market.in_force("a_q")
    np.testing.assert_equal(found[[29, 30, 119, 120, 199], 0], np.float32([np.nan, 1, 1, 2, 2]))
    assert np.isnan(found[:, 1:]).all()
    two = market.quarters("a_q", 2)
    np.testing.assert_equal(market.last_quarters(two, 149)[0][0], [2, 1])
    np.testing.assert_equal(market.last_quarters(two, 150)[0][0], [2, 5])
    assert not market.last_quarters(two, 199)[1][1:].any()


def test_nothing_known_and_unknown_items():
    empty = random_fundamentals(0, ("a_q",)).until(0)
    empty = Fundamentals(empty.dates, 4, {"a_q": events([])})
    assert np.isnan(empty.in_force("a_q")).all()
    assert not empty.last_quarters(empty.quarters("a_q", 3), 0)[1].any()
    assert empty.single_quarters("b", 3) is None
    assert empty.trailing_years("b", 3) is None
    assert empty.yearly_changes("b", 3) is None
    with pytest.raises(DataError, match="b_q: it has a_q"):
        empty["b_q"]
