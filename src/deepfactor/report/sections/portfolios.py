"""Each index-enhanced backtest: curves, years, attribution, drawdowns, what bound it, what was refused."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.backtest.records import EpisodeRecord
from deepfactor.core.words import Text, joined
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.content.reading import total
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import (
    ALL,
    Block,
    Charts,
    Fact,
    Facts,
    Folded,
    Framed,
    Heading,
    Said,
    Section,
    Tables,
    columns,
)
from deepfactor.report.press.facts import heading, sentence
from deepfactor.report.press.formats import MISSING, number
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections import _luck as luck
from deepfactor.report.sections import _portfolio_figures as draw
from deepfactor.report.sections import _portfolio_time as time
from deepfactor.report.sections._book import book
from deepfactor.report.sections._cells import ALL_YEARS
from deepfactor.report.sections._definitions import definition_of_portfolio, excess_is
from deepfactor.report.sections._portfolios import known, printed
from deepfactor.report.sections._weights import weights_said

ORDER = 100

RELAXATIONS_SHOWN = 40
EXPOSURES_SHOWN = 4

TITLE = Text("Enhanced index", "指数增强")
NONE_RELAXED = Text(
    "No bound had to be relaxed: every target keeps every constraint.", "没有约束被放松：每次目标持仓都满足全部约束。"
)
NOT_KEPT = Text("Bounds not kept", "未满足的约束")
REFUSED = Text("Refused orders", "未成交委托")
#: How a backtest was measured, by key and value of its summary.
SAID = {
    ("benchmark", "price"): Text("the published price index, without dividends", "公布的价格指数，不含分红"),
    ("benchmark", "replica"): Text(
        "the replica: the market has no level of the index", "复制指数：市场数据没有该指数点位"
    ),
    ("dividend_tax", "ignored"): Text("not charged", "未计"),
}


def section(content: RunContent, make: Maker) -> Section | None:
    """Every index's curves, then a part for each portfolio."""
    if not content.portfolios:
        return None
    each = (portfolio(make, content, p, portfolio_id(k)) for k, p in enumerate(content.portfolios))
    return Section(TITLE, (*side_by_side(make, content), *each), link=TITLE)


def side_by_side(make: Maker, content: RunContent) -> tuple[Block, ...]:
    """All portfolios of an index in one figure, and their differences."""
    indices = dict.fromkeys(p.index for p in content.portfolios)
    by_index = ((one, content, i) for one in (draw.excess_by_index, draw.excess_last_year) for i in indices)
    return Charts(make.all(*by_index)), Tables(make.all((luck.pairs, content)))


def portfolio_id(k: int) -> str:
    """The name of portfolio number `k` on the page, in its tables and figures and in ``report.json``."""
    return f"portfolio_{k + 1}"


def portfolio(make: Maker, content: RunContent, p: PortfolioContent, name: str) -> Framed:
    """One of them; folded in where there are several."""
    facts = Facts(make.many(portfolio_facts, p))
    curves = make.all(*((one, p, name) for one in (draw.portfolio_nav, draw.portfolio_excess, time.monthly_excess)))
    through = make.all(*((one, p, name) for one in (time.rolling_excess, time.leanings, time.trading)))
    gave_way, refused = make.one(relaxations, p, name), make.one(rejected, p, name)
    years = make.all((portfolio_by_year, content, p, name), (luck.placebo, p, name), (luck.seeds, p, name))
    more = make.all((attribution, p, name), (episodes, p, name), (binding, p, name))
    parts = make.all((draw.attribution_curve, p, name), (draw.attribution_bars, p, name))
    kept = [
        *_or_none(refused, REFUSED, Text("No order was refused.", "没有委托被拒绝。"), None),
        *_or_none(gave_way, NOT_KEPT, NONE_RELAXED, ALL),
    ]
    blocks: tuple[Block, ...] = (
        Charts(curves),
        Tables(years, 4),
        Charts(parts),
        *book(make, p, name),
        Charts(through),
        Tables(more, 4),
        columns([Heading(Text("The backtest", "回测设置与结果"), 4), facts], kept),
    )
    title = joined(" · ", [p.arm, words().universe(p.index), p.named])
    if len(content.portfolios) == 1:
        return Framed("portfolio", (Heading(title), *blocks), "article", name)
    return Framed("portfolio", (Folded(title, blocks, "unfolds"),), "article", name)


