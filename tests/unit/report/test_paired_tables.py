"""Each arm beside each other one on the page."""

from __future__ import annotations

import re

import pytest

from deepfactor.report.page import page_of, render
from deepfactor.report.sections._paired import paired
from deepfactor.report.sections.summary import headline_paired

PAIR = {"first": "gru", "second": "decomp_gru"}
NUMBERS = {"difference": -0.004, "standard_error": 0.002, "t_newey_west": -2.0, "win_rate": 0.4, "lags": 10, "n": 480}
SEEDS = {"seed_std_first": 0.003, "seed_std_second": None}
CASE = {"universe": "all", "convention": "t1_close", "horizon": 10}


def entry(measure, **changes):
    labels = {"universe": "all"} if measure == "top_excess" else CASE
    return {"measure": measure, **PAIR, **labels, **NUMBERS, **SEEDS, **changes}


ENTRIES = (
    entry("rank_ic"),
    entry("rank_ic", universe="000300.SH", difference=0.5),
    entry("rank_ic", horizon=20, difference=0.6),
    entry("residual_rank_ic", set="basic", difference=0.7),
    entry("residual_rank_ic", set="barra_cne5", difference=0.011, t_newey_west=3.3),
    entry("top_excess", difference=-0.021, t_newey_west=-0.4),
)


@pytest.fixture
def beside(make_content):
    content = make_content(paired=ENTRIES)
    residual = [{"set": s, **CASE, "rank_ic": NUMBERS | {"mean": 0.05, "std": 1.0, "icir": 1.0}}
                for s in ("basic", "barra_cne5")]  # fmt: skip
    for arm in content.arms:
        arm.factor_report["residual_ic"] = residual
    return content


def test_the_first_page_has_a_row_a_pair_in_the_whole_market(beside):
    table = headline_paired(beside)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["gru − decomp_gru", "−0.004", "0.002", "−2.00", "0.003", "–", "+0.011", "3.30", "−2.10%", "−0.40"]
    ]


def test_without_a_comparison_there_is_no_table(content):
    assert headline_paired(content) is None
    assert paired(content) == []


def test_a_measure_that_a_run_lacks_is_a_dash(make_content):
    table = headline_paired(make_content(paired=ENTRIES[:1]))
    assert [cell.text for cell in table.rows[0][6:]] == ["–"] * 4


def test_all_of_them_are_folded_in(beside):
    tables = {table.id: table for table in page_of(beside).tables() if table.id.startswith("paired")}
    assert {name: len(table.rows) for name, table in tables.items()} == {
        "paired": 3,
        "paired_residual": 2,
        "paired_top": 1,
    }
    assert [metric.key for metric in tables["paired_top"].columns][2] == "top_difference"
    html = render(beside)
    for name in tables:
        assert re.search(f'<details><summary>(?:(?!</details>).)*id="{name}"', html, re.DOTALL), name
