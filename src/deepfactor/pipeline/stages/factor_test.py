"""The factor test of every arm and combination: the ensemble whole, its seeds in short."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from deepfactor.pipeline.factor_tests import FACTOR_TESTS, SEED, WHOLE, sets_of, test_arm
from deepfactor.pipeline.markets import absent_styles
from deepfactor.pipeline.stages.base import Apart, Unit, Work
from deepfactor.pipeline.trials import note
from deepfactor.runs.done import Outcome
from deepfactor.store.trials import Trial
from deepfactor.styles.base import ROOM as STYLES

NAME, GROUP = "factor_test", "tests"
MANY = FACTOR_TESTS
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
        ensemble, *seeds = work.files(arm)
        make = partial(test_arm, ensemble, seeds, recipe.test, recipe.styles)
        rate = WHOLE + SEED * (len(seeds) if len(seeds) > 1 else 0)
        apart = Apart(make, partial(_tested, work, arm), sets_of(recipe.styles), rate)
        yield Unit(arm, files[0], reads, files, apart)


def _tested(work: Work, arm: str, trials: list[Trial]) -> Outcome:
    work.console.say(f"tested {arm}")
    styles = work.recipe.styles
    keys = note(work.market.folder.path, trials, work.console)
    return Outcome(dict.fromkeys(keys, "trial"), warnings=tuple(absent_styles(styles, work.sets.of(styles))))
