"""From the jobs' score files to an arm's `Scores`: each seed's over all folds, and their ensemble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import AnyArray, Dates, Float64, Floats, Indices, Symbols
from deepfactor.core.errors import DataError
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.panel.scores import Scores
from deepfactor.training.jobs import Job, is_done
from deepfactor.training.predictions import read_scores


@dataclass(frozen=True)
class ArmScores:
    """An arm's factor over the union of the test spans.

    Attributes
    ----------
    ensemble : Scores
        each seed's scores z-scored per day (over the stocks it scores), averaged over the seeds, on the days that all
        seeds score; `dropped` counts the other days.
    seeds : mapping of seed to Scores
        as the networks gave them.
    """

    ensemble: Scores
    seeds: Mapping[int, Scores]


def collect(jobs: Iterable[Job], folder: Path, dates: Dates, symbols: Symbols) -> dict[str, ArmScores]:
    """The scores of each arm, aligned with a market's `dates` (T,) and `symbols` (N,).

    Raises
    ------
    DataError
        a job isn't done, has scores that the market has no place for, or the seeds of an arm score different stocks.
    """
    values: dict[str, dict[int, Float64]] = {}
    for job in jobs:
        seeds = values.setdefault(job.arm.name, {})
        into = seeds.setdefault(job.seed, np.full((len(dates), len(symbols)), np.nan))
        _fill(into, job, folder, dates, symbols)
    return {arm: _arm_scores(arm, seeds, dates, symbols) for arm, seeds in values.items()}


def average(seeds: Iterable[Floats]) -> Float64:
    """Mean over the seeds of the scores (T, N) z-scored per day; NaN where one of them has none."""
    standard = [zscore_rows(values, np.isfinite(values)) for values in seeds]
    mean: Float64 = np.mean(standard, axis=0)
    return mean


def _arm_scores(arm: str, seeds: Mapping[int, Float64], dates: Dates, symbols: Symbols) -> ArmScores:
    first, *others = seeds.values()
    scored = np.array([np.isfinite(values).any(axis=1) for values in seeds.values()])
    every, some = scored.all(axis=0), scored.any(axis=0)
    for seed, values in zip(list(seeds)[1:], others, strict=True):
        if not np.array_equal(np.isfinite(values[every]), np.isfinite(first[every])):
            raise DataError(f"arm {arm}: seed {seed} scores other stocks than seed {next(iter(seeds))}")
    dropped = {"days_not_scored_by_all_seeds": int((some & ~every).sum())} if (some & ~every).any() else {}
    ensemble = Scores(arm, dates, symbols, average(seeds.values()), dropped)
    return ArmScores(ensemble, {s: Scores(f"{arm} seed {s}", dates, symbols, v) for s, v in seeds.items()})


def _fill(into: Float64, job: Job, folder: Path, dates: Dates, symbols: Symbols) -> None:
    """Put a job's scores in their rows and columns."""
    if not is_done(folder, job):
        raise DataError(f"{job.label} is not done: run the training first", file=folder / job.key)
    axes, values = read_scores(folder / job.key)
    wanted = np.isin(axes["dates"], job.dates)  # another run may have scored days after ours
    rows, values = _places(dates, np.array(axes["dates"], "datetime64[D]")[wanted], job, "day"), values[wanted]
    columns = _places(symbols, np.array(axes["symbols"], symbols.dtype), job, "stock")
    into[np.ix_(rows, columns)] = values


def _places(axis: AnyArray, wanted: AnyArray, job: Job, name: str) -> Indices:
    """Index of each of `wanted` in the ascending `axis`."""
    place = np.searchsorted(axis, wanted)
    missing = axis[np.minimum(place, len(axis) - 1)] != wanted
    if missing.any():
        raise DataError(f"{job.label} scores a {name} that the market doesn't have: {wanted[missing][0]}")
    return place
