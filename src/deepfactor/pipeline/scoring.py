"""Scores of one more day by what a run has trained: nothing is trained, and of the market a window's past is read.

Of each arm the newest fold whose training had ended before the day scores it, as a backtest does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.core.choices import choices
from deepfactor.core.errors import DamagedFile, DataError, UserError
from deepfactor.core.files import file_hash, folder_lock, remove_litter, write_json
from deepfactor.core.trust import Trust
from deepfactor.inputs.base import Held, Input
from deepfactor.models.base import split_days
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.inputs import log_cap
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import row_of
from deepfactor.recipe import Recipe
from deepfactor.runs.factors import write_scores
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.runs.written import reading_results
from deepfactor.store.holdout import log_opening, read_holdout
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.ensemble import average
from deepfactor.training.finished import read_trained
from deepfactor.training.fit import settled_torch
from deepfactor.training.jobs import Job
from deepfactor.training.plan import Fold
from deepfactor.training.records import JobIdentity, TrainingFile
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import rows_back
from deepfactor.training.stored import StoredInputs
from deepfactor.training.work import scorer_of

#: Days of a locked holdout that are still live ones: the last, and a week in which nobody came to score.
LIVE = 5


class DayRecord(TypedDict):
    """What stands beside a day's scores, in ``DATE.json``.

    `trained_until` is the last day of a price that training or validation has seen, `age` the trading days since;
    `jobs` and `seeds` go together; `market` is the fingerprint of the market's tables, `scores` the hash of the file.
    """

    arm: str
    date: str
    fold: str
    trained_until: str
    age: int
    seeds: list[int]
    jobs: list[str]
    stocks: int
    market: str
    scores: str


@dataclass(frozen=True)
class Trained:
    """A finished fit of an arm: `valid` is its last validation day."""

    fold: str
    seed: int
    key: str
    valid: np.datetime64
    identity: JobIdentity


def score(
    run: RunFolder,
    market: Market,
    *,
    day: date | None = None,
    arms: Sequence[str] = (),
    console: Console | None = None,
    trust: Trust = Trust(),
    opening: str | None = None,
) -> list[tuple[Path, DayRecord]]:
    """Score a day, the market's last by default, by the run's arms; file and record of each.

    ``RUN/scores/ARM/DATE.parquet`` is a factor file of that day. Repeated, it leaves the same bytes. In a locked
    holdout the market's last `LIVE` days are scored as on any evening; earlier ones have outcomes by now, which
    `monitor` would show: `opening` says for what the holdout is opened, which is logged.

    Raises
    ------
    UserError
        a day that the market doesn't have or that is locked, an unknown arm, an arm without a fold that was trained by
        then.
    DamagedFile
        what was trained can't be read.
    """
    console = console or Silent()
    with reading_results(run.path):
        recipe = Recipe.model_validate(read_json(run.recipe), context=trust)
    row = row_of(market.panel, day)
    _require_live(market, row, opening)
    chosen = [_arm_named(recipe, name) for name in arms] or list(recipe.arms)
    found = []
    with folder_lock(run.path / "scores"):
        for arm in chosen:
            with step(console, f"scored {arm.name} on {market.panel.dates[row]}"):
                scores, record = score_day(recipe, run, market, arm, row)
                place = run.day_scores(arm.name, record["date"])
                place.parent.mkdir(parents=True, exist_ok=True)
                remove_litter(place.parent)
                write_scores(place, scores)
                record["scores"] = file_hash(place)
                write_json(place.with_suffix(".json"), record)
                found.append((place, record))
    return found


def _require_live(market: Market, row: int, opening: str | None) -> None:
    """Refuse a locked day that is no evening's any more, unless the holdout is opened for it."""
    day, held = market.panel.dates[row], read_holdout(market.folder.path)
    if held is None or day < np.datetime64(held.start, "D") or row >= len(market.panel.dates) - LIVE:
        return
    if opening is None:
        raise UserError(
            f"--day {day} lies in the market's locked holdout, from {held.start} on, and its outcome is known: the "
            f"last {LIVE} days are scored as live ones; --open-holdout opens the others, on record"
        )
    log_opening(market.folder.path, held.start, opening)


def require_whole(place: Path) -> None:
    """Refuse a day's scores that aren't those that `score` wrote.

    Raises
    ------
    DamagedFile
        they were changed since, or a command was killed between them and their record.
    """
    record = place.with_suffix(".json")
    known = read_json(record).get("scores") if record.is_file() else None
    if known != file_hash(place):
        raise DamagedFile("isn't what `deepfactor score` wrote: repeat that", file=place)


def _arm_named(recipe: Recipe, name: str) -> Arm:
    for arm in recipe.arms:
        if arm.name == name:
            return arm
    known = [arm.name for arm in recipe.arms]
    raise UserError(f"--arm {name}: {choices(name, known)}; combinations are made of arms' factor files by `combine`")


