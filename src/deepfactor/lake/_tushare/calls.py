"""Tushare's calls as its documentation has them: columns, rows a page, calls a minute, what names a row.

Every column that is wanted is asked for by name: those that come only on demand, and so that a change is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    columns, more : columns that must be there; columns that are asked for and may be absent
    key : columns that name a row of an answer; empty = rows may come twice
    page : rows of a full page, 0 = everything comes at once, None = not known: asked on until nothing comes
    a_minute : calls a minute where it has a limit of its own
    """

    columns: tuple[str, ...]
    more: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    page: int | None = None
    a_minute: int | None = None

    def fields(self) -> str:
        """Names of all columns, as the vendor wants them."""
        return ",".join((*self.columns, *self.more))


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STATEMENT = "ts_code ann_date f_ann_date end_date report_type comp_type end_type update_flag"
_INCOME = _columns(
    f"{_STATEMENT} basic_eps total_revenue revenue oper_cost operate_profit total_profit income_tax "
    "n_income n_income_attr_p"
)
_BALANCE = _columns(
    f"{_STATEMENT} total_share total_cur_assets total_assets st_borr lt_borr bond_payable total_liab minority_int "
    "total_hldr_eqy_exc_min_int"
)
_CASH = _columns(f"{_STATEMENT} n_cashflow_act")

CALLS: Mapping[str, Call] = {
    "trade_cal": Call(_columns("exchange cal_date is_open"), ("pretrade_date",), key=("cal_date",), page=0),
    "stock_basic": Call(
        _columns("ts_code symbol name list_status list_date delist_date"),
        _columns("area industry market exchange"),
        key=("ts_code",),
        page=6000,
        a_minute=50,
    ),
    "namechange": Call(_columns("ts_code name start_date end_date ann_date change_reason"), page=10_000),
    "suspend_d": Call(_columns("ts_code trade_date suspend_timing suspend_type")),
    "daily": Call(
        _columns("ts_code trade_date open high low close pre_close vol amount"),
        _columns("change pct_chg ah_vol ah_amount"),
        key=("ts_code",),
        page=6000,
        a_minute=500,
    ),
    "adj_factor": Call(_columns("ts_code trade_date adj_factor"), key=("ts_code",), page=6000),
    "daily_basic": Call(
        _columns("ts_code trade_date close turnover_rate total_share float_share free_share total_mv circ_mv"),
        _columns("turnover_rate_f volume_ratio pe pe_ttm pb ps ps_ttm dv_ratio dv_ttm limit_status"),
        key=("ts_code",),
        page=6000,
    ),
    "stk_limit": Call(_columns("trade_date ts_code up_limit down_limit"), ("pre_close",), key=("ts_code",), page=5800),
    "index_daily": Call(
        _columns("ts_code trade_date close"), _columns("open high low pre_close"), key=("trade_date",), page=0
    ),
    "index_weight": Call(_columns("index_code con_code trade_date weight"), key=("con_code", "trade_date")),
    "index_member_all": Call(
        _columns("l1_code l1_name ts_code name in_date out_date is_new"),
        _columns("l2_code l2_name l3_code l3_name"),
        page=2000,
    ),
    **{name: Call(columns) for name, columns in (("income", _INCOME), ("balancesheet", _BALANCE), ("cashflow", _CASH))},
    **{
        f"{name}_vip": Call(columns)
        for name, columns in (("income", _INCOME), ("balancesheet", _BALANCE), ("cashflow", _CASH))
    },
}
#: Tables that a user can name: their calls, but for statements, which `_vip` gives by period.
TABLES = tuple(name for name in CALLS if not name.endswith("_vip"))
STATEMENTS = ("income", "balancesheet", "cashflow")
#: A row a stock and day, asked for by day; the first lists who doesn't trade.
BY_DAY = ("suspend_d", "daily", "adj_factor", "daily_basic", "stk_limit")
#: Asked for whatever the tables: what days and stocks there are.
ALWAYS = ("trade_cal", "stock_basic")
