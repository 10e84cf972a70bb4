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
from deepfactor.evaluation.combination import standardised
from deepfactor.inputs.base import Held, Input
from deepfactor.inputs.base import rows_back as input_rows_back
from deepfactor.models.base import split_days
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.inputs import log_cap
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import row_of
from deepfactor.recipe import Combination, Recipe
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

#: Methods of combinations that a day's scores suffice for.
_BY_THE_DAY = ("equal", "top_weighted")
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
    chosen = [_named(recipe, name) for name in arms] or [*recipe.arms, *_by_the_day(recipe)]
    made: dict[str, tuple[Scores, DayRecord]] = {}
    found = []
    with folder_lock(run.path / "scores"):
        for one in chosen:
            with step(console, f"scored {one.name} on {market.panel.dates[row]}"):
                scores, record = _made(recipe, run, market, one, row, made)
                place = run.day_scores(one.name, record["date"])
                place.parent.mkdir(parents=True, exist_ok=True)
                remove_litter(place.parent)
                write_scores(place, scores)
                record["scores"] = file_hash(place)
                write_json(place.with_suffix(".json"), record)
                found.append((place, record))
    for one in () if arms else recipe.combinations:
        if one.method not in _BY_THE_DAY:
            console.say(f"{one.name} is left out: its weights ({one.method}) need more than the day's scores")
    return found


def _made(
    recipe: Recipe,
    run: RunFolder,
    market: Market,
    one: Arm | Combination,
    row: int,
    made: dict[str, tuple[Scores, DayRecord]],
) -> tuple[Scores, DayRecord]:
    """An arm's or a combination's scores of the day, whose arms are scored once; `made` holds what was."""
    if one.name not in made:
        if isinstance(one, Arm):
            made[one.name] = score_day(recipe, run, market, one, row)
        else:
            of = {arm.name: arm for arm in recipe.arms}
            made[one.name] = combined_day(run, one, [_made(recipe, run, market, of[k], row, made) for k in one.of])
    return made[one.name]


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


def _named(recipe: Recipe, name: str) -> Arm | Combination:
    scored: dict[str, Arm | Combination] = {arm.name: arm for arm in recipe.arms}
    scored |= {one.name: one for one in recipe.combinations}
    if name not in scored:
        raise UserError(f"--arm {name}: {choices(name, scored)}")
    found = scored[name]
    if isinstance(found, Combination) and found.method not in _BY_THE_DAY:
        raise UserError(
            f"--arm {name}: its weights are of RankICs up to the day ({found.method}), which one day's scores "
            "don't give: make it of the arms' factor files by `deepfactor combine`"
        )
    return found


def _by_the_day(recipe: Recipe) -> list[Combination]:
    """The combinations that a day's scores of their arms give."""
    return [one for one in recipe.combinations if one.method in _BY_THE_DAY]


def combined_day(
    run: RunFolder, one: Combination, parts: Sequence[tuple[Scores, DayRecord]]
) -> tuple[Scores, DayRecord]:
    """A combination of its arms' scores of one day, over the stocks that all of them score.

    Raises
    ------
    UserError
        the run doesn't know the weights of the day's year.
    """
    first, records = parts[0][0], [record for _, record in parts]
    common = np.logical_and.reduce([np.isfinite(scores.values) for scores, _ in parts])
    weights = _weights(run, one, records[0]["date"][:4])
    values = sum(
        (w * standardised(scores.values, common, one.standard) for w, (scores, _) in zip(weights, parts, strict=True)),
        np.zeros(common.shape),
    )
    newest = max(records, key=lambda record: record["trained_until"])
    return Scores(one.name, first.dates, first.symbols, np.where(common, values, np.nan)), {
        **newest,
        "arm": one.name,
        "seeds": [seed for record in records for seed in record["seeds"]],
        "jobs": [job for record in records for job in record["jobs"]],
        "stocks": int(common.sum()),
        "scores": "",
    }


def _weights(run: RunFolder, one: Combination, year: str) -> list[float]:
    """Of the arms of a combination in a year: all alike, or as the run left them."""
    if one.method == "equal":
        return [1 / len(one.of)] * len(one.of)
    with reading_results(run.path):
        by_year = read_json(run.arm(one.name) / "combination.json")["weights_by_year"]
    if year not in by_year:
        raise UserError(
            f"{one.name}: this run has weights of {', '.join(by_year) or 'no year'}, none of {year}: repeat "
            "deepfactor run on the market of today, which makes them of the year before"
        )
    return [float(by_year[year][name]) for name in one.of]


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
    beside = [input_rows_back(one) for one in kept]
    known = [rows for rows in beside if rows is not None]
    # what is made of companies' reports goes back as far as they do
    first = 0 if len(known) < len(beside) else max(begin - max([back, *known]), 0)
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
