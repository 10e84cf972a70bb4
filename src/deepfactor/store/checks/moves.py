"""How closes and factors of `daily` move from one trade of a stock to its next, where it is worth a look."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray
from deepfactor.core.errors import DataError
from deepfactor.market.boards import board_of
from deepfactor.market.limits import ordinary_rates
from deepfactor.store.checks.units import TICK

#: Relative change from which on a factor has changed.
CHANGED = 1e-6
#: Symbols from which on a fault is the delivery's, the share of all that they must be, and what stands for it in a few.
_SOME, SHARE, _MOST = 3, 0.01, 0.5
#: Fen that a reference price may miss the one that factor and close give, and the share of it (factors are rounded).
_FEN, _ROUNDED = 0.011, 0.002
#: Beyond the ordinary limit by this share and two ticks no reference price and no rounding explains an adjusted return.
_SLACK, _TICKS = 0.01, 2
#: Smaller moves are within every ordinary limit (of stocks without a mark), with some slack.
_ORDINARY = 0.105
#: Rows since a stock's first, or days since its listing, within which it counts as newly listed: no limit may hold.
_YOUNG_ROWS, _YOUNG_DAYS = 6, np.timedelta64(21, "D")
#: Rows before a stock's last: its delisting period, which begins with a day without a limit, lasts fifteen days.
_LAST_ROWS = 35


@dataclass(frozen=True)
class Moves:
    """Trades that follow one of the same symbol and do something: the factor, the close or the reference moves.

    Attributes
    ----------
    table : a row a trade, by symbol and date: symbol, date; close, factor and those of the trade `before`
        (close_before, factor_before; null where there are none); ratio (factor / factor_before, or 1), move (close /
        close_before), adjusted (their product), move_before, move_after (of the trades around, NaN = none), reference
        (prev_close as given, or the middle of given limits; null = none), carried (the row has no factor of its own),
        gap (trading days since the trade before), young (newly listed), leaving (the symbol's data end soon), rate
        (the day's ordinary limit; 0 = none)
    trades : how many trades follow one of the same symbol
    symbols : how many symbols have such
    per_symbol : symbol, n: trades of each
    has_factor : whether there is a factor
    """

    table: pl.DataFrame
    trades: int
    symbols: int
    per_symbol: pl.DataFrame
    has_factor: bool


def trades_by_symbol(daily: pl.DataFrame) -> pl.DataFrame:
    """Rows of `daily` with a trade, sorted by symbol and date: symbol (Enum in the order of text), date, close, and
    where there: factor (carried over nulls as the panel does), carried, prev_close, limit_up, limit_down."""
    optional = [name for name in ("adj_factor", "prev_close", "limit_up", "limit_down") if name in daily.columns]
    rows = daily.select("symbol", "date", "close", "volume", *optional, *_suspension(daily))
    if not isinstance(rows.schema["symbol"], pl.Enum):
        names = rows["symbol"].unique().cast(pl.String).sort()
        rows = rows.with_columns(pl.col("symbol").cast(pl.String).cast(pl.Enum(names)))
    if not _sorted(rows):
        rows = rows.sort("symbol", "date")
    if "adj_factor" in optional:
        rows = _carried(rows)
    traded = (pl.col("volume") > 0) & pl.col("close").is_not_null()
    if "is_suspended" in rows.columns:
        traded = traded & ~pl.col("is_suspended").fill_null(value=False)
    if not rows.select(traded.all()).item():
        rows = rows.filter(traded)
    return rows.drop("volume", "is_suspended", strict=False)


def _suspension(daily: pl.DataFrame) -> list[str]:
    return ["is_suspended"] if "is_suspended" in daily.columns else []


def _sorted(rows: pl.DataFrame) -> bool:
    symbol, day = pl.col("symbol").to_physical(), pl.col("date")
    wrong = (symbol < symbol.shift(1)) | ((symbol == symbol.shift(1)) & (day < day.shift(1)))
    return not rows.select(wrong.any()).item()


def _carried(rows: pl.DataFrame) -> pl.DataFrame:
    factor = pl.col("adj_factor")
    if not rows["adj_factor"].null_count():
        return rows.rename({"adj_factor": "factor"}).with_columns(carried=pl.lit(value=False))
    made = rows.with_columns(factor=factor.forward_fill().over("symbol"), carried=factor.is_null())
    return made.drop("adj_factor")


def moves_of(
    trades: pl.DataFrame, listed: pl.DataFrame | None, since: date | None = None, known: Collection[str] = ()
) -> Moves:
    """The moves of `trades` (see `trades_by_symbol`).

    Parameters
    ----------
    listed : table `securities`, for dates of listing
    since : only moves of trades from this day on (all are read: those before may be what a move starts from)
    known : symbols with prices before the first of `trades`
    """
    code = pl.col("symbol").to_physical()
    same = trades.select((code == code.shift(1)).fill_null(value=False)).to_series()
    wanted = same & trades.select(_worth(trades)).to_series()
    follows = same
    if since is not None:
        recent = trades["date"] >= since
        follows, wanted = follows & recent, wanted & recent
    at = wanted.arg_true().to_numpy().astype(np.int64)
    starts = (~same).arg_true().to_numpy().astype(np.int64)
    counts = np.add.reduceat(follows.to_numpy(), starts, dtype=np.int64) if len(starts) else np.zeros(0, dtype=np.int64)
    per_symbol = pl.DataFrame({"symbol": trades["symbol"].gather(starts).cast(pl.String), "n": counts})
    table = _facts(trades, at, starts, listed, known)
    return Moves(table, int(counts.sum()), int((counts > 0).sum()), per_symbol, "factor" in trades.columns)


def _worth(trades: pl.DataFrame) -> pl.Expr:
    """Whether anything moves more than it does on most days."""
    ratio = pl.col("factor") / pl.col("factor").shift(1) if "factor" in trades.columns else pl.lit(1.0)
    adjusted = pl.col("close") / pl.col("close").shift(1) * ratio
    moved = ((adjusted - 1).abs() > _ORDINARY) | ((ratio - 1).abs() > CHANGED)
    reference = _reference(trades)
    if reference is not None:
        moved = moved | misses(reference, pl.col("close").shift(1), ratio).fill_null(value=False)
    return moved.fill_null(value=False)


def _reference(trades: pl.DataFrame) -> pl.Expr | None:
    """The reference of the day's limits: given, or the middle of given limits (which ±30 % at most are about)."""
    given = [pl.col("prev_close")] if "prev_close" in trades.columns else []
    if {"limit_up", "limit_down"} <= set(trades.columns):
        up, down = pl.col("limit_up"), pl.col("limit_down")
        given.append(pl.when(up < 2 * down).then((up + down) / 2))
    return pl.coalesce(given) if given else None


def of_the_delivery(symbols: int, total: int, share: float = SHARE) -> bool:
    """Whether a fault of so many `symbols` out of `total` is one of the delivery, not of single rows."""
    return symbols >= _SOME and (symbols >= share * total or symbols >= _MOST * total)


def beyond_limit() -> pl.Expr:
    """Of the table of `Moves`: whether the adjusted return is one that no ordinary limit allows."""
    tick = TICK / pl.min_horizontal("close", "close_before")
    outside = (pl.col("adjusted") - 1).abs() > pl.col("rate") + _SLACK + _TICKS * tick
    return (pl.col("rate") > 0) & ~pl.col("young") & outside


def contradicts() -> pl.Expr:
    """Of the table of `Moves`: whether a reference price as given is another than factor and close before make it."""
    return misses(pl.col("reference"), pl.col("close_before"), pl.col("ratio")).fill_null(value=False)


def misses(reference: pl.Expr, before: pl.Expr, ratio: pl.Expr) -> pl.Expr:
    """Whether a given reference is another than the close before, adjusted by the factor."""
    return (reference - before / ratio).abs() > _FEN + _ROUNDED * reference


def _facts(
    trades: pl.DataFrame, at: AnyArray, starts: AnyArray, listed: pl.DataFrame | None, known: Collection[str]
) -> pl.DataFrame:
    """The rows `at` of `trades` with what stands around them; `starts` are the first rows of the symbols."""
    days = trades["date"].unique().sort().to_numpy().astype("datetime64[D]")
    close = trades["close"].to_numpy()
    ends = np.append(starts[1:], trades.height)
    which = np.searchsorted(starts, at, side="right") - 1
    start, end, today = starts[which], ends[which], _dates(trades, at)
    reference = _reference(trades)
    table = trades[at].select(
        pl.col("symbol").cast(pl.String),
        "date",
        "close",
        factor="factor" if "factor" in trades.columns else pl.lit(None, pl.Float64),
        carried="carried" if "carried" in trades.columns else pl.lit(value=False),
        reference=pl.lit(None, pl.Float64) if reference is None else reference,
    )
    table = table.with_columns(
        close_before=close[at - 1],
        factor_before=trades["factor"].gather(at - 1) if "factor" in trades.columns else pl.lit(None, pl.Float64),
        move_before=_ratio(close, at - 1, at - 1 > start),
        move_after=_ratio(close, at + 1, at + 1 < end),
        gap=np.searchsorted(days, today) - np.searchsorted(days, _dates(trades, at - 1)),
        young=_young(table["symbol"], today, at - start, _dates(trades, start) == days[:1], listed, known),
        leaving=(end - at < _LAST_ROWS) & (_dates(trades, end - 1) < days[-1:]),
        rate=_rates(table["symbol"], today),
    )
    ratio = (pl.col("factor") / pl.col("factor_before")).fill_null(1.0)
    move = pl.col("close") / pl.col("close_before")
    return table.with_columns(ratio=ratio, move=move, adjusted=ratio * move)


def _dates(trades: pl.DataFrame, at: AnyArray) -> AnyArray:
    """Dates of the rows `at`, as datetime64[D]."""
    dates: AnyArray = trades["date"].gather(at).to_numpy().astype("datetime64[D]")
    return dates


def _ratio(values: AnyArray, at: AnyArray, inside: AnyArray) -> AnyArray:
    """values[at] / values[at − 1] where `inside`; NaN elsewhere."""
    out = np.full(len(at), np.nan)
    out[inside] = values[at[inside]] / values[at[inside] - 1]
    return out


def _young(
    symbol: pl.Series,
    today: AnyArray,
    rows: AnyArray,
    first_day: AnyArray,
    listed: pl.DataFrame | None,
    known: Collection[str],
) -> AnyArray:
    """Whether stocks were listed just before, by their list date or, where none is known, their first row.

    `rows` since that one; `first_day`: it is of the first day of all, so that nothing is known of the days before.
    """
    young: AnyArray = (rows < _YOUNG_ROWS) & ~(symbol.is_in(list(known)).to_numpy() | first_day)
    if listed is None or "list_date" not in listed.columns:
        return young
    dates = dict(listed.select(pl.col("symbol").cast(pl.String), "list_date").drop_nulls().rows())
    list_date = np.array([dates.get(one) for one in symbol], dtype="datetime64[D]")
    since = today - list_date  # NaT, and so False, where not known
    young |= (since >= np.timedelta64(0, "D")) & (since <= _YOUNG_DAYS)
    return young


def _rates(symbols: pl.Series, dates: AnyArray) -> AnyArray:
    """The ordinary limit of each row; 0 for codes that are no A-share's."""
    boards: dict[str, int] = {}
    for symbol in symbols.unique():
        try:
            boards[symbol] = int(board_of(symbol))
        except DataError:
            continue
    known = np.array([symbol in boards for symbol in symbols], dtype=bool)
    board = np.array([boards.get(symbol, 0) for symbol in symbols], dtype=np.int8)
    rates: AnyArray = np.where(known, ordinary_rates(board, dates), 0.0)
    return rates
