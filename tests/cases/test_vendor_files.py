"""Traps of vendors' files: what each looks like in the files, and what the shipped mapping makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from support.vendor_folders import WRITERS, csindex, shenwan, write_tushare
from support.vendor_tushare import simulated_tables

Tables = Mapping[str, pl.DataFrame]


@cache
def market() -> Tables:
    return simulated_tables(stocks=50, start=date(2019, 6, 3), end=date(2019, 6, 28), seed=4)


def written(mapping: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[mapping](folder, market())
    return folder


def opened(mapping: str, folder: Path) -> MappedTables:
    return open_source(Settings(mapping=mapping), folder)


def tables_of(mapping: str, folder: Path) -> Tables:
    made = dict(fetch_all(opened(mapping, folder)))
    return {name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for name, frame in made.items()}


def edit(file: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    text = file.read_text(encoding=encoding)
    assert old in text
    file.write_text(text.replace(old, new), encoding=encoding)


def change(file: Path, **columns: pl.Expr | None) -> None:
    """Columns of a CSV as text, changed, or dropped where None."""
    frame = pl.read_csv(file, infer_schema=False)
    frame = frame.drop(name for name, made in columns.items() if made is None)
    frame.with_columns(**{name: made for name, made in columns.items() if made is not None}).write_csv(file)


# Tushare


@pytest.mark.slow
def test_tushare_in_parquet_with_whole_numbers_for_dates(tmp_path: Path) -> None:
    write_tushare(tmp_path / "a", market())
    (tmp_path / "b").mkdir()
    write_tushare(tmp_path / "b", market(), ".parquet")
    for file in (tmp_path / "b").rglob("*.parquet"):
        pl.read_parquet(file).with_columns(pl.col("trade_date").cast(pl.Int64)).write_parquet(file)
    one, other = (tables_of("tushare_csv", tmp_path / name)["daily"] for name in "ab")
    assert one.equals(other)


@pytest.fixture
def tushare(tmp_path: Path) -> Path:
    return written("tushare_csv", tmp_path / "tushare")


def test_tushare_stock_basic_without_delist_date_is_refused(tushare: Path) -> None:
    """It comes only where it is asked for: without it nobody has ever left the market."""
    change(tushare / "stock_basic.csv", delist_date=None)
    with pytest.raises(DataError, match=r"stock_basic\.csv, column delist_date: is not there"):
        tables_of("tushare_csv", tushare)


@pytest.mark.slow
def test_tushare_float_value_is_of_float_shares_whatever_circ_mv_counts(tushare: Path) -> None:
    plain = tables_of("tushare_csv", tushare)["daily"]
    change(tushare / "daily_basic" / "2019.csv", circ_mv=pl.col("circ_mv").cast(pl.Float64) / 2)
    assert tables_of("tushare_csv", tushare)["daily"]["float_mv"].equals(plain["float_mv"])
    change(tushare / "daily_basic" / "2019.csv", float_share=None, circ_mv=pl.col("circ_mv").cast(pl.Float64) * 2)
    made = tables_of("tushare_csv", tushare)["daily"]["float_mv"]
    assert ((made / plain["float_mv"]).drop_nulls() - 1).abs().max() < 1e-9  # type: ignore[operator]


def test_tushare_volume_with_the_trades_after_hours(tmp_path: Path) -> None:
    """Apart since 2026-07-06, within before; a year's file has the columns, an older one lacks them."""
    (tmp_path / "daily").mkdir()
    (tmp_path / "adj_factor").mkdir()
    head = "ts_code,trade_date,open,high,low,close,pre_close,vol,amount"
    bar = "688001.SH,{},10,11,9,10,10,1234.56,1240.5{}\n"
    (tmp_path / "daily" / "2025.csv").write_text(f"{head}\n" + bar.format("20251231", ""))
    days = {"20260703": ",7.5,8.5", "20260706": ",7.5,8.5", "20260707": ",,"}
    rows = "".join(bar.format(day, more) for day, more in days.items())
    (tmp_path / "daily" / "2026.csv").write_text(f"{head},ah_vol,ah_amount\n{rows}")
    factors = "".join(f"688001.SH,{day},1.0\n" for day in ("20251231", *days))
    (tmp_path / "adj_factor" / "all.csv").write_text("ts_code,trade_date,adj_factor\n" + factors)
    daily = tables_of("tushare_csv", tmp_path)["daily"]
    assert daily["volume"].to_list() == [123456, 123456, 124206, 123456]
    assert daily["amount"].to_list() == [1240500, 1240500, 1249000, 1240500]


