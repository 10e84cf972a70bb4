"""Daily rows → (T, N) fields: what is derived a row, then what is carried over days."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Floats, Indices, Int8, Symbols
from deepfactor.core.words import Sentence
from deepfactor.market.free_float import inclusion_factor
from deepfactor.panel.build.history import History
from deepfactor.store.checks import TICK, Basis
from deepfactor.store.checks.free_float import capital_of
from deepfactor.store.checks.units import traded_value
from deepfactor.store.folder import MarketFolder, read_part

_PRICES = ("open", "high", "low", "close", "vwap", "prev_close")
_EPSILON = 1e-6
#: Fields that stay in force on days without a trade, at the last close.
MARKET_VALUES = ("float_mv", "total_mv", "free_float_mv")
_NO_TRADE = Sentence("daily rows without a trade", "无成交的日行情行")
_LACKING = Sentence("daily rows with a trade, without {field}", "有成交而没有{field}的日行情行")
_NO_MARK = Sentence("daily rows without a known ST mark", "ST状态未知的日行情行")


@dataclass
class BuiltFields:
    """Arrays under construction: the rows from `begin` on, of which there are R = T − begin.

    Attributes
    ----------
    dates : (T,); symbols : (N,)
    arrays : the fields of `Panel` that the market gives, and for the universe `prev_close`, `limit_up`, `limit_down`
        (CNY, NaN = not given)
    traded : (R, N) bool
    st : (R, N) bool
    first_row : (N,) row of each symbol's first daily row, of all T
    history : the rows before `begin`; None where all are under construction
    derived : names of what a rule made
    counts : of what was left out or guessed in the rows under construction
    """

    dates: Dates
    symbols: Symbols
    arrays: dict[str, Floats]
    traded: Bools
    st: Bools
    first_row: Indices
    history: History | None = None
    derived: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def begin(self) -> int:
        """First row under construction."""
        return 0 if self.history is None else len(self.history.dates)

    @property
    def shape(self) -> tuple[int, int]:
        """(R, N): of the arrays under construction."""
        return len(self.dates) - self.begin, len(self.symbols)

    def before(self, name: str) -> Float64:
        """(N,) a field of the row before the first under construction; NaN where there is none."""
        if self.history is None:
            return np.full(len(self.symbols), np.nan)
        return self.history.spread(self.history.fields[name][-1].astype(np.float64), self.symbols, np.nan)

    def last_trades(self, row: int) -> tuple[Float64, Float64]:
        """(N,) close and factor of each symbol's last trade before `row` ≤ `begin`; NaN where there was none."""
        if self.history is None:
            return self.before("close"), self.before("adj_factor")
        close, factor = self.history.last_trades(row)
        return self.history.spread(close, self.symbols, np.nan), self.history.spread(factor, self.symbols, np.nan)

    def trades(self, t: int) -> tuple[Bools, Floats, Floats]:
        """(N,) traded, close and factor of row `t`, built before or under construction."""
        if self.history is None or t >= self.begin:
            row = t - self.begin
            return self.traded[row], self.arrays["close"][row], self.arrays["adj_factor"][row]
        traded = self.history.spread(self.history.traded[t], self.symbols, False)
        close, factor = (
            self.history.spread(self.history.fields[name][t], self.symbols, np.nan) for name in ("close", "adj_factor")
        )
        return traded, close, factor

    def since(self, name: str, first: int, columns: Indices) -> Float64:
        """(T − first, m) a field's rows from `first` on, built before or under construction, of `columns`."""
        return self.joined(None if self.history is None else self.history.fields[name], self.arrays[name], first)[
            :, columns
        ].astype(np.float64)

    def joined(self, before: AnyArray | None, now: AnyArray, first: int) -> AnyArray:
        """(T − first, N) rows from `first` on of an array: `before` (T₀, N₀) of the history, `now` (R, N) since.

        What `before` doesn't have, a column or all of it, is NaN or False.
        """
        if first >= self.begin:
            return now[first - self.begin :]
        missing = np.nan if now.dtype.kind == "f" else False
        shape = (self.begin - first, len(self.symbols))
        if before is None or self.history is None:
            past = np.full(shape, missing, dtype=now.dtype)
        else:
            past = self.history.spread(before[first:], self.symbols, missing)
        return np.concatenate([past, now])

    def under_construction(self, start: int, end: int) -> slice:
        """Rows `start` … `end` − 1 of all, as far as they are under construction, as rows of the arrays."""
        return slice(max(start - self.begin, 0), max(end - self.begin, 0))


