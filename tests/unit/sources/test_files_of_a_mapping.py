"""What a mapping can say of files: patterns, names, forms, order, columns; each against the plain file's market."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError, RecipeError, UserError
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources.tables import Settings, open_source

DAYS = [date(2020, 1, 2) + timedelta(days=n) for n in (0, 1, 4, 5, 6, 7)]
CODES = ("000001.SZ", "300750.SZ", "600000.SH")
MAPPING = """
name = "mine"
[[symbols]]
pattern = '^(6\\d{5})$'
to = '$1.SH'
[[symbols]]
pattern = '^([03]\\d{5})$'
to = '$1.SZ'
[tables.daily]
%s
[tables.daily.columns]
date = "日期"
symbol = "%s"
open = "开盘"
high = "最高"
low = "最低"
close = "收盘"
volume = { from = "成交量", multiply = 100 }
amount = "成交额"
"""


def bars() -> pl.DataFrame:
    rows = []
    for k, code in enumerate(CODES):
        for n, day in enumerate(DAYS):
            price = 10 + 3 * k + n / 4
            volume = 1000 + 10 * n + k
            rows.append(
                (day.isoformat(), code[:6], price, price + 1, price - 1, price + 0.5, volume, volume * 100 * price)
            )
    return pl.DataFrame(
        rows, schema=["日期", "代码", "开盘", "最高", "最低", "收盘", "成交量", "成交额"], orient="row"
    )  # fmt: skip


def opened(folder: Path, text: str) -> MappedTables:
    file = folder.parent / "mapping.toml"
    file.write_text(text, encoding="utf-8")
    return open_source(Settings(mapping=str(file)), folder)


def daily(folder: Path, files: str, code: str = "代码", more: str = "") -> pl.DataFrame:
    frame = opened(folder, MAPPING % (files, code) + more).fetch("daily", None, None)
    return frame.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "date")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("plain") / "files"
    folder.mkdir()
    bars().write_csv(folder / "bars.csv")
    return daily(folder, 'file = "bars.csv"')


def excel(frame: pl.DataFrame, path: Path, above: int = 0) -> None:
    pytest.importorskip("fastexcel", reason="fastexcel of the extra excel is missing: no spreadsheet is tested")
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("说明").write(0, 0, "nothing")
        sheet = book.add_worksheet("数据")
        for r, row in enumerate([frame.columns, *frame.rows()]):
            for c, cell in enumerate(row):
                sheet.write(r + above, c, cell)


FORMS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "x.csv": lambda frame, path: frame.write_csv(path),
    "x.tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "x.csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    "gbk.csv": lambda frame, path: path.write_bytes(frame.write_csv().encode("gbk")),
    "x.parquet": lambda frame, path: frame.write_parquet(path),
    "x.feather": lambda frame, path: frame.write_ipc(path, compression="lz4"),
    "x.arrow": lambda frame, path: frame.with_columns(pl.col("代码").cast(pl.Categorical)).write_ipc(path),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same(name: str, folder: Path, plain: pl.DataFrame) -> None:
    FORMS[name](bars(), folder / name)
    assert_frame_equal(daily(folder, f'file = "{name}"'), plain, check_exact=True)


def test_a_sheet_of_a_workbook_with_lines_above_its_head(folder: Path, plain: pl.DataFrame) -> None:
    excel(bars(), folder / "x.xlsx", above=2)
    made = daily(folder, 'file = "x.xlsx"\nsheet = "数据"\nskip_rows = 2')
    assert_frame_equal(made, plain, check_exact=True)
    with pytest.raises(DataError, match=r"x\.xlsx: has no sheet 'data': it has 说明, 数据"):
        daily(folder, 'file = "x.xlsx"\nsheet = "data"')


def test_without_fastexcel_a_spreadsheet_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.xlsx").write_bytes(b"PK\x03\x04" + bytes(90))
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(UserError, match=r"pip install 'deepfactor\[excel\]', or save the sheet as CSV"):
        daily(folder, 'file = "x.xlsx"')


def test_lines_above_the_head_of_text(folder: Path, plain: pl.DataFrame) -> None:
    (folder / "x.csv").write_text("行情导出,2020\n\n" + bars().write_csv(), encoding="utf-8")
    assert_frame_equal(daily(folder, 'file = "x.csv"\nskip_rows = 2'), plain, check_exact=True)


def test_what_is_no_utf8_is_said(folder: Path) -> None:
    FORMS["gbk.csv"](bars(), folder / "gbk.csv")
    source = opened(folder, MAPPING % ('file = "gbk.csv"', "代码"))
    source.fetch("daily", None, None)
    assert "1 files are read as GBK (GB18030), as gbk.csv" in source.describe()["notes"]


def test_a_file_a_month_and_one_more(folder: Path, plain: pl.DataFrame) -> None:
    (folder / "daily").mkdir()
    for day in DAYS[:4]:
        bars().filter(pl.col("日期") == day.isoformat()).write_csv(folder / "daily" / f"{day}.csv")
    bars().filter(pl.col("日期") > DAYS[3].isoformat()).write_parquet(folder / "rest.parquet")
    (folder / "daily" / ".hidden.csv").write_text("nothing")
    (folder / "daily" / "~$open.csv").write_text("nothing")
    assert_frame_equal(daily(folder, 'files = ["daily/*.csv", "rest.parquet"]'), plain, check_exact=True)
    bars().with_columns(pl.concat_list("收盘")).write_parquet(folder / "rest.parquet")
    with pytest.raises(DataError, match=r"rest\.parquet, column 收盘: holds List.*write all alike"):
        daily(folder, 'files = ["daily/*.csv", "rest.parquet"]')
    (folder / "rest.parquet").unlink()
    bars().filter(pl.col("日期") > DAYS[3].isoformat()).write_csv(folder / "rest.csv")
    assert_frame_equal(daily(folder, 'files = ["daily/*.csv", "rest.*v"]'), plain, check_exact=True)
    assert_frame_equal(daily(folder, 'files = ["daily/*.csv", "daily/2*.csv", "rest.csv"]'), plain, check_exact=True)


def test_the_code_is_read_off_the_name(folder: Path, plain: pl.DataFrame) -> None:
    for code in CODES:
        own = bars().filter(pl.col("代码") == code[:6]).drop("代码")
        own.write_csv(folder / f"{code[:6]}_daily.csv")
    assert_frame_equal(daily(folder, 'files = "{code}_daily.csv"', "code"), plain, check_exact=True)


def test_a_fault_names_its_file_and_row(folder: Path) -> None:
    (folder / "daily").mkdir()
    for day in DAYS:
        rows = bars().filter(pl.col("日期") == day.isoformat()).with_columns(pl.all().cast(pl.String))
        if day == DAYS[3]:
            rows[1, "收盘"] = "cheap"
        rows.write_csv(folder / "daily" / f"{day}.csv")
    with pytest.raises(DataError, match=r"daily/2020-01-07\.csv, row 2, column 收盘: 'cheap' is no Float64"):
        daily(folder, 'files = "daily/*.csv"')


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ('files = "nothing/*.csv"', r"nothing/\*\.csv: there is no such file: is --folder right\?"),
        ('files = "../*/x.csv"', "leads out of the folder"),
        ('files = "{code}/{code}.csv"', "a name in braces twice"),
        ('files = "{a b}.csv"', "braces hold a name"),
        ('files = ["{code}.csv", "b/{index}.csv"]', "read different columns off the names"),
        ("files = []", "names no file"),
        ('file = "x.csv"\nfiles = "*.csv"', "give a file and nothing else"),
        ('file = "x.csv"\noptional = true', "tables.daily can't be optional"),
    ],
)
def test_patterns_that_can_not_be(files: str, message: str, folder: Path) -> None:
    bars().write_csv(folder / "x.csv")
    with pytest.raises((RecipeError, DataError), match=message):
        daily(folder, files)


def test_a_name_with_brackets_is_no_pattern(folder: Path, plain: pl.DataFrame) -> None:
    """Neither in `file` nor in `files`: only the star and braces are."""
    (folder / "数据[1]").mkdir()
    bars().write_csv(folder / "数据[1]" / "a?b*.csv")
    assert_frame_equal(daily(folder, 'file = "数据[1]/a?b*.csv"'), plain, check_exact=True)
    assert_frame_equal(daily(folder, 'files = "数据[1]/a?b*.csv"'), plain, check_exact=True)
    (folder / "数据[1]" / "aXb.csv").write_text("nothing")
    assert_frame_equal(daily(folder, 'files = "数据[1]/a?b*.csv"'), plain, check_exact=True)


@settings(max_examples=15)
@given(order=st.permutations(range(18)))
def test_rows_in_any_order(order: list[int], tmp_path_factory: pytest.TempPathFactory, plain: pl.DataFrame) -> None:
    folder = tmp_path_factory.mktemp("any") / "files"
    folder.mkdir()
    bars()[order].write_csv(folder / "bars.csv")
    assert_frame_equal(daily(folder, 'file = "bars.csv"'), plain, check_exact=True)


WRITINGS = {
    "2020-01-06": lambda day: day.isoformat(),
    "20200106": lambda day: f"{day:%Y%m%d}",
    "2020/1/6": lambda day: f"{day.year}/{day.month}/{day.day}",
    "2020年1月6日": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "2020-01-06 15:00": lambda day: f"{day} 15:00:00",
    "2020-01-05T16:00Z": lambda day: f"{day - timedelta(days=1)}T16:00:00Z",
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_part_of_the_days_however_they_are_written(writing: str, folder: Path, plain: pl.DataFrame) -> None:
    """Rows of other days are left out before they are converted: never one that is wanted."""
    days = dict(zip((day.isoformat() for day in DAYS), map(WRITINGS[writing], DAYS), strict=True))
    bars().with_columns(pl.col("日期").replace_strict(days)).reverse().write_csv(folder / "x.csv")
    for first in range(len(DAYS)):
        for last in range(first, len(DAYS)):
            span = (DAYS[first], DAYS[last])
            made = opened(folder, MAPPING % ('file = "x.csv"', "代码")).fetch("daily", *span)
            made = made.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "date")
            assert_frame_equal(made, plain.filter(pl.col("date").is_between(*span)), check_exact=True)


def test_a_part_of_the_days_of_another_format(folder: Path, plain: pl.DataFrame) -> None:
    """Digits that look like year, month, day and aren't."""
    days = {day.isoformat(): f"{day:%Y%d%m}" for day in DAYS}
    bars().with_columns(pl.col("日期").replace_strict(days)).write_csv(folder / "x.csv")
    text = MAPPING % ('file = "x.csv"\ndate_format = "%Y%d%m"', "代码")
    made = opened(folder, text).fetch("daily", DAYS[2], DAYS[3]).with_columns(pl.col("symbol").cast(pl.String))
    assert_frame_equal(made, plain.filter(pl.col("date").is_between(DAYS[2], DAYS[3])), check_exact=True)


