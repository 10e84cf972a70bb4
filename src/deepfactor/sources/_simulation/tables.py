"""The market's tables and the oracle's, as vendors would deliver them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray, Bools, Float32, Float64, Ints, Symbols
from deepfactor.market.boards import Board
from deepfactor.sources._simulation.alpha import ORACLE_HORIZONS
from deepfactor.sources._simulation.day_loop import World
from deepfactor.sources._simulation.indices import Index, intervals, weight_days
from deepfactor.sources._simulation.market import History
from deepfactor.sources._simulation.settings import PARTS, VISIBLE
from deepfactor.sources._simulation.statements import BALANCES, FLOWS


def daily(world: World, history: History) -> pl.DataFrame:
    """Table `daily`, by symbol and date: a row for each listed stock and day.

    A suspended day is a row with ``is_suspended``, volume and amount 0, and all prices at the day's reference.
    """
    days = history.days
    stock, t = np.nonzero(days.alive.T)

    def take(field: AnyArray) -> AnyArray:
        return field[t, stock]

    def yuan(field: AnyArray) -> Float64:
        return take(field) / 100.0

    def limit(field: AnyArray) -> pl.Series:
        price = yuan(field)
        return pl.Series(np.where(price > 0, price, np.nan)).fill_nan(None)

    volume = take(days.volume).astype(np.float64)
    return pl.DataFrame(
        {
            **_keys(world.firms.symbols, history, stock, t),
            "open": yuan(days.open),
            "high": yuan(days.high),
            "low": yuan(days.low),
            "close": yuan(days.close),
            "volume": volume,
            "amount": np.round(np.round(yuan(days.vwap), 4) * volume, 2),
            "adj_factor": np.round(take(days.adj_factor), 8),
            "prev_close": yuan(days.reference),
            "turnover": take(days.turnover),
            "total_mv": np.round(take(history.total_cap), 2),
            "float_mv": np.round(take(history.float_cap), 2),
            "is_st": take(history.st),
            "is_suspended": ~take(days.traded),
            "limit_up": limit(days.limit_up),
            "limit_down": limit(days.limit_down),
        }
    )


def securities(world: World, history: History) -> pl.DataFrame:
    """Table `securities`: stocks of `daily`. `delist_date` is the first day on which a stock is no longer listed."""
    firms = world.firms
    ever = np.flatnonzero(history.days.alive.any(axis=0))
    gone = history.delist_row[ever]
    left = np.where(gone >= 0, world.clock.days[np.maximum(gone, 0)], np.datetime64("NaT", "D"))
    return pl.DataFrame(
        {
            "symbol": firms.symbols[ever],
            "name": [f"Simulated {symbol[:6]}" for symbol in firms.symbols[ever]],
            "board": [Board(int(board)).name.lower() for board in firms.board[ever]],
            "list_date": firms.list_date[ever],
            "delist_date": left,
        }
    )


def industry(world: World, history: History) -> pl.DataFrame:
    """Table `industry`: each stock's one industry, from its listing on."""
    ever = np.flatnonzero(history.days.alive.any(axis=0))
    return pl.DataFrame(
        {
            "symbol": world.firms.symbols[ever],
            "industry": [f"I{number + 1:02d}" for number in world.firms.industry[ever]],
            "start_date": world.firms.list_date[ever],
            "end_date": pl.Series([None] * len(ever), dtype=pl.Date),
        }
    )


def index_members(world: World, history: History, indices: dict[str, Index]) -> pl.DataFrame:
    """Table `index_members`: spans with both ends inclusive, null = still a member on the last day."""
    frames = []
    for code, index in sorted(indices.items()):
        stock, first, last = intervals(index.members)
        still = last == len(history.dates) - 1
        frames.append(
            pl.DataFrame(
                {
                    "index": [code] * len(stock),
                    "symbol": world.firms.symbols[stock],
                    "start_date": history.dates[first],
                    "end_date": np.where(still, np.datetime64("NaT", "D"), history.dates[last]),
                }
            )
        )
    return pl.concat(frames)


def index_weights(world: World, history: History, indices: dict[str, Index]) -> pl.DataFrame:
    """Table `index_weights`: float-cap weights at the close, on the days of `indices.weight_days`."""
    frames = []
    for code, index in sorted(indices.items()):
        published = np.flatnonzero(weight_days(index.members, world.clock))
        day, stock = np.nonzero(index.members[published])
        t = published[day]
        frames.append(
            pl.DataFrame(
                {
                    "index": [code] * len(t),
                    "date": history.dates[t],
                    "symbol": world.firms.symbols[stock],
                    "weight": index.weights[t, stock],
                }
            )
        )
    return pl.concat(frames)


