"""Groups by score: their returns, the top group against its benchmark, by year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from deepfactor.core.words import Text, joined, together
from deepfactor.evaluation.records import GroupRecord
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.content.published import Reference, reference
from deepfactor.report.content.reading import (
    against,
    comparable,
    formed_like,
    lead_arm,
    years_against,
    years_of,
)
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import LONG, Charts, Said, Section, Tables
from deepfactor.report.press.drawing import (
    COLOURS,
    GREY,
    Figure,
    bars,
    colour,
    days,
    figure,
    layout,
    line,
    percent_ticks,
    ranged,
    slug,
)
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections._cells import ALL_YEARS, top_cell, why_none, year_cell
from deepfactor.report.sections._cumulative import in_universe
from deepfactor.report.sections._definitions import YEARLY, definitions_of

ORDER = 70
#: Trading days from one point of the curves of all groups to the next: twenty lines of every day are a megabyte.
WEEK = 5

INTRO = Text(
    "Stocks sorted by score into groups of equal count each week; the highest scores stand on "
    "the right. % a year, before cost.",
    "每周按得分等分为若干组，右侧得分最高。年化收益，未扣成本。",
)
TWO_FORMS = Text(
    "The excess stands in two forms. The study's number over all stocks is a difference of "
    "annual returns, its numbers inside the indices are ratios of NAVs: each stands beside its "
    "own form alone.",
    "超额以两种口径列示。研报的全市场数值为年化收益之差，各指数内数值为净值之比年化：只与同口径的数值并列。",
)
BY_CAP = Text(
    "Cap-weighted universe: no published index, but derived from the market's own market values "
    "(float, or total where there is none), weekly, dividends included.",
    "市值加权：并非公布的指数，由市场数据的流通市值（无则用总市值）推导，每周调整，含分红。",
)
RETURNS_NOTE = Text(
    "Annualised, before cost; group 1 has the lowest scores, the last is the top group.",
    "年化，未扣成本；第1组得分最低，最后一组为多头组。",
)


def section(content: RunContent, make: Maker) -> Section | None:
    """Figures by universe, then the tables."""
    universes, title = content.universes(), Text("Groups", "分组测试")
    drawn = make.all(*((draw, content, u) for draw in (group_bars, top_curve, top_year_bars) for u in universes))
    lead = lead_arm(content)
    if lead is not None:
        drawn += make.all(*((group_curves, content, lead, u) for u in universes))
    by_year = ((top_by_year, content, name) for name in BY_YEAR)
    tables = make.all((top_group, content), *by_year, (group_returns, content))
    if not drawn and not tables:
        return None
    return Section(title, (Said(INTRO), Charts(drawn), Tables(tables, folds=LONG)), link=title)


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
            own = tuple(top_cell(group, group["top"], key, style, ref) for key, style in _TOP)
            for benchmark, entry in against(group):
                printed = ref if comparable(benchmark) else None
                excess = (top_cell(group, entry, key, style, printed) for key, style in _EXCESS)
                labels = label_cells(words().universe(universe), arm.name, words().universe(benchmark))
                rows.append((*labels, Cell(group["n"], "count"), *own, *excess))
    columns = ("universe", "arm", "benchmark", "groups", *(key for key, _ in (*_TOP, *_EXCESS)))
    return make("top_group", Text("Top group", "多头组"), columns, rows, _benchmarks_note(content))


def _benchmarks_note(content: RunContent) -> Text:
    given = [group for arm in content.arms for group in arm.factor_report.get("groups", ())]
    derived = any(benchmark == "cap_weight" for group in given for benchmark, _ in against(group))
    return together([TWO_FORMS, *([BY_CAP] if derived else [])])


def group_returns(content: RunContent) -> Table | None:
    """The annual return of every group, worst to best: universe × arm by group."""
    tested = [(u, a, g) for u in content.universes() for a in content.arms if (g := a.group(u)) is not None]
    most = max((g["n"] for _, _, g in tested), default=0)
    rows = [
        (
            *label_cells(words().universe(universe), arm.name),
            *(Cell(value, "signed_percent", missing=why_none(group)) for value in group["annual_return"]),
            *[Cell("")] * (most - group["n"]),
        )
        for universe, arm, group in tested
    ]
    columns: list[str | Metric] = ["universe", "arm", *(head(str(k + 1)) for k in range(most))]
    return make("group_returns", Text("Return of every group", "各组年化收益"), columns, rows, RETURNS_NOTE)


#: By the table's id: its key in a year's record, how it looks, its title.
BY_YEAR = {
    "top_return_by_year": ("return", "signed_percent", Text("Return of the top group by year", "多头组分年度收益")),
    "top_own_sharpe_by_year": (
        "sharpe",
        "ratio",
        Text("Sharpe ratio of the top group by year", "多头组分年度夏普比率"),
    ),
    "top_own_drawdown_by_year": (
        "max_drawdown",
        "percent",
        Text("Drawdown of the top group by year", "多头组分年度最大回撤"),
    ),
    "top_turnover_by_year": (
        "turnover_one_sided",
        "share",
        Text("One-sided turnover of the top group by year", "多头组分年度单边换手"),
    ),
    "top_by_year": ("excess", "signed_percent", Text("Excess of the top group by year", "多头组分年度超额")),
    "top_sharpe_by_year": (
        "excess_sharpe",
        "ratio",
        Text("Excess Sharpe of the top group by year", "多头组分年度超额夏普"),
    ),
    "top_drawdown_by_year": (
        "excess_max_drawdown",
        "percent",
        Text("Excess drawdown of the top group by year", "多头组分年度超额最大回撤"),
    ),
}


# Keys of a year that have another name over the whole span; an excess has it by the definition of its years.
_WHOLE = {"return": "annual_return", "excess": "annual_excess"}
_OF_EXCESS = ("excess", "excess_sharpe", "excess_max_drawdown")


def top_by_year(content: RunContent, name: str = "top_by_year") -> Table | None:
    """A statistic of the best group by year, named by the table's id: universe × arm by year; an excess against each
    benchmark that there is."""
    key, style, title = BY_YEAR[name]
    picked = [(u, a, g) for u in content.universes() for a in content.arms if (g := a.group(u)) is not None]
    years = [y for y in years_of(g for _, _, g in picked) if any(key in g["by_year"].get(y, {}) for _, _, g in picked)]
    of_excess, rows = key in _OF_EXCESS, []
    for universe, arm, group in picked:
        ref = reference(arm.published)
        ref = ref if ref is not None and formed_like(group.get("definitions"), ref.study) else None
        for benchmark, entry in against(group) if of_excess else [("", group["top"])]:
            printed = ref if comparable(benchmark) else None
            given = years_against(group, benchmark)
            cells = [_year(given, printed, key, style, universe, year) for year in years]
            labels = label_cells(words().universe(universe), arm.name)
            labels += label_cells(words().universe(benchmark)) if of_excess else ()
            rows.append((*labels, *cells, _whole(group, entry, key, style, printed)))
    heads: list[str | Metric] = ["universe", "arm", *(["benchmark"] if of_excess else [])]
    columns = [*heads, *map(head, years), head(ALL_YEARS)]
    note = definitions_of(g for _, _, g in picked) if key == "excess" else ""
    return make(name, title, columns, rows, note) if years else None


def _year(
    given: Mapping[str, Mapping[str, object]], ref: Reference | None, key: str, style: str, universe: str, year: str
) -> Cell:
    return year_cell(given, year, key, style, None if ref is None else ref.top_group_year(key, universe, year))


def _whole(group: GroupRecord, top: Mapping[str, object] | None, key: str, style: str, ref: Reference | None) -> Cell:
    """The same over the whole span; an excess is printed by the study as the ratio of NAVs that its years chain to."""
    cell = top_cell(group, top, _WHOLE.get(key, key), style, None if key == "excess" else ref)
    printed = (
        ref.top_group("annual_excess_nav_ratio", group["universe"]) if ref is not None and key == "excess" else None
    )
    return cell if printed is None else replace(cell, published=printed)


def group_bars(content: RunContent, universe: str) -> Figure | None:
    """Annual return of each group, arms side by side."""
    traces, n = [], 0
    for k, arm in enumerate(content.arms):
        group = arm.group(universe)
        if group is not None:
            n = max(n, len(group["annual_return"]))
            numbers = list(range(1, len(group["annual_return"]) + 1))
            traces.append(bars(arm.name, numbers, group["annual_return"], colour(k)))
    look = layout(
        x="plain",
        y_title=Text("return a year", "年化收益"),
        y_format=".0%",
        x_title=Text("group by score, highest on the right", "按得分分组，右侧最高"),
        hover=".2%",
    )
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    look["xaxis"]["tickvals"] = list(range(1, n + 1)) if n <= 10 else [1, *range(5, n + 1, 5)]
    return figure(
        f"group_bars_{slug(universe)}",
        in_universe(Text("Annual return by group", "各组年化收益"), universe),
        traces,
        look,
    )


def top_curve(content: RunContent, universe: str) -> Figure | None:
    """NAV of the top group over that of the index, where the test kept curves."""
    traces = []
    for k, arm in enumerate(content.arms):
        if arm.group_nav is None:
            continue
        frame = arm.group_nav.filter(pl.col("universe") == universe).sort("date")
        if frame.height:
            traces.append(line(arm.name, days(frame), frame["excess_nav"], colour(k)))
        by_cap = "excess_nav_cap_weight"
        if by_cap in frame.columns and frame[by_cap].is_finite().any():
            label = joined(", ", [arm.name, words().universe("cap_weight")])
            traces.append(line(label, days(frame), frame[by_cap], colour(k), dash="dot"))
    look = layout(x="date", y_title=Text("NAV ratio, start = 1", "净值之比（起点为1）"), y_format=".2f")
    return figure(
        f"top_curve_{slug(universe)}",
        in_universe(Text("Top group over its benchmark", "多头组相对基准净值"), universe),
        traces,
        look,
    )


def group_curves(content: RunContent, arm: ArmContent, universe: str) -> Figure | None:
    """NAV of every group of an arm, by week, and of the top over the bottom one (long and short)."""
    frame = arm.group_nav
    if frame is None or "group_1" not in frame.columns:  # of an earlier version
        return None
    frame = frame.filter(pl.col("universe") == universe).sort("date").gather_every(WEEK)
    names = [name for name in frame.columns if name.startswith("group_") and frame[name].is_not_null().any()]
    if len(names) < 2 or frame.height < 2:
        return None
    x, last = days(frame), len(names) - 1
    between = [Text("group {k}", "第{k}组").filled(k=k + 1) for k in range(1, last)]
    inside = [
        line(said, x, frame[name], GREY, width=0.7) | {"showlegend": False}
        for said, name in zip(between, names[1:-1], strict=True)
    ]
    top, bottom = frame[names[-1]], frame[names[0]]
    traces = [
        *inside,
        line(Text("lowest scores", "最低分组"), x, bottom, COLOURS[4]),
        line(Text("highest scores", "最高分组"), x, top, COLOURS[0], width=2.4),
        line(Text("highest over lowest", "多空（最高/最低）"), x, top / bottom, COLOURS[1], dash="dash"),
    ]
    look = layout(x="date", y_title=Text("NAV, start = 1", "净值（起点为1）"), y_format=".2f")
    look = ranged(look, log=True)
    look["yaxis"]["type"], look["updatemenus"][0]["active"] = "log", 1  # of years: the top would hide the others
    title = Text("Every group of {arm}, before cost", "{arm}各组净值（未扣成本）").filled(arm=arm.name)
    return figure(f"group_curves_{slug(universe)}", in_universe(title, universe), traces, look)


def top_year_bars(content: RunContent, universe: str) -> Figure | None:
    """Excess of the best group in each year, arms side by side; a single year needs no figure."""
    traces, forms = [], []
    for k, arm in enumerate(content.arms):
        group = arm.group(universe)
        years = {} if group is None else group["by_year"]
        if group is not None and len(years) > 1:
            of = group.get("definitions")
            forms.append(YEARLY["ratio" if of is None else of["yearly_excess"]])
            heights = [years[year].get("excess") for year in sorted(years)]
            traces.append(bars(arm.name, sorted(years), heights, colour(k)))
    axis_title = joined(": ", [Text("excess", "超额"), joined("; ", dict.fromkeys(forms))])
    look = layout(x="plain", y_title=axis_title, y_format=".0%", hover=".2%")
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    look["xaxis"]["type"] = "category"
    return figure(
        f"top_years_{slug(universe)}",
        in_universe(Text("Excess of the top group by year", "多头组分年度超额"), universe),
        traces,
        look,
    )
