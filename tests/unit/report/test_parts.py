"""Formats, tables, figures and cards, each against values worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from deepfactor.report.press import drawing
from deepfactor.report.press.facts import flat, sentence
from deepfactor.report.press.formats import number, strict
from deepfactor.report.press.tables import Cell, Table, metric
from deepfactor.report.press.words import words
from deepfactor.report.sections import _portfolio_figures as portfolio_figures
from deepfactor.report.sections.data import left_out, left_out_rest, market_left_out, training_left_out
from deepfactor.report.sections.ic import cumulative_rank_ic, seeds
from deepfactor.report.sections.models import folds
from deepfactor.report.sections.summary import excess_overview, headline_factor


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.1234, "signed_percent", "+12.34%"),
        (-0.0612, "signed_percent", "−6.12%"),
        (-0.0612, "percent", "−6.12%"),
        (0.00001, "signed_percent", "0.00%"),
        (-0.00001, "signed_percent", "0.00%"),
        (0.1129, "ic", "0.113"),
        (-1.005, "ratio", "−1.00"),
        (0.881, "share", "88.1%"),
        (42.04, "turnover", "42.0×"),
        (51929, "count", "51,929"),
        (np.float64(0.5), "ratio", "0.50"),
        (None, "ic", "–"),
        (math.nan, "ic", "–"),
        (math.inf, "percent", "–"),
    ],
)
def test_numbers_carry_sign_unit_and_digits(value, style, text):
    assert number(value, style) == text


def test_strict_leaves_nothing_that_json_lacks():
    given = {"a": (1.0, math.nan), 2: {"b": -math.inf}, "c": [True, None, "x"]}
    assert strict(given) == {"a": [1.0, None], "2": {"b": None}, "c": [True, None, "x"]}


def test_a_table_refuses_a_row_of_another_width():
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        Table("t", "T", (metric("arm"),), ((Cell("a"), Cell(1.0, "ic")),))


def test_cells_sort_by_the_number_and_missing_is_empty():
    assert Cell(0.1234567, "ic").sort == "0.1234567"
    assert Cell(math.nan, "ic", missing="why").sort == ""
    assert Cell(math.nan, "ic", missing="why").title == "why"
    assert Cell(0.1, "ic", missing="why").title == ""


def test_every_metric_of_the_word_list_says_what_it_is():
    for entry in words().metrics.values():
        assert entry.label
        assert entry.definition.endswith(".")


def test_cumulative_rank_ic_is_the_running_sum_of_one_series(make_content):
    content = make_content()
    arm = content.arms[0]
    other = arm.ic_series.with_columns(pl.lit("tradeable").alias("names"), pl.lit(9.0).alias("rank_ic"))
    holed = arm.ic_series.with_row_index().with_columns(
        pl.when(pl.col("index") == 3).then(math.nan).otherwise(pl.col("rank_ic")).alias("rank_ic")
    )
    shuffled = pl.concat([other, holed.drop("index")]).sample(fraction=1.0, shuffle=True, seed=1)
    changed = make_content(arms=(type(arm)(arm.name, None, {}, {}, arm.factor_report, shuffled),))
    figure = cumulative_rank_ic(changed, "all")
    kept = arm.ic_series.filter(pl.col("universe") == "all").sort("date")
    values = np.delete(kept["rank_ic"].to_numpy(), 3)
    trace = figure.spec["data"][0]
    assert trace["y"] == pytest.approx(np.cumsum(values), rel=1e-5)
    assert trace["x"] == [str(d) for d in np.delete(kept["date"].to_numpy(), 3).astype("datetime64[D]")]


def test_excess_drawdown_is_measured_from_the_highest_point_so_far(make_content):
    p = make_content().portfolios[0]
    lower = portfolio_figures.portfolio_excess(p, "p").spec["data"][1]["y"]
    curve = p.nav["excess_nav"].to_list()
    slow = [curve[k] / max(curve[: k + 1]) - 1 for k in range(len(curve))]
    assert lower == pytest.approx(slow, abs=1e-6)


def test_portfolios_keep_their_arms_colour(make_content):
    spec = excess_overview(make_content()).spec
    inks = [trace["line"]["color"] for trace in spec["data"]]
    assert inks == [drawing.colour(0), drawing.colour(1)]


def test_timeline_places_spans_on_one_axis(make_content):
    line = folds(make_content())
    days = 2918  # 2013-01-04 to 2020-12-31
    (first, early), (second, late) = line.rows
    assert (first, second) == ("2019", "2020")
    assert [span.role for span in early] == ["train", "valid", "test"]
    assert early[0].left == 0
    assert late[-1].left + late[-1].width == pytest.approx(100, abs=0.02)
    assert early[1].left == pytest.approx(100 * 1824 / days, abs=0.01)  # 2018-01-02
    for spans in (early, late):
        assert all(a.left + a.width < b.left for a, b in pairwise(spans))
    assert line.ticks[0] == (pytest.approx(100 * 362 / days, abs=0.01), "2014")


def test_left_out_on_the_page_is_the_lead_universes(make_content):
    content = make_content()
    shown = [row[1].text for row in left_out(content).rows if row[0].text == "gru"]
    assert shown == ["scores outside all", "scores without return · all · t1_close · 10 · all",
                     "groups · all · limit at entry"]  # fmt: skip
    assert len(left_out_rest(content).rows) == 8


def test_seeds_stand_beside_their_ensemble(make_content):
    rows = seeds(make_content()).rows
    assert [row[1].text for row in rows[:3]] == ["0", "42", "ensemble"]
    assert [row[2].text for row in rows[:3]] == ["0.101", "0.101", "0.111"]


def test_another_universe_leads_where_all_stocks_were_not_tested(make_content):
    content = make_content()
    arm = content.arms[0]
    only = [r for r in arm.records if r["universe"] == "000905.SH" and r["convention"] == "t1_vwap"]
    report = {**arm.factor_report, "records": only}
    tested = make_content(arms=(type(arm)("f", None, {}, {}, report, arm.ic_series.clear()),), oracle=None)
    table = headline_factor(tested)
    assert table.note.startswith("Universe CSI 500, clock t1_vwap")
    assert table.rows[0][1].text == "0.091"


def test_settings_read_like_sentences():
    assert sentence({"a": [1, 2.50], "b": None, "c": True, "d": []}) == "a 1, 2.5, b –, c yes, d none"
    assert flat({"arms": [{"name": "x"}], "fit": {"lr": 1e-3}}) == [("arms.0.name", "x"), ("fit.lr", "0.001")]


def test_what_the_market_and_the_samples_leave_out_is_counted(make_content):
    content = make_content()
    assert [[cell.text for cell in row] for row in market_left_out(content).rows] == [["prices: no close", "1,204"]]
    rows = [[cell.text for cell in row] for row in training_left_out(content).rows]
    assert rows[:2] == [["gru", "2019", "train · no label", "90,211"], ["gru", "2019", "valid · no label", "18,002"]]
    assert len(rows) == 8  # 2 arms, 2 folds, 2 counts that are not zero; the seeds share them


@pytest.mark.parametrize(
    ("values", "step", "form"),
    [
        ([0.0, -0.0034], 0.001, ".1%"),
        ([0.0, -0.012, None], 0.005, ".1%"),
        ([0.0, -0.0206], 0.01, ".0%"),
        ([-0.31, 0.45, float("nan")], 0.2, ".0%"),
        ([0.08, 0.11], 0.05, ".0%"),
        ([], 0.001, ".1%"),
        ([3.0, -70.0], 50.0, ".0%"),
    ],
)
def test_ticks_of_percent_are_round_few_and_never_twice_the_same(values, step, form):
    ticks = drawing.percent_ticks(values, most=4)
    assert (ticks["tick0"], ticks["dtick"], ticks["tickformat"]) == (0, step, form)
    digits = 3 if form == ".1%" else 2
    assert round(step, digits) == step


def test_drawdowns_have_ticks_at_round_percent(content):
    for portfolio in content.portfolios:
        axis = portfolio_figures.portfolio_excess(portfolio, "portfolio").spec["layout"]["yaxis2"]
        ratio = portfolio.nav["excess_nav"]
        depth = (ratio / ratio.cum_max() - 1).min()
        assert "nticks" not in axis
        assert 1 <= -depth / axis["dtick"] <= 4
