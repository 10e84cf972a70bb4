from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from deepfactor.core.errors import DataError
from deepfactor.evaluation import factor_test
from deepfactor.evaluation.factor_test import FactorReport, TestSettings
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.evaluation.window import cut_window
from deepfactor.panel.returns import forward_return, trailing_return
from deepfactor.styles.base import Styles

INDEX = "000300.SH"
SMALL = TestSettings(
    universes=("all", INDEX), horizons=(5, 10), min_names=5, groups={"all": 3, INDEX: 2}, top_every=(5, 10)
)


def run(market, scores, settings=SMALL, **more) -> FactorReport:
    return factor_test.test_factor(scores, market.panel, market.universe, settings, eligible=market.eligible, **more)


@pytest.fixture(scope="module")
def report(market, scores) -> FactorReport:
    return run(market, scores)


def series_of(report, universe="all", convention="t1_close", horizon=5, names="all"):
    (found,) = [
        s
        for s in report.series
        if (s.universe, s.convention, s.horizon, s.names) == (universe, convention, horizon, names)
    ]
    return found


@pytest.mark.slow
def test_rank_ic_of_minus_the_past_return_agrees_with_pandas(market):
    """Slow and independent: pandas ranks and correlates each day's frame."""
    factor = -trailing_return(market.panel, 20)
    report = run(market, market.scores(factor))
    for universe, mask in (("all", market.eligible), (INDEX, market.eligible & market.universe.members[INDEX])):
        for convention in ("t0_close", "t1_vwap", "t1_close"):
            future = pd.DataFrame(forward_return(market.panel, convention, 10))
            expected = {}
            for t in range(len(factor)):
                frame = pd.DataFrame({"x": factor[t], "y": future.loc[t]})[mask[t]].dropna()
                if len(frame) >= 5:
                    expected[market.panel.dates[t]] = (
                        frame.x.rank().corr(frame.y.rank()),
                        frame.x.corr(frame.y),
                        len(frame),
                    )
            found = series_of(report, universe, convention, 10)
            kept = np.isfinite(found.values.rank_ic)
            assert list(found.dates[kept]) == list(expected)
            rank_ic, ic, n = np.array(list(expected.values())).T
            np.testing.assert_allclose(found.values.rank_ic[kept], rank_ic, rtol=0, atol=1e-12)
            np.testing.assert_allclose(found.values.ic[kept], ic, rtol=0, atol=1e-12)
            np.testing.assert_array_equal(found.values.n[kept], n)


def test_file_has_the_published_shape(report):
    content = json.loads(json.dumps(report.to_json_dict(), allow_nan=False))
    assert list(content) == [
        "factor", "market", "span", "records", "decay", "long_leg", "groups", "top_n", "long_side", "parts",
        "autocorrelation",
        "style_correlation", "style_correlations", "styles_absent", "residual_ic", "dropped",
    ]  # fmt: skip
    assert len(content["records"]) == 2 * 3 * 2 * 2 * 2  # universes, conventions, horizons, names, samplings
    for record in content["records"]:
        assert list(record) == [
            "arm", "seed", "universe", "convention", "horizon", "sampling", "names", "rank_ic", "ic",
            "annualised_icir", "by_year",
        ]  # fmt: skip
        assert set(record["rank_ic"]) == {"mean", "std", "icir", "win_rate", "t_newey_west", "n"}
        assert set(record["by_year"]) <= {"2019", "2020"}
        years = record["by_year"].values()
        assert sum(year["rank_ic"]["n"] for year in years) == record["rank_ic"]["n"]
    for group in content["groups"]:
        assert len(group["annual_return"]) == group["n"]
        assert {"annual_return", "annual_excess", "sharpe", "max_drawdown", "turnover_one_sided"} <= set(group["top"])
        assert group["top"]["max_drawdown"] < 0
    assert [(top["name"], top["every"], top["convention"]) for top in content["top_n"]][:3] == [
        ("top10pct", 5, "t0_close"), ("top100", 5, "t0_close"), ("top10pct", 10, "t0_close"),
    ]  # fmt: skip
    assert all(top["net"] < top["gross"] for top in content["top_n"])
    assert set(content["autocorrelation"]) == {"5", "10"}


def test_series_columns_hold_what_the_records_summarise(report):
    columns = report.ic_columns()
    frame = pd.DataFrame(columns)
    assert list(frame) == ["date", "universe", "convention", "names", "horizon", "ic", "rank_ic", "n"]
    means = frame.groupby(["universe", "convention", "names", "horizon"]).rank_ic.agg(["mean", "std", "count"])
    for record in report.to_json_dict()["records"]:
        if record["sampling"] == "daily":
            mean, std, count = means.loc[tuple(record[k] for k in ("universe", "convention", "names", "horizon"))]
            assert record["rank_ic"]["mean"] == pytest.approx(mean)
            assert record["rank_ic"]["icir"] == pytest.approx(mean / std)
            assert record["rank_ic"]["n"] == count


