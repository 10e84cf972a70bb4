"""Source `tables`: a vendor's files by a mapping, against what the files say; and every way to get it wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.sources._convert import scaled
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources._mapping import load_mapping, shipped_mappings
from deepfactor.sources._steps import usable_from
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.checks import check_tables
from deepfactor.store.folder import write_market
from deepfactor.store.schema import TABLES

DAILY = """
name = "mine"
[[symbols]]
pattern = '^(SH|SZ)(\\d{6})$'
to = '$2.$1'
[[symbols]]
pattern = '^(6\\d{5})$'
to = '$1.SH'
[tables.daily]
file = "bars.csv"
date_format = "%Y%m%d"
[tables.daily.columns]
date = "day"
symbol = "code"
open = "o"
high = "h"
low = "l"
close = "c"
volume = { from = "lots", multiply = 100 }
amount = { from = "kcny", multiply = 1000 }
"""
BARS = """day,code,o,h,l,c,lots,kcny
20200102,SZ000001,10,11,9,10.5,100,102
20200103,SZ000001,10.5,11,10,10.6,200,210
20200106,SZ000001,10.6,11,10,10.7,,
20200102,600000,5,5.5,4.5,5.1,300,150
20200106,600000,5.1,5.5,5,5.2,300,156
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "bars.csv").write_text(BARS)
    return tmp_path


def source(folder: Path, mapping: str = DAILY) -> MappedTables:
    file = folder / "mapping.toml"
    file.write_text(mapping, encoding="utf-8")
    return open_source(Settings(mapping=str(file)), folder)


def daily(folder: Path, mapping: str = DAILY) -> pl.DataFrame:
    return source(folder, mapping).fetch("daily", None, None)


def test_csv_codes_dates_units_and_missing_values(folder):
    frame = daily(folder)
    assert frame["symbol"].cast(pl.String).to_list() == ["000001.SZ"] * 3 + ["600000.SH"] * 2
    assert frame["date"].to_list()[:2] == [date(2020, 1, 2), date(2020, 1, 3)]
    assert frame["volume"].to_list() == [10000, 20000, None, 30000, 30000]
    assert frame["amount"].to_list() == [102000, 210000, None, 150000, 156000]
    assert frame["close"].dtype == pl.Float64


def test_dates_asked_for(folder):
    rows = source(folder).fetch("daily", date(2020, 1, 3), date(2020, 1, 5))
    assert rows["date"].to_list() == [date(2020, 1, 3)]


def test_what_comes_can_be_stored(folder, tmp_path):
    opened = source(folder)
    stored = write_market(tmp_path / "m", dict(fetch_all(opened)), source=opened.describe())
    assert stored.manifest.source["name"] == "mine"
    assert stored.manifest.source["notes"] == [
        "daily.volume is missing on 1 rows of 1 symbols",
        "daily.amount is missing on 1 rows of 1 symbols",
    ]
    assert stored.read("daily").height == 5


def test_dividing_fen_is_exact():
    close = load_mapping("ashare_parquet").tables["daily"].columns["close"]
    fen = list(range(1, 300_000, 7))
    made = scaled(pl.Series(fen), close.multiply, close.divide).to_list()
    assert made == [float(f"{x // 100}.{x % 100:02d}") for x in fen]


STEPS = """
[[tables.daily.steps]]
into = "float_mv"
file = "shares.parquet"
value = "n"
times = "close"
lag_days = {lag}
"""


def write_steps(folder: Path, rows: list[tuple[str, date, float]]) -> None:
    pl.DataFrame(rows, schema=["symbol", "date", "n"], orient="row").write_parquet(folder / "shares.parquet")


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_steps_are_carried_forward_and_never_back(folder, lag):
    """Against a loop over days; steps on a weekend and before the first day too."""
    steps = [
        ("SZ000001", date(2019, 12, 30), 7.0),
        ("SZ000001", date(2020, 1, 4), 8.0),
        ("600000", date(2020, 1, 3), 9.0),
    ]
    write_steps(folder, steps)
    frame = daily(folder, DAILY + STEPS.format(lag=lag))
    calendar = [date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6)]
    ours = {"SZ000001": "000001.SZ", "600000": "600000.SH"}
    for row in frame.rows(named=True):
        value = None
        for symbol, when, shares in steps:
            passed = sum(when < day <= row["date"] for day in calendar)  # trading days after the step's date
            known = when <= row["date"] if lag == 0 else passed >= lag
            if ours[symbol] == row["symbol"] and known:
                value = shares
        assert row["float_mv"] == (None if value is None else value * row["close"])


def test_a_part_of_the_days_gets_the_same_steps(folder):
    write_steps(folder, [("SZ000001", date(2019, 12, 30), 7.0), ("SZ000001", date(2020, 1, 2), 8.0)])
    mapping = DAILY + STEPS.format(lag=2)
    whole = source(folder, mapping).fetch("daily", None, None)
    part = source(folder, mapping).fetch("daily", date(2020, 1, 3), None)
    assert part.equals(whole.filter(pl.col("date") >= date(2020, 1, 3)))


