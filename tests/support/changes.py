"""A stock of the handmade market under an old code before a day and a new one from it on, in every table."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from deepfactor.store.folder import MarketFolder
from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, START, bars, weekdays, write
from support.cli import Ended, deepfactor

N, AT = 120, 80
DAYS = weekdays(N)
OLD, NEW = "000122.SZ", "000011.SZ"
WHOLE = bars(n=N)
SAID = f'renames = [{{ old = "{OLD}", new = "{NEW}", date = {DAYS[AT]} }}]\n'
PATTERN = "[[symbols]]\npattern = '000122.*'\nto = '000011.SZ'\n"
TABLE = '[rename_table]\nfile = "changes.csv"\nold = "was"\nnew = "is"\ndate = "day"\n'
LATE = (pl.col("symbol") == NEW) & (pl.col("date") == DAYS[-1])
EARLIER = (pl.col("symbol") == NEW) & (pl.col("date") < DAYS[AT])


def cut(frame: pl.DataFrame = WHOLE, factor: float = 1.0) -> pl.DataFrame:
    """The stock under its old code before the day of the change, with a factor of `factor`; by code and date."""
    level = pl.when(EARLIER).then(pl.col("adj_factor") * factor).otherwise("adj_factor")
    symbol = pl.when(EARLIER).then(pl.lit(OLD)).otherwise("symbol")
    return frame.with_columns(adj_factor=level, symbol=symbol).sort("symbol", "date")


def ingest(place: Path, frame: pl.DataFrame, mapping: str, name: str = "market") -> Ended:
    """Into `place`/`name` from `place`/files."""
    files = place / "files"
    return deepfactor("ingest", write(files, frame, mapping), place / name, "--folder", files)


def done(result: Ended) -> Ended:
    assert result.code == 0, result.err
    return result


def refused(result: Ended, *said: str) -> None:
    assert result.code == 2, (result.out, result.err)
    for part in said:
        assert part in result.err, result.err


def tables(market: Path) -> dict[str, tuple[str, ...]]:
    """Each table's parts by content."""
    return {name: tuple(p.content for p in parts) for name, parts in MarketFolder.open(market).manifest.tables.items()}


def others(folder: Path, *, changes: bool = True, until: date = DAYS[-1]) -> None:
    """Weights, industries, listings, reports and marks as known on `until`; the stock under its old code till then."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = changes and until >= DAYS[AT]

    def code(symbol: str, day: date) -> str:
        return OLD if changes and symbol == NEW and day < DAYS[AT] else symbol

    def lines(name: str, head: str, *rows: str) -> None:
        (folder / name).write_text("\n".join([head, *rows]) + "\n")

    dates = [day for day in DAYS[::21] if day <= until]
    weights = [f"{INDEX},{day},{code(c, day)},{1 / 12:.6f}" for day in dates for c in CODES]
    lines("weights.csv", "index,date,symbol,weight", *weights)
    ends = {NEW: (DAYS[AT] - timedelta(days=1), DAYS[AT])} if changed else {}
    starts = [f"{code(c, START)},I{k % 3},2010-01-01,{ends.get(c, ('', ''))[0]}" for k, c in enumerate(CODES)]
    again = [f"{NEW},I{CODES.index(NEW) % 3},{DAYS[AT]},"] if changed else []
    lines("industry.csv", "symbol,industry,since,until", *starts, *again)
    listed = [f"{code(c, START)},name,2005-03-01,{ends.get(c, ('', ''))[1]}" for c in CODES]
    lines("listed.csv", "symbol,name,listed,gone", *listed, *([f"{NEW},name,{DAYS[AT]},"] if changed else []))
    told = [day for day in (date(2019, 4, 30), date(2020, 5, 11)) if day < until]
    reports = [f"{code(c, day)},{day.year - 1}-12-31,{day},{k}" for day in told for k, c in enumerate(CODES)]
    twice = [f"{NEW},2018-12-31,2019-04-30,{CODES.index(NEW)}"] if changed else []
    lines("reports.csv", "symbol,period,told,profit", *reports, *twice)
    marks = [f"{code(NEW, day)},{mark},{day}" for day, mark in ((START, "A"), (DAYS[20], "ST"), (DAYS[90], "A"))]
    lines("marks.csv", "symbol,mark,since", *(mark for mark in marks if mark[-10:] <= str(until)))


MORE = """
[tables.securities]
file = "listed.csv"
columns = { symbol = "symbol", name = "name", list_date = "listed", delist_date = "gone" }
[[fundamentals.statements]]
file = "reports.csv"
period = "period"
announced = "told"
items = { net_profit_ytd = "profit" }
[[tables.daily.steps]]
into = "is_st"
file = "marks.csv"
date = "since"
value = "mark"
matching = "ST"
lag_days = 0
"""
ALL = DAILY.replace('is_st = "is_st"\n', "") + MEMBERSHIP + MORE