def test_tushare_limits_of_b_shares_and_funds_are_dropped_and_counted(tushare: Path) -> None:
    with (tushare / "stk_limit" / "2019.csv").open("a") as handle:
        handle.write("20190603,900901.SH,1,0.5\n20190603,510300.SH,4,3\n")
    source = opened("tushare_csv", tushare)
    dict(fetch_all(source))
    dropped = source.describe()["dropped"]
    assert [n for why, n in dropped.items() if why.startswith("daily.joined.2: rows of 2 symbols")] == [2]


def test_tushare_a_factor_that_comes_late_is_missing_and_said(tushare: Path) -> None:
    change(
        tushare / "adj_factor" / "2019.csv", adj_factor=pl.when(pl.col("trade_date") != "20190628").then("adj_factor")
    )
    source = opened("tushare_csv", tushare)
    daily = dict(fetch_all(source))["daily"]
    assert daily.filter(pl.col("date") == date(2019, 6, 28))["adj_factor"].null_count() > 30
    assert any(note.startswith("daily.adj_factor is missing on") for note in source.describe()["notes"])


def test_tushare_with_prices_and_factors_alone(tushare: Path, tmp_path: Path) -> None:
    for entry in tushare.iterdir():
        if entry.name not in ("daily", "adj_factor"):
            entry.rename(tmp_path / entry.name)
    source = opened("tushare_csv", tushare)
    assert dict(fetch_all(source)).keys() == {"daily"}
    left = [note for note in source.describe()["notes"] if "is left out" in note]
    assert "tables.securities is left out: there is no stock_basic/*, stock_basic.*, stock_basic_*" in left
    assert len(left) > 10


@pytest.mark.slow
def test_tushare_whole_numbers_as_pandas_writes_them_beside_missing_ones(tushare: Path) -> None:
    """1 as 1.0: of open days, of kinds of reports."""
    plain = tables_of("tushare_csv", tushare)
    change(tushare / "trade_cal.csv", is_open=pl.col("is_open") + ".0")
    for file in (tushare / "income").iterdir():
        change(file, report_type=pl.col("report_type") + ".0")
    made = tables_of("tushare_csv", tushare)
    for name in ("calendar", "fundamentals"):
        assert made[name].equals(plain[name]), name


def test_tushare_an_unknown_column_names_its_file(tushare: Path) -> None:
    edit(tushare / "daily" / "2019.csv", "pre_close", "preclose")
    with pytest.raises(DataError, match=r"daily/2019\.csv, column pre_close: is not there; the file has ts_code"):
        tables_of("tushare_csv", tushare)


# BaoStock


@pytest.fixture
def baostock(tmp_path: Path) -> Path:
    return written("baostock_csv", tmp_path / "baostock")


@pytest.mark.parametrize("flag", ["1", "2"])
def test_baostock_adjusted_prices_are_refused(flag: str, baostock: Path) -> None:
    file = sorted((baostock / "bars").iterdir())[7]
    change(file, adjustflag=pl.lit(flag))
    with pytest.raises(DataError, match=rf"{file.name}, row 1, column adjustflag: is '{flag}', wanted '3'"):
        tables_of("baostock_csv", baostock)


@pytest.mark.slow
def test_baostock_halted_days_are_rows_without_turnover(baostock: Path) -> None:
    daily = tables_of("baostock_csv", baostock)["daily"]
    halted = daily.filter("is_suspended")
    assert halted.height > 0
    assert halted["volume"].unique().to_list() == [0]
    assert halted["close"].null_count() == 0
    assert halted["float_mv"].null_count() == halted["turnover"].null_count() == halted.height
    assert daily.filter(~pl.col("is_suspended"))["float_mv"].null_count() == 0


