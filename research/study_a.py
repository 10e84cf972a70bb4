"""Every arm of a run of `study_a` or `study_a_reduced` beside the study's numbers, from the run's files alone.

``python -m research.study_a RUN --out docs/results/study-a.md`` writes the page anew and keeps what stands under
"What it says", which is written by hand. Numbers of single arms are those of the run's report. Where
`tests.oracles.recompute` has left ``recomputed.json`` in RUN (or ``--recomputed FILE``), its counts are quoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.content.beside import residual
from deepfactor.report.press.formats import number
from deepfactor.report.sections import character, ic, tops, training
from research.study_tables import (
    BRACKETS,
    attribution,
    by_year,
    correlation,
    enhanced,
    main,
    paired,
    protocol,
    recomputed,
    report_table,
    table,
    text,
)

SET = "study_a"
#: Arms that the others are set beside, where the run has them.
AGAINST = ("bi_agru", "bi_agru_gat")
#: What of the paired differences is shown.
PAIRED: Mapping[str, Mapping[str, Any]] = {
    "RankIC All, 10 days": {"measure": "rank_ic", "universe": "all", "horizon": 10},
    "RankIC All, 20 days": {"measure": "rank_ic", "universe": "all", "horizon": 20},
    "after styles, 10 days": {"measure": "residual_rank_ic", "universe": "all", "horizon": 10, "set": SET},
}


def page(content: RunContent, found: Mapping[str, Any] | None, said: str) -> str:
    """The whole of the page, the answer first; `found` as `tests.oracles.recompute` leaves it."""
    parts = [
        f"# {content.title}",
        said,
        BRACKETS,
        "## Tests by rebalance interval",
        report_table(tops.interval(content)),
        text(
            "RankIC of every h-th day; top portfolios of equal weight at the next day's average price, excess over the",
            "equal-weight mean of all stocks a year, turnover two-sided a year.",
        ),
        "## What is left after styles",
        _residuals(content),
        "## Second weighting",
        *_weightings(content),
        "## Enhanced indices, Study A's constraints, after cost",
        enhanced(content),
        text(
            "Constraints: `study_a_all_market` may hold any stock, `study_a` at least 80 % constituents. The excess is",
            "over the price index, which lacks the dividends that the portfolio has; the replica has them, and other "
            "weights.",
        ),
        "## Is it more than noise? Paired differences",
        text(
            f"First arm less second on common days under `{content.main}`; in brackets Newey–West t with as many lags",
            "as the horizon. A t says nothing of seeds and other years.",
        ),
        *paired(content, AGAINST, PAIRED),
        "## How it was made",
        *protocol(content, "research.study_a"),
        "## All tables",
        report_table(tops.top_n_by_year(content)),
        *map(report_table, character.style_tables(content)),
        "### Enhanced indices: excess by year",
        by_year(content),
        "### Enhanced indices: where the excess over the replica comes from, logs a year",
        attribution(content),
        "### Rank correlation of the arms' scores",
        correlation(content),
        report_table(ic.ic_by_year(content)),
        "## Constraints, recomputed",
        *recomputed(content, found),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _residuals(content: RunContent) -> str:
    """RankIC before and after styles and industries, daily, 10 days."""
    rows = []
    for arm in content.arms:
        record = arm.record("all", 10, content.main)
        entry = residual(content, arm, SET)
        given = (None if record is None else record["rank_ic"], None if entry is None else entry["rank_ic"])
        rows.append([arm.name, *map(_with_t, given)])
    return table(["arm", f"RankIC, 10 days, `{content.main}`", f"after the styles of {SET} and industries"], rows)


def _with_t(found: Mapping[str, Any] | None) -> str:
    mean, t = (None if found is None else found[name] for name in ("mean", "t_newey_west"))
    return f"{number(mean, 'ic')}, t {number(t, 'ratio')}"


def _weightings(content: RunContent) -> list[str]:
    """Validation RankIC of network and weighting by job, and what the weightings lean on."""
    rows = []
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            if job.get("weighting_valid_rank_ic") is not None:
                rows.append([arm.name, str(job["fold"]), *_weighted(job), _deep(job)])
    head = [
        "arm",
        "fold",
        "network, validation RankIC",
        "weighting, validation RankIC",
        "deep factors' share",
        "turned",
    ]
    found = [table(head, rows)] if rows else ["No arm of this run weights deep factors."]
    return [*found, report_table(training.importance(content))]


def _weighted(job: Mapping[str, Any]) -> list[str]:
    share = sum(value for name, value in job["importance"].items() if name.startswith("deep_"))
    return [
        number(job["valid_rank_ic"], "ic"),
        number(job["weighting_valid_rank_ic"], "ic"),
        number(share, "share"),
    ]


def _deep(job: Mapping[str, Any]) -> str:
    """How many deep factors enter with the other sign."""
    signs = [factor["sign"] for factor in job["deep_factors"]]
    return f"{sum(sign < 0 for sign in signs)} of {len(signs)}"


if __name__ == "__main__":
    main(page, __doc__)
