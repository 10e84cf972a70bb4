"""A year of the real A-share folder through the shipped mapping: what its README says of it holds in our arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.market.boards import Board, boards_of
from deepfactor.panel.audit import audit_panel
from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted
from deepfactor.panel.universe import Universe
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import MarketFolder, write_market

REAL = os.environ.get("DEEPFACTOR_REAL_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL, reason="DEEPFACTOR_REAL_DATA is not set: no test has seen real data"),
]

START, END = date(2019, 7, 1), date(2020, 12, 31)


@dataclass(frozen=True)
class Real:
    folder: Path  # the vendor's
    market: Path
    panel: Panel
    universe: Universe
    boards: np.ndarray


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Real:
    folder = Path(str(REAL))
    source = open_source(Settings(mapping="ashare_parquet"), folder)
    market = tmp_path_factory.mktemp("real") / "market"
    tables = dict(fetch_all(source, START, END))
    write_market(market, tables, source=source.describe())
    panel, universe = open_panel(market)
    return Real(folder, market, panel, universe, boards_of(panel.symbols))


def test_prices_are_the_vendors_to_the_fen(real):
    raw = pl.scan_parquet(real.folder / "prices.parquet").filter(pl.col("date").is_between(START, END)).collect()
    assert int(real.universe.traded.sum()) == raw.height
    sample = raw.sample(2000, seed=1)
    codes = sample["symbol"].cast(pl.String).to_list()
    n = np.searchsorted(real.panel.symbols, [f"{code[2:]}.{code[:2]}" for code in codes])
    t = np.searchsorted(real.panel.dates, sample["date"].to_numpy().astype("datetime64[D]"))
    for name in ("open", "high", "low", "close"):
        fen = np.rint(real.panel[name][t, n].astype(float) * 100)
        np.testing.assert_array_equal(fen, sample[f"{name}_fen"])
    np.testing.assert_array_equal(real.panel["volume"][t, n], sample["volume_lot"].to_numpy().astype(np.float32) * 100)
    vwap = sample["vwap_milli"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1000
    np.testing.assert_allclose(real.panel["vwap"][t, n], vwap, rtol=1e-6)


def test_nothing_is_dropped_without_a_count(real):
    account = MarketFolder.open(real.market).manifest.source
    sectors = pl.read_parquet(real.folder / "industry_sw.parquet")
    ours = sectors["symbol"].str.replace(r"^(..)(\d{6})$", "$2.$1")
    dropped = sum(n for why, n in account["dropped"].items() if why.startswith("industry"))
    codes = pl.scan_parquet(real.folder / "prices.parquet").select(pl.col("symbol").unique()).collect()["symbol"]
    priced = codes.cast(pl.String).str.replace(r"^(..)(\d{6})$", "$2.$1")  # on any day: intervals come whole
    assert dropped == int((~ours.is_in(priced.implode())).sum())
    assert any("jump of its level on 2020-11-25" in note for note in account["notes"])
    assert any(note.startswith("daily.vwap is missing on") for note in account["notes"])
    counts = describe_panel(real.market)["counts"]
    assert counts["symbols without list date: listed from their first row"] > 50
    assert counts["daily rows with a trade, without vwap"] == int(
        (real.universe.traded & np.isnan(real.panel["vwap"])).sum()
    )


def test_the_indices_have_as_many_members_as_their_names_say(real):
    for index, members in (("000300.SH", 300), ("000905.SH", 500), ("000852.SH", 1000), ("000906.SH", 800)):
        count = real.universe.members[index].sum(axis=1)
        assert count.max() == members
        assert count.min() >= members - 10  # names delisted before 2020-08 are absent
        assert index in real.universe.derived


@pytest.mark.parametrize("index", ["000300.SH", "000905.SH", "000852.SH", "000906.SH"])
def test_replicas_follow_their_indices_and_earn_the_dividends(real, index):
    """In 2020 by estimated weights: half a year of returns is known by then."""
    audit = audit_panel(real.panel, real.universe)
    assert audit.years == (2019, 2020)
    assert audit.weights[index]["estimated"] > 240
    found = audit.replicas[index]
    assert found.tracking_error[1] < 0.011
    assert found.correlation[1] > 0.999
    assert 0.005 < found.replica_return[1] - found.index_return[1] < 0.035


def test_the_largest_weights_are_the_indexs_not_the_states(real):
    """Of CSI 300 at the end of 2020 eight companies whose shares are mostly the state's are no seventh."""
    weights = real.universe.benchmark_weights("000300.SH")[-1]
    value = np.where(real.universe.members["000300.SH"][-1], np.nan_to_num(real.panel["float_mv"][-1]), 0.0)
    state = ("601857", "601398", "601288", "601988", "600028", "601628", "601088", "601939")
    held = np.array([code[:6] in state for code in real.panel.symbols.tolist()])
    assert value[held].sum() / value.sum() > 0.13
    assert weights[held].sum() < 0.06


