"""The simulated market as Tushare would answer: its calls, columns, units and codes, every value as JSON has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from deepfactor.lake._tushare.calls import CALLS
from deepfactor.lake.request import Page, Request
from deepfactor.sources.base import fetch_all
from deepfactor.sources.simulated import Settings, open_source

Rows = list[dict[str, Any]]
#: Flows of the simulated market as year-to-date columns of Tushare's, by call; balances as they are.
FLOWS = {
    "income": {"revenue_q": "revenue", "operating_cost_q": "oper_cost", "net_profit_q": "n_income_attr_p"},
    "cashflow": {"operating_cash_flow_q": "n_cashflow_act"},
}
BALANCES = {
    "total_assets": "total_assets",
    "total_equity": "total_hldr_eqy_exc_min_int",
    "total_liabilities": "total_liab",
}


def simulated_tables(**settings: Any) -> dict[str, pl.DataFrame]:
    """All tables of a small simulated market."""
    chosen = {"stocks": 60, "start": date(2019, 1, 2), "end": date(2019, 3, 29), **settings}
    return dict(fetch_all(open_source(Settings(**chosen))))


@dataclass
class TushareData:
    """What the vendor has: call = all its rows; `page` = rows that it gives at once."""

    rows: dict[str, Rows]
    pages: dict[str, int] = field(default_factory=dict)
    default_page: int = 2000
    _days: dict[str, dict[str, Rows]] = field(default_factory=dict)

    def answer(self, api: str, params: Mapping[str, str], fields: list[str]) -> dict[str, Any]:
        """The ``data`` of an answer."""
        day = params.get("trade_date")
        found = [row for row in (self._of_day(api, day) if day else self.rows[api]) if _asked(api, row, params)]
        page = self.pages.get(api, CALLS[api].page or self.default_page)
        page = min(page, int(params.get("limit", page)))
        first = int(params.get("offset", 0))
        columns = [name for name in fields if name in CALLS[api].columns or any(name in row for row in found[:1])]
        return {
            "fields": columns,
            "items": [[row.get(name) for name in columns] for row in found[first : first + page]],
        }

    def _of_day(self, api: str, day: str) -> Rows:
        if api not in self._days:
            self._days[api] = {}
            for row in self.rows[api]:
                self._days[api].setdefault(row["trade_date"], []).append(row)
        return self._days[api].get(day, [])


@dataclass(frozen=True)
class TushareInMemory:
    """The vendor without a network; see `deepfactor.lake.live.Wire`."""

    data: TushareData

    def rows_a_page(self, request: Request) -> int | None:
        return CALLS[request.api].page

    def page(self, request: Request, number: int, first: int) -> Page:
        params = dict(request.params) | {"offset": str(first)}
        answer = self.data.answer(request.api, params, CALLS[request.api].fields().split(","))
        items = json.loads(json.dumps(answer["items"]), parse_int=str, parse_float=str)
        return Page(tuple(answer["fields"]), items)


def _asked(api: str, row: Mapping[str, Any], params: Mapping[str, str]) -> bool:
    spans = {"trade_cal": "cal_date", "index_daily": "trade_date", "index_weight": "trade_date"}
    for name, value in params.items():
        if name in ("start_date", "end_date"):
            given = row[spans[api]] if api in spans else row["ann_date"]
            if (given < value) if name == "start_date" else (given > value):
                return False
        elif name == "period":
            if row["end_date"] != value:
                return False
        elif name not in ("offset", "limit") and row.get(name) != value:
            return False
    given_by_default = {"stock_basic": ("list_status", "L"), "index_member_all": ("is_new", "Y")}
    column, value = given_by_default.get(api, ("", ""))
    return not column or column in params or row[column] == value


def tushare_data(tables: Mapping[str, pl.DataFrame]) -> TushareData:
    """The vendor that has this market."""
    daily = tables["daily"].sort("date", "symbol")
    rows: dict[str, Rows] = {
        "trade_cal": _calendar(tables["calendar"]),
        "stock_basic": _securities(tables["securities"]),
        "namechange": _names(tables),
        "index_daily": _levels(tables["index_daily"]),
        "index_weight": _weights(tables["index_weights"]),
        "index_member_all": _industries(tables),
        **_days(daily),
        **_statements(tables["fundamentals"]),
    }
    rows |= {f"{name}_vip": rows[name] for name in ("income", "balancesheet", "cashflow")}
    return TushareData(rows)


def _text(day: date | None) -> str | None:
    return None if day is None else f"{day:%Y%m%d}"


def _calendar(calendar: pl.DataFrame) -> Rows:
    days = set(calendar["date"].to_list())
    first, last = min(days), max(days)
    first, last = date(first.year, 1, 1), date(last.year + 1, 12, 31)
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [{"exchange": "SSE", "cal_date": _text(day), "is_open": int(day in days)} for day in every]


def _securities(securities: pl.DataFrame) -> Rows:
    return [
        {
            "ts_code": row["symbol"],
            "symbol": row["symbol"][:6],
            "name": row["name"],
            "list_status": "L" if row["delist_date"] is None else "D",
            "list_date": _text(row["list_date"]),
            "delist_date": _text(row["delist_date"]),
        }
        for row in securities.iter_rows(named=True)
    ]


def _names(tables: Mapping[str, pl.DataFrame]) -> Rows:
    """A row a name; the last of each stock comes twice, once with an end."""
    rows: Rows = []
    listed = dict(tables["securities"].select("symbol", "list_date").iter_rows())
    for (symbol,), frame in tables["daily"].sort("symbol", "date").group_by("symbol", maintain_order=True):
        spells = frame.with_columns(spell=(pl.col("is_st") != pl.col("is_st").shift(1)).fill_null(True).cum_sum())
        names = spells.group_by("spell", maintain_order=True).agg(pl.col("date", "is_st").first()).iter_rows(named=True)
        starts = [(one["date"], one["is_st"]) for one in names]
        starts[0] = (min(listed[symbol], starts[0][0]), starts[0][1])
        for number, (start, is_st) in enumerate(starts):
            end = starts[number + 1][0] - timedelta(days=1) if number + 1 < len(starts) else None
            row = {"ts_code": symbol, "name": f"{'*ST' if is_st else ''}N{symbol[:6]}", "start_date": _text(start)}
            row |= {"end_date": _text(end), "ann_date": _text(start), "change_reason": "ST" if is_st else "其他"}
            rows += [row, row | {"end_date": None}] if end is not None else [row]
    return rows


def _days(daily: pl.DataFrame) -> dict[str, Rows]:
    rows: dict[str, Rows] = {name: [] for name in ("daily", "adj_factor", "daily_basic", "stk_limit", "suspend_d")}
    for row in daily.iter_rows(named=True):
        key = {"ts_code": row["symbol"], "trade_date": _text(row["date"])}
        rows["adj_factor"].append(key | {"adj_factor": row["adj_factor"]})
        if row["limit_up"] is not None:
            rows["stk_limit"].append(key | {"up_limit": row["limit_up"], "down_limit": row["limit_down"]})
        if row["is_suspended"]:
            rows["suspend_d"].append(key | {"suspend_timing": None, "suspend_type": "S"})
            continue
        rows["daily"].append(key | _bar(row))
        rows["daily_basic"].append(key | _basic(row))
    halted = rows["daily"][0]
    keys = {name: halted[name] for name in ("ts_code", "trade_date")}
    rows["suspend_d"].append(keys | {"suspend_timing": "09:30-10:00", "suspend_type": "S"})  # within the day
    rows["suspend_d"].append(keys | {"suspend_timing": None, "suspend_type": "R"})
    return rows


def _bar(row: Mapping[str, Any]) -> dict[str, Any]:
    change = row["close"] - row["prev_close"]
    return {
        **{name: row[name] for name in ("open", "high", "low", "close")},
        "pre_close": row["prev_close"],
        "change": round(change, 4),
        "pct_chg": round(100 * change / row["prev_close"], 4),
        "vol": row["volume"] / 100,
        "amount": row["amount"] / 1000,
    }


def _basic(row: Mapping[str, Any]) -> dict[str, Any]:
    shares = {"total_share": row["total_mv"] / row["close"] / 1e4, "float_share": row["float_mv"] / row["close"] / 1e4}
    return {
        "close": row["close"],
        "turnover_rate": row["turnover"] * 100,
        **shares,
        "free_share": shares["float_share"] / 2,
        "total_mv": row["total_mv"] / 1e4,
        "circ_mv": row["float_mv"] / 1e4,
        "pe_ttm": None,
    }


def _levels(levels: pl.DataFrame) -> Rows:
    return [
        {"ts_code": row["index"], "trade_date": _text(row["date"]), "close": row["close"]}
        for row in levels.iter_rows(named=True)
    ]


def _weights(weights: pl.DataFrame) -> Rows:
    """CSI 300's under Shenzhen's code of it."""
    return [
        {
            "index_code": "399300.SZ" if row["index"] == "000300.SH" else row["index"],
            "con_code": row["symbol"],
            "trade_date": _text(row["date"]),
            "weight": row["weight"] * 100,
        }
        for row in weights.iter_rows(named=True)
    ]


def _industries(tables: Mapping[str, pl.DataFrame]) -> Rows:
    """Of delisted stocks the membership has ended: they come with ``is_new=N`` alone."""
    gone = dict(tables["securities"].select("symbol", "delist_date").iter_rows())
    return [
        {
            "l1_code": f"801{row['industry'][1:]}0.SI",
            "l1_name": row["industry"],
            "ts_code": row["symbol"],
            "name": "",
            "in_date": _text(row["start_date"]),
            "out_date": _text(gone[row["symbol"]]),
            "is_new": "Y" if gone[row["symbol"]] is None else "N",
        }
        for row in tables["industry"].iter_rows(named=True)
    ]


def _statements(figures: pl.DataFrame) -> dict[str, Rows]:
    """Cumulative statements as known at each announcement; what replaces a figure is a row of its own, of type 4."""
    out: dict[str, Rows] = {"income": [], "balancesheet": [], "cashflow": []}
    for name, items in {**FLOWS, "balancesheet": {one: one for one in BALANCES}}.items():
        of_call = figures.filter(pl.col("item").is_in(list(items)) & pl.col("period_end").is_not_null())
        for (symbol,), frame in of_call.sort("symbol", "known_at", "period_end").group_by(
            "symbol", maintain_order=True
        ):
            held: dict[tuple[date, str], float] = {}
            for (known, period), rows in frame.group_by("known_at", "period_end", maintain_order=True):
                again = any(key[0] == period for key in held)
                held |= {(period, item): value for item, value in rows.select("item", "value").iter_rows()}
                out[name].append(_statement(str(symbol), known, period, again=again) | _values(name, period, held))
    return out


def _statement(symbol: str, known: date, period: date, *, again: bool) -> dict[str, Any]:
    announced = _text(known - timedelta(days=3 if known.weekday() == 0 else 1))
    keys = {"ts_code": symbol, "ann_date": announced, "f_ann_date": announced, "end_date": _text(period)}
    return keys | {"report_type": "4" if again else "1", "comp_type": "1", "end_type": "4", "update_flag": "0"}


def _values(name: str, period: date, held: Mapping[tuple[date, str], float]) -> dict[str, float]:
    if name == "balancesheet":
        return {theirs: held[period, ours] for ours, theirs in BALANCES.items()}
    ends = [end for end in sorted({day for day, _ in held}) if end.year == period.year and end <= period]
    return {theirs: sum(held[end, ours] for end in ends) for ours, theirs in FLOWS[name].items()}
