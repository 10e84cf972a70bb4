"""The simulated market as BaoStock would answer: its calls, columns, units and codes, every value as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from deepfactor.lake._baostock.calls import BARS, CALLS, DAY, MEMBERS
from deepfactor.lake._baostock.plan import theirs
from deepfactor.lake.request import Page, Request

Rows = list[dict[str, str]]
_OF_INDEX = dict(zip(("000300.SH", "000905.SH", "000016.SH"), MEMBERS, strict=True))


@dataclass
class BaoStockData:
    """What the vendor has: call = all its rows, bars by stock and by day; `page` = rows that it gives at once."""

    rows: dict[str, Rows]
    bars: dict[str, Rows]
    by_day: dict[str, Rows] = field(default_factory=dict)
    page: int = 2000

    def answer(self, api: str, params: Mapping[str, str]) -> tuple[list[str], Rows]:
        """Columns and all rows of an answer."""
        if api == BARS:
            found = self.bars.get(params["code"], [])
            found = [row for row in found if params["start_date"] <= row["date"] <= params["end_date"]]
            return params["fields"].split(","), found
        if api == DAY:
            if not self.by_day:
                for row in (row for rows in self.bars.values() for row in rows if "isST" in row):
                    self.by_day.setdefault(row["date"], []).append(row)
            return list(CALLS[DAY].columns), self.by_day.get(params["date"], [])
        return list(CALLS[api].columns), [row for row in self._of_list(api, params) if _asked(api, row, params)]

    def _of_list(self, api: str, params: Mapping[str, str]) -> Rows:
        """Rows; of lists by week those of the last one by the day."""
        if api not in (*MEMBERS, "query_stock_industry"):
            return self.rows[api]
        lists = {row["updateDate"] for row in self.rows[api] if row["updateDate"] <= params["date"]}
        return [row for row in self.rows[api] if row["updateDate"] == max(lists, default="")]


def _asked(api: str, row: Mapping[str, str], params: Mapping[str, str]) -> bool:
    day = {"query_trade_dates": "calendar_date", "query_adjust_factor": "dividOperateDate"}.get(api)
    if day is not None and not params["start_date"] <= row[day] <= params["end_date"]:
        return False
    if api == "query_profit_data":
        quarter = f"{params['year']}-{3 * int(params['quarter']):02d}"
        return row["code"] == params["code"] and row["statDate"].startswith(quarter)
    return not params.get("code") or row["code"] == params["code"]


@dataclass(frozen=True)
class BaoStockInMemory:
    """The vendor without a network; see `deepfactor.lake.live.Wire`."""

    data: BaoStockData

    def rows_a_page(self, request: Request) -> int | None:
        return 0

    def page(self, request: Request, number: int, first: int) -> Page:
        columns, rows = self.data.answer(request.api, dict(request.params))
        return Page(tuple(columns), [[row.get(name, "") for name in columns] for row in rows])


def baostock_data(tables: Mapping[str, pl.DataFrame]) -> BaoStockData:
    """The vendor that has this market."""
    rows = {
        "query_trade_dates": _calendar(tables["calendar"]),
        "query_stock_basic": _securities(tables["securities"]),
        "query_adjust_factor": _factors(tables["daily"]),
        "query_stock_industry": _industries(tables),
        "query_profit_data": _profits(tables["fundamentals"]),
        **_members(tables),
    }
    return BaoStockData(rows, _bars(tables["daily"]) | _levels(tables["index_daily"]))


def _calendar(calendar: pl.DataFrame) -> Rows:
    days = set(calendar["date"].to_list())
    first, last = date(min(days).year, 1, 1), date(max(days).year + 1, 12, 31)
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [{"calendar_date": str(day), "is_trading_day": str(int(day in days))} for day in every]


def _securities(securities: pl.DataFrame) -> Rows:
    """With an index and a fund, which come along."""
    rows = [
        {
            "code": theirs(row["symbol"]),
            "code_name": row["name"],
            "ipoDate": str(row["list_date"]),
            "outDate": str(row["delist_date"] or ""),
            "type": "1",
            "status": str(int(row["delist_date"] is None)),
        }
        for row in securities.iter_rows(named=True)
    ]
    index = {"code": "sh.000300", "code_name": "沪深300", "ipoDate": "2005-04-08", "outDate": ""}
    index |= {"type": "2", "status": "1"}
    return [*rows, index, {**index, "code": "sh.510300", "code_name": "300ETF", "type": "5"}]


def _bars(daily: pl.DataFrame) -> dict[str, Rows]:
    """Of halted days the close before, no volume, no turnover."""
    found: dict[str, Rows] = {}
    for row in daily.sort("symbol", "date").iter_rows(named=True):
        halted, code = row["is_suspended"], theirs(row["symbol"])
        bar = {
            "date": str(row["date"]),
            "code": code,
            **{name: f"{row[name]:.4f}" for name in ("open", "high", "low", "close")},
            "preclose": f"{row['prev_close']:.4f}",
            "volume": "0" if halted else f"{row['volume']:.0f}",
            "amount": "0.0000" if halted else repr(row["amount"]),
            "adjustflag": "3",
            "turn": "" if halted else repr(row["turnover"] * 100),
            "tradestatus": str(int(not halted)),
            "pctChg": "",
            "isST": str(int(row["is_st"])),
        }
        found.setdefault(code, []).append(bar)
    return found


def _levels(levels: pl.DataFrame) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in levels.iter_rows(named=True):
        code = theirs(row["index"])
        found.setdefault(code, []).append({"date": str(row["date"]), "code": code, "close": repr(row["close"])})
    return found


def _factors(daily: pl.DataFrame) -> Rows:
    """Steps on ex-dates. A step before the first day stands for all that came before."""
    rows: Rows = []
    before: dict[str, float] = {}
    for row in daily.sort("symbol", "date").iter_rows(named=True):
        symbol, factor = row["symbol"], row["adj_factor"]
        if factor != before.get(symbol, 1.0):
            day = row["date"] if symbol in before else date(2010, 1, 4)
            values = {name: repr(factor) for name in ("backAdjustFactor", "adjustFactor")}
            rows.append({"code": theirs(symbol), "dividOperateDate": str(day), "foreAdjustFactor": "0.5", **values})
        before[symbol] = factor
    return rows


def _mondays(tables: Mapping[str, pl.DataFrame]) -> list[date]:
    """Days of lists: the first one, then Mondays."""
    days = tables["daily"]["date"].unique().sort().to_list()
    first = days[0] - timedelta(days=days[0].weekday())
    return [first + timedelta(days=7 * n) for n in range((days[-1] - first).days // 7 + 1)]


def _industries(tables: Mapping[str, pl.DataFrame]) -> Rows:
    """Of delisted stocks without a name and a class."""
    gone = dict(tables["securities"].select("symbol", "delist_date").iter_rows())
    rows: Rows = []
    for day in _mondays(tables):
        for row in tables["industry"].iter_rows(named=True):
            over = gone[row["symbol"]] is not None and gone[row["symbol"]] <= day
            named = {"code_name": "" if over else "N", "industry": "" if over else row["industry"]}
            keys = {"updateDate": str(day), "code": theirs(row["symbol"])}
            if row["start_date"] <= day:
                rows.append({**keys, **named, "industryClassification": "申万一级行业"})
    return rows


def _members(tables: Mapping[str, pl.DataFrame]) -> dict[str, Rows]:
    rows: dict[str, Rows] = {api: [] for api in MEMBERS}
    for index, api in _OF_INDEX.items():
        source = "000300.SH" if index == "000016.SH" else index  # the simulated market has no CSI 50
        members = tables["index_members"].filter(pl.col("index") == source)
        for day in _mondays(tables):
            on = max(day, tables["daily"]["date"].min())  # type: ignore[type-var]
            inside = (pl.col("start_date") <= on) & (pl.col("end_date").is_null() | (pl.col("end_date") >= on))
            codes = members.filter(inside)["symbol"].to_list()
            rows[api] += [{"updateDate": str(day), "code": theirs(one), "code_name": "N"} for one in codes]
    return rows


def _profits(figures: pl.DataFrame) -> Rows:
    """Net profit of the year to date, as first published."""
    rows: Rows = []
    of_profit = figures.filter(pl.col("item") == "net_profit_q").sort("symbol", "period_end", "known_at")
    for (symbol,), frame in of_profit.group_by("symbol", maintain_order=True):
        year: dict[int, float] = {}
        for row in frame.unique("period_end", keep="first", maintain_order=True).iter_rows(named=True):
            end = row["period_end"]
            year[end.year] = year.get(end.year, 0.0) + row["value"]
            told = row["known_at"] - timedelta(days=3 if row["known_at"].weekday() == 0 else 1)
            values = {"netProfit": f"{year[end.year]:.6f}", "MBRevenue": "", "totalShare": "1000000", "liqaShare": ""}
            rows.append({"code": theirs(str(symbol)), "pubDate": str(told), "statDate": str(end), **values})
    return rows
