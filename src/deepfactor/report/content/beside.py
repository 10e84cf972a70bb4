"""Numbers of a run beside a study's, read out of the results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import Any

from deepfactor.evaluation.records import GroupRecord, ICRecord, ResidualRecord, SeedSpread
from deepfactor.report.content.published import Reference, reference, studies
from deepfactor.report.content.reading import (
    BARRA,
    HEADLINE_HORIZONS,
    formed_like,
    residual_set,
    style_sets,
    total,
    weighted_years,
)
from deepfactor.report.content.run import ArmContent, PortfolioContent, RunContent

#: Trading days a year, to turn an attribution over the span into one a year.
_YEAR = 252
#: Trading days from which on a year counts as whole.
_FULL = 200
#: Styles that are named as those that a score leans on.
_STRONGEST = 3


def compared(content: RunContent) -> Iterator[tuple[ArmContent, Reference]]:
    """Arms whose numbers a study prints."""
    for arm in content.arms:
        if (ref := reference(arm.published)) is not None:
            yield arm, ref


def study_of(content: RunContent) -> Mapping[str, Any]:
    """The study of the first such arm; a run compares with one."""
    _, ref = next(compared(content))
    study: Mapping[str, Any] = studies()[ref.study]
    return study


def spans_of(content: RunContent) -> list[tuple[str, str]]:
    """Test spans of the compared arms, each once."""
    spans = (arm.factor_report.get("span") for arm, _ in compared(content))
    return list(dict.fromkeys((str(span[0]), str(span[-1])) for span in spans if span))


def headline_record(content: RunContent, arm: ArmContent, universe: str | None = None) -> ICRecord | None:
    """RankIC at the headline's first horizon under the main clock, over the first page's universe or another."""
    return arm.record(universe or content.lead, HEADLINE_HORIZONS[0], content.main)


def gap(record: ICRecord, published: float) -> float | None:
    """Ours less the study's."""
    mean = record["rank_ic"]["mean"]
    return None if mean is None else mean - published


def standard_error(record: ICRecord) -> float | None:
    """Of the mean RankIC, by the Newey–West t that stands beside it."""
    mean, t = record["rank_ic"]["mean"], record["rank_ic"].get("t_newey_west")
    return abs(mean / t) if mean is not None and t else None


def years_error(content: RunContent, arm: ArmContent, record: ICRecord) -> float | None:
    """Standard error of ours less the study's, if only the days that one of the two spans lacks made a difference.

    Were both means of the same daily series, over t days (ours) and T (theirs) with o in common, the variance of their
    difference would be that of our mean × (1 + t/T − 2o/T): days that both have cancel.
    """
    error, span = standard_error(record), arm.factor_report.get("span")
    if error is None or not span:
        return None
    ours, theirs = _interval(span), _interval(study_of(content)["span"])
    t, whole = (last - first + 1 for first, last in (ours, theirs))
    common = max(0, min(ours[1], theirs[1]) - max(ours[0], theirs[0]) + 1)
    return error * math.sqrt(max(0.0, 1.0 + t / whole - 2.0 * common / whole))


def _interval(span: Sequence[Any]) -> tuple[int, int]:
    """Calendar days of a span; a month stands for its first and 28th day."""
    first, last = (
        date.fromisoformat(text if len(text) == 10 else text + day)
        for text, day in ((str(span[0]), "-01"), (str(span[-1]), "-28"))
    )
    return first.toordinal(), last.toordinal()


def year_range(record: ICRecord) -> tuple[float | None, float | None]:
    """Lowest and highest mean RankIC of a year."""
    means = [entry["rank_ic"]["mean"] for entry in record.get("by_year", {}).values()]
    known = [mean for mean in means if mean is not None]
    return (min(known), max(known)) if known else (None, None)


