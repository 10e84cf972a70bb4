"""What to ask Tushare for, and in which order: lists, days, indices, statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from deepfactor.lake._tushare.agreement import Listed, agree
from deepfactor.lake._tushare.calls import ALWAYS, BY_DAY, CALLS, STATEMENTS
from deepfactor.lake.fetching import Group, Stage, Wanted
from deepfactor.lake.folder import Lake, Recorded
from deepfactor.lake.request import Ask, Expected, Request
from deepfactor.lake.settled import last_evening, settled, today

#: CSI 300's weights come under this code, too, for some months under it alone.
ALSO = {"000300.SH": "399300.SZ"}
INDICES = ("000300.SH", "000905.SH", "000852.SH")
#: Consolidated: as it stands, restated in a later report, as it was before a correction. By default the first comes.
REPORT_TYPES = ("1", "4", "5")
#: Years of statements before the first day: trailing years and their changes.
_YEARS_BEFORE = 2
#: A quarter's statements: asked again so often (days) until so many days after its end.
_AGAIN = ((1, 130), (7, 500), (90, 10**6))
#: The same for a day's factors that lack stocks: most are there the next day, Beijing's came a year late.
_AGAIN_FACTORS = ((1, 14), (7, 500))
#: Months of weights asked for again: they come up to two weeks after the month's end.
_LATE_WEIGHTS = 20


@dataclass(frozen=True)
class Tushare:
    """See `deepfactor.lake.fetching.Vendor`. `by_stock`: statements stock by stock, without the points for ``_vip``."""

    indices: tuple[str, ...] = INDICES
    by_stock: bool = False
    name: str = "tushare"

    def stages(self, lake: Lake, wanted: Wanted) -> Iterator[Stage]:
        """See `Vendor.stages`."""
        plan = _Plan(lake, wanted)
        yield plan.lacking("trade_cal", [plan.calendar()])
        states = [plan.whole("stock_basic", list_status=one, empty=one != "L") for one in "LDP"]  # by default L alone
        yield plan.lacking("stock_basic", states)
        lists = [plan.whole("namechange")] if "namechange" in wanted.tables else []
        if "index_member_all" in wanted.tables:  # without is_new the newest alone come
            lists += [plan.whole("index_member_all", is_new=one, empty=one == "N") for one in "YN"]
        yield plan.lacking("lists", lists)
        days = plan.days()
        yield Stage("days", [group for day in days if (group := plan.day(day))])
        yield plan.lacking("index_daily", [plan.levels(index, y) for index in self.indices for y in plan.years(days)])
        for codes in (self.indices, tuple(ALSO[one] for one in self.indices if one in ALSO)):
            months = [plan.weights(code, month) for code in codes for month in _months(days)]
            yield plan.lacking("index_weight", [one for one in months if plan.is_open(one.request)])
        for name in STATEMENTS:
            if name in wanted.tables:
                yield plan.lacking(
                    name, plan.statements(name, by_stock=self.by_stock), partial(_old_report, wanted.now)
                )


class _Plan:
    """Questions of one fetch, by what the lake has."""

    def __init__(self, lake: Lake, wanted: Wanted) -> None:
        self._lake, self._wanted = lake, wanted
        self._listed: Listed | None = None

    def lacking(self, label: str, asks: Sequence[Ask], old: Callable[[Request, datetime], bool] | None = None) -> Stage:
        """The questions that the lake has no answer to, or an `old` one (by default of before the last evening)."""
        wanted = [ask for ask in asks if ask.request.api.removesuffix("_vip") in (*self._wanted.tables, *ALWAYS)]
        return Stage(label, [Group((ask,)) for ask in wanted if self._lacks(ask.request, old or self._before_evening)])

    def _lacks(self, request: Request, old: Callable[[Request, datetime], bool]) -> bool:
        held = self._lake.newest(request)
        return held is None or old(request, held.fetched_at)

    def _before_evening(self, request: Request, fetched_at: datetime) -> bool:
        return fetched_at < min(last_evening(self._wanted.now), _final(request))

    def _ask(
        self,
        api: str,
        params: dict[str, str],
        *,
        empty: bool = False,
        gap: bool = False,
        among: Mapping[str, frozenset[str]] | None = None,
        within: Mapping[str, tuple[str, str]] | None = None,
        complete: Mapping[str, frozenset[str]] | None = None,
    ) -> Ask:
        call = CALLS[api]
        gap = gap or api in self._wanted.may_be_empty
        expected = Expected(call.columns, call.key, empty, gap, among or {}, within or {}, complete=complete or {})
        return Ask(Request.of(api, params), expected)

    def calendar(self) -> Ask:
        """Every day from the first to the end of the next year, of which those until the last wanted must be there."""
        first, last = self._wanted.since, self._wanted.until
        params = {"exchange": "SSE", "start_date": _text(first), "end_date": f"{last.year + 1}1231"}
        days = frozenset(_text(first + timedelta(days=n)) for n in range((last - first).days + 1))
        return self._ask("trade_cal", params, complete={"cal_date": days}, among={"is_open": frozenset("01")})

    def whole(self, api: str, *, empty: bool = False, **params: str) -> Ask:
        """A list that comes as a whole."""
        among = {name: frozenset({value}) for name, value in params.items()}
        return self._ask(api, params, empty=empty, among=among)

    def days(self) -> list[date]:
        """Trading days that are wanted and settled."""
        wanted = self._wanted
        held = self._lake.newest(self.calendar().request)
        rows = self._lake.rows([held] if held else [], ["cal_date", "is_open"])
        open_days = sorted(_day(day) for day, is_open in rows.iter_rows() if is_open == "1")
        return settled([day for day in open_days if wanted.since <= day <= wanted.until], wanted.now)

    def day(self, day: date) -> Group | None:
        """The tables of one day that the lake lacks; None if it has all."""
        asks = []
        for api in (name for name in BY_DAY if name in self._wanted.tables):
            params = {"trade_date": _text(day)} | ({"suspend_type": "S"} if api == "suspend_d" else {})
            ask = self._ask(api, params, empty=api == "suspend_d", among={"trade_date": frozenset({_text(day)})})
            held = self._lake.newest(ask.request)
            asks += [ask] if held is None or (api == "adj_factor" and self._incomplete(held)) else []
        if self._listed is None:
            self._listed = Listed.of(self._lake)
        return Group(tuple(asks), partial(agree, self._listed, day)) if asks else None

    def _incomplete(self, held: Recorded) -> bool:
        """Whether factors of a day lack stocks that have bars, and may be there by now: some come late."""
        day = _day(held.request["trade_date"])
        bars = self._lake.newest(Request.of("daily", {"trade_date": held.request["trade_date"]}))
        age = (today(held.fetched_at) - day).days
        every = next((days for days, until in _AGAIN_FACTORS if age <= until), None)
        if bars is None or bars.rows <= held.rows or every is None:
            return False
        return self._wanted.now - held.fetched_at > timedelta(days=every) or (
            every == 1 and held.fetched_at < last_evening(self._wanted.now)
        )

    def years(self, days: Sequence[date]) -> list[tuple[str, list[str]]]:
        """Each year with its trading days."""
        texts = [_text(day) for day in days]
        return [(year, [day for day in texts if day[:4] == year]) for year in sorted({day[:4] for day in texts})]

    def levels(self, index: str, year: tuple[str, list[str]]) -> Ask:
        """An index's levels of a year: none but trading days, the last one among them."""
        name, days = year
        params = {"ts_code": index, "start_date": days[0], "end_date": f"{name}1231"}
        complete = {"trade_date": frozenset(days[-1:])}
        within = {"trade_date": (days[0], f"{name}1231")}
        return self._ask("index_daily", params, complete=complete, within=within, among={"ts_code": frozenset({index})})

    def weights(self, index: str, month: str) -> Ask:
        """An index's weights of a month, which may be none: the vendor has gaps."""
        last = (date(int(month[:4]) + (month[4:] == "12"), int(month[4:]) % 12 + 1, 1) - timedelta(days=1)).day
        params = {"index_code": index, "start_date": f"{month}01", "end_date": f"{month}{last}"}
        within = {"trade_date": (f"{month}01", f"{month}{last}")}
        among = {"index_code": frozenset({index})}
        return self._ask("index_weight", params, empty=index in ALSO, gap=index not in ALSO, within=within, among=among)

    def is_open(self, request: Request) -> bool:
        """Whether weights under a second code are still wanted: where the first gave none."""
        first = next((one for one, other in ALSO.items() if other == request["index_code"]), None)
        if first is None:
            return True
        held = self._lake.newest(Request.of(request.api, dict(request.params) | {"index_code": first}))
        return held is not None and held.rows == 0

    def statements(self, name: str, *, by_stock: bool) -> list[Ask]:
        """Statements of each type by quarter, or by stock; a quarter or a stock may have none of a type."""
        if by_stock:
            codes = Listed.of(self._lake).codes()
            start = _text(date(self._wanted.since.year - _YEARS_BEFORE, 1, 1))
            chosen = [{"ts_code": code, "start_date": start} for code in codes]
            asked = [(keys, {"ts_code": keys["ts_code"]}) for keys in chosen]
        else:
            quarters = _quarters(self._wanted.since.year - _YEARS_BEFORE, self._wanted.until)
            asked = [({"period": one}, {"end_date": one}) for one in quarters]
        api = name if by_stock else f"{name}_vip"
        return [self._statement(api, keys, kind, told) for keys, told in asked for kind in REPORT_TYPES]

    def _statement(self, api: str, keys: dict[str, str], kind: str, told: dict[str, str]) -> Ask:
        among = {name: frozenset({value}) for name, value in (told | {"report_type": kind}).items()}
        return self._ask(api, keys | {"report_type": kind}, empty=True, among=among)


def _final(request: Request) -> datetime:
    """When an answer about a span of days that has passed can't change by new days any more."""
    end = request["end_date"] if request.api in ("index_daily", "index_weight") else ""
    if not end:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(_day(end) + timedelta(days=_LATE_WEIGHTS), datetime.min.time(), UTC)


def _old_report(now: datetime, request: Request, fetched_at: datetime) -> bool:
    """Whether a quarter's statements may have changed since; of a stock, once a week."""
    if not request["period"]:
        return now - fetched_at > timedelta(days=_AGAIN[1][0])
    age = (today(fetched_at) - _day(request["period"])).days
    every = next(days for days, until in _AGAIN if age <= until)
    return now - fetched_at > timedelta(days=every) or (every == 1 and fetched_at < last_evening(now))


def _months(days: Sequence[date]) -> list[str]:
    return sorted({f"{day:%Y%m}" for day in days})


def _quarters(first_year: int, until: date) -> list[str]:
    ends = [date(year, month, last) for year in range(first_year, until.year + 1) for month, last in _ENDS]
    return [_text(end) for end in ends if end < until]


_ENDS = ((3, 31), (6, 30), (9, 30), (12, 31))


def _text(day: date) -> str:
    return f"{day:%Y%m%d}"


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
