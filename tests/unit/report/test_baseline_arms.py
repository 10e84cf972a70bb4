"""An arm without a network on the page: its card, its jobs, what it reads."""

from __future__ import annotations

from dataclasses import replace

from deepfactor.report.page import render
from deepfactor.report.press.blocks import Drawn, Facts, Said, leaves
from deepfactor.report.sections.data import training_left_out
from deepfactor.report.sections.models import model_cards
from deepfactor.report.sections.training import importance, training_curves, training_jobs

CARD = {"kind": "lightgbm", "settings": {"rounds": 500}, "inputs": {"features": ["ret_1", "vol_20"], "window": 1}}
TRAINING = {
    "jobs": [{"fold": "2019", "seed": 0, "valid_rank_ic": 0.0625, "seconds": 12.0, "left_out": {}, "epochs": []}],
    "importance": {"ret_1": 0.25, "vol_20": 0.75},
}


def test_it_is_shown(content):
    network, baseline = content.arms[0], replace(content.arms[1], model_card=CARD, training=TRAINING)
    shown = replace(content, arms=(network, baseline, *content.arms[2:]))
    card = model_cards(shown)[1]
    (facts,) = [block for block in leaves(card.blocks) if isinstance(block, Facts)]
    assert [block.markup for block in leaves(card.blocks) if isinstance(block, Drawn)] == [""]
    assert not any("Parameters" in block.text for block in leaves(card.blocks) if isinstance(block, Said))
    assert ("Network", "none: lightgbm on the day's 2 features") in facts.items
    rows = [row for row in training_jobs(shown).records() if row["arm"] == baseline.name]
    assert [(row["epochs"], row["best_epoch"], row["best_valid"]) for row in rows] == [(0, None, 0.0625)]
    assert importance(shown).records() == [
        {"arm": baseline.name, "feature": "vol_20", "importance": 0.75},
        {"arm": baseline.name, "feature": "ret_1", "importance": 0.25},
    ]
    drawn = {trace["name"] for figure in training_curves(shown) for trace in figure.spec["data"]}
    assert network.name in drawn
    assert baseline.name not in drawn
    assert "vol_20" in render(shown)


def test_a_weighting_behind_a_network_is_shown(content):
    arm = content.arms[0]
    card = {**arm.model_card, "weighting": {"kind": "xgboost", "settings": {"depth": 5}, "fit_on": "held_out"}}
    job = {"fold": "2019", "seed": 42, "left_out": {"held_out": {"no_label": 3}}, "epochs": []}
    job["days_without_factors"] = {"fit": 0, "valid": 0, "test": 2}
    training = {"jobs": [job], "importance": {"32 deep factors": 0.75, "BP": 0.25}}
    shown = replace(content, arms=(replace(arm, model_card=card, training=training), *content.arms[1:]))
    (facts,) = [block for block in leaves(model_cards(shown)[0].blocks) if isinstance(block, Facts)]
    (fact,) = [value for name, value in facts.items if name == "Weighting"]
    assert fact == "kind xgboost, settings depth 5, fit_on held_out"
    assert [row["feature"] for row in importance(shown).records()] == ["32 deep factors", "BP"]
    rows = {(row["fold"], row["what"]): row["count"] for row in training_left_out(shown).records()}
    assert rows[("2019", "held out · no label")] == 3
    assert rows[("2019 Seed 42", "days without factors · test")] == 2
    assert "32 deep factors" in render(shown)


def test_without_one_there_is_no_table(content):
    assert importance(content) is None