def test_rows_twice_in_any_order_name_the_second(folder: Path) -> None:
    frame = bars().reverse()
    pl.concat([frame, frame.slice(3, 1)]).write_csv(folder / "bars.csv")
    with pytest.raises(
        DataError, match=r"bars\.csv, row 19: two rows with the same date, symbol: 2020-01-06 600000\.SH"
    ):
        daily(folder, 'file = "bars.csv"')


def test_a_column_by_another_name_or_absent(folder: Path, plain: pl.DataFrame) -> None:
    half = bars().filter(pl.col("日期") < "2020-01-06")
    half.rename({"收盘": "收盘价(元)"}).drop("成交额").write_csv(folder / "a.csv")
    bars().filter(pl.col("日期") >= "2020-01-06").write_csv(folder / "b.csv")
    with pytest.raises(DataError, match=r"a\.csv, column 收盘: is not there"):
        daily(folder, 'files = "*.csv"')
    text = 'files = "*.csv"\naliases = { "收盘" = ["close", "收盘价(元)"] }\nmay_lack = ["成交额"]'
    made = daily(folder, text)
    assert_frame_equal(made.drop("amount"), plain.drop("amount"), check_exact=True)
    assert made["amount"].null_count() == half.height


def test_what_every_row_must_be(folder: Path, plain: pl.DataFrame) -> None:
    flags = [3] * 17 + [1]
    bars().with_columns(adjustflag=pl.Series(flags)).write_csv(folder / "x.csv")
    text = 'file = "x.csv"\nmust_be = { adjustflag = "3" }'
    with pytest.raises(DataError, match=r"x\.csv, row 18, column adjustflag: is '1', wanted '3' on every row"):
        daily(folder, text)
    bars().with_columns(adjustflag=3).write_csv(folder / "x.csv")
    assert_frame_equal(daily(folder, text), plain, check_exact=True)


