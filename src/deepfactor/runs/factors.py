"""Factor files: date, symbol, score; ours and strangers'. See `docs/conventions.md` for what is read and understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence, Text
from deepfactor.market.vendor_codes import as_market_has_them
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.runs._factor_days import LOCKED, FactorDays, place_days
from deepfactor.runs._factor_file import COLUMNS, factors_of, read_columns, read_factor_table
from deepfactor.runs._factor_layout import Columns
from deepfactor.store.content import content_hash
from deepfactor.store.parquet import write_parquet

_ROWS = Sentence("rows: {file} in the file, {matched} matched", "行数：文件 {file}，匹配 {matched}")
_DROPPED = Text("; dropped: {why}", "；未采用：{why}")
_SYMBOLS = Sentence("symbols read as the market's: {one}", "代码按市场的写法读取：{one}")
_READ_AS = Text("{theirs} as {ours}{more}", "{theirs} 读作 {ours}{more}")
_MORE = Text(", and {n} more", "，另有 {n} 个")
_NO_SCORE, _INFINITE, _NO_SYMBOL = "no score", "infinite score", "symbol not in market"
_OPEN = ". Locked days are opened by --open-holdout, on record"
#: Share of the rows with a score that must find a place.
_LEAST = 0.5


@dataclass(frozen=True)
class Reading:
    """How a stranger's factor file is read.

    Attributes
    ----------
    date_format : of dates as text or whole numbers, where day or month come first, as ``%d/%m/%Y``
    partial : take what fits, even if that is less than half, or days aren't the market's
    columns : what its columns are, where names and content don't say
    """

    date_format: str | None = None
    partial: bool = False
    columns: Columns = field(default_factory=Columns)

    @classmethod
    def of(cls, columns: str, date_format: str | None = None, *, partial: bool = False) -> Reading:
        """With columns as a user says them, ``date=trade_date,symbol=ts_code,score=a``; else a `UserError`."""
        return cls(date_format, partial, Columns.of(columns))


class RowsRecord(TypedDict):
    """A `RowAccount` as JSON has it."""

    file: int
    matched: int
    dropped: dict[str, int]
    examples: dict[str, str]
    notes: list[str]


@dataclass(frozen=True)
class RowAccount:
    """What became of a factor file's rows.

    Attributes
    ----------
    file, matched : rows in the file; those that gave a score
    dropped : reason → rows, largest first; examples : reason → one of them
    notes : what was understood otherwise than it stood there, or moved; a line each
    """

    file: int = 0
    matched: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def lines(self, named: Callable[[str], Text] = Text) -> list[Text]:
        """For people: the rows, then the notes; `named` brings the Chinese of reasons."""
        said = _ROWS.filled(file=f"{self.file:,}", matched=f"{self.matched:,}")
        lost = _DROPPED.filled(why=self.reasons(named)) if self.dropped else Text("")
        return [
            Text(said + lost, said.zh + lost.zh),
            *(one if isinstance(one, Text) else Text(one) for one in self.notes),
        ]

    def reasons(self, named: Callable[[str], Text] = Text) -> Text:
        """Like ``symbol not in market 28,712 (as 000636.XX), no score 3``."""
        english, chinese = [], []
        for reason, count in self.dropped.items():
            one, word = self.examples.get(reason), named(reason)
            english.append(f"{reason} {count:,}{f' (as {one})' if one else ''}")
            chinese.append(f"{word.zh} {count:,}{f'（如 {one}）' if one else ''}")
        return Text(", ".join(english), "，".join(chinese))

    def to_json_dict(self) -> RowsRecord:
        """Keys file, matched, dropped, examples, notes."""
        return {
            "file": self.file,
            "matched": self.matched,
            "dropped": dict(self.dropped),
            "examples": dict(self.examples),
            "notes": [str(one) for one in self.notes],
        }


def write_scores(path: Path, scores: Scores) -> str:
    """Write finite scores as rows date (date32), symbol, score (float64), sorted. Returns the rows' hash."""
    day, stock = np.nonzero(np.isfinite(scores.values))
    frame = pl.DataFrame(
        {
            "date": scores.dates[day].astype("datetime64[D]"),
            "symbol": scores.symbols[stock].astype(str),
            "score": scores.values[day, stock],
        },
        schema={"date": pl.Date, "symbol": pl.String, "score": pl.Float64},
    )
    write_parquet(path, frame)
    return content_hash(frame)


