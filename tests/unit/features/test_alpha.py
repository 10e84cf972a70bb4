"""The set `alpha` against pandas, one stock at a time, and its codes against ranks counted one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepfactor.features import alpha
from deepfactor.features._alpha_block import ROWS_BACK, Block, market_return
from deepfactor.features._alpha_prices import extremes, lines, returns, risks, shapes
from deepfactor.features._alpha_trading import limits_and_size, together, turnovers
from deepfactor.features._alpha_words import IN_INDUSTRY
from deepfactor.features._exact_sums import Running
from deepfactor.features._extremes import largest
from deepfactor.features._rank_codes import MISSING, STEPS, VALUES, rank_codes, rank_codes_within
from deepfactor.features.hand_features import Settings as HandSettings
from deepfactor.features.hand_features import compute as by_hand
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from support.filings import random_fundamentals
from support.toy import toy_market

ITEMS = ("net_profit_ttm", "revenue_ttm", "total_equity", "total_shares")
FAMILIES = (returns, extremes, lines, shapes, risks, turnovers, together, limits_and_size)
Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    panel, universe = toy_market(days=330, stocks=24, seed=5)
    turnover = (panel["volume"] / (panel["float_mv"] / panel["close"])).astype(np.float32)
    reports = random_fundamentals(0, ITEMS, stocks=24, days=330, years=7)
    return replace(panel, fields={**panel.fields, "turnover": turnover}, fundamentals=reports), universe


@pytest.fixture(scope="module")
def raw(market: Market) -> dict[str, np.ndarray]:
    """What the codes are of, (T, N), by name."""
    panel, universe = market
    block = Block(panel, universe, slice(0, len(panel.dates), 1), slice(None), market_return(panel))
    with np.errstate(all="ignore"):
        return {name: made for family in FAMILIES for name, made in family(block)}


def by_pandas(panel: Panel, universe: Universe, k: int, market: np.ndarray) -> dict[str, pd.Series]:
    """Some features of each family of one stock, by pandas' own rolling functions."""
    raw = {name: pd.Series(panel[name][:, k].astype(float)) for name in panel.fields}
    traded = pd.Series(universe.traded[:, k])
    c, o, h, low = (np.log(raw[name] * raw["adj_factor"]) for name in ("close", "open", "high", "low"))
    r, v = c.diff(), (100 * raw["turnover"]).where(traded)
    m = pd.Series(market[:, 0]).where(r.notna())

    def rolling(x: pd.Series, d: int) -> pd.core.window.rolling.Rolling:
        return x.rolling(d, min_periods=-(-d // 2))

    out: dict[str, pd.Series] = {}
    for d in (5, 20, 60):
        out[f"average_gap_{d}"] = rolling(c, d).mean() - c
        out[f"high_gap_{d}"] = rolling(h, d).max() - c
        out[f"range_place_{d}"] = (c - rolling(low, d).min()) / (rolling(h, d).max() - rolling(low, d).min())
        out[f"vol_{d}"] = rolling(r, d).std(ddof=0)
        out[f"turnover_vol_{d}"] = rolling(v, d).std(ddof=0) / rolling(v, d).mean()
        out[f"gain_share_{d}"] = rolling(r.clip(lower=0), d).sum() / rolling(r.abs(), d).sum()
        out[f"amihud_{d}"] = np.log(rolling(r.abs() / (raw["vwap"] * raw["volume"] / 1e8), d).mean())
        out[f"up_days_{d}"] = rolling((r > 0).astype(float).where(r.notna()), d).mean()
        both = c.notna() & v.notna()
        out[f"level_corr_{d}"] = rolling(c.where(both), d).corr(np.log(v).where(both))
    out["skew_60"] = rolling(r, 60).apply(lambda x: _moment(x, 3), raw=True)
    out["kurtosis_60"] = rolling(r, 60).apply(lambda x: _moment(x, 4), raw=True)
    out["beta_60"] = rolling(r, 60).cov(m, ddof=0) / rolling(m, 60).var(ddof=0)
    out["momentum_240_20"] = c.shift(20) - c.shift(240)
    out["overnight_20"] = rolling(o - c.shift(1), 20).mean()
    out["slope_20"] = rolling(c, 20).apply(lambda y: _line(y)[0], raw=True)
    out["line_residual_20"] = c - rolling(c, 20).apply(lambda y: _line(y)[1], raw=True)
    out["line_fit_20"] = rolling(c, 20).apply(lambda y: _line(y)[2], raw=True)
    out["since_high_20"] = (
        h.astype(np.float32).rolling(20, min_periods=1).apply(lambda x: np.nanargmax(x[::-1]), raw=True)
    )
    out["close_rank_20"] = c.rolling(21, min_periods=1).apply(_rank, raw=True)
    return out


def _moment(x: np.ndarray, order: int) -> float:
    x = x[np.isfinite(x)]
    return float(((x - x.mean()) ** order).mean() / x.std() ** order)


def _line(y: np.ndarray) -> tuple[float, float, float]:
    known = np.flatnonzero(np.isfinite(y))
    slope, level = np.polyfit(known, y[known], 1)
    return slope, level + slope * (len(y) - 1), float(np.corrcoef(known, y[known])[0, 1] ** 2)


def _rank(x: np.ndarray) -> float:
    past = x[:-1][np.isfinite(x[:-1])]
    return float((past < x[-1]).mean()) if len(past) >= 10 else np.nan


@pytest.mark.slow
def test_features_are_what_pandas_makes_of_their_definitions(market: Market, raw: dict[str, np.ndarray]) -> None:
    panel, universe = market
    rows = universe.traded.copy()
    for k in range(0, panel.shape[1], 3):
        for name, series in by_pandas(panel, universe, k, market_return(panel)).items():
            want = series.to_numpy()[rows[:, k]]
            found = raw[name][rows[:, k], k]
            if name == "since_high_20":  # a window of too few closes has none
                want = np.where(np.isfinite(found), want, np.nan)
            np.testing.assert_allclose(found, want, rtol=3e-5, atol=3e-6, err_msg=f"{name} of stock {k}")


def test_the_names_it_shares_with_the_hand_made_set_mean_the_same(market: Market, raw: dict[str, np.ndarray]) -> None:
    panel, universe = market
    hand = by_hand(HandSettings(), panel, universe)
    shared = set(raw) & set(hand.names)
    assert set(hand.names) - shared == set()
    for name in sorted(shared):
        want = hand.values[..., hand.names.index(name)]
        found = np.where(universe.traded, raw[name], np.nan)
        shift = np.nanmedian(found - want)  # logs of other units
        np.testing.assert_allclose(found, want + shift, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_catalogue_names_what_is_made(market: Market, raw: dict[str, np.ndarray]) -> None:
    made = alpha.compute(alpha.Settings(), *market)
    catalogue = [one.name for one in alpha.catalogue()]
    assert len(set(catalogue)) == len(catalogue)
    statements = {one.name for one in alpha.catalogue() if one.family == "statements"}
    assert set(raw) == {name for name in catalogue if not name.endswith("_in_industry")} - statements
    lacking = {"CFP", "ROA", "gross_margin", "asset_turnover", "leverage", "accruals"}
    assert made.names == tuple(name for name in catalogue if name not in lacking)
    assert len(made.names) >= 140
    assert {f"{name}_in_industry" for name in IN_INDUSTRY} <= set(made.names)
    assert all(one.meaning and one.chinese and one.formula and one.source for one in alpha.catalogue())


def test_codes_are_the_ranks_of_those_who_traded(market: Market, raw: dict[str, np.ndarray]) -> None:
    panel, universe = market
    made = alpha.compute(alpha.Settings(), panel, universe)
    assert not made.values[~universe.traded].any()
    for name in ("ret_20", "since_high_60", "limit_up_20", "turnover_ratio"):
        for t in (100, 250, 329):
            x = np.where(universe.traded[t], raw[name][t], np.nan)
            np.testing.assert_array_equal(made.values[t, :, made.names.index(name)], counted(x))
    for t in (250, 329):
        x = np.where(universe.traded[t], raw["ret_20"][t], np.nan)
        codes = made.values[t, :, made.names.index("ret_20_in_industry")]
        for group in np.unique(universe.industry[t]):
            own = universe.industry[t] == group
            np.testing.assert_array_equal(codes[own], counted(x[own]))


def counted(x: np.ndarray) -> np.ndarray:
    """Codes by counting, one stock at a time."""
    known = x[np.isfinite(x)]
    codes = np.zeros(len(x), int)
    for i in np.flatnonzero(np.isfinite(x)):
        place = ((known < x[i]).sum() + (known <= x[i]).sum() - 1) / 2
        codes[i] = 1 + int(255 * (place + 0.5) / len(known) + 1e-9)
    return codes


@given(arrays(np.float64, (3, 17), elements=st.sampled_from([np.nan, -2.0, 0.0, 0.5, 1.0, 3.0, np.inf])))
def test_any_values_have_the_codes_of_their_ranks(x: np.ndarray) -> None:
    group = np.arange(17)[None, :] % 3 - 1
    np.testing.assert_array_equal(rank_codes(x), [counted(row) for row in x])
    within = rank_codes_within(x, np.broadcast_to(group, x.shape))
    for g in (-1, 0, 1):
        own = group[0] == g
        np.testing.assert_array_equal(within[:, own], [counted(row[own]) for row in x])


def test_a_code_stands_for_the_middle_of_its_step() -> None:
    assert np.isnan(VALUES[MISSING])
    np.testing.assert_allclose(VALUES[1:], -VALUES[:0:-1], atol=1e-6)
    assert VALUES[1:].std() == pytest.approx(1, abs=1e-4)
    assert len(VALUES) == STEPS + 1


@pytest.mark.slow
def test_one_day_by_itself_and_every_fifth_day_have_the_bits_of_the_panel(market: Market) -> None:
    panel, universe = market
    whole = alpha.compute(alpha.Settings(), panel, universe).values
    fifth = alpha.compute_rows(panel, universe, range(2, len(whole), 5)).values
    assert fifth.tobytes() == whole[2::5].tobytes()
    last = alpha.compute_rows(panel, universe, range(len(whole) - 1, len(whole))).values
    assert last.tobytes() == whole[-1:].tobytes()
    first = len(whole) - 1 - ROWS_BACK
    near = alpha.compute(alpha.Settings(), panel.between(first, len(whole)), universe.between(first, len(whole)))
    assert near.values[-1].tobytes() == whole[-1].tobytes()


@given(st.integers(0, 30), st.integers(1, 40), st.integers(0, 10**6))
def test_running_sums_know_nothing_of_what_lies_before(first: int, days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((60, 3)) < 0.2, np.nan, rng.standard_normal((60, 3)) * 10.0 ** rng.integers(-6, 4))
    whole, part = Running.of(x), Running.of(x[first:])
    rows, there = slice(max(first + days, 40), 60, 1), slice(max(first + days, 40) - first, 60 - first, 1)
    if rows.start < 60:
        assert whole.sum(days, rows).tobytes() == part.sum(days, there).tobytes()
        want = [[np.nansum(x[t - days + 1 : t + 1, k]) for k in range(3)] for t in range(rows.start, 60)]
        np.testing.assert_allclose(whole.sum(days, rows), want, rtol=1e-9, atol=1e-9)


@given(arrays(np.float32, (23, 2), elements=st.sampled_from([np.nan, -1.5, -0.0, 0.0, 1e-3, 2.0])))
def test_the_largest_and_how_long_ago(x: np.ndarray) -> None:
    found = largest(x.astype(np.float64), (1, 5, 7), slice(0, 23, 1))
    for days, one in found.items():
        for t in range(23):
            for k in range(2):
                past = x[max(t - days + 1, 0) : t + 1, k][::-1]
                if np.isnan(past).all():
                    assert np.isnan(one.value[t, k])
                else:
                    assert one.value[t, k] == np.nanmax(past)
                    assert past[int(one.ago[t, k])] == np.nanmax(past)


def test_the_page_says_what_the_catalogue_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "alpha-features.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{one.name}` | {one.meaning} | {one.chinese} | {one.formula.replace('|', chr(92) + '|')} | {one.source} |"
        for one in alpha.catalogue()
    ]