BESIDE = """
[[tables.daily.joined]]
files = "value/*.csv"
symbol = "code"
date = "day"
optional = true
columns = { float_mv = { from = "mv", multiply = 10000 }, is_st = { from = "st", equals = "1" } }
[[tables.daily.halts]]
file = "halts.csv"
symbol = "code"
date = "day"
where = { type = "S" }
drop = [{ column = "timing", matching = ":", why = "within the day" }]
"""


def test_further_columns_and_halted_days(folder: Path) -> None:
    bars().filter(~((pl.col("代码") == "600000") & (pl.col("日期") == "2020-01-07"))).write_csv(folder / "x.csv")
    (folder / "halts.csv").write_text(
        "code,day,timing,type\n600000,20200107,,S\n600000,20200106,09:30-10:00,S\n000001,2020-01-06,,R\n".replace(
            "2020-01-06", "20200106"
        )
    )
    (folder / "value").mkdir()
    (folder / "value" / "1.csv").write_text("code,day,mv,st\n600000,20200107,5,0\n000001,20200102,7,1\n")
    (folder / "value" / "2.csv").write_text("code,day,mv,st\n600000,20200108,6,0\n600519,20200108,6,0\n")
    source = opened(folder, MAPPING % ('file = "x.csv"', "代码") + BESIDE)
    made = source.fetch("daily", None, None).with_columns(pl.col("symbol").cast(pl.String))
    by = {(row["symbol"], str(row["date"])): row for row in made.iter_rows(named=True)}
    halted = by["600000.SH", "2020-01-07"]
    assert (halted["volume"], halted["amount"], halted["close"], halted["is_suspended"]) == (0, 0, None, True)
    assert halted["float_mv"] == 50000
    assert by["600000.SH", "2020-01-06"]["is_suspended"] is False
    assert (by["000001.SZ", "2020-01-02"]["float_mv"], by["000001.SZ", "2020-01-02"]["is_st"]) == (70000, True)
    assert by["000001.SZ", "2020-01-03"]["float_mv"] is None, "nothing is carried forward"
    dropped = source.describe()["dropped"]
    assert dropped["daily.joined.0: rows of stocks and days without a bar"] == 1
    assert dropped["daily.halts.0: rows whose timing matches : (within the day)"] == 1
    part = opened(folder, MAPPING % ('file = "x.csv"', "代码") + BESIDE).fetch("daily", date(2020, 1, 7), None)
    assert_frame_equal(
        part.with_columns(pl.col("symbol").cast(pl.String)), made.filter(pl.col("date") >= date(2020, 1, 7))
    )


