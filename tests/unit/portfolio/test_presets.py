"""The studies' numbers, and what a wrong preset says."""

from __future__ import annotations

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.market.fees import Costs
from deepfactor.portfolio.enhancer import DEFAULT_RELAX_ORDER
from deepfactor.portfolio.presets import load_preset, preset_names
from deepfactor.styles.base import ROOM as STYLES


def settings_of(name: str) -> dict:
    return {kind.kind: kind.said for kind in load_preset(name).constraints}


def test_study_a():
    preset = load_preset("study_a")
    assert (preset.name, preset.fill, preset.cash, preset.haircut) == ("study_a", "next_vwap", 0.005, 0.3)
    assert (preset.costs, preset.styles) == (Costs(kind="flat", rate=0.0015), STYLES.choose("study_a"))
    assert (preset.exclude, preset.definitions) == ((), "study_a")
    assert settings_of("study_a") == {
        "stock_active_weight": {"limit": 0.005},
        "industry_active_weight": {"limit": 0.0},
        "style_active_exposure": {"default": 0.5, "limits": {"SIZE": 0.0, "VALUE": 0.0}, "optional": ["VALUE"]},
        "constituents_weight": {"minimum": 0.8},
        "turnover": {"limit": 0.3, "sided": "one", "turnover_from": "drifted"},
    }


def test_study_a_all_market_only_leaves_the_constituents_out():
    whole, most = load_preset("study_a_all_market"), load_preset("study_a")
    assert settings_of(whole.name) == {k: v for k, v in settings_of(most.name).items() if k != "constituents_weight"}
    for name in ("fill", "costs", "styles", "exclude", "cash", "haircut", "definitions"):
        assert getattr(whole, name) == getattr(most, name), name


def test_study_b():
    preset = load_preset("study_b")
    assert (preset.name, preset.fill, preset.cash, preset.haircut) == ("study_b", "next_close", 0.005, 0.3)
    assert (preset.costs, preset.styles) == (Costs(kind="flat", rate=0.00125), STYLES.choose("barra_cne5"))
    assert (preset.exclude, preset.definitions) == (("st",), "study_b")
    assert settings_of("study_b") == {
        "stock_active_weight": {"limit": 0.008},
        "industry_active_weight": {"limit": 0.02},
        "style_active_exposure": {"default": 0.3},
        "constituents_weight": {"minimum": 0.8},
        "turnover": {"limit": 0.3, "sided": "two", "turnover_from": "target"},
    }


def test_every_preset_relaxes_in_the_default_order():
    assert preset_names() == ("study_a", "study_a_all_market", "study_b", "study_b_te", "study_b_tight")
    orders = {tuple(family for family in load_preset(name).relax_order if family != "risk") for name in preset_names()}
    assert orders == {DEFAULT_RELAX_ORDER}
    assert load_preset("study_b_te").relax_order[:2] == ("turnover", "risk")


def test_a_file_is_a_preset_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('cash = 0.01\n[[constraints]]\nkind = "turnover"\nlimit = 0.2\n')
    preset = load_preset(path)
    assert (preset.name, preset.cash, preset.constraints[0].said) == ("mine", 0.01, {"limit": 0.2})
    assert preset.key() != load_preset("study_a").key()
    assert (preset.costs, preset.haircut, preset.styles) == (Costs(rate=0.00125), 0.3, None)
    assert (preset.exclude, preset.definitions) == ((), None)


def test_a_file_can_have_the_fee_schedule_its_own_haircut_and_styles(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('costs = { kind = "schedule", slippage = 0.0005 }\nhaircut = 0.5\nstyles = { kind = "basic" }\n')
    preset = load_preset(path)
    assert preset.costs == Costs(kind="schedule", slippage=0.0005)
    assert (preset.haircut, preset.styles) == (0.5, STYLES.choose("basic"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('indices = ["000905.SH"]', "indices: no longer a setting: the index is the command's --index"),
        ('signal = "weekly"', "signal: 'weekly'"),
        ('exclude = ["st", "suspended"]', "exclude: .*suspended: such names are never traded, whatever a file says"),
        ('exclude = ["limit_locked"]', "exclude: .*limit_locked: such names are never traded"),
        ('exclude = ["stt"]', "exclude.0: .*'st'"),
        ('definitions = "study_c"', "definitions: .*'study_a' or 'study_b'"),
        ("casch = 0.01", "casch: unknown key: did you mean cash. there are cash, constraints"),
        ("cash = 2.0", "cash: Input should be less than 1"),
        ('fill = "open"', "fill: .*next_vwap"),
        ('costs = { kind = "free" }', "costs.kind: .*'flat' or 'schedule'"),
        ("haircut = 1.5", "haircut: Input should be less than or equal to 1"),
        (
            '[[constraints]]\nkind = "turnover"\nlimt = 0.2',
            "constraints.0.limt: unknown key: did you mean limit. there are limit, sided",
        ),
        ('[[constraints]]\nkind = "beta"', "constraints.0.kind: no kind 'beta'.*turnover"),
        ('relax_order = ["size"]', "relax_order.0: 'size' is no family"),
        ("cash = ", "can't be read as TOML: Invalid value"),
    ],
)
def test_wrong_presets_name_the_key(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=says):
        load_preset(path)


def test_unknown_preset_lists_what_there_is():
    with pytest.raises(
        RecipeError, match=r"'study_c': did you mean study_\w\? there are study_a, study_a_all_market, "
    ):
        load_preset("study_c")
