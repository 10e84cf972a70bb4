"""The style sets against their definitions written out stock by stock, and what they are made of at the edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.cross_section.clipping import clip_mad_rows
from deepfactor.cross_section.regression import residual_rows
from deepfactor.cross_section.zscores import zscore_rows_by_cap
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles import barra_cne5, study_a
from deepfactor.styles._composite import composite
from deepfactor.styles._descriptors import YEAR, daily_return, rows_behind
from deepfactor.styles.base import RECENT, CombinedStyles
from oracles.style_reference import Reference, residual
from support.filings import random_fundamentals
from support.law import reads_future
from support.toy import toy_market

DAYS, STOCKS = 640, 14
ROWS = (15, 60, 70, 130, 260, 300, 420, 639)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    panel, universe = toy_market(DAYS, STOCKS, seed=4)
    rng = np.random.default_rng(1)
    traded = universe.traded.copy()
    traded[280:299, 3] = False  # a long suspension
    fields = {
        k: np.where(traded, v, np.nan) if k not in ("adj_factor", "float_mv", "total_mv") else v
        for k, v in panel.fields.items()
    }
    turnover = np.exp(-4 + 0.5 * rng.standard_normal(panel.shape))
    turnover[rng.random(panel.shape) < 0.01] = np.nan  # traded, turnover not known
    fields["turnover"] = np.where(traded, turnover, np.nan).astype(np.float32)
    return replace(panel, fields=fields), replace(universe, traded=traded)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(study_a, "study_a"), (barra_cne5, "barra")])
def test_against_the_definitions(kind, name: str, market: tuple[Panel, Universe]) -> None:
    styles = kind.compute(kind.Settings(), *market).exposures
    reference = Reference(*market)
    for t in ROWS:
        wanted = getattr(reference, name)(t)
        assert set(wanted) == set(styles)
        for style, row in wanted.items():
            np.testing.assert_allclose(styles[style][t], row, atol=2e-4, err_msg=f"{style} on row {t}")
    for style, values in styles.items():
        assert np.isfinite(values[639]).sum() >= 10, style


@pytest.mark.slow
@pytest.mark.parametrize("kind", [study_a, barra_cne5])
def test_long_windows_are_known_at_the_close(kind, market: tuple[Panel, Universe]) -> None:
    def exposures(p: Panel, u: Universe) -> np.ndarray:
        return np.stack(list(kind.compute(kind.Settings(), p, u).exposures.values()), axis=-1)

    assert reads_future(exposures, *market, range(300, 639, 110)) is None


def test_orthogonal_to_what_they_say(market: tuple[Panel, Universe]) -> None:
    styles = barra_cne5.compute(barra_cne5.Settings(), *market).exposures
    row = {name: x[600].astype(float) for name, x in styles.items()}
    known = np.all([np.isfinite(x) for x in row.values()], axis=0)
    whole = np.isfinite(row["RESVOL"])
    assert abs(np.corrcoef(row["RESVOL"][whole], row["SIZE"][whole])[0, 1]) < 1e-5
    assert abs(np.corrcoef(row["RESVOL"][whole], row["BETA"][whole])[0, 1]) < 1e-5
    assert known.sum() > 5
    size, nlsize = row["SIZE"], row["NLSIZE"]
    weight = np.where(np.isfinite(nlsize), np.sqrt(market[0]["float_mv"][600].astype(float)), 0.0)
    mean = np.nansum(weight * nlsize) / weight.sum()
    assert abs(np.nansum(weight * (nlsize - mean) * size)) / weight.sum() < 1e-5


@pytest.mark.parametrize("kind", [study_a, barra_cne5])
def test_without_data_styles_are_absent_with_the_reason(kind, market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    whole = kind.compute(kind.Settings(), panel, universe)
    assert len(set(whole.exposures) | set(whole.absent)) == 10
    fields = {k: v for k, v in panel.fields.items() if k != "turnover"}
    without = kind.compute(kind.Settings(), replace(panel, fields=fields), universe)
    assert "turnover" in without.absent["LIQUIDITY"]
    assert set(without.exposures) | {"LIQUIDITY"} == set(whole.exposures)
    bare = {k: v for k, v in fields.items() if k != "total_mv"}
    nothing = kind.compute(kind.Settings(cap="total"), replace(panel, fields=bare), universe)
    assert nothing.exposures == {}
    assert set(nothing.absent) == set(whole.exposures) | set(whole.absent)
    assert "total_mv" in nothing.absent["SIZE"]


@pytest.mark.slow
def test_reversal_is_there_where_it_is_asked_for(market: tuple[Panel, Universe]) -> None:
    """Minus the return over 21 days, clipped and standardised; the other styles stay what they were, bit for bit."""
    panel, _ = market
    plain = barra_cne5.compute(barra_cne5.Settings(), *market).exposures
    wide = barra_cne5.compute(barra_cne5.Settings(reversal=True), *market).exposures
    assert set(wide) == {*plain, "REVERSAL"}
    for name, values in plain.items():
        np.testing.assert_array_equal(wide[name], values)
    price = panel["close"].astype(np.float64) * panel["adj_factor"]
    there = np.isfinite(price[-1]) & np.isfinite(price[-22]) & np.isfinite(wide["REVERSAL"][-1])
    assert there.sum() > 10
    order = np.argsort(price[-1, there] / price[-22, there], kind="stable")
    assert (np.diff(wide["REVERSAL"][-1][there][order].astype(np.float64)) <= 1e-6).all()


def test_composite_renormalises_a_stock() -> None:
    a, b = np.array([[1.0, 2.0, np.nan, np.nan]]), np.array([[3.0, np.nan, 5.0, np.nan]])
    np.testing.assert_allclose(composite([(0.75, a), (0.25, b)]), [[1.5, 2.0, 5.0, np.nan]])


def test_orthogonalise_edges() -> None:
    rng = np.random.default_rng(0)
    x, on = rng.standard_normal((3, 9)), rng.standard_normal((3, 9))
    weight = rng.random((3, 9))
    x[0, 2], on[0, 4], weight[0, 5] = np.nan, np.nan, np.nan
    on[1] = 2.0  # no spread: the intercept alone
    x[2, 2:] = np.nan  # two stocks, two coefficients
    found = residual_rows(x, [on], weight)
    np.testing.assert_allclose(found[0], residual(x[0], [on[0]], weight[0]), atol=1e-10)
    np.testing.assert_allclose(found[1], x[1] - np.average(x[1], weights=weight[1]), atol=1e-10)
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("kind", [study_a, barra_cne5])
def test_some_days_are_those_of_all_days(kind, market: tuple[Panel, Universe]) -> None:
    styles = kind.compute(kind.Settings(), *market)
    for rows in (slice(0, 10), slice(300, 403), slice(630, 700)):
        some = styles.of_days(rows)
        assert list(some) == list(styles.exposures)
        for name, values in some.items():
            np.testing.assert_array_equal(values, styles.exposures[name][rows])


def test_who_has_no_market_value_is_in_no_cross_section() -> None:
    """More days than one block; the others' exposures don't depend on a name that has left."""
    rng = np.random.default_rng(3)
    x, cap = rng.standard_normal((150, 6)).astype(np.float32), np.exp(rng.standard_normal((150, 6)))
    cap[70:, 2] = np.nan
    settings = study_a.Settings(clip=0.5)

    def combine(day, cap):
        return {"y": zscore_rows_by_cap(clip_mad_rows(day["x"], settings.clip), cap)}

    def describe(first):
        return {"x": x[first:]}

    found = CombinedStyles(["x"], describe, cap, combine)["y"]
    x[70:, 2] = 1e6
    np.testing.assert_array_equal(found, CombinedStyles(["x"], describe, cap, combine)["y"])
    assert np.isnan(found[70:, 2]).all()
    assert np.isfinite(found[:70]).all()


@pytest.mark.slow
@pytest.mark.parametrize("days", [1700, 2015, 2016, 2017])
def test_the_last_days_are_described_without_the_years_before(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, where windows begin and end; with a name whose last trade lies before all that is read."""
    panel, universe = toy_market(days, 10, seed=9)
    traded = universe.traded.copy()
    traded[400:-30, 2] = False
    prices = ("open", "high", "low", "close", "vwap", "volume")
    fields = {k: np.where(traded, v, np.nan) if k in prices else v for k, v in panel.fields.items()}
    fields["turnover"] = (panel["volume"] / 1e8).astype(np.float32)
    items = ("net_profit_q", "revenue_ytd", "operating_cash_flow_ttm", "total_equity")
    reports = random_fundamentals(0, items, stocks=10, days=days, years=10)
    market = replace(panel, fields=fields, fundamentals=reports), replace(universe, traded=traded)
    read = set()
    monkeypatch.setattr(barra_cne5.d, "daily_return", lambda panel: read.add(len(panel.dates)) or daily_return(panel))
    few, whole = (barra_cne5.compute(barra_cne5.Settings(), *market) for _ in range(2))
    own = few.by_day()
    for row in (days - 1, days - 2, *(days - recent for recent in RECENT)):
        for name in own:
            np.testing.assert_array_equal(own[name][row], whole.exposures[name][row], err_msg=f"{name} on row {row}")
    assert read == {days, *(days - rows_behind(days - recent, YEAR) for recent in RECENT)}
    assert np.isfinite(own["MOMENTUM"][days - 1][2])
    assert max(read - {days}) < days


def test_a_day_outside_the_market_is_none(market: tuple[Panel, Universe]) -> None:
    size = study_a.compute(study_a.Settings(), *market).by_day()["SIZE"]
    np.testing.assert_array_equal(size[-1], size[DAYS - 1])
    with pytest.raises(IndexError):
        size[DAYS]
