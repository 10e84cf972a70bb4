"""A vendor's folder of files with its mapping, as long as one likes: splits, steps, a name that stops."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

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


def vendor_files(folder: Path, form: str, days: int = 120, gone: int = 60, *, late: bool = False) -> Path:
    """A vendor's folder: `gone` is the day from which SH600002 has no rows; `late` adds SH600001 from day 118 on."""
    rows = []
    for code, level in (("SZ000001", 10.0), ("SH600000", 20.0), ("SH600001", 7.0), ("SH600002", 5.0)):
        for i in range(days):
            day = START + timedelta(days=i)
            listed = {"SH600001": late and i >= 118, "SH600002": i < gone}.get(code, True)
            if day.weekday() < 5 and listed:
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
