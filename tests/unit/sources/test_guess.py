"""A first mapping guessed from a folder: vendors wherever their files lie, anyone's by names, units by evidence."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.core.toml import parse_toml, read_toml
from deepfactor.sources._guess import guessed
from deepfactor.sources._guess.toml_text import toml_text
from deepfactor.sources._mapping import shipped_mappings
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from support.cli import deepfactor
from support.vendor_folders import WRITERS
from support.vendor_tushare import simulated_tables

MOVED = ("daily", "bars", "price", "adj_factor", "adjust_factor", "factor", "stock_basic")
HAN = re.compile("[一-鿿]")
Tables = Mapping[str, pl.DataFrame]


@cache
def market() -> Tables:
    return simulated_tables(stocks=50, start=date(2019, 6, 3), end=date(2019, 6, 28), seed=4)


@cache
def sample(mapping: str) -> Path:
    folder = Path(mkdtemp(prefix=mapping))
    WRITERS[mapping](folder, market())
    return folder


def tables_by(text: str, folder: Path) -> Tables:
    file = Path(mkdtemp()) / "guess.toml"
    file.write_text(text, encoding="utf-8")
    return dict(fetch_all(open_source(Settings(mapping=str(file)), folder)))


@pytest.mark.slow
@pytest.mark.parametrize("mapping", WRITERS)
def test_a_vendors_sample_is_recognised_and_its_guess_reads_it_unedited(mapping: str) -> None:
    guess = guessed(sample(mapping), "en")
    assert (guess.vendor, guess.as_it_is, guess.questions) == (mapping, True, ())
    made = tables_by(guess.text, sample(mapping))
    for name, frame in fetch_all(open_source(Settings(mapping=mapping), sample(mapping))):
        assert_frame_equal(made[name], frame, check_exact=True)


@pytest.mark.parametrize("mapping", ["tushare_csv", "baostock_csv", "joinquant_csv"])
def test_a_vendors_files_elsewhere_are_found_by_their_columns(mapping: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "raw").mkdir(parents=True)
    for entry in sample(mapping).iterdir():
        if entry.name.split(".")[0] in (
            "daily",
            "bars",
            "price",
            "adj_factor",
            "adjust_factor",
            "factor",
            "stock_basic",
        ):
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            copy(entry, folder / "raw" / f"my_{entry.name}")
    guess = guessed(folder, "en")
    assert guess.vendor == mapping
    assert not guess.as_it_is
    truth = dict(fetch_all(open_source(Settings(mapping=mapping), sample(mapping))))
    made = tables_by(guess.text, folder)
    columns = ["date", "symbol", "open", "close", "volume", "amount", "adj_factor"]
    for frame in (truth["daily"], made["daily"]):
        assert frame["volume"].sum() > 0
    bars = [frame["daily"].filter(pl.col("volume") > 0).select(columns) for frame in (made, truth)]
    text = [frame.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "date") for frame in bars]
    assert_frame_equal(text[0], text[1], check_exact=True)


def anyones(folder: Path, lots: int, unit: int, percent: int, value: int) -> Path:
    """A folder of nobody's in particular: a file a stock under Chinese heads, factors and lists beside."""
    (folder / "k").mkdir(parents=True)
    for (symbol,), frame in market()["daily"].filter(~pl.col("is_suspended")).group_by("symbol", maintain_order=True):
        code, exchange = str(symbol).split(".")
        frame.select(
            pl.col("date").dt.strftime("%Y%m%d").alias("日期"),
            pl.col("open").alias("开盘价"), pl.col("high").alias("最高价"),
            pl.col("low").alias("最低价"), pl.col("close").alias("收盘价"), (pl.col("volume") / lots).alias("成交量"),
            (pl.col("amount") / unit).alias("成交额"), (pl.col("turnover") * percent).alias("换手率"),
            (pl.col("float_mv") / value).alias("流通市值"),
        ).write_csv(folder / "k" / f"{exchange.lower()}{code}.csv")  # fmt: skip
    daily = market()["daily"].with_columns(code=pl.col("symbol").str.slice(7) + pl.col("symbol").str.slice(0, 6))
    daily.select("date", "code", pl.col("adj_factor").alias("后复权因子")).write_parquet(folder / "factors.parquet")
    names = market()["securities"].select(
        pl.col("symbol").str.slice(0, 6).alias("证券代码"), pl.col("name").alias("证券简称"),
        pl.col("list_date").alias("上市日期"), pl.col("delist_date").alias("退市日期"),
    )  # fmt: skip
    (folder / "股票列表.csv").write_bytes(names.write_csv().encode("gbk"))
    weights = market()["index_weights"].select(
        pl.col("index").str.slice(0, 6).alias("指数代码"), pl.col("date").alias("日期"),
        pl.col("symbol").str.slice(0, 6).alias("成分券代码"), (pl.col("weight") * percent).alias("权重"),
    )  # fmt: skip
    weights.write_csv(folder / "权重.csv")
    (folder / "readme.txt").write_text("hello\nworld\n")
    for (index,), frame in market()["index_daily"].group_by("index", maintain_order=True):
        level = pl.col("close")
        bars = frame.select("date", level, open=level, high=level, low=level, volume=pl.lit(1.0))
        bars.write_csv(folder / f"{str(index)[:6]}_index.csv")
    return folder


UNITS = [
    (1, 1, 1, 1),
    (100, 1, 100, 10_000),
    (100, 1000, 100, 1),
    (1, 1000, 1, 100_000_000),
    (100, 10_000, 100, 10_000),
]