def seeds_of(arm: ArmContent, record: ICRecord) -> SeedSpread | None:
    """The seeds' spread behind a record: ``std``, ``n_seeds`` and so on; None with fewer than two seeds."""

    def case(of: ICRecord | SeedSpread) -> tuple[str, str, int, str, str]:
        return of["universe"], of["convention"], of["horizon"], of["sampling"], of["names"]

    spreads = arm.factor_report.get("seed_spread") or ()
    return next((one for one in spreads if case(one) == case(record)), None)


def share_of_all(content: RunContent, arm: ArmContent, ref: Reference, universe: str) -> tuple[float, float] | None:
    """RankIC in a universe ÷ that over all stocks: ours, the study's; None where one of the four numbers is missing."""
    means = []
    for where in (universe, content.lead):
        record = headline_record(content, arm, where)
        means.append(None if record is None else record["rank_ic"]["mean"])
        means.append(ref.rank_ic("mean", where, HEADLINE_HORIZONS[0], content.main))
    ours, theirs, all_ours, all_theirs = means
    if ours is None or not theirs or not all_ours or not all_theirs:
        return None
    return ours / all_ours, theirs / all_theirs


@dataclass(frozen=True)
class SameYears:
    """Mean yearly excess of the top group over the full years that both have, and the study's over all of its own."""

    years: tuple[str, ...]
    ours: float
    theirs: float
    theirs_all: float


def same_years(arm: ArmContent, ref: Reference, universe: str) -> SameYears | None:
    """The only comparison with a study from which years are taken out; None where it prints no years, or where ours are
    formed otherwise or stand against equal weight alone."""
    span, group = studies()[ref.study]["span"], arm.group(universe)
    if group is None or not formed_like(group.get("definitions"), ref.study):
        return None
    printed = {
        str(year): value
        for year in range(int(span[0][:4]), int(span[-1][:4]) + 1)
        if (value := ref.top_group_year("excess", universe, str(year))) is not None
    }
    given = weighted_years(group)
    ours = {
        year: excess
        for year, entry in given.items()
        if year in printed and (excess := entry["excess"]) is not None and _days(group, year) >= _FULL
    }
    if not ours:
        return None
    theirs = fmean(printed[year] for year in ours)
    return SameYears(tuple(sorted(ours)), fmean(ours.values()), theirs, fmean(printed.values()))


def _days(group: GroupRecord, year: str) -> int:
    """Trading days of a year; one that an earlier version doesn't count is taken for whole."""
    return group["by_year"][year].get("days", _YEAR) if year in group["by_year"] else _YEAR


def residual(content: RunContent, arm: ArmContent, name: str | None) -> ResidualRecord | None:
    """The entry of what a style set leaves of the RankIC, first page's universe and headline horizon."""
    wanted = (name, content.lead, content.main, HEADLINE_HORIZONS[0])
    residuals = arm.factor_report.get("residual_ic") or ()
    return next((e for e in residuals if (e["set"], e["universe"], e["convention"], e["horizon"]) == wanted), None)


def strongest_styles(content: RunContent, arm: ArmContent) -> tuple[str, list[tuple[str, float]]]:
    """A style set, Barra's where it was tested, and its styles that a score is correlated with most, with the mean."""
    sets = style_sets(arm)
    first = next(iter(sets), "")
    chosen = next((name for name in (BARRA, residual_set(content) or "") if sets.get(name)), first)
    given = sets.get(chosen, {})
    known = [(style, mean) for style, entry in given.items() if (mean := entry["mean"]) is not None]
    known.sort(key=lambda item: -abs(item[1]))
    return chosen, known[:_STRONGEST]


def part_a_year(p: PortfolioContent, key: str) -> float | None:
    """A part of the attribution, logs a year."""
    days, value = p.whole.get("days"), total(p.parts.get(key))
    return None if value is None or not days else value * _YEAR / days


def relaxed_share(p: PortfolioContent, key: str = "relaxed_rebalances") -> float | None:
    """Share of the rebalances at which some bound was not kept, or that are counted under another `key`."""
    count, those = p.whole.get("rebalances"), p.whole.get(key)
    return those / count if count and isinstance(those, int) else None
