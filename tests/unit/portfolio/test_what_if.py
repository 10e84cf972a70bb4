"""Settings by name: what is changed, what is said when it can't be."""

from __future__ import annotations

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.market.fees import Costs
from deepfactor.portfolio.constraints.base import ROOM
from deepfactor.portfolio.presets import load_preset
from deepfactor.portfolio.what_if import ALIASES, change, setting_names


def settings_of(enhancement) -> dict:
    return {kind.kind: kind.said for kind in enhancement.constraints}


def test_a_short_name_changes_one_setting_and_nothing_else():
    base = load_preset("study_b")
    scenario = change(base, "max_active_weight=0.01")
    assert scenario.changed == {"stock_active_weight.limit": (0.008, 0.01)}
    wanted = settings_of(base)
    wanted["stock_active_weight"] = {"limit": 0.01}
    assert settings_of(scenario.enhancement) == wanted
    assert scenario.enhancement.model_copy(update={"constraints": base.constraints}) == base


def test_several_settings_lists_and_text():
    scenario = change(
        load_preset("study_b"),
        'max_turnover = 0.1, turnover.sided=one, cash=0.01, fill=next_vwap, restricted.never_buy=["600000.SH","1.SZ"]',
    )
    changed = settings_of(scenario.enhancement)
    assert changed["turnover"] == {"limit": 0.1, "sided": "one", "turnover_from": "target"}
    assert changed["restricted"] == {"never_buy": ["600000.SH", "1.SZ"]}
    assert (scenario.enhancement.cash, scenario.enhancement.fill) == (0.01, "next_vwap")
    assert scenario.changed["restricted.never_buy"] == (None, ["600000.SH", "1.SZ"])
    assert scenario.changed["turnover.sided"] == ("two", "one")


def test_a_constraint_is_added_with_its_defaults_and_taken_away():
    base = load_preset("study_b")
    assert settings_of(change(base, "capacity.share=0.2").enhancement)["capacity"] == {"share": 0.2}
    assert "turnover" not in settings_of(change(base, "turnover=off").enhancement)


def test_a_default_that_was_not_written_is_known():
    base = load_preset("study_a")
    without = change(base, "style_active_exposure=off").enhancement
    scenario = change(change(without, "style_active_exposure.optional=[]").enhancement, "max_style_exposure=0.1")
    assert scenario.changed == {"style_active_exposure.default": (0.3, 0.1)}


def test_every_short_name_means_a_setting():
    for name in ALIASES.values():
        kind, setting = name.split(".")
        room = Costs if kind == "costs" else ROOM.settings_of(kind)
        assert setting in room.model_fields
        assert name in setting_names()


def test_costs_and_haircut_can_be_changed():
    scenario = change(load_preset("study_b"), "cost_rate=0.002,costs.slippage=0.001,haircut=0.5")
    assert scenario.enhancement.costs == Costs(rate=0.002, slippage=0.001)
    assert scenario.enhancement.haircut == 0.5
    assert scenario.changed["costs.rate"] == (0.00125, 0.002)
    schedule = change(load_preset("study_b"), "costs.kind=schedule")
    assert schedule.enhancement.costs.kind == "schedule"
    with pytest.raises(RecipeError, match="the fee schedule has no flat rate"):
        change(schedule.enhancement, "cost_rate=0.002")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "max_activ_weight=0.01",
            "no setting 'max_activ_weight': did you mean max_active_weight. there are .*turnover.limit",
        ),
        ("turnover.limits=0.1", "no setting 'turnover.limits'.*turnover.sided"),
        ("turnover=0.1", "no setting 'turnover'"),
        ("max_turnover", "'max_turnover' has no value: write setting=value"),
        ("max_turnover=", "has no value"),
        ("max_turnover=-1", r"max_turnover=-1.constraints.\d.limit: .*greater than or equal to 0"),
        ("fill=open", "fill: .*next_vwap"),
        ("capacity=off", "there is no capacity among the constraints"),
    ],
)
def test_what_cannot_be_changed_is_explained(text, says):
    with pytest.raises(RecipeError, match=says):
        change(load_preset("study_b"), text)
