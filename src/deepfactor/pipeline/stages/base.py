"""A stage behind training is a file of this room: what it makes, of what, and how. Its file is found unasked.

Every result has a key, the hash of all that it is made of: content of the scores that it takes, the market's
fingerprint, settings, and the stage's ``NUMERICS``; never a path, a device or a number of workers. A result whose key
and files fit is not made again.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from deepfactor.core.arrays import Bools
from deepfactor.core.spec import content_key
from deepfactor.core.words import Sentence
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.inputs import batch_of
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.pipeline.planning import Planned
from deepfactor.pipeline.sharing import Make
from deepfactor.portfolio.presets import Enhancement
from deepfactor.recipe import Recipe
from deepfactor.runs.done import Done, Outcome
from deepfactor.runs.layout import RunFolder
from deepfactor.styles.base import StyleSet
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.processes import Processes
from deepfactor.training.ensemble import ArmScores


@dataclass(frozen=True)
class Work:
    """What stages work on: a run's folder, its recipe (`recipe.test` as the market allows it), the market, the jobs.

    `edges`: write who was related to whom, too. `engine`: for what can be shared out. `made`: scores by arm that this
    call has made or read.
    """

    folder: RunFolder
    recipe: Recipe
    market: Market
    planned: Planned
    console: Console
    done: Done
    edges: bool = False
    engine: Engine = field(default_factory=Processes)
    made: dict[str, ArmScores] = field(default_factory=dict)

    @cached_property
    def sets(self) -> StyleSets:
        """Style sets of the market."""
        return StyleSets(self.market)

    @cached_property
    def eligible(self) -> Bools:
        """(T, N) who is scored."""
        return batch_of(self.recipe, self.market)

    @cached_property
    def ground(self) -> Ground:
        """What results are made of in this process."""
        return Ground(self.market, self.eligible, self.sets, self._read)

    @cached_property
    def predicted(self) -> slice:
        """Rows of the market from the day before the first scored one on."""
        first = min(job.fold.test.start for job in self.planned.jobs)
        return slice(max(first - 1, 0), len(self.market.panel.dates))

    def _read(self, of: ScoresOf) -> Scores:
        made = self.scores(of.arm)
        return made.ensemble if of.seed is None else made.seeds[of.seed]

    @property
    def scored(self) -> list[str]:
        """Arms and combinations that have scores."""
        return [name for name in self.recipe.scored if self.done.of(self.folder.scores(name)) is not None]

    def content(self, arm: str) -> Mapping[str, str]:
        """Hashes of the scores of an arm or combination: of the ensemble (``scores``), and by seed; none without."""
        record = self.done.of(self.folder.scores(arm))
        return {} if record is None else record.outcome.content

    def scores(self, arm: str) -> ArmScores:
        """The scores of an arm or combination that has them: as made, else as they lie in the run's folder."""
        if arm not in self.made:
            panel, (ensemble, *seeds) = self.market.panel, self.files(arm)
            own = {one.seed: one.read(panel) for one in seeds if one.seed is not None}
            self.made[arm] = ArmScores(ensemble.read(panel), own)
        return self.made[arm]

    def files(self, arm: str) -> list[ScoresOf]:
        """Where the scores of an arm or combination that has them lie: the ensemble's, then each seed's."""
        record = self.done.of(self.folder.scores(arm))
        assert record is not None, f"{arm} has no scores"
        seeds = [ScoresOf(self.folder, arm, int(seed)) for seed in record.outcome.content if seed.isdigit()]
        return [ScoresOf(self.folder, arm, dropped=record.outcome.dropped), *seeds]


@dataclass(frozen=True)
class Unit:
    """One result of a stage.

    Attributes
    ----------
    what : which one, for people: an arm, a portfolio
    place : its name in the records, a path below the run's folder: the file or folder that it is known by
    reads : all that may change it, as JSON can hold it; beside it the market and the stage's `NUMERICS` are in its key
    outputs : files and folders that it leaves
    work : makes them, here or where there is room
    loses : what else goes with the outputs where it fails
    """

    what: str
    place: Path
    reads: Mapping[str, object]
    outputs: Sequence[Path]
    work: Callable[[], Outcome] | Apart
    loses: Sequence[Path] = ()


@dataclass(frozen=True)
class Apart:
    """Work that knows nothing of the stage's other results, so that another process or machine can do it.

    Attributes
    ----------
    make : does it; top-level, or a partial of what can be sent, in a module that doesn't import torch
    take : what is left to do with what that gave, in this process
    sets, risks : style sets that it reads; constraints whose risk models it does, with the set that they are of
    rate : about how many seconds it takes a core by scored day and stock of the market, as measured
    """

    make: Make
    take: Callable[[Any], Outcome]
    sets: Sequence[StyleSet]
    rate: float
    risks: Sequence[tuple[StyleSet, Enhancement]] = ()


class Stage(Protocol):
    """A stage: a module of this room, told apart by its `NAME`."""

    NAME: str
    """As in ``failures.json``."""
    MANY: Sentence
    """Its results in words: "portfolios"."""
    GROUP: str
    """What of a run it belongs to: "scores", "tests", "portfolios"."""
    READS: Sequence[str]
    """Names of the stages that make what it reads."""
    NUMERICS: int
    """Raised when reviewed numbers or the form of its files change."""

    def units(self, work: Work) -> Iterable[Unit]:
        """Its results, each asked for when those before are made."""


def key_of(stage: Stage, unit: Unit, work: Work) -> str:
    """The key of a result."""
    market = work.market.panel.fingerprint
    return content_key({"stage": stage.NAME, "numerics": stage.NUMERICS, "market": market, **unit.reads})


def stages() -> list[Stage]:
    """All stages, behind what they read, those of a group together; else by name."""
    room = importlib.import_module(__package__)
    modules = [importlib.import_module(f"{room.__name__}.{one.name}") for one in pkgutil.iter_modules(room.__path__)]
    left = sorted((cast(Stage, one) for one in modules if hasattr(one, "NAME")), key=lambda stage: stage.NAME)
    ordered: list[Stage] = []
    while left:
        waiting = {stage.NAME for stage in left}
        ready = [stage for stage in left if not waiting.intersection(stage.READS)]
        if not ready:
            raise ValueError(f"stages that wait for each other: {', '.join(sorted(waiting))}")
        near = [stage for stage in ready if ordered and stage.GROUP == ordered[-1].GROUP]
        ordered.append((near or ready)[0])
        left.remove(ordered[-1])
    return ordered