def test_closes_lie_within_the_derived_limits(real):
    """The rest: first days after a resumption of listing, factors that miss an ex-date, and stale ST marks of 2020."""
    universe = real.universe
    close = np.rint(np.nan_to_num(real.panel["close"].astype(float)) * 100)
    limited = universe.traded & (universe.limit_up > 0)
    beyond = limited & ((close > universe.limit_up) | (close < universe.limit_down))
    marked = real.panel.dates <= np.datetime64("2020-08-24")  # is_st is known to here
    assert beyond[marked].sum() / limited[marked].sum() < 2e-5
    assert beyond[~marked].sum() / limited[~marked].sum() < 5e-4
    at_limit = limited & (close == universe.limit_up)
    assert 0.005 < at_limit.sum() / limited.sum() < 0.05


def test_derived_limits_agree_with_the_vendors_limit_pct(real):
    steps = pl.read_parquet(real.folder / "status_steps.parquet").filter(pl.col("field").cast(pl.String) == "limit_pct")
    days = pl.Series("date", real.panel.dates).cast(pl.Date)
    agree = other = 0
    for (code,), rows in steps.group_by("symbol"):
        n = np.searchsorted(real.panel.symbols, symbol := f"{code[2:]}.{code[:2]}")
        if n == len(real.panel.symbols) or real.panel.symbols[n] != symbol:
            continue
        rows = rows.sort("date")
        at = rows["date"].search_sorted(days, side="right").to_numpy().astype(int) - 1
        vendor = np.where(at >= 0, rows["value"].to_numpy()[np.maximum(at, 0)], np.nan)
        up, down = real.universe.limit_up[:, n].astype(float), real.universe.limit_down[:, n]
        known = real.universe.traded[:, n] & (up > 0) & np.isfinite(vendor) & (vendor < 999)
        ours = 100 * (up - down)[known] / (up + down)[known]  # half the width over the reference, within rounding
        same = np.abs(ours - vendor[known]) < 0.5 * 100 / ((up + down)[known] / 2) + 0.01
        agree, other = agree + int(same.sum()), other + int((~same).sum())
    assert agree > 500_000
    assert other / (agree + other) < 1e-3


def test_st_marks_only_where_they_are_known(real):
    late = real.panel.dates > np.datetime64("2020-08-24")
    young = np.isin(real.boards, [Board.CHINEXT, Board.STAR])
    assert not real.universe.st[late][:, young].any()
    share = real.universe.st[:, ~young].mean()
    assert 0.02 < share < 0.08


def test_reversal_is_where_it_should_be(real):
    """RankIC of minus the 20-day return for the next 5 days: A-shares reverse."""
    price = adjusted(real.panel, "close")
    past, future = price[20:-5] / price[:-25] - 1, price[25:] / price[20:-5] - 1
    ics = []
    for a, b in zip(-past, future, strict=True):
        both = np.isfinite(a) & np.isfinite(b)
        ranks = [np.argsort(np.argsort(x[both])) for x in (a, b)]
        ics.append(np.corrcoef(*ranks)[0, 1])
    assert 0.01 < np.mean(ics) < 0.12


def test_again_writes_nothing(real):
    before = {p: p.stat().st_mtime_ns for p in real.market.rglob("*") if p.is_file()}
    source = open_source(Settings(mapping="ashare_parquet"), real.folder)
    write_market(real.market, dict(fetch_all(source, START, END)), source=source.describe())
    assert {p: p.stat().st_mtime_ns for p in real.market.rglob("*") if p.is_file()} == before