def read_scores(path: Path, panel: Panel, *, name: str, dropped: Mapping[str, int]) -> Scores:
    """What `write_scores` wrote, aligned with the panel that it was made on."""
    return replace(align(path, read_table(path), panel, name=name), dropped=dropped)


def read_factor(path: Path, panel: Panel, *, name: str | None = None, reading: Reading = Reading()) -> Scores:
    """The scores of a factor file, aligned with a panel; raises as `read_factor_rows`."""
    return read_factor_rows(path, panel, name=name, reading=reading)[0]


def factors_in(path: Path, panel: Panel, reading: Reading = Reading()) -> tuple[str, ...]:
    """Names of the factors in a file, one a column of scores; of a table with a column a stock or day, nothing.

    Raises
    ------
    DataError
        no such file, not readable, or columns that could be several things.
    """
    return factors_of(path, reading.columns, frozenset(panel.symbols.tolist()))


def read_factor_rows(
    path: Path, panel: Panel, *, name: str | None = None, reading: Reading = Reading(), factor: str | None = None
) -> tuple[Scores, RowAccount]:
    """Read a factor file, align it with a panel, and say what became of its rows.

    The file has a row a date and stock, or a column a stock or a day; of a file with several factors `factor` is read.
    Codes of other vendors' forms are read as the market's where no doubt is left, former codes as today's; ends of
    months and weeks that are no trading days move to the last trading day before; rows without a score, of other
    symbols or outside of the market's days are dropped and counted.

    Raises
    ------
    DataError
        no such file, not readable, a missing column, a value that is none (names the row), two rows of a date and
        symbol, days that must have moved, or less than half of the scores placed.
    """
    own = frozenset(panel.symbols.tolist())
    table = read_factor_table(path, reading.columns, own, reading.date_format, factor)
    if table.rows.is_empty():
        raise DataError("holds no rows", file=path)
    days = place_days(
        path, table.rows["date"], panel.dates, clock=table.clock, partial=reading.partial, locked=panel.locked
    )
    read = as_market_has_them(table.rows["symbol"].unique().to_list(), own)
    symbols = {theirs: ours if ours in own else panel.former.get(ours, ours) for theirs, ours in read.items()}
    placed = _placed(table.rows, panel, days, symbols)
    _refuse_duplicates(path, placed, panel.shape)
    read_as = [(theirs, ours) for theirs, ours in sorted(symbols.items()) if ours in own and ours != theirs.strip()]
    notes = [_read_as(*read_as[0], len(read_as) - 1)] if read_as else []
    account = _account(placed, (*table.notes, *notes, *days.notes))
    _refuse_misfits(path, panel, account, reading)
    return _scores(name or path.stem, placed, panel, account), account


def _read_as(theirs: str, ours: str, others: int) -> Text:
    more = _MORE.filled(n=f"{others:,}") if others else Text("")
    return _SYMBOLS.filled(one=_READ_AS.filled(theirs=theirs, ours=ours, more=more))


def _placed(rows: pl.DataFrame, panel: Panel, days: FactorDays, symbols: Mapping[str, str]) -> pl.DataFrame:
    """`rows` with `t` and `i`, where the panel has them, and `why` they give no score (null = they do)."""
    at = {day: t for t, day in enumerate(panel.dates.astype(object).tolist())}
    own = {str(symbol): i for i, symbol in enumerate(panel.symbols)}
    there = rows["date"].unique().to_list()
    where = pl.DataFrame(
        {
            "date": there,
            "t": [at.get(days.moved.get(day, day)) for day in there],
            "off": [days.left_out.get(day) for day in there],
        },
        schema={"date": pl.Date, "t": pl.Int64, "off": pl.String},
    )
    who = pl.DataFrame(
        {"symbol": list(symbols), "i": [own.get(ours) for ours in symbols.values()]},
        schema={"symbol": pl.String, "i": pl.Int64},
    )
    placed = rows.join(where, on="date", how="left", maintain_order="left")
    placed = placed.join(who, on="symbol", how="left", maintain_order="left")
    score = pl.col("score")
    why = (
        pl.when(score.is_null())
        .then(pl.lit(_NO_SCORE))
        .when(score.is_infinite())
        .then(pl.lit(_INFINITE))
        .when(pl.col("t").is_null())
        .then("off")
        .when(pl.col("i").is_null())
        .then(pl.lit(_NO_SYMBOL))
    )
    return placed.with_columns(why=why)


