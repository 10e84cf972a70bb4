"""Daily rows → (T, N) fields: what is derived a row, then what is carried over days."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepfactor.panel.panel import Bools, Dates, Names
from deepfactor.store.checks import TICK
from deepfactor.store.folder import MarketFolder, read_part

_PRICES = ("open", "high", "low", "close", "vwap", "prev_close")
_EPSILON = 1e-6


@dataclass
class BuiltFields:
    """Arrays under construction.

    Attributes
    ----------
    dates : (T,); symbols : (N,)
    arrays : the fields of `Panel` that the market gives, and for the universe `prev_close`, `limit_up`, `limit_down`
        (CNY, NaN = not given)
    traded : (T, N) bool
    st : (T, N) bool
    first_row : (N,) row of each symbol's first daily row
    derived : names of what a rule made
    counts : of what was left out or guessed
    """

    dates: Dates
    symbols: Names
    arrays: dict[str, NDArray[np.floating]]
    traded: Bools
    st: Bools
    first_row: NDArray[np.intp]
    derived: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.dates), len(self.symbols)


def build_fields(folder: MarketFolder) -> BuiltFields:
    """All fields of the market in `folder`."""
    files = folder.part_files("daily")
    axes = [read_part(file, ["date", "symbol"]) for file in files]
    dates = pl.concat([axis["date"].unique() for axis in axes]).unique().sort().to_numpy().astype("datetime64[D]")
    names = pl.concat([axis["symbol"].unique() for axis in axes]).unique().sort()
    del axes
    shape = len(dates), len(names)
    built = BuiltFields(
        dates=dates,
        symbols=names.to_numpy().astype(np.str_),
        arrays={},
        traded=np.zeros(shape, dtype=bool),
        st=np.zeros(shape, dtype=bool),
        first_row=np.full(len(names), len(dates), dtype=np.intp),
    )
    marks = np.full(shape, -1, dtype=np.int8)  # is_st: 1, 0, or -1 not known
    held = set(folder.columns("daily"))
    for file in files:
        frame, counts = _complete_rows(read_part(file), held)
        for why, n in counts.items():
            built.counts[why] = built.counts.get(why, 0) + n
        _place(built, marks, frame, pl.Enum(names))
    built.derived |= {name for name in ("vwap", "turnover") if name not in held and name in built.arrays}
    _carry_over(built, marks)
    return built


def _complete_rows(frame: pl.DataFrame, held: set[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows with what a rule gives a row: traded, vwap, turnover; prices missing where nothing was traded.

    vwap = amount / volume where it lies within [low, high] (a tick's slack), turnover = volume · close / float_mv, each
    only where the row has none.
    """
    traded = (pl.col("volume") > 0) & pl.col("close").is_not_null()
    if "is_suspended" in held:
        traded = traded & ~pl.col("is_suspended").fill_null(False)
    frame = frame.with_columns(traded=traded.fill_null(False))
    if "amount" in held:
        implied = pl.col("amount") / pl.col("volume")
        slack = TICK + _EPSILON
        inside = (implied >= pl.col("low") - slack) & (implied <= pl.col("high") + slack)
        made = pl.when(pl.col("traded") & inside).then(implied).otherwise(None)
        frame = frame.with_columns(vwap=pl.coalesce("vwap", made) if "vwap" in held else made)
    if "float_mv" in held:
        share = pl.col("volume") * pl.col("close") / pl.col("float_mv")
        frame = frame.with_columns(turnover=pl.coalesce("turnover", share) if "turnover" in held else share)
    hidden = [name for name in ("open", "high", "low", "close", "vwap", "volume", "turnover") if name in frame.columns]
    frame = frame.with_columns(pl.when(pl.col("traded")).then(pl.col(name)).alias(name) for name in hidden)
    traded_rows = frame.filter("traded")
    counts = {"daily rows without a trade": frame.height - traded_rows.height}
    for name in [name for name in ("vwap", "turnover", "float_mv", "total_mv") if name in frame.columns]:
        counts[f"daily rows with a trade, without {name}"] = traded_rows[name].null_count()
    return frame, counts


def _place(built: BuiltFields, marks: NDArray[np.int8], frame: pl.DataFrame, symbols: pl.Enum) -> None:
    """Scatter rows into the arrays."""
    t = np.searchsorted(built.dates, frame["date"].to_numpy().astype("datetime64[D]"))
    n = frame["symbol"].cast(symbols).to_physical().to_numpy().astype(np.intp)
    built.traded[t, n] = frame["traded"].to_numpy()
    np.minimum.at(built.first_row, n, t)
    if "is_st" in frame.columns:
        marks[t, n] = frame["is_st"].cast(pl.Int8).fill_null(-1).to_numpy()
    skip = {"date", "symbol", "traded", "is_st", "is_suspended", "amount"}
    for name in [name for name in frame.columns if name not in skip]:
        if name not in built.arrays:
            dtype = np.float64 if name == "adj_factor" else np.float32
            built.arrays[name] = np.full(built.shape, np.nan, dtype=dtype)
        built.arrays[name][t, n] = frame[name].to_numpy()


def _carry_over(built: BuiltFields, marks: NDArray[np.int8]) -> None:
    """Adjustment factors, market values and ST marks stay in force on days without a row."""
    if "adj_factor" not in built.arrays:
        rows = np.arange(len(built.dates))[:, None]
        built.arrays["adj_factor"] = np.where(rows >= built.first_row, 1.0, np.nan)
        built.derived.add("adj_factor")
    carry_forward(built.arrays["adj_factor"])
    for name in ("float_mv", "total_mv"):
        if name in built.arrays:
            carry_forward(built.arrays[name], built.traded)
    last = np.full(len(built.symbols), -1, dtype=np.int8)
    for t, mark in enumerate(marks):
        last = np.where(mark >= 0, mark, last)
        built.st[t] = last > 0
    built.counts["daily rows without a known ST mark"] = int((built.traded & (marks < 0)).sum())


def carry_forward(values: NDArray[np.floating], traded: Bools | None = None) -> None:
    """Fill each NaN of (T, N) with the last value above it, in place.

    With `traded` only on days without a trade: on a day with one the price has moved, so the value stays missing.
    """
    for t in range(1, len(values)):
        missing = np.isnan(values[t])
        if traded is not None:
            missing &= ~traded[t]
        values[t, missing] = values[t - 1, missing]
