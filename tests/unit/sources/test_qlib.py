"""Source `qlib`: a folder written from a simulated market comes back as that market; and every way to get it wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.sources.base import fetch_all
from support.market_tables import DELISTED, LATE, market_tables
from support.qlib_folder import field_file, theirs, write_field, write_qlib
from support.sources import SPAN, open_kind

FLOAT32 = 2.0**-23


@pytest.fixture(scope="module")
def simulated() -> dict[str, pl.DataFrame]:
    return dict(fetch_all(open_kind({"kind": "simulated", "stocks": 50, **SPAN}, None)))


@pytest.fixture(scope="module")
def written(simulated, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("qlib")
    write_qlib(folder, simulated)
    return folder


@pytest.fixture
def folder(written, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(written, tmp_path / "qlib"))


def tables(folder: Path, **settings: object) -> dict[str, pl.DataFrame]:
    made = dict(fetch_all(open_kind({"kind": "qlib", **settings}, folder)))
    return {name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for name, frame in made.items()}


def test_prices_come_back_to_the_fen_and_volumes_within_float32(written, simulated):
    ours = tables(written)["daily"]
    theirs = simulated["daily"].filter(pl.col("volume") > 0).sort("symbol", "date")
    assert ours.height == theirs.height > 1000
    assert theirs["adj_factor"].n_unique() > 3, "dividends are in the span"
    keys, prices = ["symbol", "date"], ["open", "high", "low", "close"]
    assert_frame_equal(ours.select(*keys, *prices), theirs.select(*keys, *prices), check_exact=True)
    close = {"check_exact": False, "abs_tol": 0.0}
    assert_frame_equal(ours.select("volume"), theirs.select("volume"), rel_tol=3 * FLOAT32, **close)
    assert (ours["volume"] == ours["volume"].round()).all(), "whole shares"
    for name in ("amount", "adj_factor"):
        assert_frame_equal(ours.select(name), theirs.select(name), rel_tol=FLOAT32, **close)
    vwap = theirs.select(vwap=pl.col("amount") / pl.col("volume"))
    assert_frame_equal(ours.select("vwap"), vwap, rel_tol=3 * FLOAT32, **close)


def test_members_indices_and_calendar_come_back(written, simulated):
    made = tables(written)
    members, last = simulated["index_members"], simulated["daily"]["date"].max()
    still = pl.when(pl.col("end_date") < last).then("end_date").alias("end_date")
    expected = members.with_columns(still).sort("index", "symbol", "start_date")
    assert_frame_equal(made["index_members"], expected)
    assert_frame_equal(made["calendar"], simulated["calendar"])
    columns = ["index", "date", "close"]
    expected = simulated["index_daily"].select(columns).sort(columns)
    assert_frame_equal(made["index_daily"].select(columns).sort(columns), expected, rel_tol=FLOAT32, abs_tol=0.0)


def test_spans_are_listing_dates_where_they_lie_inside(tmp_path):
    made = market_tables()
    write_qlib(tmp_path, made)
    daily = made["daily"].filter(pl.col("volume") > 0)
    days = daily["date"].unique().sort().to_list()
    spans = {symbol: (rows["date"].min(), rows["date"].max()) for (symbol,), rows in daily.group_by("symbol")}
    for symbol, listed, delisted in tables(tmp_path)["securities"].rows():
        first, last = spans[symbol]
        assert listed == (None if first == days[0] else first)
        assert delisted == (None if last == days[-1] else days[days.index(last) + 1])
    rows = {row[0]: row for row in tables(tmp_path)["securities"].rows()}
    assert rows[LATE][1] is not None
    assert rows[DELISTED][2] is not None
    unknown = tables(tmp_path, ends="unknown")["securities"]
    assert unknown["delist_date"].null_count() == unknown.height
    assert unknown["list_date"].null_count() < unknown.height


def test_it_says_what_it_did_and_left(folder):
    (folder / "instruments" / "my_picks.txt").write_text("SH600000\t2019-01-02\t2019-04-30\n")
    source = open_kind({"kind": "qlib", "notes": ["mine"]}, folder)
    dict(fetch_all(source))
    account = source.describe()
    notes = "\n".join(account["notes"])
    assert account["notes"][0] == "mine"
    assert "divided by factor, rounded to 0.01" in notes
    assert "fields that are not read: change" in notes
    assert "not read: my_picks.txt" in notes
    assert account["derived"] == ["securities.delist_date", "securities.list_date"]


def test_what_is_no_share_is_left_out_and_counted(folder, simulated):
    first = simulated["daily"]["symbol"][0]
    for code in ("sh510300", "sz200011"):
        shutil.copytree(field_file(folder, first, "close").parent, folder / "features" / code)
    with (folder / "instruments" / "all.txt").open("a") as file:
        file.write("SH510300\t2019-01-02\t2019-04-30\nSH000300\t2019-01-02\t2019-04-30\n")
    with (folder / "instruments" / "csi300.txt").open("a") as file:
        file.write("SZ200011\t2019-01-02\t2019-04-30\n")
    source = open_kind({"kind": "qlib"}, folder)
    made = dict(fetch_all(source))
    assert set(made["daily"]["symbol"].cast(pl.String)) <= set(simulated["daily"]["symbol"])
    assert set(made["securities"]["symbol"]) <= set(simulated["daily"]["symbol"])
    assert source.describe()["dropped"] == {
        "daily: symbols that are no A-shares (200011.SZ, 510300.SH)": 2,
        "securities: symbols that are no A-shares (510300.SH)": 1,
        "index_members: symbols that are no A-shares (200011.SZ)": 1,
    }
    assert set(made["index_members"]["symbol"]) <= set(simulated["daily"]["symbol"])


def test_a_hole_is_no_row_and_is_counted(written, simulated):
    source = open_kind({"kind": "qlib"}, written)
    rows = source.fetch("daily", None, None)
    suspended = 0
    for _, own in simulated["daily"].sort("date").partition_by("symbol", as_dict=True).items():
        traded = (own["volume"] > 0).to_numpy()
        first, last = np.flatnonzero(traded)[[0, -1]]
        suspended += int((~traded[first : last + 1]).sum())
    assert suspended > 0
    assert (
        f"daily: {suspended} stock-days inside a span hold no value: no row, not traded" in source.describe()["notes"]
    )
    assert rows["close"].null_count() == 0


def test_fields_of_other_spans_are_put_on_their_days(folder, simulated):
    """A field that begins later than the others is missing before."""
    symbol = simulated["daily"]["symbol"][0]
    file = field_file(folder, symbol, "amount")
    first, values = np.fromfile(file, "<f4")[0], np.fromfile(file, "<f4")[1:]
    write_field(folder, symbol, "amount", int(first) + 3, values[3:-2])
    one = pl.col("symbol") == symbol
    before, after = tables_of(folder, simulated).filter(one), tables(folder)["daily"].filter(one)
    assert after["amount"].null_count() == 5
    assert after["amount"][3:-2].equals(before["amount"][3:-2])
    assert after.drop("amount").equals(before.drop("amount"))
    part = tables_between(folder, after["date"][2], after["date"][4])
    assert part.filter(one).equals(after[2:5])


def tables_of(folder: Path, market: dict[str, pl.DataFrame]) -> pl.DataFrame:
    fresh = folder.parent / "fresh"
    write_qlib(fresh, market)
    return tables(fresh)["daily"]


def tables_between(folder: Path, start: date, end: date) -> pl.DataFrame:
    rows = open_kind({"kind": "qlib"}, folder).fetch("daily", start, end)
    return rows.with_columns(pl.col(pl.Enum).cast(pl.String))


def without(folder: Path, field: str) -> None:
    for file in folder.glob(f"features/*/{field}.day.bin"):
        file.unlink()


def test_without_factor_prices_stay_adjusted_and_it_says_so(folder):
    adjusted = np.fromfile(next(iter(sorted(folder.glob("features/sz*/close.day.bin")))), "<f4")
    without(folder, "factor")
    source = open_kind({"kind": "qlib"}, folder)
    rows = source.fetch("daily", None, None)
    assert (rows["adj_factor"] == 1).all()
    assert rows["close"].to_numpy()[0] == adjusted[1:][~np.isnan(adjusted[1:])][0]
    account = source.describe()
    assert "daily.adj_factor" in account["derived"]
    assert any("stay adjusted, so price limits and lots are off" in note for note in account["notes"])


def test_a_vwap_is_made_only_where_asked(folder):
    for field in ("vwap", "amount"):
        without(folder, field)
    with pytest.raises(DataError, match=r"column vwap: there is neither vwap nor amount: .* vwap_from_prices = true"):
        tables(folder)
    source = open_kind({"kind": "qlib", "vwap_from_prices": True}, folder)
    rows = source.fetch("daily", None, None)
    mean = rows.select((pl.col("open") + pl.col("high") + pl.col("low") + pl.col("close")) / 4).to_series()
    np.testing.assert_allclose(rows["vwap"], mean, rtol=1e-12)
    assert "daily.vwap" in source.describe()["derived"]


def test_fields_and_units_of_ones_own(folder):
    for file in folder.glob("features/*/volume.day.bin"):
        content = np.fromfile(file, "<f4")
        content[1:] /= 100
        content.tofile(file.with_name("vol.day.bin"))
        np.concatenate([content[:1], content[1:] % 2 // 1]).astype("<f4").tofile(file.with_name("st.day.bin"))
    before = tables(folder)["daily"]
    columns = {"volume": {"from": "vol", "multiply": 100}, "is_st": {"from": "st", "equals": 1}}
    after = tables(folder, columns=columns)["daily"]
    np.testing.assert_allclose(after["volume"], before["volume"], rtol=3 * FLOAT32, atol=1)
    assert after["is_st"].dtype == pl.Boolean
    assert set(after["is_st"].unique()) == {True, False}
    with pytest.raises(DataError, match=r"column float_mv: no stock has market_cap.day.bin; there are .*close"):
        tables(folder, columns={"float_mv": "market_cap"})


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def restart(first: float) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = np.fromfile(file, "<f4")
        content[0] = first
        content.tofile(file)

    return change


def zero(file: Path) -> None:
    content = np.fromfile(file, "<f4")
    content[1] = 0
    content.tofile(file)


@pytest.mark.parametrize(
    ("field", "spoil", "message"),
    [
        ("close", Path.unlink, r"close.day.bin: there is no such file, but other symbols have this field"),
        ("close", shorten, r"close.day.bin: has \d+ bytes, wanted float32 numbers of 4 bytes: is it cut off"),
        ("close", lambda file: file.write_bytes(b""), r"close.day.bin: has 0 bytes"),
        ("close", restart(7), r"close.day.bin, row 1: holds calendar rows 7 to \d+, but the calendar has \d+ days"),
        ("close", restart(99999), r"close.day.bin, row 1: holds calendar rows 99999 to"),
        ("close", restart(-1), r"close.day.bin, row 1: its first value is -1.0, wanted the calendar's row"),
        ("close", restart(0.5), r"close.day.bin, row 1: its first value is 0.5"),
        ("close", restart(np.nan), r"close.day.bin, row 1: its first value is nan"),
        ("factor", zero, r"factor.day.bin, row 2019-01-02: the factor is 0 where other fields have values"),
    ],
)
def test_a_broken_field_names_its_file(folder, simulated, field, spoil, message):
    daily = simulated["daily"].filter(pl.col("volume") > 0)
    whole = daily.group_by("symbol").len().sort("len", "symbol").row(-1)[0]
    spoil(field_file(folder, whole, field))
    with pytest.raises(DataError, match=f"{theirs(whole).lower()}/{message}"):
        tables(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("calendars/day.txt", None, r"day.txt: there is no such file: is --folder a qlib data folder"),
        ("calendars/day.txt", "", r"day.txt: holds no day"),
        ("calendars/day.txt", "2019-01-02\n\n3 Jan\n", r"day.txt, row 3: '3 Jan' is no date"),
        ("calendars/day.txt", "2019-01-03\n2019-01-02\n", r"day.txt, row 2: 2019-01-02 follows 2019-01-03: days must"),
        ("instruments/all.txt", "SH600000\t2019-01-02\n", r"all.txt, row 1: .*wanted symbol, first day, last day"),
        ("instruments/csi300.txt", "AAPL\t2019-01-02\t2019-01-03\n", r"csi300.txt, row 1: 'AAPL' is no code"),
        ("instruments/csi300.txt", "SH600000\t2019-01-02\tnow\n", r"csi300.txt, row 1: 'now' is no date"),
        ("instruments/csi300.txt", "", r"csi300.txt: holds no symbol"),
    ],
)
def test_a_broken_text_file_names_its_row(folder, file, content, message):
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(DataError, match=message):
        tables(folder)


def test_a_field_that_is_needed_and_is_nowhere(folder):
    without(folder, "volume")
    with pytest.raises(DataError, match=r"features, column volume: no stock has volume.day.bin; there are amount"):
        tables(folder)


def test_a_symbol_of_another_market(folder):
    (folder / "features" / "aapl").mkdir()
    with pytest.raises(DataError, match=r"features/aapl: 'aapl' is no code of the Chinese market"):
        tables(folder)