def test_sampling_every_h_takes_every_hth_day(report):
    found = series_of(report, horizon=10)
    record = found.record("x", None, "every_h")
    np.testing.assert_array_equal(found.rows, np.arange(len(found.rows)))
    assert record["rank_ic"]["mean"] == pytest.approx(np.nanmean(found.values.rank_ic[::10]))
    assert record["rank_ic"]["n"] == np.isfinite(found.values.rank_ic[::10]).sum()


def test_overlapping_samples_have_a_t_with_the_lag_of_their_overlap(report):
    found = series_of(report, horizon=10)
    daily, apart = (found.record("x", None, sampling) for sampling in ("daily", "every_h"))
    assert daily["rank_ic"]["t_newey_west"] == newey_west_t(found.values.rank_ic, 9)
    assert daily["ic"]["t_newey_west"] == newey_west_t(found.values.ic, 9)
    assert apart["rank_ic"]["t_newey_west"] == newey_west_t(found.values.rank_ic[::10], 0)


def test_tradeable_names_trade_at_neither_limit_at_the_entry(market, scores, report):
    entry_close = np.rint(np.nan_to_num(market.panel["close"].astype(float)) * 100)
    free = market.universe.traded & (entry_close > market.universe.limit_down)
    free &= entry_close < market.universe.limit_up
    everyone, tradeable = series_of(report), series_of(report, names="tradeable")
    future = forward_return(market.panel, "t1_close", 5)
    for k, t in enumerate(tradeable.rows):
        pairs = market.eligible[t] & np.isfinite(scores.values[t]) & np.isfinite(future[t])
        assert tradeable.values.n[k] == (pairs & free[t + 1]).sum()
        assert everyone.values.n[k] == pairs.sum()
    assert tradeable.values.n.sum() < everyone.values.n.sum()


def test_nothing_behind_the_exit_matters(market, scores, report):
    """Cut after t + 1 + h: the coefficient of t and of all before stay; the rank's bit for bit, whole numbers all."""
    for t in (30, 55):
        cut = market.until(t + 6)
        short = run(cut, cut.scores(scores.values[: t + 7]))
        for names in ("all", "tradeable"):
            whole, part = series_of(report, names=names), series_of(short, names=names)
            assert len(part.rows) == t + 1
            np.testing.assert_array_equal(part.values.rank_ic, whole.values.rank_ic[: t + 1])
            np.testing.assert_array_equal(part.values.ic, whole.values.ic[: t + 1])


def test_a_part_of_the_span_reads_only_its_part(market, scores):
    """start and end give what a factor that is scored only there gives; returns beyond the end are still read."""
    rows = slice(20, 60)
    some = np.full(scores.values.shape, np.nan)
    some[rows] = scores.values[rows]
    dates = market.panel.dates
    span = SMALL.model_copy(update={"start": dates[20].astype(object), "end": dates[59].astype(object)})
    by_span, by_scores = run(market, scores, span), run(market, market.scores(some))
    a, b = by_span.to_json_dict(), by_scores.to_json_dict()
    lost = a["dropped"].pop("scores_outside_span")
    assert lost == np.isfinite(scores.values).sum() - np.isfinite(some).sum()
    assert a == b
    assert a["span"] == [str(dates[20]), str(dates[59])]
    assert len(series_of(by_span).dates) == 40
    assert by_span.groups[0].dates[-1] == dates[59]


def test_scores_of_one_day_a_week_give_the_same_groups_and_are_sampled_as_they_come(market, scores, report):
    weekly = np.full(scores.values.shape, np.nan)
    weekly[0::5] = scores.values[0::5]  # Fridays, all of them trading days
    found = run(market, market.scores(weekly))
    record = series_of(found, horizon=10).record("x", None, "every_h")
    assert record["rank_ic"]["n"] == len(range(0, len(weekly) - 11, 10))
    groups, daily = found.groups[0], report.groups[0]
    assert groups.dates[-1] == market.panel.dates[85]
    np.testing.assert_allclose(groups.nav, daily.nav[: len(groups.nav)], rtol=1e-13)


def test_a_constant_factor_gives_null_and_a_count(market):
    report = run(market, market.scores(np.full(market.panel.shape, 0.1)))
    content = report.to_json_dict()
    assert all(record["rank_ic"]["mean"] is None for record in content["records"])
    days = len(market.panel.dates) - 6
    assert content["dropped"]["days_without_ic.all.t1_close.5.all"] == days
    assert content["autocorrelation"] == {"5": None, "10": None}


