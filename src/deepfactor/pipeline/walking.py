"""A portfolio's signal day as it was decided: who was held, at what weight, what bound it, and who was passed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepfactor.backtest.days import TradingDay, days
from deepfactor.core.arrays import Float64, Indices
from deepfactor.core.errors import DataError
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import row_of
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_frame

#: Why a stock that wasn't held could not be bought, or "" where it could.
NOT_BUYABLE = ("frozen", "st", "")


@dataclass(frozen=True)
class DayWalk:
    """One signal day of a backtest.

    Attributes
    ----------
    day, fill_date : of the signal, and of its fills (None = the data end before them)
    earlier, later : signal days before and behind it, None = none
    rebalance : its row of ``rebalances.parquet``
    binding, relaxed : its rows of ``binding.parquet`` and ``relaxations.parquet``
    names : a row a stock with a score or a weight, the best score first: symbol, score, rank (1 = best; null = no
        score), weight, drifted_weight, realised_weight, benchmark_weight, bound and price (its own bound that binds it,
        where one does), state ("frozen" = suspended or at a limit, "st", ""), industry, later_return (close to close to
        the next signal day, with dividends; null where either price is missing)
    """

    day: date
    fill_date: date | None
    earlier: date | None
    later: date | None
    rebalance: dict[str, Any]
    binding: pl.DataFrame
    relaxed: pl.DataFrame
    names: pl.DataFrame


def signal_days(place: Path) -> list[date]:
    """The signal days of a backtest's folder, ascending."""
    return read_frame(place / "rebalances.parquet")["date"].to_list()


def walk(market: Market, run: RunFolder, place: Path, day: date) -> DayWalk:
    """A signal day of the backtest in the folder `place` of a run.

    Raises
    ------
    DataError
        it is no signal day of the backtest.
    UserError
        the market doesn't have the day.
    """
    rebalances = read_frame(place / "rebalances.parquet")
    dates = rebalances["date"].to_list()
    if day not in dates:
        raise DataError(f"{day} is no signal day of this portfolio: it has {len(dates)}, {dates[0]} to {dates[-1]}")
    at = dates.index(day)
    later = dates[at + 1] if at + 1 < len(dates) else None
    row = rebalances.row(at, named=True)
    binding, relaxed = (
        read_frame(place / f"{name}.parquet").filter(pl.col("date") == day) for name in ("binding", "relaxations")
    )
    return DayWalk(
        day=day,
        fill_date=row["fill_date"],
        earlier=dates[at - 1] if at else None,
        later=later,
        rebalance=row,
        binding=binding,
        relaxed=relaxed,
        names=_names(market, run, place, day, later, binding),
    )


def scores_of(run: RunFolder, place: Path, day: date) -> pl.DataFrame:
    """Symbol and score of a day, of the arm that a portfolio follows."""
    with run.scores(place.parts[-3]).open("rb") as handle:  # by a handle: no name is a pattern
        return pl.scan_parquet(handle).filter(pl.col("date") == day).select("symbol", "score").collect()


def trading_day(market: Market, row: int) -> TradingDay:
    """The market of one day."""
    return next(days(market.panel, market.universe, range(row, row + 1), "close"))


def _names(
    market: Market, run: RunFolder, place: Path, day: date, later: date | None, binding: pl.DataFrame
) -> pl.DataFrame:
    weights = read_frame(place / "weights.parquet").filter(pl.col("date") == day).drop("date")
    scores = scores_of(run, place, day).with_columns(rank=pl.col("score").rank("min", descending=True).cast(pl.Int64))
    own = binding.select(symbol="row", bound="constraint", price="shadow_price").unique("symbol", keep="first")
    names = scores.join(weights, on="symbol", how="full", coalesce=True).join(own, on="symbol", how="left")
    filled = [pl.col(name).fill_null(0.0) for name in ("weight", "drifted_weight", "benchmark_weight")]
    names = names.with_columns(filled).sort("rank", "symbol", nulls_last=True)
    return names.with_columns(_facts(market, names["symbol"].to_list(), day, later))


