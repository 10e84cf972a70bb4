"""BaoStock's answers as tables that its mapping reads: codes in our form, lists by week as intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.lake._baostock.calls import BARS, DAY, MEMBERS
from deepfactor.lake._baostock.plan import is_level
from deepfactor.lake.folder import Recorded
from deepfactor.sources._lake import Held, Span, View, as_days, numbers

_FORM = "%Y-%m-%d"
_NUMBERS = ["open", "high", "low", "close", "preclose", "volume", "amount", "turn"]
_FLAGS = ["tradestatus", "isST"]
#: Rows that are read as text at once.
_ROWS = 1_000_000
_INDICES = dict(zip(MEMBERS, ("000300.SH", "000905.SH", "000016.SH"), strict=True))
#: ``sh.600000`` as ``600000.SH``.
_OURS = pl.concat_str(pl.col("code").str.slice(3), pl.lit("."), pl.col("code").str.slice(0, 2).str.to_uppercase())


def _bars(held: Held, span: Span = (None, None)) -> list[Recorded]:
    """Answers with bars of a span: of a stock until a day, or of a day."""
    bars = []
    for one in held.of(BARS, DAY):
        first, last = (one.request[name] or one.request["date"] for name in ("start_date", "end_date"))
        after = span[0] is not None and last < str(span[0])
        before = span[1] is not None and first > str(span[1])
        if not (is_level(one) or after or before):
            bars.append(one)
    return bars


def daily(held: Held, span: Span) -> pl.DataFrame:
    """Bars by symbol and date, numbers as float64; `float_mv` is missing where nothing was traded.

    Raises
    ------
    DataError
        a stock's row isn't raw.
    """
    parts = [_typed(held, records, span) for records in _blocks(_bars(held, span))] or [_typed(held, [], span)]
    rows = pl.concat(parts).unique(["symbol", "date"], keep="last").sort("symbol", "date")
    traded = (pl.col("volume") > 0) & (pl.col("turn") > 0)
    value = pl.col("close") * pl.col("volume") / (pl.col("turn") / 100)
    return rows.with_columns(pl.col("volume", "amount").fill_null(0.0), float_mv=pl.when(traded).then(value))


def _blocks(records: Sequence[Recorded]) -> Iterator[list[Recorded]]:
    block: list[Recorded] = []
    for one in records:
        block.append(one)
        if sum(other.rows for other in block) >= _ROWS:
            yield block
            block = []
    if block:
        yield block


def _typed(held: Held, records: Sequence[Recorded], span: Span) -> pl.DataFrame:
    rows = held.rows(records, ["date", "code", *_NUMBERS, *_FLAGS, "adjustflag"])
    inside = [pl.col("date") >= str(span[0])] if span[0] else []
    inside += [pl.col("date") <= str(span[1])] if span[1] else []
    rows = rows.filter(inside) if inside else rows
    if rows.filter(pl.col("adjustflag") != "3").height:
        raise DataError("prices come adjusted: wanted raw ones (3)", table="bars of the lake", column="adjustflag")
    rows = as_days(numbers(rows, _NUMBERS, "bars"), ["date"], "bars", _FORM)
    return rows.select("date", _OURS.alias("symbol"), *_NUMBERS, *_FLAGS)


def _days(held: Held) -> pl.Series:
    """The trading days from the first to the last that bars were asked for."""
    records = _bars(held)
    first = min(one.request["start_date"] or one.request["date"] for one in records)
    last = max(one.request["end_date"] or one.request["date"] for one in records)
    days = _calendar(held, (None, None))["calendar_date"]
    return days.filter((days >= first) & (days <= last)).str.to_date(_FORM).alias("date")


def _codes(held: Held) -> pl.Series:
    rows = held.rows(_bars(held), ["code"]).unique().drop_nulls()
    return rows.select(_OURS.alias("symbol"))["symbol"].sort()


def _calendar(held: Held, span: Span) -> pl.DataFrame:
    rows = held.rows(held.of("query_trade_dates"), ["calendar_date", "is_trading_day"])
    rows = rows.unique("calendar_date", keep="last", maintain_order=True).filter(pl.col("is_trading_day") == "1")
    return rows.sort("calendar_date").filter([pl.col("calendar_date") >= str(span[0])] if span[0] else True)


def _factors(held: Held, span: Span) -> pl.DataFrame:
    """Cumulative backward factors from each ex-date on, of each stock's newest answer.

    Raises
    ------
    DataError
        a stock that has bars was not asked for its factors: a factor of 1 would be a guess.
    """
    newest: dict[str, Recorded] = {}
    for one in held.of("query_adjust_factor"):
        code = one.request["code"]
        if code not in newest or newest[code].request["end_date"] <= one.request["end_date"]:
            newest[code] = one
    lacking = sorted({one.request["code"] for one in _bars(held) if one.rows} - {"", *newest})
    if lacking:
        what = f"{len(lacking)} stocks that have bars have no answer, as {lacking[0]}: fetch to the end"
        raise DataError(what, table="query_adjust_factor of the lake")
    rows = held.rows(list(newest.values()), ["code", "dividOperateDate", "backAdjustFactor"])
    return rows.select(_OURS.alias("symbol"), "dividOperateDate", "backAdjustFactor")


def _securities(held: Held, span: Span) -> pl.DataFrame:
    rows = held.rows(held.of("query_stock_basic"), ["code", "code_name", "ipoDate", "outDate", "type"])
    rows = rows.filter(pl.col("type") == "1").with_columns(pl.all().replace("", None))
    return rows.select(_OURS.alias("symbol"), "code_name", "ipoDate", "outDate")


def _industries(held: Held, span: Span) -> pl.DataFrame:
    """Intervals of one class; a stock that a list has without a class is without one."""
    rows = held.rows(held.of("query_stock_industry"), ["updateDate", "code", "industry"])
    rows = rows.filter(pl.col("industry").fill_null("") != "").select("updateDate", _OURS.alias("symbol"), "industry")
    return _intervals(rows, ["symbol", "industry"], _lists(held, "query_stock_industry"))


def _members(held: Held, span: Span) -> pl.DataFrame:
    parts = []
    for api, index in _INDICES.items():
        rows = held.rows(held.of(api), ["updateDate", "code"]).select("updateDate", _OURS.alias("symbol"))
        made = _intervals(rows.with_columns(index=pl.lit(index)), ["index", "symbol"], _lists(held, api))
        parts.append(made.select("index", "symbol", "start_date", "end_date"))
    return pl.concat(parts)


def _lists(held: Held, api: str) -> pl.Series:
    """The days of a call's lists."""
    return held.rows(held.of(api), ["updateDate"])["updateDate"].unique().sort()


