"""What drives the differences: the part's numbers against the records they come from, and what may be said of them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from deepfactor.report.content.beside import standard_error, year_range, years_error
from deepfactor.report.page import page_of, render, report_json
from deepfactor.report.sections import drivers
from deepfactor.report.sections._drivers_said import strongest

PLAN = {"first_test": 2019, "last_test": 2020, "train_years": 5, "valid_years": 1, "test_years": 1, "every": 5}
FIT = {"epochs": 12, "patience": 15, "lr": 0.001, "seeds": [0, 42]}
CASE = {"universe": "all", "convention": "t1_close", "horizon": 10, "sampling": "daily", "names": "all"}
STATISTICS = {"mean": 0.052, "std": 0.05, "icir": 1.0, "win_rate": 0.8, "t_newey_west": 9.0, "n": 480}
ADDED = {
    "seed_spread": [{**CASE, "mean": 0.1, "std": 0.0021, "min": 0.09, "max": 0.11, "n_seeds": 2}],
    "residual_ic": [
        {
            "set": name,
            "universe": universe,
            "convention": "t1_close",
            "horizon": 10,
            "rank_ic": STATISTICS,
            "raw_rank_ic": STATISTICS | {"mean": 0.103},
        }
        for name in ("basic", "barra_cne5")
        for universe in ("all", "000300.SH")
    ],
    "style_correlations": {
        "basic": {"SIZE": {"mean": -0.1, "last": 0.0}},
        "barra_cne5": {
            "SIZE": {"mean": -0.1, "last": 0.0},
            "BETA": {"mean": 0.3, "last": 0.0},
            "RESVOL": {"mean": -0.5, "last": 0.0},
            "LIQUIDITY": {"mean": -0.4, "last": 0.0},
            "GROWTH": {"mean": None, "last": None},
        },
    },
}
PARTS = {"styles": {"SIZE": 0.01, "BETA": -0.004}, "industries": {"A": 0.002}, "selection": 0.05, "cost": -0.02,
         "cash_and_rounding": -0.001, "active": 0.037}  # fmt: skip


@pytest.fixture
def full(make_content):
    """The sample run, as if on real data, with a plan, seeds, residuals and attributions."""
    content = make_content()
    arms = tuple(replace(a, factor_report={**a.factor_report, **ADDED}) for a in content.arms)
    portfolios = tuple(
        replace(
            p,
            summary={
                **p.summary,
                "all": p.summary["all"] | {"days": 504, "replica_tracking_error": 0.015},
                "attribution": {"all": PARTS, "by_year": {}},
            },
        )
        for p in content.portfolios
    )
    recipe = dict(content.recipe) | {"plan": PLAN, "fit": FIT}
    return on_market(make_content(recipe=recipe, arms=arms, portfolios=portfolios))


def on_market(content, *, simulated=False):
    """The same run on a real or a simulated market."""
    market = {**content.environment["market"], "simulated": simulated}
    return replace(content, environment={**content.environment, "market": market})


def rows(table, *columns):
    keys = [metric.key for metric in table.columns]
    return [[row[keys.index(column)].value for column in columns] for row in table.rows]


def test_the_gap_is_ours_less_the_studys_with_its_error_years_and_seeds(full):
    table = drivers.gaps(full)
    assert [(row[0].value, row[1].value) for row in table.rows] == [
        (arm, horizon) for arm in ("gru", "decomp_gru") for horizon in (10, 20)
    ]
    record = full.arms[0].record("all", 10, "t1_close")
    mean = record["rank_ic"]["mean"]
    found = rows(table, "rank_ic", "gap", "standard_error", "lowest_year", "highest_year", "seed_std")[0]
    assert found == pytest.approx([mean, mean - 0.125, mean / (60 * mean), mean - 0.01, mean + 0.01, 0.0021])
    assert table.rows[0][2].published == 0.125
    assert rows(table, "seed_std")[1] == [None]  # no spread at 20 days
    tradeable = full.arms[0].record("all", 10, "t1_close", names="tradeable")["rank_ic"]["mean"]
    assert rows(table, "tradeable_rank_ic")[0] == [tradeable]


@pytest.mark.parametrize(
    "span",
    [
        ("2019-01-02", "2020-12-31"),
        ("2017-01-02", "2019-06-30"),
        ("2010-01-01", "2012-12-31"),
        ("2019-01-01", "2025-02-28"),
    ],
)
def test_the_error_by_other_years_is_that_of_days_not_shared(full, span):
    """Two means of one series of independent days: weights of each day by hand."""
    arm = replace(full.arms[0], factor_report={**full.arms[0].factor_report, "span": list(span)})
    record = arm.record("all", 10, "t1_close")
    days = np.arange(np.datetime64("2009-01-01"), np.datetime64("2026-01-01"))
    inside = [(days >= np.datetime64(a)) & (days <= np.datetime64(b)) for a, b in (span, ("2019-01-01", "2025-02-28"))]
    ours, theirs = (one / one.sum() for one in inside)
    expected = standard_error(record) * np.sqrt(((ours - theirs) ** 2).sum() / (ours**2).sum())
    assert years_error(full, arm, record) == pytest.approx(expected, abs=1e-12)


def test_size_is_a_share_of_the_whole_market_ours_and_theirs(full):
    table = drivers.sizes(full)
    row = next(row for row in table.rows if (row[0].value, row[1].value) == ("CSI 300", "gru"))
    inside, whole = (full.arms[0].record(u, 10, "t1_close")["rank_ic"]["mean"] for u in ("000300.SH", "all"))
    assert row[-1].value == pytest.approx(inside / whole)
    assert row[-1].published == pytest.approx(0.094 / 0.125)


def test_years_stand_beside_the_studys_whole_span(full):
    table = drivers.years(full)
    assert [metric.label for metric in table.columns[1:]] == ["2019", "2020", "All"]
    assert [row[-1].published for row in table.rows] == [0.125, 0.13]
    assert all(cell.published is None for row in table.rows for cell in row[:-1])


def test_the_same_years_are_compared_without_the_others(full):
    table = drivers.top_years(full)
    row = next(row for row in table.rows if (row[0].value, row[1].value) == ("CSI 300", "gru"))
    printed = [0.0895, 0.2467, 0.349, 0.3805, 0.2444, 0.2195]  # 2019 to 2024; the two months of 2025 are no year
    both, every = sum(printed[:2]) / 2, sum(printed) / 6
    ours = (0.2 + 0.23) / 2
    assert [cell.value for cell in row[2:]] == pytest.approx([2, ours, ours - both, every, both - every])
    assert row[3].published == pytest.approx(both)
    assert not any(row[0].value == "All" for row in table.rows)  # by year the study prints the indices alone
    short = {u: {**g, "by_year": {y: {**e, "days": 30} for y, e in g["by_year"].items()}}
             for u, g in ((g["universe"], g) for g in full.arms[0].factor_report["groups"])}  # fmt: skip
    arm = replace(full.arms[0], factor_report={**full.arms[0].factor_report, "groups": list(short.values())})
    assert drivers.top_years(replace(full, arms=(arm,))) is None


def test_styles_name_what_is_left_and_the_strongest(full):
    table = drivers.styles(full)
    assert [metric.key for metric in table.columns] == ["arm", "rank_ic", "basic", "barra_cne5", "strongest_styles"]
    assert rows(table, "basic", "barra_cne5")[0] == [0.052, 0.052]
    assert strongest(full, full.arms[0]) == "RESVOL −0.50, LIQUIDITY −0.40, BETA +0.30"


def test_portfolios_are_taken_apart_a_year(full):
    table = drivers.portfolios(full)
    columns = ("styles_part", "industries_part", "selection_part", "cost_part", "cash_part", "relaxed_share")
    assert rows(table, *columns)[0] == pytest.approx([0.003, 0.001, 0.025, -0.01, -0.0005, 1 / 103])
    first, second = table.rows
    keys = [metric.key for metric in table.columns]
    printed = [(row[keys.index("excess")].published, row[keys.index("turnover")].published) for row in (first, second)]
    assert printed == [(None, None)] * 2  # the study prints DecompGRU-MSE's alone
    arms = tuple(replace(arm, published=f"study_b/{arm.name}_mse") for arm in full.arms)
    first, second = drivers.portfolios(replace(full, arms=arms)).rows
    printed = [(row[keys.index("excess")].published, row[keys.index("turnover")].published) for row in (first, second)]
    assert printed == [(None, None), (0.1165, 0.34)]


def test_the_protocol_says_what_is_not_stated(full):
    found = {row[0].value: (row[1].value, row[2].value) for row in drivers.protocol(full).rows}
    assert found["Seeds"] == ("0, 42 (gru, decomp_gru)", "0, 42, 3407")
    assert found["Training days: one in …"] == ("5", "not stated")
    assert found["Patience, epochs"] == ("15", "15")
    assert found["Test span"] == ("2019-01-02 to 2020-12-31", "2019-01-01 to 2025-02-28")
    assert found["Benchmark of the top group over all stocks"] == (
        "Equal-weighted universe, Cap-weighted universe (derived)",
        "CSI All Share",
    )
    assert found["Index weights"] == ("derived from float capitalisation and membership", "not stated")


@pytest.mark.parametrize(("t", "said"), [(2.0, "is within twice that"), (200.0, "is beyond twice that")])
def test_what_is_said_of_the_gap_follows_its_error(full, t, said):
    first = full.arms[0]
    records = [{**r, "rank_ic": {**r["rank_ic"], "t_newey_west": t}} for r in first.factor_report["records"]]
    arm = replace(first, factor_report={**first.factor_report, "records": records})
    sentences = drivers.drivers(replace(full, arms=(arm, full.arms[1]))).sentences()["drivers"]
    gap = next(one for one in sentences if one.startswith("gru: RankIC"))
    assert said in gap
    assert "its 2 seeds have a standard deviation of 0.002" in gap


def test_every_sentence_is_in_both_languages_and_filled(full):
    sentences = drivers.drivers(full).sentences()["drivers"]
    assert len(sentences) == 1 + 4 * 2 + 5
    for one in sentences:
        assert "{" not in one + one.zh
        assert re.search(r"[一-鿿]", one.zh), one
        numbers = [sorted(re.findall(r"\d+\.\d+", text)) for text in (one, one.zh)]
        assert numbers[0] == numbers[1], one


def test_a_run_without_a_studys_arm_has_no_such_part(content):
    arms = tuple(replace(arm, published=None) for arm in content.arms)
    other = replace(content, arms=arms)
    assert drivers.drivers(other) is None
    assert 'id="drivers"' not in render(other)
    assert report_json(other)["drivers"] == []


def test_absent_parts_leave_no_row_and_no_sentence(content):
    """The sample run has no fit, no seeds' spread, no style tests and no attribution."""
    part = drivers.drivers(on_market(content))
    assert {table.id for table in part.tables()} == {
        "drivers_gap",
        "drivers_years",
        "drivers_same_years",
        "drivers_size",
        "drivers_portfolios",
    }
    assert not any("is left after" in one or "styles made" in one for one in part.sentences()["drivers"])
    assert any("There is one seed" in one for one in part.sentences()["drivers"])


