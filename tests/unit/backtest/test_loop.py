"""A market of three stocks and eight days, followed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.errors import DataError
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Panel
from deepfactor.panel.schedule import signal_days
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from support.portfolio import INDEX, BestScores, Scripted, hand_market, random_scores
from support.toy import toy_market

A, B, C = "000001.SZ", "600000.SH", "688001.SH"
NAN = float("nan")
# Two Fridays (rows 1 and 6) in nine trading days; the last date is the day after the data.
DATES = ("2019-03-07", "2019-03-08", "2019-03-11", "2019-03-12", "2019-03-13", "2019-03-14", "2019-03-15",
         "2019-03-18", "2019-03-19", "2019-03-20")  # fmt: skip
FRIDAY, MONDAY, FRIDAY_2, MONDAY_2 = 1, 2, 6, 7
SETTINGS = BacktestSettings(capital=1_000_000, fill="next_close", costs=Costs(rate=0.001))


def follow(market: tuple[Panel, Universe], targets: list[dict[str, float]], **changes: object) -> BacktestResult:
    panel, universe = market
    settings = SETTINGS.model_copy(update=changes)
    eligible = universe.traded
    return run_backtest(
        panel, universe, random_scores(panel), {}, Scripted(targets), INDEX, settings, eligible=eligible
    )


def constant(price: float) -> list[float]:
    return [price] * 9


def trades_of(result: BacktestResult) -> list[tuple[str, str, str, float, float, float, str]]:
    columns = result.trades.columns().values()
    return [tuple(x.item() if hasattr(x, "item") else x for x in row) for row in zip(*columns, strict=True)]


def test_from_cash_to_shares_and_back_by_hand() -> None:
    close = {
        A: [10, 10, 10.5, 11, 11, 11, 11, 12, 12],
        B: constant(20),
        C: [30, 30, 30, 30, 33, 33, 33, 33, 33],
    }
    result = follow(hand_market(DATES, close), [{A: 0.5, B: 0.2, C: 0.29}, {B: 0.2, C: 0.3}])
    # Signal on Friday at value 1,000,000: A 50,000 shares, B 10,000, C 9,666.67 → 9,666 single shares (STAR).
    # Cost of the buys 10.5·50,000 + 20·10,000 + 30·9,666 = 1,014,980 + 0.1 %: scaled by 1,000,000 / 1,015,994.98.
    scale = 1_000_000 / 1_015_994.98
    shares = np.array([int(50_000 * scale / 100) * 100, int(10_000 * scale / 100) * 100, int(290_000 / 30 * scale)])
    assert shares.tolist() == [49_200, 9_800, 9_514]
    bought = trades_of(result)[:3]
    assert [row[1:4] for row in bought] == [(A, "buy", 49_200.0), (B, "buy", 9_800.0), (C, "buy", 9_514.0)]
    assert [row[4] for row in bought] == [10.5, 20.0, 30.0]
    assert [row[5] for row in bought] == [516.6, 196.0, 285.42]
    cash = 1_000_000 - (516_600 + 196_000 + 285_420) * 1.001
    assert result.cash[:2].tolist() == [1_000_000, pytest.approx(cash, abs=1e-9)]
    value = cash + 49_200 * 11 + 9_800 * 20 + 9_514 * 33
    assert result.nav[5] == pytest.approx(value / 1e6, abs=1e-12)
    # Second Friday: A is sold out, B and C are brought to 20 % and 30 % of the value of that close.
    sold = trades_of(result)[3]
    assert sold[1:5] == (A, "sell", 49_200.0, 12.0)
    b_wanted, c_wanted = 0.2 * value / 20 - 9_800, 0.3 * value / 33 - 9_514
    assert trades_of(result)[4][1:4] == (B, "buy", b_wanted // 100 * 100)
    assert 0 < c_wanted < 200  # fewer shares than STAR's smallest order
    assert rejections(result)[-1] == ("2019-03-18", C, "buy", "lot")


def rejections(result: BacktestResult) -> list[tuple[str, str, str, str]]:
    r = result.rejected
    return [(str(d), str(s), str(x), str(y)) for d, s, x, y in zip(r.date, r.symbol, r.side, r.reason, strict=True)]


def held_after(result: BacktestResult) -> dict[str, float]:
    """Shares at the end, from the trades alone (no ex-dates)."""
    out: dict[str, float] = {}
    for _, symbol, side, shares, *_ in trades_of(result):
        out[symbol] = out.get(symbol, 0.0) + (shares if side == "buy" else -shares)
    return out


def test_what_can_not_be_traded_is_rejected_with_its_reason() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    close[B][MONDAY] = NAN

    def limits(up: np.ndarray, down: np.ndarray) -> None:
        up[MONDAY, 0] = 1000  # A closes at its upper limit on the first Monday,
        down[MONDAY_2, 2] = 3000  # C at its lower one on the second

    market = hand_market(DATES, close, limits=limits)
    result = follow(market, [{A: 0.3, B: 0.3, C: 0.3}, {A: 0.3, B: 0.3}])
    assert rejections(result) == [
        ("2019-03-11", B, "buy", "suspended"),
        ("2019-03-11", A, "buy", "limit_up"),
        ("2019-03-18", C, "sell", "limit_down"),
    ]
    assert held_after(result) == {C: 10_000.0, A: 29_900.0, B: 14_900.0}
    assert result.rejected.shares.tolist() == [15_000.0, 30_000.0, 10_000.0]
    # 30 % of the value after cost (999,700), in lots.
    assert [row[3] for row in trades_of(result)[1:]] == [29_900.0, 14_900.0]


def test_orders_fill_on_the_next_day_alone_and_are_not_kept() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    close[A][MONDAY] = NAN
    result = follow(hand_market(DATES, close), [{A: 0.3, B: 0.3}, {}])
    assert set(result.trades.date.astype(str)) == {"2019-03-11", "2019-03-18"}
    assert A not in held_after(result)


def test_vwap_fills_at_vwap_and_marks_at_close() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    market = hand_market(DATES, close, vwap={A: constant(9.8765)})
    result = follow(market, [{A: 0.5}, {A: 0.5}], fill="next_vwap")
    amount = round(50_000 * float(np.float32(9.8765)), 2)
    assert trades_of(result)[0][3:6] == (50_000.0, pytest.approx(9.8765, rel=1e-7), round(amount * 0.001, 2))
    assert result.cash[1] == pytest.approx(1e6 - amount - round(amount * 0.001, 2), abs=1e-9)
    assert result.nav[1] == pytest.approx((result.cash[1] + 500_000) / 1e6)


def test_ex_date_moves_shares_and_leaves_the_value_alone() -> None:
    # A splits 1:1.37 on the Wednesday: 10.00 becomes 7.30, the factor rises to match; then it is suspended.
    close = {A: [10, 10, 10, 10, 7.3, 7.3, 7.3, NAN, 7.3], B: constant(20), C: constant(30)}
    factor = {A: [1, 1, 1, 1, 10 / 7.3, 10 / 7.3, 10 / 7.3, 10 / 7.3, 10 / 7.3]}
    result = follow(hand_market(DATES, close, factor=factor), [{A: 0.5}, {}])
    before, after = result.nav[2], result.nav[3]
    assert after == pytest.approx(before, abs=1e-12)
    assert rejections(result) == [("2019-03-18", A, "sell", "suspended")]
    assert result.rejected.shares[0] == pytest.approx(50_000 * 10 / 7.3)  # the fraction is part of the order


def test_ex_date_between_signal_and_fill_scales_the_order() -> None:
    close = {A: [10, 10, 5, 5, 5, 5, 5, 5, 5], B: constant(20), C: constant(30)}
    factor = {A: [1, 1, 2, 2, 2, 2, 2, 2, 2]}
    result = follow(hand_market(DATES, close, factor=factor), [{A: 0.5}, {A: 0.5}])
    assert trades_of(result)[0][1:5] == (A, "buy", 100_000.0, 5.0)


def test_ex_date_while_suspended_does_not_make_money() -> None:
    close = {A: [10, 10, 10, NAN, NAN, 5, 5, 5, 5], B: constant(20), C: constant(30)}
    factor = {A: [1, 1, 1, 1, 2, 2, 2, 2, 2]}
    result = follow(hand_market(DATES, close, factor=factor), [{A: 0.5}, {A: 0.5}])
    assert np.ptp(result.nav[1:6]) == pytest.approx(0, abs=1e-12)
    assert result.counts["carried_days"] == 2


def test_delisting_settles_at_the_last_price_less_the_haircut() -> None:
    close = {A: [10, 10, 10, 12, NAN, NAN, NAN, NAN, NAN], B: constant(20), C: constant(30)}
    market = hand_market(DATES, close, delisted={A: 5})
    result = follow(market, [{A: 0.5, B: 0.2}, {B: 0.2}], haircut=0.4)
    assert trades_of(result)[2][1:] == (A, "sell", 50_000.0, pytest.approx(12 * 0.6), 0.0, "delisting")
    assert str(result.trades.date[2]) == "2019-03-14"
    assert result.nav[4] - result.nav[3] == pytest.approx(-50_000 * 12 * 0.4 / 1e6)
    assert result.counts["delisted"] == 1
    assert result.counts["carried_days"] == 1  # the day before it was delisted


def test_order_for_a_name_delisted_overnight_is_rejected() -> None:
    close = {A: [10, 10, *[NAN] * 7], B: constant(20), C: constant(30)}
    result = follow(hand_market(DATES, close, delisted={A: 2}, benchmark={B: 1.0}), [{A: 0.5}, {}])
    assert rejections(result) == [("2019-03-11", A, "buy", "delisted")]


def test_a_holding_whose_data_end_is_carried_and_counted() -> None:
    close = {A: [10, 10, 10, 12, *[NAN] * 5], B: constant(20), C: constant(30)}
    result = follow(hand_market(DATES, close), [{A: 0.5}, {}])
    assert result.counts["carried_at_end"] == 1
    assert result.counts["carried_days"] == 5
    assert result.nav[-1] == pytest.approx((result.cash[-1] + 600_000) / 1e6)


def test_benchmarks_start_when_the_portfolio_is_invested() -> None:
    # A pays 1:2 on Tuesday with no trade that day, B rises by a tenth.
    close = {A: [10, 10, 11, NAN, 6, 6, 6, 6, 6], B: [20, 20, 20, 22, 22, 22, 22, 22, 22], C: constant(30)}
    factor = {A: [1, 1, 1, 2, 2, 2, 2, 2, 2]}
    index = [100, 100, 110, 121, 121, 121, 121, 121, 121]
    market = hand_market(DATES, close, factor=factor, benchmark={A: 0.6, B: 0.4}, index=index)
    result = follow(market, [{}, {}])
    assert result.benchmark_nav is not None
    np.testing.assert_allclose(result.benchmark_nav, [1, 1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1])
    day3 = 1 + 0.4 * 0.1
    day4 = day3 * (1 + 0.6 * (6 * 2 / 11 - 1))  # suspended on the ex-date, so its return comes with the next trade
    np.testing.assert_allclose(result.replica_nav, [1, 1, day3, day4, day4, day4, day4, day4], rtol=1e-6)
    np.testing.assert_allclose(result.excess_nav, 1 / result.benchmark_nav)


def test_the_replica_holds_the_weights_known_the_day_before() -> None:
    close = {A: [10, 10, 10, 11, 11, 11, 11, 11, 11], B: constant(20)}
    panel, universe = hand_market(DATES, close, benchmark={A: 0.5, B: 0.5})
    universe.benchmark[INDEX][3:] = [0.9, 0.1]  # re-weighted at the close of the day on which A rises
    result = follow((panel, universe), [{}, {}])
    assert result.replica_nav[2] == pytest.approx(1.05)


def test_only_the_eligible_are_buyable_and_scored() -> None:
    panel, universe = hand_market(DATES, {A: constant(10), B: constant(20), C: constant(30)})
    eligible = universe.traded.copy()
    eligible[:, 1] = False
    enhancer = BestScores(3)
    run_backtest(panel, universe, random_scores(panel), {}, enhancer, INDEX, SETTINGS, eligible=eligible)
    assert all(B not in r.symbols for r in enhancer.asked)
    universe.members[INDEX][:, 1] = True
    run_backtest(panel, universe, random_scores(panel), {}, enhancer, INDEX, SETTINGS, eligible=eligible)
    last = enhancer.asked[-1]
    assert last.symbols.tolist() == [A, B, C]
    assert last.buyable.tolist() == [True, False, True]
    assert last.score[1] == 0.0
    assert abs(last.score[[0, 2]]).tolist() == pytest.approx([1.0, 1.0])


def test_weights_are_told_before_target_and_after_the_fill() -> None:
    close = {A: constant(10), B: [20, 20, 25, 25, 25, 25, 25, 25, 25], C: constant(30)}
    result = follow(hand_market(DATES, close), [{A: 0.5, B: 0.3}, {A: 0.4}])
    w = result.weights
    rows = {(str(d), str(s)): k for k, (d, s) in enumerate(zip(w.date, w.symbol, strict=True))}
    value = result.nav[1] * 1e6
    first_a, first_b = rows["2019-03-08", A], rows["2019-03-08", B]
    assert w.weight[[first_a, first_b]].tolist() == [0.5, 0.3]
    assert w.drifted_weight[[first_a, first_b]].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(w.realised_weight[[first_a, first_b]], [500_000 / value, 375_000 / value])
    assert w.benchmark_weight[first_a] == 1.0
    second_b = rows["2019-03-15", B]
    assert w.weight[second_b] == w.realised_weight[second_b] == 0.0
    assert w.drifted_weight[second_b] == pytest.approx(375_000 / value)
    table = result.rebalances
    assert table.first.tolist() == [True, False]
    assert table.bought[0] == pytest.approx(0.5 + 0.375)
    assert table.fill_date.astype(str).tolist() == ["2019-03-11", "2019-03-18"]


def test_gross_is_net_with_the_cost_given_back() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    result = follow(hand_market(DATES, close), [{A: 0.5}, {B: 0.5}])
    np.testing.assert_allclose(result.gross_nav, 1.0, atol=1e-12)  # flat prices: what is lost is cost
    assert result.nav[-1] == pytest.approx(1 - result.cost.sum() / 1e6)
    assert result.cost.sum() == pytest.approx(result.trades.cost.sum())


def test_a_last_signal_without_a_fill_day_is_left_open() -> None:
    close = {A: constant(10)[:7], B: constant(20)[:7], C: constant(30)[:7]}
    result = follow(hand_market(DATES[:8], close), [{A: 0.5}, {A: 0.2}])
    assert str(result.rebalances.fill_date[-1]) == "NaT"
    assert np.isnan(result.rebalances.bought[-1])
    assert np.isnan(result.weights.realised_weight[result.weights.date == np.datetime64("2019-03-15")]).all()


def test_the_problem_states_what_is_known_at_the_close() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    close[B][FRIDAY_2] = NAN

    def limits(up: np.ndarray, down: np.ndarray) -> None:
        up[FRIDAY_2, 2] = 3000

    panel, universe = hand_market(DATES, close, limits=limits)
    values = np.tile([1.0, np.nan, 3.0], (9, 1))
    enhancer = Scripted([{A: 0.4, B: 0.3}, {A: 0.4, B: 0.3}])
    styles = {"SIZE": np.tile([0.5, np.nan, -0.5], (9, 1))}
    run_backtest(
        panel, universe, Scores("s", panel.dates, panel.symbols, values), styles, enhancer, INDEX, SETTINGS,
        eligible=universe.traded,
    )  # fmt: skip
    first, second = enhancer.asked
    assert first.symbols.tolist() == [A, C]  # B has no score, is no member and isn't held
    assert first.score.tolist() == [-1.0, 1.0]
    assert first.first
    assert not second.first
    assert second.symbols.tolist() == [A, C]
    assert second.frozen.tolist() == [False, True]  # C closed at its upper limit
    assert second.buyable.tolist() == [True, False]
    assert second.previous[0] == pytest.approx(0.4, abs=1e-3)
    assert second.previous_target is not None
    assert second.previous_target.tolist() == [0.4, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2019-03-11", "end": "2019-03-13"}, "no week's end with a score"),
        ({"index": "000300.SH"}, "unknown index"),
    ],
)
def test_what_can_not_be_followed_is_refused(change: dict[str, str], message: str) -> None:
    panel, universe = hand_market(DATES, {A: constant(10), B: constant(20)})
    asked = {"index": INDEX, **change}
    with pytest.raises(DataError, match=message):
        run_backtest(
            panel, universe, random_scores(panel), {}, BestScores(1), asked.pop("index"), SETTINGS,
            eligible=universe.traded, **asked,
        )  # fmt: skip


def test_scores_of_another_market_are_refused() -> None:
    panel, universe = hand_market(DATES, {A: constant(10), B: constant(20)})
    scores = random_scores(panel)
    other = Scores("s", scores.dates, scores.symbols[::-1], scores.values)
    with pytest.raises(DataError, match="align"):
        run_backtest(panel, universe, other, {}, BestScores(1), INDEX, SETTINGS, eligible=universe.traded)


def test_days_without_index_weights_are_named() -> None:
    panel, universe = hand_market(DATES, {A: constant(10), B: constant(20)})
    universe.benchmark[INDEX][:] = 0
    with pytest.raises(DataError, match=r"000905\.SH has no members from 2019-03-08 to 2019-03-19"):
        run_backtest(
            panel, universe, random_scores(panel), {}, BestScores(1), INDEX, SETTINGS, eligible=universe.traded
        )


def test_costs_by_schedule_reach_the_trades() -> None:
    close = {A: constant(10), B: constant(20), C: constant(30)}
    result = follow(hand_market(DATES, close), [{A: 0.5}, {}], costs=Costs(kind="schedule"))
    buy, sell = (row[5] for row in trades_of(result))
    assert buy == pytest.approx(500_000 * (2e-5 + 4.87e-5 + 2e-5 + 2.5e-4), abs=0.005)
    assert sell == pytest.approx(buy + 500, abs=0.005)


def test_span_and_progress() -> None:
    panel, universe = toy_market(60, 20, seed=3)
    seen: list[tuple[int, int]] = []
    result = run_backtest(
        panel, universe, random_scores(panel), {}, BestScores(), INDEX, SETTINGS, start="2019-01-20", end="2019-03-01",
        eligible=universe.traded, progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert result.dates[0] == np.datetime64("2019-01-25")
    assert result.dates[-1] == np.datetime64("2019-03-01")
    assert seen == [(k, len(result.dates)) for k in range(1, len(result.dates) + 1)]


def test_an_open_end_is_the_last_scored_day() -> None:
    panel, universe = toy_market(60, 20, seed=3)
    scores = random_scores(panel)
    values = scores.values.copy()
    values[40:] = np.nan
    shorter = Scores("shorter", scores.dates, scores.symbols, values)
    eligible = universe.traded
    result = run_backtest(panel, universe, shorter, {}, BestScores(), INDEX, SETTINGS, eligible=eligible)
    assert result.dates[-1] == panel.dates[39]
    assert result.counts.get("unscored_signal_days", 0) == 0


@pytest.mark.parametrize("schedule", ["daily", "month_end", "every:4", "week_end"])
def test_a_portfolio_is_decided_on_the_days_of_its_schedule(schedule: str) -> None:
    panel, universe = toy_market(60, 20, seed=3)
    settings = SETTINGS.model_copy(update={"signal": schedule})
    scores, eligible = random_scores(panel), universe.traded
    result = run_backtest(panel, universe, scores, {}, BestScores(), INDEX, settings, eligible=eligible)
    wanted = panel.dates[signal_days(universe, schedule)]
    assert np.array_equal(result.rebalances.date, wanted[wanted >= result.dates[0]])
    assert len(result.rebalances.date) >= 2


def test_a_week_in_which_all_scores_are_equal_is_not_rebalanced() -> None:
    panel, universe = toy_market(60, 20, seed=3)
    scores = random_scores(panel)
    values = scores.values.copy()
    ends = np.flatnonzero(universe.week_ends())
    values[ends[2]] = np.where(np.isfinite(values[ends[2]]), 0.1, np.nan)
    some = Scores("some", scores.dates, scores.symbols, values)
    eligible = universe.traded
    result = run_backtest(panel, universe, some, {}, BestScores(), INDEX, SETTINGS, eligible=eligible)
    assert result.counts["signal_days_of_equal_scores"] == 1
    assert panel.dates[ends[2]] not in result.rebalances.date
    flat = Scores("flat", scores.dates, scores.symbols, np.where(np.isfinite(scores.values), 0.1, np.nan))
    with pytest.raises(DataError, match=r"one and the same score on each of \d+ week's ends"):
        run_backtest(panel, universe, flat, {}, BestScores(), INDEX, SETTINGS, eligible=eligible)


@pytest.mark.parametrize(("equal", "counted"), [(0, False), (1, False), (5, True)])
def test_rebalances_with_many_equal_scores_are_counted(equal: int, counted: bool) -> None:
    """Of twenty names: two that are equal are a tenth of them, one is equal to none."""
    panel, universe = toy_market(60, 20, seed=3)
    values = np.random.default_rng(0).standard_normal(panel.shape)
    values[:, :equal] = values[:, :1]
    tied = Scores("tied", panel.dates, panel.symbols, values)
    result = run_backtest(panel, universe, tied, {}, BestScores(), INDEX, SETTINGS, eligible=universe.traded)
    assert (result.counts.get("rebalances_with_equal_scores", 0) == len(result.rebalances)) is counted


def test_one_score_far_out_leaves_the_others_equal_for_the_optimiser_and_is_counted() -> None:
    panel, universe = toy_market(60, 20, seed=3)
    values = np.random.default_rng(0).standard_normal(panel.shape)
    values[:, 7] = 1e300
    far = Scores("far", panel.dates, panel.symbols, values)
    result = run_backtest(panel, universe, far, {}, BestScores(), INDEX, SETTINGS, eligible=universe.traded)
    assert result.counts["rebalances_with_equal_scores"] > 0
