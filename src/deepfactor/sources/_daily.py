"""What is added to the bars of `daily`: halted days, further files, step tables, intervals; and what is missing."""

from __future__ import annotations

from datetime import date

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.sources._changes import Changes
from deepfactor.sources._codes import Read
from deepfactor.sources._convert import as_dates, convert, numeric
from deepfactor.sources._extract import Extract
from deepfactor.sources._intervals import flag_of, spells_of
from deepfactor.sources._mapping import Mapping, TableMapping
from deepfactor.sources._mapping_parts import Halts, Intervals, Joined, Steps
from deepfactor.sources._order import by_symbol, sorted_by_symbol
from deepfactor.sources._reader import Reader
from deepfactor.sources._steps import step_values, steps_of
from deepfactor.sources._tally import Tally

_MISSING = Sentence("{field} is missing on {n} rows of {symbols} symbols", "{field}缺失：{symbols}个代码共{n}行")
_DENIED = Sentence(
    "in {n} intervals of {part} a row that doesn't match starts: they hold to their end",
    "{part}中有{n}个区间内另有不符合的记录开始，仍以区间的截止日为准",
)
_NOT_TOLD = Sentence(
    "{n} symbols have no row in {part}: taken as not marked", "{n}个代码在{part}中没有记录，视为无标记"
)
_NO_BAR = Sentence("rows of stocks and days without a bar", "没有对应行情的股票与日期的行")
_HALTED = Sentence("daily: {n} rows of halted days made from {part}", "日行情：由{part}补出{n}行停牌日记录")
_KEY = ["symbol", "date"]

#: First and last day that are wanted, None = open.
Span = tuple[date | None, date | None]


