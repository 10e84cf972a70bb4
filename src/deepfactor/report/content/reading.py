"""Plain readings of results that several sections share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.report.content.run import ArmContent, Record, RunContent

HEADLINE_HORIZONS = (10, 20)
"""Trading days; Study B's tables."""

#: The style set whose residuals the first page shows, where it was tested.
BARRA = "barra_cne5"


def style_sets(arm: ArmContent) -> dict[str, Mapping[str, Any]]:
    """Correlations with styles by the set's name; the recipe's own set, where it stands alone, has the name ""."""
    given = arm.factor_report.get("style_correlations")
    alone = arm.factor_report.get("style_correlation")
    return dict(given) if given else ({"": alone} if alone else {})


def residual_set(content: RunContent) -> str | None:
    """The style set of the first page: Barra's where it was tested, else the first."""
    sets = list(dict.fromkeys(e["set"] for arm in content.arms for e in arm.factor_report.get("residual_ic") or ()))
    return BARRA if BARRA in sets else next(iter(sets), None)


def years_of(records: Iterable[Record]) -> list[str]:
    """Calendar years that any record has, ascending."""
    return sorted({str(year) for record in records for year in record.get("by_year", {})})


def against(group: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """What a universe's top group is measured against, with its numbers (None = no portfolio): its benchmark, and the
    universe weighted by market value where that stands beside."""
    return [(group["benchmark"], group["top"]), *(group.get("also") or {}).items()]


def comparable(benchmark: str) -> bool:
    """Does a study measure its excess against such a benchmark? Not against equal weight: an index has weights."""
    return benchmark != "equal_weight"


def weighted_years(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Years of the top group against the first benchmark with weights; empty where there is only equal weight."""
    if comparable(group["benchmark"]):
        return dict(group["by_year"])
    also = (entry["by_year"] for entry in (group.get("also") or {}).values())
    return dict(next(also, {}))


def formed_like(record: Mapping[str, Any], study: str) -> bool:
    """Is the excess of `record` formed as the study's printed one, so that the two may stand beside each other?"""
    presets: Mapping[str, Any] = {name: preset.model_dump() for name, preset in PRESETS.items()}
    return bool(record.get("definitions") == presets.get(study))


def total(part: Any) -> float | None:
    """A part that comes by name (styles, industries) as its sum."""
    if not isinstance(part, Mapping):
        return None if part is None else float(part)
    return float(sum(value for value in part.values() if value is not None))
