"""A company changes its code one evening: a market that is kept up is then what a fresh one is.

And a company that a vendor carries under two codes is named.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deepfactor.store.folder import MarketFolder
from support.bars import DAILY
from support.changes import (
    ALL,
    AT,
    DAYS,
    NEW,
    OLD,
    SAID,
    TABLE,
    WHOLE,
    N,
    cut,
    done,
    ingest,
    others,
    refused,
    tables,
)
from support.cli import Ended, deepfactor


def grow(place: Path, frame: pl.DataFrame, mapping: str, changes: str) -> list[Ended]:
    """A market kept up: to the day before the change, the evening of it, and later days."""
    out = []
    for last in (AT - 1, AT, AT + 1, N - 1):
        held = frame.filter(pl.col("date") <= DAYS[last])
        others(place / "files", until=DAYS[last])
        (place / "files" / "changes.csv").write_text("was,is,day\n" + (changes if last >= AT else ""))
        out.append(done(ingest(place, held, mapping)))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "announced"),
    [(3.2, True), (1.0, False), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((1.0, True), (3.2, False)))],
)
def test_a_market_that_is_kept_up_equals_a_fresh_one(tmp_path, factor, announced):
    """Whether the change stands in the table long before (it comes into force on its day) or that evening alone."""
    frame, mapping = cut(WHOLE, factor).drop("is_st"), ALL + TABLE
    change = f"{OLD},{NEW},{DAYS[AT]}\n"
    if announced:
        mapping = SAID + ALL
    results = grow(tmp_path, frame, mapping, change)
    assert f"codes have changed ({OLD} → {NEW})" in results[1].err.replace("000011.SZ on 2020-04-23, ", "")
    assert all("codes have changed" not in result.err for result in (results[0], *results[2:]))
    done(ingest(tmp_path, frame, mapping, name="fresh"))
    assert tables(tmp_path / "market") == tables(tmp_path / "fresh")
    kept, fresh = (MarketFolder.open(tmp_path / name).manifest for name in ("market", "fresh"))
    assert kept.source["renames"] == fresh.source["renames"] == [[OLD, NEW, str(DAYS[AT]), None]]
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    done(ingest(tmp_path, frame, mapping))
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_a_halt_over_the_change_that_is_longer_than_what_is_asked_for_again(tmp_path):
    """The evening on which the new code begins has no row of the old one at hand."""
    halted = pl.col("date").is_between(DAYS[20], DAYS[99]) & pl.col("symbol").is_in([OLD, NEW])
    frame = cut(WHOLE, 3.2).filter(~halted)
    for last in (19, 50, AT, 99, 100, 101, N - 1):
        result = done(ingest(tmp_path, frame.filter(pl.col("date") <= DAYS[last]), SAID + DAILY))
        assert ("codes have changed" in result.err) == (last in (AT, 100))
    done(ingest(tmp_path, frame, SAID + DAILY, name="fresh"))
    assert tables(tmp_path / "market") == tables(tmp_path / "fresh")


def test_an_older_delivery_does_not_take_days_away(tmp_path):
    done(ingest(tmp_path, cut(), SAID + DAILY))
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    old = cut().filter(pl.col("date") < DAYS[AT])
    refused(ingest(tmp_path, old, SAID + DAILY), "the source gives another history")
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_history_that_is_revised_on_the_evening_of_a_change_is_refused_as_ever(tmp_path):
    done(ingest(tmp_path, cut().filter(pl.col("date") < DAYS[AT]), SAID + DAILY))
    other = (pl.col("symbol") == "600001.SH") & (pl.col("date") == DAYS[AT - 5])
    frame = cut().with_columns(volume=pl.when(other).then(pl.col("volume") + 1).otherwise("volume"))
    refused(ingest(tmp_path, frame, SAID + DAILY), "daily: 1 rows changed in volume (2020-04-16 600001.SH")
    files = tmp_path / "files"
    words = ("ingest", files / "mapping.toml", tmp_path / "market", "--folder", files, "--accept-revisions")
    done(deepfactor(*words))
    done(ingest(tmp_path, frame, SAID + DAILY, name="fresh"))
    assert tables(tmp_path / "market") == tables(tmp_path / "fresh")


def test_new_days_alone_of_a_company_that_was_never_met_under_its_old_code(tmp_path):
    """A dividend on the evening after the table of changes came is a dividend, no level."""
    late = (pl.col("symbol") == NEW) & (pl.col("date") >= DAYS[AT])
    frame = WHOLE.with_columns(adj_factor=pl.when(late).then(1.03).otherwise(1.0))
    mapping = DAILY + "[append]\nonly_new_days = true\n"
    done(ingest(tmp_path, frame.filter(pl.col("date") < DAYS[AT]), mapping))
    done(
        ingest(tmp_path, frame.filter(pl.col("date") >= DAYS[AT]), SAID.replace(str(DAYS[AT]), "2015-01-05") + mapping)
    )
    done(ingest(tmp_path, frame, DAILY, name="fresh"))
    assert tables(tmp_path / "market") == tables(tmp_path / "fresh")


def test_a_change_that_is_taken_back_is_taken_anew(tmp_path):
    done(ingest(tmp_path, cut(), SAID + DAILY))
    result = done(ingest(tmp_path, cut(), DAILY))
    assert f"codes have changed (no more {OLD} → {NEW})" in result.err
    assert MarketFolder.open(tmp_path / "market").read("daily")["symbol"].n_unique() == 13


def test_changes_of_codes_that_a_market_has_not_are_noted_alone(tmp_path):
    done(ingest(tmp_path, WHOLE.filter(pl.col("date") < DAYS[AT]), DAILY))
    strange = 'renames = [{ old = "000022.SZ", new = "001872.SZ" }]\n'
    result = done(ingest(tmp_path, WHOLE, strange + DAILY))
    assert "anew" not in result.err
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    done(ingest(tmp_path, WHOLE, strange + DAILY))
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("factor", [pytest.param(1.0, marks=pytest.mark.slow), 3.2])
@pytest.mark.parametrize("when", ["that evening", "a week late", "after a halt"])
def test_files_of_new_days_alone(tmp_path, factor, when):
    """What is held is renamed, and its factors come to the new level: as if all had been given at once."""
    frame = cut(WHOLE, factor)
    if when == "after a halt":
        halted = pl.col("date").is_between(DAYS[AT - 3], DAYS[AT + 4]) & pl.col("symbol").is_in([OLD, NEW])
        frame = frame.filter(~halted)
    mapping = DAILY + "[append]\nonly_new_days = true\n"
    known = AT + 5 if when == "a week late" else AT
    for first, last in ((0, AT), (AT, AT + 2), (AT + 2, AT + 6), (AT + 6, AT + 7), (AT + 7, N)):
        part = frame.filter(pl.col("date").is_between(DAYS[first], DAYS[last - 1]))
        done(ingest(tmp_path, part, (SAID if last > known else "") + mapping))
    done(ingest(tmp_path, frame, SAID + DAILY, name="fresh"))
    assert tables(tmp_path / "market") == tables(tmp_path / "fresh")
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    done(ingest(tmp_path, frame.filter(pl.col("date") >= DAYS[AT + 7]), SAID + mapping))
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before


def twice(n: int) -> pl.DataFrame:
    """The stock's first `n` days under its old code too."""
    again = WHOLE.filter((pl.col("symbol") == NEW) & (pl.col("date") < DAYS[n])).with_columns(symbol=pl.lit(OLD))
    return pl.concat([WHOLE, again]).sort("symbol", "date")


