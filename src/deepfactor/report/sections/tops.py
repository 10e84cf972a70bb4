"""The highest scores as portfolios: the top tenth and the top hundred by rebalance interval and starting day."""

from __future__ import annotations

from deepfactor.core.words import Text, together
from deepfactor.evaluation.records import ICRecord, Statistics, TopRecord
from deepfactor.report.content import RunContent
from deepfactor.report.content.published import Reference, reference
from deepfactor.report.content.reading import formed_like, years_of
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import LONG, Section, Tables
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections._cells import year_cell
from deepfactor.report.sections._definitions import definitions_of

ORDER = 80

INTERVAL_NOTE = Text(
    "Every 5, 10, 15 and 20 trading days, all stocks, samples that do not overlap. The table of Study A.",
    "每5、10、15、20个交易日调仓，全市场，样本互不重叠。即研报A的区间表。",
)
OFFSETS_NOTE = Text(
    "So that a lucky weekday does not decide. Annual excess over the universe's equal-weight "
    "mean; gross before, net after cost.",
    "避免由某个幸运的起始日决定结果。相对股票池等权均值的年化超额；费前与费后。",
)
TOP_N_NOTE = Text("Equal weight, rebalanced every few days, before and after cost.", "等权，每隔数日调仓，费前与费后。")


def section(content: RunContent, make: Maker) -> Section | None:
    """Tables alone."""
    title = Text("Top portfolios", "头部组合")
    tables = make.all((interval, content), (top_n, content), (top_n_by_year, content), (offsets, content))
    return Section(title, (Tables(tables, folds=LONG),), link=title) if tables else None


_TOP_N = (("gross", "signed_percent"), ("net", "signed_percent"), ("turnover_two_sided", "turnover"))


def top_n(content: RunContent) -> Table | None:
    """Top 10 % and top 100, gross and net."""
    rows = []
    for arm in content.arms:
        ref = reference(arm.published)
        for entry in arm.factor_report.get("top_n", ()):
            every = int(entry["every"])
            key = (entry["name"], every, entry["convention"])
            like = _like(entry, ref)
            cells = (
                value_cell(entry, name, style, None if like is None else like.top_n(name, *key))
                for name, style in _TOP_N
            )
            labels = label_cells(arm.name, words().term(entry["name"]), entry["convention"])
            rows.append((*labels, Cell(every, "count"), *cells))
    columns = ("arm", "portfolio", "convention", "every", "gross", "net", "turnover_two_sided")
    return make("top_n", Text("Top 10% and top 100", "前10%与前100组合"), columns, rows, _noted(content, TOP_N_NOTE))


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
        like, cells = _like(entry, reference(arm.published)), []
        for year in years:
            printed = None if like is None else like.top_n_year(entry["name"], int(entry["every"]), year)
            cells.append(year_cell(entry["by_year"], year, "gross", "signed_percent", printed))
        labels = label_cells(arm.name, words().term(entry["name"]))
        rows.append((*labels, Cell(entry["every"], "count"), *cells))
    columns: list[str | Metric] = ["arm", "portfolio", "every", *map(head, years)]
    note = _noted(content, Text("Against the equal-weight mean of the universe.", "相对股票池等权均值。"))
    return (
        make(
            "top_n_by_year",
            Text("Top portfolios by year, before cost", "头部组合分年度超额（费前）"),
            columns,
            rows,
            note,
        )
        if len(years) > 1
        else None
    )


def _noted(content: RunContent, note: Text) -> Text:
    """A note, with the definition that its excesses are formed by."""
    given = (entry for arm in content.arms for entry in arm.factor_report.get("top_n", ()))
    return together([note, definitions_of(given)])


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
                like = None if entry is None else _like(entry, ref)
                cells += [
                    value_cell(entry, key, style, None if like is None else like.top_n(key, name, every, "t1_vwap"))
                    for key, style in _TOP_N
                ]
            printed = None if ref is None else ref.autocorrelation(every)
            cells.append(value_cell(report.get("autocorrelation") or {}, str(every), "ratio", printed))
            rows.append(tuple(cells))
    tops_columns = [f"{name}_{what}" for name in ("top10", "top100") for what in ("gross", "net", "turnover")]
    columns = ("arm", "every", "rank_ic_t0", "rank_ic_t1", *tops_columns, "autocorrelation")
    return make(
        "interval", Text("By rebalance interval", "不同调仓间隔"), columns, rows, _noted(content, INTERVAL_NOTE)
    )


def _sampled(records: list[ICRecord], universe: str, convention: str, horizon: int) -> Statistics | None:
    """RankIC of the ensemble on every h-th day, all names."""
    wanted = (universe, convention, horizon, "every_h", "all", None)
    matching = (
        one["rank_ic"]
        for one in records
        if (one["universe"], one["convention"], one["horizon"], one["sampling"], one["names"], one["seed"]) == wanted
    )
    return next(matching, None)


def _like(entry: TopRecord, ref: Reference | None) -> Reference | None:
    """The study's model, if its excess is formed as the entry's is."""
    return ref if ref is not None and formed_like(entry.get("definitions"), ref.study) else None


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
    metrics = words().metrics
    columns: list[str | Metric] = ["arm", "portfolio", "convention", "every"]
    for side in ("gross", "net"):
        unit = metrics[side].unit
        columns += [side, *(Metric(f"{side}_{k}", metrics[k].label, unit, "") for k in ("lowest", "highest"))]
    return make(
        "offsets",
        Text("Averaged over all starting days", "全部起始日平均"),
        [*columns, "offsets"],
        rows,
        _noted(content, OFFSETS_NOTE),
    )
