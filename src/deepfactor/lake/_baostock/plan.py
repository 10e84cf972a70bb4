"""What to ask BaoStock for, and in which order: days and stocks, bars, factors of ex-dates, lists by week, profits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from deepfactor.lake._baostock.calls import BARS, CALLS, DAY, FIELDS, LEVEL_FIELDS, MEMBERS
from deepfactor.lake.fetching import Group, Stage, Wanted
from deepfactor.lake.folder import Lake, Recorded
from deepfactor.lake.request import Ask, Expected, Request
from deepfactor.lake.settled import last_evening, settled
from deepfactor.market.boards import find_board

INDICES = ("000300.SH", "000905.SH", "000852.SH")
#: Of the stocks that are listed on a day, at least so many have a row.
_LEAST = 0.98
_RAW = "3"
#: Before the exchanges: factors of before an asked start don't come, so all are asked for.
_EVER = "1990-12-19"
_YEARS_BEFORE = 2
#: Days after a quarter's end until which a report that isn't there is asked for again.
_LATE = 400


def ours(code: str) -> str:
    """``sh.600000`` as ``600000.SH``."""
    return f"{code[3:]}.{code[:2].upper()}"


def theirs(code: str) -> str:
    """``600000.SH`` as ``sh.600000``."""
    return f"{code[7:].lower()}.{code[:6]}"


@dataclass(frozen=True)
class Stock:
    """A stock and its first and last day, as text; the last one is open for those still listed."""

    code: str
    first: str
    last: str


@dataclass(frozen=True)
class BaoStock:
    """See `deepfactor.lake.fetching.Vendor`. `indices`: whose levels are wanted."""

    indices: tuple[str, ...] = INDICES
    name: str = "baostock"

    def stages(self, lake: Lake, wanted: Wanted) -> Iterator[Stage]:
        """See `Vendor.stages`."""
        plan = _Plan(lake, wanted)
        yield plan.stage("days", [plan.calendar()])
        yield plan.stage("stocks", [plan.ask("query_stock_basic", {"code": "", "code_name": ""})])
        days = plan.days()
        if not days:
            return
        stocks = plan.stocks(days[-1])
        if BARS in wanted.tables:
            base = plan.base(days)
            there = [one for one in stocks if one.first <= base and one.last >= days[0]]
            yield plan.stage(BARS, [plan.bars(one, days, base) for one in there])
            yield plan.stage(DAY, [plan.day(day, stocks) for day in days if day >= base] if days[-1] > base else [])
            yield plan.stage("levels", [plan.levels(index, days) for index in self.indices])
        if "query_adjust_factor" in wanted.tables:
            yield plan.stage("query_adjust_factor", plan.factors(stocks, days))
        for api in ("query_stock_industry", *MEMBERS):
            if api in wanted.tables:
                yield plan.stage(api, [plan.list_of(api, day) for day in _weekly(days)])
        if "query_profit_data" in wanted.tables:
            yield plan.stage("query_profit_data", plan.profits(stocks, days))


class _Plan:
    """Questions of one fetch, by what the lake has."""

    def __init__(self, lake: Lake, wanted: Wanted) -> None:
        self._lake, self._wanted = lake, wanted

    def stage(self, label: str, asks: Sequence[Ask]) -> Stage:
        """The questions that the lake has no answer to; lists of now are asked for again each evening."""
        return Stage(label, [Group((ask,)) for ask in asks if self._lacks(ask.request)])

    def _lacks(self, request: Request) -> bool:
        held = self._lake.newest(request)
        if held is None:
            return True
        if request.api in ("query_trade_dates", "query_stock_basic"):
            return held.fetched_at < last_evening(self._wanted.now)
        if request.api == "query_profit_data" and held.rows == 0:
            end = date(int(request["year"]), 3 * int(request["quarter"]), 28)
            fresh = self._wanted.now - held.fetched_at < timedelta(days=7)
            return not fresh and (held.fetched_at.date() - end).days < _LATE
        return False

    def ask(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        empty: bool = False,
        among: Mapping[str, frozenset[str]] | None = None,
        within: Mapping[str, tuple[str, str]] | None = None,
        complete: Mapping[str, frozenset[str]] | None = None,
        least: int = 0,
        columns: tuple[str, ...] = (),
    ) -> Ask:
        """A question; `columns` if not all that the call has. Tables that may lack rows needn't be complete."""
        call, gaps = CALLS[api], api in self._wanted.may_be_empty
        complete, least = ({}, 0) if gaps else (complete or {}, least)
        wanted = columns or call.columns
        expected = Expected(wanted, call.key, empty, gaps, among or {}, within or {}, least, complete)
        return Ask(Request.of(api, params), expected)

    def calendar(self) -> Ask:
        """Every day from the first to the end of the next year, of which those until the last wanted must be there."""
        first, last = self._wanted.since, self._wanted.until
        every = frozenset(str(first + timedelta(days=n)) for n in range((last - first).days + 1))
        params = {"start_date": str(first), "end_date": f"{last.year + 1}-12-31"}
        among = {"is_trading_day": frozenset("01")}
        return self.ask("query_trade_dates", params, complete={"calendar_date": every}, among=among)

    def days(self) -> list[str]:
        """Trading days that are wanted and settled."""
        held = self._lake.newest(self.calendar().request)
        rows = self._lake.rows([held] if held else [], ["calendar_date", "is_trading_day"])
        given = sorted(date.fromisoformat(day) for day, is_open in rows.iter_rows() if is_open == "1")
        inside = [day for day in given if self._wanted.since <= day <= self._wanted.until]
        return [str(day) for day in settled(inside, self._wanted.now)]

    def stocks(self, last: str) -> list[Stock]:
        """A-shares that are, or were, listed by a day."""
        rows = self._lake.rows(self._lake.of("query_stock_basic"), ["code", "ipoDate", "outDate", "type"])
        listed = [
            Stock(code, first or _EVER, gone or "9999-12-31")
            for code, first, gone, kind in rows.iter_rows()
            if kind == "1" and find_board(ours(code)) is not None
        ]
        return sorted((one for one in listed if one.first <= last), key=lambda one: one.code)

    def base(self, days: Sequence[str]) -> str:
        """The day until which bars come stock by stock: the last one when that began. Later days come whole."""
        ends = {one.request["end_date"] for one in self._lake.of(BARS) if "isST" in one.request["fields"]}
        return min(ends, default=days[-1])

    def bars(self, stock: Stock, days: Sequence[str], base: str) -> Ask:
        """A stock's raw bars until the base; a row for each trading day on which it was listed."""
        start = days[0]
        inside = frozenset(day for day in days if max(start, stock.first) <= day <= base and day < stock.last)
        params = {"code": stock.code, "fields": FIELDS, "start_date": start, "end_date": base}
        return self.ask(
            BARS,
            {**params, "frequency": "d", "adjustflag": _RAW},
            empty=not inside,
            among={"code": frozenset({stock.code}), "adjustflag": frozenset({_RAW})},
            within={"date": (start, base)},
            complete={"date": inside},
        )

    def day(self, day: str, stocks: Sequence[Stock]) -> Ask:
        """All stocks' raw bars of one day."""
        listed = sum(one.first <= day < one.last for one in stocks)
        among = {"date": frozenset({day}), "adjustflag": frozenset({_RAW})}
        return self.ask(DAY, {"date": day}, among=among, least=int(_LEAST * listed))

    def levels(self, index: str, days: Sequence[str]) -> Ask:
        """An index's levels over all days, asked for as a whole each time."""
        params = {"code": theirs(index), "fields": ",".join(LEVEL_FIELDS), "start_date": days[0], "end_date": days[-1]}
        return self.ask(
            BARS,
            {**params, "frequency": "d", "adjustflag": _RAW},
            among={"code": frozenset({theirs(index)})},
            within={"date": (days[0], days[-1])},
            complete={"date": frozenset(days)},
            columns=LEVEL_FIELDS,
        )

    def factors(self, stocks: Sequence[Stock], days: Sequence[str]) -> list[Ask]:
        """Factors from listing on, of stocks whose newest answer is of before their last ex-date."""
        newest: dict[str, str] = {}
        for one in self._lake.of("query_adjust_factor"):
            newest[one.request["code"]] = max(newest.get(one.request["code"], ""), one.request["end_date"])
        ex_dates = self._ex_dates()
        asks = []
        for stock in stocks:
            held = newest.get(stock.code)
            if stock.last >= days[0] and (held is None or ex_dates.get(stock.code, "") > held):
                params = {"code": stock.code, "start_date": _EVER, "end_date": days[-1]}
                among, within = {"code": frozenset({stock.code})}, {"dividOperateDate": (_EVER, days[-1])}
                asks.append(self.ask("query_adjust_factor", params, empty=True, among=among, within=within))
        return asks

    def _ex_dates(self) -> dict[str, str]:
        """The last day, of those that came whole, on which a stock's reference isn't its close before."""
        rows = self._lake.rows(self._lake.of(DAY), ["date", "code", "close", "preclose"]).sort("code", "date")
        before = pl.col("close").cast(pl.Float64, strict=False).shift(1).over("code")
        moved = (pl.col("preclose").cast(pl.Float64, strict=False) - before).abs() > 1e-6
        newest = rows.filter(moved).group_by("code").agg(pl.col("date").max())
        return dict(newest.select("code", "date").iter_rows())

    def list_of(self, api: str, day: str) -> Ask:
        """Industries or members as of a day; the list may be of a day before."""
        params = {"code": "", "date": day} if "code" in CALLS[api].params else {"date": day}
        return self.ask(api, params, within={"updateDate": ("0000", day)})

    def profits(self, stocks: Sequence[Stock], days: Sequence[str]) -> list[Ask]:
        """A stock and quarter each; a report may not be there."""
        last = days[-1]
        years = range(int(days[0][:4]) - _YEARS_BEFORE, int(last[:4]) + 1)
        quarters = [(year, quarter) for year in years for quarter in range(1, 5)]
        asks = []
        for stock in (one for one in stocks if one.last >= days[0]):
            for year, quarter in quarters:
                if f"{year}-{3 * quarter:02d}-31" < last:
                    params = {"code": stock.code, "year": str(year), "quarter": str(quarter)}
                    among = {"code": frozenset({stock.code})}
                    asks.append(self.ask("query_profit_data", params, empty=True, among=among))
        return asks


def _weekly(days: Sequence[str]) -> list[str]:
    """The first trading day of each week: lists are new on Mondays."""
    first: dict[tuple[int, int], str] = {}
    for day in days:
        first.setdefault(date.fromisoformat(day).isocalendar()[:2], day)
    return list(first.values())


def is_level(one: Recorded) -> bool:
    """Whether an answer of bars is an index's levels."""
    return one.request["fields"] == ",".join(LEVEL_FIELDS)
