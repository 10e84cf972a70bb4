"""What columns are called, by vendors and people, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

#: Ours = names, the most telling first; compared without case, spaces and what stands in brackets.
NAMES: Mapping[str, tuple[str, ...]] = {
    "date": ("trade_date", "tradedate", "trading_date", "date", "datetime", "day", "time", "交易日期", "交易日", "日期",
             "时间", "日期date"),
    "symbol": ("ts_code", "symbol", "stock_code", "con_code", "order_book_id", "instrument", "ticker", "secucode",
               "security", "sid", "code", "股票代码", "证券代码", "成分券代码", "成份券代码", "代码", "wind_code",
               "成份券代码constituentcode"),
    "index": ("index_code", "index", "index_id", "指数代码", "指数代码indexcode"),
    "open": ("open", "开盘", "开盘价", "今开", "open_price"),
    "high": ("high", "最高", "最高价", "high_price"),
    "low": ("low", "最低", "最低价", "low_price"),
    "close": ("close", "收盘", "收盘价", "close_price", "最新价"),
    "volume": ("volume", "vol", "成交量", "volume_lot", "volume_lots", "trade_volume"),
    "amount": ("amount", "money", "total_turnover", "成交额", "成交金额", "amt", "amount_k", "trade_amount", "value"),
    "vwap": ("vwap", "avg", "avg_price", "均价", "成交均价"),
    "prev_close": ("pre_close", "preclose", "prev_close", "昨收", "昨收盘", "前收盘", "前收盘价", "昨日收盘"),
    "adj_factor": ("adj_factor", "adjfactor", "backadjustfactor", "hfq_factor", "factor", "cum_factor", "adjust_factor",
                   "后复权因子", "复权因子", "累计复权因子"),
    "turnover": ("turnover_rate", "turnover_ratio", "turn", "turnover", "换手率", "换手"),
    "float_mv": ("float_mv", "circ_mv", "circulating_market_cap", "float_market_value", "negotiable_mv", "流通市值",
                 "a股流通市值"),
    "total_mv": ("total_mv", "market_cap", "mkt_cap", "total_market_value", "总市值"),
    "is_st": ("is_st", "isst", "st", "是否st", "st标记"),
    "is_suspended": ("is_suspended", "paused", "suspended", "停牌", "是否停牌"),
    "limit_up": ("limit_up", "up_limit", "high_limit", "涨停价", "涨停"),
    "limit_down": ("limit_down", "down_limit", "low_limit", "跌停价", "跌停"),
    "name": ("name", "code_name", "display_name", "sec_name", "证券简称", "股票简称", "名称", "股票名称", "证券名称"),
    "list_date": ("list_date", "ipodate", "listed_date", "上市日期", "上市日"),
    "delist_date": ("delist_date", "outdate", "de_listed_date", "退市日期", "退市日"),
    "industry": ("industry", "industry_name", "l1_name", "sw_l1", "sw1", "申万一级行业", "申万一级", "行业", "行业名称",
                 "所属行业"),
    "start_date": ("start_date", "in_date", "since", "开始日期", "起始日期", "纳入日期", "计入日期", "生效日期"),
    "end_date": ("end_date", "out_date", "结束日期", "截止日期", "剔除日期"),
    "weight": ("weight", "权重", "权重weight", "i_weight"),
    "period": ("end_date", "statdate", "report_period", "period", "报告期", "报告期末", "截止日期"),
    "announced": ("f_ann_date", "ann_date", "pub_date", "pubdate", "announce_date", "announced", "公告日期", "公告日",
                  "披露日期"),
    "is_open": ("is_open", "is_trading_day", "是否交易日"),
    "net_profit_ytd": ("n_income_attr_p", "np_parent_company_owners", "netprofit", "net_profit", "归母净利润",
                       "归属于母公司股东的净利润", "净利润"),
    "revenue_ytd": ("revenue", "operating_revenue", "mbrevenue", "营业收入"),
    "total_assets": ("total_assets", "资产总计", "总资产"),
    "total_equity": ("total_hldr_eqy_exc_min_int", "equities_parent_company_owners", "归属于母公司股东权益合计",
                     "净资产"),
    "total_liabilities": ("total_liab", "total_liability", "total_liabilities", "负债合计", "总负债"),
    "operating_cash_flow_ytd": ("n_cashflow_act", "net_operate_cash_flow", "经营活动产生的现金流量净额"),
}  # fmt: skip
ITEMS = ("net_profit_ytd", "revenue_ytd", "total_assets", "total_equity", "total_liabilities",
         "operating_cash_flow_ytd")  # fmt: skip
BESIDE = ("adj_factor", "turnover", "float_mv", "total_mv", "is_st", "is_suspended", "limit_up", "limit_down", "vwap",
          "prev_close")  # fmt: skip
PRICES = ("open", "high", "low", "close")
_BRACKETS = re.compile(r"[（(\[【].*?[)）\]】]")


def meanings(columns: Collection[str]) -> dict[str, str]:
    """Ours = the column that is most likely meant; one column may be meant by several."""
    there: dict[str, str] = {}
    for column in columns:
        there.setdefault(_plain(column), column)
    found = {}
    for ours, names in NAMES.items():
        meant = [there[name] for name in names if name in there]
        if meant:
            found[ours] = meant[0]
    return found


def _plain(column: str) -> str:
    return _BRACKETS.sub("", column).strip().lower().replace(" ", "").replace("-", "_")