def test_what_may_be_absent_is_left_out_and_said(folder: Path, plain: pl.DataFrame) -> None:
    bars().write_csv(folder / "x.csv")
    joined = BESIDE.split("[[tables.daily.halts]]")[0]
    source = opened(folder, MAPPING % ('file = "x.csv"', "代码") + joined)
    assert source.fetch("daily", None, None).columns == plain.columns
    assert "tables.daily.joined.0 is left out: there is no value/*.csv" in source.describe()["notes"]


def test_two_rows_of_a_further_file_that_contradict(folder: Path) -> None:
    bars().write_csv(folder / "x.csv")
    (folder / "value").mkdir()
    (folder / "value" / "1.csv").write_text("code,day,mv,st\n600000,20200107,5,0\n600000,20200107,5,0\n")
    (folder / "value" / "2.csv").write_text("code,day,mv,st\n000001,20200107,5,0\n600000,20200107,6,0\n")
    joined = BESIDE.split("[[tables.daily.halts]]")[0]
    with pytest.raises(DataError, match=r"2\.csv, row 2, column day: two rows of 600000\.SH on 2020-01-07 contradict"):
        daily(folder, 'file = "x.csv"', more=joined)


def test_a_wide_table_beside(folder: Path) -> None:
    bars().write_csv(folder / "x.csv")
    wide = pl.DataFrame({"day": ["2020-01-02", "2020-01-03"], "000001": [0.0, 1.0], "600000": [None, 0.0]})
    wide.write_csv(folder / "st.csv")
    more = (
        '[[tables.daily.joined]]\nfile = "st.csv"\nwide = "day"\nsymbol = "code"\ndate = "day"\n'
        'columns = { is_st = { formula = "value == 1" } }\n'
    )
    made = daily(folder, 'file = "x.csv"', more=more)
    known = made.drop_nulls("is_st").select("symbol", pl.col("date").cast(pl.String), "is_st").rows()
    assert known == [
        ("000001.SZ", "2020-01-02", False),
        ("000001.SZ", "2020-01-03", True),
        ("600000.SH", "2020-01-03", False),
    ]
    wide.with_columns(pl.Series("600000", ["x", "0"])).write_csv(folder / "st.csv")
    with pytest.raises(DataError, match=r"st\.csv, row 1, column value: 'x' is no Float64"):
        daily(folder, 'file = "x.csv"', more=more)


MEMBERS = """
[[indices]]
pattern = '^(\\d{6})$'
to = '$1.SH'
[tables.index_members]
files = "members/{index}_*.csv"
listed_on = "updateDate"
columns = { index = "index", symbol = "code" }
[tables.industry]
file = "industry.csv"
[tables.industry.columns]
symbol = "code"
industry = { from = "class", part = '^(\\d\\d)', names = { 48 = "银行", 27 = "电子" } }
start_date = { from = "since", missing = ["1900-01-01"] }
"""


