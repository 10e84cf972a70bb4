"""Plain readings of results that several sections share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.records import (
    DefinitionsRecord,
    Excess,
    ExcessYear,
    GroupRecord,
    GroupYear,
    StyleCorrelation,
)
from deepfactor.report.content.run import ArmContent, RunContent

HEADLINE_HORIZONS = (10, 20)
"""Trading days; Study B's tables."""

#: The style set whose residuals the first page shows, where it was tested.
BARRA = "barra_cne5"


def style_sets(arm: ArmContent) -> dict[str, Mapping[str, StyleCorrelation]]:
    """Correlations with styles by the set's name; the recipe's own set, where it stands alone, has the name ""."""
    given = arm.factor_report.get("style_correlations")
    alone = arm.factor_report.get("style_correlation")
    return dict(given) if given else ({"": alone} if alone else {})


def residual_set(content: RunContent) -> str | None:
    """The style set of the first page: Barra's where it was tested, else the first."""
    sets = list(dict.fromkeys(e["set"] for arm in content.arms for e in arm.factor_report.get("residual_ic") or ()))
    return BARRA if BARRA in sets else next(iter(sets), None)


def years_of(records: Iterable[Mapping[str, object]]) -> list[str]:
    """Calendar years that any record has, ascending."""
    years = (record.get("by_year") for record in records)
    return sorted({str(year) for by_year in years if isinstance(by_year, Mapping) for year in by_year})


def against(group: GroupRecord) -> list[tuple[str, Excess | None]]:
    """What a universe's top group is measured against, with its numbers (None = no portfolio): its benchmark, and the
    universe weighted by market value where that stands beside."""
    also: Mapping[str, Excess] = group.get("also") or {}
    return [(group["benchmark"], group["top"]), *also.items()]


def years_against(group: GroupRecord, benchmark: str) -> Mapping[str, GroupYear | ExcessYear]:
    """The years of the top group against a benchmark of `against`; "" is the group's own."""
    if benchmark in ("", group["benchmark"]):
        return group["by_year"]
    also = group.get("also") or {}
    return also[benchmark]["by_year"] if benchmark in also else {}


def comparable(benchmark: str) -> bool:
    """Does a study measure its excess against such a benchmark? Not against equal weight: an index has weights."""
    return benchmark != "equal_weight"


def weighted_years(group: GroupRecord) -> Mapping[str, GroupYear | ExcessYear]:
    """Years of the top group against the first benchmark with weights; empty where there is only equal weight."""
    if comparable(group["benchmark"]):
        return group["by_year"]
    return next((entry["by_year"] for entry in (group.get("also") or {}).values()), {})


def formed_like(definitions: DefinitionsRecord | None, study: str) -> bool:
    """Is an excess of these `definitions` formed as the study's printed one, so that the two may stand together?"""
    presets = {str(name): preset.record() for name, preset in PRESETS.items()}
    return definitions == presets.get(study)


def total(part: object) -> float | None:
    """A part that comes by name (styles, industries) as its sum."""
    if isinstance(part, Mapping):
        return float(sum(value for value in part.values() if value is not None))
    return float(part) if isinstance(part, int | float) else None


def lead_arm(content: RunContent) -> ArmContent | None:
    """The arm that the recipe puts first: its first combination, else its first arm, of those with a portfolio where
    there are any; nothing is chosen by results."""
    combined = [one["name"] for one in content.recipe.get("combinations") or ()]
    followed = {p.arm for p in content.portfolios}
    order = sorted(
        content.arms, key=lambda arm: (bool(followed) and arm.name not in followed, arm.name not in combined)
    )
    return next(iter(order), None)
