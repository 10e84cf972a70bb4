"""Tables of the groups by score and of the top portfolios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.definition_words import definitions_of, formed_like
from deepfactor.report.factor_tables import top_cell, why_none, year_cell, years_of
from deepfactor.report.published import Reference, reference
from deepfactor.report.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.words import Metric, Text, together, words

_TOP = (
    ("annual_return", "signed_percent"),
    ("sharpe", "ratio"),
    ("max_drawdown", "percent"),
    ("turnover_one_sided", "share"),
)
_EXCESS = (("annual_excess_nav_ratio", "signed_percent"), ("annual_excess_difference", "signed_percent"))


def top_group(content: RunContent) -> Table | None:
    """The best group: universe × arm × what it is measured against; the excess in both forms, each named."""
    rows = []
    for universe in content.universes():
        for arm in content.arms:
            group, ref = arm.group(universe), reference(arm.published)
            if group is None:
                continue
            own = tuple(top_cell(group, key, style, ref) for key, style in _TOP)
            for benchmark, entry in against(group):
                printed = ref if comparable(benchmark) else None
                excess = (top_cell({**group, "top": entry}, key, style, printed) for key, style in _EXCESS)
                labels = label_cells(words().universe(universe), arm.name, words().universe(benchmark))
                rows.append((*labels, Cell(group["n"], "count"), *own, *excess))
    columns = ("universe", "arm", "benchmark", "groups", *(key for key, _ in (*_TOP, *_EXCESS)))
    return make("top_group", words().text["top_group"], columns, rows, _benchmarks_note(content))


def against(group: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """What a universe's top group is measured against, with its numbers (None = no portfolio): its benchmark, and the
    universe weighted by market value where that stands beside."""
    return [(group["benchmark"], group["top"]), *(group.get("also") or {}).items()]


def weighted_years(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Years of the top group against the first benchmark with weights; empty where there is only equal weight."""
    if comparable(group["benchmark"]):
        return dict(group["by_year"])
    also = (entry["by_year"] for entry in (group.get("also") or {}).values())
    return dict(next(also, {}))


def comparable(benchmark: str) -> bool:
    """Does a study measure its excess against such a benchmark? Not against equal weight: an index has weights."""
    return benchmark != "equal_weight"


def groups_of(content: RunContent) -> list[Mapping[str, Any]]:
    """The group records of all arms."""
    return [group for arm in content.arms for group in arm.factor_report.get("groups", ())]


def _benchmarks_note(content: RunContent) -> Text:
    given, text = groups_of(content), words().text
    derived = any(benchmark == "cap_weight" for group in given for benchmark, _ in against(group))
    return together([text["top_group_note"], *([text["cap_weight_note"]] if derived else [])])


def group_returns(content: RunContent) -> Table | None:
    """The annual return of every group, worst to best: universe × arm by group."""
    found = [(u, a, g) for u in content.universes() for a in content.arms if (g := a.group(u)) is not None]
    most = max((g["n"] for _, _, g in found), default=0)
    rows = [
        (
            *label_cells(words().universe(universe), arm.name),
            *(Cell(value, "signed_percent", missing=why_none(group)) for value in group["annual_return"]),
            *[Cell("")] * (most - group["n"]),
        )
        for universe, arm, group in found
    ]
    columns: list[str | Metric] = ["universe", "arm", *(head(str(k + 1)) for k in range(most))]
    text = words().text
    return make("group_returns", text["group_returns"], columns, rows, text["group_returns_note"])


BY_YEAR = {
    "top_return_by_year": ("return", "signed_percent"),
    "top_own_sharpe_by_year": ("sharpe", "ratio"),
    "top_own_drawdown_by_year": ("max_drawdown", "percent"),
    "top_turnover_by_year": ("turnover_one_sided", "share"),
    "top_by_year": ("excess", "signed_percent"),
    "top_sharpe_by_year": ("excess_sharpe", "ratio"),
    "top_drawdown_by_year": ("excess_max_drawdown", "percent"),
}


