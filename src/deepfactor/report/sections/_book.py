"""A portfolio as it is held: largest holdings, where it leans, and its last trades."""

from __future__ import annotations

from typing import Any

import polars as pl

from deepfactor.core.words import Text
from deepfactor.report.content import PortfolioContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Tables, columns
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make
from deepfactor.report.press.words import words

#: Rows of a table, and industries on either side.
LARGEST, SIDE = 10, 4
_STOCK = Text("Stock", "股票")
_ACTIVE = Text("Active", "主动")
_WEIGHT = Text("Weight", "权重")
_UNKNOWN = Text("without a known one", "行业未知")
_SIDES = {"buy": Text("buy", "买入"), "sell": Text("sell", "卖出")}


def book(make_part: Maker, p: PortfolioContent, name: str) -> list[Block]:
    """The blocks of a book; empty where the run was made before its weights were kept."""
    left = make_part.all((holdings, p, name), (fills, p, name))
    right = make_part.all((styles, p, name), (industries, p, name))
    return [columns([Tables(left, 4)], [Tables(right, 4)])] if left or right else []


def holdings(p: PortfolioContent, name: str) -> Table | None:
    """The largest weights of the last rebalance, beside the index's."""
    if p.weights is None or p.weights.is_empty():
        return None
    held = p.weights.filter(pl.col("realised_weight") > 0).sort("realised_weight", "symbol", descending=[True, False])
    top = held.head(LARGEST)
    rows = [
        (
            *label_cells(one["symbol"]),
            Cell(one["realised_weight"], "percent"),
            Cell(one["benchmark_weight"], "percent"),
            Cell(one["realised_weight"] - one["benchmark_weight"], "signed_percent"),
        )
        for one in top.iter_rows(named=True)
    ]
    heads = (head("symbol", _STOCK), head("weight", _WEIGHT), head("index_weight", Text("In the index", "指数权重")),
             head("active", _ACTIVE))  # fmt: skip
    note = Text(
        "{n} stocks are held; the {k} largest are {share} of the book. Weights after the fills of the signal of {day}.",
        "共持有{n}只；前{k}大合计占{share}。为{day}信号成交后的权重。",
    ).filled(n=held.height, k=top.height, share=f"{top['realised_weight'].sum():.1%}", day=p.weights["date"][0])
    return make(f"{name}_holdings", Text("Largest holdings", "前十大持仓"), heads, rows, note)


def _leanings(p: PortfolioContent, part: str) -> list[tuple[str, float]]:
    """Names and active exposures of the last day, the largest first."""
    if p.exposures is None or p.exposures.is_empty():
        return []
    last = p.exposures.filter((pl.col("part") == part) & (pl.col("date") == pl.col("date").max()))
    return sorted(last.select("name", "active").iter_rows(), key=lambda one: -one[1])


def styles(p: PortfolioContent, name: str) -> Table | None:
    """Active exposures to styles, in cross-sectional standard deviations."""
    rows = [(*label_cells(words().term(style)), Cell(x, "signed")) for style, x in _leanings(p, "style")]
    heads = (head("style", Text("Style", "风格")), head("exposure", Text("Active exposure", "主动暴露")))
    note = Text("In cross-sectional standard deviations, at the last close.", "以截面标准差计，最后收盘日。")
    return make(f"{name}_styles_held", Text("Styles", "风格"), heads, rows, note)


def industries(p: PortfolioContent, name: str) -> Table | None:
    """Active weights of the industries that lie furthest above and below the index's."""
    every = _leanings(p, "industry")
    shown = every if len(every) <= 2 * SIDE else [*every[:SIDE], *every[-SIDE:]]
    rows = [(*label_cells(_UNKNOWN if name == "unknown" else name), Cell(x, "signed_percent")) for name, x in shown]
    heads = (head("industry", Text("Industry", "行业")), head("active", Text("Active weight", "主动权重")))
    note = Text("The furthest above and below the index, of {n}.", "相对指数超配与低配最多者，共{n}个行业。").filled(
        n=len(every)
    )
    return make(f"{name}_industries_held", Text("Industries", "行业"), heads, rows, note)


def fills(p: PortfolioContent, name: str) -> Table | None:
    """The largest trades of the last day with any, by value."""
    if p.filled is None or p.filled.is_empty():
        return None
    valued = p.filled.with_columns(value=pl.col("shares") * pl.col("price"))
    valued = valued.sort("value", "symbol", descending=[True, False])
    rows = [_fill(one) for one in valued.head(LARGEST).iter_rows(named=True)]
    heads = (head("symbol", _STOCK), head("side", Text("Side", "方向")), head("shares", Text("Shares", "股数")),
                       head("price", Text("Price", "价格")), head("value", Text("CNY", "金额（元）")))  # fmt: skip
    sums = {side: valued.filter(pl.col("side") == side)["value"].sum() for side in _SIDES}
    note = Text(
        "{n} trades on {day}: bought for {buy}, sold for {sell} CNY; the largest are shown.",
        "{day}共{n}笔成交：买入{buy}元，卖出{sell}元；此处列最大者。",
    ).filled(n=valued.height, day=valued["date"][0], buy=f"{sums['buy']:,.0f}", sell=f"{sums['sell']:,.0f}")
    return make(f"{name}_fills", Text("Latest trades", "最近成交"), heads, rows, note)


def _fill(one: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        *label_cells(one["symbol"], _SIDES[one["side"]]),
        Cell(one["shares"], "count"),
        Cell(one["price"], "ratio"),
        Cell(one["value"], "count"),
    )
