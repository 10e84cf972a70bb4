"""``python -m benchmarks.lakes [STOCKS [FOLDER]]``: from a lake of Tushare's answers to a market and panel, and an
evening's day more; writes ``benchmarks/RESULTS-lake.md``. In FOLDER the lake stays, and is taken from there next time.

The answers are the simulated market's, in Tushare's columns, units and parts, as a fetch leaves them. Each measured
command is a process of its own: CPU seconds and peak memory are what the system counts for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import polars as pl

import deepfactor
from benchmarks.page import page
from benchmarks.process import settle
from benchmarks.timing import Line, alone
from deepfactor.core.files import write_text
from deepfactor.lake import fetching
from deepfactor.lake import folder as lakes
from deepfactor.lake._tushare.calls import CALLS
from deepfactor.lake.folder import Lake
from deepfactor.lake.pace import MachineClock
from deepfactor.lake.request import Answer, Request
from deepfactor.runs.environment import machine, versions
from deepfactor.sources.base import fetch_all
from deepfactor.sources.simulated import Settings, open_source
from tests.support.vendor_tushare import tushare_data

_RESULTS = Path(__file__).with_name("RESULTS-lake.md")
_INTRO = """# Speed of a lake

Written by `python -m benchmarks.lakes`; do not edit. A lake of Tushare's answers (simulated: bars, factors, market
values, limits, halts, names, industries, weights, levels) of all days of 2011 to 2023; CPU seconds and peak memory of
`deepfactor ingest tushare`, which makes the market and its panel, in a process of its own with one thread, whose Python
code is compiled, as an installer does once.
"""
_NOTES = """## How to read it

* *Market and panel*: `ingest` into an empty folder. *An evening's day*: the same `ingest` again, once the lake has what
  an evening's `fetch` adds: a day's answers, and the lists that it asks for anew (calendar; stocks with one more; names
  with a new ST; industries; the year's levels with a day more; the month's weights). *Nothing new*: once more.
* Memory is the peak of resident memory that the system counted, pages of mapped files included.
"""
START, END = dt.date(2011, 1, 4), dt.date(2023, 12, 29)
#: Ever listed, of which one in twenty lists only after the end: 5,400 have rows.
STOCKS = 5684
_BYTECODE = "bytecode"
_BEFORE, _WHOLE = "before.jsonl", "whole.jsonl"
_WANTED = {"market and panel": (150.0, 4.0), "an evening's day": (3.0, None)}


@dataclass(frozen=True)
class Spent:
    """CPU seconds, and peak resident memory in GiB, of a process."""

    seconds: float
    memory: float


def main() -> None:
    """Measure and write the page."""
    stocks = int(sys.argv[1]) if len(sys.argv) > 1 else STOCKS
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        lines = measure(Path(sys.argv[2] if len(sys.argv) > 2 else temporary), stocks)
    cpu = sum(line.ours for line in lines)
    facts = {"machine": machine(), "versions": versions(), "load": (before, os.getloadavg()[0]), "cpu": cpu}
    write_text(_RESULTS, page({"From a lake": lines}, facts, _INTRO, _NOTES))
    print(_RESULTS)


def measure(place: Path, stocks: int) -> list[Line]:
    """Write the lake but for its last day, ingest; then with it, ingest again; then once more."""
    lake, market = place / "lake", place / "market"
    if not (lake / _WHOLE).exists():
        pid = os.fork()  # what makes the answers takes memory that it must give back
        if pid == 0:
            write(lake, stocks)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    for folder in (market, place / _BYTECODE):
        shutil.rmtree(folder, ignore_errors=True)
    command, spent = ["ingest", "tushare", str(market), "--folder", str(lake)], {}
    compile_code(place / _BYTECODE)
    for job, journal in (("market and panel", _BEFORE), ("an evening's day", _WHOLE), ("nothing new", _WHOLE)):
        shutil.copyfile(lake / journal, lake / lakes.JOURNAL)
        spent[job] = run(command, place / _BYTECODE)
    rows = sum(one.rows for one in Lake.open(lake).of("daily"))
    size = f"{stocks * 19 // 20:,} stocks, {rows / 1e6:.1f} million bars"
    return [_line(job, size, one) for job, one in spent.items()]


def _line(job: str, size: str, spent: Spent) -> Line:
    seconds, memory = _WANTED.get(job, (None, None))
    wanted = [f"≤ {seconds:.0f} s"] if seconds else []
    wanted += [f"≤ {memory:.0f} GB"] if memory else []
    return alone(job, size, [spent.seconds], f"peak {spent.memory * 1.073741824:.2f} GB", ", ".join(wanted))


def compile_code(bytecode: Path) -> None:
    """deepfactor's own code into the folder `bytecode`, and that of others which every command loads."""
    package = str(Path(deepfactor.__file__).parent)
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(bytecode)}
    subprocess.run([sys.executable, "-m", "compileall", "-q", package], env=environment, check=True)
    run(["--version"], bytecode)


