"""What people and vendors call the columns of a factor file, in small letters."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DATES = _words("""
    date dates trade_date trading_date tradedate tradingdate trade_dt trade_day trading_day tradingday
    datetime date_time dt day time timestamp 日期 交易日期 交易日 时间
""")
SYMBOLS = _words("""
    symbol symbols ts_code code codes instrument instruments asset assets ticker tickers stock stocks
    stock_code stockcode stock_id sec_code seccode secucode secuid sec_id secid security security_id
    security_code sid order_book_id wind_code windcode s_info_windcode thscode bs_code con_code jq_code
    rq_code 证券代码 股票代码 代码 标的 标的代码 股票 证券
""")
SCORES = _words("""
    score scores factor factors factor_value factorvalue value values signal signals alpha pred preds
    prediction predictions y_pred 因子 因子值 得分 分数 信号 预测 预测值
""")
#: Columns that stand beside scores and aren't any: prices, what is to come, who a stock is.
BESIDE = _words("""
    open high low close pre_close prev_close preclose adj_close vwap volume vol amount turnover turn
    adj_factor change pct_chg pctchg ret rets return returns next_return fwd_ret forward_return label
    labels label0 target y y_true total_mv circ_mv float_mv market_cap mktcap weight industry sector
    is_st name rank fold seed 开盘价 最高价 最低价 收盘价 开盘 最高 最低 收盘 成交量 成交额 换手率 涨跌幅
    收益率 标签 名称 行业
""")
