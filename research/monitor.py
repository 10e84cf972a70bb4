"""How often `monitor` cries without a cause, and how soon it sees one: years of a run as its test, the last as live.

::

    python -m research.monitor RUN MARKET [--year 2021]

`RUN` is a run whose scores reach from years before `--year` to its end; the days before it are the test, those of it
are live, one after the other. Then with the scores' sign flipped, and with a tenth of the names missing. What the arm
reads is watched on every 10th day: as it is, and with each feature in turn standing still from the day on. Last a model
that goes on without being trained again.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Floats
from deepfactor.desk.monitoring import drift_lights, drifted, lights, measured
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.monitoring import FEATURE_DAYS, characters, oldest
from deepfactor.recipe import Recipe
from deepfactor.runs.factors import read_factor
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.training.arms import Arm

#: Days between those whose inputs are watched.
EVERY = 10


def main() -> None:
    """Watch every arm of a run through a year."""
    parser = argparse.ArgumentParser(prog="python -m research.monitor", description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("market", type=Path)
    parser.add_argument("--year", type=int, default=2021)
    given = parser.parse_args()
    run, market = RunFolder.open(given.run), open_market(given.market)
    recipe = Recipe.model_validate(read_json(run.recipe))
    print("| arm | case | days | with an alarm | first alarm on day | by |\n|---|---|---|---|---|---|")
    for arm in recipe.arms:
        lines = (of_arm(recipe, run, market, arm.name, given.year), of_inputs(recipe, arm, market, given.year))
        for line in (*chain(*lines), of_age(recipe)):
            print("| " + " | ".join([arm.name, *line]) + " |", flush=True)


def of_arm(recipe: Recipe, run: RunFolder, market: Market, arm: str, year: int) -> Iterator[list[str]]:
    """A line a case."""
    scores = read_factor(run.scores(arm), market.panel)
    first, last = (int(scores.scored_days()[i]) for i in (0, -1))
    span = rows_between(market.panel.dates, f"{year}-01-01", f"{year}-12-31")
    rows = slice(first, min(last + 1, span.stop))
    values, live = scores.values[rows], np.arange(first, rows.stop) >= span.start
    horizon = recipe.test.horizons[0]
    # what is known on a day has matured by then: the returns of its last days are taken away below
    returns = forward_return(market.panel, "t1_close", horizon)[rows]
    eligible = market.universe.eligible(recipe.universe)[rows]
    amount = (market.panel["volume"] * market.panel["close"])[rows]
    leanings = characters(market, rows)
    rng = np.random.default_rng(0)
    gone = rng.random(values.shape[1]) < 0.1
    cases: dict[str, Floats] = {
        "as it is": values,
        "sign flipped": np.where(live[:, None], -values, values),
        "a tenth of the names missing": np.where(live[:, None] & gone, np.nan, values),
    }
    for case, changed in cases.items():
        series = measured(changed, eligible, returns, amount, leanings)
        seen: list[set[str]] = []
        for t in np.flatnonzero(live):
            known = {name: value.copy() for name, value in series.items()}
            known["rank_ic"][t - horizon :] = np.nan
            found = lights(known, ~live, live, int(t), horizon - 1)
            seen.append({one.measure for one in found if one.state == "alarm"})
        yield _line(case, seen)


def of_inputs(recipe: Recipe, arm: Arm, market: Market, year: int) -> Iterator[list[str]]:
    """What an arm reads, as it is and with each feature frozen: a line each."""
    read = arm.features or recipe.features
    span = rows_between(market.panel.dates, f"{year}-01-01", f"{year}-12-31")
    watched = range(span.start, span.stop, EVERY)
    first = max(span.start - FEATURE_DAYS - read.part.rows_back(read.settings), 0)
    panel, universe = market.panel.between(first, span.stop), market.universe.between(first, span.stop)
    features = read.part.compute(read.settings, panel, universe)
    eligible = market.universe.between(0, span.stop).eligible(recipe.universe)[first:]

    def alarms(t: int, frozen: str | None) -> set[str]:
        kept = slice(t + 1 - first - FEATURE_DAYS, t + 1 - first)
        values = features.values[kept]
        if frozen is not None:
            values = values.copy()
            values[-1, :, features.names.index(frozen)] = values[-2, :, features.names.index(frozen)]
        found = drift_lights(drifted(replace(features, values=values), eligible[kept]))
        return {one.measure for one in found if one.state == "alarm"}

    yield _line("inputs as they are, every 10th day", [alarms(t, None) for t in watched])
    seen = {name: [alarms(t, name) for t in watched[::5]] for name in features.names}
    named = [{name} if all(f"frozen {name}" in day for day in days) else set[str]() for name, days in seen.items()]
    missed = ", ".join(name for name, found in zip(seen, named, strict=True) if not found) or "none is missed"
    yield [f"a feature frozen, each of {len(named)}", str(len(watched[::5])), f"{sum(map(bool, named))} features",
           "1", missed]  # fmt: skip


def of_age(recipe: Recipe) -> list[str]:
    """From which trading day on a model that isn't trained again is too old."""
    most = oldest(recipe)
    return ["never trained again", "–", "–", f"{int(most) + 1} after the last price it saw", "age"]


def _line(case: str, seen: list[set[str]]) -> list[str]:
    first = next((day for day, alarms in enumerate(seen, start=1) if alarms), None)
    often = Counter(name for alarms in seen for name in alarms)
    by = ", ".join(f"{name} {count}" for name, count in often.most_common(4))
    return [case, str(len(seen)), f"{sum(map(bool, seen))}", "never" if first is None else str(first), by]


if __name__ == "__main__":
    main()
