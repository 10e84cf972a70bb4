"""Features, labels, styles, graphs and universe rules can't read the future; leaks that are planted are seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.features.quarters import QuarterSettings, fundamental_quarters
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted, can_trade, trailing_return
from deepfactor.panel.universe import Universe, UniverseRule
from support.filings import random_fundamentals
from support.law import Compute, reads_future
from support.toy import INDEX, toy_market

RULE = UniverseRule(window=20, min_observed=12)
DAYS = range(40, 110, 7)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    """With turnover and reports, for the styles that read them."""
    panel, universe = toy_market()
    days, stocks = panel.shape
    items = ("net_profit_q", "revenue_ytd", "operating_cash_flow_ttm", "total_equity", "total_shares")
    turnover = panel["volume"] / (panel["float_mv"] / panel["close"])
    reports = random_fundamentals(0, items, stocks=stocks, days=days, years=7)
    return replace(panel, fields={**panel.fields, "turnover": turnover}, fundamentals=reports), universe


@pytest.mark.parametrize("kind", kinds_in("deepfactor.features"))
def test_features_are_known_at_the_close(kind: str, market: tuple[Panel, Universe]) -> None:
    module = load_kind("deepfactor.features", kind)
    assert reads_future(lambda p, u: module.compute(module.Settings(), p, u).values, *market, DAYS) is None


@pytest.mark.parametrize("kind", kinds_in("deepfactor.styles"))
def test_styles_are_known_at_the_close(kind: str, market: tuple[Panel, Universe]) -> None:
    module = load_kind("deepfactor.styles", kind)

    def exposures(p: Panel, u: Universe) -> np.ndarray:
        return np.stack(list(module.compute(module.Settings(), p, u).exposures.values()), axis=-1)

    assert reads_future(exposures, *market, DAYS) is None


def _graphs(kind: str, ahead: int = 0) -> Compute:
    """Similarity of each pair (T, N, N), as of `ahead` rows later; the rows of `DAYS`, the others NaN."""
    module = load_kind("deepfactor.graphs", kind)

    def graphs(p: Panel, u: Universe) -> np.ndarray:
        days, stocks = p.shape
        out = np.full((days, stocks, stocks), np.nan)
        for t in range(DAYS.start, days, DAYS.step):
            index, similarity = module.edges(module.Settings(), p, u, min(t + ahead, days - 1), np.arange(stocks))
            row, place = np.nonzero(index >= 0)
            out[t] = 0
            out[t, row, index[row, place]] = similarity[row, place]
        return out

    return graphs


@pytest.mark.parametrize("kind", kinds_in("deepfactor.graphs"))
def test_graphs_are_known_at_the_close(kind: str, market: tuple[Panel, Universe]) -> None:
    assert reads_future(_graphs(kind), *market, DAYS) is None


def test_a_graph_of_the_months_end_to_come_is_caught(market: tuple[Panel, Universe]) -> None:
    assert reads_future(_graphs("fundamental", ahead=20), *market, DAYS) is not None


def test_fundamental_quarters_are_known_at_the_close(market: tuple[Panel, Universe]) -> None:
    def arrays(p: Panel, u: Universe) -> np.ndarray:
        found = fundamental_quarters(QuarterSettings(), p)
        days = [found.at(t, np.arange(p.shape[1])) for t in range(len(p.dates))]
        return np.stack([np.concatenate([x, loss[..., None]], axis=-1) for x, loss in days])

    def early(p: Panel, u: Universe) -> np.ndarray:
        assert p.fundamentals is not None
        items = {name: replace(e, known=e.known - 30) for name, e in p.fundamentals.items.items()}
        return arrays(replace(p, fundamentals=replace(p.fundamentals, items=items)), u)

    assert np.isfinite(arrays(*market)).mean() > 0.2
    assert reads_future(arrays, *market, DAYS) is None
    assert reads_future(early, *market, DAYS) is not None


def _profit_before_it_is_out(p: Panel, u: Universe) -> np.ndarray:
    """Reports dated by the end of their quarter, as many data sets have them."""
    assert p.fundamentals is not None
    profit = p.fundamentals["net_profit_q"]
    early = replace(p.fundamentals, items={"net_profit_q": replace(profit, known=profit.known - 30)})
    return early.in_force("net_profit_q")


@pytest.mark.parametrize("kind", kinds_in("deepfactor.labels"))
def test_labels_reach_no_further_than_they_say(kind: str, market: tuple[Panel, Universe]) -> None:
    module = load_kind("deepfactor.labels", kind)
    settings = module.Settings()

    def label(p: Panel, u: Universe) -> np.ndarray:
        return module.compute(settings, p, u, u.eligible(RULE))

    ahead = module.reach(settings)
    assert reads_future(label, *market, DAYS, looks_ahead=ahead) is None
    assert reads_future(label, *market, DAYS, looks_ahead=ahead - 1) is not None, "reach() says more than is read"


UNIVERSE_RULES = {
    "eligible": lambda p, u: u.eligible(RULE),
    "week_ends": lambda p, u: u.week_ends(),
    "can_buy": lambda p, u: can_trade(p, u, "close")[0],
    "can_sell": lambda p, u: can_trade(p, u, "vwap")[1],
    "trailing_return": lambda p, u: trailing_return(p, 20),
    "benchmark": lambda p, u: u.benchmark_weights(INDEX),
}


@pytest.mark.parametrize("rule", UNIVERSE_RULES)
def test_universe_rules_are_known_at_the_close(rule: str, market: tuple[Panel, Universe]) -> None:
    assert reads_future(UNIVERSE_RULES[rule], *market, DAYS) is None


def _full_sample_zscore(p: Panel, u: Universe) -> np.ndarray:
    x = np.nan_to_num(adjusted(p, "close"))
    return (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)


def _tomorrows_suspension(p: Panel, u: Universe) -> np.ndarray:
    return u.eligible(RULE) & np.vstack([u.traded[1:], u.traded[-1:]])


def _knows_the_delisting(p: Panel, u: Universe) -> np.ndarray:
    return u.eligible(RULE) & u.listed[-1]


def _adjusted_by_the_last_factor(p: Panel, u: Universe) -> np.ndarray:
    return adjusted(p, "close") / p["adj_factor"][-1]


def _week_end_read_off_the_data(p: Panel, u: Universe) -> np.ndarray:
    week = (u.dates.astype(int) + 3) // 7
    return np.r_[week[1:] != week[:-1], True]


PLANTED = [
    _full_sample_zscore,
    _tomorrows_suspension,
    _knows_the_delisting,
    _adjusted_by_the_last_factor,
    _week_end_read_off_the_data,
    _profit_before_it_is_out,
]


@pytest.mark.parametrize("leak", PLANTED, ids=lambda f: f.__name__.strip("_"))
def test_planted_leaks_are_caught(leak, market: tuple[Panel, Universe]) -> None:  # type: ignore[no-untyped-def]
    assert reads_future(leak, *market, DAYS) is not None


@pytest.mark.parametrize("kind", kinds_in("deepfactor.labels"))
def test_a_label_shifted_by_one_is_caught(kind: str, market: tuple[Panel, Universe]) -> None:
    """The label of t+1 given to t reads one row more than `reach` says."""
    module = load_kind("deepfactor.labels", kind)
    settings = module.Settings()

    def shifted(p: Panel, u: Universe) -> np.ndarray:
        label = module.compute(settings, p, u, u.eligible(RULE))
        return np.vstack([label[1:], label[-1:]])

    assert reads_future(shifted, *market, DAYS, looks_ahead=module.reach(settings)) is not None