def run(command: list[str], bytecode: Path) -> Spent:
    """A command of deepfactor's in a process of its own, which keeps what it compiles in the folder `bytecode`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfactor", *command],
        stdout=subprocess.DEVNULL,
        env=environment | {"PYTHONPYCACHEPREFIX": str(bytecode)},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Spent(used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)


def write(path: Path, stocks: int) -> None:
    """A lake of the simulated market; beside its journal that of the day before the last, and the whole one."""
    source = open_source(Settings(stocks=stocks, start=START, end=END))
    tables = dict(fetch_all(source))
    del source  # its arrays
    daily = tables.pop("daily").sort("date", "symbol")
    last = daily["date"].max()
    tables["index_weights"] = _month_ends(tables["index_weights"])
    few = pl.concat([daily.filter(pl.col("date") == last).head(2), daily.filter("is_suspended").head(1)])
    others = tushare_data({**tables, "daily": _for_names(daily, few)})
    journal = path / lakes.JOURNAL
    # The hash of an answer in a lake names its content; how it is made is no part of what is measured.
    with Lake.writing(path, "tushare") as lake, mock.patch.object(lakes, "content_of", _content):
        kept = fetching._Kept(lake, MachineClock())
        for answer in _lists(others.rows, last):
            kept.add(answer)
        for year in range(START.year, END.year + 1):
            for day, answers in _days(daily.filter(pl.col("date").dt.year() == year)):
                if day == last:
                    kept.keep()
                    before = journal.read_bytes()
                for answer in answers:
                    kept.add(answer)
                if day == last:
                    kept.keep()
                    for answer in asked_again(lake, last):
                        kept.add(answer)
            print(f"answers of {year}", file=sys.stderr, flush=True)
        kept.keep()
    (path / _BEFORE).write_bytes(before)
    shutil.copyfile(journal, path / _WHOLE)


def asked_again(lake: Lake, last: dt.date) -> Iterator[Answer]:
    """Answers to the lists that a fetch asks for anew each evening, with what came on the `last` day."""
    code = lake.rows(lake.of("daily")[-1:], ["ts_code"])["ts_code"][0]
    listed = set(lake.rows(lake.of("stock_basic"), ["ts_code"])["ts_code"])
    new_code = next(f"605{n:03d}.SH" for n in range(1000) if f"605{n:03d}.SH" not in listed)
    day = f"{last:%Y%m%d}"
    more = {
        "stock_basic": {"ts_code": new_code, "symbol": new_code[:6], "name": "New", "list_status": "L"},
        "namechange": {"ts_code": code, "name": "*ST", "start_date": day, "ann_date": day},
        "index_daily": {"trade_date": day},
    }
    for api in ("trade_cal", "stock_basic", "namechange", "index_member_all", "index_daily", "index_weight"):
        for one in lake.of(api):
            if api in ("index_daily", "index_weight") and one.request["end_date"] < day:
                continue
            rows = lake.rows([one], one.columns)
            if api in more and one.request["list_status"] in ("", "L"):
                new = (
                    dict.fromkeys(rows.columns) | (rows.row(-1, named=True) if api == "index_daily" else {}) | more[api]
                )
                rows = pl.concat([rows, pl.DataFrame([new], schema=rows.schema)])
            yield Answer(one.request, rows, _fetched(last))


def _for_names(daily: pl.DataFrame, few: pl.DataFrame) -> pl.DataFrame:
    """Of each stock the days on which its mark changes, and a few whole rows: what the lists are made of."""
    changed = (pl.col("is_st") != pl.col("is_st").shift(1)).over("symbol").fill_null(value=True)
    return pl.concat([daily.filter(changed), few]).unique(["symbol", "date"]).sort("date", "symbol")


def _month_ends(weights: pl.DataFrame) -> pl.DataFrame:
    """The last publication of each month, as Tushare has them."""
    return weights.filter(pl.col("date") == pl.col("date").max().over("index", pl.col("date").dt.truncate("1mo")))


def _content(rows: pl.DataFrame) -> str:
    return hashlib.sha256(rows.hash_rows().to_numpy().tobytes()).hexdigest()


def _fetched(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(12), dt.UTC)


def _lists(rows: dict[str, list[dict[str, object]]], last: dt.date) -> Iterator[Answer]:
    """Answers that aren't of a day: calendar, stocks, names, industries, levels by year, weights by month."""

    def answer(api: str, params: dict[str, str], given: list[dict[str, object]]) -> Answer:
        columns = CALLS[api].columns
        text = [[None if row.get(name) is None else str(row[name]) for row in given] for name in columns]
        frame = pl.DataFrame(dict(zip(columns, text, strict=True)), schema=dict.fromkeys(columns, pl.String))
        return Answer(Request.of(api, params), frame, _fetched(last))

    span = {"exchange": "SSE", "start_date": f"{START:%Y%m%d}", "end_date": f"{last.year + 1}1231"}
    yield answer("trade_cal", span, rows["trade_cal"])
    for status in "LDP":
        given = [row for row in rows["stock_basic"] if row["list_status"] == status]
        yield answer("stock_basic", {"list_status": status}, given)
    yield answer("namechange", {}, rows["namechange"])
    for new in "YN":
        yield answer(
            "index_member_all", {"is_new": new}, [one for one in rows["index_member_all"] if one["is_new"] == new]
        )
    for api, code in (("index_daily", "ts_code"), ("index_weight", "index_code")):
        of_index: dict[tuple[str, str], list[dict[str, object]]] = {}
        for row in rows[api]:
            if api == "index_daily" and str(row["trade_date"]) == f"{last:%Y%m%d}":
                continue  # which the evening brings
            part = str(row["trade_date"])[: 4 if api == "index_daily" else 6]
            of_index.setdefault((str(row[code]), part), []).append(row)
        for (index, part), given in of_index.items():
            first, final = ("0101", "1231") if api == "index_daily" else ("01", "31")
            yield answer(api, {code: index, "start_date": part + first, "end_date": part + final}, given)


