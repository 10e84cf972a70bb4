"""Factor returns against plain least squares; attribution on returns that factors make, and against the NAV."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.backtest.attribution import Attribution, attribute
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import summary
from deepfactor.backtest.result import BacktestResult
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.risk.factor_returns import estimate
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market

SETTINGS = BacktestSettings(capital=1e7, fill="next_vwap", costs=Costs(rate=0.001))


@pytest.mark.parametrize("styles", [0, 1, 4])
def test_factor_returns_are_weighted_least_squares(styles: int) -> None:
    rng = np.random.default_rng(styles)
    n, groups = 200, 5
    group, cap = rng.integers(0, groups, n), np.exp(rng.standard_normal(n))
    x, r = rng.standard_normal((styles, n)) + group, 0.02 * rng.standard_normal(n)
    got = estimate(r, x, group, cap, groups + 1)
    design = np.column_stack([(group[:, None] == np.arange(groups)).astype(float), *x])
    root = np.sqrt(np.sqrt(cap))
    want, *_ = np.linalg.lstsq(design * root[:, None], r * root, rcond=None)
    np.testing.assert_allclose(got.styles, want[groups:], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(got.industries[:groups] + got.market, want[:groups], rtol=1e-9, atol=1e-12)
    assert (np.bincount(group, cap, groups + 1) * got.industries).sum() == pytest.approx(0.0, abs=1e-12)
    assert got.industries[groups] == 0.0  # nobody is in it
    np.testing.assert_allclose(got.fitted(x, group), design @ want, rtol=1e-9, atol=1e-12)


def test_a_style_that_is_an_industry_does_not_blow_up() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 60)
    twice = np.stack([rng.standard_normal(60)] * 2)
    got = estimate(rng.standard_normal(60), np.vstack([twice, group == 1]), group, np.ones(60), 3)
    assert np.isfinite(got.styles).all()
    assert np.abs(got.styles).max() < 10


def factor_market(styles: np.ndarray, style_return: np.ndarray, industry_return: np.ndarray) -> tuple[Panel, Universe]:
    """A market whose returns are industry + exposure × style return, without a rest; no gaps, limits or splits."""
    days, stocks = len(style_return), len(styles)
    panel, universe = toy_market(days, stocks, seed=3)
    industry = (np.arange(stocks) % 3).astype(np.int16)
    returns = industry_return[:, industry] + style_return[:, None] * styles
    close = (100 * np.cumprod(1 + returns, axis=0)).astype(np.float32)
    shape, yes = panel.shape, np.ones(panel.shape, dtype=bool)
    fields = dict.fromkeys(("open", "high", "low", "close", "vwap"), close)
    fields |= {"adj_factor": np.ones(shape), "float_mv": close * np.float32(1e6)}
    weights = np.where(np.arange(stocks) % 2 == 0, 1.0, 0.0)
    weights = np.tile(weights / weights.sum(), (days, 1)).astype(np.float32)
    none = np.zeros(shape, dtype=np.int32)
    universe = replace(
        universe, listed=yes, traded=yes, limit_up=none, limit_down=none, industry=np.tile(industry, (days, 1)),
        members={INDEX: weights > 0}, benchmark={INDEX: weights},
    )  # fmt: skip
    return Panel(panel.dates, panel.symbols, fields, "factors"), universe


def test_what_factors_made_is_found_in_them() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(30)
    style_return, industry_return = 0.01 * rng.standard_normal(40), 0.01 * rng.standard_normal((40, 3))
    panel, universe = factor_market(x, style_return, industry_return)
    styles = {"X": np.tile(x, (40, 1))}
    settings = SETTINGS.model_copy(update={"costs": Costs(rate=0.0), "fill": "next_close"})
    result = run_backtest(
        panel, universe, random_scores(panel), styles, BestScores(5), INDEX, settings, eligible=universe.traded
    )
    found = attribute(result, panel, universe, styles, settings.haircut)
    of = {name: found.contribution[:, k] for k, (_, name) in enumerate(found.sources)}
    np.testing.assert_allclose(of["stocks"], 0.0, atol=3e-7)  # float32 prices
    np.testing.assert_allclose(of["fills"], 0.0, atol=1e-12)
    first = int(np.searchsorted(panel.dates, result.dates[0]))
    exposure = found.exposures[:-1, 0]
    np.testing.assert_allclose(of["X"][1:], exposure * style_return[first + 1 :], atol=3e-7)
    assert np.abs(exposure[5:]).min() > 0
    industries = sum(of[name] for name in universe.industries)
    np.testing.assert_allclose(of["X"] + industries + of["cash"], found.active, atol=3e-7)


def followed(seed: int) -> tuple[BacktestResult, Attribution, Panel, Universe]:
    panel, universe = toy_market(120, 40, seed=seed)
    styles = {"SIZE": np.log(panel["float_mv"]), "X": np.random.default_rng(seed).standard_normal(panel.shape)}
    result = run_backtest(
        panel, universe, random_scores(panel, seed), styles, BestScores(6), INDEX, SETTINGS, eligible=universe.traded
    )
    return result, attribute(result, panel, universe, styles, SETTINGS.haircut), panel, universe


def test_cost_and_exposures_are_those_of_the_book() -> None:
    result, found, panel, universe = followed(2)
    of = {name: found.contribution[:, k] for k, (_, name) in enumerate(found.sources)}
    value = np.concatenate(([result.capital], result.nav[:-1] * result.capital))
    np.testing.assert_allclose(of["cost"], -result.cost / value, rtol=1e-12)
    # Exposures of the last rebalance's realised weights, by the weights table.
    fill = result.rebalances.fill_date[-1]
    rows = result.weights.date == result.rebalances.date[-1]
    t, k = np.searchsorted(panel.dates, fill), np.searchsorted(result.dates, fill)
    n = np.searchsorted(panel.symbols, result.weights.symbol[rows])
    weight = np.zeros(40)
    weight[n] = result.weights.realised_weight[rows]
    active = weight - weight.sum() * universe.benchmark[INDEX][t].astype(float)
    exposure = np.random.default_rng(2).standard_normal(panel.shape)[t]
    assert found.exposures[k, 1] == pytest.approx((active * exposure).sum(), abs=1e-7)
    leant = found.leanings(np.array([fill]))
    of_part = {part: dict(zip(leant["name"][own], leant["active"][own], strict=True))
               for part in ("style", "industry") for own in [leant["part"] == part]}  # fmt: skip
    assert of_part["style"]["X"] == found.exposures[k, 1]
    for group, name in [*enumerate(universe.industries), (-1, "unknown")]:
        own = active[universe.industry[t] == group].sum()
        assert of_part["industry"].get(name, 0.0) == pytest.approx(own, abs=1e-7)
    assert set(leant["date"]) == {fill}


def test_the_summary_says_the_portfolio_and_the_index_each_by_itself() -> None:
    result, *_ = followed(4)
    entry = summary(result, "study_a")["all"]
    for name, nav in (("", result.nav), ("benchmark_", result.headline_nav)):
        daily = nav[1:] / nav[:-1] - 1
        assert entry[f"{name}volatility"] == pytest.approx(daily.std(ddof=1) * 252**0.5)
        assert entry[f"{name}sharpe"] == pytest.approx(daily.mean() / daily.std(ddof=1) * 252**0.5)
        assert entry[f"{name}max_drawdown"] == pytest.approx((nav / np.maximum.accumulate(nav) - 1).min())


def test_the_summary_adds_up_and_the_table_is_what_it_sums() -> None:
    result, found, *_ = followed(4)
    content = summary(result, "study_a", found)
    account = content["attribution"]

    def total(entry: dict[str, object]) -> float:
        named = sum(entry["styles"].values()) + sum(entry["industries"].values())  # type: ignore[attr-defined]
        return float(named + entry["selection"] + entry["cost"] + entry["cash_and_rounding"])  # type: ignore[operator]

    for entry in (account["all"], *account["by_year"].values()):
        assert total(entry) == pytest.approx(entry["active"], abs=1e-12)
    assert account["all"]["active"] == pytest.approx(np.log(result.nav[-1] / result.replica_nav[-1]), abs=1e-12)
    assert sum(e["active"] for e in account["by_year"].values()) == pytest.approx(account["all"]["active"], abs=1e-12)
    table = found.columns()
    assert table["log_contribution"].sum() == pytest.approx(account["all"]["active"], abs=1e-12)
    assert set(table["part"]) <= {"style", "industry", "selection", "cost", "cash_and_rounding"}
    assert set(content["episodes"][0]["exposures_at_start"]) == {"SIZE", "X"}


def test_trades_that_do_not_make_the_nav_are_a_fault() -> None:
    result, _, panel, universe = followed(5)
    tampered = replace(result, trades=replace(result.trades, shares=result.trades.shares * 1.001))
    with pytest.raises(RuntimeError, match="replayed"):
        attribute(tampered, panel, universe, {}, SETTINGS.haircut)
