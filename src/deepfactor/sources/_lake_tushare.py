"""Tushare's answers as tables that its mapping reads: a day's calls side by side, intervals that don't overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from itertools import compress

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.lake.folder import Recorded
from deepfactor.sources._lake import DAY, Held, Span, View, as_days, numbers

_FORM = "%Y%m%d"
_KEY = ["ts_code", "trade_date"]
_BARS = ["open", "high", "low", "close", "pre_close", "vol", "amount"]
_AFTER_HOURS = ["ah_vol", "ah_amount"]
_BASIC = ["turnover_rate", "total_mv", "circ_mv", "float_share", "free_share"]
_BESIDE = {"adj_factor": ["adj_factor"], "daily_basic": _BASIC, "stk_limit": ["up_limit", "down_limit"]}
#: From here on volume and amount are without the trades after hours at the fixed close, which have their own columns.
WITHOUT_AFTER_HOURS = date(2026, 7, 6)
#: How far market value may be from close × shares, and the share of rows that may be farther.
_NEAR, _OFF = 0.005, 0.05
#: CSI 300 by its code in Shenzhen.
_SAME_INDEX = {"399300.SZ": "000300.SH"}
#: Of rows of one announcement and period the last stands: in a later report, as it stands, as it was first.
_STANDS = {"4": 0, "1": 1, "5": 2}

#: Columns of the view `daily` that come from another call.
OF_COLUMNS: Mapping[str, str] = {
    "adj_factor": "adj_factor",
    **dict.fromkeys(("turnover_rate", "total_mv", "circ_mv"), "daily_basic"),
    **dict.fromkeys(("up_limit", "down_limit"), "stk_limit"),
    "suspended": "suspend_d",
}


def _days(held: Held) -> pl.Series:
    """The days that have bars."""
    days = sorted({one.request[DAY] for one in held.of_all_days().of("daily") if one.rows})
    return pl.Series("trade_date", days, dtype=pl.String).str.to_date(_FORM)


def _codes(held: Held) -> pl.Series:
    """The codes that have rows in the view `daily`."""
    halted = _halts(held, held.of("suspend_d"))["ts_code"]
    return pl.concat([held.distinct(held.of("daily"), "ts_code"), halted]).unique().sort()


def daily(held: Held, span: Span) -> pl.DataFrame:
    """Bars with what else is known of a stock and day, and the days on which a stock was halted: no prices, volume 0.

    By day and code; days as dates, numbers as float64. Columns of calls that the lake lacks are null.
    """
    parts = [_of_year(held, of_calls) for of_calls in _by_year(held, span)]
    return pl.concat(parts) if parts else _of_year(held, {})


def _by_year(held: Held, span: Span) -> Iterator[dict[str, list[Recorded]]]:
    """The answers of each year: call = answers, by day. A year at a time, so that text of all is never in memory."""
    years: dict[str, dict[str, list[Recorded]]] = {}
    first, last = (None if day is None else f"{day:%Y%m%d}" for day in span)
    for one in held.of("daily", "adj_factor", "daily_basic", "stk_limit", "suspend_d"):
        day = one.request[DAY]
        if (first is None or first <= day) and (last is None or day <= last):
            years.setdefault(day[:4], {}).setdefault(one.request.api, []).append(one)
    for _, of_calls in sorted(years.items()):
        yield of_calls


def _of_year(held: Held, of_calls: Mapping[str, list[Recorded]]) -> pl.DataFrame:
    def rows(api: str, columns: list[str], given: list[Recorded] | None = None) -> pl.DataFrame:
        answers = held.rows(of_calls.get(api, []) if given is None else given, [*_KEY, *columns])
        return as_days(numbers(answers, columns, api), ["trade_date"], api, _FORM)

    told, others = _by_after_hours(of_calls.get("daily", []))
    bars = rows("daily", _BARS, others)
    if told:
        bars = pl.concat([bars, _whole_volume(rows("daily", [*_BARS, *_AFTER_HOURS], told))])
    halted = _halts(held, of_calls.get("suspend_d", [])).join(bars, on=_KEY, how="anti")
    bars = pl.concat([bars.with_columns(suspended=False), halted], how="diagonal").sort("trade_date", "ts_code")
    for api, columns in (
        ("adj_factor", ["adj_factor"]),
        ("daily_basic", _BASIC),
        ("stk_limit", ["up_limit", "down_limit"]),
    ):
        bars = bars.join(rows(api, columns), on=_KEY, how="left", maintain_order="left")
    _require_float_value(bars)
    return bars


def _by_after_hours(answers: list[Recorded]) -> tuple[list[Recorded], list[Recorded]]:
    """Answers that have the trades after hours, and those that don't: a day is read the same, whatever beside it."""
    has = [set(_AFTER_HOURS) <= set(one.columns) for one in answers]
    return list(compress(answers, has)), [one for one, told in zip(answers, has, strict=True) if not told]


def _whole_volume(bars: pl.DataFrame) -> pl.DataFrame:
    """Volume and amount with the trades after hours, on days whose own are without."""
    apart = pl.col("trade_date") >= WITHOUT_AFTER_HOURS
    more = {
        name: pl.col(name) + pl.when(apart).then(pl.col(f"ah_{name}").fill_null(0.0)).otherwise(0.0)
        for name in ("vol", "amount")
    }
    return bars.with_columns(**more).drop(_AFTER_HOURS)


