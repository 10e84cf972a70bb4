"""The studies' numbers: the right one for each question, none where the study prints none."""

from __future__ import annotations

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.report.content.published import reference, references, studies
from deepfactor.report.sections.models import study_label


def test_study_b_by_universe_and_horizon():
    ref = reference("study_b/decomp_gru_ic")
    assert ref.rank_ic("mean", "all", 10, "t1_close") == 0.13
    assert ref.rank_ic("icir", "000300.SH", 20, "t1_close") == 0.6
    assert ref.rank_ic("win_rate", "000905.SH", 10, "t1_close") == 0.77
    assert ref.rank_ic("mean", "all", 10, "t1_vwap") is None
    assert ref.rank_ic("mean", "all", 5, "t1_close") is None
    assert ref.rank_ic("std", "all", 10, "t1_close") is None
    assert ref.top_group("annual_excess_difference", "all") == 0.431
    assert ref.top_group("annual_excess_nav_ratio", "all") is None
    assert ref.top_group("annual_excess", "all") is None  # by a definition that the key does not name
    assert ref.top_group("turnover_one_sided", "all") == 0.52
    assert ref.top_group("annual_excess_nav_ratio", "000852.SH") == 0.2824
    assert ref.top_group("annual_excess_difference", "000852.SH") is None
    assert ref.top_group("sharpe", "000852.SH") is None
    assert ref.top_group_year("excess", "000300.SH", "2021") == 0.356
    assert ref.top_group_year("excess", "all", "2021") is None
    assert ref.model_correlation("gru_ic") == 0.81


def test_study_b_enhanced_is_of_decomp_gru_mse_alone_under_its_own_constraints():
    ref = reference("study_b/decomp_gru_mse")
    assert ref.enhanced("excess", "000905.SH", "study_b") == 0.1165
    assert ref.enhanced("tracking_error", "000300.SH", "study_b") == 0.048
    assert ref.enhanced("tracking_error", "000300.SH", "study_b", "2020") is None
    assert ref.enhanced("calmar", "000852.SH", "study_b", "2019") == 15.48
    assert ref.enhanced("turnover", "000300.SH", "study_b") == 0.32
    assert ref.enhanced("excess", "000905.SH", "study_a") is None
    assert ref.enhanced("excess", "000905.SH", None) is None  # a file, whatever its name
    assert ref.enhanced("information_ratio", "000905.SH", "study_b") is None
    for other in ("gru_ic", "gru_mse", "decomp_gru_ic"):
        for metric in ("excess", "tracking_error", "turnover"):
            assert reference(f"study_b/{other}").enhanced(metric, "000905.SH", "study_b") is None


def test_study_a_by_interval():
    fused, weekly = reference("study_a/composite"), reference("study_a/bi_agru")
    assert fused.rank_ic("mean", "all", 20, "t1_vwap") == 0.163
    assert fused.rank_ic("mean", "all", 20, "t0_close") == 0.172
    assert fused.rank_ic("mean", "000300.SH", 20, "t0_close") is None
    assert fused.rank_ic("icir", "all", 20, "t0_close") is None
    assert fused.top_n("net", "top100", 10, "t1_vwap") == 0.227
    assert fused.top_n("net", "top100", 10, "t0_close") is None
    assert fused.style_correlation("size") == -0.26
    assert fused.style_correlation("liquidity") is None
    assert weekly.top_n("gross", "top10pct", 5, "t1_vwap") == 0.326
    assert weekly.top_n("gross", "top10pct", 10, "t1_vwap") == 0.262  # under the name price_volume
    assert weekly.top_n("turnover_two_sided", "top10pct", 5, "t1_vwap") == 42
    assert weekly.autocorrelation(5) == 0.74
    assert weekly.enhanced("information_ratio", "000905.SH", "study_a_all_market") == 2.79
    assert weekly.enhanced("excess", "000905.SH", "study_a_all_market", "2023") == 0.153
    assert weekly.enhanced("excess", "000905.SH", "study_a") == 0.112
    assert weekly.enhanced("excess", "000905.SH", "study_a_all_market") == 0.159
    assert weekly.enhanced("excess", "000905.SH", "study_a", "2023") is None
    assert weekly.enhanced("excess", "000905.SH", "study_b") is None


def test_study_a_calls_its_bi_agru_the_price_volume_factor() -> None:
    ref = reference("study_a/bi_agru")
    assert ref is not None
    assert ref.rank_ic("mean", "all", 5, "t0_close") == 0.14  # its own row of the weekly comparison
    assert ref.rank_ic("mean", "all", 10, "t0_close") == 0.161
    assert ref.style_correlation("VOLATILITY") == -0.43


def test_every_reference_leads_to_a_number():
    assert len(references()) == 10
    for name in references():
        ref = reference(name)
        horizon, convention = (10, "t1_close") if name.startswith("study_b") else (5, "t1_vwap")
        assert 0 < ref.rank_ic("mean", "all", horizon, convention) < 0.2, name
        assert study_label(ref).startswith(("Study A (", "Study B ("))


@pytest.mark.parametrize("name", ["study_b", "study_b/lstm", "study_c/gru_ic", "decomp_gru_ic"])
def test_an_unknown_reference_names_those_there_are(name):
    with pytest.raises(RecipeError, match=r"study_a/bi_agru.*study_b/gru_mse"):
        reference(name)


def test_no_reference_is_no_error():
    assert reference(None) is None


def test_definitions_and_sources_stand_with_the_numbers():
    for study in studies().values():
        assert study["source"]
        assert study["definitions"]["units"]
        assert len(study["span"]) == 2
