"""Every arm of a run of `study_b` or `study_b_reduced` beside the study's numbers, from the run's files alone.

``python -m benchmarks.study_b RUN --out docs/results/study-b.md`` writes the page anew and keeps what stands under
"What it says", which is written by hand. Numbers of single arms are those of the run's report. Where
`benchmarks.recompute` has left ``recomputed.json`` in RUN (or ``--recomputed FILE``), its counts are quoted.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfactor.core.files import write_text
from deepfactor.pipeline.pages import load_content
from deepfactor.recipe import shipped_recipes
from deepfactor.report import drivers, factor_tables, group_tables
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.drivers_read import part_a_year, relaxed_share, residual, seeds_of
from deepfactor.report.drivers_words import sentences
from deepfactor.report.formats import number
from deepfactor.report.portfolio_tables import printed
from deepfactor.report.published import reference
from deepfactor.report.tables import Table
from deepfactor.report.words import words
from deepfactor.runs.layout import RunFolder

#: What stands under this heading is written by hand and kept.
SAID = "## What it says"
CONVENTION, SET = "t1_close", "barra_cne5"
INDICES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
UNIVERSES = {"all": "All", **INDICES}
#: Arms that the others are set beside, where the run has them.
AGAINST = ("gru_ic", "lightgbm")


def page(content: RunContent, recomputed: Mapping[str, Any] | None, said: str) -> str:
    """The whole of the page; `recomputed` as `benchmarks.recompute` leaves it."""
    parts = [
        f"# {content.title}",
        *_protocol(content),
        f"## RankIC, `{CONVENTION}`, daily, raw returns, all names",
        _rank_ic(content),
        _text(
            "Seeds: standard deviation of the seeds' mean RankIC. After styles: RankIC of what a daily regression on",
            "the styles of Barra and industries leaves of the score.",
        ),
        *(_report_table(table) for table in factor_tables.ic_tables(content)),
        _report_table(factor_tables.ic_by_year(content)),
        "## Top group, weekly, before cost",
        _top_groups(content),
        _text(
            "Best of 20 groups over All, of 5 in CSI 300, of 10 in CSI 500 and 1000; turnover one-sided a week. Excess",
            f"over the index; {_all_against(content)}",
        ),
        _report_table(group_tables.top_by_year(content)),
        "## Enhanced indices, Study B's constraints, after cost",
        _enhanced(content),
        _text(
            "The study prints one portfolio an index, for its own network. The excess is over the price index, which",
            "lacks the dividends that the portfolio has; the replica has them. Turnover: two-sided a rebalance, as",
            "traded.",
        ),
        "### Excess by year",
        _by_year(content),
        "### Where the excess over the replica comes from, logs a year",
        _attribution(content),
        "## Constraints, recomputed",
        *_recomputed(content, recomputed),
        "## Is it more than noise? Paired differences",
        _text(
            "First arm less second on common days; in brackets Newey–West t with as many lags as the horizon (top",
            "group: 5). Top groups: mean daily log return times 252. A t says nothing of seeds and other years.",
        ),
        *_paired(content),
        _report_table(drivers.gaps(content)),
        _report_table(drivers.top_years(content)),
        "### Rank correlation of the arms' scores",
        _correlation(content),
        "## What drives the differences from the study",
        "\n".join(_text(f"* {sentence}") for sentence in sentences(content)),
        said,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _protocol(content: RunContent) -> list[str]:
    recipe, market = content.recipe, content.environment["market"]
    plan, fit = recipe["plan"], recipe["fit"]
    spans = sorted({tuple(map(str, arm.factor_report["span"])) for arm in content.arms})
    seeds = "; ".join(f"{arm.name} {_list(arm.model_card.get('seeds', ()))}" for arm in content.arms)
    times = (_time(arm) for arm in content.arms)
    named = content.name if content.name in shipped_recipes() else f"{content.name}.toml"
    return [
        "Tables by `python -m benchmarks.study_b RUN --out FILE` from the files of",
        f"```\ndeepfactor run {named} --market MARKET --out RUNS\n```",
        _text(
            f"Market: source `{market['source']}`, {market['span'][0]} to {market['span'][1]}, {market['stocks']:,}",
            f"stocks, fingerprint {str(market['fingerprint'])[:12]}. Test days",
            f"{', '.join(f'{a} to {b}' for a, b in spans)}.",
            f"Training: {plan['train_years']} years and {plan['valid_years']} of validation, one training day in",
            f"{plan['every']}, at most {fit['epochs']} epochs. Seeds: {seeds}. Elapsed, whatever else the machine did:",
            f"{'; '.join(time for time in times if time)}.",
        ),
        _text(
            "**Not the study's protocol, span or data**: its numbers stand in brackets, for scale. Nothing was tuned",
            "on test years.",
        ),
    ]


def _text(*parts: str) -> str:
    """A paragraph, or a point of a list."""
    text = " ".join(parts)
    indent = "  " if text.startswith("* ") else ""
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _time(arm: ArmContent) -> str:
    jobs = [job["seconds"] for job in arm.training.get("jobs", ()) if job.get("seconds") is not None]
    return f"{arm.name} {len(jobs)} jobs of {sum(jobs) / len(jobs):,.0f} s on average" if jobs else ""


def _all_against(content: RunContent) -> str:
    """What the top group over All is measured against."""
    found = {group["benchmark"] for arm in content.arms if (group := arm.group("all")) is not None}
    if found == {"equal_weight"}:
        return "over All over equal weight, as the market has no CSI All Share: not what the study measures."
    return f"over All: {', '.join(sorted(str(words().universe(one)) for one in found))}."


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) or "–"


def _rank_ic(content: RunContent) -> str:
    """One row an arm: what sets it apart from the others."""
    rows = []
    for arm in content.arms:
        cell = _ic_cell(arm)
        record, left = arm.record("all", 10, CONVENTION), residual(content, arm, SET)
        seeds = {} if record is None else seeds_of(arm, record)
        t = None if left is None else left["t_newey_west"]
        rows.append(
            [
                arm.name,
                cell("all", 10),
                cell("all", 10, "icir", "ratio"),
                cell("all", 10, "win_rate", "share"),
                cell("all", 10, "t_newey_west", "ratio"),
                number(seeds.get("std"), "ic"),
                *(cell(universe, 10) for universe in INDICES),
                cell("all", 20),
                f"{number(None if left is None else left['mean'], 'ic')}, t {number(t, 'ratio')}",
            ]
        )
    names = [f"10 days, {name}" for name in INDICES.values()]
    head = ["arm", "10 days, All", "ICIR", "win rate", "t (NW)", "seeds", *names, "20 days, All", "after styles"]
    return _table(head, rows)


def _ic_cell(arm: ArmContent) -> Callable[..., str]:
    """A function of universe and horizon: the arm's RankIC there or another statistic of it, the study's beside."""
    ref = reference(arm.published)

    def cell(universe: str, horizon: int, key: str = "mean", style: str = "ic") -> str:
        record = arm.record(universe, horizon, CONVENTION)
        theirs = None if ref is None else ref.rank_ic(key, universe, horizon, CONVENTION)
        return _beside(None if record is None else record["rank_ic"][key], theirs, style)

    return cell


_TOP = (("annual_return", "signed_percent"), ("annual_excess", "signed_percent"), ("turnover_one_sided", "share"))


def _top_groups(content: RunContent) -> str:
    rows = []
    for arm in content.arms:
        cells = []
        for universe in UNIVERSES:
            group, ref = arm.group(universe), reference(arm.published)
            for key, style in _TOP:
                ours = None if group is None or group["top"] is None else group["top"][key]
                cells.append(_beside(ours, None if ref is None else ref.top_group(key, universe), style))
        rows.append([arm.name, *cells])
    head = ["arm", *(f"{name}: {what}" for name in UNIVERSES.values() for what in ("return", "excess", "turnover"))]
    return _table(head, rows)


_ENHANCED = (
    ("excess", "excess", "signed_percent"),
    ("excess_replica", "over replica", "signed_percent"),
    ("information_ratio", "IR", "ratio"),
    ("excess_sharpe", "excess Sharpe", "ratio"),
    ("tracking_error", "tracking error", "percent"),
    ("excess_max_drawdown", "excess drawdown", "percent"),
    ("turnover", "turnover", "share"),
)


def _enhanced(content: RunContent) -> str:
    rows = []
    for p in _by_index(content):
        cells = [_beside(p.summary["all"].get(key), printed(content, p, key), style) for key, _, style in _ENHANCED]
        rows.append([INDICES.get(p.index, p.index), p.arm, *cells, number(relaxed_share(p), "share")])
    return _table(["index", "arm", *(name for _, name, _ in _ENHANCED), "rebalances with relaxed bounds"], rows)


def _by_year(content: RunContent) -> str:
    years = sorted({year for p in content.portfolios for year in p.summary.get("by_year", {})})
    rows = []
    for p in _by_index(content):
        given = p.summary.get("by_year", {})
        both = ((given.get(year, {}).get("excess"), printed(content, p, "excess", year)) for year in years)
        cells = [_beside(ours, theirs, "signed_percent") for ours, theirs in both]
        rows.append([INDICES.get(p.index, p.index), p.arm, *cells])
    return _table(["index", "arm", *years], rows)


def _attribution(content: RunContent) -> str:
    names = ("styles", "industries", "selection", "cost", "cash_and_rounding")
    rows = [
        [INDICES.get(p.index, p.index), p.arm, *(number(part_a_year(p, name), "signed_percent") for name in names)]
        for p in _by_index(content)
    ]
    return _table(["index", "arm", *(name.replace("_", " ") for name in names)], rows)


def _by_index(content: RunContent) -> list[PortfolioContent]:
    order = list(INDICES)
    return sorted(content.portfolios, key=lambda p: order.index(p.index) if p.index in order else len(order))


def _recomputed(content: RunContent, found: Mapping[str, Any] | None) -> list[str]:
    """What `benchmarks.recompute` says of the run's portfolios."""
    if found is None:
        return ["Not done: `python -m benchmarks.recompute MARKET RUN --out RUN/recomputed.json`."]
    names = ("rebalances", "relaxed_rebalances", "checked", "recorded", "violations")
    rows, sums = [], dict.fromkeys(names, 0)
    for p in _by_index(content):
        one = found[f"{p.arm}/{p.index}/{p.constraints}"]
        rows.append([INDICES.get(p.index, p.index), p.arm, *(f"{one[name]:,}" for name in names)])
        sums = {name: sums[name] + one[name] for name in names}
    rows.append(["all", "", *(f"{sums[name]:,}" for name in names)])
    head = ["index", "arm", "rebalances", "with relaxed bounds", "limits checked", "not kept, recorded", "violations"]
    lead = _text(
        "By `python -m benchmarks.recompute MARKET RUN`, which shares no code with the product, at every rebalance. A",
        "violation is a limit that is neither kept to 1e-7 nor recorded as relaxed with the value that came out.",
    )
    return [lead, _table(head, rows)]


