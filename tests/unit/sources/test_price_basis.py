"""What a mapping says of its prices: a factor by steps, adjusted prices, raw prices without a factor."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.sources._mapping import load_mapping
from deepfactor.sources._mapping_key import key_of
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import MarketFolder
from support.bars import CODES, DAILY, bars, weekdays, write
from support.cli import deepfactor
from support.ex_dates import adjusted, with_ex_dates
from support.qlib_folder import write_qlib

DAYS = weekdays(120)
PLAIN = DAILY.replace('adj_factor = "adj_factor"\n', "")
STEPS = """
[[tables.daily.steps]]
into = "adj_factor"
file = "steps.parquet"
value = "back"
"""


def ingested(folder: Path, *, code: int = 0) -> str:
    """Standard error of an ingest that ends with `code`."""
    result = deepfactor("ingest", folder / "mapping.toml", folder / "M", "--folder", folder)
    assert result.code == code, result.err + result.out
    return result.err


def with_steps(folder: Path, extra: str = "", first: int = 1) -> pl.DataFrame:
    """Bars with ex-dates whose factor comes as the steps that a vendor lists: ex-dates alone."""
    frame = with_ex_dates(bars(), {code: (30 + k, 80) for k, code in enumerate(CODES[:8])})
    ratio = pl.col("adj_factor") / pl.col("adj_factor").shift(1).over("symbol")
    steps = frame.filter(ratio > 1).select("symbol", "date", back="adj_factor")
    write(folder, frame.drop("adj_factor"), PLAIN + STEPS + extra)
    steps.filter(pl.col("back") >= first).write_parquet(folder / "steps.parquet")
    return frame


def test_rows_before_the_first_step_are_refused_with_their_share(tmp_path):
    with_steps(tmp_path)
    told = ingested(tmp_path, code=2)
    assert "column adj_factor: adj_factor is missing before a symbol's first one" in told
    assert "before_first = 1" in told
    assert "12 symbols" in told, "those without any step too"
    assert "000011.SZ 36 rows from 2020-01-02" in told
    assert not (tmp_path / "M").exists()


def test_before_first_says_what_holds_there(tmp_path):
    frame = with_steps(tmp_path, "before_first = 1\n")
    ingested(tmp_path)
    held = MarketFolder.open(tmp_path / "M")
    assert (
        held.read("daily")
        .select("date", "symbol", "adj_factor")
        .equals(frame.select("date", "symbol", "adj_factor").sort(pl.col("date").dt.truncate("1mo"), "symbol", "date"))
    ), "each factor from its own ex-date on"
    assert held.manifest.warnings == ()
    assert "daily.adj_factor" not in held.manifest.source["derived"]


def test_before_first_where_the_vendor_begins_later_is_refused(tmp_path):
    """Steps from the second ex-date on: the first known factor is 4, and it was 2 before, not 1."""
    with_steps(tmp_path, "before_first = 1\n", first=4)
    assert "adjusted returns that no price limit allows, on 8 of 12 symbols" in ingested(tmp_path, code=2)


def test_a_factor_that_is_used_a_day_late_is_refused(tmp_path):
    with_steps(tmp_path, "before_first = 1\nlag_days = 1\n")
    assert "closes fall a trade before adj_factor grows" in ingested(tmp_path, code=2)


def test_lag_days_by_default(tmp_path):
    with_steps(tmp_path, STEPS.replace('"adj_factor"', '"float_mv"') + 'times = "close"\n')
    steps = load_mapping(str(tmp_path / "mapping.toml")).tables["daily"].steps
    assert [(one.into, one.lag_days) for one in steps] == [("adj_factor", 0), ("float_mv", 1)]


def test_steps_that_are_multiplied_are_derived_others_are_not(tmp_path):
    more = STEPS.replace('"adj_factor"', '"total_mv"') + 'times = "close"\nmultiply = 1e8\n'
    with_steps(tmp_path, "before_first = 1\n" + more)
    source = open_source(Settings(mapping=str(tmp_path / "mapping.toml")), tmp_path)
    rows = source.fetch("daily", None, None)
    assert source.describe()["derived"] == ["daily.total_mv"]
    assert rows["total_mv"].null_count() > 0, "before_first is of its own step alone"


def test_a_null_step_is_no_first_one(tmp_path):
    with_steps(tmp_path, "before_first = 1\n")
    steps = pl.read_parquet(tmp_path / "steps.parquet")
    gap = pl.DataFrame({"symbol": [CODES[0]], "date": [DAYS[60]], "back": [None]}, schema=steps.schema)
    pl.concat([steps, gap]).sort("symbol", "date").write_parquet(tmp_path / "steps.parquet")
    ingested(tmp_path)
    (warning,) = MarketFolder.open(tmp_path / "M").manifest.warnings
    assert (warning["code"], warning["count"]) == ("factor_missing", 20)


def test_a_mapping_without_the_new_keys_keeps_its_name(tmp_path):
    """Its market goes on and isn't made anew."""
    assert key_of(load_mapping("ashare_parquet")) == "635b62fe24b83758"
    keys = set()
    for extra in ("lag_days = 0\n", "", "before_first = 1\n"):
        with_steps(tmp_path, extra)
        keys.add(key_of(load_mapping(str(tmp_path / "mapping.toml"))))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("adjusted = true\n", "adjusted = true says that prices come adjusted: then leave out adj_factor"),
        ("no_adjustment = true\n", "no_adjustment = true says that prices are not adjusted: then leave out"),
        ("adjusted = true\nno_adjustment = true\n", "adjusted = true says that prices are adjusted, no_adjustment"),
        ("adjusted_volume = true\n", "adjusted_volume = true is for adjusted = true alone"),
        ("vwap_from_prices = true\n", "vwap_from_prices = true is for adjusted = true alone"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, head, message):
    for mapping in (DAILY, PLAIN + STEPS):
        file = write(tmp_path, bars(n=5), head + mapping)
        with pytest.raises(RecipeError, match=message):
            load_mapping(str(file))