def _or_none(table: Table | None, title: Text, none: Text, folds: int | None) -> list[Block]:
    """A table, or that there is nothing to list."""
    return [Tables((table,), 4, folds)] if table is not None else [Heading(title, 4), Said(none, "note")]


_PORTFOLIO_FACTS = ("start", "end", "capital", "benchmark", "replica_weights", "dividend_tax")
_COUNTED = ("rebalances", "relaxed_rebalances", "frozen_rebalances", "infeasible_rebalances")

# Columns of a portfolio's tables: key of ``summary.json``, style.
_BY_YEAR = (
    ("excess", "signed_percent"),
    ("excess_gross", "signed_percent"),
    ("excess_replica", "signed_percent"),
    ("excess_total_return", "signed_percent"),
    ("tracking_error", "percent"),
    ("information_ratio", "ratio"),
    ("excess_sharpe", "ratio"),
    ("excess_max_drawdown", "percent"),
    ("calmar", "ratio"),
    ("monthly_win_rate", "share"),
    ("turnover", "share"),
)


def portfolio_by_year(content: RunContent, p: PortfolioContent, name: str) -> Table | None:
    """Years down, statistics across, the whole span last."""
    spans = [*sorted(p.summary.get("by_year", {}).items()), ("all", p.summary["all"])]
    shown = known(_BY_YEAR, [entry for _, entry in spans])
    rows = []
    for year, entry in spans:
        label = ALL_YEARS if year == "all" else year
        numbers = (value_cell(entry, key, style, printed(content, p, key, year)) for key, style in shown)
        rows.append((*label_cells(label), *numbers))
    note = excess_is(definition_of_portfolio(p))
    return make(
        f"{name}_by_year",
        Text("By year, after cost", "分年度（费后）"),
        ("year", *(key for key, _ in shown)),
        rows,
        note,
    )


def relaxations(p: PortfolioContent, name: str) -> Table | None:
    """The bounds that gave way, the first of them if there are many."""
    frame = p.relaxations
    if frame.is_empty():
        return None
    rows = [
        (
            *label_cells(row["date"], words().term(row["constraint"]), words().term(row.get("row") or "")),
            value_cell(row, "bound", "loss"),
            value_cell(row, "value", "loss"),
            *label_cells(words().term(row.get("reason") or MISSING)),
        )
        for row in frame.head(RELAXATIONS_SHOWN).iter_rows(named=True)
    ]
    more = Text(
        "The first {shown} of {total}; all of them are in relaxations.parquet.",
        "共{total}项，仅列前{shown}项；全部见relaxations.parquet。",
    ).filled(shown=len(rows), total=frame.height)
    note = more if frame.height > len(rows) else ""
    columns = ("date", "constraint", "row", "bound", "value", "why_relaxed")
    return make(f"{name}_relaxations", NOT_KEPT, columns, rows, note)


