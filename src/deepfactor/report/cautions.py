"""What a reader must be warned of: the run's own warnings, and what the results themselves give away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.formats import number
from deepfactor.report.weights_words import weights_said
from deepfactor.report.words import Text, joined, together, words

#: Fewer returns that don't overlap than this are few.
FEW = 60
#: Share of the edges between groups that lie within equal scores, from which on it is said.
TIED = 0.01


def cautions(content: RunContent) -> list[Text]:
    """Every warning, the gravest first."""
    text, market = words().text, content.environment["market"]
    found = [text["warn_simulated"]] if content.simulated else []
    audited = {one["said"]: one for one in market.get("findings") or ()}
    found += [_audited(warning, audited.get(warning)) for warning in content.warnings]
    found += _of_weights(market)
    return [*found, *_of_arms(content), *_of_portfolios(content)]


def _of_weights(market: Mapping[str, Any]) -> list[Text]:
    """Indices whose weights are not the publisher's, by how they were made."""
    # Runs of before say no more than which indices.
    kinds: Mapping[str, str] = market.get("index_weights") or dict.fromkeys(
        market.get("derived_index_weights") or (), "float_cap"
    )
    found = []
    for warning, made in (
        ("warn_derived_weights", ("float_cap", "total_cap")),
        ("warn_free_float_weights", ("free_float",)),
        ("warn_estimated_weights", ("estimated",)),
    ):
        names = [words().universe(code) for code, kind in kinds.items() if kind in made]
        if names:
            found.append(words().text[warning].filled(indices=joined(", ", names)))
    return found


def _audited(warning: str, finding: Mapping[str, Any] | None) -> Text:
    """A warning of the run; one that is a finding of the data audit has the finding's Chinese."""
    said = words().sentence(warning)
    if finding is None or said.zh != said:
        return said
    examples = f"：{'；'.join(finding['examples'][:2])}" if finding["examples"] else ""
    return Text(warning, f"{words().table(finding['table']).zh}：{words().finding(finding).zh}{examples}")


def _of_arms(content: RunContent) -> list[Text]:
    text, found = words().text, []
    for arm in content.arms:
        if len(arm.model_card.get("seeds") or (0, 0)) == 1:
            found.append(text["warn_one_seed"].filled(arm=arm.name))
        horizon = 10
        record = arm.record(content.lead, horizon, content.main)
        n = 0 if record is None else int(record["rank_ic"].get("n") or 0)
        if n and record is not None and record.get("sampling") == "daily" and n // horizon < FEW:
            found.append(text["warn_short"].filled(arm=arm.name, n=n, h=horizon, m=n // horizon))
        found += _of_ties(arm)
    return found


def _of_ties(arm: ArmContent) -> list[Text]:
    """Universes without groups because all scores are equal, and those whose edges lie within equal scores."""
    text, found = words().text, []
    for group in arm.factor_report.get("groups", ()):
        named = {"arm": arm.name, "universe": words().universe(group["universe"])}
        if group.get("reason") == "equal_scores":
            found.append(text["warn_equal_scores"].filled(**named))
        elif (group.get("edges_in_ties") or 0.0) >= TIED:
            shares = {key: number(group[key], "share") for key in ("edges_in_ties", "names_shared")}
            found.append(text["warn_ties"].filled(**named, **shares))
    return found


def _of_portfolios(content: RunContent) -> list[Text]:
    text, found, without = words().text, [], []
    for p in content.portfolios:
        whole, index = p.summary["all"], words().universe(p.index)
        found += [
            text[f"cut_{cut['side']}.{cut['why']}"].filled(arm=p.arm, index=index, day=cut["day"], asked=cut["asked"])
            for cut in p.summary.get("cuts", ())
        ]
        found += _uninvested(p)
        if whole.get("relaxed_rebalances"):
            found.append(_relaxed(p))
        found += _of_published(p, index)
        for key in ("week_ends_of_equal_scores", "rebalances_with_equal_scores"):
            if n := p.summary.get("counts", {}).get(key):
                found.append(text[f"warn_{key}"].filled(arm=p.arm, index=index, n=n))
        episode = whole.get("excess_drawdown")
        if episode is not None and episode.get("recovery") is None:
            found.append(text["warn_open"].filled(arm=p.arm, index=index))
        if whole.get("excess_total_return") is None and index not in without:
            without.append(index)
    return [*found, *(text["warn_no_total_return"].filled(index=index) for index in without)]


def _uninvested(p: PortfolioContent) -> list[Text]:
    """That a book was not invested as its targets asked: its excess is then mostly that of cash."""
    if not p.summary.get("warnings"):
        return []
    text, given, index = words().text, p.summary["invested"], words().universe(p.index)
    if not given["days"]:
        return [text["warn_never_invested"].filled(arm=p.arm, index=index)]
    shares = {key: number(given[key], "share") for key in ("mean", "target")}
    return [text["warn_uninvested"].filled(arm=p.arm, index=index, n=given["days_below"], days=given["days"], **shares)]


def _relaxed(p: PortfolioContent) -> Text:
    """How often bounds were not kept, of which constraints, and whether names that can't be traded forced it."""
    text, whole = words().text, p.summary["all"]
    given = whole.get("relaxed_constraints") or {}
    form = text["warn_relaxed_constraint"]
    named = joined(", ", [form.filled(name=words().term(name), n=n) for name, n in given.items()])
    counts = {"relaxed": whole["relaxed_rebalances"], "total": whole.get("rebalances", "–")}
    index = words().universe(p.index)
    said = [text["warn_relaxed"].filled(arm=p.arm, index=index, bounds=p.relaxations.height, named=named, **counts)]
    for key in ("frozen_rebalances", "infeasible_rebalances"):
        if whole.get(key):
            said.append(text[f"warn_{key}"].filled(n=whole[key]))
    return together(said)


def _of_published(p: PortfolioContent, index: Text) -> list[Text]:
    """Published weights that aren't the whole index, or are old."""
    text, days = words().text, p.summary.get("replica_weights_days") or {}
    found = []
    if "published_incomplete" in days:
        found.append(text["warn_incomplete_weights"].filled(arm=p.arm, index=index, how=weights_said(p.summary)))
    if "published_stale" in days:
        age = p.summary.get("replica_weights_age")
        found.append(text["warn_stale_weights"].filled(arm=p.arm, index=index, age=age))
    return found
