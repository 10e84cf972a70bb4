"""Source `tables` asked for days from one on gives what it gives of them when asked for all."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.pipeline.markets import ingest
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import MarketFolder
from support.vendor_files import vendor_files


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_from_a_day_on_equals_all_filtered(tmp_path, form):
    settings = Settings(mapping=str(vendor_files(tmp_path, form)))
    whole = open_source(settings, tmp_path)
    expected = {name: whole.fetch(name, None, None) for name in whole.tables()}
    for start, end in ((date(2020, 1, 7), None), (date(2020, 3, 17), None), (date(2020, 2, 1), date(2020, 4, 1))):
        part = open_source(settings, tmp_path)
        inside = pl.col("date").is_between(start, end or date(2030, 1, 1))
        text = pl.col("symbol").cast(pl.String)
        made = part.fetch("daily", start, end).with_columns(text)
        assert made.equals(expected["daily"].filter(inside).with_columns(text)), start
        assert part.fetch("industry", start, end).with_columns(text).equals(expected["industry"].with_columns(text))
        levels = [note for note in part.describe()["notes"] if "jump of its level" in note]
        assert levels == [note for note in whole.describe()["notes"] if "jump of its level" in note]
    assert expected["daily"].filter(pl.col("symbol") == "000001.SZ")["adj_factor"].unique().to_list() == [1.5]


def test_rows_keep_their_number_in_the_file(tmp_path):
    settings = Settings(mapping=str(vendor_files(tmp_path, "parquet")))
    file = tmp_path / "bars.parquet"
    bars = pl.read_parquet(file)
    text = pl.when(pl.int_range(pl.len()) == 84).then(pl.lit("ten")).otherwise(pl.col("price").cast(pl.String))
    bars.with_columns(price=text).write_parquet(file)
    with pytest.raises(DataError, match=r"bars\.parquet, row 85, column price: 'ten' is no"):
        open_source(settings, tmp_path).fetch("daily", date(2020, 3, 1), None)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_day_appended_to_the_file_is_appended_to_the_market(tmp_path, form):
    mapping = vendor_files(tmp_path, form, days=118)
    ingest(str(mapping), tmp_path / "m", tmp_path)
    vendor_files(tmp_path, form, days=121)
    opened = ingest(str(mapping), tmp_path / "m", tmp_path)
    whole = ingest(str(mapping), tmp_path / "whole", tmp_path)
    assert opened.folder.fingerprint == whole.folder.fingerprint
    (entry,) = MarketFolder.open(tmp_path / "m").manifest.source["appended"]
    assert entry["rows"] == {"daily": 6}
    for kind in ("panel.json", "fields/close.npy", "universe/limit_up.npy"):
        made, expected = ((m.folder.path / "panel" / m.panel.fingerprint / kind).read_bytes() for m in (opened, whole))
        assert made == expected, kind
