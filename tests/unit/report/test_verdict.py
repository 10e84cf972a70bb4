"""The first screen: luck's band, seeds' spread, and whether a difference to the baseline is noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deepfactor.report.content import RunContent
from deepfactor.report.page import page_of, report_json
from deepfactor.report.sections._verdict import baseline, verdict
from support.run_content import build

RANK_IC = {
    "measure": "rank_ic",
    "first": "gru",
    "second": "decomp_gru",
    "universe": "all",
    "convention": "t1_close",
    "horizon": 10,
    "difference": -0.008,
    "standard_error": 0.002,
    "t_newey_west": -4.0,
    "seed_std_first": 0.003,
    "seed_std_second": 0.004,
}


def content(**entry: Any) -> RunContent:
    return build(paired=(RANK_IC | entry,))


def rows(given: RunContent) -> dict[str, dict[str, Any]]:
    table = verdict(given)
    assert table is not None
    return {str(row["arm"]): row for row in table.records()}


def test_it_is_the_first_table_of_the_summary() -> None:
    page = page_of(content())
    assert page.sections["summary"].tables()[0].id == "verdict"
    assert "verdict" in report_json(content(), page)["tables"]  # type: ignore[operator]


def test_both_sides_of_a_pair_say_the_same() -> None:
    found = rows(content())
    assert found["gru"]["less_rank_ic"] == "−0.008 (−4.00)"
    assert found["decomp_gru"]["less_rank_ic"] == "+0.008 (+4.00)"
    assert found["gru"]["less_excess"] == "−1.20% (−2.40)"
    assert "RankIC worse" in found["gru"]["verdict"]
    assert "RankIC better" in found["decomp_gru"]["verdict"]
    assert found["gru"]["placebo_band"] == "−2.00% … +4.00%"
    assert found["gru"]["seed_excess_std"] == 0.01
    assert (found["gru"]["deflated"], found["decomp_gru"]["deflated"]) == (0.87, None)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "RankIC worse"),
        ({"t_newey_west": -1.9}, "RankIC noise"),
        ({"difference": -0.0049}, "RankIC noise"),  # less than the seeds' spread of 0.005
        ({"difference": -0.0049, "seed_std_first": None, "seed_std_second": None}, "RankIC worse"),
    ],
)
def test_noise_of_the_days_and_of_the_seeds(entry: dict[str, Any], said: str) -> None:
    assert said in rows(content(**entry))["gru"]["verdict"]


@pytest.mark.parametrize(("own", "said"), [(0.05, "above luck"), (0.01, "within luck"), (-0.03, "below luck")])
def test_luck(own: float, said: str) -> None:
    given = build()
    one = given.portfolios[0]
    assert one.placebo is not None
    placebo = one.placebo | {"excess": one.placebo["excess"] | {"own": own}}
    portfolios = (replace(one, placebo=placebo), *given.portfolios[1:])
    assert rows(replace(given, portfolios=portfolios))["gru"]["verdict"].startswith(said)


def test_a_baseline_is_the_best_arm_without_a_network() -> None:
    given = build()
    gru, decomp = given.arms
    ridge = replace(gru, name="ridge", model_card={"kind": "ridge", "settings": {}})
    weak = replace(ridge, name="weak", factor_report=build().arms[0].factor_report)
    assert baseline(given, gru) is decomp
    both = replace(given, arms=(gru, decomp, ridge, weak))
    assert baseline(both, decomp) is ridge
    assert baseline(both, ridge) is weak
    assert baseline(replace(given, arms=(gru,)), gru) is None


def test_without_portfolios_bands_and_pairs_there_are_dashes() -> None:
    bare = build(portfolios=(), paired=(), paired_portfolios=())
    for row in rows(bare).values():
        assert row["placebo_band"] == row["less_rank_ic"] == row["verdict"] == "–"