def _paired(content: RunContent) -> list[str]:
    """Each other arm less each of `AGAINST`."""
    if not content.paired:
        return ["No paired.json in this run: repeat `deepfactor run`, which trains nothing twice."]
    names, tables = [arm.name for arm in content.arms], []
    by_universe = {
        f"RankIC {name}": _difference(content, measure="rank_ic", universe=code, horizon=10)
        for code, name in UNIVERSES.items()
    }
    columns = by_universe | {
        "All, 20 days": _difference(content, measure="rank_ic", universe="all", horizon=20),
        "All, after styles": _difference(content, measure="residual_rank_ic", universe="all", horizon=10, set=SET),
        "top group All": _difference(content, measure="top_excess", universe="all"),
        "top group CSI 300": _difference(content, measure="top_excess", universe="000300.SH"),
    }
    for second in (name for name in AGAINST if name in names):
        rows = [
            [f"{first} − {second}", *(cell(first, second) for cell in columns.values()), _seeds(content, first)]
            for first in names
            if first != second
        ]
        tables += [f"### Against {second} (seeds: {_seeds(content, second)})", _table(["", *columns, "seeds"], rows)]
    return tables


def _difference(content: RunContent, **wanted: Any) -> Callable[[str, str], str]:
    """A function of two arms: their difference and its t; pairs are kept once, so the sign may have to turn."""
    style = "signed_percent" if wanted["measure"] == "top_excess" else "signed_ic"

    def cell(first: str, second: str) -> str:
        for entry in content.paired:
            if {entry["first"], entry["second"]} == {first, second} and wanted.items() <= entry.items():
                sign = 1 if entry["first"] == first else -1
                values = [None if entry[k] is None else sign * entry[k] for k in ("difference", "t_newey_west")]
                return f"{number(values[0], style)} ({number(values[1], 'ratio')})"
        return "–"

    return cell