def _account(placed: pl.DataFrame, notes: tuple[Text, ...]) -> RowAccount:
    lost = placed.filter(pl.col("why").is_not_null())
    by_reason = lost.group_by("why", maintain_order=True).agg(pl.len(), pl.col("date", "symbol").first())
    rows = by_reason.sort("len", "why", descending=[True, False]).rows()
    shown = {_NO_SYMBOL: 3, _NO_SCORE: None, _INFINITE: None}
    return RowAccount(
        placed.height,
        placed.height - lost.height,
        {row[0]: row[1] for row in rows},
        {row[0]: str(row[at]) for row in rows if (at := shown.get(row[0], 2)) is not None},
        notes,
    )


def _refuse_misfits(path: Path, panel: Panel, account: RowAccount, reading: Reading) -> None:
    """A file of which nothing, or less than half of what has a score, finds a place; what is locked could have one."""
    scored = account.file - account.dropped.get(_NO_SCORE, 0) - account.dropped.get(LOCKED, 0)
    if account.matched and (reading.partial or account.matched >= _LEAST * scored):
        return
    market = f"the market has {panel.dates[0]} to {panel.dates[-1]}, symbols as {panel.symbols[0]}"
    if not account.matched:
        raise DataError(
            f"none of its {account.file:,} rows has a score of this market: {account.reasons()}; {market}"
            f"{_OPEN if LOCKED in account.dropped else ''}",
            file=path,
        )
    raise DataError(
        f"only {account.matched:,} of its {scored:,} scores ({account.matched / scored:.1%}) find a place: "
        f"{account.reasons()}; {market}. Mend the file, or take what fits with --partial",
        file=path,
    )


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Columns date, symbol, score of a file of ours, typed; `columns` renames the file's to these."""
    names = columns or {column: column for column in COLUMNS}
    return read_columns(path, names).rows.drop("row")


def align(path: Path, frame: pl.DataFrame, panel: Panel, *, name: str) -> Scores:
    """Rows date, symbol, score of the file `path` of ours as `Scores` of a panel; those of other days or symbols are
    dropped and counted.

    Raises
    ------
    DataError
        two rows of a date and symbol.
    """
    market = frozenset(panel.dates.astype(object).tolist())
    elsewhere = {day: "no trading day" for day in frame["date"].unique() if day not in market}
    symbols = {symbol: symbol for symbol in frame["symbol"].unique()}
    placed = _placed(frame.with_row_index("row", offset=1), panel, FactorDays({}, elsewhere, ()), symbols)
    _refuse_duplicates(path, placed, panel.shape)
    return _scores(name, placed, panel, _account(placed, ()))


def _scores(name: str, placed: pl.DataFrame, panel: Panel, account: RowAccount) -> Scores:
    known = placed.filter(pl.col("why").is_null())
    values = np.full(panel.shape, np.nan)
    values[known["t"].to_numpy(), known["i"].to_numpy()] = known["score"].to_numpy()
    return Scores(name, panel.dates, panel.symbols, values, account.dropped)


def _refuse_duplicates(path: Path, placed: pl.DataFrame, shape: tuple[int, int]) -> None:
    """Two rows of one day and stock of the market (of `shape`), or of one date and symbol outside of it."""
    inside = placed.filter(pl.col("t").is_not_null() & pl.col("i").is_not_null())
    taken = np.zeros(shape, np.bool_)
    taken[inside["t"].to_numpy(), inside["i"].to_numpy()] = True
    if np.count_nonzero(taken) < inside.height:  # what follows takes long
        _refuse(path, inside, "t", "i")
    _refuse(path, placed.filter(pl.col("t").is_null() | pl.col("i").is_null()), "date", "symbol")


def _refuse(path: Path, rows: pl.DataFrame, *key: str) -> None:
    twice = rows.filter(pl.struct(key).is_duplicated())
    if twice.is_empty():
        return
    first = twice.row(0, named=True)
    other = twice.filter(pl.struct(key) == pl.struct(pl.lit(first[name]).alias(name) for name in key)).row(
        1, named=True
    )
    same = (first["date"], first["symbol"]) == (other["date"], other["symbol"])
    again = "" if same else f" and {other['date']} {other['symbol']}"
    raise DataError(
        f"{twice.select(key).n_unique():,} (date, symbol) pairs occur more than once, the first is {first['date']} "
        f"{first['symbol']}{again} (again in row {other['row']}): keep one score a stock and day",
        file=path,
        row=first["row"],
    )
