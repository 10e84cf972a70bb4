"""One factor in every form that people have: layouts, names, dates, codes, files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

DATE, SYMBOL = pl.col("date"), pl.col("symbol")
_DIGITS, _EXCHANGE = SYMBOL.str.head(6), SYMBOL.str.tail(2)

#: How a date is written.
DATES: Mapping[str, pl.Expr] = {
    "date": DATE,
    "text": DATE.cast(pl.String),
    "compact text": DATE.dt.strftime("%Y%m%d"),
    "whole number": DATE.dt.strftime("%Y%m%d").cast(pl.Int64),
    "whole number as decimal": DATE.dt.strftime("%Y%m%d").cast(pl.Float64),
    "slashes": DATE.dt.strftime("%Y/%-m/%-d"),
    "time": DATE.cast(pl.Datetime("ns")),
    "time as text": DATE.cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%d %H:%M:%S"),
    "time in UTC": DATE.cast(pl.Datetime("us")).dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC"),
    "Chinese": DATE.dt.strftime("%Y年%-m月%-d日"),
}
#: How a code is written.
CODES: Mapping[str, pl.Expr] = {
    "ours": SYMBOL,
    "small": SYMBOL.str.to_lowercase(),
    "JoinQuant": pl.concat_str(_DIGITS, _EXCHANGE.replace({"SH": ".XSHG", "SZ": ".XSHE"})),
    "qlib": pl.concat_str(_EXCHANGE, _DIGITS),
    "BaoStock": pl.concat_str(_EXCHANGE.str.to_lowercase(), pl.lit("."), _DIGITS),
    "Yahoo": SYMBOL.str.replace(".SH", ".SS", literal=True),
    "myquant": pl.concat_str(_EXCHANGE.replace({"SH": "SHSE.", "SZ": "SZSE."}), _DIGITS),
    "vnpy": pl.concat_str(_DIGITS, _EXCHANGE.replace({"SH": ".SSE", "SZ": ".SZSE"})),
    "digits": _DIGITS,
    "number": _DIGITS.cast(pl.Int64),
    "number as decimal": _DIGITS.cast(pl.Float64),
    "kept for a spreadsheet": pl.concat_str(pl.lit('="'), _DIGITS, pl.lit('"')),
    "behind an apostrophe": pl.concat_str(pl.lit("'"), _DIGITS),
    "category": SYMBOL.cast(pl.Categorical),
}
#: What the columns are called: date, symbol, score.
NAMES: Mapping[str, tuple[str, str, str]] = {
    "ours": ("date", "symbol", "score"),
    "Tushare": ("trade_date", "ts_code", "mom_20"),
    "qlib": ("datetime", "instrument", "0"),
    "alphalens": ("date", "asset", "factor"),
    "JoinQuant": ("day", "code", "pe_ratio"),
    "Wind": ("TRADE_DT", "S_INFO_WINDCODE", "F_VAL"),
    "Chinese": ("交易日期", "证券代码", "动量因子"),
    "pandas' index": ("__index_level_0__", "__index_level_1__", "my factor"),
    "reset index": ("level_0", "level_1", "0"),
    "of one's own": ("when", "who", "what"),
    "levels": ("datetime", "instrument", "('feature', 'KMID')"),
}


def parquet(frame: pl.DataFrame, path: Path) -> None:
    """With the note of pandas', as its own files have it."""
    index = [name for name in frame.columns if name.startswith("__index")]
    frame.write_parquet(path, metadata={"pandas": json.dumps({"index_columns": index})})


def arrow_stream(frame: pl.DataFrame, path: Path) -> None:
    frame.write_ipc_stream(path)


def csv(frame: pl.DataFrame, path: Path) -> None:
    plain(frame).write_csv(path)


def csv_gz(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(plain(frame).write_csv(separator="\t").encode()))


def csv_gbk(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(plain(frame).write_csv().encode("gbk"))


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """As text has it: pandas' index has no name, or that of its place."""
    names = {"__index_level_0__": "", "__index_level_1__": "Unnamed: 1"}
    return frame.rename({old: new for old, new in names.items() if old in frame.columns})


FILES: Mapping[str, tuple[str, Callable[[pl.DataFrame, Path], None]]] = {
    "parquet": ("f.parquet", parquet),
    "feather": ("f.feather", lambda frame, path: frame.write_ipc(path)),
    "packed feather": ("f.feather", lambda frame, path: frame.write_ipc(path, compression="lz4")),
    "Arrow stream": ("f.arrow", arrow_stream),
    "CSV": ("f.csv", csv),
    "packed text": ("f.txt.gz", csv_gz),
    "GBK": ("f.csv", csv_gbk),
}
LAYOUTS = ("rows", "stocks", "days")


def in_form(
    factor: pl.DataFrame, *, layout: str = "rows", date: str = "date", code: str = "ours", names: str = "ours"
) -> pl.DataFrame:
    """The factor (date, symbol, score) laid out, its dates, codes and columns written so."""
    when, who, what = NAMES[names]
    told = factor.select(DATES[date].alias("date"), CODES[code].alias("symbol"), "score")
    if layout == "rows":
        return told.rename({"date": when, "symbol": who, "score": what})
    ours = {"stocks": ("date", "symbol", when), "days": ("symbol", "date", who)}
    key, across, called = ours[layout]
    wide = told.with_columns(pl.col(across).cast(pl.String)).pivot(across, index=key, values="score", sort_columns=True)
    return wide.rename({key: "__index_level_0__" if called.startswith("__index") else called})