class DailyRows:
    """Finishes the bars of a mapping; see `MappedTables`."""

    def __init__(self, mapping: Mapping, reader: Reader, changes: Changes, tally: Tally) -> None:
        self._mapping, self._reader, self._changes, self._tally = mapping, reader, changes, tally

    def finished(self, spec: TableMapping, bars: list[pl.DataFrame], span: Span, days: pl.Series) -> pl.DataFrame:
        """Bars of a span with all that the mapping adds; `days`: all trading days.

        `bars`: the one frame of them, which is taken out, so that it isn't in memory beside what is made of it.
        """
        frame = bars.pop()
        for number, halts in enumerate(spec.halts):
            frame = self._with_halts(frame, halts, span, f"halts.{number}")
        added = spec.steps or spec.intervals or spec.joined or spec.halts
        if added and not sorted_by_symbol(frame):
            bars.append(frame)
            del frame
            frame = by_symbol(bars)
        for number, part in enumerate(spec.joined):
            frame = self._with_joined(frame, part, span, f"joined.{number}")
        for number, steps in enumerate(spec.steps):
            frame = self._with_steps(frame, steps, days, f"steps.{number}")
        for number, intervals in enumerate(spec.intervals):
            frame = self._with_flag(frame, intervals, f"intervals.{number}")
        if self._mapping.vwap_from_prices:
            prices = pl.mean_horizontal("open", "high", "low", "close", ignore_nulls=False)
            frame = frame.with_columns(vwap=pl.when(pl.col("volume") > 0).then(prices))
            self._tally.made("daily", "vwap")
        frame, notes = self._changes.one_level(frame)
        self._tally.notes["daily"] += notes
        for name in frame.columns:
            missing = frame[name].null_count()
            if missing:
                symbols = frame.filter(pl.col(name).is_null())["symbol"].n_unique()
                self._tally.notes["daily"].append(_MISSING.format(field=f"daily.{name}", n=missing, symbols=symbols))
        return frame

    def _read_keyed(
        self, part: Halts | Joined, columns: list[str], span: Span, label: str
    ) -> tuple[Extract, Read, pl.DataFrame]:
        """Rows of a table by stock and day within a span: row (its place), symbol (text), date."""
        wanted = [part.symbol, part.date, *columns, *(drop.column for drop in part.drop)]
        bounds = {part.date: span} if span != (None, None) else {}
        drops = {drop.column for drop in part.drop}
        numbers = numeric("daily", part.columns) - drops if isinstance(part, Joined) else ()
        extract = self._reader.read(part, wanted, part.where, f"daily.{label}", bounds, numbers)
        extract = self._tally.without("daily", part.drop, extract, label)
        read = self._tally.coded(self._changes.codes, "daily", extract, {"symbol": part.symbol}, drop=True, part=label)
        days = as_dates(read.extract, part.date, part.date_format)
        if days.null_count():
            raise read.extract.fault("there is no date", part.date, int(days.is_null().arg_max() or 0))
        keys = pl.DataFrame({"symbol": read.codes["symbol"].cast(pl.String), "date": days, **read.ages()})
        keys = keys.with_row_index("row")
        inside = [pl.col("date") >= span[0]] if span[0] else []
        inside += [pl.col("date") <= span[1]] if span[1] else []
        return read.extract, read, keys.filter(inside) if inside else keys

    def _with_halts(self, frame: pl.DataFrame, halts: Halts, span: Span, label: str) -> pl.DataFrame:
        """With rows of stocks and days that have no bar."""
        _, _, keys = self._read_keyed(halts, [], span, label)
        bars = frame.with_columns(pl.col("symbol").cast(pl.String))
        new = keys.select(_KEY).unique(maintain_order=True).join(bars.select(_KEY), on=_KEY, how="anti")
        nothing = {name: pl.lit(0.0) for name in ("volume", "amount") if name in frame.columns}
        halted = pl.col("is_suspended") if "is_suspended" in frame.columns else pl.lit(value=False)
        bars = bars.with_columns(is_suspended=halted)
        whole = pl.concat([bars, new.with_columns(**nothing, is_suspended=True)], how="diagonal")
        self._tally.notes["daily"].append(_HALTED.format(n=new.height, part=halts.named or label))
        names = whole["symbol"].unique().sort()
        return whole.with_columns(pl.col("symbol").cast(pl.Enum(names))).select(bars.columns)

    def _with_joined(self, frame: pl.DataFrame, part: Joined, span: Span, label: str) -> pl.DataFrame:
        """With the columns of a further file on the same stock and day."""
        reads = [name for column in part.columns.values() for name in column.reads]
        extract, _, keys = self._read_keyed(part, reads, span, label)
        made = pl.DataFrame(
            [convert(extract, column, name, "daily", part.date_format) for name, column in part.columns.items()]
        )
        rows = pl.concat([keys, made[keys["row"]]], how="horizontal")
        if "age" in rows.columns:  # where a day is there under two codes the newer one's counts
            rows = rows.sort("age", maintain_order=True).unique(_KEY, keep="first", maintain_order=True).drop("age")
        values = list(part.columns)
        rows = rows.unique([*_KEY, *values], keep="first", maintain_order=True)
        twice = rows.filter(rows.select(_KEY).is_duplicated())
        if twice.height:
            row, symbol, day = twice.sort(*_KEY, "row").select("row", *_KEY).row(1)
            raise extract.fault(f"two rows of {symbol} on {day} contradict each other", part.date, row)
        rows = rows.drop("row").with_columns(pl.col("symbol").cast(frame.schema["symbol"], strict=False))
        there = frame.select(_KEY)
        lost = rows.join(there, on=_KEY, how="anti").height
        if lost:
            self._tally.drop("daily", _NO_BAR, lost, label)
        found = there.join(rows, on=_KEY, how="left", maintain_order="left")
        for name in values:
            frame = self._filled(frame, name, found[name], derived=False)
        return frame

    def _with_steps(self, frame: pl.DataFrame, steps: Steps, days: pl.Series, label: str) -> pl.DataFrame:
        """With the values of a step table carried forward."""
        columns = [steps.symbol, steps.date, steps.value]
        extract = self._reader.read(steps, columns, steps.where, f"daily.{label}")
        read = self._tally.coded(self._changes.codes, "daily", extract, {"symbol": steps.symbol}, drop=True, part=label)
        value = step_values(frame, steps, steps_of(read.extract, steps, read), days)
        return self._filled(frame, steps.into, value, derived=steps.times is not None)

    def _with_flag(self, frame: pl.DataFrame, intervals: Intervals, label: str) -> pl.DataFrame:
        """Table `daily` with the flag of a table of intervals; what it doesn't tell is counted."""
        named = [name for name in (intervals.symbol, intervals.start, intervals.end, intervals.value) if name]
        wanted = [*named, *(drop.column for drop in intervals.drop)]
        extract = self._reader.read(intervals, wanted, intervals.where, f"daily.{label}")
        extract = self._tally.without("daily", intervals.drop, extract, label)
        read = self._tally.coded(
            self._changes.codes, "daily", extract, {"symbol": intervals.symbol}, drop=True, part=label
        )
        spells, denied = spells_of(read.extract, intervals, read)
        if denied:
            what = _DENIED.format(n=denied, part=label)
            self._tally.notes["daily"].append(f"daily.{intervals.into}: {what}")
        ours, told = (set(column.unique().cast(pl.String)) for column in (frame["symbol"], read.codes["symbol"]))
        if ours - told and intervals.matching is not None:
            what = _NOT_TOLD.format(n=len(ours - told), part=label)
            self._tally.notes["daily"].append(f"daily.{intervals.into}: {what}")
        return self._filled(frame, intervals.into, flag_of(frame, spells), derived=True)

    def _filled(self, frame: pl.DataFrame, into: str, value: pl.Series, *, derived: bool) -> pl.DataFrame:
        """Table `daily` with `value` in the column `into` where it isn't known yet; delivered so, or `derived`."""
        known = frame[into] if into in frame.columns else None
        if derived:
            self._tally.made("daily", into)
        return frame.with_columns((value if known is None else known.zip_with(known.is_not_null(), value)).alias(into))
