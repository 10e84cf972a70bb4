"""Company figures by a mapping: when each is known, which quarter it is of, what a loss and an end look like."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.sources._codes import Codes
from deepfactor.sources._fundamentals import columns_of, known_from, step_figures
from deepfactor.sources._mapping_parts import FundamentalSteps
from deepfactor.sources.tables import Files, Settings, open_source
from deepfactor.store.checks import check_tables
from support.sources import open_kind

DAYS = [date(2020, 1, 2) + timedelta(days=k) for k in range(700)]
DAYS = [d for d in DAYS if d.weekday() < 5 and d.month != 2]  # February is a long holiday

BASE = """
name = "mine"
[tables.daily]
file = "bars.csv"
columns = { date = "date", symbol = "symbol", open = "p", high = "p", low = "p", close = "p", volume = "v", vwap = "p" }
"""
STEPS = """
[[fundamentals.steps]]
item = "net_profit_ttm"
file = "steps.csv"
where = { field = "np" }
value = "value"
multiply = 10
null_is_loss = true
end = 2021-06-30
[[fundamentals.steps]]
item = "total_shares"
file = "steps.csv"
where = { field = "shares" }
value = "value"
reports = false
lag_days = 0
"""
STATEMENTS = """
[[fundamentals.statements]]
file = "reports.csv"
period = "period"
announced = "announced"
items = { net_profit_ytd = { from = "profit", multiply = 10000 }, roe = { from = "roe", divide = 100 } }
"""
STEP_ROWS = """symbol,date,field,value
600000.SH,2019-03-20,np,1
600000.SH,2020-03-31,np,2
600000.SH,2020-04-28,np,
600000.SH,2020-08-29,np,4
600000.SH,2020-08-31,np,4.5
600000.SH,2020-10-30,np,5
600000.SH,2021-04-29,np,6
600000.SH,2021-07-29,np,7
600000.SH,2020-03-31,shares,100
000001.SZ,2021-11-30,np,7
000002.SZ,2021-04-30,np,7
"""
REPORT_ROWS = """symbol,period,announced,profit,roe
600000.SH,2020-03-31,2020-04-24,1,5
600000.SH,2020-06-30,,2,
600000.SH,2019-12-31,,3,6
600000.SH,2020-03-31,2020-08-28,1.5,5
000001.SZ,2020-09-30,2020-10-31,4,7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"{day},{symbol},10,100" for symbol in ("000001.SZ", "600000.SH") for day in DAYS]
    (tmp_path / "bars.csv").write_text("\n".join(["date,symbol,p,v", *rows]))
    (tmp_path / "steps.csv").write_text(STEP_ROWS)
    (tmp_path / "reports.csv").write_text(REPORT_ROWS)
    return tmp_path


def fetched(folder: Path, mapping: str) -> tuple[pl.DataFrame, dict]:
    file = folder / "mapping.toml"
    file.write_text(BASE + mapping, encoding="utf-8")
    source = open_source(Settings(mapping=str(file)), folder)
    tables = {name: source.fetch(name, None, None) for name in source.tables()}
    assert not [f for f in check_tables(tables) if f.severity == "error"]
    return tables["fundamentals"], source.describe()


def rows_of(frame: pl.DataFrame, symbol: str, item: str) -> list[tuple]:
    own = frame.filter((pl.col("symbol") == symbol) & (pl.col("item") == item))
    return (
        own.sort("known_at")
        .select(pl.col("known_at").cast(pl.String), "value", pl.col("period_end").cast(pl.String))
        .rows()
    )


def test_steps(folder):
    frame, account = fetched(folder, STEPS)
    assert rows_of(frame, "600000.SH", "net_profit_ttm") == [
        ("2019-03-21", 10, "2018-12-31"),  # before the first trading day: the next weekday
        ("2020-04-01", 20, "2019-12-31"),
        ("2020-04-29", None, "2020-03-31"),
        ("2020-08-31", 40, "2020-06-30"),  # a Saturday
        ("2020-09-01", 45, "2020-06-30"),
        ("2020-11-02", 50, "2020-09-30"),
        ("2021-04-30", 60, "2020-12-31"),  # the year's first step in April is the annual report
        ("2021-07-01", None, "2021-03-31"),  # the vendor's knowledge ends
    ]
    losses = rows_of(frame, "600000.SH", "net_profit_ttm_loss")
    assert [value for _, value, _ in losses] == [0, 0, 1, 0, 0, 0, 0, None]
    assert rows_of(frame, "600000.SH", "total_shares") == [("2020-03-31", 100, None)]
    assert frame.filter(pl.col("symbol") == "000001.SZ").is_empty()  # its only step lies after the end
    assert account["dropped"] == {"fundamentals: rows of 1 symbols without prices": 4}
    assert "fundamentals.period_end" in account["derived"]


def test_statements(folder):
    frame, account = fetched(folder, STATEMENTS)
    assert rows_of(frame, "600000.SH", "net_profit_ytd") == [
        ("2020-04-27", 10000, "2020-03-31"),
        ("2020-05-01", 30000, "2019-12-31"),  # no announcement: after the deadline
        ("2020-08-31", 15000, "2020-03-31"),  # a restatement
        ("2020-09-01", 20000, "2020-06-30"),
    ]
    assert rows_of(frame, "000001.SZ", "roe") == [("2020-11-02", 0.07, "2020-09-30")]
    assert any("2 reports" in note and "deadline" in note for note in account["notes"])