def rejected(p: PortfolioContent, name: str) -> Table | None:
    """Refused orders by reason, most frequent first."""
    counts = sorted(p.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows = [(*label_cells(words().term(reason)), Cell(count, "count")) for reason, count in counts]
    return make(f"{name}_rejected", REFUSED, ("reason", "orders"), rows)


def episodes(p: PortfolioContent, name: str) -> Table | None:
    """The deepest excess drawdowns with the exposures at their start."""
    rows = []
    for entry in p.summary.get("episodes") or ():
        rows.append(
            (
                *label_cells(entry["start"], entry["trough"], entry.get("recovery") or MISSING),
                value_cell(entry, "depth", "percent"),
                value_cell(entry, "days_down", "count"),
                value_cell(entry, "days_up", "count"),
                *label_cells(_exposures(entry.get("exposures_at_start") or {})),
            )
        )
    columns = ("start", "trough", "recovery", "depth", "days_down", "days_up", "exposures")
    return make(
        f"{name}_episodes",
        Text("Deepest excess drawdowns", "最深的超额回撤"),
        columns,
        rows,
        Text("Of the ratio of net asset values, portfolio / index.", "以组合净值与指数净值之比计。"),
    )


def _exposures(given: Mapping[str, float | None]) -> Text:
    known = [(style, value) for style, value in given.items() if value is not None]
    largest = sorted(known, key=lambda item: -abs(item[1]))[:EXPOSURES_SHOWN]
    parts = [joined(" ", [words().term(style), number(value, "signed")]) for style, value in largest]
    return joined(", ", parts) if parts else Text(MISSING)


def binding(p: PortfolioContent, name: str) -> Table | None:
    """Bounds that held the solution back, most frequent first."""
    given = sorted(p.summary.get("binding") or (), key=lambda entry: -(entry.get("share_of_rebalances") or 0.0))
    rows = [
        (
            *label_cells(words().term(entry["constraint"]), words().term(entry.get("row") or "")),
            value_cell(entry, "share_of_rebalances", "share"),
            value_cell(entry, "mean_shadow_price", "loss"),
        )
        for entry in given[:RELAXATIONS_SHOWN]
    ]
    columns = ("constraint", "row", "share_binding", "shadow_price")
    return make(
        f"{name}_binding",
        Text("Binding constraints and shadow prices", "起作用的约束与影子价格"),
        columns,
        rows,
        Text("Which bounds shaped the portfolio, and what they cost.", "哪些约束塑造了组合，代价几何。"),
    )


_PARTS = ("styles", "industries", "selection", "cost", "cash_and_rounding", "active")


def attribution(p: PortfolioContent, name: str) -> Table | None:
    """Where the active return comes from: years down, parts across, the whole span last."""
    given = p.summary.get("attribution")
    if not given:
        return None
    spans = [*sorted(given.get("by_year", {}).items()), ("all", given["all"])]
    rows = []
    for year, entry in spans:
        label = ALL_YEARS if year == "all" else year
        rows.append((*label_cells(label), *(Cell(total(entry.get(k)), "signed_percent") for k in _PARTS)))
    columns: list[str | Metric] = ["year", "styles_part", "industries_part", "selection_part", "cost_part", "cash_part"]
    method = words().sentence(str(p.summary.get("attribution_method") or MISSING))
    note = Text(
        "The parts add to the active return. Method: {method}.", "各部分之和等于主动收益。方法：{method}。"
    ).filled(method=method)
    return make(
        f"{name}_attribution_table",
        Text("Attribution of the active return", "主动收益归因"),
        [*columns, "active_part"],
        rows,
        note,
    )


def portfolio_facts(p: PortfolioContent) -> list[Fact]:
    """How the backtest was measured, its deepest excess drawdown, its costs and counts."""
    whole, summary = p.summary["all"], p.summary
    facts: list[Fact] = [(key, _stated(p, key)) for key in _PORTFOLIO_FACTS if summary.get(key) is not None]
    facts.append(("definition", definition_of_portfolio(p)))
    if (deepest := whole.get("excess_drawdown")) is not None:
        facts.append(("deepest_excess_drawdown", _episode(deepest)))
    facts += [("cost", _said("cost", whole["cost"]))] if whole.get("cost") is not None else []
    facts += [(key, number(whole.get(key), "count")) for key in _COUNTED if key in whole]
    facts += [("trades", number(p.trades, "count"))] if p.trades is not None else []
    facts += [(key, number(count, "count")) for key, count in summary.get("counts", {}).items() if count]
    return [(_labels(key), value) for key, value in facts]


def _labels(path: str) -> Text:
    """A count's dotted name, part by part."""
    first, *rest = path.split(".")
    return joined(" · ", [heading(first), *map(words().term, rest)])


def _stated(p: PortfolioContent, key: str) -> str:
    """A fact of the whole backtest in words."""
    made = weights_said(p.summary) if key == "replica_weights" else None
    return _said(key, p.summary.get(key)) if made is None else made


def _said(key: str, value: object) -> str:
    """A fact of ``summary.json`` in words where there are some for its value."""
    if key in ("capital", "cost"):
        return f"{number(value, 'count')} CNY"
    return SAID.get((key, str(value))) or sentence(value)


def _episode(episode: EpisodeRecord) -> str:
    form = (
        Text("from {start} to {trough}, recovered on {recovery}", "{start}至{trough}，{recovery}修复")
        if episode.get("recovery")
        else Text("from {start} to {trough}, not recovered by the end", "{start}至{trough}，期末尚未修复")
    )
    dates = form.filled(start=episode["start"], trough=episode["trough"], recovery=episode.get("recovery"))
    return joined(", ", [number(episode["depth"], "percent"), dates])
