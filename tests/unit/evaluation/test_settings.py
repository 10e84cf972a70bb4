"""One word gives a study's own tables; what is said beside it wins."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.report.content.published import studies

A, B = TestSettings(preset="study_a"), TestSettings(preset="study_b")


def test_study_a_has_the_columns_of_its_interval_table():
    rows = studies()["study_a"]["factor_test_by_interval"]
    assert sorted({row["rebalance_days"] for row in rows}) == list(A.horizons) == list(A.top_every)
    columns = set(rows[0])
    assert {f"rank_ic_{convention}" for convention in A.conventions} <= columns
    assert {f"{top}_excess_{kind}" for top in A.tops for kind in ("gross", "net")} <= columns
    assert A.samplings == ("every_h",)
    assert A.universes == ("all",)
    assert (A.cost_rate, A.top_definitions) == (0.0015, "study_a")
    assert A.groups_of("all") == 0


def test_study_b_has_its_four_universes_two_horizons_and_groups():
    published = studies()["study_b"]
    assert {f"ic_{horizon}d" for horizon in B.horizons} <= set(published)
    assert len(B.universes) == len(published["ic_10d"]) == 4
    assert [B.groups_of(universe) for universe in B.universes] == [20, 5, 10, 10]
    assert (B.conventions, B.samplings, B.tops) == (("t1_close",), ("daily",), ())
    assert B.group_definitions == "study_b"


def test_what_is_said_beside_a_preset_wins():
    other = TestSettings(preset="study_b", horizons=(5,), tops=("top100",))
    assert other.horizons == (5,)
    assert other.tops == ("top100",)
    assert other.universes == B.universes


@pytest.mark.parametrize("settings", [TestSettings(), A, B, TestSettings(preset="study_a", min_names=30)])
def test_settings_read_back_are_the_same(settings):
    assert TestSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_an_unknown_study_is_refused():
    with pytest.raises(ValidationError, match="study_a"):
        TestSettings(preset="study_c")


@pytest.mark.parametrize("preset", ["study_a", "study_b"])
def test_a_preset_gives_its_records_and_no_others(market, scores, preset):
    settings = TestSettings(preset=preset, universes=("all", "000300.SH"), min_names=5, decay=0)
    content = run_test(scores, market.panel, market.universe, settings, eligible=market.eligible).to_json_dict()
    assert {record["sampling"] for record in content["records"]} == set(settings.samplings)
    assert {record["convention"] for record in content["records"]} == set(settings.conventions)
    assert bool(content["groups"]) == (preset == "study_b")
    assert len(content["top_n"]) == (2 * 4 * 2 if preset == "study_a" else 0)