@pytest.mark.slow
def test_baostock_factors_are_the_backward_ones(baostock: Path) -> None:
    """The forward one changes with each dividend; who paid none has no row, and the factor 1."""
    truth = market()["daily"].sort("symbol", "date")["adj_factor"]
    assert tables_of("baostock_csv", baostock)["daily"]["adj_factor"].equals(truth, check_names=False)
    for file in (baostock / "adjust_factor").iterdir():
        file.unlink()
    (baostock / "adjust_factor" / "x.csv").write_text(
        "code,dividOperateDate,foreAdjustFactor,backAdjustFactor,adjustFactor\nsh.600519,2019-06-05,0.9,2.0,2.0\n"
    )
    assert tables_of("baostock_csv", baostock)["daily"]["adj_factor"].unique().to_list() == [1.0]


def test_baostock_indices_and_funds_in_stock_basic_are_no_stocks(baostock: Path) -> None:
    symbols = tables_of("baostock_csv", baostock)["securities"]["symbol"]
    assert "510300.SH" in (baostock / "stock_basic.csv").read_text().replace("sh.510300", "510300.SH")
    assert set(symbols) <= set(market()["securities"]["symbol"])


# AKShare


@pytest.fixture
def akshare(tmp_path: Path) -> Path:
    return written("akshare_csv", tmp_path / "akshare")


@pytest.mark.slow
def test_akshare_codes_that_lost_their_zeros(akshare: Path) -> None:
    plain = tables_of("akshare_csv", akshare)
    for file in (akshare / "hist").iterdir():
        frame = pl.read_csv(file.read_bytes().decode("gbk").encode(), infer_schema=False)
        codes = frame["股票代码"].cast(pl.Int64)
        frame.with_columns(codes).write_csv(file)
    made = tables_of("akshare_csv", akshare)
    assert made["daily"].equals(plain["daily"])


def test_akshare_files_in_gbk_are_said(akshare: Path) -> None:
    source = opened("akshare_csv", akshare)
    dict(fetch_all(source))
    assert any("files are read as GBK (GB18030)" in note for note in source.describe()["notes"])


@pytest.mark.slow
def test_akshare_volume_of_some_stocks_in_shares(akshare: Path) -> None:
    """Lots for all but STAR, where some versions give shares: told row by row."""
    plain = tables_of("akshare_csv", akshare)["daily"]
    for file in sorted((akshare / "hist").iterdir())[::3]:
        frame = pl.read_csv(file.read_bytes().decode("gbk").encode(), infer_schema=False)
        frame.with_columns(pl.col("成交量").cast(pl.Float64) * 100).write_csv(file)
    made = tables_of("akshare_csv", akshare)["daily"]
    assert_frame_equal(made, plain)


def test_akshare_has_no_rows_of_halted_days(akshare: Path) -> None:
    traded = market()["daily"].filter(~pl.col("is_suspended"))
    assert tables_of("akshare_csv", akshare)["daily"].height == traded.height


def excel(frame: pl.DataFrame, path: Path, numbers: tuple[str, ...] = ()) -> None:
    """A spreadsheet; .xls in the old form, as both publishers have it."""
    pytest.importorskip("fastexcel", reason="fastexcel of the extra excel is missing: no spreadsheet is tested")
    rows = [frame.columns, *frame.rows()]
    cells = [
        (r, c, float(v) if r and frame.columns[c] in numbers else v)
        for r, row in enumerate(rows)
        for c, v in enumerate(row)
    ]
    if path.suffix == ".xls":
        xlwt = pytest.importorskip("xlwt", reason="xlwt of the dev extra is missing: no .xls is tested")
        book = xlwt.Workbook()
        sheet, day = book.add_sheet("x"), xlwt.easyxf(num_format_str="yyyy-mm-dd")
        for r, c, v in cells:
            sheet.write(r, c, v, day) if isinstance(v, date) else sheet.write(r, c, v)
        book.save(str(path))
        return
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        for r, c, v in cells:
            sheet.write(r, c, v)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".xls", ".xlsx"])
