"""The simulated market as folders of files that people keep of a vendor's answers: its columns, units and layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from support.vendor_baostock import baostock_data
from support.vendor_tushare import tushare_data

Tables = Mapping[str, pl.DataFrame]
Rows = list[dict[str, Any]]
#: Columns of the vendors' own, in their order, as far as a mapping reads them or must not be misled by them.
_TUSHARE = {
    "daily": "ts_code trade_date open high low close pre_close change pct_chg vol amount",
    "adj_factor": "ts_code trade_date adj_factor",
    "daily_basic": "ts_code trade_date close turnover_rate total_share float_share free_share total_mv circ_mv",
    "stk_limit": "trade_date ts_code up_limit down_limit",
    "suspend_d": "ts_code trade_date suspend_timing suspend_type",
}
_BAOSTOCK = "date code open high low close preclose volume amount adjustflag turn tradestatus pctChg isST"
_AKSHARE = "日期 股票代码 开盘 收盘 最高 最低 成交量 成交额 振幅 涨跌幅 涨跌额 换手率"
_CSINDEX = (
    "日期Date", "指数代码 Index Code", "指数名称 Index Name", "指数英文名称Index Name(Eng)",
    "成份券代码Constituent Code", "成份券名称Constituent Name", "成份券英文名称Constituent Name(Eng)", "交易所Exchange",
    "交易所英文名称Exchange(Eng)", "权重(%)weight",
)  # fmt: skip
_SHENWAN = ("股票代码", "计入日期", "行业代码", "更新日期")


def _frame(rows: Rows, columns: str = "") -> pl.DataFrame:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.select(columns.split()) if columns else frame


def _by_year(folder: Path, frame: pl.DataFrame, day: str, ending: str = ".csv") -> None:
    """A file a year, the newest rows first, as servers answer."""
    folder.mkdir(parents=True)
    text = pl.col(day).cast(pl.String)
    for (year,), rows in frame.sort(day, descending=True).group_by(text.str.slice(0, 4), maintain_order=True):
        path = folder / f"{year}{ending}"
        if ending == ".parquet":
            rows.write_parquet(path)
        else:
            rows.write_csv(path)


def write_tushare(folder: Path, tables: Tables, ending: str = ".csv") -> None:
    """A folder a table with a file a year; lists as one file each."""
    rows = tushare_data(tables).rows
    for name, columns in _TUSHARE.items():
        _by_year(folder / name, _frame(rows[name], columns), "trade_date", ending)
    for name in ("trade_cal", "stock_basic", "namechange", "index_member_all"):
        _frame(rows[name]).write_csv(folder / f"{name}.csv")
    for name in ("index_weight", "index_daily"):
        code = "index_code" if name == "index_weight" else "ts_code"
        (folder / name).mkdir()
        for (index,), part in _frame(rows[name]).group_by(code, maintain_order=True):
            part.write_csv(folder / name / f"{index}.csv")
    for name in ("income", "balancesheet", "cashflow"):
        _by_year(folder / name, _frame(rows[name]), "end_date")


def write_baostock(folder: Path, tables: Tables) -> None:
    """A file a stock; everything is text, an empty one is missing."""
    data = baostock_data(tables)
    for name in ("bars", "index", "adjust_factor", "profit", "stock_industry"):
        (folder / name).mkdir()
    for code, rows in data.bars.items():
        levels = "isST" not in rows[0]
        _frame(rows, "" if levels else _BAOSTOCK).write_csv(folder / ("index" if levels else "bars") / f"{code}.csv")
    for api, name in (("query_adjust_factor", "adjust_factor"), ("query_profit_data", "profit")):
        for (code,), part in _frame(data.rows[api]).group_by("code", maintain_order=True):
            part.write_csv(folder / name / f"{code}.csv")
    for (day,), part in _frame(data.rows["query_stock_industry"]).group_by("updateDate", maintain_order=True):
        part.write_csv(folder / "stock_industry" / f"{day}.csv")
    for name in ("hs300", "zz500"):
        _frame(data.rows[f"query_{name}_stocks"]).write_csv(folder / f"{name}_stocks.csv")
    _frame(data.rows["query_stock_basic"]).write_csv(folder / "stock_basic.csv")
    _frame(data.rows["query_trade_dates"]).write_csv(folder / "trade_dates.csv")


def write_akshare(folder: Path, tables: Tables) -> None:
    """A file a stock under Chinese heads, in GBK as pandas saves them for spreadsheets; csindex's weights as CSV."""
    for name in ("hist", "hfq_factor", "index", "index_weight"):
        (folder / name).mkdir()
    daily = tables["daily"].sort("symbol", "date")
    for (symbol,), frame in daily.group_by("symbol", maintain_order=True):
        code, exchange = str(symbol).split(".")
        traded = frame.filter(~pl.col("is_suspended"))
        bars = _frame([_hist(row, code) for row in traded.iter_rows(named=True)], _AKSHARE) if traded.height else None
        if bars is not None:
            (folder / "hist" / f"{code}.csv").write_bytes(bars.write_csv().encode("gbk"))
            _steps(frame).write_csv(folder / "hfq_factor" / f"{exchange.lower()}{code}.csv")
    for (index,), frame in tables["index_daily"].group_by("index", maintain_order=True):
        code, exchange = str(index).split(".")
        frame.select("date", "close").write_csv(folder / "index" / f"{exchange.lower()}{code}.csv")
    names = tables["securities"].select(code=pl.col("symbol").str.slice(0, 6), name="name")
    names.write_csv(folder / "stock_info_a_code_name.csv")
    for (index, day), frame in tables["index_weights"].group_by("index", "date", maintain_order=True):
        csindex(frame).write_csv(folder / "index_weight" / f"{str(index)[:6]}_{day}.csv")
    shenwan(tables["industry"]).write_csv(folder / "stock_industry_clf_hist_sw.csv")
    tables["calendar"].select(trade_date="date").write_csv(folder / "tool_trade_date_hist_sina.csv")