def _facts(market: Market, symbols: list[str], day: date, later: date | None) -> list[pl.Series]:
    """What the market says of the stocks on the day."""
    panel, universe = market.panel, market.universe
    row = row_of(panel, day)
    at = columns_of(market, symbols)
    frozen, st = ~trading_day(market, row).open_at_close[at], universe.st[row][at]
    state = np.where(frozen, "frozen", np.where(st, "st", ""))
    industry = [universe.industries[k] if k >= 0 else None for k in universe.industry[row][at]]
    gained = np.full(len(at), np.nan)
    if later is not None:
        gained = adjusted(market, row_of(panel, later))[at] / adjusted(market, row)[at] - 1.0
    return [
        pl.Series("state", state.tolist(), dtype=pl.String),
        pl.Series("industry", industry, dtype=pl.String),
        pl.Series("later_return", gained, nan_to_null=True),
    ]


def columns_of(market: Market, symbols: list[str]) -> Indices:
    """Columns of the panel; a `DataError` where the market lacks one: it isn't the run's."""
    place = {symbol: k for k, symbol in enumerate(market.panel.symbols.tolist())}
    unknown = [symbol for symbol in symbols if symbol not in place]
    if unknown:
        raise DataError(
            f"this market has no {unknown[0]}, which the run holds or scores: give --market the one that it was run on"
        )
    return np.array([place[symbol] for symbol in symbols], dtype=np.intp)


def adjusted(market: Market, row: int) -> Float64:
    """Close × adjustment factor (N,) of a day; NaN = no trade."""
    close, factor = (np.asarray(market.panel[name][row], dtype=np.float64) for name in ("close", "adj_factor"))
    return np.asarray(close * factor)


@dataclass(frozen=True)
class StockWalk:
    """One stock through a backtest.

    Attributes
    ----------
    symbol : as in the market; industry : on its last day, None = not known
    signals : date, score, rank, weight, drifted_weight, realised_weight, benchmark_weight, bound, price; a row a signal
        day, null where the stock had no score or no weight at all
    trades : its rows of ``trades.parquet``
    prices : date, close (adjusted to its last day's terms, CNY), of the backtest's days; null = no trade
    """

    symbol: str
    industry: str | None
    signals: pl.DataFrame
    trades: pl.DataFrame
    prices: pl.DataFrame


def stock_walk(market: Market, run: RunFolder, place: Path, symbol: str) -> StockWalk:
    """A stock through the backtest in the folder `place` of a run.

    Raises
    ------
    DataError
        the market has no such stock.
    """
    known = set(market.panel.symbols.tolist())
    if symbol not in known:
        raise DataError(f"this market has no stock {symbol!r}")
    (column,) = columns_of(market, [symbol])
    dates = read_frame(place / "rebalances.parquet").select("date")
    weights = read_frame(place / "weights.parquet").filter(pl.col("symbol") == symbol).drop("symbol")
    binding = read_frame(place / "binding.parquet").filter(pl.col("row") == symbol)
    own = binding.select("date", bound="constraint", price="shadow_price").unique("date", keep="first")
    signals = dates.join(_history(run, place, symbol, dates), on="date", how="left").join(
        weights, on="date", how="left"
    )
    trades = read_frame(place / "trades.parquet").filter(pl.col("symbol") == symbol)
    span = read_frame(place / "nav.parquet")["date"]
    code = market.universe.industry[-1][column]
    return StockWalk(
        symbol=symbol,
        industry=market.universe.industries[code] if code >= 0 else None,
        signals=signals.join(own, on="date", how="left").sort("date"),
        trades=trades,
        prices=_prices(market, int(column), span[0], span[-1]),
    )


def _history(run: RunFolder, place: Path, symbol: str, dates: pl.DataFrame) -> pl.DataFrame:
    """Date, score and rank of a stock on the signal days."""
    with run.scores(place.parts[-3]).open("rb") as handle:
        scores = pl.scan_parquet(handle).filter(pl.col("date").is_in(dates["date"].implode()))
        ranked = scores.with_columns(rank=pl.col("score").rank("min", descending=True).over("date").cast(pl.Int64))
        return ranked.filter(pl.col("symbol") == symbol).select("date", "score", "rank").collect()


def _prices(market: Market, column: int, first: date, last: date) -> pl.DataFrame:
    panel = market.panel
    begin, end = np.searchsorted(panel.dates, np.array([first, last], "datetime64[D]")).tolist()
    rows = slice(begin, end + 1)
    close, factor = (np.asarray(panel[name][rows, column], dtype=np.float64) for name in ("close", "adj_factor"))
    known = factor[np.isfinite(factor)]
    scaled = close * factor / (known[-1] if len(known) else 1.0)
    return pl.DataFrame({"date": panel.dates[rows], "close": pl.Series(scaled, nan_to_null=True)})