@pytest.mark.parametrize("numbers", [(), ("日期Date", "指数代码 Index Code", "成份券代码Constituent Code")])
def test_weights_and_industries_as_their_publishers_spreadsheets(
    akshare: Path, ending: str, numbers: tuple[str, ...]
) -> None:
    """csindex's closing weights, Shenwan's history; codes as text, or as numbers that have lost their zeros."""
    plain = tables_of("akshare_csv", akshare)
    for file in (akshare / "index_weight").iterdir():
        file.unlink()
    for (index, day), frame in market()["index_weights"].group_by("index", "date", maintain_order=True):
        excel(csindex(frame), akshare / f"{str(index)[:6]}closeweight_{day}{ending}", numbers)
    (akshare / "stock_industry_clf_hist_sw.csv").unlink()
    of_stocks = ("股票代码", "行业代码") if numbers else ()
    excel(shenwan(market()["industry"]), akshare / f"StockClassifyUse_stock{ending}", of_stocks)
    made = tables_of("akshare_csv", akshare)
    by = ["index", "date", "symbol"]
    one, other = (tables["index_weights"].sort(by) for tables in (made, plain))
    assert_frame_equal(one, other, rel_tol=1e-15 if ending == ".xls" else 1e-14)  # XlsxWriter writes 16 digits
    assert made["industry"].sort("symbol").equals(plain["industry"].sort("symbol"))


def test_industries_are_those_of_their_day(tmp_path: Path) -> None:
    """A stock's classes of three code sets, each from the day on which it was put there."""
    folder = written("akshare_csv", tmp_path / "akshare")
    symbol = market()["daily"]["symbol"][0]
    (folder / "stock_industry_clf_hist_sw.csv").write_text(
        "symbol,start_date,industry_code,update_time\n"
        f"{symbol[:6]},2021-07-30,480301,2021-07-30\n{symbol[:6]},1999-11-10,440101,2015-10-27\n"
        f"{symbol[:6]},2014-02-21,480101,2015-10-27\n"
    )
    industry = tables_of("akshare_csv", folder)["industry"]
    assert industry.select(pl.col("start_date").cast(pl.String), "industry").rows() == [
        ("1999-11-10", "金融服务"),
        ("2014-02-21", "银行"),
        ("2021-07-30", "银行"),
    ]


def test_an_unknown_class_of_industry_names_its_row(akshare: Path) -> None:
    edit(akshare / "stock_industry_clf_hist_sw.csv", "720101", "990101")
    with pytest.raises(DataError, match=r"stock_industry_clf_hist_sw\.csv, row \d+, column industry_code: '99' has no"):
        tables_of("akshare_csv", akshare)


# JoinQuant


@pytest.fixture
def joinquant(tmp_path: Path) -> Path:
    return written("joinquant_csv", tmp_path / "joinquant")


def test_joinquant_a_delisting_in_2200_is_none(joinquant: Path) -> None:
    gone = tables_of("joinquant_csv", joinquant)["securities"]["delist_date"]
    assert "2200-01-01" in (joinquant / "all_securities.csv").read_text()
    assert gone.null_count() == market()["securities"]["delist_date"].null_count()


def test_joinquant_marks_of_st_are_a_wide_table(joinquant: Path) -> None:
    made = tables_of("joinquant_csv", joinquant)["daily"]
    truth = market()["daily"].sort("symbol", "date")
    assert made["is_st"].equals(truth["is_st"])
    assert made["is_st"].sum() > 0


def test_joinquant_prices_forward_adjusted_by_default_are_refused(joinquant: Path) -> None:
    """Of fq="pre": no whole fen, and the factor stands beside what it has moved already."""
    from deepfactor.store.checks import check_tables

    file = joinquant / "price" / "2019.csv"
    moved = {name: pl.col(name).cast(pl.Float64) / 1.037 for name in ("open", "high", "low", "close", "pre_close")}
    change(file, **moved)
    found = check_tables(tables_of("joinquant_csv", joinquant))
    assert any(one.severity == "error" and one.table == "daily" for one in found)