def _days(daily: pl.DataFrame) -> Iterator[tuple[dt.date, list[Answer]]]:
    """A year's days, the answers of each."""
    col, key = pl.col, [pl.col("symbol").alias("ts_code"), pl.col("date").dt.strftime("%Y%m%d").alias("trade_date")]
    traded = ~pl.col("is_suspended")
    change = col("close") - col("prev_close")
    prices = [col("open"), col("high"), col("low"), col("close"), col("prev_close").alias("pre_close")]
    amounts = [(col("volume") / 100).alias("vol"), (col("amount") / 1000).alias("amount")]
    changes = [change.round(4).alias("change"), (100 * change / col("prev_close")).round(4).alias("pct_chg")]
    shares = [
        (col(name) / col("close") / 1e4).alias(ours)
        for name, ours in (("total_mv", "total_share"), ("float_mv", "float_share"))
    ]
    values = [(col("turnover") * 100).alias("turnover_rate"), *shares, (shares[1] / 2).alias("free_share")]
    values += [(col("total_mv") / 1e4).alias("total_mv"), (col("float_mv") / 1e4).alias("circ_mv")]
    halt = pl.lit(None, pl.String)
    made = {
        "suspend_d": daily.filter("is_suspended").select(
            *key, halt.alias("suspend_timing"), pl.lit("S").alias("suspend_type")
        ),
        "daily": daily.filter(traded).select(*key, *prices, *amounts, *changes),
        "adj_factor": daily.select(*key, "adj_factor"),
        "daily_basic": daily.filter(traded).select(*key, "close", *values),
        "stk_limit": daily.filter(col("limit_up").is_not_null()).select(
            key[1], key[0], col("limit_up").alias("up_limit"), col("limit_down").alias("down_limit")
        ),
    }  # fmt: skip
    parts = {
        api: frame.select(pl.all().cast(pl.String)).partition_by("trade_date", as_dict=True)
        for api, frame in made.items()
    }
    for day in daily["date"].unique(maintain_order=True):
        answers = []
        for api, frame in made.items():
            params = {"trade_date": f"{day:%Y%m%d}"} | ({"suspend_type": "S"} if api == "suspend_d" else {})
            empty = pl.DataFrame(schema=dict.fromkeys(frame.columns, pl.String))
            answers.append(
                Answer(Request.of(api, params), parts[api].get((params["trade_date"],), empty), _fetched(day))
            )
        yield day, answers


if __name__ == "__main__":
    settle("benchmarks.lakes")
    main()
