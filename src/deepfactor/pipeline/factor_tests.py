"""The factor test of an arm, to files: the ensemble whole, its seeds in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deepfactor.core.words import Sentence
from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.trials import top_trials
from deepfactor.runs.results import write_factor_test
from deepfactor.store.trials import Trial
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.styles.base import StyleSet

#: Factor tests, for people.
FACTOR_TESTS = Sentence("factor tests", "因子检验")
#: Seconds that a test takes a core by day and stock, as measured: of an arm, 46 on 970 × 4996; of a seed, 10.
WHOLE, SEED = 9.5e-6, 2.1e-6


def sets_of(own: StyleSet) -> list[StyleSet]:
    """The style sets that a factor is compared with: `own`, then the others that ship, by name."""
    return [own, *(STYLES.choose(name) for name in STYLES.kinds() if name != own.kind)]


def test_arm(
    ensemble: ScoresOf,
    seeds: Sequence[ScoresOf],
    settings: TestSettings,
    own: StyleSet,
    ground: Ground,
    console: Console,
) -> list[Trial]:
    """Test the scores of an arm or combination and write what was found beside them; the trials that it is."""
    panel, universe, eligible = ground.market.panel, ground.market.universe, ground.eligible
    sets = [(one.kind, ground.sets.of(one)) for one in sets_of(own)]
    scores = ground.read(ensemble)
    report = test_factor(scores, panel, universe, settings, eligible=eligible, styles=sets)
    short: tuple[FactorReport, ...] = ()
    if len(seeds) > 1:
        alone = settings.model_copy(update={"groups": {}, "other_groups": 0, "tops": (), "decay": 0, "long_weeks": 0})
        short = tuple(
            test_factor(
                replace(ground.read(one), name=one.arm), panel, universe, alone, eligible=eligible, seed=one.seed
            )
            for one in seeds
        )
    write_factor_test(ensemble.run.arm(ensemble.arm), report, short)
    return top_trials(scores, report)