def _hist(row: Mapping[str, Any], code: str) -> dict[str, Any]:
    change = row["close"] - row["prev_close"]
    bar = {"日期": str(row["date"]), "股票代码": code, "开盘": row["open"], "收盘": row["close"], "最高": row["high"]}
    bar |= {"最低": row["low"], "成交量": row["volume"] / 100, "成交额": row["amount"], "振幅": 1.0}
    bar |= {"涨跌幅": round(100 * change / row["prev_close"], 2), "涨跌额": round(change, 2)}
    return bar | {"换手率": round(row["turnover"] * 100, 2)}


def _steps(frame: pl.DataFrame) -> pl.DataFrame:
    """Factors from their ex-dates on; the first for all that came before."""
    changed = (pl.col("adj_factor") != pl.col("adj_factor").shift(1)).fill_null(value=True)
    rows = frame.filter(changed).select("date", hfq_factor="adj_factor")
    first = pl.int_range(pl.len()) == 0
    return rows.with_columns(date=pl.when(first).then(pl.lit(date(1900, 1, 1))).otherwise("date")).reverse()


def csindex(weights: pl.DataFrame) -> pl.DataFrame:
    """A day's weights of an index as csindex's file has them."""
    values: dict[str, Any] = {name: pl.lit("x") for name in _CSINDEX}
    values |= {
        "日期Date": pl.col("date").dt.strftime("%Y%m%d"),
        "指数代码 Index Code": pl.col("index").str.slice(0, 6),
        "成份券代码Constituent Code": pl.col("symbol").str.slice(0, 6),
        "权重(%)weight": pl.col("weight") * 100,
    }
    return weights.select(**values)


#: The simulated market's industries are of no classes of Shenwan's: these stand in for them.
CLASSES = (
    *("11", "21", "22", "23", "24", "25", "27", "28", "33", "34", "35", "36", "37", "41", "42", "43", "44", "45", "46"),
    *("47", "48", "49", "51", "61", "62", "63", "64", "65", "71", "72", "73"),
)


def shenwan(industry: pl.DataFrame) -> pl.DataFrame:
    """Industries as Shenwan's history has them, six digits each."""
    number = pl.col("industry").str.slice(1).cast(pl.Int64)
    code = number.replace_strict(dict(enumerate(CLASSES)), return_dtype=pl.String) + "0101"
    values = (pl.col("symbol").str.slice(0, 6), pl.col("start_date"), code, pl.lit(date(2021, 7, 30)))
    return industry.select(value.alias(name) for value, name in zip(values, _SHENWAN, strict=True))


