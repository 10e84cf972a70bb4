"""What the pages of a study's runs share: every arm beside the study's numbers, from the run's files alone.

`research.study_a` and `research.study_b` lay the page out. What stands under `SAID` is written by hand and kept.
Where `tests.oracles.recompute` has left ``recomputed.json`` in the run, its counts are quoted.
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
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.content.beside import part_a_year, relaxed_share, seeds_of
from deepfactor.report.content.published import reference
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Table
from deepfactor.report.sections._definitions import definitions_by_set
from deepfactor.report.sections._portfolios import printed
from deepfactor.report.sections._weights import KINDS
from deepfactor.runs.layout import RunFolder

SAID = "## What it says"
BRACKETS = "In brackets: the study's numbers, of its own protocol, span and data, for scale."
INDICES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
UNIVERSES = {"all": "All", **INDICES}

#: Lays out a page: the run, what `tests.oracles.recompute` found or None, and what is kept.
Layout = Callable[[RunContent, Mapping[str, Any] | None, str], str]


def protocol(content: RunContent, command: str) -> list[str]:
    """How the run was made and on what; `command` is the page's own."""
    recipe, market = content.recipe, content.environment["market"]
    plan, fit = recipe["plan"], recipe["fit"]
    spans = sorted({tuple(map(str, arm.factor_report["span"])) for arm in content.arms})
    seeds = "; ".join(f"{arm.name} {_list(arm.model_card.get('seeds', ()))}" for arm in content.arms)
    times = (_time(arm) for arm in content.arms)
    shipped = content.name in shipped_recipes()
    made = f"`deepfactor run {content.name} --market MARKET --out RUNS`" if shipped else f"the run `{content.name}`"
    return [
        f"Tables by `python -m {command} RUN --out FILE` from the files of {made}.",
        text(
            f"Market: source `{market['source']}`, {market['span'][0]} to {market['span'][1]}, {market['stocks']:,}",
            f"stocks, fingerprint {str(market['fingerprint'])[:12]}. Test days",
            f"{', '.join(f'{a} to {b}' for a, b in spans)}.",
            f"Training: {plan['train_years']} years and {plan['valid_years']} of validation, one training day in",
            f"{plan['every']}, at most {fit['epochs']} epochs. Seeds: {seeds}. Elapsed, whatever else the machine did:",
            f"{'; '.join(time for time in times if time)}.",
        ),
        text(
            "**Not the study's protocol, span or data**: its numbers stand in brackets, for scale. Nothing was tuned",
            "on test years.",
        ),
    ]


def text(*parts: str) -> str:
    """A paragraph, or a point of a list."""
    whole = " ".join(parts)
    indent = "  " if whole.startswith("* ") else ""
    return textwrap.fill(whole, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _time(arm: ArmContent) -> str:
    jobs = [job["seconds"] for job in arm.training.get("jobs", ()) if job.get("seconds") is not None]
    return f"{arm.name} {len(jobs)} jobs of {sum(jobs) / len(jobs):,.0f} s on average" if jobs else ""


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) or "–"


def ic_cell(arm: ArmContent, convention: str) -> Callable[..., str]:
    """A function of universe and horizon: the arm's RankIC there or another statistic of it, the study's beside."""
    ref = reference(arm.published)

    def cell(universe: str, horizon: int, key: str = "mean", style: str = "ic") -> str:
        record = arm.record(universe, horizon, convention)
        theirs = None if ref is None else ref.rank_ic(key, universe, horizon, convention)
        return beside(None if record is None else record["rank_ic"][key], theirs, style)

    return cell


_ENHANCED = (
    ("excess", "excess", "signed_percent"),
    ("excess_replica", "over replica", "signed_percent"),
    ("information_ratio", "IR", "ratio"),
    ("excess_sharpe", "excess Sharpe", "ratio"),
    ("tracking_error", "tracking error", "percent"),
    ("excess_max_drawdown", "excess drawdown", "percent"),
    ("turnover", "turnover", "share"),
)


