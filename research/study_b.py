"""Every arm of a run of `study_b` or `study_b_reduced` beside the study's numbers, from the run's files alone.

``python -m research.study_b RUN --out docs/results/study-b.md`` writes the page anew and keeps what stands under
"What it says", which is written by hand. Numbers of single arms are those of the run's report. Where
`tests.oracles.recompute` has left ``recomputed.json`` in RUN (or ``--recomputed FILE``), its counts are quoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.content.beside import residual
from deepfactor.report.content.published import reference
from deepfactor.report.content.reading import against, comparable
from deepfactor.report.press.formats import number
from deepfactor.report.press.words import words
from deepfactor.report.sections import drivers, ic
from deepfactor.report.sections import groups as by_group
from deepfactor.report.sections._drivers_said import sentences
from research.study_tables import (
    BRACKETS,
    INDICES,
    UNIVERSES,
    attribution,
    beside,
    by_year,
    correlation,
    enhanced,
    ic_cell,
    main,
    paired,
    protocol,
    recomputed,
    report_table,
    seeds,
    table,
    text,
)

CONVENTION, SET = "t1_close", "barra_cne5"
#: Arms that the others are set beside, where the run has them.
AGAINST = ("gru_ic", "decomp_gru_ic", "gru_mse", "lightgbm")
#: What of the paired differences is shown.
PAIRED: Mapping[str, Mapping[str, Any]] = {
    **{f"RankIC {name}": {"measure": "rank_ic", "universe": code, "horizon": 10} for code, name in UNIVERSES.items()},
    "All, 20 days": {"measure": "rank_ic", "universe": "all", "horizon": 20},
    "All, after styles": {"measure": "residual_rank_ic", "universe": "all", "horizon": 10, "set": SET},
    "top group All": {"measure": "top_excess", "universe": "all"},
    "top group CSI 300": {"measure": "top_excess", "universe": "000300.SH"},
}


def page(content: RunContent, found: Mapping[str, Any] | None, said: str) -> str:
    """The whole of the page, the answer first; `found` as `tests.oracles.recompute` leaves it."""
    parts = [
        f"# {content.title}",
        said,
        BRACKETS,
        f"## RankIC, `{CONVENTION}`, daily, raw returns, all names",
        _rank_ic(content),
        text(
            "Seeds: standard deviation of the seeds' mean RankIC. After styles: RankIC of what a daily regression on",
            "the styles of Barra and industries leaves of the score.",
        ),
        "## Top group, weekly, before cost",
        _top_groups(content),
        text(
            "Best of 20 groups over All, of 5 in CSI 300, of 10 in CSI 500 and 1000; turnover one-sided a week. Excess",
            "in the form of the study's number beside it: over All the difference of annual returns, in the indices",
            f"the annualised ratio of NAVs, 252 days a year. It is over the index; {_all_against(content)}",
        ),
        "## Enhanced indices, Study B's constraints, after cost",
        enhanced(content),
        text(
            "The study prints one portfolio an index, of DecompGRU-MSE's scores: its numbers stand beside that arm",
            "alone. The excess is over the price index, which lacks the dividends that the portfolio has; the replica",
            "has them, and other weights. Turnover: two-sided a rebalance, as traded.",
        ),
        "## Is it more than noise? Paired differences",
        text(
            "First arm less second on common days; in brackets Newey–West t with as many lags as the horizon (top",
            "group: 5). Top groups: mean daily log return times 252. A t says nothing of seeds and other years.",
        ),
        *paired(content, AGAINST, PAIRED),
        "## How it was made",
        *protocol(content, "research.study_b"),
        "## All tables",
        *map(report_table, ic.ic_tables(content)),
        report_table(ic.ic_by_year(content)),
        report_table(by_group.top_group(content)),
        report_table(by_group.top_by_year(content)),
        "### Enhanced indices: excess by year",
        by_year(content),
        "### Enhanced indices: where the excess over the replica comes from, logs a year",
        attribution(content),
        report_table(drivers.gaps(content)),
        report_table(drivers.top_years(content)),
        "### Rank correlation of the arms' scores",
        correlation(content),
        "## Constraints, recomputed",
        *recomputed(content, found),
        "## What drives the differences from the study",
        "\n".join(text(f"* {sentence}") for sentence in sentences(content)),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _all_against(content: RunContent) -> str:
    """What the top group over All is measured against."""
    groups = [group for arm in content.arms if (group := arm.group("all")) is not None]
    found = sorted({str(words().universe(_against(group)[0])) for group in groups})
    return f"over All: {', '.join(found)}."


def _against(group: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """A benchmark with weights, as the study's is, and the numbers against it; equal weight where there is no other."""
    found = against(group)
    return next((one for one in found if comparable(one[0])), found[0])


def _rank_ic(content: RunContent) -> str:
    """One row an arm: what sets it apart from the others."""
    rows = []
    for arm in content.arms:
        cell, entry = ic_cell(arm, CONVENTION), residual(content, arm, SET)
        mean, t = (None if entry is None else entry["rank_ic"][name] for name in ("mean", "t_newey_west"))
        rows.append(
            [
                arm.name,
                cell("all", 10),
                cell("all", 10, "icir", "ratio"),
                cell("all", 10, "win_rate", "share"),
                cell("all", 10, "t_newey_west", "ratio"),
                seeds(content, arm.name),
                *(cell(universe, 10) for universe in INDICES),
                cell("all", 20),
                f"{number(mean, 'ic')}, t {number(t, 'ratio')}",
            ]
        )
    names = [f"10 days, {name}" for name in INDICES.values()]
    head = ["arm", "10 days, All", "ICIR", "win rate", "t (NW)", "seeds", *names, "20 days, All", "after styles"]
    return table(head, rows)


def _top_groups(content: RunContent) -> str:
    rows = []
    for arm in content.arms:
        cells = []
        for universe in UNIVERSES:
            group, ref = arm.group(universe), reference(arm.published)
            benchmark, entry = ("", None) if group is None else _against(group)
            for key, style in _top(universe):
                excess = key.startswith("annual_excess")
                given = entry if excess or group is None else group["top"]
                like = ref if ref is not None and (not excess or comparable(benchmark)) else None
                printed = None if like is None else like.top_group(key, universe)
                cells.append(beside(None if given is None else given.get(key), printed, style))
        rows.append([arm.name, *cells])
    head = ["arm", *(f"{name}: {what}" for name in UNIVERSES.values() for what in ("return", "excess", "turnover"))]
    return table(head, rows)


def _top(universe: str) -> tuple[tuple[str, str], ...]:
    """What is shown of a top group; the excess as the study has it in that universe."""
    excess = "annual_excess_difference" if universe == "all" else "annual_excess_nav_ratio"
    return ("annual_return", "signed_percent"), (excess, "signed_percent"), ("turnover_one_sided", "share")


if __name__ == "__main__":
    main(page, __doc__)
