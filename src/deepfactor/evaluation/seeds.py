"""How far the seeds of one arm lie apart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

#: What makes two records comparable.
_CASE = ("universe", "convention", "horizon", "sampling", "names")


def seed_spread(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Entries of `seed_spread` from the `records` of a factor report: of the seeds' mean RankICs the mean, sample
    standard deviation, least and largest. None with fewer than two seeds; a seed without a mean is not counted."""
    means: dict[tuple[Any, ...], list[float]] = {}
    for record in records:
        if record["seed"] is not None:
            found = means.setdefault(tuple(record[key] for key in _CASE), [])
            if record["rank_ic"]["mean"] is not None:
                found.append(record["rank_ic"]["mean"])
    entries = [
        dict(zip(_CASE, case, strict=True))
        | {
            "mean": statistics.fmean(found),
            "std": statistics.stdev(found),
            "min": min(found),
            "max": max(found),
            "n_seeds": len(found),
        }
        for case, found in means.items()
        if len(found) > 1
    ]
    return entries or None
