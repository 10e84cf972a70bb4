"""A market whose dates are times: with a zone the right days, without one refused where they can't be trading days."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from deepfactor.store.folder import MarketFolder
from support.bars import DAILY, bars, write
from support.cli import Ended, deepfactor

FRAME = bars(n=60)
TIME = pl.col("date").cast(pl.Datetime("us"))
SHANGHAI = TIME.dt.replace_time_zone("Asia/Shanghai")
UTC = SHANGHAI.dt.convert_time_zone("UTC")


def ingest(folder: Path, date: pl.Expr, form: str = "parquet", more: str = "") -> Ended:
    """The bars with another `date`, as a file of that form."""
    mapping = write(folder, FRAME.with_columns(date=date), DAILY.replace("bars.parquet", f"bars.{form}") + more)
    if form == "csv":
        FRAME.with_columns(date=date).write_csv(folder / "bars.csv")
    return deepfactor("ingest", mapping, folder / "M", "--folder", folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plain")
    assert ingest(folder, pl.col("date")).code == 0
    return MarketFolder.open(folder / "M").fingerprint


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize(
    "date",
    [
        SHANGHAI,
        UTC,
        TIME.dt.offset_by("15h"),
        TIME.cast(pl.Datetime("ns")),
        UTC.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        SHANGHAI.dt.strftime("%Y-%m-%d %H:%M:%S%:z"),
        pl.col("date").dt.strftime("%Y/%m/%d"),
        pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int64),
    ],
)
def test_the_same_market(tmp_path: Path, plain: str, date: pl.Expr, form: str) -> None:
    done = ingest(tmp_path, date, form)
    assert done.code == 0, done.err
    assert MarketFolder.open(tmp_path / "M").fingerprint == plain


@pytest.mark.parametrize(
    ("date", "said"),
    [
        (UTC.dt.replace_time_zone(None), "the exchanges never trade on a Saturday or Sunday"),
        (pl.col("date").dt.offset_by("1d"), "the exchanges never trade on a Saturday or Sunday"),
        (pl.col("date").dt.offset_by("4000w"), "lies ahead: today is"),
        (pl.col("date").dt.offset_by("-3000w"), "lies before 1990-12-19"),
        (pl.col("date").dt.strftime("%d/%m/%Y"), "day or month first, who knows"),
        (SHANGHAI.dt.epoch("s"), "it looks like a time since 1970"),
        ((pl.col("date").cast(pl.Int32) + 25569), "it looks like a day number of Excel's"),
    ],
)
def test_what_can_be_no_trading_day_is_refused(tmp_path: Path, date: pl.Expr, said: str) -> None:
    done = ingest(tmp_path, date)
    assert done.code == 2, done.err
    assert said in done.err
    assert "column date" in done.err
    assert not (tmp_path / "M" / "manifest.json").exists()


def test_a_format_says_which_is_the_day(tmp_path: Path, plain: str) -> None:
    form = '\n[tables.daily]\ndate_format = "%d/%m/%Y"\nfile = "bars.parquet"\n'
    mapping = write(tmp_path, FRAME.with_columns(pl.col("date").dt.strftime("%d/%m/%Y")))
    mapping.write_text(DAILY.replace('\n[tables.daily]\nfile = "bars.parquet"\n', form, 1), encoding="utf-8")
    assert deepfactor("ingest", mapping, tmp_path / "M", "--folder", tmp_path).code == 0
    assert MarketFolder.open(tmp_path / "M").fingerprint == plain


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("bars.csv", lambda text: text.encode("gbk")),
        ("bars.CSV", lambda text: text.encode()),
        ("bars.csv.gz", lambda text: gzip.compress(text.encode())),
        ("bars.tsv", lambda text: text.replace(",", "\t").encode()),
        ("bars.csv", lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")),
    ],
)
def test_a_vendors_text_in_any_form(tmp_path: Path, plain: str, name: str, change: Callable[[str], bytes]) -> None:
    mapping = write(tmp_path, FRAME, DAILY.replace("bars.parquet", name).replace('close = "close"', 'close = "收盘"'))
    (tmp_path / name).write_bytes(change(FRAME.rename({"close": "收盘"}).write_csv()))
    done = deepfactor("ingest", mapping, tmp_path / "M", "--folder", tmp_path)
    assert done.code == 0, done.err
    assert MarketFolder.open(tmp_path / "M").fingerprint == plain


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace(".0,", ",000.0,", 1),
            "row 1: can't be read: the line has 13 fields, the head has 12",
        ),
        (lambda text: text[:-40], "fields, the head has 12: is the file cut off?"),
        (lambda text: text.replace("close", "open", 1), "column open: is there twice"),
    ],
)
def test_lines_that_polars_would_shift_or_fill(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    """A column that no one asks for hides that a line has a field too many."""
    mapping = write(tmp_path, FRAME, DAILY.replace("bars.parquet", "bars.csv"))
    (tmp_path / "bars.csv").write_text(change(FRAME.with_columns(unread=pl.lit(1)).write_csv()))
    done = deepfactor("ingest", mapping, tmp_path / "M", "--folder", tmp_path)
    assert done.code == 2, done.out
    assert said in done.err
