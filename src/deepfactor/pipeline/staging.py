"""The stages behind training, one after the other: what is done is left alone, what fails takes no other along."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import cast

from deepfactor.core.choices import choices
from deepfactor.core.errors import UserError
from deepfactor.core.words import Sentence
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.markets import StyleSets
from deepfactor.pipeline.sharing import Part, Shared, each
from deepfactor.pipeline.stages.base import Apart, Stage, Unit, Work, key_of, stages
from deepfactor.runs.done import Outcome, Record
from deepfactor.runs.environment import Stages
from deepfactor.runs.failures import Failure, read_failures
from deepfactor.runs.layout import RunFolder
from deepfactor.training.jobs import is_done

TRAINING, PAGE = "training", "page"
#: What ``environment.json`` calls a group.
_TIMED = {"tests": "factor tests"}
#: What of a page can be missing.
_OF_PAGES = ("page", "workbook")
_MADE_OF = "settings, scores or data"
_OUTDATED = Sentence(
    "{group} of {what} are of other settings, scores or data than the recipe's: run --only {stage} makes them again",
    "{what}的结果（{group}）所用的设置、得分或数据与配置不同：deepfactor run --only {stage} 可重新生成",
)


def groups() -> tuple[str, ...]:
    """What `run --only` knows: training, what stands behind it, the page."""
    return (TRAINING, *dict.fromkeys(stage.GROUP for stage in stages()), PAGE)


def chosen(only: Sequence[str]) -> tuple[str, ...]:
    """The groups of `only`, in order; all where it is empty.

    Raises
    ------
    UserError
        there is none of that name.
    """
    if unknown := [name for name in only if name not in groups()]:
        raise UserError(f"--only {unknown[0]!r}: {choices(unknown[0], groups())}")
    return tuple(name for name in groups() if name in only or not only)


def failures_of(folder: RunFolder, only: Sequence[str]) -> list[Failure]:
    """What failed of the stages asked for, and of the page."""
    asked = {stage.NAME for stage in stages() if stage.GROUP in chosen(only)}
    return [one for one in read_failures(folder) if one.stage in asked or one.stage in _OF_PAGES]


def failures_before(folder: RunFolder, wanted: Collection[str]) -> list[Failure]:
    """What failed in earlier calls of stages that this one leaves alone."""
    others = {stage.NAME for stage in stages() if stage.GROUP not in wanted}
    return [one for one in read_failures(folder) if one.stage in others] if others else []


def require_read(work: Work, wanted: Collection[str]) -> None:
    """Everything that the `wanted` groups read and don't make is there, as the recipe wants it.

    Raises
    ------
    UserError
        it isn't; says what to run.
    """
    if TRAINING not in wanted and not {PAGE}.issuperset(wanted):
        jobs = work.planned.jobs
        if left := sum(not is_done(work.folder.jobs, job) for job in jobs):
            raise _missing(TRAINING, f"{left} of {len(jobs)} jobs are not trained")
    failed = {(one.stage, one.what) for one in failures_before(work.folder, wanted)}
    read = {name for stage in stages() if stage.GROUP in wanted for name in stage.READS}
    for stage in stages():
        if stage.NAME not in read or stage.GROUP in wanted:
            continue
        for unit in stage.units(work):
            why = _lack(stage, unit, work)
            if why is not None and (stage.NAME, unit.what) not in failed:
                raise _missing(stage.GROUP, f"{stage.MANY} of {unit.what}: {why}")


def _missing(group: str, why: str) -> UserError:
    return UserError(f"{why}: repeat the command with --only {group}, or without --only")


def _lack(stage: Stage, unit: Unit, work: Work) -> str | None:
    """Why a result doesn't count as done; None where it does."""
    if _fitting(stage, unit, work) is None:
        return "not there" if work.done.of(unit.place) is None else f"of other {_MADE_OF}"
    return work.done.damage(unit.place)


def run_stages(work: Work, wanted: Collection[str], attempts: Attempts, times: Stages) -> Iterator[str]:
    """Make what the `wanted` groups lack; what is to be said of all results on the page."""
    for group, members in groupby(stages(), key=lambda stage: stage.GROUP):
        if group not in wanted:
            for stage in members:
                yield from _left(stage, work)
            continue
        with times.stage(_TIMED.get(group, group)):
            for stage in members:
                yield from _made(stage, work, attempts)


def _made(stage: Stage, work: Work, attempts: Attempts) -> list[str]:
    """Make the results of a stage that aren't done."""
    before, apart, warnings = 0, list[Unit](), dict[Path, tuple[str, ...]]()
    for unit in stage.units(work):
        known, warnings[unit.place] = _fitting(stage, unit, work), ()
        if known is not None and (damage := work.done.damage(unit.place)) is None:
            before += bool(known.files)
            warnings[unit.place] = known.outcome.warnings
            continue
        if known is not None:
            work.console.say(f"{damage}: made again")
        work.done.forget(unit.place)
        if isinstance(unit.work, Apart):
            apart.append(unit)
        else:
            warnings[unit.place] = _attempted(stage, unit, work, attempts, unit.work)
    with closing(_beside_each_other(stage, apart, work)) as made:
        for unit, outcome in made:
            warnings[unit.place] = _attempted(stage, unit, work, attempts, outcome)
    if before:
        work.console.say(f"{stage.MANY}: {before} as before")
    return [text for said in warnings.values() for text in said]


def _attempted(
    stage: Stage, unit: Unit, work: Work, attempts: Attempts, make: Callable[[], Outcome]
) -> tuple[str, ...]:
    """Make a result and note it, or that it failed; what is to be said of it."""
    outcome = Outcome()
    with attempts.attempt(stage.NAME, unit.what, *unit.outputs, *unit.loses):
        outcome = make()
        work.done.note(unit.place, key_of(stage, unit, work), unit.outputs, outcome)
    return outcome.warnings


def _beside_each_other(
    stage: Stage, units: Sequence[Unit], work: Work
) -> Generator[tuple[Unit, Callable[[], Outcome]], None, None]:
    """How to get each of `units`, in their order, made by the engine where that saves time."""
    if not units:
        return
    aparts = [cast(Apart, unit.work) for unit in units]
    rows, stocks = work.predicted, len(work.market.panel.symbols)
    parts = [
        Part(unit.what, apart.make, apart.rate * (rows.stop - rows.start) * stocks)
        for unit, apart in zip(units, aparts, strict=True)
    ]
    sets = list({StyleSets.key(one): one for apart in aparts for one in apart.sets}.values())
    shared = Shared(work.folder.path, rows, sets, [one for apart in aparts for one in apart.risks])
    with closing(each(work.ground, parts, shared, work.engine, work.console, stage.MANY)) as made:
        for unit, apart, get in zip(units, aparts, made, strict=True):
            yield unit, partial(_taken, apart, get)


def _taken(apart: Apart, get: Callable[[], object]) -> Outcome:
    return apart.take(get())


def _left(stage: Stage, work: Work) -> list[str]:
    """What is to be said of the results of a stage that this call leaves alone."""
    warnings: list[str] = []
    for unit in stage.units(work):
        if known := _fitting(stage, unit, work):
            warnings += known.outcome.warnings
        elif any(path.exists() for path in unit.outputs):
            warnings.append(_OUTDATED.format(group=stage.GROUP, what=unit.what, stage=stage.GROUP))
    return warnings


def _fitting(stage: Stage, unit: Unit, work: Work) -> Record | None:
    """The record of a result that was made of what would be read now."""
    record = work.done.of(unit.place)
    return record if record is not None and record.key == key_of(stage, unit, work) else None