def test_undefined_numbers_are_not_computed_with(full):
    nothing = {"rank_ic": {"mean": None, "t_newey_west": None}, "by_year": {}}
    assert standard_error(nothing) is None
    assert year_range(nothing) == (None, None)
    first = full.arms[0]
    records = [{**r, "rank_ic": dict.fromkeys(r["rank_ic"])} for r in first.factor_report["records"]]
    arm = replace(first, factor_report={**first.factor_report, "records": records})
    part = drivers.drivers(replace(full, arms=(arm,)))
    assert not any(one.startswith("gru: RankIC") for one in part.sentences()["drivers"])


def test_a_simulated_market_is_not_judged_by_the_studys_years(full):
    made = drivers.drivers(on_market(full, simulated=True))
    assert {table.id for table in made.tables()} == {"drivers_protocol", "drivers_styles", "drivers_portfolios"}
    assert [sentence[:24] for sentence in made.sentences()["drivers"]] == ["The market is simulated:"]


def test_the_part_is_on_the_page_and_in_the_json(full):
    html = render(full)
    assert '<section id="drivers">' in html
    given = report_json(full)
    assert given["drivers"] == list(page_of(full).sentences()["drivers"])
    assert {"drivers_protocol", "drivers_gap", "drivers_styles"} <= given["tables"].keys()
