"""What every source kind must do, found by looking into the room: a new file is tested unasked.

A new kind needs one thing written for it: its example in `support.sources`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.core.kind import kinds_in
from deepfactor.core.spec import Spec
from deepfactor.sources.base import ROOM, Source, fetch_all
from deepfactor.store.checks import check_tables
from deepfactor.store.folder import MarketFolder, write_market
from deepfactor.store.schema import TABLES
from support.sources import EXAMPLES, open_kind

KINDS = kinds_in("deepfactor.sources")
DESCRIBED = {"name": str, "settings": dict, "cap": str, "simulated": bool, "derived": list, "dropped": dict}


@pytest.fixture(scope="module", params=KINDS)
def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a kind's example, which nothing writes into, and what to write in a TOML to read it."""
    if request.param not in EXAMPLES:
        pytest.fail(f"source {request.param} has no example in tests/support/sources.py: write one")
    folder = tmp_path_factory.mktemp("vendor")
    choice = EXAMPLES[request.param](folder)
    assert choice["kind"] == request.param
    return folder, choice


@pytest.fixture
def again(vendor: tuple[Path, dict[str, Any]]) -> Callable[[], Source]:
    """Opens the example of a kind, as often as called."""
    folder, choice = vendor
    return lambda: open_kind(choice, folder)


def fetched(source: Source, start: date | None = None, end: date | None = None) -> dict[str, pl.DataFrame]:
    return dict(fetch_all(source, start, end))


def test_the_room_is_not_empty():
    assert {"simulated", "tables"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_a_spec(kind):
    assert issubclass(ROOM.settings_of(kind), Spec)


def test_it_names_its_tables_daily_first(again):
    names = again().tables()
    assert names[0] == "daily"
    assert len(set(names)) == len(names)
    assert set(names) <= set(TABLES)
    assert again().tables() == names, "the same whenever asked"


def test_tables_have_the_columns_of_the_schema_and_pass_the_checks(again):
    made = fetched(again())
    for name, frame in made.items():
        assert set(TABLES[name].required()) <= set(frame.columns) <= set(TABLES[name].columns), name
        assert frame.height > 0, name
    errors = [finding for finding in check_tables(made) if finding.severity == "error"]
    assert not errors


@pytest.mark.slow
def test_start_and_end_are_honoured(again):
    """Rows with a date lie within, both ends included; tables without one come whole, figures as known at the end.

    Weights come whole up to the end: a publication may be delivered late.
    """
    whole = fetched(again())
    days = whole["daily"]["date"].unique().sort()
    start, end = days[len(days) // 3], days[2 * len(days) // 3]
    for span in ((start, end), (start, None), (None, end), (start, start)):
        part = fetched(again(), *span)
        assert part.keys() == whole.keys()
        for name, frame in part.items():
            expected = whole[name]
            if "date" in TABLES[name].columns:
                first = date.min if name == "index_weights" else span[0] or date.min
                expected = expected.filter(pl.col("date").is_between(first, span[1] or date.max))
            elif name == "fundamentals":
                expected = expected.filter(pl.col("known_at") <= (span[1] or date.max))
            assert_frame_equal(text(frame), text(expected), check_exact=True)


def test_no_days_is_an_empty_table_with_its_columns(again):
    source = again()
    last = source.fetch("daily", None, None)["date"].max()
    assert isinstance(last, date)
    nothing = again().fetch("daily", last + timedelta(days=1), None)
    assert nothing.height == 0
    assert nothing.columns == source.fetch("daily", None, None).columns


def test_the_same_again(again):
    first, second = again(), again()
    one, two = fetched(first), fetched(second)
    for name, frame in one.items():
        assert_frame_equal(text(frame), text(two[name]), check_exact=True)
    assert first.describe() == second.describe()


def test_it_describes_itself_without_a_path_of_this_machine(again, vendor):
    source = again()
    fetched(source)
    account = source.describe()
    for key, kind in DESCRIBED.items():
        assert isinstance(account[key], kind), key
    assert account["name"] == source.name
    assert account["cap"] in ("float", "total")
    assert all(isinstance(note, str) for note in account["notes"])
    assert all(isinstance(count, int) for count in account["dropped"].values())
    assert set(account.get("files", {})) <= set(source.tables())
    assert str(vendor[0].parent) not in json.dumps(account, allow_nan=False)


@pytest.mark.slow
def test_it_can_be_stored_and_a_second_time_writes_nothing(again, tmp_path):
    market = tmp_path / "market"
    source = again()
    stored = write_market(market, fetched(source), source=source.describe())
    assert set(source.tables()) <= set(stored.manifest.tables)
    before = {file: file.stat().st_mtime_ns for file in market.rglob("*") if file.is_file()}
    source = again()
    write_market(market, fetched(source), source=source.describe())
    after = {file: file.stat().st_mtime_ns for file in market.rglob("*") if file.is_file()}
    assert after == before
    assert MarketFolder.open(market).manifest.source["name"] == source.name


def test_a_table_that_it_lacks_is_a_data_error(again):
    with pytest.raises(DataError, match="no table 'prices'"):
        again().fetch("prices", None, None)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"simulated"}))
def test_without_its_data_it_says_so(kind, tmp_path):
    """No folder, a folder that isn't there, an empty one: an error of the user's that says what is wanted."""
    (tmp_path / "vendor").mkdir()
    choice = EXAMPLES[kind](tmp_path / "vendor")
    (tmp_path / "empty").mkdir()
    for folder in (None, tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(DataError, match=r"--folder"):
            open_kind(choice, folder)


def text(frame: pl.DataFrame) -> pl.DataFrame:
    """Codes as text: a source may hold them as categories."""
    return frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