def write_joinquant(folder: Path, tables: Tables) -> None:
    """A file a year of prices, factors and valuations; ST as a wide table; indices of pandas without a name."""
    daily = tables["daily"].with_columns(code=_joinquant("symbol"), paused=pl.col("is_suspended").cast(pl.Float64))
    prices = daily.select(
        "code", "open", "close", "low", "high", "volume", time="date", money="amount",
        high_limit="limit_up", low_limit="limit_down", pre_close="prev_close", paused="paused",
    ).select(pl.col("time", "code"), pl.exclude("time", "code"))  # fmt: skip
    _by_year(folder / "price", prices, "time")
    _by_year(folder / "factor", daily.select("code", time="date", factor="adj_factor"), "time")
    values = daily.filter(~pl.col("is_suspended")).select(
        "code", day="date", market_cap=pl.col("total_mv") / 1e8, circulating_market_cap=pl.col("float_mv") / 1e8,
        turnover_ratio=pl.col("turnover") * 100,
    )  # fmt: skip
    _by_year(folder / "valuation", values, "day")
    marks = daily.with_columns(mark=pl.when("is_st").then(pl.lit("True")).otherwise(pl.lit("False")))
    wide = marks.pivot("code", index="date", values="mark").sort("date").rename({"date": ""})
    (folder / "is_st").mkdir()
    wide.write_csv(folder / "is_st" / "all.csv")
    gone = pl.col("delist_date").fill_null(date(2200, 1, 1))
    tables["securities"].select(
        _joinquant("symbol").alias(""), pl.col("name").alias("display_name"), pl.col("symbol").alias("name"),
        pl.col("list_date").alias("start_date"), gone.alias("end_date"), pl.lit("stock").alias("type"),
    ).write_csv(folder / "all_securities.csv")  # fmt: skip
    (folder / "industry").mkdir()
    days = daily["date"].unique().sort()
    first = tables["industry"].select(_joinquant("symbol").alias("code"), industry_name="industry")
    for day in (days[0], days[-1]):
        first.with_columns(date=pl.lit(day)).write_csv(folder / "industry" / f"{day}.csv")
    (folder / "index_weights").mkdir()
    for (index, day), frame in tables["index_weights"].group_by("index", "date", maintain_order=True):
        rows = frame.select(
            _joinquant("symbol").alias(""), "date", pl.lit("x").alias("display_name"), pl.col("weight") * 100
        )
        rows.write_csv(folder / "index_weights" / f"{_joinquant_of(str(index))}_{day}.csv")
    (folder / "index").mkdir()
    for (index,), frame in tables["index_daily"].group_by("index", maintain_order=True):
        levels = frame.select(pl.col("date").alias(""), "close")
        levels.write_csv(folder / "index" / f"{_joinquant_of(str(index))}.csv")
    tables["calendar"].write_csv(folder / "all_trade_days.csv")
    _joinquant_statements(folder, tables)


def _joinquant_statements(folder: Path, tables: Tables) -> None:
    rows = tushare_data(tables).rows
    items = {
        "income": {"revenue": "operating_revenue", "oper_cost": "operating_cost",
                   "n_income_attr_p": "np_parent_company_owners"},
        "balancesheet": {"total_assets": "total_assets", "total_liab": "total_liability",
                         "total_hldr_eqy_exc_min_int": "equities_parent_company_owners"},
        "cashflow": {"n_cashflow_act": "net_operate_cash_flow"},
    }  # fmt: skip
    names = {"income": "income", "balancesheet": "balance", "cashflow": "cash_flow"}
    for api, columns in items.items():
        frame = _frame(rows[api])
        frame = frame.select(
            _joinquant("ts_code").alias("code"),
            *(
                pl.col(name).str.to_date("%Y%m%d").alias(ours)
                for name, ours in (("ann_date", "pub_date"), ("end_date", "end_date"))
            ),
            pl.lit(0).alias("report_type"),
            *(pl.col(theirs).alias(ours) for theirs, ours in columns.items()),
        )
        _by_year(folder / names[api], frame, "end_date")


def _joinquant(column: str) -> pl.Expr:
    exchange = pl.col(column).str.slice(7).replace({"SH": "XSHG", "SZ": "XSHE", "BJ": "XBSE"})
    return pl.concat_str(pl.col(column).str.slice(0, 6), pl.lit("."), exchange)


def _joinquant_of(code: str) -> str:
    return str(pl.select(pl.lit(code).alias("c")).select(_joinquant("c")).item())


#: Shipped mapping = what writes a folder for it.
WRITERS: Mapping[str, Callable[[Path, Tables], None]] = {
    "tushare_csv": write_tushare,
    "baostock_csv": write_baostock,
    "akshare_csv": write_akshare,
    "joinquant_csv": write_joinquant,
}