def test_what_is_left_out_is_counted(market, scores, report):
    dropped = report.dropped
    assert dropped["days_without_exit.t1_close.10"] == 11
    assert dropped["days_without_exit.t0_close.5"] == 5
    assert dropped["scores_outside_all"] == (np.isfinite(scores.values) & ~market.eligible).sum()
    pairs = np.isfinite(scores.values) & market.eligible
    missing = (pairs & np.isnan(forward_return(market.panel, "t1_close", 5)))[:-6].sum()
    assert dropped["scores_without_return.all.t1_close.5.all"] == missing > 0
    assert dropped["groups.all.position_days_without_price"] > 0
    assert all(count > 0 for count in dropped.values())


def test_infinite_scores_are_no_scores_and_are_counted(market, scores, report):
    values = scores.values.copy()
    hole = tuple(np.argwhere(np.isnan(values))[0])
    values[hole] = np.inf
    other = run(market, market.scores(values))
    assert other.dropped["scores_not_finite"] == 1
    assert other.to_json_dict()["records"] == report.to_json_dict()["records"]


def test_a_window_lies_row_by_row_in_memory_whatever_names_it_leaves_out(market, scores):
    """numpy's `x[:, columns]` lies column by column: each day's row would be read from all over the memory."""
    eligible, values = market.eligible.copy(), scores.values.copy()
    eligible[:, 4:9], values[:, 4:9] = False, np.nan
    window = cut_window(market.scores(values), market.panel, market.universe, eligible, start=None, end=None, reach=5)
    assert 4 not in window.columns
    cut = {"scores": (window.scores, values), "eligible": (window.eligible, eligible)}
    cut |= {name: (window.panel[name], market.panel[name]) for name in window.panel.fields}
    cut |= {name: (getattr(window.universe, name), getattr(market.universe, name)) for name in ("traded", "limit_up")}
    cut[INDEX] = window.universe.members[INDEX], market.universe.members[INDEX]
    for name, (found, whole) in cut.items():
        assert found.flags.c_contiguous, name
        np.testing.assert_array_equal(found, whole[window.rows.start :][:, window.columns][: len(found)], err_msg=name)


def test_a_factor_with_nothing_in_the_market_is_refused(market):
    empty = replace(
        market.scores(np.full(market.panel.shape, np.nan), "stranger"), dropped={"rows of unknown symbols": 12}
    )
    with pytest.raises(DataError, match=r"'stranger' has no score in this market.*rows of unknown symbols: 12"):
        run(market, empty)


def test_a_span_without_scores_is_refused(market, scores):
    with pytest.raises(DataError, match="between 2035-01-01 and its end"):
        run(market, scores, SMALL.model_copy(update={"start": np.datetime64("2035-01-01").astype(object)}))


def test_unknown_universe_is_refused_with_what_there_is(market, scores):
    with pytest.raises(DataError, match=r"'000999.SH': this market has all, every, 000300.SH"):
        run(market, scores, TestSettings(universes=("all", "000999.SH")))


def test_scores_that_are_not_aligned_are_refused(market, scores):
    with pytest.raises(DataError, match="don't fit"):
        run(market.until(50), scores)
    moved = replace(scores, dates=scores.dates + np.timedelta64(1, "D"))
    with pytest.raises(DataError, match="other dates or symbols"):
        run(market, moved)


@pytest.mark.parametrize("wrong", [{"horizons": (0,)}, {"universes": ()}, {"conventions": ("next",)}, {"horizon": 5}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValidationError):
        TestSettings(**wrong)


def test_autocorrelation_agrees_with_pandas(market, scores, report):
    values = np.where(market.eligible, scores.values, np.nan)
    expected = []
    for t in range(5, len(values), 5):
        frame = pd.DataFrame({"now": values[t], "then": scores.values[t - 5]}).dropna()
        expected.append(frame.now.rank().corr(frame.then.rank()))
    assert report.autocorrelation[5] == pytest.approx(np.mean(expected), abs=1e-12)


def test_style_correlation_is_that_of_the_universe(market, scores):
    style = np.random.default_rng(5).standard_normal(scores.values.shape).astype(np.float32)
    content = run(market, scores, styles=[("ours", Styles({"SIZE": style}, {"BTOP": "no reports"}))]).to_json_dict()
    found = content["style_correlation"]["SIZE"]
    assert content["style_correlations"] == {"ours": {"SIZE": found}}
    assert content["styles_absent"] == {"ours": {"BTOP": "no reports"}}
    expected = []
    for t in range(len(style)):
        frame = pd.DataFrame({"x": scores.values[t], "y": style[t].astype(float)})[market.eligible[t]].dropna()
        expected.append(frame.x.corr(frame.y))
    assert found["mean"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert found["last"] == pytest.approx(expected[-1], abs=1e-12)
