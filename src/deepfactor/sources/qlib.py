"""Source `qlib`: a data folder in qlib's format, read without qlib (see `_qlib_files`).

qlib keeps adjusted prices (raw × factor) and volumes (raw ÷ factor). Ours are raw: prices are divided by `factor` and
rounded to the fen, which undoes the rounding of float32; volumes are multiplied by it and rounded to whole shares;
`factor` itself becomes `adj_factor`. A folder without `factor` stays adjusted, with an `adj_factor` of 1 and a note,
unless it is said to hold raw prices (`no_adjustment`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from deepfactor.core.arrays import Dates, Float32, Float64, Ints
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.market.codes import named
from deepfactor.sources import _qlib_notes as notes
from deepfactor.sources._mapping_columns import Column, Columns
from deepfactor.sources._places import require_plain_name
from deepfactor.sources._qlib_files import (
    ENDING,
    is_index,
    is_stock,
    our_code,
    read_calendar,
    read_field,
    read_index,
    read_spans,
)
from deepfactor.sources._qlib_reach import Reach
from deepfactor.store.checks import Basis
from deepfactor.store.records import Account
from deepfactor.store.schema import TABLES

_PRICES = ("open", "high", "low", "close")
_NEEDED = (*_PRICES, "volume")
_USUAL = {**{name: name for name in (*_NEEDED, "amount", "vwap")}, "adj_factor": "factor"}
_INDICES = {
    "csi100": "000903.SH",
    "csi300": "000300.SH",
    "csi500": "000905.SH",
    "csi800": "000906.SH",
    "csi1000": "000852.SH",
    "csiall": "000985.SH",
}


class Settings(Spec):
    """How to read a qlib data folder; the defaults fit one made by qlib's own scripts."""

    name: str = "qlib"
    notes: tuple[str, ...] = ()
    cap: Literal["float", "total"] = Field(default="float", description="the market value that it has, if any")
    columns: Columns = Field(
        default={}, description="column of daily = field, where not qlib's own name or unit; a flag by `equals`"
    )
    indices: dict[str, str] = Field(default=_INDICES, description="file in instruments/ = index whose members it lists")
    ends: Literal["delisted", "unknown"] = Field(
        default="delisted", description="what the end of a symbol's span in all.txt before the last day means"
    )
    vwap_from_prices: bool = Field(
        default=False, description="take (open + high + low + close) / 4 where there is neither vwap nor amount"
    )

    no_adjustment: bool = Field(
        default=False, description="prices are raw and there is no factor: returns contain the drops of ex-dates"
    )

    @field_validator("columns")
    @classmethod
    def _of_daily(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name, column in value.items():
            if name not in TABLES["daily"].columns or name in ("date", "symbol"):
                raise ValueError(f"{name} is no column of daily that a field can fill")
            if column.names is not None or isinstance(column.equals, str):
                raise ValueError(f"{name}: a field of qlib holds numbers, no text")
        return value


def open_source(settings: Settings, folder: Path | None, trust: Trust = SHIPPED) -> Qlib:
    """The source over the qlib data folder `folder`; where they are trusted the settings may name files elsewhere.

    Raises
    ------
    RecipeError
        a field or a list of instruments that leads out of the folder.
    DataError
        no folder, no calendar, no features, or a field that is needed is nowhere.
    """
    if folder is None or not folder.is_dir():
        given = "none given" if folder is None else f"{folder} is none"
        raise DataError(f"source qlib reads a qlib data folder: give it with --folder ({given})")
    if not trust.outside:
        for stem in settings.indices:
            require_plain_name(stem, key=f"indices.{stem}")
        for name, column in settings.columns.items():
            require_plain_name(column.source, key=f"columns.{name}.from")
    return Qlib(settings, folder)


class Qlib:
    """Tables out of a qlib data folder; see `deepfactor.sources.base.Source`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._calendar = read_calendar(folder / "calendars" / "day.txt")
        self._columns: dict[str, Column] = {
            **{name: Column.model_validate({"from": field}) for name, field in _USUAL.items()},
            **settings.columns,
        }
        self._folders = self._symbol_folders()
        self._stocks = sorted(symbol for symbol in self._folders if is_stock(symbol))
        self._fields = self._fields_of_stocks()
        self._indices = sorted(symbol for symbol in self._folders if is_index(symbol))
        instruments = folder / "instruments"
        self._members = {
            index: file for stem, index in settings.indices.items() if (file := instruments / f"{stem}.txt").is_file()
        }
        self._securities = instruments / "all.txt"
        self._counted: dict[str, list[str]] = {}
        self._dropped: dict[str, int] = {}
        self._count_strangers("daily", self._folders)

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._settings.name

    def tables(self) -> tuple[str, ...]:
        """What the folder has files for, `daily` first."""
        there = {
            "daily": True,
            "securities": self._securities.is_file(),
            "index_members": bool(self._members),
            "index_daily": bool(self._indices),
            "calendar": True,
        }
        return tuple(name for name in TABLES if there.get(name))

    def fetch(self, table: str, start: date | None, end: date | None) -> pl.DataFrame:
        """Rows of `table`; see `Source.fetch`."""
        if table not in self.tables():
            raise DataError(f"{self._folder} has no table {table!r}: it has {', '.join(self.tables())}")
        self._counted[table] = []
        if table == "securities":
            return self._read_securities()
        if table == "index_members":
            return self._read_members()
        days = slice(
            0 if start is None else int(np.searchsorted(self._calendar, np.datetime64(start))),
            None if end is None else int(np.searchsorted(self._calendar, np.datetime64(end), side="right")),
        )
        if table == "calendar":
            return _between(pl.DataFrame({"date": self._published_calendar}), start, end)
        return self._read_daily(days) if table == "daily" else self._read_indices(days)

    def describe(self) -> Account:
        """The source's account of what it did; see `Source.describe`."""
        settings = self._settings
        derived = ["securities.list_date", *(["securities.delist_date"] if settings.ends == "delisted" else [])]
        derived = derived if "securities" in self.tables() else []
        if self._vwap_is_made:
            derived.append("daily.vwap")
        if not self._has_factor:
            derived.append("daily.adj_factor")
        silent = set() if settings.no_adjustment else {"no_adjustment"}  # it came later, and names what says it alone
        account: Account = {
            "name": self.name,
            "settings": settings.model_dump(mode="json", by_alias=True, exclude=silent),
            "cap": settings.cap,
            "simulated": False,
            "derived": sorted(derived),
            "dropped": self._dropped,
            "notes": [*settings.notes, *self._notes(), *(n for t in self.tables() for n in self._counted.get(t, []))],
            "files": {"securities": "instruments/all.txt"} if "securities" in self.tables() else {},
        }
        self._basis.add_to(account)
        return account

    def _count_strangers(self, table: str, symbols: Iterable[str]) -> None:
        """Funds, bonds and B-shares are in no market of ours; a count of symbols, or of lines of them."""
        strange = [symbol for symbol in symbols if not (is_stock(symbol) or is_index(symbol))]
        if strange:
            self._dropped[f"{table}: {notes.STRANGE.format(codes=named(set(strange)))}"] = len(strange)

    def _notes(self) -> list[str]:
        """What was done to every value, and what was left unread."""
        said = [notes.of_prices(self._basis)]
        unread = sorted(self._given_fields - {self._columns[name].source for name in self._fields})
        said += [notes.UNREAD.format(fields=", ".join(unread))] if unread else []
        instruments = {file.name for file in (self._folder / "instruments").glob("*.txt")} - {"all.txt"}
        unknown = sorted(instruments - {file.name for file in self._members.values()})
        return said + ([notes.UNKNOWN.format(files=", ".join(unknown))] if unknown else [])

    @property
    def _has_factor(self) -> bool:
        return "adj_factor" in self._fields

    @property
    def _basis(self) -> Basis:
        """Without a factor prices are adjusted, and volumes with them."""
        raw = self._settings.no_adjustment
        return Basis(not (raw or self._has_factor), not (raw or self._has_factor), raw)

    @property
    def _vwap_is_made(self) -> bool:
        return self._settings.vwap_from_prices and not {"vwap", "amount"} & self._fields.keys()

    @cached_property
    def _published_calendar(self) -> Dates:
        """The calendar, with the days ahead where they are published."""
        future = self._folder / "calendars" / "day_future.txt"
        if not future.is_file():
            return self._calendar
        ahead = read_calendar(future)
        return np.union1d(self._calendar, ahead[ahead > self._calendar[-1]])

    def _symbol_folders(self) -> Mapping[str, Path]:
        features = self._folder / "features"
        folders = sorted(entry for entry in features.iterdir() if entry.is_dir()) if features.is_dir() else []
        if not folders:
            raise DataError("holds no folder of a symbol: is --folder a qlib data folder?", file=features)
        by_symbol: dict[str, Path] = {}
        for entry in folders:
            symbol = our_code(entry.name, entry)
            if symbol in by_symbol:
                raise DataError(f"is the same symbol as {by_symbol[symbol].name}: take one away", file=entry)
            by_symbol[symbol] = entry
        return by_symbol

    @cached_property
    def _given_fields(self) -> frozenset[str]:
        """Fields that any stock has."""
        files = (file.name for symbol in self._stocks for file in self._folders[symbol].iterdir())
        return frozenset(name.removesuffix(ENDING) for name in files if name.endswith(ENDING))

    def _fields_of_stocks(self) -> dict[str, str]:
        """Our column = field, of those that are there. What is needed or asked for by name must be."""
        features = self._folder / "features"
        there = {}
        for name, column in self._columns.items():
            if column.source in self._given_fields:
                there[name] = column.source
            elif name in _NEEDED or name in self._settings.columns:
                known = ", ".join(sorted(self._given_fields)) or "none"
                message = f"no stock has {column.source}{ENDING}; there are {known} (columns in the source's TOML)"
                raise DataError(message, file=features, column=name)
        if not {"vwap", "amount"} & there.keys() and not self._settings.vwap_from_prices:
            message = "there is neither vwap nor amount: name the field in columns, or set vwap_from_prices = true"
            raise DataError(message, file=features, column="vwap")
        if self._settings.no_adjustment and "adj_factor" in there:
            message = "no_adjustment = true says that prices are not adjusted and no factor is known, but there is one"
            raise DataError(message, file=features, column="adj_factor")
        return there

    def _read_daily(self, days: slice) -> pl.DataFrame:
        symbol, day, values = self._assembled(days)
        if self._has_factor:
            self._require_factor(symbol, day, values)
            for name in (*_PRICES, *({"vwap"} & values.keys())):
                values[name] /= values["adj_factor"]
            values["volume"] = np.rint(values["volume"] * values["adj_factor"])
        else:
            values["adj_factor"] = np.ones(len(day))
        for name in () if self._basis.adjusted else _PRICES:
            values[name] = np.round(values[name], 2)
        if self._vwap_is_made:
            values["vwap"] = np.mean([values[name] for name in _PRICES], axis=0)
        out: dict[str, pl.Series] = {
            "date": pl.Series(self._calendar[day]),
            "symbol": pl.Series(self._stocks, dtype=pl.Enum(self._stocks)).gather(symbol),
        }
        for name in TABLES["daily"].columns:
            if name in values:
                out[name] = self._as_stored(name, values.pop(name))
        return pl.DataFrame(out)

    def _as_stored(self, name: str, values: Float64) -> pl.Series:
        """A column in its type, NaN as null."""
        series = pl.Series(name, values, nan_to_null=True)
        column = self._columns.get(name)
        if column is not None and column.equals is not None:
            return series == column.equals
        return series != 0 if TABLES["daily"].columns[name].dtype == pl.Boolean else series

    def _assembled(self, days: slice) -> tuple[Ints, Ints, dict[str, Float64]]:
        """Rows with any value: number of the symbol (n,), row of the calendar (n,), and each column (n,) in our unit.

        Prices and volumes are still adjusted.
        """
        low, high, _ = days.indices(len(self._calendar))
        blocks, first_days = [], []
        reach = Reach(self._calendar, read_spans(self._securities) if self._securities.is_file() else ())
        for symbol in self._stocks:
            files = [self._folders[symbol] / f"{field}{ENDING}" for field in self._fields.values()]
            parts = [read_field(file, len(self._calendar)) for file in files]
            reach.take(symbol, dict(zip(self._fields, files, strict=True)), parts, _NEEDED)
            begin = max(low, min(first for first, _ in parts))
            end = max(begin, min(high, max(first + len(part) for first, part in parts)))
            block = np.full((len(parts), end - begin), np.nan, dtype=np.float32)
            for row, (first, part) in zip(block, parts, strict=True):
                inside = part[max(0, begin - first) : max(0, end - first)]
                at = max(0, first - begin)
                row[at : at + len(inside)] = inside
            blocks.append(block)
            first_days.append(begin)
        lengths = [block.shape[1] for block in blocks]
        table = np.concatenate(blocks, axis=1)
        del blocks
        symbol_of = np.repeat(np.arange(len(lengths)), lengths)
        ends = np.cumsum(lengths)
        day = np.arange(len(symbol_of)) - np.repeat(ends - lengths, lengths) + np.repeat(first_days, lengths)
        known = ~np.isnan(table).all(axis=0)
        self._dropped |= dict(reach.dropped())
        if rows := int((~known).sum()):
            self._counted["daily"].append(f"daily: {notes.NO_VALUE.format(n=rows)}")
        values = {name: self._in_our_unit(name, row[known]) for name, row in zip(self._fields, table, strict=True)}
        return symbol_of[known], day[known], values

    def _in_our_unit(self, name: str, values: Float32) -> Float64:
        column = self._columns[name]
        return values.astype(np.float64) * (column.multiply or 1.0) / (column.divide or 1.0)

    def _require_factor(self, symbol: Ints, day: Ints, values: Mapping[str, Float64]) -> None:
        """A raw price can't be had without a positive factor."""
        bad = np.flatnonzero(~(values["adj_factor"] > 0))
        if not len(bad):
            return
        at = int(bad[0])
        file = self._folders[self._stocks[symbol[at]]] / f"{self._fields['adj_factor']}{ENDING}"
        message = f"the factor is {values['adj_factor'][at]:g} where other fields have values, wanted a positive number"
        raise DataError(f"{message} ({len(bad)} such days in all)", file=file, row=str(self._calendar[day[at]]))

    def _read_securities(self) -> pl.DataFrame:
        """Spans of ``all.txt`` as listing dates: a start on the first day and an end on the last one aren't known."""
        spans = read_spans(self._securities)
        self._count_strangers("securities", (span.symbol for span in spans))
        spans = [span for span in spans if is_stock(span.symbol)]
        first, delisted = self._calendar[0], self._settings.ends == "delisted"
        early = [span for span in spans if np.datetime64(span.end) < self._calendar[-1]]
        if early:
            self._counted["securities"].append(f"securities: {notes.ENDS[self._settings.ends].format(n=len(early))}")
        return pl.DataFrame(
            {
                "symbol": [span.symbol for span in spans],
                "list_date": [span.start if np.datetime64(span.start) > first else None for span in spans],
                "delist_date": [self._day_after(span.end) if delisted else None for span in spans],
            },
            schema={"symbol": pl.String, "list_date": pl.Date, "delist_date": pl.Date},
        ).sort("symbol", "list_date")

    def _day_after(self, end: date) -> date | None:
        """The first trading day after `end`: the first on which the symbol is no longer listed."""
        at = int(np.searchsorted(self._calendar, np.datetime64(end), side="right"))
        day: date | None = self._calendar[at].item() if at < len(self._calendar) else None
        return day

    def _read_members(self) -> pl.DataFrame:
        """Members' spans; one that reaches the last day is still open."""
        last: date = self._calendar[-1].item()
        rows = [(index, span) for index, file in sorted(self._members.items()) for span in read_spans(file)]
        strange = [span.symbol for _, span in rows if not is_stock(span.symbol)]
        if strange:
            self._dropped[f"index_members: {notes.STRANGE.format(codes=named(set(strange)))}"] = len(strange)
        rows = [(index, span) for index, span in rows if is_stock(span.symbol)]
        return pl.DataFrame(
            {
                "index": [index for index, _ in rows],
                "symbol": [span.symbol for _, span in rows],
                "start_date": [span.start for _, span in rows],
                "end_date": [span.end_before(last) for _, span in rows],
            },
            schema={"index": pl.String, "symbol": pl.String, "start_date": pl.Date, "end_date": pl.Date},
        ).sort("index", "symbol", "start_date")

    def _read_indices(self, days: slice) -> pl.DataFrame:
        """Closes of the indices."""
        frames = []
        for symbol in self._indices:
            whole = read_index(self._folders[symbol], len(self._calendar))
            rows = pl.DataFrame({"date": self._calendar[days], "close": whole[days]})
            frames.append(
                rows.select(pl.lit(symbol).alias("index"), "date", "close").filter(pl.col("close").is_not_nan())
            )
        return pl.concat(frames)


def _between(frame: pl.DataFrame, start: date | None, end: date | None) -> pl.DataFrame:
    return frame.filter(pl.col("date").is_between(start or date.min, end or date.max))