def build_fields(folder: MarketFolder, history: History | None = None) -> BuiltFields:
    """All fields of the market in `folder`, or those of the days after `history`."""
    built = _axes(folder, history)
    marks = np.full(built.shape, -1, dtype=np.int8)  # is_st: 1, 0, or -1 not known
    names = pl.Series(built.symbols.tolist(), dtype=pl.String)
    held, basis = set(folder.columns("daily")), Basis.of(folder.manifest.source)
    for file in _files_after(folder, history):
        frame, counts = _complete_rows(_rows_after(read_part(file), history), held, basis)
        for why, n in counts.items():
            built.counts[why] = built.counts.get(why, 0) + n
        _place(built, marks, frame, pl.Enum(names))
    built.derived |= {name for name in ("vwap", "turnover") if name not in held and name in built.arrays}
    _carry_over(built, marks)
    return built


def _axes(folder: MarketFolder, history: History | None) -> BuiltFields:
    """Days and symbols, without any field yet."""
    axes = [_rows_after(read_part(file, ["date", "symbol"]), history) for file in _files_after(folder, history)]
    dates = np.unique(np.concatenate([axis["date"].unique().to_numpy().astype("datetime64[D]") for axis in axes]))
    symbols = pl.concat([axis["symbol"].unique() for axis in axes]).unique().sort().to_numpy().astype(np.str_)
    if history is not None:
        symbols = np.union1d(history.symbols, symbols)
        first_row = history.spread(history.first_row, symbols, len(history.dates) + len(dates))
        dates = np.concatenate([history.dates, dates])
    else:
        first_row = np.full(len(symbols), len(dates), dtype=np.intp)
    shape = len(dates) - (0 if history is None else len(history.dates)), len(symbols)
    return BuiltFields(
        dates=dates,
        symbols=symbols,
        arrays={},
        traded=np.zeros(shape, dtype=bool),
        st=np.zeros(shape, dtype=bool),
        first_row=first_row,
        history=history,
    )


def _files_after(folder: MarketFolder, history: History | None) -> list[Path]:
    """Parts of `daily` that may hold rows after `history`."""
    return list(folder.part_files("daily", None if history is None else history.dates[-1].item()))


def _rows_after(frame: pl.DataFrame, history: History | None) -> pl.DataFrame:
    return frame if history is None else frame.filter(pl.col("date") > history.dates[-1].item())


