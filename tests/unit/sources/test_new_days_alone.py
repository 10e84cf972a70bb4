"""A mapping whose files hold only the days since the last delivery: ``[append] only_new_days = true``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.pipeline.markets import ingest
from deepfactor.sources._mapping import load_mapping
from support.vendor_files import vendor_files

MAPPING = """
name = "deltas"
[append]
only_new_days = true
[[symbols]]
pattern = '^(SH|SZ)(\\d{6})$'
to = '$2.$1'
[tables.daily]
file = "bars.parquet"
[tables.daily.columns]
date = "date"
symbol = "code"
open = "price"
high = "price"
low = "price"
close = "price"
volume = "volume"
vwap = "price"
adj_factor = "factor"
[[tables.daily.steps]]
into = "float_mv"
file = "shares.parquet"
value = "n"
times = "close"
lag_days = 0
[tables.industry]
file = "sectors.csv"
columns = { symbol = "code", industry = "name", start_date = "since" }
"""


@pytest.fixture
def mapping(tmp_path) -> Path:
    vendor_files(tmp_path, "parquet")
    file = tmp_path / "deltas.toml"
    file.write_text(MAPPING, encoding="utf-8")
    return file


def deliver(folder: Path, first: date, last: date) -> None:
    vendor_files(folder, "parquet")
    file = folder / "bars.parquet"
    pl.read_parquet(file).filter(pl.col("date").is_between(first, last)).write_parquet(file)


START, LAST = date(2020, 1, 1), date(2020, 4, 29)


@pytest.mark.slow
def test_deliveries_one_after_the_other_are_the_whole(mapping, tmp_path):
    vendor_files(tmp_path, "parquet")
    whole = ingest(str(mapping), tmp_path / "whole", tmp_path)
    for first, last in (
        (START, date(2020, 3, 30)),
        (date(2020, 3, 31), date(2020, 3, 31)),
        (date(2020, 4, 1), date(2020, 4, 15)),
        (date(2020, 4, 14), LAST),  # two days of the delivery before come again
    ):
        deliver(tmp_path, first, last)
        opened = ingest(str(mapping), tmp_path / "m", tmp_path)
        held = opened.folder.read("daily")
        assert held["date"].max() == last
    assert opened.folder.fingerprint == whole.folder.fingerprint
    manifest = (tmp_path / "m" / "manifest.json").read_bytes()
    ingest(str(mapping), tmp_path / "m", tmp_path)
    assert (tmp_path / "m" / "manifest.json").read_bytes() == manifest, "the same delivery again"


def test_a_day_that_is_delivered_again_is_compared(mapping, tmp_path):
    deliver(tmp_path, START, date(2020, 4, 15))
    ingest(str(mapping), tmp_path / "m", tmp_path)
    deliver(tmp_path, date(2020, 4, 15), LAST)
    file = tmp_path / "bars.parquet"
    bars = pl.read_parquet(file)
    wrong = (pl.col("date") == date(2020, 4, 15)) & (pl.col("code") == "SH600000")
    bars.with_columns(volume=pl.when(wrong).then(5.0).otherwise("volume")).write_parquet(file)
    with pytest.raises(DataError, match=r"daily: 1 rows changed in volume \(2020-04-15 600000\.SH"):
        ingest(str(mapping), tmp_path / "m", tmp_path)
    bars.filter(~wrong).write_parquet(file)
    with pytest.raises(DataError, match=r"daily: 1 rows gone \(2020-04-15 600000\.SH"):
        ingest(str(mapping), tmp_path / "m", tmp_path)


def test_new_days_never_replace_what_is_held(mapping, tmp_path):
    deliver(tmp_path, START, date(2020, 4, 15))
    ingest(str(mapping), tmp_path / "m", tmp_path)
    before = (tmp_path / "m" / "manifest.json").read_bytes()
    deliver(tmp_path, date(2020, 4, 16), LAST)
    text = mapping.read_text(encoding="utf-8")
    mapping.write_text(text.replace('name = "deltas"', 'name = "others"'), encoding="utf-8")
    with pytest.raises(DataError, match="another source or mapping, which new days alone can't replace"):
        ingest(str(mapping), tmp_path / "m", tmp_path)
    assert (tmp_path / "m" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("lag_days = 0", "lag_days = 1", r"can't count the trading days of lag_days \(steps into float_mv\)"),
        (
            'file = "bars.parquet"',
            'file = "bars.parquet"\nlevel_changes = [{ symbol = "000001.SZ", date = 2020-01-09 }]',
            "doesn't hold the factor before a level change",
        ),
        ('file = "sectors.csv"', 'file = "sectors.csv"\npriced_only = true', r"all symbols with prices \(priced_only"),
        (
            "[tables.industry]",
            '[[fundamentals.steps]]\nitem = "revenue_ttm"\nfile = "f.parquet"\nvalue = "v"\n[tables.industry]',
            "can't tell the trading day",
        ),
    ],
)
def test_what_looks_back_is_refused(mapping, old, new, why):
    text = mapping.read_text(encoding="utf-8")
    assert text.count(old) == 1
    mapping.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RecipeError, match=why):
        load_mapping(str(mapping))