def _halts(held: Held, answers: list[Recorded]) -> pl.DataFrame:
    """Stocks and days without any trading: halts within the day (``09:30-10:00``) are left out."""
    rows = held.rows(answers, [*_KEY, "suspend_timing", "suspend_type"])
    whole = pl.col("suspend_timing").fill_null("") == ""
    rows = rows.filter((pl.col("suspend_type") == "S") & whole).select(_KEY).unique(maintain_order=True)
    rows = as_days(rows, ["trade_date"], "suspend_d", _FORM)
    return rows.with_columns(vol=0.0, amount=0.0, suspended=pl.lit(True))


def _require_float_value(bars: pl.DataFrame) -> None:
    """A `DataError` where circ_mv isn't close × float_share: some say that it counts free shares."""
    known = bars.select(
        ratio=pl.col("circ_mv") / (pl.col("close") * pl.col("float_share")),
        free=pl.col("circ_mv") / (pl.col("close") * pl.col("free_share")),
    ).drop_nulls("ratio")
    off = (known["ratio"] - 1).abs() > _NEAR
    if known.height and off.sum() > _OFF * known.height:
        of_free = ((known["free"] - 1).abs() <= _NEAR).sum() > known.height / 2
        what = "close × free_share" if of_free else "something else"
        raise DataError(
            f"is {what} on {off.sum()} of {known.height} rows, not close × float_share: unit or meaning has changed",
            table="daily_basic of the lake",
            column="circ_mv",
        )


def _plain(api: str, columns: list[str], held: Held, span: Span) -> pl.DataFrame:
    return held.rows(held.of(api), columns).with_columns(pl.all().replace("", None))


def _calendar(held: Held, span: Span) -> pl.DataFrame:
    """Trading days, those ahead too; of several answers the newest counts for a day."""
    rows = held.rows(held.of("trade_cal"), ["cal_date", "is_open"])
    rows = rows.unique("cal_date", keep="last", maintain_order=True).filter(pl.col("is_open") == "1").sort("cal_date")
    return rows.filter([pl.col("cal_date") >= f"{span[0]:%Y%m%d}"] if span[0] else True)


def _industries(held: Held, span: Span) -> pl.DataFrame:
    """A row a stock and class of the first level; an interval ends before the next one starts."""
    rows = _plain("index_member_all", ["ts_code", "l1_name", "in_date", "out_date"], held, span)
    rows = rows.sort("ts_code", "in_date", "out_date", nulls_last=True).unique(
        ["ts_code", "l1_name", "in_date"], keep="last", maintain_order=True
    )
    day = pl.col("in_date").shift(-1).over("ts_code").str.to_date(_FORM, strict=False) - pl.duration(days=1)
    before_next = day.dt.strftime(_FORM)
    return rows.with_columns(out_date=pl.min_horizontal("out_date", before_next))


def _weights(held: Held, span: Span) -> pl.DataFrame:
    """Weights, CSI 300's two codes as one."""
    rows = _plain("index_weight", ["index_code", "con_code", "trade_date", "weight"], held, span)
    rows = rows.with_columns(pl.col("index_code").replace(_SAME_INDEX))
    return rows.unique(["index_code", "con_code", "trade_date"], keep="first", maintain_order=True).sort(
        "index_code", "trade_date", "con_code"
    )


def _levels(held: Held, span: Span) -> pl.DataFrame:
    rows = _plain("index_daily", ["ts_code", "trade_date", "close"], held, span)
    return rows.unique(["ts_code", "trade_date"], keep="last", maintain_order=True).sort("ts_code", "trade_date")


def _statements(name: str, columns: list[str], held: Held, span: Span) -> pl.DataFrame:
    """All rows of a statement, by stock, announcement and period; of one key that stands last which counts."""
    keys = ["ts_code", "f_ann_date", "ann_date", "end_date", "report_type", "update_flag"]
    rows = held.rows(held.of(name, f"{name}_vip"), [*keys, *columns]).with_columns(pl.all().replace("", None))
    rows = rows.with_columns(
        f_ann_date=pl.coalesce("f_ann_date", "ann_date"),
        stands=pl.col("report_type").replace_strict(_STANDS, default=-1, return_dtype=pl.Int8),
    )
    return rows.sort("ts_code", "f_ann_date", "end_date", "stands", "update_flag", maintain_order=True)


def _statement_view(name: str, columns: list[str]) -> View:
    return View((name, f"{name}_vip"), partial(_statements, name, columns))


VIEWS: Mapping[str, View] = {
    "daily": View(
        ("daily", "suspend_d", "adj_factor", "daily_basic", "stk_limit"),
        daily,
        {"trade_date": _days, "ts_code": _codes},
    ),
    "namechange": View(("namechange",), partial(_plain, "namechange", ["ts_code", "name", "start_date", "end_date"])),
    "stock_basic": View(
        ("stock_basic",), partial(_plain, "stock_basic", ["ts_code", "name", "list_date", "delist_date"])
    ),
    "index_member_all": View(("index_member_all",), _industries),
    "index_weight": View(("index_weight",), _weights),
    "index_daily": View(("index_daily",), _levels),
    "trade_cal": View(("trade_cal",), _calendar),
    "income": _statement_view("income", ["revenue", "oper_cost", "n_income_attr_p"]),
    "balancesheet": _statement_view("balancesheet", ["total_assets", "total_hldr_eqy_exc_min_int", "total_liab"]),
    "cashflow": _statement_view("cashflow", ["n_cashflow_act"]),
}
