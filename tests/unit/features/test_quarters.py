"""The last quarters as known on each day, against figures asked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.features.quarters import FundamentalQuarters, QuarterSettings, fundamental_quarters
from deepfactor.panel.fundamentals import Events
from deepfactor.panel.panel import Panel
from support.filings import Known, random_fundamentals
from support.toy import toy_market

ITEMS = ("net_profit_ytd", "revenue_ytd", "total_equity", "total_assets", "total_shares")
DAYS = (3, 60, 119)


@pytest.fixture(scope="module")
def panel() -> Panel:
    bare, _ = toy_market(days=120, stocks=12)
    return replace(bare, fundamentals=random_fundamentals(3, ITEMS, stocks=12, days=120, years=7))


@pytest.fixture(scope="module")
def found(panel: Panel) -> FundamentalQuarters:
    return fundamental_quarters(QuarterSettings(), panel)


def known(panel: Panel, item: str, stock: int, t: int) -> Known:
    assert panel.fundamentals is not None
    return Known(panel.fundamentals[item], stock, int(panel.dates[t].astype(int)))


def over(above: float, below: float) -> float:
    return above / below if below > 0 else np.nan


def test_every_quarter_is_what_was_known(panel: Panel, found: FundamentalQuarters) -> None:
    """The newest quarter that any of the items knows is the last of all of them."""
    compared = 0
    for t in DAYS:
        stocks = np.arange(12)
        x, loss = found.at(t, stocks)
        assert x.shape == (12, 12, len(found.names))
        for stock in stocks:
            each = {item: known(panel, item, stock, t) for item in ITEMS[:-1]}
            newest = max((k.latest for k in each.values() if k.latest is not None), default=None)
            if newest is None:
                assert not np.isfinite(x[:, stock]).any()
                continue
            value = float(panel["total_mv"][t, stock])
            for lag in range(12):
                quarter = newest - lag
                profit, revenue = (each[f"{flow}_ytd"] for flow in ("net_profit", "revenue"))
                equity, assets = each["total_equity"](quarter), each["total_assets"](quarter)
                then, now = profit.single(quarter - 4), profit.single(quarter)
                wanted = {
                    "BP": equity / value,
                    "EP": profit.trailing(quarter) / value,
                    "SP": revenue.trailing(quarter) / value,
                    "ROE": over(profit.trailing(quarter), equity),
                    "ROA": over(profit.trailing(quarter), assets),
                    "ASSET_TURNOVER": over(revenue.trailing(quarter), assets),
                    "PROFIT_YOY": (now - then) / abs(then) if then else np.nan,
                }
                got = {name: x[11 - lag, stock, found.names.index(name)] for name in wanted}
                # an item whose own newest quarter is older has its 12 quarters from there; what is beyond isn't asked
                np.testing.assert_allclose(list(got.values()), list(wanted.values()), rtol=1e-4, atol=1e-9)
                assert loss[11 - lag, stock] == (profit.trailing(quarter) < 0)
                compared += np.isfinite(list(wanted.values())).sum()
    assert compared > 500


def test_what_a_market_lacks_is_named(found: FundamentalQuarters) -> None:
    assert set(found.names) == {"BP", "EP", "SP", "ROE", "ROA", "ASSET_TURNOVER", "REVENUE_YOY", "PROFIT_YOY", "SUE"}
    assert found.absent["CFP"] == "the market has no operating_cash_flow"
    assert set(found.absent) == {"CFP", "GROSS_MARGIN", "LEVERAGE", "ACCRUALS"}


def test_surprises_of_the_newest_quarter_are_the_styles(panel: Panel, found: FundamentalQuarters) -> None:
    """One way to the same number: `styles` computes it of the newest quarter alone."""
    from deepfactor.styles._company_descriptors import earnings_surprise

    style = earnings_surprise(panel)
    compared = 0
    for t in range(0, 120, 5):
        x, _ = found.at(t, np.arange(12))
        own = x[-1, :, found.names.index("SUE")]
        both = np.isfinite(own)
        np.testing.assert_allclose(own[both], style[t][both], rtol=1e-4)
        compared += both.sum()
    assert compared > 10


def test_a_flag_says_loss_where_there_is_no_figure(panel: Panel) -> None:
    """A vendor's step table: profit null and flagged from the second quarter on, without a row for the third."""
    assert panel.fundamentals is not None
    quarters, day = np.array([8069, 8070, 8071]), int(panel.dates[0].astype(int))
    zeros = np.zeros(3, np.int64)
    figures = {
        "net_profit_ttm": Events(zeros[:2], quarters[:2], zeros[:2] + day, np.array([5.0, np.nan])),
        "net_profit_ttm_loss": Events(zeros[:2], quarters[:2], zeros[:2] + day, np.array([0.0, 1.0])),
        "total_equity": Events(zeros, quarters, zeros + day, np.array([1.0, 2.0, 3.0])),
    }
    reports = replace(panel.fundamentals, items=figures)
    found = fundamental_quarters(QuarterSettings(quarters=4), replace(panel, fundamentals=reports))
    x, loss = found.at(5, np.array([0]))
    assert loss[:, 0].tolist() == [False, False, True, True]
    roe = x[:, 0, found.names.index("ROE")]
    np.testing.assert_array_equal(np.isfinite(roe), [False, True, False, False])


def test_without_reports(panel: Panel) -> None:
    with pytest.raises(DataError, match="company reports"):
        fundamental_quarters(QuarterSettings(), replace(panel, fundamentals=None))
    with pytest.raises(DataError, match="none of the items"):
        fundamental_quarters(QuarterSettings(items=("CFP",)), panel)
