"""The factor test of every arm and combination: the ensemble whole, its seeds in short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from deepfactor.evaluation.factor_test import FactorReport, test_factor
from deepfactor.pipeline.markets import absent_styles
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.pipeline.trials import note, top_trials
from deepfactor.runs.done import Outcome
from deepfactor.runs.results import write_factor_test
from deepfactor.styles.base import ROOM as STYLES

NAME, MANY, GROUP = "factor_test", "factor tests", "tests"
READS = ("scores", "combination")
NUMERICS = 2


def units(work: Work) -> Iterator[Unit]:
    """One an arm with scores."""
    recipe = work.recipe
    for arm in work.scored:
        files = work.folder.tests(arm)
        reads = {
            "arm": arm,
            "scores": dict(work.content(arm)),
            "test": recipe.test.model_dump(mode="json"),
            "universe": recipe.universe.model_dump(mode="json"),
            "styles": recipe.styles.written(),
            "sets": STYLES.kinds(),
        }
        yield Unit(arm, files[0], reads, files, partial(_test, work, arm))


def _test(work: Work, arm: str) -> Outcome:
    recipe, market, scores = work.recipe, work.market, work.scores(arm)
    own = work.sets.of(recipe.styles)
    sets = [(recipe.styles.kind, own), *work.sets.others(recipe.styles)]
    panel, universe, eligible = market.panel, market.universe, work.eligible
    report = test_factor(scores.ensemble, panel, universe, recipe.test, eligible=eligible, styles=sets)
    seeds: tuple[FactorReport, ...] = ()
    if len(scores.seeds) > 1:
        alone = recipe.test.model_copy(
            update={"groups": {}, "other_groups": 0, "tops": (), "decay": 0, "long_weeks": 0}
        )
        seeds = tuple(
            test_factor(replace(values, name=arm), panel, universe, alone, eligible=eligible, seed=seed)
            for seed, values in scores.seeds.items()
        )
    write_factor_test(work.folder.arm(arm), report, seeds)
    work.console.say(f"tested {arm}")
    keys = note(market.folder.path, top_trials(scores.ensemble, report), work.console)
    return Outcome(dict.fromkeys(keys, "trial"), warnings=tuple(absent_styles(recipe.styles, own)))
