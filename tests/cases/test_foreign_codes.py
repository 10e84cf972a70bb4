"""B-shares, funds, bonds and indices among the stocks, on the first day or one evening: decided before anything is
written, and a market that is there always opens."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl
import pytest

from deepfactor.panel.build import open_panel, opening
from deepfactor.store.folder import MarketFolder, write_market
from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, bars, weekdays, write, write_membership
from support.cli import Ended, deepfactor

FOREIGN = ("900901.SH", "000001.SH", "600001.SZ")
DROP = "drop_unknown = true\n"


def with_more(*codes: str, n: int = 60) -> pl.DataFrame:
    return pl.concat([bars(n=n), bars(codes=codes, n=n, seed=3)]).sort("symbol", "date")


def ingest(folder: Path, frame: pl.DataFrame, mapping: str = DAILY) -> Ended:
    return deepfactor("ingest", write(folder, frame, mapping), folder.parent / "market", "--folder", folder)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("code", FOREIGN)
def test_a_foreign_code_is_refused_with_its_row_and_leaves_nothing(tmp_path, code):
    frame = with_more(code)
    row = frame["symbol"].index_of(code)
    assert row is not None
    result = ingest(tmp_path / "files", frame)
    assert result.code == 2, result.err
    for part in ("bars.parquet", f"row {row + 1}, column symbol", repr(code), "drop_unknown = true"):
        assert part in result.err, result.err
    assert not (tmp_path / "market").exists()


@pytest.mark.parametrize("code", FOREIGN)
def test_or_dropped_and_counted_where_the_mapping_says_so(tmp_path, code):
    result = ingest(tmp_path / "files", with_more(code), DROP + DAILY)
    assert result.code == 0, result.err
    (dropped,) = (line for line in result.out.splitlines() if line.startswith("dropped: "))
    assert dropped.startswith(f"dropped: daily: rows of 1 symbols that are no A-shares ({code}): ")
    assert dropped.endswith(": 60")
    market = tmp_path / "market"
    assert open_panel(market)[0].symbols.tolist() == sorted(CODES)
    assert deepfactor("check", market).code == 0


@pytest.mark.parametrize("code", ["920008.BJ", "302132.SZ", "689009.SH"])
def test_new_ranges_of_a_shares_are_none(tmp_path, code):
    result = ingest(tmp_path / "files", with_more(code))
    assert result.code == 0, result.err
    early = "rows of BEIJING of before its first trading day, 2021-11-15" in result.out
    assert early == code.endswith(".BJ")


@pytest.mark.parametrize("code", ["sh600001", "600001"])
def test_a_share_in_another_form_is_not_dropped(tmp_path, code):
    """Half of a market would be gone, with a count that nobody reads."""
    frame = bars(n=60).with_columns(pl.col("symbol").replace("600001.SH", code))
    result = ingest(tmp_path / "files", frame, DROP + DAILY)
    assert result.code == 2
    assert f"{code!r} is 600001.SH in another form: add a pattern to [[symbols]]" in result.err


def test_rows_without_a_code(tmp_path):
    frame = bars(n=60).with_columns(symbol=pl.when(pl.int_range(pl.len()) != 5).then("symbol"))
    result = ingest(tmp_path / "files", frame)
    assert result.code == 2
    assert "bars.parquet, row 6, column symbol: there is no code" in result.err
    result = ingest(tmp_path / "files", frame, DROP + DAILY)
    assert "dropped: daily: rows without a code in symbol: 1" in result.out
    nested = frame.with_columns(symbol=pl.concat_list("symbol"))
    result = ingest(tmp_path / "files", nested)
    assert "column symbol: holds List(String), wanted codes" in result.err


def test_nothing_but_foreign_codes_is_a_wrong_pattern(tmp_path):
    result = ingest(tmp_path / "files", bars(codes=("510300.SH", "H00300.CSI"), n=60), DROP + DAILY)
    assert result.code == 2
    assert "no row is left" in result.err


def test_one_evenings_file_leaves_the_market_as_it_was(tmp_path):
    files, market = tmp_path / "files", tmp_path / "market"
    days = weekdays(60)
    assert ingest(files, bars(n=60).filter(pl.col("date") <= days[50])).code == 0
    before = content(market)
    result = ingest(files, with_more("900901.SH"))
    assert result.code == 2
    assert "'900901.SH' is a B-share" in result.err
    assert content(market) == before
    assert deepfactor("check", market).code == 0
    result = ingest(files, bars(n=60))
    assert result.code == 0, result.err
    assert open_panel(market)[0].dates[-1].item() == days[-1]


def test_what_is_dropped_of_an_evenings_file_is_said(tmp_path):
    files = tmp_path / "files"
    days = weekdays(60)
    assert ingest(files, bars(n=60).filter(pl.col("date") <= days[50]), DROP + DAILY).code == 0
    result = ingest(files, with_more("900901.SH"), DROP + DAILY)
    assert result.code == 0, result.err
    assert "dropped since 2020-01-02: daily: rows of 1 symbols that are no A-shares (900901.SH): 60" in result.err


def test_new_days_alone_may_begin_to_drop_them(tmp_path):
    """The way out that the message names is open to a market that can't be made anew."""
    files, days = tmp_path / "files", weekdays(60)
    mapping = DAILY + "[append]\nonly_new_days = true\n"
    assert ingest(files, bars(n=60).filter(pl.col("date") <= days[50]), mapping).code == 0
    tonight = with_more("900901.SH").filter(pl.col("date") > days[50])
    assert ingest(files, tonight, mapping).code == 2
    result = ingest(files, tonight, DROP + mapping)
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("file", "line", "place"),
    [
        ("weights.csv", f"{INDEX},2020-01-02,510300.SH,0.0", "column symbol: '510300.SH' is a fund"),
        ("weights.csv", "000905.SZ,2020-01-02,600001.SH,1.0", "column index: '000905.SZ' is no code of an index"),
        ("weights.csv", "H00905.CSI,2020-01-02,600001.SH,1.0", "column index: 'H00905.CSI' is no code of an index"),
        ("industry.csv", "900901.SH,I1,2010-01-01,", "column symbol: '900901.SH' is a B-share"),
    ],
)
def test_other_tables_too(tmp_path, file, line, place):
    files = tmp_path / "files"
    write_membership(files_made(files), weekdays(60))
    with (files / file).open("a") as handle:
        handle.write(line + "\n")
    row = len((files / file).read_text().splitlines()) - 1
    result = ingest(files, bars(n=60), DAILY + MEMBERSHIP)
    assert result.code == 2
    assert f"{file}, row {row}, {place}" in result.err
    assert not (tmp_path / "market").exists()
    result = ingest(files, bars(n=60), DROP + DAILY + MEMBERSHIP)
    assert result.code == 0, result.err
    table = {"weights.csv": "index_weights", "industry.csv": "industry"}[file]
    assert f"dropped: {table}: rows of 1 " in result.out