def test_a_future_step_changes_nothing_before_it(folder):
    now = [("SZ000001", date(2020, 1, 2), 8.0), ("600000", date(2020, 1, 2), 9.0)]
    write_steps(folder, now)
    before = daily(folder, DAILY + STEPS.format(lag=0))
    write_steps(folder, [*now, ("SZ000001", date(2020, 1, 6), 80.0), ("600000", date(2020, 2, 1), 90.0)])
    after = daily(folder, DAILY + STEPS.format(lag=0))
    early = pl.col("date") < date(2020, 1, 6)
    assert after.filter(early).equals(before.filter(early))
    assert not after.equals(before)


def test_of_steps_that_become_usable_on_one_day_the_latest_stands():
    steps = pl.DataFrame({"symbol": ["a", "a"], "date": [date(2020, 1, 4), date(2020, 1, 5)], "value": [1.0, 2.0]})
    days = pl.Series([date(2020, 1, 3), date(2020, 1, 6), date(2020, 1, 7)])
    assert usable_from(steps, days, 0).rows() == [("a", date(2020, 1, 6), 2.0)]
    assert usable_from(steps, days, 2).rows() == [("a", date(2020, 1, 7), 2.0)]
    assert usable_from(steps, days, 3).rows() == []


FLAGS = """
[[tables.daily.steps]]
into = "is_st"
file = "shares.parquet"
value = "n"
equals = 5
symbols = '^00'
start = 2020-01-03
lag_days = 0
[[tables.daily.steps]]
into = "is_st"
file = "shares.parquet"
value = "n"
equals = 7
end = 2020-01-03
lag_days = 0
"""


def test_flags_by_span_and_symbol_the_first_that_knows_wins(folder):
    write_steps(
        folder,
        [("SZ000001", date(2020, 1, 2), 7.0), ("SZ000001", date(2020, 1, 6), 5.0), ("600000", date(2020, 1, 2), 7.0)],
    )
    opened = source(folder, DAILY + FLAGS)
    frame = opened.fetch("daily", None, None)
    assert frame["is_st"].to_list() == [True, False, True, True, None]
    assert opened.describe()["derived"] == [], "delivered by steps, not derived"
    assert "daily.is_st is missing on 1 rows of 1 symbols" in opened.describe()["notes"]


def test_a_declared_jump_of_level_is_taken_out(folder):
    head, *rows = BARS.splitlines()
    lines = [f"{row},{factor}" for row, factor in zip(rows, (1.5, 3, 3, 1, 1), strict=True)]
    (folder / "bars.csv").write_text("\n".join([f"{head},f", *lines]))
    change = 'level_changes = [{ symbol = "000001.SZ", date = 2020-01-03}]\n'
    mapping = DAILY.replace("[tables.daily.columns]", change + '[tables.daily.columns]\nadj_factor = "f"')
    opened = source(folder, mapping)
    assert opened.fetch("daily", None, None)["adj_factor"].to_list() == [1.5, 1.5, 1.5, 1, 1]
    assert any("jump of its level on 2020-01-03 taken out, 2 rows" in note for note in opened.describe()["notes"])
    assert opened.fetch("daily", date(2020, 1, 6), None)["adj_factor"].to_list() == [1.5, 1]
    wrong = mapping.replace("date = 2020-01-03", "date = 2020-01-04")
    with pytest.raises(DataError, match=r"bars.csv, column adj_factor: .*2020-01-04, the file has no such row"):
        daily(folder, wrong)


OTHERS = """
[tables.index_members]
file = "members.csv"
drop = [{ column = "code", matching = "^SHT", why = "an old code" }]
begin = { "000300.SH" = 2020-01-03 }
[tables.index_members.columns]
index = { from = "which", names = { hs300 = "000300.SH", zz500 = "000905.SH" } }
symbol = "code"
start_date = "from"
end_date = "to"
[tables.industry]
file = "sectors.csv"
priced_only = true
columns = { symbol = "code", industry = "sector", start_date = "from" }
"""
MEMBERS = """which,code,from,to
hs300,SZ000001,2019-01-01,2020-01-02
hs300,600000,2019-01-01,
hs300,SHT00018,2005-01-01,2006-01-01
zz500,SZ000001,2019-01-01,2020-01-02
"""
SECTORS = """code,sector,from
SZ000001,bank,2001-01-01
SZ000002,homes,2001-01-01
"""