def enhanced(content: RunContent) -> str:
    """One row a portfolio, over the whole span, after cost."""
    rows = []
    for p in by_index(content):
        cells = [beside(p.summary["all"].get(key), printed(content, p, key), style) for key, _, style in _ENHANCED]
        rows.append([*_name(content, p), *cells, *_luck(p), number(relaxed_share(p), "share")])
    luck = ("seeds: mean (std)", "95 of 100 random scores")
    shown = table(
        [*_named(content), *(name for _, name, _ in _ENHANCED), *luck, "rebalances with bounds not kept"], rows
    )
    return f"{shown}\n\n{text(definitions_by_set(content.portfolios), _weights(content))}"


def _luck(p: PortfolioContent) -> tuple[str, str]:
    """The excess of the seeds' own portfolios, and between what that of random scores lies, equally constrained."""
    seeds, band = p.seeds, None if p.placebo is None else p.placebo["excess"]
    return (
        "–" if seeds is None else f"{number(seeds['mean'], 'signed_percent')} ({number(seeds['std'], 'percent')})",
        "–" if band is None else " to ".join(number(band[end], "signed_percent") for end in ("low", "high")),
    )


def _weights(content: RunContent) -> str:
    """What the replica, and the optimiser's benchmark, is weighted by."""
    kinds = sorted({str(p.summary.get("replica_weights")) for p in content.portfolios})
    return f"Index weights: {'; '.join(str(KINDS[kind]) for kind in kinds)}."


def by_year(content: RunContent) -> str:
    """Excess by year, a row a portfolio, by the definition that stands below `enhanced`."""
    years = sorted({year for p in content.portfolios for year in p.summary.get("by_year", {})})
    rows = []
    for p in by_index(content):
        given = p.summary.get("by_year", {})
        both = ((given.get(year, {}).get("excess"), printed(content, p, "excess", year)) for year in years)
        rows.append([*_name(content, p), *(beside(ours, theirs, "signed_percent") for ours, theirs in both)])
    return table([*_named(content), *years], rows)


def attribution(content: RunContent) -> str:
    """Where the excess over the replica comes from, logs a year, a row a portfolio."""
    names = ("styles", "industries", "selection", "cost", "cash_and_rounding")
    rows = [
        [*_name(content, p), *(number(part_a_year(p, name), "signed_percent") for name in names)]
        for p in by_index(content)
    ]
    return table([*_named(content), *(name.replace("_", " ") for name in names)], rows)


def by_index(content: RunContent) -> list[PortfolioContent]:
    """The portfolios, those of the larger names first, by constraints and then as the run has them."""
    order, sets = list(INDICES), _sets(content)
    return sorted(
        content.portfolios,
        key=lambda p: (order.index(p.index) if p.index in order else len(order), sets.index(p.constraints)),
    )


def _sets(content: RunContent) -> list[str]:
    return list(dict.fromkeys(p.constraints for p in content.portfolios))


def _named(content: RunContent) -> list[str]:
    """Heads of `_name`'s cells."""
    return ["index", *(["constraints"] if len(_sets(content)) > 1 else []), "arm"]


def _name(content: RunContent, p: PortfolioContent) -> list[str]:
    return [INDICES.get(p.index, p.index), *([p.constraints] if len(_sets(content)) > 1 else []), p.arm]


