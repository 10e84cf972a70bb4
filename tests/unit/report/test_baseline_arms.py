"""An arm without a network on the page: its card, its jobs, what it reads."""

from __future__ import annotations

from dataclasses import replace

from deepfactor.report.cards import model_cards
from deepfactor.report.figures import training_curves
from deepfactor.report.page import render
from deepfactor.report.run_tables import importance, training_jobs

CARD = {"kind": "lightgbm", "settings": {"rounds": 500}, "inputs": {"features": ["ret_1", "vol_20"], "window": 1}}
TRAINING = {
    "jobs": [{"fold": "2019", "seed": 0, "valid_rank_ic": 0.0625, "seconds": 12.0, "left_out": {}, "epochs": []}],
    "importance": {"ret_1": 0.25, "vol_20": 0.75},
}


def test_it_is_shown(content):
    network, baseline = content.arms[0], replace(content.arms[1], model_card=CARD, training=TRAINING)
    shown = replace(content, arms=(network, baseline, *content.arms[2:]))
    card = model_cards(shown)[1]
    assert (card.parameters, card.diagram) == ("", "")
    assert ("Network", "none: lightgbm on the day's 2 features") in card.facts
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


def test_without_one_there_is_no_table(content):
    assert importance(content) is None