# Raw prices without a factor


def test_prices_that_fall_on_ex_dates_need_a_word(tmp_path):
    frame = with_ex_dates(bars(), {"600001.SH": (30,)})
    write(tmp_path, frame.drop("adj_factor"), PLAIN)
    told = ingested(tmp_path, code=2)
    assert "there is no adj_factor, and prices fall as on ex-dates (1 of 1428 rows, 0.07%)" in told
    assert f"{DAYS[30]} 600001.SH -4" in told
    write(tmp_path, frame.drop("adj_factor"), "no_adjustment = true\n" + PLAIN)
    ingested(tmp_path)
    source = MarketFolder.open(tmp_path / "M").manifest.source
    assert source["no_adjustment"]
    assert "prices are raw and no adj_factor is known: returns contain the drops of ex-dates" in source["notes"]
    panel, _ = open_panel(tmp_path / "M")
    assert (panel["adj_factor"] == 1).all()


def test_adjusted_prices_that_fall_on_ex_dates_are_refused(tmp_path):
    frame = with_ex_dates(bars(), {code: (30 + k,) for k, code in enumerate(CODES[:4])})
    write(tmp_path, frame.drop("adj_factor"), "adjusted = true\n" + PLAIN)
    told = ingested(tmp_path, code=2)
    assert "the source says that its prices are adjusted, but they fall as on ex-dates, on 4 of 12 symbols" in told
    assert "no_adjustment = true" in told


# Adjusted prices


@pytest.fixture(scope="module")
def forward() -> pl.DataFrame:
    """Forward-adjusted prices beside raw volumes and amounts, ten for ten twice a stock."""
    return adjusted(with_ex_dates(bars(), {code: (30 + k, 80) for k, code in enumerate(CODES[:8])}))


def test_adjusted_prices_beside_raw_volumes_are_taken(forward, tmp_path):
    write(tmp_path, forward, PLAIN)
    assert "about 1 = adjusted prices beside raw volumes: say adjusted = true" in ingested(tmp_path, code=2)
    write(tmp_path, forward, "adjusted = true\n" + PLAIN)
    ingested(tmp_path)
    held, (panel, universe) = MarketFolder.open(tmp_path / "M"), open_panel(tmp_path / "M")
    assert any(
        "no vwap: no t1_vwap convention, fills at the close only" in note for note in held.manifest.source["notes"]
    )
    assert "vwap" not in panel.fields
    rows = held.read("daily").sort("symbol", "date")
    turnover = (rows["amount"] / rows["float_mv"]).to_numpy().reshape(len(CODES), -1).T
    order = np.argsort(np.argsort(sorted(CODES)))
    np.testing.assert_allclose(panel["turnover"], turnover[:, order], rtol=1e-6)
    assert universe.traded.all()
    told = deepfactor("check", tmp_path / "M", "--json").json()
    assert told["findings"] == [], "limits of adjusted prices are off by fen"
    assert any(text.startswith("no vwap, nor an amount that gives one") for text in told["not_possible"])


def test_a_market_of_adjusted_prices_goes_on_without_a_warning(forward, tmp_path):
    """Raw volumes of the new day are no more in another unit than those before."""
    for last in (DAYS[-2], DAYS[-1]):
        write(tmp_path, forward.filter(pl.col("date") <= last), "adjusted = true\n" + PLAIN)
        ingested(tmp_path)
    held = MarketFolder.open(tmp_path / "M").manifest
    assert len(held.source["appended"]) == 1
    assert held.warnings == ()


def test_a_vwap_may_be_made_of_adjusted_prices(forward, tmp_path):
    write(tmp_path, forward, "adjusted = true\nvwap_from_prices = true\n" + PLAIN)
    ingested(tmp_path)
    panel, _ = open_panel(tmp_path / "M")
    mean = (panel["open"].astype(float) + panel["high"] + panel["low"] + panel["close"]) / 4
    np.testing.assert_allclose(panel["vwap"], mean, rtol=1e-6)
    assert "daily.vwap" in MarketFolder.open(tmp_path / "M").manifest.source["derived"]


