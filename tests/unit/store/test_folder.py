"""The market folder: what is written is read, twice written is once written, and a failed write changes nothing."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.core.errors import DataError, OutOfResources, UserError
from deepfactor.core.files import folder_lock
from deepfactor.store.folder import MarketFolder, ingest, write_market
from deepfactor.store.schema import SCHEMA_VERSION, TABLES
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=2, days=30)


@pytest.fixture
def market(tables, tmp_path) -> Path:
    write_market(tmp_path / "m", tables, source={"name": "test"})
    return tmp_path / "m"


def snapshot(path: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file."""
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(path)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def contents(path: Path) -> dict[str, bytes]:
    return {name: content for name, (content, _) in snapshot(path).items()}


def test_what_is_written_is_read(tables, market):
    folder = MarketFolder.open(market)
    assert folder.manifest.schema_version == SCHEMA_VERSION
    assert folder.manifest.source["name"] == "test"
    for name, frame in tables.items():
        stored = folder.read(name)
        key = list(TABLES[name].key)
        assert stored.select(frame.columns).sort(key).equals(frame.sort(key))
        assert set(folder.columns(name)) == set(frame.columns)
    assert folder.read("daily", ["close"]).columns == ["close"]
    assert not folder.has("fundamentals")
    with pytest.raises(DataError, match="no table fundamentals"):
        folder.read("fundamentals")


def test_daily_has_a_part_a_month_sorted_by_symbol(tmp_path):
    tables = market_tables(days=160)  # from July 2020 into 2021
    folder = write_market(tmp_path / "m", tables, source={})
    parts = folder.manifest.tables["daily"]
    months = tables["daily"]["date"].dt.strftime("%Y-%m").unique().sort().to_list()
    assert [part.label for part in parts] == months
    assert (months[0], months[-1]) == ("2020-07", "2021-02")
    assert sum(part.rows for part in parts) == tables["daily"].height
    for file in folder.part_files("daily"):
        rows = pl.read_parquet(file, columns=["symbol", "date"])
        assert rows.equals(rows.sort("symbol", "date"))


def test_writing_again_changes_no_byte_and_writes_nothing(tables, market):
    before = snapshot(market)
    write_market(market, tables, source={"name": "test"})
    assert snapshot(market) == before


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_of_rows_and_columns_and_kind_of_text_do_not_matter(seed, tmp_path_factory):
    tables = market_tables(seed=2, days=12)
    shuffled = {}
    for name, frame in tables.items():
        columns = pl.Series(frame.columns).shuffle(seed).to_list()
        mixed = frame.select(columns).sample(fraction=1, shuffle=True, seed=seed)
        date = next((c for c in ("date", "start_date") if c in columns), None)
        mixed = mixed.sort(date, maintain_order=True) if date else mixed
        shuffled[name] = mixed.with_columns(pl.col(pl.String).cast(pl.Categorical))
    one = tmp_path_factory.mktemp("one") / "m"
    two = tmp_path_factory.mktemp("two") / "m"
    a, b = write_market(one, tables, source={}), write_market(two, shuffled, source={})
    assert a.fingerprint == b.fingerprint
    assert contents(one) == contents(two)


@pytest.mark.parametrize(
    "change",
    [
        pl.col("close") + pl.when(pl.int_range(pl.len()) == 7).then(1e-9).otherwise(0.0),
        pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise(pl.col("float_mv")).alias("float_mv"),
        pl.col("is_suspended").is_null().alias("is_st"),
    ],
)
def test_any_other_content_has_another_fingerprint(tables, market, change):
    before = MarketFolder.open(market).fingerprint
    daily = tables["daily"].with_columns(change)
    assert write_market(market, {**tables, "daily": daily}, source={"name": "test"}).fingerprint != before


def test_only_changed_parts_are_written_and_readers_keep_theirs(tables, market):
    old = MarketFolder.open(market)
    first = old.read("daily")
    before = set(contents(market))
    daily = tables["daily"].with_columns(pl.col("adj_factor") * 2)
    write_market(market, {**tables, "daily": daily}, source={"name": "test"})
    new = set(contents(market)) - before
    months = len(old.manifest.tables["daily"])
    assert [name.split("/")[1] for name in new] == ["daily"] * months
    assert old.read("daily").equals(first)
    assert not MarketFolder.open(market).read("daily").equals(first)
    third = daily.with_columns(pl.col("adj_factor") * 2)
    write_market(market, {**tables, "daily": third}, source={"name": "test"})
    assert len(list((market / "tables" / "daily").iterdir())) == 2 * months
    with pytest.raises(DataError, match="ingest the market again"):
        old.read("daily")


def test_calendar_is_derived_where_absent(tables, tmp_path):
    without = {name: frame for name, frame in tables.items() if name != "calendar"}
    folder = write_market(tmp_path / "m", without, source={})
    assert folder.read("calendar")["date"].to_list() == sorted(set(tables["daily"]["date"]))
    assert "calendar" in folder.manifest.source["derived"]