def _seeds(content: RunContent, name: str) -> str:
    arm = next(arm for arm in content.arms if arm.name == name)
    record = arm.record("all", 10, CONVENTION)
    return number(None if record is None else seeds_of(arm, record).get("std"), "ic")


def _correlation(content: RunContent) -> str:
    given = content.correlation or {}
    refs = {arm.name: reference(arm.published) for arm in content.arms}
    rows = []
    for one, row in given.items():
        cells = []
        for other, value in row.items():
            ref, partner = refs.get(one), refs.get(other)
            theirs = ref.model_correlation(partner.model) if ref and partner and one != other else None
            cells.append(_beside(value, theirs, "ratio"))
        rows.append([one, *cells])
    return _table(["arm", *given], rows) if given else ""


def _report_table(table: Table | None) -> str:
    """A table of the report in Markdown, the study's numbers in brackets."""
    if table is None:
        return ""
    rows = [[c.text + (f" ({c.published_text})" if c.published_text else "") for c in row] for row in table.rows]
    return f"### {table.title}\n\n{_table([str(metric.label) for metric in table.columns], rows)}"


def _beside(ours: float | None, theirs: float | None, style: str) -> str:
    return number(ours, style) + ("" if theirs is None else f" ({number(theirs, style)})")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def main() -> None:
    """Read the run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recomputed", type=Path)
    given = parser.parse_args()
    content = load_content(RunFolder.open(given.run))
    file = given.recomputed or given.run / "recomputed.json"
    recomputed = json.loads(file.read_text(encoding="utf-8")) if given.recomputed or file.is_file() else None
    before = given.out.read_text(encoding="utf-8") if given.out.is_file() else ""
    said = before[before.index(SAID) :] if SAID in before else f"{SAID}\n"
    write_text(given.out, page(content, recomputed, said))
    print(given.out)


if __name__ == "__main__":
    main()
