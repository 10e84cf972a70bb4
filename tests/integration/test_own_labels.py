"""Arms with labels of their own beside those of the recipe's: what is shared, what is not, what results say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.planning import Planned, plan
from deepfactor.recipe import load_recipe
from deepfactor.training.cards import model_card
from deepfactor.training.data import open_data
from deepfactor.training.jobs import Job, task_of
from support.recipe import TINY

OWN = """
[[arms]]
name = "raw"
model = { kind = "gru", hidden = 32 }
label = { kind = "neutral_return", neutralise = [] }

[[arms]]
name = "same"
model = { kind = "gru", hidden = 32 }
label = { kind = "neutral_return" }

[[arms]]
name = "short"
model = { kind = "gru", hidden = 32 }
label = { kind = "neutral_return", horizon = 5 }
"""
Plan = Callable[[str], Planned]


@pytest.fixture(scope="module")
def market(small_market: Path) -> Market:
    return open_market(small_market)


@pytest.fixture(scope="module")
def planned(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("own_labels")

    def make(recipe: str) -> Planned:
        (folder / "recipe.toml").write_text(recipe)
        return plan(load_recipe(str(folder / "recipe.toml")), market, folder / "jobs")

    return make


def by_arm(planned: Planned) -> dict[str, Job]:
    return {job.arm.name: job for job in planned.jobs}


def test_other_arms_keep_their_jobs(planned: Plan) -> None:
    alone, beside = by_arm(planned(TINY)), by_arm(planned(TINY + OWN))
    assert {name: beside[name].key for name in alone} == {name: job.key for name, job in alone.items()}
    assert beside["same"].key == beside["gru"].key
    assert len({beside[name].key for name in ("gru", "raw", "short")}) == 3


def test_an_own_label_has_own_arrays_and_own_purge(planned: Plan) -> None:
    """Of the same days and stocks, and a network that starts from the same weights."""
    made = planned(TINY + OWN)
    jobs, data = by_arm(made), {name: open_data(arrays) for name, arrays in made.arrays.items()}
    assert made.arrays["same"].folder == made.arrays["gru"].folder
    own, raw = data["gru"], data["raw"]
    for name in ("eligible", "size", "entry_ok"):
        assert np.array_equal(getattr(own, name), getattr(raw, name), equal_nan=True)
    t = jobs["raw"].fold.train[-1]
    stocks = np.flatnonzero(np.isfinite(own.label[t]) & np.isfinite(raw.label[t]))
    assert abs(np.corrcoef(own.label[t, stocks], own.size[t, stocks])[0, 1]) < 1e-6
    assert abs(np.corrcoef(raw.label[t, stocks], raw.size[t, stocks])[0, 1]) > 1e-3
    assert jobs["raw"].fold == jobs["gru"].fold
    assert jobs["short"].fold.train.stop == jobs["gru"].fold.train.stop + 5
    assert jobs["short"].fold.test == jobs["gru"].fold.test
    one, other = (task_of(jobs[name], data[name]).model.state_dict() for name in ("gru", "raw"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_card_says_the_arms_label(planned: Plan) -> None:
    made = planned(TINY + OWN)
    cards = {
        name: model_card([job], open_data(made.arrays[name]), made.inputs[name].whole_label)["label"]
        for name, job in by_arm(made).items()
    }
    assert cards["raw"]["neutralise"] == []
    assert cards["gru"]["neutralise"] == ["industry", "size"]
    assert cards["short"]["horizon"] == 5
