"""Pages of a portfolio: its curves and signal days, a day's walk, a stock through all days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from deepfactor.core.days import day_of
from deepfactor.core.words import Text
from deepfactor.pipeline.walking import DayWalk, walk
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Drawn, Fact, Facts, Said, Tables, columns
from deepfactor.report.press.formats import number
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections import portfolios
from deepfactor.runs.results import read_frame
from deepfactor.workbench.pages import Crumb, Page, Press, address, only
from deepfactor.workbench.runs import RUNS, portfolio_address, portfolio_title
from deepfactor.workbench.shelf import NotHere, Shelf

#: Names of the best score that were passed over, that a page shows.
PASSED_OVER = 60

_SYMBOL = head("symbol", Text("Stock", "股票"))
_HEADS: dict[str, Metric] = {
    name: Metric(name, label, "", what)
    for name, label, what in (
        ("rank", Text("Rank", "名次"), Text("Place by score on the day, 1 = best.", "当日得分名次，1为最高。")),
        ("score", Text("Score", "得分"), Text("The arm's score.", "模型得分。")),
        ("weight", Text("Target", "目标权重"), Text("The optimiser's weight.", "优化器给出的权重。")),
        ("benchmark", Text("Index", "指数权重"), Text("The index's weight.", "指数中的权重。")),
        ("active", Text("Active", "主动权重"), Text("Target less index.", "目标权重减指数权重。")),
        (
            "drifted",
            Text("Before", "调仓前"),
            Text("The book's weight at the signal's close.", "信号日收盘时的持仓权重。"),
        ),
        ("change", Text("Trade", "交易"), Text("Target less the weight before.", "目标权重减调仓前权重。")),
        ("realised", Text("Filled", "成交后"), Text("Weight after the fills.", "成交后的权重。")),
        ("bound", Text("Own bound", "个股约束"), Text("A bound on this stock that binds.", "该股上起作用的约束。")),
        (
            "price",
            Text("Shadow price", "影子价格"),
            Text("Change of the objective per unit that the bound is raised.", "约束放宽一个单位时目标函数的变化。"),
        ),
        ("industry", Text("Industry", "行业"), Text("As known on the day.", "当日所属行业。")),
        (
            "later",
            Text("Return since", "其后收益"),
            Text("Close to close until the next signal day, with dividends.", "至下一信号日的收盘价收益（含分红）。"),
        ),
        ("why_not", Text("Why not", "未买原因"), Text("What stood against buying it.", "未买入的原因。")),
        ("limit", Text("Bound", "界限"), Text("In the constraint's own unit.", "以该约束自身单位计。")),
        ("constraint", Text("Constraint", "约束"), ""),
        ("row", Text("Row", "行"), ""),
        ("came_out", Text("Came out", "实际值"), ""),
        ("reason", Text("Why", "原因"), ""),
        ("day", Text("Signal day", "信号日"), ""),
        ("fill", Text("Filled on", "成交日"), ""),
        ("names", Text("In the problem", "参与股票数"), ""),
        ("held", Text("Held", "持有数"), ""),
        (
            "turnover",
            Text("Turnover", "换手"),
            Text("Bought and sold over the book's value.", "买入与卖出额之和除以组合市值。"),
        ),
        ("objective", Text("Objective", "目标函数"), Text("Sum of score × weight.", "得分×权重之和。")),
        ("cost", Text("Cost, CNY", "成本（元）"), ""),
        ("binding", Text("Binding", "起作用的约束"), Text("Bounds with a price.", "有影子价格的约束个数。")),
        ("relaxed", Text("Not kept", "未满足的约束"), ""),
        ("side", Text("Side", "方向"), ""),
        ("shares", Text("Shares", "股数"), ""),
        ("fill_price", Text("Price", "价格"), ""),
    )
}
_STATES = {
    "frozen": Text("can't be traded: suspended, or closed at a limit", "无法交易：停牌或收于涨跌停价"),
    "st": Text("under special treatment, which these constraints exclude", "风险警示股，约束将其排除"),
}
_INDUSTRY_FULL = Text("its industry {industry} is at its upper bound", "所属行业{industry}已达上限")
_BOUNDS = Text("costs more in bounds than it brings; see “solve again”", "占用约束的代价高于其得分，见“重新求解”")


def heads(*names: str) -> list[Metric]:
    """Columns of these pages, by name."""
    return [_SYMBOL if name == "symbol" else _HEADS[name] for name in names]


def portfolio_page(shelf: Shelf, run: str, arm: str, index: str, constraints: str) -> Page:
    """A portfolio: its part of the report, and its signal days."""
    _, place = shelf.portfolio(run, arm, index, constraints)
    p = shelf.portfolio_content(run, arm, index, constraints)
    content = replace(shelf.content(run), portfolios=(p,))
    own = portfolio_address(run, p)
    rebalances = read_frame(place / "rebalances.parquet")
    counted = [
        read_frame(place / f"{name}.parquet").group_by("date").len(name=name) for name in ("binding", "relaxations")
    ]
    for count in counted:
        rebalances = rebalances.join(count, on="date", how="left")
    table = make(
        "signal_days",
        Text("Signal days", "信号日"),
        heads("day", "fill", "names", "held", "turnover", "objective", "cost", "binding", "relaxed"),
        [_day_row(own, row) for row in rebalances.sort("date", descending=True).iter_rows(named=True)],
        Text(
            "A day leads to its walk: who was held, why, and who was passed over.",
            "点击日期查看当日：持有哪些股票、原因以及未买入的股票。",
        ),
    )
    framed = portfolios.portfolio(Maker([]), content, p, "portfolio_1")
    blocks = framed.blocks[1:]  # its heading is the page's title
    days = [only(Tables((table,), 2))] if table is not None else []
    whole = only(*blocks, title=Text("The whole span", "全部区间"))
    return Page(portfolio_title(p), [*days, whole], crumbs_of(run), simulated=content.simulated)


def _day_row(own: str, row: dict[str, Any]) -> tuple[Cell, ...]:
    turnover = None if row["bought"] is None else row["bought"] + row["sold"]
    return (
        Cell(str(row["date"]), link=f"{own}/day/{row['date']}"),
        *label_cells(row["fill_date"] or "–"),
        Cell(row["names"], "count"),
        Cell(row["held"], "count"),
        Cell(turnover, "percent"),
        Cell(row["objective"], "loss"),
        Cell(row["cost"], "count"),
        Cell(row["binding"] or 0, "count"),
        Cell(row["relaxations"] or 0, "count"),
    )


def read_day(text: str) -> date:
    """The day of an address; a `NotHere` where it is none."""
    try:
        return day_of(text)
    except ValueError:
        raise NotHere(f"{text!r} is no day") from None


def day_page(shelf: Shelf, run: str, arm: str, index: str, constraints: str, day: date) -> Page:
    """A signal day: what bound it, who was held, who was passed over."""
    folder, place = shelf.portfolio(run, arm, index, constraints)
    p = shelf.portfolio_content(run, arm, index, constraints)
    own = portfolio_address(run, p)
    seen = walk(shelf.market(), folder, place, day)
    held = seen.names.filter((pl.col("weight") > 1e-9) | (pl.col("drifted_weight") > 1e-9))
    passed = seen.names.filter((pl.col("weight") <= 1e-9) & pl.col("score").is_not_null()).head(PASSED_OVER)
    tables = [
        make(
            "held",
            Text("Held or sold, the best score first", "持有与卖出，按得分排序"),
            heads(*_HELD),
            [_held(own, row) for row in held.iter_rows(named=True)],
        ),
        make(
            "passed_over",
            Text("Best scores that were passed over", "得分高而未买入的股票"),
            heads(*_PASSED),
            _passed(own, seen, passed),
        ),
    ]
    sections = [only(columns((Facts(_facts(seen)), _solve_link(own, day)), _bounds(seen)))]
    sections += [only(Tables((table,), 2)) for table in tables if table is not None]
    title = Text("Signal of {day}", "{day}的信号").filled(day=day)
    crumbs = [*crumbs_of(run), (portfolio_title(p), own)]
    return Page(
        title, sections, crumbs, _neighbours(own, seen), lead=portfolio_title(p), simulated=shelf.content(run).simulated
    )


def _neighbours(own: str, seen: DayWalk) -> list[Crumb]:
    near = ((Text("← {day}", "← {day}"), seen.earlier), (Text("{day} →", "{day} →"), seen.later))
    return [(said.filled(day=day), f"{own}/day/{day}") for said, day in near if day is not None]


def _solve_link(own: str, day: date) -> Block:
    said = Text("Solve this day again under other constraints", "以其他约束重新求解当日")
    link = (said, f"{own}/day/{day}/solve")
    return Drawn(Press("", False).form("links.html.j2", links=[link]))


def _facts(seen: DayWalk) -> tuple[Fact, ...]:
    row = seen.rebalance
    turnover = None if row["bought"] is None else row["bought"] + row["sold"]
    return (
        (Text("Filled on", "成交日"), str(seen.fill_date or "–")),
        (Text("Stocks in the problem", "参与优化的股票"), number(row["names"], "count")),
        (Text("Held in the target", "目标持有"), number(row["held"], "count")),
        (Text("Not tradeable at the close", "收盘时无法交易"), number(row["frozen"], "count")),
        (Text("Turnover, both sides", "双边换手"), number(turnover, "percent")),
        (Text("Cost, CNY", "成本（元）"), number(row["cost"], "count")),
        (Text("Objective", "目标函数"), number(row["objective"], "loss")),
    )


def _bounds(seen: DayWalk) -> tuple[Block, ...]:
    """What bound the day, rows of the whole book first; what could not be kept."""
    stocks = set(seen.names["symbol"].to_list())
    rows = seen.binding.filter(~pl.col("row").is_in(list(stocks)))
    own = seen.binding.filter(pl.col("row").is_in(list(stocks)))
    shown = [binding_row(row) for row in rows.sort(pl.col("shadow_price").abs(), descending=True).iter_rows(named=True)]
    for (name,), group in own.group_by("constraint", maintain_order=True):
        many = Text("{n} stocks, each by itself", "{n}只股票各自").filled(n=group.height)
        price = group["shadow_price"].abs().mean()
        shown.append((*label_cells(words().term(name), many), Cell(None, "plain"), Cell(price, "loss")))  # type: ignore[arg-type]
    note = Text(
        "A price says what the objective gains per unit that the bound is raised; of stocks, its mean size.",
        "影子价格为约束放宽一个单位时目标函数的变化；个股约束列其绝对值均值。",
    )
    bind = make(
        "binding", Text("What bound the day", "起作用的约束"), heads("constraint", "row", "limit", "price"), shown, note
    )
    relaxed = relaxed_table(seen.relaxed)
    tables = tuple(table for table in (bind, relaxed) if table is not None)
    none = Said(Text("Nothing bound this day.", "当日没有约束起作用。"))
    return (Tables(tables, 2) if tables else none,)


def binding_row(row: dict[str, Any]) -> tuple[Cell, ...]:
    """A bound that binds, with its price."""
    return (
        *label_cells(words().term(row["constraint"]), words().term(row["row"])),
        Cell(row["bound"], "plain"),
        Cell(row["shadow_price"], "loss"),
    )


def relaxed_table(rows: pl.DataFrame) -> Table | None:
    """Bounds that could not be kept."""
    cells = [
        (
            *label_cells(words().term(row["constraint"]), words().term(row["row"])),
            Cell(row["bound"], "plain"),
            Cell(row["value"], "plain"),
            *label_cells(words().term(row["reason"])),
        )
        for row in rows.iter_rows(named=True)
    ]
    named = heads("constraint", "row", "limit", "came_out", "reason")
    return make("not_kept", Text("Bounds not kept", "未满足的约束"), named, cells)


_HELD = (
    "symbol",
    "rank",
    "score",
    "weight",
    "benchmark",
    "active",
    "drifted",
    "change",
    "realised",
    "bound",
    "price",
    "industry",
    "later",
)
_PASSED = ("symbol", "rank", "score", "benchmark", "industry", "later", "why_not")


def _held(own: str, row: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        Cell(row["symbol"], link=f"{own}/stock/{row['symbol']}"),
        Cell(row["rank"], "count"),
        Cell(row["score"], "ic"),
        Cell(row["weight"], "percent"),
        Cell(row["benchmark_weight"], "percent"),
        Cell(row["weight"] - row["benchmark_weight"], "signed_percent"),
        Cell(row["drifted_weight"], "percent"),
        Cell(row["weight"] - row["drifted_weight"], "signed_percent"),
        Cell(row["realised_weight"], "percent"),
        *label_cells(words().term(row["bound"]) if row["bound"] else "–"),
        Cell(row["price"], "loss"),
        *label_cells(row["industry"] or "–"),
        Cell(row["later_return"], "signed_percent"),
    )


def _passed(own: str, seen: DayWalk, passed: pl.DataFrame) -> list[tuple[Cell, ...]]:
    industries = seen.binding.filter(pl.col("constraint").str.contains("industry") & (pl.col("shadow_price") > 0))
    full = set(industries["row"].to_list())
    return [
        (
            Cell(row["symbol"], link=f"{own}/stock/{row['symbol']}"),
            Cell(row["rank"], "count"),
            Cell(row["score"], "ic"),
            Cell(row["benchmark_weight"], "percent"),
            *label_cells(row["industry"] or "–"),
            Cell(row["later_return"], "signed_percent"),
            *label_cells(_why_not(row, full)),
        )
        for row in passed.iter_rows(named=True)
    ]


def _why_not(row: dict[str, Any], full: set[str]) -> Text:
    if row["state"]:
        return _STATES[row["state"]]
    return _INDUSTRY_FULL.filled(industry=row["industry"]) if row["industry"] in full else _BOUNDS


def crumbs_of(run: str) -> list[Crumb]:
    """The pages above a portfolio."""
    return [
        RUNS,
        (run, address("run", run)),
        (Text("Enhanced index", "指数增强"), address("run", run, "section", "portfolios")),
    ]