def score_day(recipe: Recipe, run: RunFolder, market: Market, arm: Arm, row: int) -> tuple[Scores, DayRecord]:
    """The ensemble of an arm's seeds on one day, over the stocks that are scored that day."""
    panel, label = market.panel, arm.label or recipe.label
    reach = label.part.reach(label.settings)
    jobs = _newest(_trained(run, arm), market, row, reach)
    start = int(np.searchsorted(panel.dates, jobs[0].valid)) + reach + 1  # the fold's first test day
    streams = arm.network is not None and recipe.fit.samples == "sequences"
    begin = start if streams else row
    data = _past(recipe, market, arm, begin, row)
    here = range(len(data.dates) - 1 - (row - begin), len(data.dates))
    seeds = []
    with settled_torch():
        sampler = Sampler(data)
        for one in jobs:
            fold = Fold(one.fold, range(1), range(0), here)
            job = Job(arm, fold, one.seed, recipe.fit, 1, 1, one.identity)
            stocks, values = scorer_of(job, sampler, run.jobs / one.key).scores(here[-1])
            seed = np.full((1, len(data.symbols)), np.nan)
            seed[0, stocks] = values
            seeds.append(seed)
    mean = average(seeds)
    return Scores(arm.name, panel.dates[row : row + 1], panel.symbols, mean), {
        "arm": arm.name,
        "date": str(panel.dates[row]),
        "fold": jobs[0].fold,
        "trained_until": str(panel.dates[start - 1]),
        "age": row - start + 1,
        "seeds": [one.seed for one in jobs],
        "jobs": [one.key for one in jobs],
        "stocks": int(np.isfinite(mean).sum()),
        "market": market.folder.fingerprint,
        "scores": "",  # known once they are written
    }


def _trained(run: RunFolder, arm: Arm) -> list[Trained]:
    """The arm's fits.

    Raises
    ------
    UserError
        the run has none, or they are gone.
    """
    file, found = run.arm(arm.name) / "training.json", []
    if not file.is_file():
        raise UserError(f"{run.path}: arm {arm.name} isn't trained: repeat deepfactor run")
    with reading_results(run.path):
        content: TrainingFile = read_json(file)
    for one in content["jobs"]:
        folder = run.jobs / one.get("key", "")
        if "key" not in one or read_trained(folder) is None:
            raise UserError(f"{folder}: what {arm.name} of {one['fold']} was trained to isn't there, or damaged: "
                            "repeat deepfactor run, which trains what is missing")  # fmt: skip
        identity: JobIdentity = read_json(folder / "job.json")
        valid = np.datetime64(identity["fold"]["valid"][1], "D")
        found.append(Trained(one["fold"], one["seed"], one["key"], valid, identity))
    return found


def _newest(trained: Sequence[Trained], market: Market, row: int, reach: int) -> list[Trained]:
    """The fits of the newest fold that had seen no label which ends on the day or later.

    Raises
    ------
    DataError
        a fold was trained on days that the market doesn't have.
    UserError
        there is none.
    """
    dates = market.panel.dates
    rows = {}
    for one in trained:
        at = int(np.searchsorted(dates, one.valid))
        if at == len(dates) or dates[at] != one.valid:
            if one.valid > dates[-1]:
                continue
            raise DataError(f"fold {one.fold} was validated until {one.valid}, no trading day of this market: give "
                            "the market that the run was trained on", file=market.folder.path)  # fmt: skip
        if at + reach < row:
            rows[one.fold] = at
    if not rows:
        raise UserError(f"{dates[row]}: no fold of this run had ended its training by then; the first one ends with "
                        f"{min(one.valid for one in trained)} and labels of {reach} days more")  # fmt: skip
    newest = max(rows, key=lambda fold: rows[fold])
    return [one for one in trained if one.fold == newest]


def _past(recipe: Recipe, market: Market, arm: Arm, begin: int, row: int) -> TrainingData:
    """What scoring the rows `begin` … `row` reads, and no day more; no labels."""
    panel, universe, read = market.panel, market.universe, arm.features or recipe.features
    label = arm.label or recipe.label
    kept = [one for one in recipe.inputs_of(arm) if one.part.KEPT]
    split = 1 if arm.model is None else split_days(arm.model)
    back = read.settings.window + split + rows_back(arm.scaling) + read.part.rows_back(read.settings)
    first = 0 if kept else max(begin - back, 0)  # what is made of companies' reports goes back as far as they do
    eligible = universe.between(0, row + 1).eligible(recipe.universe)
    panel, universe = panel.between(first, row + 1), universe.between(first, row + 1)
    features = read.part.compute(read.settings, panel, universe)
    shape = panel.shape
    data = TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=features,
        label=np.full(shape, np.nan),
        eligible=eligible[first:],
        size=log_cap(replace(market, panel=panel), label.settings.cap),
        entry_ok=np.zeros(shape, np.bool_),
        window=read.settings.window,
    )
    return replace(data, inputs=_prepared(kept, replace(market, panel=panel, universe=universe), data))


def _prepared(kept: Sequence[Input], market: Market, data: TrainingData) -> StoredInputs:
    held: dict[str, Held] = {}
    for one in kept:
        part = one.part
        assert part.KEPT, "only what is kept is prepared"
        held[one.kind] = part.prepare(one.settings, market.panel, market.universe, data.eligible)
    return StoredInputs(held, {})