def test_volumes_that_are_adjusted_too_give_a_vwap(forward, tmp_path):
    """amount / volume is then in the scale of the prices, which is put to the test."""
    head = "adjusted = true\nadjusted_volume = true\n"
    write(tmp_path, forward, head + PLAIN)
    assert "amount / volume is" in ingested(tmp_path, code=2)
    write(tmp_path, forward.with_columns(volume=pl.col("amount") / pl.col("close")), head + PLAIN)
    ingested(tmp_path)
    panel, _ = open_panel(tmp_path / "M")
    np.testing.assert_allclose(panel["vwap"], panel["close"], rtol=1e-6)
    assert "vwap" in describe_panel(tmp_path / "M")["derived"]


def test_a_raw_vwap_beside_adjusted_prices_is_refused(forward, tmp_path):
    raw = forward.with_columns(vwap=pl.col("amount") / pl.col("volume"))
    write(tmp_path, raw, "adjusted = true\n" + PLAIN + 'vwap = "vwap"\n')
    assert "A raw vwap beside adjusted prices is to be left out" in ingested(tmp_path, code=2)


def qlib_folder(folder: Path, frame: pl.DataFrame) -> Path:
    """The bars as qlib's own script would dump them, without `factor`."""
    empty = {"index_members": [], "index_daily": []}
    tables = {name: pl.DataFrame({"index": kind}, schema={"index": pl.String}) for name, kind in empty.items()}
    write_qlib(folder / "data", {"daily": frame, "calendar": frame.select(pl.col("date").unique().sort()), **tables})
    for file in folder.glob("data/features/*/factor.day.bin"):
        file.unlink()
    return folder / "data"


@pytest.mark.slow
def test_a_qlib_folder_without_factor_says_whether_it_is_raw(tmp_path):
    frame = with_ex_dates(bars(), {code: (30 + k, 80) for k, code in enumerate(CODES[:8])})
    data = qlib_folder(tmp_path, frame)
    assert deepfactor("ingest", "qlib", tmp_path / "M", "--folder", data).code == 0
    source = MarketFolder.open(tmp_path / "M").manifest.source
    assert (source["adjusted"], source["adjusted_volume"]) == (True, True)
    assert "vwap" in open_panel(tmp_path / "M")[0].fields

    raw = qlib_folder(tmp_path / "raw", frame.with_columns(adj_factor=1.0))
    refused = deepfactor("ingest", "qlib", tmp_path / "R", "--folder", raw)
    assert refused.code == 2
    assert "the source says that its prices are adjusted, but they fall as on ex-dates, on 8 of 12" in refused.err
    (tmp_path / "raw.toml").write_text('kind = "qlib"\nno_adjustment = true\n')
    assert deepfactor("ingest", tmp_path / "raw.toml", tmp_path / "R", "--folder", raw).code == 0
    held = MarketFolder.open(tmp_path / "R")
    assert held.manifest.source["no_adjustment"]
    assert any("returns contain the drops of ex-dates" in note for note in held.manifest.source["notes"])
    close = held.read("daily").sort("symbol", "date")["close"]
    assert close.equals(frame.sort("symbol", "date")["close"]), "single precision is rounded to the fen again"


@pytest.mark.slow
def test_adjusted_prices_from_ingest_to_portfolio(forward, tmp_path):
    from support.bars import MEMBERSHIP, write_membership

    write(tmp_path, forward, "adjusted = true\n" + PLAIN + MEMBERSHIP)
    write_membership(tmp_path, DAYS)
    ingested(tmp_path)
    forward.select("date", "symbol", score=-pl.col("close")).write_parquet(tmp_path / "f.parquet")
    common = (tmp_path / "f.parquet", "--market", tmp_path / "M")
    small = ("--universe", "all", "--horizon", 5)
    tested = deepfactor("test", *common, "--out", tmp_path / "T", *small, "--json")
    assert {record["convention"] for record in tested.json()["records"]} == {"t0_close", "t1_close"}
    page = (tmp_path / "T" / "report.html").read_text(encoding="utf-8")
    assert "t1_vwap is left out: the market has no vwap" in page
    assert "涨跌停价、每手股数与市值均不准确" in page
    asked = deepfactor("test", *common, "--out", tmp_path / "V", *small, "--preset", "study_a", "--json")
    assert {record["convention"] for record in asked.json()["records"]} == {"t0_close"}
    index = ("--index", "000905.SH")
    assert deepfactor("enhance", *common, *index, "--out", tmp_path / "E").code == 0
    refused = deepfactor("enhance", *common, *index, "--constraints", "study_a", "--out", tmp_path / "A")
    assert refused.code == 2
    assert "fills at the next vwap need one, which the market lacks: say fill = next_close" in refused.err
    assert date(2020, 1, 2) in DAYS