def test_an_announcement_before_the_end_of_its_period_is_an_error(folder):
    (folder / "reports.csv").write_text(REPORT_ROWS + "600000.SH,2021-06-30,2021-06-30,1,1\n")
    with pytest.raises(DataError, match=r"reports\.csv.*row 6.*announced") as error:
        fetched(folder, STATEMENTS)
    assert "2021-06-30" in str(error.value)


def test_wrong_steps_and_mappings(folder):
    (folder / "steps.csv").write_text(STEP_ROWS + "600000.SH,2020-03-31,np,3\n")
    with pytest.raises(DataError, match="two steps of 600000"):
        fetched(folder, STEPS)
    with pytest.raises(DataError, match="no rows where"):
        fetched(folder, STEPS.replace('"np"', '"nothing"'))
    with pytest.raises(DataError, match=r"gone\.csv"):
        fetched(folder, STATEMENTS.replace("reports.csv", "gone.csv"))
    both = "[tables.fundamentals]\nfile = 'x'\ncolumns = {symbol='s', known_at='k', item='i', value='v'}\n"
    with pytest.raises(RecipeError, match="not both"):
        fetched(folder, both + STEPS)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_known_from_day_by_day(lag):
    asked = [DAYS[0] + timedelta(days=k) for k in range(720)]
    found = known_from(pl.Series(asked), pl.Series(DAYS), lag)
    for day, known in zip(asked, found, strict=True):
        later = [d for d in DAYS if (d > day if lag else d >= day)]
        assert known == (later[max(lag - 1, 0)] if len(later) > max(lag - 1, 0) else None)


def test_before_the_market_order_is_kept():
    asked = pl.Series([date(2019, 6, 7), date(2019, 6, 8), date(2019, 6, 10), None])
    assert known_from(asked, pl.Series(DAYS), 1).to_list() == [
        date(2019, 6, 10),
        date(2019, 6, 10),
        date(2019, 6, 11),
        None,
    ]


def figures_of(steps: FundamentalSteps, folder: Path) -> pl.DataFrame:
    extract = Files(folder).read(steps, columns_of(steps), steps.where, "steps")
    return step_figures(extract, steps, Codes().read(extract, {"symbol": steps.symbol}), pl.Series(DAYS))


def test_the_quarter_of_a_step_is_told_from_the_past_alone(folder):
    steps = FundamentalSteps(item="x_ttm", file="steps.csv", value="value", where={"field": "np"})
    whole = figures_of(steps, folder)
    lines = STEP_ROWS.splitlines()
    for day in (date(2020, 4, 1), date(2020, 4, 29), date(2020, 9, 1), date(2021, 4, 29)):
        kept = [lines[0], *(line for line in lines[1:] if line.split(",")[1] <= str(day))]
        (folder / "steps.csv").write_text("\n".join(kept) + "\n")
        cut = figures_of(steps, folder)
        assert cut.filter(pl.col("known_at") <= day).equals(whole.filter(pl.col("known_at") <= day))


def test_days_from_one_on_get_the_figures_of_all(folder):
    """What is known of a market's past doesn't hang on the day from which its prices are asked for."""
    whole, _ = fetched(folder, STEPS + STATEMENTS)
    source = open_source(Settings(mapping=str(folder / "mapping.toml")), folder)
    with pytest.raises(DataError, match="fetch daily before"):
        source.fetch("fundamentals", None, None)
    source.fetch("daily", date(2021, 6, 1), None)
    assert source.fetch("fundamentals", date(2021, 6, 1), None).equals(whole)


def test_queries_give_the_figures_that_files_give(folder):
    """Through a database: the same rows, and the same account of them."""
    whole, account = fetched(folder, STEPS + STATEMENTS)
    mapping = tomllib.loads(BASE + STEPS + STATEMENTS)
    parts = [mapping["tables"]["daily"], *mapping["fundamentals"]["steps"], *mapping["fundamentals"]["statements"]]
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        for file in ("bars.csv", "steps.csv", "reports.csv"):
            connection.execute(f"CREATE TABLE {file[:-4]} AS SELECT * FROM read_csv('{folder / file}')")
    for part in parts:
        part["query"] = f"SELECT * FROM {part.pop('file')[:-4]}"
    source = open_kind({**mapping, "kind": "sql"}, folder)
    tables = {name: source.fetch(name, None, None) for name in source.tables()}
    assert tables["fundamentals"].equals(whole)
    assert source.describe()["dropped"] == account["dropped"]
    assert source.describe()["files"] == {}
    del parts[2]["query"]
    with pytest.raises(RecipeError, match=r"fundamentals\.steps\.1\.query: give a query"):
        open_kind({**mapping, "kind": "sql"}, folder)


def test_figures_of_before_still_hold(folder):
    """Asked for some days: the figures known by the last of them, whenever they were published."""
    file = folder / "mapping.toml"
    file.write_text(BASE + STATEMENTS, encoding="utf-8")
    source = open_source(Settings(mapping=str(file)), folder)
    source.fetch("daily", date(2020, 8, 1), date(2020, 8, 31))
    known = source.fetch("fundamentals", date(2020, 8, 1), date(2020, 8, 31))["known_at"]
    assert (known.min(), known.max()) == (date(2020, 4, 27), date(2020, 8, 31))
    with pytest.raises(DataError, match="fetch daily before"):
        open_source(Settings(mapping=str(file)), folder).fetch("fundamentals", None, None)