def recomputed(content: RunContent, found: Mapping[str, Any] | None) -> list[str]:
    """What `tests.oracles.recompute` says of the run's portfolios."""
    if found is None:
        return ["Not done: `python -m tests.oracles.recompute MARKET RUN --out RUN/recomputed.json`."]
    names = ("rebalances", "relaxed_rebalances", "checked", "recorded", "violations")
    rows, sums = [], dict.fromkeys(names, 0)
    for p in by_index(content):
        one = found[f"{p.arm}/{p.index}/{p.constraints}"]
        rows.append([*_name(content, p), *(f"{one[name]:,}" for name in names)])
        sums = {name: sums[name] + one[name] for name in names}
    heads = _named(content)
    rows.append(["all", *[""] * (len(heads) - 1), *(f"{sums[name]:,}" for name in names)])
    head = [*heads, "rebalances", "with relaxed bounds", "limits checked", "not kept, recorded", "violations"]
    lead = text(
        "By `python -m tests.oracles.recompute MARKET RUN`, which shares no code with the product, at every rebalance.",
        "A violation is a limit that is neither kept to 1e-7 nor recorded as relaxed with the value that came out.",
    )
    return [lead, table(head, rows)]


def difference(content: RunContent, **wanted: Any) -> Callable[[str, str], str]:
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


def paired(content: RunContent, against: Sequence[str], columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The other arms less each of `against` that the run has; `columns` says what of ``paired.json`` is shown."""
    if not content.paired:
        return ["No paired.json in this run: repeat `deepfactor run`, which trains nothing twice."]
    names, tables = [arm.name for arm in content.arms], []
    cells = [difference(content, **wanted) for wanted in columns.values()]
    for second in (name for name in against if name in names):
        rows = [
            [f"{first} − {second}", *(cell(first, second) for cell in cells), seeds(content, first)]
            for first in names
            if first != second
        ]
        tables += [f"### Against {second} (seeds: {seeds(content, second)})", table(["", *columns, "seeds"], rows)]
    return tables


def seeds(content: RunContent, name: str) -> str:
    """Standard deviation over seeds of the mean RankIC at 10 days over All, under the run's main convention."""
    arm = next(arm for arm in content.arms if arm.name == name)
    record = arm.record("all", 10, content.main)
    return number(None if record is None else (seeds_of(arm, record) or {}).get("std"), "ic")


def correlation(content: RunContent) -> str:
    """Mean rank correlation of the arms' scores."""
    given = content.correlation or {}
    refs = {arm.name: reference(arm.published) for arm in content.arms}
    rows = []
    for one, row in given.items():
        cells = []
        for other, value in row.items():
            ref, partner = refs.get(one), refs.get(other)
            theirs = ref.model_correlation(partner.model) if ref and partner and one != other else None
            cells.append(beside(value, theirs, "ratio"))
        rows.append([one, *cells])
    return table(["arm", *given], rows) if given else ""


def report_table(given: Table | None) -> str:
    """A table of the report in Markdown, the study's numbers in brackets."""
    if given is None:
        return ""
    rows = [[c.text + (f" ({c.published_text})" if c.published_text else "") for c in row] for row in given.rows]
    shown = f"### {given.title}\n\n{table([str(metric.label) for metric in given.columns], rows)}"
    return f"{shown}\n\n{text(str(given.note))}" if given.note else shown


def beside(ours: float | None, theirs: float | None, style: str) -> str:
    """Our number, the study's in brackets where it prints one."""
    return number(ours, style) + ("" if theirs is None else f" ({number(theirs, style)})")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |", *lines])


def main(layout: Layout, description: str | None) -> None:
    """Read the run named on the command line, write its page."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recomputed", type=Path)
    given = parser.parse_args()
    content = load_content(RunFolder.open(given.run))
    file = given.recomputed or given.run / "recomputed.json"
    found = json.loads(file.read_text(encoding="utf-8")) if given.recomputed or file.is_file() else None
    before = given.out.read_text(encoding="utf-8") if given.out.is_file() else ""
    write_text(given.out, layout(content, found, kept(before)))
    print(given.out)


def kept(page: str) -> str:
    """What was written by hand on a page: all from `SAID` to `BRACKETS`, or to the next heading of its level."""
    _, _, rest = page.partition(f"{SAID}\n")
    said, _, _ = rest.partition("\n## ")[0].partition(BRACKETS)
    return f"{SAID}\n\n{said.strip()}".rstrip()