# Keys of a year that have another name over the whole span; an excess has it by the definition of its years.
_WHOLE = {"return": "annual_return", "excess": "annual_excess"}
_OF_EXCESS = ("excess", "excess_sharpe", "excess_max_drawdown")


def top_by_year(content: RunContent, name: str = "top_by_year") -> Table | None:
    """A statistic of the best group by year, named by the table's id: universe × arm by year; an excess against each
    benchmark that there is."""
    key, style = BY_YEAR[name]
    picked = [(u, a, g) for u in content.universes() for a in content.arms if (g := a.group(u)) is not None]
    years = [y for y in years_of(g for _, _, g in picked) if any(key in g["by_year"].get(y, {}) for _, _, g in picked)]
    of_excess, rows = key in _OF_EXCESS, []
    for universe, arm, group in picked:
        ref = reference(arm.published)
        ref = ref if ref is not None and formed_like(group, ref.study) else None
        for benchmark, entry in against(group) if of_excess else [("", group["top"])]:
            printed = ref if comparable(benchmark) else None
            given = group if benchmark in ("", group["benchmark"]) else entry or {}
            cells = [_year(given, printed, key, style, universe, year) for year in years]
            labels = label_cells(words().universe(universe), arm.name)
            labels += label_cells(words().universe(benchmark)) if of_excess else ()
            rows.append((*labels, *cells, _whole({**group, "top": entry}, key, style, printed)))
    heads: list[str | Metric] = ["universe", "arm", *(["benchmark"] if of_excess else [])]
    columns = [*heads, *map(head, years), head(words().text["all_years"])]
    note = definitions_of(g for _, _, g in picked) if key == "excess" else ""
    return make(name, words().text[name], columns, rows, note) if years else None


def _year(given: Mapping[str, Any], ref: Reference | None, key: str, style: str, universe: str, year: str) -> Cell:
    return year_cell(given, year, key, style, None if ref is None else ref.top_group_year(key, universe, year))


def _whole(group: Mapping[str, Any], key: str, style: str, ref: Reference | None) -> Cell:
    """The same over the whole span; an excess is printed by the study as the ratio of NAVs that its years chain to."""
    cell = top_cell(group, _WHOLE.get(key, key), style, None if key == "excess" else ref)
    printed = (
        ref.top_group("annual_excess_nav_ratio", group["universe"]) if ref is not None and key == "excess" else None
    )
    return cell if printed is None else replace(cell, published=printed)


_TOP_N = (("gross", "signed_percent"), ("net", "signed_percent"), ("turnover_two_sided", "turnover"))


def top_n(content: RunContent) -> Table | None:
    """Top 10 % and top 100, gross and net."""
    rows = []
    for arm in content.arms:
        ref = reference(arm.published)
        for entry in arm.factor_report.get("top_n", ()):
            every = int(entry["every"])
            key = (entry["name"], every, entry["convention"])
            like = ref if ref is not None and formed_like(entry, ref.study) else None
            cells = (
                value_cell(entry, name, style, None if like is None else like.top_n(name, *key))
                for name, style in _TOP_N
            )
            labels = label_cells(arm.name, words().term(entry["name"]), entry["convention"])
            rows.append((*labels, Cell(every, "count"), *cells))
    columns = ("arm", "portfolio", "convention", "every", "gross", "net", "turnover_two_sided")
    return make("top_n", words().text["top_n"], columns, rows, _tops_note(content, "top_n_note"))


