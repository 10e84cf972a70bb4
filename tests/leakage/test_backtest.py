"""A backtest can't read the future: cut or scramble the market after day t, and all up to t stays, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult, Trades
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from support.law import same_bits, scramble
from support.portfolio import BestScores, random_scores, until_with_scores
from support.toy import INDEX, toy_market

DAYS = 90
#: A week's five days and more, so that every weekday is a cut.
CUTS = range(60, 68)
#: Columns of a signal's row that are known on the day after it.
AFTER_THE_FILL = ("realised_weight", "bought", "sold", "cost", "fill_date")


def follow(panel: Panel, universe: Universe, scores: Scores, fill: str) -> tuple[BacktestResult, BestScores]:
    enhancer = BestScores(7)
    styles = {"SIZE": np.log(panel["total_mv"]), "TURN": np.log(panel["volume"])}
    result = run_backtest(
        panel, universe, scores, styles, enhancer, INDEX, BacktestSettings(capital=1e6, fill=fill),
        eligible=universe.traded & ~universe.st,
    )  # fmt: skip
    return result, enhancer


def known_at(result: BacktestResult, enhancer: BestScores, date: np.datetime64) -> list[np.ndarray]:
    """All that a backtest says about days up to `date`."""
    upto = result.dates <= date
    out = [result.dates[upto]]
    for curve in ("nav", "gross_nav", "cash", "cost", "replica_nav", "benchmark_nav"):
        out.append(getattr(result, curve)[upto])
    for table in (result.trades, result.rejected, result.rebalances, result.weights):
        columns = table.columns()
        for name, column in columns.items():
            kept = column[columns["date"] <= date]
            if name in AFTER_THE_FILL and not isinstance(table, Trades):
                kept = column[columns["date"] < last_signal(result, date)]
            out.append(kept.astype(str) if kept.dtype.kind in "UM" else kept)
    for r in enhancer.asked:
        if r.date <= date:
            out += [r.score, r.previous, r.benchmark, r.frozen, r.buyable, r.member, r.industry, *r.styles.values()]
            out += [r.adv, np.array([r.value])]
    return out


def last_signal(result: BacktestResult, date: np.datetime64) -> np.datetime64:
    return result.rebalances.date[result.rebalances.date <= date].max()


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe, Scores]:
    panel, universe = toy_market(DAYS, 30, seed=11)
    return panel, universe, random_scores(panel, 4)


@pytest.mark.parametrize("fill", ["next_vwap", "next_close"])
@pytest.mark.parametrize("t", CUTS)
def test_nothing_up_to_a_day_hangs_on_what_comes_after(
    market: tuple[Panel, Universe, Scores], fill: str, t: int
) -> None:
    panel, universe, scores = market
    date = panel.dates[t]
    whole = known_at(*follow(*market, fill), date)
    noise = np.random.default_rng(t).standard_normal(scores.values.shape)
    after = np.arange(DAYS)[:, None] > t
    scrambled = with_weights_that_sum(*scramble(panel, universe, t), t)
    for other in (
        until_with_scores(panel, universe, scores, t),
        (*scrambled, replace(scores, values=np.where(after, noise, scores.values))),
    ):
        changed = known_at(*follow(*other, fill), date)
        assert len(changed) == len(whole)
        for k, (a, b) in enumerate(zip(whole, changed, strict=True)):
            assert same_bits(a, b), f"item {k} knew what came after {date}"


def with_weights_that_sum(panel: Panel, universe: Universe, t: int) -> tuple[Panel, Universe]:
    """A scrambled market whose index weights after row t, doubled by the scrambling, sum to 1 again."""
    after = (np.arange(len(panel.dates)) > t)[:, None]
    weights = {k: np.where(after, v / 2, v).astype(np.float32) for k, v in universe.benchmark.items()}
    return panel, replace(universe, benchmark=weights)


def test_a_cut_does_not_make_a_week_end(market: tuple[Panel, Universe, Scores]) -> None:
    """The calendar is published ahead: the last row is a week's end only if it is a Friday."""
    panel, universe, scores = market
    for t in CUTS:
        result, _ = follow(*until_with_scores(panel, universe, scores, t), "next_close")
        signalled = result.rebalances.date[-1] == panel.dates[t]
        assert signalled == bool(universe.week_ends()[t])


def test_the_check_sees_a_week_end_read_off_the_cut(market: tuple[Panel, Universe, Scores]) -> None:
    """A planted leak: the data's own next row as the next trading day turns every last row into a week's end."""
    panel, universe, scores = market
    t = next(t for t in CUTS if not universe.week_ends()[t])
    cut = until_with_scores(panel, universe, scores, t)
    leaking = replace(cut[1], next_date=np.append(cut[1].dates[1:], np.datetime64("2100-01-01")))
    whole = known_at(*follow(*market, "next_close"), panel.dates[t])
    changed = known_at(*follow(cut[0], leaking, cut[2], "next_close"), panel.dates[t])
    assert len(changed) != len(whole)


def test_the_check_sees_fills_at_tomorrows_price(market: tuple[Panel, Universe, Scores]) -> None:
    """A planted leak: prices of fills moved up by one day."""
    panel, universe, scores = market

    def leaking(p: Panel) -> Panel:
        return replace(p, fields={**p.fields, "vwap": np.vstack([p["vwap"][1:], p["vwap"][-1:]])})

    t = next(t for t in CUTS if universe.week_ends()[t - 1])
    whole = known_at(*follow(leaking(panel), universe, scores, "next_vwap"), panel.dates[t])
    cut = until_with_scores(panel, universe, scores, t)
    changed = known_at(*follow(leaking(cut[0]), *cut[1:], "next_vwap"), panel.dates[t])
    assert not all(same_bits(a, b) for a, b in zip(whole, changed, strict=True))