def index_daily(history: History, indices: dict[str, Index]) -> pl.DataFrame:
    """Table `index_daily`: price and total-return levels, 1000 on the first day."""
    frames = [
        pl.DataFrame(
            {
                "index": [code] * len(history.dates),
                "date": history.dates,
                "close": np.round(index.close, 4),
                "total_return_close": np.round(index.total_return_close, 4),
            }
        )
        for code, index in sorted(indices.items())
    ]
    return pl.concat(frames)


def calendar(world: World) -> pl.DataFrame:
    """Table `calendar`: trading days to a year past the last day."""
    return pl.DataFrame({"date": world.clock.announced})


def fundamentals(world: World, history: History) -> pl.DataFrame:
    """Table `fundamentals`, by symbol, item and day: a row an item of each statement known by the last day.

    `known_at` is the trading day after the announcement. A restatement is a row more, with a later `known_at`. Flows
    are those of the single quarter (suffix ``_q``). Nothing from firms that are not listed yet or no longer.
    """
    statements, clock = world.statements, world.clock
    ever: Bools = np.any(history.days.alive, axis=0)
    gone = np.where(history.delist_row >= 0, history.delist_row, clock.stop)
    beyond = np.minimum(gone, clock.stop) + statements.offset
    symbols = pl.Series("symbol", world.firms.symbols.tolist(), dtype=pl.String)
    items = sorted((*FLOWS, *BALANCES))
    frames = []
    for known, there, values in (
        (statements.known, ever[None, :], statements.items),
        (statements.restated_known, statements.restated & ever, statements.restated_items),
    ):
        stock, quarter = np.nonzero((there & (known < beyond)).T)
        for item in (name for name in items if name in values):
            columns = {
                "stock": stock,
                "item": np.full(len(stock), items.index(item)),
                "known_at": statements.days[known[quarter, stock]],
                "period_end": statements.period_end[quarter],
                "value": values[item][quarter, stock],
            }
            frames.append(pl.DataFrame(columns))
    rows = pl.concat(frames).sort("stock", "item", "known_at", "period_end")
    names = pl.Series("item", items)
    return rows.select(
        symbols.gather(rows["stock"]),
        "known_at",
        names.gather(rows["item"]),
        "value",
        "period_end",
    )


def neighbours(world: World, history: History) -> pl.DataFrame:
    """Each stock's true neighbours among the stocks of `daily`: columns symbol, neighbour. No table of the market."""
    ever: Bools = np.any(history.days.alive, axis=0)
    pairs = world.latent.neighbours
    stock = np.repeat(np.arange(len(pairs)), pairs.shape[1])
    other = pairs.ravel()
    kept = ever[stock] & ever[other]
    return pl.DataFrame({"symbol": world.firms.symbols[stock[kept]], "neighbour": world.firms.symbols[other[kept]]})


def oracle(world: World, history: History) -> pl.DataFrame:
    """What signals up to each close t have committed to close t+1 → close t+1+h, for each h.

    Columns ``oracle_<h>`` (all parts), ``oracle_visible_<h>`` (what prices and volumes show) and ``oracle_<part>_<h>``,
    float32.
    """
    stock, t = np.nonzero(history.days.alive.T)
    state = history.memories[:, t, stock]
    columns: dict[str, Float32] = {}
    for horizon in ORACLE_HORIZONS:
        parts = {part: world.memories.oracle(state, part, horizon) for part in PARTS}
        sums = {
            f"oracle_{horizon}": _sum(parts[part] for part in PARTS),
            f"oracle_visible_{horizon}": _sum(parts[part] for part in VISIBLE),
        }
        sums |= {f"oracle_{part}_{horizon}": value for part, value in parts.items()}
        columns |= {name: value.astype(np.float32) for name, value in sums.items()}
    return pl.DataFrame({**_keys(world.firms.symbols, history, stock, t), **columns})


def _sum(values: Iterable[Float64]) -> Float64:
    """Sum in order, in place: no array of all is made."""
    first, *others = values
    total = first.copy()
    for value in others:
        total += value
    return total


def _keys(symbols: Symbols, history: History, stock: Ints, t: Ints) -> dict[str, pl.Series]:
    names = pl.Series("symbol", symbols.tolist(), dtype=pl.String)
    return {"date": pl.Series("date", history.dates[t]), "symbol": names.gather(stock)}
