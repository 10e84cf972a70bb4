"""Source `tables` asked for days from one on gives what it gives of them when asked for all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.pipeline.markets import ingest
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import MarketFolder

MAPPING = """
name = "mine"
[[symbols]]
pattern = '^(SH|SZ)(\\d{{6}})$'
to = '$2.$1'
[tables.daily]
file = "bars.{form}"
level_changes = [{{ symbol = "000001.SZ", date = 2020-01-09 }}, {{ symbol = "000001.SZ", date = 2020-02-03 }}]
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
lag_days = 2
[tables.industry]
file = "sectors.csv"
priced_only = true
columns = {{ symbol = "code", industry = "name", start_date = "since" }}
"""
START = date(2020, 1, 1)


def write(folder: Path, form: str, days: int = 120, gone: int = 60) -> Path:
    """A vendor's folder: `gone` is the day from which SH600002 has no rows."""
    rows = []
    for code, level in (("SZ000001", 10.0), ("SH600000", 20.0), ("SH600002", 5.0)):
        for i in range(days):
            day = START + timedelta(days=i)
            if day.weekday() < 5 and not (code == "SH600002" and i >= gone):
                factor = 1.5 * (1 + (day >= date(2020, 1, 9)) + 5 * (day >= date(2020, 2, 3)))
                rows.append((day, code, level + i % 7 / 10, 1e6 + i, factor if code == "SZ000001" else 1.0))
    bars = pl.DataFrame(rows, schema=["date", "code", "price", "volume", "factor"], orient="row")
    getattr(bars, {"csv": "write_csv", "parquet": "write_parquet"}[form])(folder / f"bars.{form}")
    steps = [(c, START + timedelta(days=d), 1e8 + d) for c in ("SZ000001", "SH600000") for d in (-30, 20, 74, 76, 80)]
    pl.DataFrame(steps, schema=["symbol", "date", "n"], orient="row").write_parquet(folder / "shares.parquet")
    sectors = "".join(f"{code},bank,2010-01-01\n" for code in ("SZ000001", "SH600000", "SH600002", "SH600009"))
    (folder / "sectors.csv").write_text("code,name,since\n" + sectors)
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING.format(form=form), encoding="utf-8")
    return mapping


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_from_a_day_on_equals_all_filtered(tmp_path, form):
    settings = Settings(mapping=str(write(tmp_path, form)))
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
    settings = Settings(mapping=str(write(tmp_path, "parquet")))
    file = tmp_path / "bars.parquet"
    bars = pl.read_parquet(file)
    text = pl.when(pl.int_range(pl.len()) == 84).then(pl.lit("ten")).otherwise(pl.col("price").cast(pl.String))
    bars.with_columns(price=text).write_parquet(file)
    with pytest.raises(DataError, match=r"bars\.parquet, row 85, column price: 'ten' is no"):
        open_source(settings, tmp_path).fetch("daily", date(2020, 3, 1), None)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_day_appended_to_the_file_is_appended_to_the_market(tmp_path, form):
    mapping = write(tmp_path, form, days=118)
    ingest(str(mapping), tmp_path / "m", tmp_path)
    write(tmp_path, form, days=121)
    opened = ingest(str(mapping), tmp_path / "m", tmp_path)
    whole = ingest(str(mapping), tmp_path / "whole", tmp_path)
    assert opened.folder.fingerprint == whole.folder.fingerprint
    (entry,) = MarketFolder.open(tmp_path / "m").manifest.source["appended"]
    assert entry["rows"] == {"daily": 6}
    for kind in ("panel.json", "fields/close.npy", "universe/limit_up.npy"):
        made, expected = ((m.folder.path / "panel" / m.panel.fingerprint / kind).read_bytes() for m in (opened, whole))
        assert made == expected, kind
