"""Whether what a run scores live is what was tested: the scores that `score` left against those of the run's test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.core.errors import UserError
from deepfactor.core.files import remove_litter, write_json
from deepfactor.core.trust import Trust
from deepfactor.desk.monitoring import Light, drift_lights, drifted, lights, measured
from deepfactor.features import hand_features
from deepfactor.panel.returns import forward_return
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.inputs import log_cap
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.scoring import DayRecord
from deepfactor.recipe import Recipe
from deepfactor.runs.factors import read_factor
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.runs.written import reading_results
from deepfactor.training.arms import Arm

#: Days of the features that the last one is held against.
FEATURE_DAYS = 60
_CHARACTERS = ("ret_20", "vol_20", "turnover_20")
#: Trading days of a year, and how much older than the test's a model may be.
_YEAR, _LEEWAY = 250, 1.1


class NothingLive(UserError):
    """No day after a run's test is scored: there is nothing to watch yet."""


class LightRecord(TypedDict):
    """A measure of ``DATE.json``; null = not known, or no bound. `state` is ``ok``, ``alarm`` or ``too_few``."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    state: str


class MonitorRecord(TypedDict):
    """``RUN/monitor/ARM/DATE.json``: every measure with its band, and the names of those outside. `horizon` in days."""

    arm: str
    date: str
    tested: list[str]
    live_days: int
    horizon: int
    alarms: list[str]
    lights: list[LightRecord]
    market: str


def monitor(
    run: RunFolder,
    market: Market,
    arm: str | None = None,
    day: date | None = None,
    console: Console | None = None,
    trust: Trust = Trust(),
) -> tuple[Path, MonitorRecord]:
    """Hold an arm's live scores up to `day` (the last one scored by default) against the run's own test.

    Raises
    ------
    UserError
        no such arm, several and none named, no test scores, or no day after them that `score` has scored.
    """
    console = console or Silent()
    with reading_results(run.path):
        recipe = Recipe.model_validate(read_json(run.recipe), context=trust)
    own = _arm(recipe, arm)
    with step(console, f"watched {own.name}"):
        tested = read_factor(run.scores(own.name), market.panel)
        live = _live(run, own.name, market, tested, day)
        rows = slice(int(tested.scored_days()[0]), int(live.scored_days()[-1]) + 1)
        found = [*_of_scores(recipe, market, tested, live, rows), *_of_inputs(recipe, own, market, rows.stop)]
        found.append(_age(recipe, run, own.name, str(live.dates[rows.stop - 1])))
    record: MonitorRecord = {
        "arm": own.name,
        "date": str(live.dates[rows.stop - 1]),
        "tested": [str(tested.dates[t]) for t in (tested.scored_days()[0], tested.scored_days()[-1])],
        "live_days": len(live.scored_days()),
        "horizon": _horizon(recipe),
        "alarms": [one.measure for one in found if one.state == "alarm"],
        "lights": [_light(one) for one in found],
        "market": market.folder.fingerprint,
    }
    place = run.path / "monitor" / own.name / f"{record['date']}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_litter(place.parent)
    write_json(place, record)
    return place, record


def _light(one: Light) -> LightRecord:
    return {"measure": one.measure, "value": one.value, "low": one.low, "high": one.high, "state": one.state}


def _arm(recipe: Recipe, name: str | None) -> Arm:
    known = {arm.name: arm for arm in recipe.arms}
    if name is None and len(known) > 1:
        raise UserError(f"the run has the arms {', '.join(known)}: choose one with --arm")
    if name is not None and name not in known:
        raise UserError(f"the run has no arm {name!r}: it has {', '.join(known)}")
    return known[name or next(iter(known))]


def _live(run: RunFolder, arm: str, market: Market, tested: Scores, day: date | None) -> Scores:
    """The days after the tested ones that `score` has left, up to `day`."""
    last = str(tested.dates[tested.scored_days()[-1]])
    files = sorted((run.path / "scores" / arm).glob("????-??-??.parquet"))
    after = [file for file in files if file.stem > last and (day is None or file.stem <= str(day))]
    if not after:
        raise NothingLive(
            f"{run.path}: no day of {arm} after the test's last, {last}, is scored: deepfactor score first"
        )
    return replace(tested, values=_values(after, market))


def day_scores(run: RunFolder, arm: str, market: Market) -> Float64:
    """(T, N) what `score` has left of an arm; NaN elsewhere."""
    return _values(sorted((run.path / "scores" / arm).glob("????-??-??.parquet")), market)


def _values(files: Sequence[Path], market: Market) -> Float64:
    values = np.full(market.panel.shape, np.nan)
    for file in files:
        day = read_factor(file, market.panel).values  # refuses what has no place in this market
        rows = np.isfinite(day).any(axis=1)
        values[rows] = day[rows]
    return values


def _horizon(recipe: Recipe) -> int:
    """Of the first return that the recipe tests."""
    return recipe.test.horizons[0]


def _of_scores(recipe: Recipe, market: Market, tested: Scores, live: Scores, rows: slice) -> Iterator[Light]:
    """Measures of the scores themselves, on the last of `rows`."""
    both = np.where(np.isfinite(live.values[rows]), live.values[rows], tested.values[rows])
    panel = market.panel.between(0, rows.stop)
    eligible = market.universe.between(0, rows.stop).eligible(recipe.universe)[rows]
    horizon = _horizon(recipe)
    returns = forward_return(panel, "t1_close", horizon)[rows]
    amount = panel["volume"][rows] * panel["close"][rows]
    series = measured(both, eligible, returns, amount, characters(market, rows))
    on: Bools = np.asarray(np.isfinite(live.values[rows]).any(axis=1))
    known: Bools = np.asarray(np.isfinite(tested.values[rows]).any(axis=1))
    yield from lights(series, known & ~on, on, len(both) - 1, horizon - 1)


def characters(market: Market, rows: slice) -> dict[str, Floats]:
    """What a score may lean on: size, and what prices did over a month."""
    first = max(rows.start - hand_features.rows_back(hand_features.Settings()), 0)
    panel, universe = market.panel.between(first, rows.stop), market.universe.between(first, rows.stop)
    size: Float64 = log_cap(replace(market, panel=panel), "float")[rows.start - first :]
    if "turnover" not in panel.fields:
        return {"size": size}
    made = hand_features.chosen(panel, universe, _CHARACTERS)
    return {"size": size, **{name: values[rows.start - first :].astype(np.float32) for name, values in made}}


def _of_inputs(recipe: Recipe, arm: Arm, market: Market, stop: int) -> Iterator[Light]:
    """Measures of what the arm reads, on the last day."""
    read = arm.features or recipe.features
    first = max(stop - FEATURE_DAYS - read.part.rows_back(read.settings), 0)
    panel, universe = market.panel.between(first, stop), market.universe.between(first, stop)
    features = read.part.compute(read.settings, panel, universe)
    kept = slice(max(len(panel.dates) - FEATURE_DAYS, 0), None)
    eligible: Bools = market.universe.between(0, stop).eligible(recipe.universe)[first:][kept]
    yield from drift_lights(drifted(replace(features, values=features.values[kept]), eligible))


def _age(recipe: Recipe, run: RunFolder, arm: str, day: str) -> Light:
    """Trading days since the model that scored the day had seen its last price, against those that the test had."""
    with reading_results(run.path):
        record: DayRecord = read_json(run.path / "scores" / arm / f"{day}.json")
    most = oldest(recipe)
    return Light("age", float(record["age"]), None, most, "ok" if record["age"] <= most else "alarm")


def oldest(recipe: Recipe) -> float:
    """Trading days that a model may be old: what the test's had, and a tenth more."""
    return _LEEWAY * _YEAR * recipe.plan.test_years
