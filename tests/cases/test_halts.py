"""Halted constituents, a delisting, a market that is closed: nothing trades, all is counted, books stay whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, bars, write, write_membership
from support.cli import deepfactor, strict_json
from support.factors import reversal

DAYS = 300
PRICES = ("open", "high", "low", "close")
SECURITIES = """
[tables.securities]
file = "securities.csv"
columns = { symbol = "symbol", list_date = "list", delist_date = "delist" }
"""


def days_of(frame: pl.DataFrame) -> list[date]:
    return frame["date"].unique().sort().to_list()


def halted(frame: pl.DataFrame, codes: Sequence[str], first: int, last: int) -> pl.DataFrame:
    """Rows of `codes` as a vendor gives them while nothing trades: the last close, volume and amount 0."""
    days = days_of(frame)
    gone = pl.col("symbol").is_in(codes) & pl.col("date").is_between(days[first], days[last])
    before = pl.when(~gone).then("close").forward_fill().over("symbol", order_by="date")
    frame = frame.with_columns(*(pl.when(gone).then(before).otherwise(name).alias(name) for name in PRICES))
    return frame.with_columns(*(pl.when(gone).then(0.0).otherwise(name).alias(name) for name in ("volume", "amount")))


def enhanced(folder: Path, frame: pl.DataFrame, scores: pl.DataFrame, *more: object, mapping: str = "") -> Path:
    """Ingest, enhance; the folder of the portfolio."""
    days = days_of(frame)
    path = write(folder, frame, DAILY + MEMBERSHIP + mapping)
    write_membership(folder, days)
    made = deepfactor("ingest", path, folder / "M", "--folder", folder)
    assert made.code == 0, made.err
    scores.write_parquet(folder / "f.parquet")
    command = ("enhance", folder / "f.parquet", "--market", folder / "M", "--index", INDEX, "--out", folder / "E")
    result = deepfactor(*command, *more)
    assert result.code == 0, result.err
    (folder / "said").write_text(result.err)
    return next((folder / "E").rglob("nav.parquet")).parent


def table(place: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(place / f"{name}.parquet")


def whole(place: Path) -> dict:
    """The summary, of books that stayed whole."""
    nav = table(place, "nav")
    assert nav["nav"].is_finite().all()
    assert nav["cash"].min() >= 0
    return strict_json((place / "summary.json").read_text())


@pytest.fixture(scope="module")
def base() -> pl.DataFrame:
    return bars(n=DAYS)


@pytest.mark.slow
@pytest.mark.parametrize("constraints", ["study_b", "study_a"])
@pytest.mark.parametrize(("codes", "first", "last"), [(CODES[:10], 200, 230), (CODES[:10], 95, 130)])
def test_most_of_an_index_is_halted(constraints, codes, first, last, base, tmp_path):
    frame = halted(base, codes, first, last)
    days = days_of(frame)
    place = enhanced(tmp_path, frame, reversal(base), "--constraints", constraints)
    summary = whole(place)["all"]
    names = pl.col("symbol").is_in(codes) & pl.col("date").is_between(days[first], days[last])
    assert table(place, "trades").filter(names).is_empty()
    relaxed = table(place, "relaxations").filter(pl.col("date").is_between(days[first], days[last]))
    assert not relaxed.is_empty()
    assert set(relaxed["reason"]) <= {"frozen", "not_buyable", "untradeable", "infeasible"}
    assert summary["relaxed_rebalances"] > 0
    held = table(place, "weights").filter(names & (pl.col("date") > days[first + 5]))
    same = (pl.col("weight") - pl.col("drifted_weight")).abs() < 1e-9
    assert held.select(same.all()).item(), "what can't be traded is aimed at as it is"


def test_a_market_that_is_closed_for_a_week(base, tmp_path):
    days = days_of(base)
    place = enhanced(tmp_path, halted(base, CODES, 200, 206), reversal(base))
    whole(place)
    closed = pl.col("date").is_between(days[200], days[206])
    assert table(place, "trades").filter(closed).is_empty()
    value = table(place, "nav").filter(closed)["nav"].to_numpy()
    np.testing.assert_allclose(value, value[0], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("capital", "never"), [(30_000, False), (1_000, True)])
def test_a_book_that_a_lot_is_too_much_for_says_so(capital, never, base, tmp_path):
    place = enhanced(tmp_path, base, reversal(base), "--capital", capital)
    summary = whole(place)
    (said,) = summary["warnings"]
    assert said.startswith("0.0% of the book was invested") == never
    assert said in (tmp_path / "said").read_text()
    assert (len(table(place, "trades")) == 0) == never


@pytest.mark.slow
def test_a_delisted_holding_settles_and_a_halted_one_is_carried(tmp_path):
    frame = bars(n=320)
    days, (gone, still) = days_of(frame), CODES[2:4]
    last = frame.filter((pl.col("symbol") == gone) & (pl.col("date") == days[219]))["close"].item()
    frame = frame.filter((pl.col("symbol") != gone) | (pl.col("date") <= days[220]))
    empty = (pl.col("symbol") == gone) & (pl.col("date") == days[220])  # a vendor's row of nulls on the last day
    nothing = [pl.when(empty).then(None).otherwise(name).alias(name) for name in (*PRICES, "amount", "float_mv")]
    frame = frame.with_columns(*nothing, volume=pl.when(empty).then(0.0).otherwise("volume"))
    closed = (pl.col("symbol") == still) & pl.col("date").is_between(days[200], days[259])
    zero = [pl.when(closed).then(0.0).otherwise(name).alias(name) for name in (*PRICES, "volume", "amount")]
    frame = frame.with_columns(*zero)  # as zeros, also in prices
    lines = [f"{code},2010-01-04,{days[220] if code == gone else ''}" for code in CODES]
    (tmp_path / "securities.csv").write_text("\n".join(["symbol,list,delist", *lines]) + "\n")
    liked = reversal(bars(n=320)).with_columns(
        score=pl.when(pl.col("symbol").is_in([gone, still])).then(1.0).otherwise("score")
    )
    place = enhanced(tmp_path, frame, liked, mapping=SECURITIES)
    summary = whole(place)
    settled = table(place, "trades").filter((pl.col("symbol") == gone) & (pl.col("reason") == "delisting"))
    assert settled.height == 1
    assert settled["price"].item() == pytest.approx(0.7 * last, abs=1e-9), "the last close less 30 %"
    assert settled["date"].item() >= days[220]
    assert summary["counts"]["delisted"] == 1
    assert summary["counts"]["carried_days"] >= 50
    mine = table(place, "trades").filter(pl.col("symbol") == still)
    assert mine.filter(pl.col("date").is_between(days[200], days[259])).is_empty()
    weights = table(place, "weights").filter(
        (pl.col("symbol") == still) & pl.col("date").is_between(days[201], days[258])
    )
    assert weights.height > 5
    assert (weights["drifted_weight"] > 0).all()