def files_made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_a_database_too(tmp_path):
    files = tmp_path / "files"
    frame = with_more("510300.SH").with_columns(pl.col("date").cast(pl.String))
    files.mkdir()
    with sqlite3.connect(files / "market.sqlite") as connection:
        connection.execute(f"CREATE TABLE bars ({', '.join(frame.columns)})")
        connection.executemany(f"INSERT INTO bars VALUES ({', '.join('?' * frame.width)})", frame.rows())
    connection.close()
    head = 'kind = "sql"\nurl = "sqlite:///market.sqlite"\n'
    sql = head + DAILY.replace('file = "bars.parquet"', 'query = "SELECT * FROM bars ORDER BY symbol, date"')
    refused = ingest(files, frame, sql)
    assert refused.code == 2
    assert "table daily, row 301, column symbol: '510300.SH' is a fund" in refused.err
    assert ingest(files, frame, DROP + sql).code == 0


def test_what_comes_without_a_mapping_is_refused_by_the_store(tmp_path):
    with pytest.raises(Exception, match=r"row 301, column symbol: 1 symbols are no A-shares \(510300.SH: a fund"):
        write_market(tmp_path / "market", {"daily": with_more("510300.SH")}, source={"name": "x", "simulated": False})
    assert not (tmp_path / "market").exists()


def test_a_market_of_before_with_a_foreign_code_is_named_by_check(tmp_path, monkeypatch):
    from deepfactor.store.checks import form

    with monkeypatch.context() as old:
        old.setattr(form, "find_board", lambda _: 0)
        write_market(tmp_path / "market", {"daily": with_more("510300.SH")}, source={"name": "x", "simulated": False})
    result = deepfactor("check", tmp_path / "market")
    assert result.code == 2
    assert "foreign_code in daily" in result.out


@pytest.mark.parametrize("first", [True, False])
def test_what_no_panel_can_be_made_of_is_not_committed(tmp_path, monkeypatch, first):
    """Whatever it is: a fault that only building the panel finds."""
    files, market = tmp_path / "files", tmp_path / "market"
    if not first:
        assert ingest(files, bars(n=60).filter(pl.col("date") <= weekdays(60)[50])).code == 0
    before = content(market)

    def fail(*_: object) -> None:
        raise opening.DataError("can't be built")

    with monkeypatch.context() as broken:
        broken.setattr(opening, "_write", fail)
        result = ingest(files, bars(n=60))
    assert result.code == 2
    assert "can't be built" in result.err
    assert content(market) == before
    assert market.exists() != first
    assert ingest(files, bars(n=60)).code == 0
    assert MarketFolder.open(market).read("daily").height == 12 * 60
