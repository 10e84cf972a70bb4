"""Combinations of arms that the recipe asks for; tested and enhanced like an arm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.pipeline.combining import combine_arms
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.recipe import Combination
from deepfactor.runs.done import Outcome
from deepfactor.training.ensemble import ArmScores

NAME, GROUP = "combination", "scores"
MANY = Sentence("combinations", "合成因子")
READS = ("scores",)
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One a combination."""
    for one in work.recipe.combinations:
        place = work.folder.arm(one.name)
        files = ("scores.parquet", "combination.json", "model_card.json", "training.json")
        reads = {
            "settings": one.model_dump(mode="json"),
            "scores": [work.content(arm).get("scores") for arm in one.of],
        }
        outputs = [place / name for name in files]
        yield Unit(one.name, outputs[0], reads, outputs, partial(_combine, work, one), loses=[place])


def _combine(work: Work, one: Combination) -> Outcome:
    if without := [arm for arm in one.of if arm not in work.scored]:
        raise DataError(f"{without[0]} has no scores")
    arms = {arm: work.scores(arm).ensemble for arm in one.of}
    scores, content = combine_arms(work.folder, one, arms, work.market)
    work.made[one.name] = ArmScores(scores, {})
    return Outcome({"scores": content}, scores.dropped)