def test_lists_as_of_days_become_intervals(folder: Path) -> None:
    bars().write_csv(folder / "x.csv")
    (folder / "members").mkdir()
    lists = {"2020-01-06": "000001 600000", "2020-01-13": "000001 300750", "2020-01-20": "000001 600000"}
    for day, codes in lists.items():
        rows = "".join(f"{day},{code}\n" for code in codes.split())
        (folder / "members" / f"000300_{day}.csv").write_text("updateDate,code\n" + rows)
    (folder / "members" / "000905_x.csv").write_text("updateDate,code\n2020-01-13,600000\n")
    (folder / "industry.csv").write_text("code,class,since\n600000,480301,2014-01-01\n000001,270101,2021-07-30\n")
    source = opened(
        folder, (MAPPING % ('file = "x.csv"', "代码")).replace("[tables.daily]", MEMBERS + "[tables.daily]", 1)
    )
    source.fetch("daily", None, None)
    made = source.fetch("index_members", None, None).with_columns(pl.col("index", "symbol").cast(pl.String))
    rows = [tuple(map(str, row)) for row in made.sort("index", "symbol", "start_date").rows()]
    assert rows == [
        ("000300.SH", "000001.SZ", "2020-01-06", "None"),
        ("000300.SH", "300750.SZ", "2020-01-13", "2020-01-19"),
        ("000300.SH", "600000.SH", "2020-01-06", "2020-01-12"),
        ("000300.SH", "600000.SH", "2020-01-20", "None"),
        ("000905.SH", "600000.SH", "2020-01-13", "None"),
    ]
    industry = source.fetch("industry", None, None)
    assert industry["industry"].to_list() == ["银行", "电子"]
    assert json.dumps(source.describe(), default=str)


def test_a_code_that_changed_has_a_file_of_its_own(folder: Path, plain: pl.DataFrame) -> None:
    """Bars under the old and the new code are one history, told by the files' names."""
    for code, cut in (("600000", slice(3, 6)), ("600001", slice(0, 3))):
        own = bars().filter(pl.col("代码") == "600000").drop("代码")
        own[cut].write_csv(folder / f"{code}.csv")
    rename = 'renames = [{ old = "600001.SH", new = "600000.SH", date = 2020-01-06 }]\n'
    made = opened(folder, rename + MAPPING % ('files = "{code}.csv"', "code")).fetch("daily", None, None)
    one = made.with_columns(pl.col("symbol").cast(pl.String)).sort("date")
    assert_frame_equal(one, plain.filter(pl.col("symbol") == "600000.SH"), check_exact=True)


def test_names_over_several_files_with_rows_twice(folder: Path) -> None:
    """Equal rows count once, also from two files."""
    bars().write_csv(folder / "x.csv")
    (folder / "names").mkdir()
    for year in (1, 2):
        rows = "600000,20200103,20200106,*ST甲\n600000,20200107,,甲\n000001,20190101,,乙\n300750,20190101,,丙\n"
        (folder / "names" / f"{year}.csv").write_text("code,start,end,name\n" + rows)
    more = (
        '[[tables.daily.intervals]]\ninto = "is_st"\nfiles = "names/*"\nsymbol = "code"\nstart = "start"\nend = "end"\n'
        "value = \"name\"\nmatching = '^G?\\*?S?\\*?ST'\n"
    )
    made = daily(folder, 'file = "x.csv"', more=more)
    marked = made.filter("is_st").select("symbol", pl.col("date").cast(pl.String)).rows()
    assert marked == [("600000.SH", "2020-01-03"), ("600000.SH", "2020-01-06")]


def test_later_rows_count_where_two_say_different_things(folder: Path) -> None:
    """By `order_by`, whatever order the file has."""
    bars().write_csv(folder / "x.csv")
    (folder / "income.csv").write_text(
        "code,end,ann,flag,profit\n600000,20190930,20191101,1,7\n600000,20190930,20191101,0,5\n"
    )
    more = (
        '[[fundamentals.statements]]\nfile = "income.csv"\nsymbol = "code"\nperiod = "end"\nannounced = "ann"\n'
        'items = { net_profit_ytd = "profit * 2" }\norder_by = ["flag"]\n'
    )
    source = opened(folder, MAPPING % ('file = "x.csv"', "代码") + more)
    source.fetch("daily", None, None)
    assert source.fetch("fundamentals", None, None)["value"].to_list() == [14.0]
