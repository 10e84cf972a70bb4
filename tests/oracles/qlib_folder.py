"""Source `qlib` against qlib itself: the same folder, read by both.

In an environment of its own, from the root of the checkout::

    python3.11 -m venv qlibenv
    qlibenv/bin/pip install pyqlib polars
    PYTHONPATH=src:tests qlibenv/bin/python -m tests.oracles.qlib_folder [STOCKS]

Writes a simulated market in qlib's format, asks ``D.features`` for raw prices, volumes, amounts and factors,
``D.instruments`` for an index's members, ``D.calendar`` for the days, and compares. Exit code 1 where they differ.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # comes with qlib
import polars as pl
import qlib
from qlib.data import D

from deepfactor.sources import simulated
from deepfactor.sources.base import fetch_all
from deepfactor.sources.qlib import Settings, open_source
from support.qlib_folder import write_qlib

#: Ours = an expression of qlib. Prices there are adjusted, volumes too.
EXPRESSIONS = {
    **{name: f"${name}/$factor" for name in ("open", "high", "low", "close", "vwap")},
    "volume": "$volume*$factor",
    "amount": "$amount",
    "adj_factor": "$factor",
}
#: qlib divides in float32, and does not round to the fen as we do.
TOLERANCE = {"open": 0.005, "high": 0.005, "low": 0.005, "close": 0.005}
RELATIVE = 4 * 2.0**-23


def main(stocks: int) -> int:
    """Print a line a comparison; 0 where all agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        market = simulated.open_source(
            simulated.Settings(stocks=stocks, start=date(2017, 1, 3), end=date(2019, 12, 31))
        )
        write_qlib(folder, dict(fetch_all(market)))
        ours, our_seconds = _timed(lambda: dict(fetch_all(open_source(Settings(), folder))))
        qlib.init(provider_uri=str(folder), region="cn", kernels=1, expression_cache=None, dataset_cache=None)
        instruments = D.list_instruments(D.instruments("all"), as_list=True)
        theirs, their_seconds = _timed(
            lambda: D.features(instruments, list(EXPRESSIONS.values()), disk_cache=0).dropna(how="all")
        )
        same = [_same_values(ours["daily"], theirs), _same_members(ours), _same_days(ours)]
    print(
        f"read by us in {our_seconds:.2f} s (all tables), by qlib {qlib.__version__} in {their_seconds:.2f} s (daily)"
    )
    return 0 if all(same) else 1


def _same_values(daily: pl.DataFrame, theirs: pd.DataFrame) -> bool:
    """Every traded stock-day is in both, and every field agrees."""
    daily = daily.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "date")
    symbols = [code[2:] + "." + code[:2] for code in theirs.index.get_level_values("instrument")]
    days = theirs.index.get_level_values("datetime").to_numpy().astype("datetime64[D]")
    order = np.lexsort((days, np.array(symbols)))
    same = (
        daily.height == len(theirs)
        and daily["symbol"].to_list() == [symbols[i] for i in order]
        and bool((daily["date"].to_numpy() == days[order]).all())
    )
    print(f"stock-days: {daily.height} by us, {len(theirs)} by qlib, {'the same' if same else 'DIFFERENT'}")
    if not same:
        return False
    agree = True
    for name, expression in EXPRESSIONS.items():
        a, b = daily[name].to_numpy(), theirs[expression].to_numpy().astype(np.float64)[order]
        apart = np.abs(a - b)
        fine = bool((apart <= TOLERANCE.get(name, 0.5 if name == "volume" else 0.0) + RELATIVE * np.abs(b)).all())
        worst = f"{apart.max():.3g} at most, {np.max(apart / np.abs(b)):.3g} of the value"
        print(f"{name:<10} = {expression:<16} apart by {worst}{'' if fine else ': DIFFERENT'}")
        agree &= fine
    return agree


def _same_members(ours: dict[str, pl.DataFrame]) -> bool:
    """Members of the CSI 300 on each day of the last year."""
    days = pd.to_datetime(np.unique(ours["daily"]["date"].to_numpy())[-240:])
    spans = D.list_instruments(D.instruments("csi300"), start_time=days[0], end_time=days[-1])
    members = ours["index_members"].filter(pl.col("index") == "000300.SH")
    wrong = 0
    for day in days:
        theirs = {code[2:] + "." + code[:2] for code, own in spans.items() if any(a <= day <= b for a, b in own)}
        at = pl.lit(day.date())
        held = members.filter(
            (pl.col("start_date") <= at) & (pl.col("end_date").is_null() | (pl.col("end_date") >= at))
        )
        wrong += theirs != set(held["symbol"])
    print(f"members of csi300: {len(days)} days, {f'{wrong} DIFFERENT' if wrong else 'the same'}")
    return wrong == 0


def _same_days(ours: dict[str, pl.DataFrame]) -> bool:
    theirs = np.array(D.calendar(), dtype="datetime64[D]")
    same = np.array_equal(np.unique(ours["daily"]["date"].to_numpy()), theirs)
    print(f"calendar: {len(theirs)} days, {'the same' if same else 'DIFFERENT'}")
    return same


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
