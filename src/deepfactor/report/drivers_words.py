"""What drives the differences, in sentences: a number of the run, the study's, and what the two allow to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from deepfactor.report.content import ArmContent, PortfolioContent, Record, RunContent
from deepfactor.report.drivers_read import (
    compared,
    gap,
    headline_record,
    part_a_year,
    relaxed_share,
    residual,
    same_years,
    seeds_of,
    share_of_all,
    spans_of,
    standard_error,
    strongest_styles,
    study_name,
    study_of,
    year_range,
    years_error,
)
from deepfactor.report.factor_tables import HEADLINE_HORIZONS
from deepfactor.report.formats import number
from deepfactor.report.paired_tables import residual_set
from deepfactor.report.published import Reference
from deepfactor.report.weights_words import weights_said
from deepfactor.report.words import Text, joined, together, words

_HORIZON = HEADLINE_HORIZONS[0]


def sentences(content: RunContent) -> list[Text]:
    """From the protocol to the portfolios; what a run doesn't have is not spoken of."""
    found = [_protocol(content)]
    for arm, ref in compared(content):
        found += [_gap(content, arm, ref), _same_years(content, arm, ref)]
        found += [_size(content, arm, ref), _styles(content, arm)]
    found += [_benchmark(content), *_portfolios(content)]
    return [said for said in found if said is not None]


def _protocol(content: RunContent) -> Text | None:
    plan, fit, study = content.recipe.get("plan"), content.recipe.get("fit"), study_of(content)
    spans = spans_of(content)
    if not plan or not fit or not spans:
        return None
    form = words().text["span_form"]
    return words().text["drivers_said_protocol"].filled(
        ours=joined(" · ", [form.filled(first=a, last=b) for a, b in spans]),
        study=study_name(content),
        theirs=form.filled(first=study["span"][0], last=study["span"][1]),
        every=plan["every"],
        epochs=fit["epochs"],
        seeds=len(fit["seeds"]),
    )  # fmt: skip


