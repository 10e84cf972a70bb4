"""What newer stages add to their files comes onto the page as it is; absent parts leave no place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from deepfactor.report.page import page_of, render
from deepfactor.report.sections import _portfolio_figures as portfolio_figures
from deepfactor.report.sections import character, ic, tops
from deepfactor.report.sections import portfolios as tables
from deepfactor.report.sections.warnings import cautions

STATISTICS = {"mean": 0.031, "std": 0.05, "icir": 0.62, "win_rate": 0.7, "t_newey_west": 3.1, "n": 480}
ON = {"universe": "all", "convention": "t1_close"}
ADDED = {
    "decay": [
        {**ON, "names": names, "horizon": h, "rank_ic": 0.01 * h, "ic": 0.0, "n": 480}
        for names in ("all", "tradeable")
        for h in range(20, 0, -1)
    ],
    "long_leg": [
        {**ON, "horizon": 10, "long_excess": 0.012, "short_excess": 0.018, "long_share": 0.4},
        {**ON, "convention": "t0_close", "horizon": 10, "long_excess": 9.0, "short_excess": 9.0, "long_share": 0.5},
    ],
    "style_correlations": {
        "study_a": {"SIZE": {"mean": -0.25, "last": -0.4}, "MOMENTUM": {"mean": -0.2, "last": None}},
        "barra_cne5": {"SIZE": {"mean": -0.24, "last": -0.3}, "MOMENTUM": {"mean": 0.05, "last": 0.02}},
    },
    "residual_ic": [
        {**ON, "set": "barra_cne5", "horizon": 10, "rank_ic": STATISTICS, "names": 3481.5, "filled": 0.62,
         "raw_rank_ic": STATISTICS | {"mean": 0.055}},
        {**ON, "convention": "t0_close", "set": "barra_cne5", "horizon": 10, "rank_ic": STATISTICS},
    ],
    "styles_absent": {"basic": {}, "barra_cne5": {"LEVERAGE": "the market has no a; the market has no b"}},
    "seed_spread": [
        {**ON, "horizon": 10, "sampling": sampling, "names": "all", "mean": 0.1, "std": 0.002, "min": 0.09,
         "max": 0.11, "n_seeds": 2}
        for sampling in ("daily", "every_h")
    ],
}  # fmt: skip
SIDE = {"annual_return": 0.3, "annual_excess": 0.2, "min_excess": 0.15, "max_excess": 0.24}
PARTS = {"styles": {"SIZE": 0.01, "BETA": -0.004}, "industries": {"银行": 0.002}, "selection": 0.05, "cost": -0.02,
         "cash_and_rounding": -0.001, "active": 0.037}  # fmt: skip
EPISODES = [
    {"start": "2019-04-19", "trough": "2019-06-06", "recovery": None, "depth": -0.05, "days_down": 31, "days_up": None,
     "exposures_at_start": {"SIZE": -0.29, "BETA": 0.1, "GROWTH": None, "LIQUIDITY": 0.3, "RESVOL": 0.2, "BTOP": 0.0}}
]  # fmt: skip
BINDING = [
    {"constraint": "style", "row": "SIZE", "share_of_rebalances": 0.2, "mean_shadow_price": 0.04},
    {"constraint": "turnover", "row": None, "share_of_rebalances": 0.98, "mean_shadow_price": 1.7},
]


@pytest.fixture
def full(make_content):
    """The sample run with every field that the newer stages write."""
    content = make_content()
    first = content.arms[0]
    tops = [{**t, "offsets": {"gross": SIDE, "net": SIDE, "n": t["every"]}} for t in first.factor_report["top_n"]]
    arm = replace(first, published="study_a/composite", factor_report={**first.factor_report, **ADDED, "top_n": tops})
    curve = pl.DataFrame(
        {
            "date": [date(2019, 1, 3), date(2019, 1, 2), date(2019, 1, 3)],
            "part": ["style", "style", "selection"],
            "name": ["SIZE", "SIZE", "selection"],
            "contribution": [0.002, 0.001, 0.004],
        }
    )
    given = content.portfolios[0]
    attribution = {"all": PARTS, "by_year": {"2019": PARTS}}
    added = {"attribution": attribution, "attribution_method": "log", "episodes": EPISODES, "binding": BINDING}
    portfolio = replace(given, summary={**given.summary, **added}, attribution=curve)
    return make_content(arms=(arm, content.arms[1]), portfolios=(portfolio, content.portfolios[1]))


def shown(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_decay_by_horizon(full):
    assert shown(ic.decay(full))[0] == ["gru", "all", *(f"{0.01 * h:.3f}" for h in (1, 2, 3, 5, 10, 15, 20))]
    spec = ic.decay_figure(full).spec["data"]
    assert spec[0]["x"] == list(range(1, 21))
    assert spec[0]["y"] == pytest.approx([0.01 * h for h in range(1, 21)])


def test_long_leg_residual_and_seeds(full):
    assert shown(ic.long_leg(full)) == [["gru", "All", "10", "+1.20%", "+1.80%", "40.0%"]]
    residual = ["gru", "barra_cne5", "All", "10", "3,482", "62.0%", "0.055", "0.031", "0.62", "70.0%", "3.10", "480"]
    assert shown(ic.residual_ic(full)) == [residual]
    assert shown(ic.seed_spread(full)) == [["gru", "All", "10", "0.100", "0.002", "0.090", "0.110", "2"]]


def test_all_starting_days(full):
    first = shown(tops.offsets(full))[0]
    assert first[:4] == ["gru", "top10pct", "t0_close", "5"]
    assert first[4:] == ["+20.00%", "+15.00%", "+24.00%"] * 2 + ["5"]


def test_the_studys_table_by_interval_stands_beside_ours(full):
    row = tops.interval(full).rows[0]
    assert [cell.text for cell in row[:4]] == ["gru", "5", "0.500", "0.500"]  # the sample of every h-th day
    printed = [cell.published for cell in row]
    assert printed[2:4] == [0.14, 0.13]
    assert printed[4:6] == [0.322, 0.242]
    assert printed[7:9] == [0.356, 0.252]


def test_styles_by_set_and_the_studys_number_only_where_it_means_the_same(full):
    study, barra = character.style_tables(full)[:2]
    assert [study.id, barra.id] == ["style_correlation_study_a", "style_correlation_barra_cne5"]
    assert [row[1].published for row in study.rows] == [-0.26, -0.23]
    assert [row[1].published for row in barra.rows] == [-0.26, None]
    assert character.style_bars(full, "study_a", "last").spec["data"][0]["x"] == [-0.4, None]


def test_attribution_adds_to_the_active_return(full):
    year, whole = shown(tables.attribution(full.portfolios[0], "p"))
    assert whole == ["All", "+0.60%", "+0.20%", "+5.00%", "−2.00%", "−0.10%", "+3.70%"]
    assert year[1:] == whole[1:]
    lines = {
        trace["name"]: trace for trace in portfolio_figures.attribution_curve(full.portfolios[0], "p").spec["data"]
    }
    assert lines["style"]["x"] == ["2019-01-02", "2019-01-03"]
    assert lines["style"]["y"] == pytest.approx([0.001, 0.003])
    names = portfolio_figures.attribution_bars(full.portfolios[0], "p").spec["data"]
    assert [trace["y"] for trace in names] == [["SIZE", "BETA"], ["银行"]]


def test_absent_styles_say_what_is_lacking_in_both_languages(full):
    table = character.styles_absent(full)
    assert shown(table) == [["barra_cne5", "LEVERAGE", "the market has no a; the market has no b"]]
    assert table.rows[0][2].value.zh == "市场数据没有a; 市场数据没有b"


def test_episodes_and_binding_rows(full):
    (episode,) = shown(tables.episodes(full.portfolios[0], "p"))
    assert episode[:6] == ["2019-04-19", "2019-06-06", "–", "−5.00%", "31", "–"]
    assert episode[6] == "LIQUIDITY +0.30, SIZE −0.29, RESVOL +0.20, BETA +0.10"
    assert shown(tables.binding(full.portfolios[0], "p"))[0] == ["turnover", "", "98.0%", "1.7000"]


def test_everything_has_its_place_on_the_page_and_absent_parts_none(full, make_content):
    new = {"decay_table", "long_leg", "residual_ic", "seed_spread", "offsets", "styles_absent",
           "portfolio_1_attribution_table", "portfolio_1_episodes", "portfolio_1_binding"}  # fmt: skip
    page = render(full)
    for name in new:
        assert f'id="{name}"' in page
    assert not new & {table.id for table in page_of(make_content()).tables()}


def test_readers_are_warned_of_what_the_results_give_away(full):
    found = [str(text) for text in cautions(full)]
    assert found[0].startswith("The market is simulated")
    assert "Arm gru is tested over 487 days at 10 trading days: about 48 returns that do not overlap." in found
    assert sum("had not recovered by the end" in text for text in found) == 2
    (said, *_) = [text for text in found if "rebalances some bounds were not kept" in text]
    assert "at 1 of 103 rebalances some bounds were not kept, 2 in all, each listed" in said
    assert "At 1 the constraints had no solution in common" in said
    assert "names that could not be traded" not in said
    one_seed = replace(full.arms[0], model_card={**full.arms[0].model_card, "seeds": [0]})
    assert any("has one seed" in text for text in cautions(replace(full, arms=(one_seed,))))