@pytest.mark.parametrize(("lots", "unit", "percent", "value"), UNITS)
def test_anyones_files_by_names_and_their_units_by_evidence(
    lots: int, unit: int, percent: int, value: int, tmp_path: Path
) -> None:
    folder = anyones(tmp_path / "files", lots, unit, percent, value)
    guess = guessed(folder, "en")
    assert guess.vendor is None
    assert set(guess.tables) == {"daily", "securities", "index_weights", "index_daily"}
    made = {
        name: frame.with_columns(pl.col(pl.Enum).cast(pl.String))
        for name, frame in tables_by(guess.text, folder).items()
    }
    truth = market()["daily"].filter(~pl.col("is_suspended")).sort("symbol", "date")
    daily = made["daily"].sort("symbol", "date")
    assert_frame_equal(daily, truth.select(daily.columns), rel_tol=1e-12)
    assert "adj_factor" in daily.columns
    by = ["index", "date", "symbol"]
    assert_frame_equal(made["index_weights"].sort(by), market()["index_weights"].sort(by), rel_tol=1e-12)
    assert "not understood: readme.txt" in guess.text


def test_values_of_a_table_beside_the_bars_by_their_size(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    daily = market()["daily"].filter(~pl.col("is_suspended")).sort("symbol", "date")
    bars = daily.select("date", "symbol", "open", "high", "low", "close", "volume", "amount", "adj_factor")
    bars.write_csv(tmp_path / "files" / "bars.csv")
    values = daily.select(
        "date", "symbol", pl.col("turnover") * 100, pl.col("float_mv") / 1e8, pl.col("total_mv") / 1e8
    )
    values.write_csv(tmp_path / "files" / "values.csv")
    made = tables_by(guessed(tmp_path / "files", "en").text, tmp_path / "files")["daily"]
    for name in ("turnover", "float_mv", "total_mv"):
        assert_frame_equal(made.select(name), daily.select(name), rel_tol=1e-12)


def test_what_it_can_not_know_it_asks(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    daily = market()["daily"].filter(~pl.col("is_suspended"))
    prices = daily.select(
        "date", "symbol", *(pl.col(name) / 1.037 for name in ("open", "high", "low", "close")), "volume"
    )
    prices.write_parquet(folder / "x.parquet")
    asked = "\n".join(guessed(folder, "en").questions)
    for wanted in ("Are prices adjusted", "is volume in shares", "no adjustment factor", "who was ST",
                   "no market value", "delisted stocks"):  # fmt: skip
        assert wanted in asked
    strange = daily.with_columns(pl.col("amount") * 7).select(
        "date", "symbol", "open", "high", "low", "close", "volume", "amount"
    )
    strange.write_parquet(folder / "x.parquet")
    assert "in which units are volume and amount" in "\n".join(guessed(folder, "en").questions)


@pytest.mark.parametrize("mapping", ["akshare_csv", ""])
def test_comments_and_questions_in_chinese(mapping: str, tmp_path: Path) -> None:
    """The same mapping, every comment in the other language."""
    folder = sample(mapping) if mapping else anyones(tmp_path / "files", 100, 1000, 100, 1)
    english, chinese = (guessed(folder, language) for language in ("en", "zh"))
    assert parse_toml(english.text, "en") == parse_toml(chinese.text, "zh")
    said = [line[2:] for line in chinese.text.splitlines() if line.startswith("# ")]
    assert [line for line in said if not HAN.search(line) and not line.startswith("deepfactor ")] == []
    assert len(chinese.questions) == len(english.questions)
    assert all(HAN.search(question) for question in chinese.questions)


def test_files_that_are_no_tables_are_said_and_left(tmp_path: Path) -> None:
    folder = anyones(tmp_path / "files", 100, 1000, 100, 1)
    (folder / "empty.csv").write_bytes(b"")
    (folder / "broken.parquet").write_bytes(b"PAR1" + bytes(90))
    (folder / "broken.feather").write_bytes(b"ARROW1" + bytes(90))
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04" + bytes(90))
    (folder / "ragged.csv").write_text("a,b\n1,2,3\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "loop").symlink_to(folder)
    (folder / "lists.parquet").unlink(missing_ok=True)
    pl.DataFrame({"date": ["2020-01-02"], "x": [[1, 2]]}).write_parquet(folder / "lists.parquet")
    guess = guessed(folder, "en")
    for name in ("empty.csv", "broken.parquet", "broken.feather", "broken.xlsx", "ragged.csv", "binary.csv"):
        assert name in guess.text, name
    assert tables_by(guess.text, folder)["daily"].height > 500


def test_a_folder_without_bars_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match="no file of a table"):
        guessed(tmp_path / "a", "en")
    (tmp_path / "a" / "x.csv").write_text("date,symbol,score\n2020-01-02,600000.SH,1\n")
    with pytest.raises(DataError, match=r"no table of bars was found: .* there are x\.csv"):
        guessed(tmp_path / "a", "en")
    with pytest.raises(DataError, match="no such folder"):
        guessed(tmp_path / "b", "en")


@pytest.mark.slow
def test_the_verb_writes_once_and_its_file_goes_straight_into_ingest(tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    account = deepfactor("mapping", "guess", sample("baostock_csv"), "--out", out, "--json").json()
    assert account["vendor"] == "baostock_csv"
    assert deepfactor("ingest", out, tmp_path / "market", "--folder", sample("baostock_csv")).code == 0
    written = out.read_text()
    again = deepfactor("mapping", "guess", sample("baostock_csv"), "--out", out)
    assert again.code == 2
    assert "is there already" in again.err
    assert out.read_text() == written


@pytest.mark.parametrize("name", shipped_mappings())
def test_a_written_mapping_says_what_it_was_made_of(name: str) -> None:
    content = read_toml(resources.files("deepfactor.sources") / "mappings" / f"{name}.toml", name)
    assert parse_toml(toml_text(content, {"tables.daily": ["a comment"]}), name) == content