def top_n_by_year(content: RunContent) -> Table | None:
    """Excess of the top portfolios by year, before cost, under `t1_vwap`; one year needs no table."""
    picked = [
        (arm, entry)
        for arm in content.arms
        for entry in arm.factor_report.get("top_n", ())
        if entry["convention"] == "t1_vwap" and entry.get("by_year")
    ]
    years = years_of(entry for _, entry in picked)
    rows = []
    for arm, entry in picked:
        ref, cells = reference(arm.published), []
        for year in years:
            like = ref is not None and formed_like(entry, ref.study)
            printed = ref.top_n_year(entry["name"], int(entry["every"]), year) if ref is not None and like else None
            cells.append(year_cell(entry, year, "gross", "signed_percent", printed))
        labels = label_cells(arm.name, words().term(entry["name"]))
        rows.append((*labels, Cell(entry["every"], "count"), *cells))
    columns: list[str | Metric] = ["arm", "portfolio", "every", *map(head, years)]
    note = _tops_note(content, "top_n_by_year_note")
    return make("top_n_by_year", words().text["top_n_by_year"], columns, rows, note) if len(years) > 1 else None


def _tops_note(content: RunContent, key: str) -> Text:
    """A table's note, with the definition that its excesses are formed by."""
    given = (entry for arm in content.arms for entry in arm.factor_report.get("top_n", ()))
    return together([words().text[key], definitions_of(given)])


def interval(content: RunContent) -> Table | None:
    """Study A's table: arm × rebalance interval, samples that don't overlap; ``t1_vwap`` but for the first column."""
    rows = []
    for arm in content.arms:
        report, ref = arm.factor_report, reference(arm.published)
        tops = [t for t in report.get("top_n", ()) if t["convention"] == "t1_vwap"]
        for every in sorted({int(t["every"]) for t in tops}):
            cells = [*label_cells(arm.name), Cell(every, "count")]
            for convention in ("t0_close", "t1_vwap"):
                given = _sampled(arm.records, content.lead, convention, every)
                printed = None if ref is None else ref.rank_ic("mean", content.lead, every, convention)
                cells.append(value_cell(given, "mean", "ic", printed))
            for name in ("top10pct", "top100"):
                entry = next((t for t in tops if t["name"] == name and int(t["every"]) == every), None)
                like = ref if ref is not None and entry is not None and formed_like(entry, ref.study) else None
                cells += [
                    value_cell(entry, key, style, None if like is None else like.top_n(key, name, every, "t1_vwap"))
                    for key, style in _TOP_N
                ]
            printed = None if ref is None else ref.autocorrelation(every)
            cells.append(value_cell(report.get("autocorrelation") or {}, str(every), "ratio", printed))
            rows.append(tuple(cells))
    tops_columns = [f"{name}_{what}" for name in ("top10", "top100") for what in ("gross", "net", "turnover")]
    columns = ("arm", "every", "rank_ic_t0", "rank_ic_t1", *tops_columns, "autocorrelation")
    return make("interval", words().text["interval"], columns, rows, _tops_note(content, "interval_note"))


def _sampled(records: list[Any], universe: str, convention: str, horizon: int) -> Mapping[str, Any] | None:
    """RankIC of the ensemble on every h-th day, all names."""
    wanted = {"universe": universe, "convention": convention, "horizon": horizon, "sampling": "every_h",
              "names": "all", "seed": None}  # fmt: skip
    return next((dict(r["rank_ic"]) for r in records if all(r.get(k) == v for k, v in wanted.items())), None)


def offsets(content: RunContent) -> Table | None:
    """Top portfolios averaged over every starting day, with the lowest and the highest of them."""
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("top_n", ()):
            given = entry.get("offsets")
            if not given:
                continue
            labels = label_cells(arm.name, words().term(entry["name"]), entry["convention"])
            numbers = [
                value_cell(given[side], key, "signed_percent")
                for side in ("gross", "net")
                for key in ("annual_excess", "min_excess", "max_excess")
            ]
            rows.append((*labels, Cell(entry["every"], "count"), *numbers, value_cell(given, "n", "count")))
    text = words()
    columns: list[str | Metric] = ["arm", "portfolio", "convention", "every"]
    for side in ("gross", "net"):
        unit = text.metrics[side].unit
        columns += [side, *(Metric(f"{side}_{k}", text.metrics[k].label, unit, "") for k in ("lowest", "highest"))]
    return make("offsets", text.text["offsets"], [*columns, "offsets"], rows, _tops_note(content, "offsets_note"))
