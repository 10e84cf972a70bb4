"""The page of a stock: its score, weight, price and trades through a portfolio's days."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Text
from deepfactor.pipeline.walking import StockWalk, stock_walk
from deepfactor.report.press.blocks import Charts, Tables
from deepfactor.report.press.drawing import Figure, Plot, axis, colour, figure, layout, line
from deepfactor.report.press.tables import Cell, Table, label_cells, make
from deepfactor.report.press.words import words
from deepfactor.workbench.days import crumbs_of, heads
from deepfactor.workbench.pages import Page, only
from deepfactor.workbench.runs import portfolio_address, portfolio_title
from deepfactor.workbench.shelf import NotHere, Shelf

#: The latest signal days and trades that a page shows.
LATEST = 60
_SIDES = {"buy": Text("buy", "买入"), "sell": Text("sell", "卖出")}


def stock_page(shelf: Shelf, run: str, arm: str, index: str, constraints: str, symbol: str) -> Page:
    """A stock through all signal days: score, weight, price, trades."""
    folder, place = shelf.portfolio(run, arm, index, constraints)
    p = shelf.portfolio_content(run, arm, index, constraints)
    own = portfolio_address(run, p)
    if symbol not in set(shelf.market().panel.symbols.tolist()):
        raise NotHere(f"this market has no stock {symbol!r}")
    seen = stock_walk(shelf.market(), folder, place, symbol)
    tables = tuple(table for table in (_signals(own, seen), _trades(seen)) if table is not None)
    lead = Text("{industry}; as {portfolio} saw it", "{industry}；组合：{portfolio}").filled(
        industry=seen.industry or "–", portfolio=portfolio_title(p)
    )
    sections = [only(Charts(tuple(_curves(seen)))), only(Tables(tables, 2))]
    return Page(
        symbol,
        sections,
        [*crumbs_of(run), (portfolio_title(p), own)],
        lead=lead,
        simulated=shelf.content(run).simulated,
    )


def _curves(seen: StockWalk) -> list[Figure]:
    signals, days = seen.signals, [str(day) for day in seen.signals["date"].to_list()]
    weights = layout(x="date", y_title="", y_format=".1%", hover=".2%")
    score = layout(x="date", y_title=Text("score", "得分"), y_format=".2f")
    price = layout(x="date", y_title=Text("CNY, adjusted", "元，复权"), y_format=".2f")
    stepped: list[Plot] = [
        line(said, days, signals[name].fill_null(0.0), colour(k))
        | {"line": {"color": colour(k), "width": 1.6, "shape": "hv"}}
        for k, (said, name) in enumerate(
            ((Text("target", "目标"), "weight"), (Text("index", "指数"), "benchmark_weight"))
        )
    ]
    ranks = line(Text("rank", "名次"), days, signals["rank"], colour(1), width=1.2, dash="dot") | {"yaxis": "y2"}
    score["yaxis2"] = axis(Text("rank", "名次"), ",d") | {
        "overlaying": "y",
        "side": "right",
        "autorange": "reversed",
        "showgrid": False,
    }
    made = (
        figure("stock_weight", Text("Weight on signal days", "信号日的权重"), stepped, weights),
        figure(
            "stock_score",
            Text("Score and rank on signal days", "信号日的得分与名次"),
            [line(Text("score", "得分"), days, signals["score"], colour(0)), ranks],
            score,
        ),
        figure(
            "stock_price",
            Text("Price, with dividends", "复权价格"),
            [
                line(
                    Text("price", "价格"),
                    [str(day) for day in seen.prices["date"].to_list()],
                    seen.prices["close"],
                    colour(0),
                )
            ],
            price,
            wide=True,
        ),
    )
    return [one for one in made if one is not None]


def _signals(own: str, seen: StockWalk) -> Table | None:
    shown = seen.signals.filter(pl.col("score").is_not_null() | pl.col("weight").is_not_null())
    rows = [
        (
            Cell(str(row["date"]), link=f"{own}/day/{row['date']}"),
            Cell(row["rank"], "count"),
            Cell(row["score"], "ic"),
            Cell(row["weight"] or 0.0, "percent"),
            Cell(row["benchmark_weight"] or 0.0, "percent"),
            Cell((row["weight"] or 0.0) - (row["benchmark_weight"] or 0.0), "signed_percent"),
            Cell(row["realised_weight"], "percent"),
            *label_cells(words().term(row["bound"]) if row["bound"] else "–"),
            Cell(row["price"], "loss"),
        )
        for row in shown.sort("date", descending=True).head(LATEST).iter_rows(named=True)
    ]
    columns = heads("day", "rank", "score", "weight", "benchmark", "active", "realised", "bound", "price")
    note = Text("The latest {n}.", "最近{n}个。").filled(n=LATEST) if shown.height > LATEST else ""
    return make("signals_of_stock", Text("Signal days", "信号日"), columns, rows, note)


def _trades(seen: StockWalk) -> Table | None:
    rows = [
        (
            *label_cells(row["date"], _SIDES[row["side"]]),
            Cell(row["shares"], "count"),
            Cell(row["price"], "ratio"),
            Cell(row["cost"], "count"),
            *label_cells(words().term(row["reason"])),
        )
        for row in seen.trades.sort("date", descending=True).head(LATEST).iter_rows(named=True)
    ]
    columns = heads("fill", "side", "shares", "fill_price", "cost", "reason")
    return make("trades_of_stock", Text("Trades", "成交"), columns, rows)
