"""Styles from company reports against asking one stock and day at a time; what a market lacks is named."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from deepfactor.panel.fundamentals import Fundamentals
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles import barra_cne5, study_a
from oracles.style_reference import Reference, mix
from support.filings import Known, random_fundamentals
from support.law import reads_future
from support.toy import toy_market

DAYS, STOCKS = 360, 24
ROWS = (20, 150, 359)
ITEMS = (
    "net_profit_q",
    "revenue_ytd",
    "operating_cash_flow_ttm",
    "total_equity",
    "long_term_debt",
    "total_assets",
    "total_liabilities",
)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    panel, universe = toy_market(DAYS, STOCKS, seed=2)
    reports = random_fundamentals(5, ITEMS, stocks=STOCKS, days=DAYS, years=7)
    return replace(panel, fundamentals=reports), universe


class Asked:
    """Raw descriptors of one stock at one close."""

    def __init__(self, panel: Panel, t: int, stock: int) -> None:
        day = int(panel.dates[t].astype(int))
        reports = panel.fundamentals
        assert reports is not None
        self.of = {item: Known(reports[item], stock, day) for item in ITEMS}
        self.cap = float(panel["total_mv"][t, stock])

    def now(self, item: str) -> float:
        known = self.of[item]
        return math.nan if known.latest is None else known(known.latest)

    def profit(self) -> float:
        known = self.of["net_profit_q"]
        return math.nan if known.latest is None else sum(known(known.latest - k) for k in range(4))

    def over(self, above: float, below: float) -> float:
        return above / below if below > 0 else math.nan

    def growth(self, flow: str) -> float:
        known = self.of["net_profit_q" if flow == "net_profit" else "revenue_ytd"]
        if known.latest is None:
            return math.nan
        last = known.latest - (known.latest + 1) % 4
        ends = [last - 4 * k for k in range(4, -1, -1)]
        years = [sum(known(q - j) for j in range(4)) if flow == "net_profit" else known(q) for q in ends]
        return np.polyfit(range(5), years, 1)[0] / np.abs(years).mean() if np.isfinite(years).all() else math.nan

    def yoy(self) -> float:
        known = self.of["net_profit_q"]
        if known.latest is None:
            return math.nan
        now, then = known(known.latest), known(known.latest - 4)
        return (now - then) / abs(then) if then else math.nan

    def surprise(self) -> float:
        known = self.of["net_profit_q"]
        if known.latest is None:
            return math.nan
        changes = [known(known.latest - k) - known(known.latest - k - 4) for k in range(9)]
        before = [x for x in changes[1:] if math.isfinite(x)]
        return (changes[0] - np.mean(before)) / np.std(before, ddof=1) if len(before) >= 6 else math.nan


def test_study_a(market: tuple[Panel, Universe]) -> None:
    styles, reference = study_a.compute(study_a.Settings(), *market), Reference(*market)
    assert set(styles.absent) == {"LIQUIDITY"}
    for t in ROWS:
        asked = [Asked(market[0], t, i) for i in range(STOCKS)]
        wanted = {
            "VALUE": [a.over(a.now("total_equity"), a.cap) for a in asked],
            "EP": [a.over(a.profit(), a.cap) for a in asked],
            "PROFITABILITY": [a.over(a.profit(), a.now("total_equity")) for a in asked],
            "GROWTH": [a.yoy() for a in asked],
            "SUE": [a.surprise() for a in asked],
        }
        for style, values in wanted.items():
            assert np.isfinite(styles.exposures[style][t]).sum() >= 4, style
            found = styles.exposures[style][t]
            np.testing.assert_allclose(found, reference.z(t, values), atol=2e-4, err_msg=f"{style} on row {t}")


def test_barra(market: tuple[Panel, Universe]) -> None:
    styles, reference = barra_cne5.compute(barra_cne5.Settings(), *market), Reference(*market)
    assert set(styles.absent) == {"LIQUIDITY"}
    for t in ROWS:
        asked = [Asked(market[0], t, i) for i in range(STOCKS)]
        raw = {
            "BTOP": [a.over(a.now("total_equity"), a.cap) for a in asked],
            "CETOP": [a.over(a.now("operating_cash_flow_ttm"), a.cap) for a in asked],
            "ETOP": [a.over(a.profit(), a.cap) for a in asked],
            "EGRO": [a.growth("net_profit") for a in asked],
            "SGRO": [a.growth("revenue") for a in asked],
            "MLEV": [a.over(a.cap + a.now("long_term_debt"), a.cap) for a in asked],
            "DTOA": [a.over(a.now("total_liabilities"), a.now("total_assets")) for a in asked],
            "BLEV": [a.over(a.now("total_equity") + a.now("long_term_debt"), a.now("total_equity")) for a in asked],
        }
        z = {name: reference.z(t, values) for name, values in raw.items()}
        wanted = {
            "BTOP": z["BTOP"],
            "EARNYILD": mix([(0.656, z["CETOP"]), (0.344, z["ETOP"])]),
            "GROWTH": mix([(0.338, z["EGRO"]), (0.662, z["SGRO"])]),
            "LEVERAGE": mix([(0.38, z["MLEV"]), (0.35, z["DTOA"]), (0.27, z["BLEV"])]),
        }
        for style, values in wanted.items():
            found = styles.exposures[style][t]
            assert np.isfinite(found).sum() >= 4, style
            np.testing.assert_allclose(found, reference.z(t, values, clip=False), atol=2e-4, err_msg=f"{style} on {t}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [study_a, barra_cne5])
def test_reports_of_tomorrow_change_nothing_today(kind, market: tuple[Panel, Universe]) -> None:
    def exposures(p: Panel, u: Universe) -> np.ndarray:
        return np.stack(list(kind.compute(kind.Settings(), p, u).exposures.values()), axis=-1)

    assert reads_future(exposures, *market, range(30, 359, 40)) is None


def test_a_market_of_the_real_shape(market: tuple[Panel, Universe]) -> None:
    """Trailing years as steps, equity; no debt, no cash flow: no LEVERAGE, no CETOP, and it says so."""
    panel, universe = market
    items = ("net_profit_ttm", "revenue_ttm", "total_equity")
    panel = replace(panel, fundamentals=random_fundamentals(1, items, stocks=STOCKS, days=DAYS, years=7))
    barra = barra_cne5.compute(barra_cne5.Settings(), panel, universe)
    assert "long_term_debt" in barra.absent["LEVERAGE"]
    assert "operating_cash_flow" in barra.absent["EARNYILD/CETOP"]
    assert {"BTOP", "EARNYILD", "GROWTH"} <= set(barra.exposures)
    a = study_a.compute(study_a.Settings(), panel, universe).exposures
    for style in ("VALUE", "EP", "PROFITABILITY", "GROWTH", "SUE"):
        assert np.isfinite(a[style][359]).any(), style


def test_ratios_want_the_total_value(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    without = replace(panel, fields={k: v for k, v in panel.fields.items() if k != "total_mv"})
    a = study_a.compute(study_a.Settings(), without, universe)
    assert "total_mv" in a.absent["VALUE"]
    assert "total_mv" in a.absent["EP"]
    assert "PROFITABILITY" in a.exposures
    empty = Fundamentals(panel.dates, STOCKS, {})
    assert set(study_a.compute(study_a.Settings(), replace(panel, fundamentals=empty), universe).absent) == {
        "VALUE",
        "EP",
        "PROFITABILITY",
        "GROWTH",
        "SUE",
        "LIQUIDITY",
    }
