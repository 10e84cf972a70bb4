"""How far the seeds of one arm lie apart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from deepfactor.evaluation.records import ICRecord, SeedSpread


def seed_spread(records: Iterable[ICRecord]) -> list[SeedSpread] | None:
    """Entries of `seed_spread` from the `records` of a factor report: of the seeds' mean RankICs the mean, sample
    standard deviation, least and largest. None with fewer than two seeds; a seed without a mean is not counted."""
    means: dict[tuple[str, str, int, str, str], list[float]] = {}
    for record in records:
        if record["seed"] is not None:
            case = (record["universe"], record["convention"], record["horizon"], record["sampling"], record["names"])
            of_case = means.setdefault(case, [])
            if (mean := record["rank_ic"]["mean"]) is not None:
                of_case.append(mean)
    entries: list[SeedSpread] = [
        {
            "universe": universe,
            "convention": convention,
            "horizon": horizon,
            "sampling": sampling,
            "names": names,
            "mean": statistics.fmean(of_case),
            "std": statistics.stdev(of_case),
            "min": min(of_case),
            "max": max(of_case),
            "n_seeds": len(of_case),
        }
        for (universe, convention, horizon, sampling, names), of_case in means.items()
        if len(of_case) > 1
    ]
    return entries or None