def _gap(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """How far our RankIC is from the study's, and whether the choice of years could make it."""
    record, text = headline_record(content, arm), words().text
    published = ref.rank_ic("mean", content.lead, _HORIZON, content.main)
    error = None if record is None else standard_error(record)
    difference = None if record is None or published is None else gap(record, published)
    if record is None or published is None or difference is None or error is None:
        return None
    ours, (low, high) = record["rank_ic"]["mean"], year_range(record)
    parts: list[Text | None] = [
        text["drivers_said_gap"].filled(
            arm=arm.name,
            ours=number(ours, "ic"),
            published=number(published, "ic"),
            gap=number(difference, "signed_ic"),
            error=number(error, "ic"),
            low=number(low, "ic"),
            high=number(high, "ic"),
        ),
    ]
    parts.append(_verdict(content, arm, record, published))
    seeds = seeds_of(arm, record)
    if seeds:
        said = text["drivers_said_seeds"].filled(std=number(seeds["std"], "ic"), n=seeds["n_seeds"])
        parts.append(said)
    else:
        parts.append(text["drivers_said_one_seed"])
    return together(part for part in parts if part is not None)


def _verdict(content: RunContent, arm: ArmContent, record: Record, published: float) -> Text | None:
    """Whether the years that only one of the two spans has could make the difference."""
    difference, error = gap(record, published), years_error(content, arm, record)
    if difference is None or error is None:
        return None
    form = words().text["drivers_said_within" if abs(difference) < 2 * error else "drivers_said_beyond"]
    return form.filled(gap=number(difference, "signed_ic"), error=number(error, "ic"))


def _same_years(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """The universe whose top group is farthest from the study's in the years that both have."""
    given = ((universe, same_years(arm, ref, universe)) for universe in content.universes())
    found = {universe: one for universe, one in given if one is not None}
    if not found:
        return None
    universe, one = max(found.items(), key=lambda item: abs(item[1].ours - item[1].theirs))
    return words().text["drivers_said_same_years"].filled(
        arm=arm.name,
        n=len(one.years),
        universe=words().universe(universe),
        ours=number(one.ours, "signed_percent"),
        theirs=number(one.theirs, "signed_percent"),
        whole=number(one.theirs_all, "signed_percent"),
    )  # fmt: skip


def _size(content: RunContent, arm: ArmContent, ref: Reference) -> Text | None:
    """The index universe whose share of the RankIC over all stocks is farthest from the study's."""
    found = [
        (abs(both[0] - both[1]), universe, both)
        for universe in content.universes()
        if universe != content.lead and (both := share_of_all(content, arm, ref, universe)) is not None
    ]
    if not found:
        return None
    _, universe, (ours, theirs) = max(found)
    said = words().text["drivers_said_size"].filled(
        arm=arm.name, universe=words().universe(universe), ours=_whole(ours), theirs=_whole(theirs)
    )  # fmt: skip
    record, published = headline_record(content, arm, universe), ref.rank_ic("mean", universe, _HORIZON, content.main)
    verdict = None if record is None or published is None else _verdict(content, arm, record, published)
    return together(one for one in (said, verdict) if one is not None)


def _styles(content: RunContent, arm: ArmContent) -> Text | None:
    name = residual_set(content)
    entry = residual(content, arm, name)
    # A run of before regressed fewer names than its RankIC is over: nothing is said of it.
    if entry is None or "raw_rank_ic" not in entry or entry["rank_ic"]["mean"] is None:
        return None
    return words().text["drivers_said_styles"].filled(
        arm=arm.name,
        raw=number(entry["raw_rank_ic"]["mean"], "ic"),
        left=number(entry["rank_ic"]["mean"], "ic"),
        set=words().term(name),
        styles=strongest_styles(content, arm),
    )  # fmt: skip


def _benchmark(content: RunContent) -> Text | None:
    """The top group over all stocks has another benchmark where the market lacks the study's index."""
    index = (study_of(content).get("protocol") or {}).get("index_of_all")
    groups = [group for arm, _ in compared(content) if (group := arm.group("all")) is not None]
    if index is None or not any(group["benchmark"] == "equal_weight" for group in groups):
        return None
    return words().text["drivers_said_benchmark"].filled(index=words().universe(index))


def _portfolios(content: RunContent) -> list[Text]:
    """Of the compared arms' portfolios: the replica, styles and selection, bounds that gave way, how index weights were
    made."""
    names = {arm.name for arm, _ in compared(content)}
    mine, text, found = [p for p in content.portfolios if p.arm in names], words().text, []

    def ranged(style: str, reading: Callable[[PortfolioContent], float | None]) -> Text | None:
        return _range([value for p in mine if (value := reading(p)) is not None], style)

    strays, made = ranged("percent", _replica_error), ranged("signed_percent", _replica_excess)
    if strays and made:
        found.append(text["drivers_said_replica"].filled(x=made, y=strays))
    styles, selection = (ranged("signed_percent", partial(part_a_year, key=key)) for key in ("styles", "selection"))
    if styles and selection:
        found.append(text["drivers_said_parts"].filled(x=styles, y=selection))
    relaxed = ranged("share", relaxed_share)
    infeasible = ranged("share", partial(relaxed_share, key="infeasible_rebalances"))
    if relaxed and infeasible:
        found.append(text["drivers_said_relaxed"].filled(x=relaxed, y=infeasible))
    how = dict.fromkeys(said for p in mine if (said := weights_said(p.summary)) is not None)
    if any(p.summary.get("replica_weights") not in (None, "published") for p in mine):
        found.append(text["drivers_said_weights"].filled(how=joined(" | ", how)))
    return found


def _range(values: Sequence[float], style: str) -> Text | None:
    """From the least to the largest; one number where they are the same."""
    if not values:
        return None
    low, high = (number(end, style) for end in (min(values), max(values)))
    return Text(low) if low == high else words().text["range_form"].filled(low=low, high=high)


def _replica_excess(p: PortfolioContent) -> float | None:
    """What the replica made against the price index: the excess over the one less that over the other."""
    whole = p.summary["all"]
    known = whole.get("excess") is not None and whole.get("excess_replica") is not None
    return whole["excess"] - whole["excess_replica"] if known and p.summary.get("benchmark") == "price" else None


def _replica_error(p: PortfolioContent) -> float | None:
    """The replica's tracking error against the price index."""
    error: float | None = p.summary["all"].get("replica_tracking_error")
    return error if p.summary.get("benchmark") == "price" else None


def _whole(share: float) -> str:
    return f"{100 * share:.0f}%"