def test_a_bad_table_leaves_the_market_as_it_was(tables, market):
    before = snapshot(market)
    bad = tables["daily"].with_columns(close=pl.lit(-1.0))
    with pytest.raises(DataError):
        write_market(market, {**tables, "daily": bad}, source={"name": "test"})
    assert snapshot(market) == before


def test_the_error_names_the_file_of_the_source(tables, tmp_path):
    bad = tables["daily"].with_columns(close=pl.when(pl.int_range(pl.len()) == 4).then(-1.0).otherwise("close"))
    with pytest.raises(DataError, match=r"file prices.csv \(table daily\), row 5, column close: must be positive") as e:
        write_market(tmp_path / "m", {**tables, "daily": bad}, source={"files": {"daily": "prices.csv"}})
    row = bad.row(4, named=True)
    assert f"{row['date']} {row['symbol']} -1.0" in str(e.value)
    assert e.value.exit_code == 2
    with pytest.raises(DataError, match="is no market folder"):
        MarketFolder.open(tmp_path / "m")


def test_a_full_disk_leaves_the_market_as_it_was(tables, market, monkeypatch):
    before = snapshot(market)
    honest = pl.DataFrame.write_parquet

    def half(frame, file, **options):
        honest(frame.head(3), file, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", half)
    daily = tables["daily"].with_columns(pl.col("adj_factor") * 2)
    with pytest.raises(OutOfResources) as error:
        write_market(market, {**tables, "daily": daily}, source={"name": "test"})
    assert error.value.exit_code == 3
    assert snapshot(market) == before


def test_what_a_killed_writer_leaves_is_no_hindrance_and_cleared(tables, tmp_path):
    path = tmp_path / "m"
    (path / "tables" / "daily").mkdir(parents=True)
    for left in (".manifest.json.17.tmp", "tables/daily/.2020-x.parquet.17.tmp", "tables/daily/2020-dead.parquet"):
        (path / left).write_bytes(b"half")
    write_market(path, tables, source={"name": "test"})
    clean = tmp_path / "clean"
    write_market(clean, tables, source={"name": "test"})
    assert contents(path) == contents(clean)
    (path / "tables" / "daily" / "2020-dead.parquet").write_bytes(b"half")
    write_market(path, tables, source={"name": "test"})
    assert contents(path) == contents(clean), "also where there is nothing new"


def test_a_second_writer_is_refused(tables, market):
    with folder_lock(market), pytest.raises(UserError, match="being written by another process"):
        write_market(market, tables, source={})


def test_a_newer_schema_is_refused(market):
    file = market / "manifest.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**content, "schema_version": SCHEMA_VERSION + 1}), encoding="utf-8")
    with pytest.raises(DataError, match="newer deepfactor"):
        MarketFolder.open(market)


def test_an_older_schema_is_migrated_on_reading_and_written_with_the_next_change(tables, market):
    file = market / "manifest.json"
    now = json.loads(file.read_text(encoding="utf-8"))
    old = {**now, "schema_version": 1, "source": {k: v for k, v in now["source"].items() if k != "appended"}}
    file.write_text(json.dumps(old), encoding="utf-8")
    folder = MarketFolder.open(market)
    assert folder.manifest.schema_version == SCHEMA_VERSION == 4
    assert folder.manifest.source["appended"] == []
    assert folder.read("daily").height == tables["daily"].height
    write_market(market, tables, source={"name": "test"})
    assert json.loads(file.read_text(encoding="utf-8")) == old, "nothing new, nothing written"
    write_market(market, {**tables, "daily": tables["daily"].head(200)}, source={"name": "test"})
    assert json.loads(file.read_text(encoding="utf-8"))["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"schema_version": "x"}', '{"schema_version": 1, "tables": {"daily": 3}}']
)
def test_a_broken_manifest_is_a_data_error(market, text):
    (market / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="is no manifest"):
        MarketFolder.open(market)


def test_other_folders_and_files_are_left_alone(tables, tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(DataError, match=r"holds other things \(thesis\.doc\)"):
        write_market(tmp_path, tables, source={})
    with pytest.raises(DataError, match="is a file"):
        write_market(tmp_path / "thesis.doc", tables, source={})
    with pytest.raises(DataError, match="does not exist"):
        MarketFolder.open(tmp_path / "nowhere")


def test_ingest_asks_for_the_account_last_and_tells_its_steps(tables, tmp_path):
    account: dict[str, object] = {"name": "late"}
    steps: list[str] = []

    def fetched():
        yield from tables.items()
        account["dropped"] = {"rows": 3}

    folder = ingest(tmp_path / "m", fetched(), lambda: account, steps.append)
    assert folder.manifest.source["dropped"] == {"rows": 3}
    assert steps[0] == f"daily: {tables['daily'].height:,} rows"
    assert "checking" in steps
    assert "writing daily" in steps


def test_warnings_are_kept(market):
    codes = {(w["code"], w["table"]) for w in MarketFolder.open(market).manifest.warnings}
    assert ("no_prices", "index_members") in codes