def test_members_and_industries_and_what_is_dropped(folder):
    (folder / "members.csv").write_text(MEMBERS)
    (folder / "sectors.csv").write_text(SECTORS)
    opened = source(folder, DAILY + OTHERS)
    assert opened.tables() == ("daily", "industry", "index_members")
    tables = dict(fetch_all(opened))
    assert tables["index_members"].select(
        pl.col(pl.String, pl.Enum, pl.Categorical).cast(pl.String), "start_date"
    ).rows() == [
        ("000300.SH", "600000.SH", date(2020, 1, 3)),
        ("000905.SH", "000001.SZ", date(2019, 1, 1)),
    ]
    assert tables["industry"]["industry"].to_list() == ["bank"]
    assert opened.describe()["dropped"] == {
        "industry: rows of 1 symbols without prices": 1,
        "index_members: rows whose code matches ^SHT (an old code)": 1,
        "index_members: intervals of 000300.SH before it is complete on 2020-01-03": 1,
    }
    assert not [f for f in check_tables(tables) if f.severity == "error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.replace("zz500,SZ", "csi500,SZ"), r"members.csv, row 4, column which: 'csi500' has no entry"),
        (
            lambda m: m.replace("hs300,SZ000001,2019-01-01", "hs300,SZ000001,01/02/2019"),
            r"row 1, column from: '01/02/2019' is no date",
        ),
    ],
)
def test_bad_values_elsewhere(folder, change, message):
    (folder / "members.csv").write_text(change(MEMBERS))
    (folder / "sectors.csv").write_text(SECTORS)
    opened = source(folder, DAILY + OTHERS)
    opened.fetch("daily", None, None)
    with pytest.raises(DataError, match=message):
        opened.fetch("index_members", None, None)


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (BARS.replace("10.6,200", "cheap,200"), r"bars.csv, row 2, column c: 'cheap' is no Float64"),
        (
            BARS.replace("20200103", "2020-01-03"),
            r"bars.csv, row 2, column day: '2020-01-03' is no date of the form %Y%m%d",
        ),
        (BARS.replace("lots", "volume"), r"bars.csv, column lots: is not there; the file has day, code"),
        (BARS + "20200106,SH600000,5.1,5.5,5,5.2,300,156\n", r"bars.csv, column code: two codes become one"),
        ("", r"bars.csv.*can't be read"),
    ],
)
def test_bad_files_name_row_and_column(folder, bars, message):
    (folder / "bars.csv").write_text(bars)
    with pytest.raises(DataError, match=message):
        daily(folder)


def test_a_code_of_no_known_form(folder):
    (folder / "bars.csv").write_text(BARS.replace("SZ000001", "PAYH"))
    with pytest.raises(DataError, match=r"bars.csv, row 1, column code: 'PAYH' is no code such as 600000.SH: add a"):
        daily(folder)


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"\0" * 64])
def test_a_file_that_is_no_parquet(folder, content):
    (folder / "shares.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"shares.parquet: can't be read"):
        daily(folder, DAILY + STEPS.format(lag=0))


def test_a_truncated_parquet(folder):
    write_steps(folder, [("SZ000001", date(2020, 1, 2), 8.0)] * 1)
    file = folder / "shares.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"shares.parquet: can't be read"):
        daily(folder, DAILY + STEPS.format(lag=0))


def test_two_steps_of_a_symbol_on_a_day(folder):
    write_steps(folder, [("SZ000001", date(2020, 1, 2), 8.0), ("SZ000001", date(2020, 1, 2), 9.0)])
    with pytest.raises(DataError, match=r"two steps of 000001.SZ on 2020-01-02"):
        daily(folder, DAILY + STEPS.format(lag=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.replace("tables.daily", "tables.dayly"), "tables.daily is missing"),
        (lambda m: m + "[tables.prices]\nfile = 'x'\ncolumns = {}\n", "tables.prices: unknown table"),
        (lambda m: m.replace("open =", "opening ="), "unknown column 'opening'"),
        (lambda m: m.replace('high = "h"', ""), "tables.daily.columns: high is missing"),
        (lambda m: m.replace("multiply = 100 ", "times = 100 "), r"tables.daily.columns.volume.times: unknown key"),
        (lambda m: m.replace("multiply = 100 ", "multiply = 0 "), r"tables.daily.columns.volume.multiply"),
        (lambda m: m.replace("^(6", "^((6"), "is no regular expression"),
        (lambda m: m + "[tables.daily\n", "can't be read as TOML"),
        (
            lambda m: (
                m + "[tables.industry]\nfile='a'\nbegin={x=2020-01-01}\n"
                "columns={symbol='s',industry='i',start_date='d'}\n"
            ),
            "begin belongs to",
        ),
    ],
)
def test_a_wrong_mapping_is_a_recipe_error_that_names_the_key(folder, change, message):
    with pytest.raises(RecipeError, match=message) as error:
        source(folder, change(DAILY))
    assert "mapping" in str(error.value)


def test_unknown_mapping_and_missing_folder_or_file(folder, tmp_path):
    with pytest.raises(RecipeError, match=r"neither a shipped mapping \(akshare_csv.*\) nor a TOML"):
        open_source(Settings(mapping="tushare"), folder)
    with pytest.raises(DataError, match="give their folder with --folder"):
        open_source(Settings(), None)
    with pytest.raises(DataError, match="nowhere is none"):
        open_source(Settings(), tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"prices.parquet: there is no such file"):
        open_source(Settings(), folder)


@pytest.mark.parametrize("name", shipped_mappings())
def test_shipped_mappings_are_valid(name):
    mapping = load_mapping(name)
    assert mapping.name == name
    assert set(mapping.tables) <= set(TABLES)
