"""BaoStock's calls as its package of version 0.9.4 has them: types of message, parameters, columns and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    asks, answers : types of the messages
    params : names of its parameters, in the order in which they are sent
    columns : that must be there
    key : columns that name a row
    fields_at : part of the answer's body that names the columns
    paged : whether it comes in pages; if not, rows stand in part 4
    """

    asks: str
    answers: str
    params: tuple[str, ...]
    columns: tuple[str, ...]
    key: tuple[str, ...]
    fields_at: int
    paged: bool = True


#: Of one stock over days, and of all stocks of one day.
BARS, DAY = "query_history_k_data_plus", "query_daily_history_k_AStock"
_BARS = (
    *("date", "code", "open", "high", "low", "close", "preclose", "volume", "amount", "adjustflag", "turn"),
    *("tradestatus", "pctChg", "isST"),
)
_MEMBERS = ("updateDate", "code", "code_name")

CALLS: Mapping[str, Call] = {
    "query_trade_dates": Call(
        "33", "34", ("start_date", "end_date"), ("calendar_date", "is_trading_day"), ("calendar_date",), 9
    ),
    "query_stock_basic": Call(
        "45", "46", ("code", "code_name"), ("code", "code_name", "ipoDate", "outDate", "type", "status"), ("code",), 9
    ),
    BARS: Call(
        "95", "96", ("code", "fields", "start_date", "end_date", "frequency", "adjustflag"), _BARS, ("date",), 8
    ),
    DAY: Call("98", "99", ("date",), _BARS, ("code",), 5, paged=False),
    "query_adjust_factor": Call(
        "15",
        "16",
        ("code", "start_date", "end_date"),
        ("code", "dividOperateDate", "foreAdjustFactor", "backAdjustFactor", "adjustFactor"),
        ("dividOperateDate",),
        10,
    ),
    "query_stock_industry": Call(
        "59", "60", ("code", "date"), (*_MEMBERS, "industry", "industryClassification"), ("code",), 9
    ),
    "query_hs300_stocks": Call("61", "62", ("date",), _MEMBERS, ("code",), 8),
    "query_sz50_stocks": Call("63", "64", ("date",), _MEMBERS, ("code",), 8),
    "query_zz500_stocks": Call("65", "66", ("date",), _MEMBERS, ("code",), 8),
    "query_profit_data": Call(
        "17",
        "18",
        ("code", "year", "quarter"),
        ("code", "pubDate", "statDate", "netProfit", "MBRevenue", "totalShare", "liqaShare"),
        ("statDate",),
        10,
    ),
}
#: What bars are asked for with.
FIELDS = ",".join(_BARS)
#: Levels of an index have fewer columns.
LEVEL_FIELDS = ("date", "code", "close")
COMPRESSED = ("96", "99", "9B", "9D")
PAGE = 2000
_PROFIT = "query_profit_data"
#: Tables that a user can name, and those that are fetched unless others are named; days and stocks always are.
ALWAYS = ("query_trade_dates", "query_stock_basic")
TABLES = tuple(name for name in CALLS if name not in (*ALWAYS, DAY))
USUAL = tuple(name for name in TABLES if name != _PROFIT)
MEMBERS = ("query_hs300_stocks", "query_zz500_stocks", "query_sz50_stocks")