def _intervals(rows: pl.DataFrame, keys: list[str], lists: pl.Series) -> pl.DataFrame:
    """From the first of lists in a row that have a key to the day before the next list that hasn't; null = still."""
    place = pl.DataFrame({"updateDate": lists, "place": pl.int_range(len(lists), eager=True)})
    rows = rows.unique([*keys, "updateDate"]).join(place, on="updateDate").sort(*keys, "place")
    begins = (pl.col("place") != pl.col("place").shift(1).over(keys) + 1).fill_null(value=True)
    groups = rows.with_columns(number=begins.cum_sum().over(keys)).group_by([*keys, "number"], maintain_order=True)
    spans = groups.agg(start_date=pl.col("updateDate").first(), next=pl.col("place").last() + 1)
    ends = pl.DataFrame({"next": place["place"], "following": lists})
    spans = spans.join(ends, on="next", how="left", maintain_order="left")
    before = (pl.col("following").str.to_date(_FORM) - pl.duration(days=1)).dt.strftime(_FORM)
    return spans.select(*keys, "start_date", end_date=before)


def _levels(held: Held, span: Span) -> pl.DataFrame:
    """Each index's levels, of its newest answer."""
    newest = {one.request["code"]: one for one in held.of(BARS) if is_level(one)}
    rows = held.rows(list(newest.values()), ["code", "date", "close"])
    return rows.select(_OURS.alias("index"), "date", "close")


def _profits(held: Held, span: Span) -> pl.DataFrame:
    columns = ["pubDate", "statDate", "netProfit", "MBRevenue", "totalShare"]
    rows = held.rows(held.of("query_profit_data"), ["code", *columns]).with_columns(pl.all().replace("", None))
    return rows.select(_OURS.alias("symbol"), *columns).sort("symbol", "pubDate", "statDate")


VIEWS: Mapping[str, View] = {
    "daily": View((BARS, DAY), daily, {"date": _days, "symbol": _codes}),
    "adjust_factor": View(("query_adjust_factor",), _factors),
    "stock_basic": View(("query_stock_basic",), _securities),
    "industry": View(("query_stock_industry",), _industries),
    "members": View(MEMBERS, _members),
    "levels": View((BARS,), _levels),
    "trade_dates": View(("query_trade_dates",), _calendar),
    "profit": View(("query_profit_data",), _profits),
}