def test_one_company_under_two_codes_is_named(tmp_path):
    result = done(ingest(tmp_path, twice(AT), DAILY))
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    done(ingest(tmp_path, twice(AT), DAILY))
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before
    said = f"{NEW} and {OLD}: 80 days, {DAYS[0]} to {DAYS[AT - 1]}"
    assert "warning: daily: pairs of symbols have equal bars: one company under two codes" in result.out
    assert said in result.out
    checked = done(deepfactor("check", tmp_path / "market"))
    assert "warning: twin_symbols in daily" in checked.out
    assert said in checked.out


@pytest.mark.slow
def test_a_market_that_is_kept_up_goes_on_to_name_it(tmp_path):
    for last in (40, 60, N - 1):
        done(ingest(tmp_path, twice(AT).filter(pl.col("date") <= DAYS[last]), DAILY))
    before = (tmp_path / "market" / "manifest.json").read_bytes()
    done(ingest(tmp_path, twice(AT), DAILY))
    assert (tmp_path / "market" / "manifest.json").read_bytes() == before
    (warning,) = (w for w in MarketFolder.open(tmp_path / "market").manifest.warnings if w["code"] == "twin_symbols")
    assert warning["examples"] == [f"{NEW} and {OLD}: 80 days, {DAYS[0]} to {DAYS[AT - 1]}"]


def test_equal_rows_that_are_no_company_are_no_finding(tmp_path):
    """Few equal days, days without trade, and a bar that stays the same."""
    still = pl.col("symbol").is_in(["000012.SZ", "000013.SZ"])
    values = {"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0, "volume": 100.0, "amount": 500.0}
    constant = [pl.when(still).then(value).otherwise(name).alias(name) for name, value in values.items()]
    quiet = pl.col("symbol").is_in(["600001.SH", "600002.SH"]) & (pl.col("date") >= DAYS[40])
    none = [pl.when(quiet).then(pl.lit(0.0)).otherwise(name).alias(name) for name in ("volume", "amount")]
    same = [pl.when(quiet).then(pl.lit(7.0)).otherwise(name).alias(name) for name in ("open", "high", "low", "close")]
    result = done(ingest(tmp_path, twice(15).with_columns(*constant).with_columns(*none, *same), DAILY))
    assert "equal bars" not in result.out