def _complete_rows(frame: pl.DataFrame, held: set[str], basis: Basis) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows with what a rule gives a row: traded, vwap, turnover; prices missing where nothing was traded.

    vwap = amount / volume where it lies within [low, high] (a tick's slack), turnover = volume · close / float_mv, each
    only where the row has none. Raw volumes beside adjusted prices give no vwap, and turnover = amount / float_mv.
    """
    traded = (pl.col("volume") > 0) & pl.col("close").is_not_null()
    if "is_suspended" in held:
        traded = traded & ~pl.col("is_suspended").fill_null(False)
    frame = frame.with_columns(traded=traded.fill_null(False))
    if "amount" in held and not basis.raw_volume:
        implied = pl.col("amount") / pl.col("volume")
        slack = TICK + _EPSILON
        inside = (implied >= pl.col("low") - slack) & (implied <= pl.col("high") + slack)
        made = pl.when(pl.col("traded") & inside).then(implied).otherwise(None)
        frame = frame.with_columns(vwap=pl.coalesce("vwap", made) if "vwap" in held else made)
    value = traded_value(held, basis)
    if "float_mv" in held and value is not None:
        share = value / pl.col("float_mv")
        frame = frame.with_columns(turnover=pl.coalesce("turnover", share) if "turnover" in held else share)
    if "free_float" in held:
        frame = frame.with_columns(free_float_mv=_free_float_value(frame)).drop("free_float")
    frame = frame.drop("a_shares", strict=False)
    hidden = [name for name in ("open", "high", "low", "close", "vwap", "volume", "turnover") if name in frame.columns]
    frame = frame.with_columns(pl.when(pl.col("traded")).then(pl.col(name)).alias(name) for name in hidden)
    traded_rows = frame.filter("traded")
    counts = {str(_NO_TRADE): frame.height - traded_rows.height}
    values = ("vwap", "turnover", *MARKET_VALUES)
    for name in [name for name in values if name in frame.columns]:
        counts[_LACKING.format(field=name)] = traded_rows[name].null_count()
    return frame, counts


def _free_float_value(frame: pl.DataFrame) -> pl.Series:
    """Value of the shares that an index counts, CNY: A-share capital × inclusion factor of the free float."""
    capital = capital_of(frame.columns)
    assert capital is not None, "the checks of a market want it beside free_float"
    free = (
        pl.when(pl.col("free_float") <= 1)
        .then("free_float")
        .otherwise(pl.col("free_float") * pl.col("close") / capital)
    )
    value, share = frame.select(value=capital, share=free)
    counted = value.to_numpy() * inclusion_factor(share.cast(pl.Float64).to_numpy())
    return pl.Series("free_float_mv", counted, nan_to_null=True)


def _place(built: BuiltFields, marks: Int8, frame: pl.DataFrame, symbols: pl.Enum) -> None:
    """Scatter rows into the arrays."""
    row = np.searchsorted(built.dates, frame["date"].to_numpy().astype("datetime64[D]"))
    t = row - built.begin
    n = frame["symbol"].cast(symbols).to_physical().to_numpy().astype(np.intp)
    built.traded[t, n] = frame["traded"].to_numpy()
    np.minimum.at(built.first_row, n, row)
    if "is_st" in frame.columns:
        marks[t, n] = frame["is_st"].cast(pl.Int8).fill_null(-1).to_numpy()
    skip = {"date", "symbol", "traded", "is_st", "is_suspended", "amount"}
    for name in [name for name in frame.columns if name not in skip]:
        if name not in built.arrays:
            dtype = np.float64 if name == "adj_factor" else np.float32
            built.arrays[name] = np.full(built.shape, np.nan, dtype=dtype)
        built.arrays[name][t, n] = frame[name].to_numpy()


def _carry_over(built: BuiltFields, marks: Int8) -> None:
    """Adjustment factors, market values and ST marks stay in force on days without a row."""
    if "adj_factor" not in built.arrays:
        rows = np.arange(built.begin, len(built.dates))[:, None]
        built.arrays["adj_factor"] = np.where(rows >= built.first_row, 1.0, np.nan)
        built.derived.add("adj_factor")
    _go_on(built, "adj_factor", np.ones(len(built.symbols), dtype=bool))
    carry_forward(built.arrays["adj_factor"])
    for name in MARKET_VALUES:
        if name in built.arrays:
            _go_on(built, name, ~built.traded[0])
            carry_forward(built.arrays[name], built.traded)
    last = np.full(len(built.symbols), -1, dtype=np.int8)
    if built.history is not None:
        last[:] = built.history.spread(built.history.st[-1], built.symbols, False)
    for t, mark in enumerate(marks):
        last = np.where(mark >= 0, mark, last)
        built.st[t] = last > 0
    built.counts[str(_NO_MARK)] = int((built.traded & (marks < 0)).sum())


def _go_on(built: BuiltFields, name: str, held: Bools) -> None:
    """Fill NaN of the first row under construction with the row before it, for the symbols (N,) in `held`."""
    first = built.arrays[name][0]
    first[:] = np.where(np.isnan(first) & held, built.before(name), first)


def carry_forward(values: Floats, traded: Bools | None = None) -> None:
    """Fill each NaN of (T, N) with the last value above it, in place.

    With `traded` only on days without a trade: on a day with one the price has moved, so the value stays missing.
    """
    for t in range(1, len(values)):
        missing = np.isnan(values[t])
        if traded is not None:
            missing &= ~traded[t]
        values[t, missing] = values[t - 1, missing]
