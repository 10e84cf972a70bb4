"""The audit of a compiled market finds what is planted, and counts by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.market.boards import board_of
from deepfactor.panel.audit import REASONS, STALE_DAYS, audit_panel, limitations
from deepfactor.panel.build import open_panel
from deepfactor.panel.weighting import Weighting
from deepfactor.store.folder import write_market
from support.market_tables import BY_MEMBERS, BY_WEIGHTS, market_tables


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    path = tmp_path_factory.mktemp("audit") / "m"
    write_market(path, market_tables(seed=4, days=160), source={})
    return open_panel(path)


def test_counts_by_year_are_those_of_a_loop(market):
    panel, universe = market
    holes = np.random.default_rng(0).random(panel.shape)
    fields = {name: np.where(holes > i / 20, panel[name], np.nan) for i, name in enumerate(panel.fields)}
    panel = replace(panel, fields=fields)  # no two fields are equally complete
    audit = audit_panel(panel, universe)
    assert audit.years == (2020, 2021)
    year = np.array([day.year for day in panel.dates.tolist()])
    fen = np.rint(np.nan_to_num(panel["close"]) * 100)
    for i, one in enumerate(audit.years):
        rows = np.flatnonzero(year == one)
        assert audit.sizes["days"][i] == len(rows)
        assert audit.sizes["traded"][i] == int(np.median([universe.traded[t].sum() for t in rows]))
        idle = sum(int(universe.listed[t, n] and not universe.traded[t, n]) for t in rows for n in range(14))
        assert audit.stock_days["listed, not traded"][i] == idle > 0
        top = sum(
            int(universe.traded[t, n] and 0 < universe.limit_up[t, n] == fen[t, n]) for t in rows for n in range(14)
        )
        assert audit.stock_days["close at limit up"][i] == top
        for name in panel.fields:
            there = np.isfinite(panel[name][rows])[universe.traded[rows]]
            assert audit.coverage[name][i] == pytest.approx(there.mean()), name
        known = (universe.industry[rows] >= 0)[universe.traded[rows]]
        assert audit.coverage["industry"][i] == pytest.approx(known.mean())


def test_closes_beyond_the_limit_by_reason(market):
    panel, universe = market
    close = np.array(panel["close"])
    factor, traded = panel["adj_factor"], np.array(universe.traded)
    quiet = traded & (universe.limit_up > 0) & (np.rint(np.nan_to_num(close) * 100) <= universe.limit_up)
    quiet &= ~universe.st
    quiet[1:] &= (factor[1:] == factor[:-1]) & traded[:-1]
    t, n = (int(x[0]) for x in np.nonzero(quiet[50:]))
    t += 50
    before = {(b.year, b.board): b for b in audit_panel(panel, universe).beyond}
    limit = universe.limit_up[t, n] / 100
    close[t, n] = limit + 0.01
    planted = replace(panel, fields={**panel.fields, "close": close})
    audit = audit_panel(planted, universe)
    board = board_of(panel.symbols[n]).name
    key = (panel.dates[t].item().year, board)
    after = {(b.year, b.board): b for b in audit.beyond}
    was = before[key].reasons["unexplained"] if key in before else 0
    assert after[key].reasons["unexplained"] == was + 1
    assert set(after[key].reasons) == set(REASONS)
    (finding,) = [one for one in audit.findings if one.code == "beyond_limit"]
    assert finding.count == sum(b.reasons["unexplained"] for b in audit.beyond)
    assert finding.severity == "warning"


@pytest.mark.parametrize(("price", "reason"), [(1.0, "unexplained"), (0.5, "ex-date")])
def test_an_ex_date_explains_a_close_that_follows_its_factor(market, price, reason):
    """The factor doubles: a close that halves is within the limit but for rounding, one that stays is far beyond."""
    panel, universe = market
    close, factor = np.array(panel["close"]), np.array(panel["adj_factor"])
    up, down = np.array(universe.limit_up), np.array(universe.limit_down)
    calm = universe.traded & (up > 0) & ~universe.st
    calm[1:] &= (factor[1:] == factor[:-1]) & universe.traded[:-1]
    calm[:50] = False
    t, n = (int(x[0]) for x in np.nonzero(calm))
    factor[t:, n] *= 2
    middle = (up[t, n] + down[t, n]) / 2
    up[t, n], down[t, n] = up[t, n] // 2, down[t, n] // 2
    close[t, n] = middle / 100 * price if price == 1 else (up[t, n] + 1) / 100
    planted = replace(panel, fields={**panel.fields, "close": close, "adj_factor": factor})
    changed = replace(universe, limit_up=up, limit_down=down)
    before = audit_panel(panel, universe).beyond
    counts = [
        {name: sum(one.reasons[name] for one in beyond) for name in ("ex-date", "unexplained")}
        for beyond in (before, audit_panel(planted, changed).beyond)
    ]
    assert counts[1][reason] >= counts[0][reason] + 1
    named = [
        text for one in audit_panel(planted, changed).findings if one.code == "beyond_limit" for text in one.examples
    ]
    ex_date = f"{panel.dates[t]} {panel.symbols[n]} close"
    assert any(text.startswith(ex_date) for text in named) == (reason == "unexplained")


def test_a_stale_price_is_found(market):
    panel, universe = market
    fields = {name: np.array(panel[name]) for name in ("close", "high", "low")}
    traded = np.array(universe.traded)
    traded[40 : 40 + STALE_DAYS, 0] = True
    for name in fields:
        fields[name][40 : 40 + STALE_DAYS, 0] = 7.0
    found = audit_panel(replace(panel, fields={**panel.fields, **fields}), replace(universe, traded=traded)).findings
    (stale,) = [one for one in found if one.code == "stale_price"]
    day = f"{panel.dates[40 + STALE_DAYS - 1]} {panel.symbols[0]}"
    others = set(stale.examples) - {day}  # cheap enough to stand still by itself
    assert day in stale.examples
    assert not any(panel.symbols[0] in one for one in others)
    assert stale.count == 1 + len(others)
    fields["close"][45, 0] = fields["high"][45, 0] = fields["low"][45, 0] = 7.01
    found = audit_panel(replace(panel, fields={**panel.fields, **fields}), replace(universe, traded=traded)).findings
    assert sum(one.count for one in found if one.code == "stale_price") == len(others)


def test_a_replica_that_is_the_index_correlates_with_it(market):
    panel, universe = market
    weights = universe.benchmark[BY_MEMBERS]
    price = np.array(panel["close"], dtype=float) * panel["adj_factor"]
    for t in range(1, len(price)):
        price[t] = np.where(universe.traded[t], price[t], price[t - 1])
    level = np.ones(len(price))
    for t in range(1, len(price)):
        level[t] = level[t - 1] * (1 + np.nansum(weights[t - 1] * (price[t] / price[t - 1] - 1)))
    own = replace(universe, index_close={**universe.index_close, BY_MEMBERS: level})
    found = audit_panel(panel, own).replicas[BY_MEMBERS]
    assert found.correlation == pytest.approx((1.0, 1.0))
    assert found.tracking_error == pytest.approx((0.0, 0.0), abs=1e-6)
    assert found.replica_return == pytest.approx(found.index_return, abs=1e-5)
    assert found.index_return[1] == pytest.approx(level[-1] / level[-1 - found.days[1]] - 1)
    random = replace(universe, index_close={BY_MEMBERS: np.exp(np.random.default_rng(0).normal(size=len(level)))})
    assert np.abs(audit_panel(panel, random).replicas[BY_MEMBERS].correlation).max() < 0.5


def test_an_index_without_members_is_found(market):
    panel, universe = market
    levels = {**universe.index_close, "000016.SH": np.ones(len(panel.dates))}
    found = audit_panel(panel, replace(universe, index_close=levels)).findings
    (thin,) = [one for one in found if one.code == "index_without_members"]
    assert thin.examples == ("000016.SH",)


def test_what_is_not_possible_is_said(market):
    panel, universe = market
    said = limitations(panel, universe, frozenset({"daily"}))
    assert any(text.startswith("no total_mv") for text in said)
    assert any(text.startswith("no fundamentals") for text in said)
    assert not any(text.startswith(("no market value", "no industry", "no vwap")) for text in said)
    bare = replace(panel, fields={name: panel[name] for name in ("close", "high", "low", "adj_factor")})
    said = limitations(bare, replace(universe, industries=(), benchmark={}), frozenset({"daily", "fundamentals"}))
    for start in ("no market value: no SIZE", "no industry", "no vwap", "no index weights"):
        assert any(text.startswith(start) for text in said)


def test_a_stock_marked_st_that_moves_as_others_do(market):
    """Up by 8 % where the mark allows 5: the mark is doubted, not the price."""
    panel, universe = market
    factor, traded = panel["adj_factor"], universe.traded
    calm = universe.st & traded & (universe.limit_up > 0)
    calm[1:] &= (factor[1:] == factor[:-1]) & traded[:-1]
    calm[:20] = False
    t, n = (int(x[0]) for x in np.nonzero(calm & np.array([board_of(s).name == "MAIN" for s in panel.symbols])))
    found = []
    for move in (1.04, 1.08, 1.2):
        close = np.array(panel["close"])
        close[t, n] = round((universe.limit_up[t, n] + universe.limit_down[t, n]) / 200 * move, 2)
        audit = audit_panel(replace(panel, fields={**panel.fields, "close": close}), universe)
        counts = {name: sum(one.reasons[name] for one in audit.beyond) for name in ("ST mark", "unexplained")}
        assert counts["ST mark"] == sum(f.count for f in audit.findings if f.code == "doubtful_st")
        found.append(counts)
    assert found[1]["ST mark"] == found[0]["ST mark"] + 1
    assert found[1]["unexplained"] == found[0]["unexplained"]
    assert found[2]["unexplained"] == found[0]["unexplained"] + 1


def test_published_weights_that_are_not_the_index_are_found(market):
    panel, universe = market
    assert not [one for one in audit_panel(panel, universe).findings if one.code == "flawed_weights"]
    rows = np.array(universe.weighting[BY_WEIGHTS].rows)
    rows["total"][40:60] = 0.42
    flawed = replace(universe, weighting={**universe.weighting, BY_WEIGHTS: Weighting(rows)})
    (found,) = [one for one in audit_panel(panel, flawed).findings if one.code == "flawed_weights"]
    assert (found.count, found.severity) == (20, "warning")
    assert f"{BY_WEIGHTS} are on 20 days not its own: published" in found.message
    assert "sum to 0.42" in found.message
