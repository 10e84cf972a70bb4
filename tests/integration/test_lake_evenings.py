"""A market kept up from a lake is the market ingested whole, bit for bit, though only days that changed are read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.lake.folder import JOURNAL, Lake
from deepfactor.lake.request import Answer, Request
from deepfactor.pipeline.markets import ingest
from deepfactor.sources import _lake_tushare
from deepfactor.sources._lake import Held
from deepfactor.store.folder import MANIFEST, MarketFolder
from support.clock import FakeClock
from support.lakes import tushare_lake
from support.vendor_tushare import TushareData, simulated_tables, tushare_data

pytestmark = pytest.mark.slow
#: The first days lie before the last 60, which are compared of sources that can't tell what changed.
START, END = date(2019, 3, 18), date(2019, 7, 12)
BEFORE, OLD, MIDDLE, LAST = "20190711", "20190320", "20190612", "20190712"
LATER = datetime(2019, 7, 15, 11, tzinfo=UTC)
Rows = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def data() -> TushareData:
    return tushare_data(simulated_tables(stocks=50, start=START, end=END, seed=4))


@pytest.fixture(scope="module")
def made(data: TushareData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the evening before the last, as `lake`, and its market; the lake of the last one as `full`."""
    path = tmp_path_factory.mktemp("evenings")
    for name, day in (("lake", 11), ("full", 12)):
        if name == "full":
            shutil.copytree(path / "lake", path / "full")
        tushare_lake(path / name, data, START, END, clock=FakeClock(datetime(2019, 7, day, 11, tzinfo=UTC)))
    ingest("tushare", path / "market", path / "lake")
    return path


class Saying:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, key: str, done: float, total: float, note: str) -> None: ...

    def finish(self, key: str) -> None: ...


@dataclass
class World:
    """A lake and a market of it that a test changes; `name`, `now` = the next market made whole."""

    path: Path
    number: int = 0

    @property
    def lake(self) -> Path:
        return self.path / "lake"

    def answer(self, api: str, of: str, change: Rows = lambda rows: rows, fetched: datetime = LATER) -> None:
        """Another answer to what was asked: for a day, or of a list."""
        with Lake.writing(self.lake, "tushare") as lake:
            one = next(one for one in lake.of(api) if of in (one.request["trade_date"], one.request["is_new"]))
            lake.add([Answer(one.request, change(lake.rows([one], one.columns)), fetched)])

    def add(self, full: Path, day: str = LAST) -> None:
        """What the lake of the last evening has more of a day."""
        other = Lake.open(full)
        with Lake.writing(self.lake, "tushare") as lake:
            for one in other.recorded:
                if one.request["trade_date"] == day:
                    lake.add([Answer(one.request, other.rows([one], one.columns), one.fetched_at)])

    def evening(self, *, accept: bool = False) -> list[str]:
        """Ingest; what was said. The market is then what it is made whole."""
        said = Saying()
        kept = ingest("tushare", self.path / "market", self.lake, said, accept_revisions=accept)
        self.number += 1
        whole = ingest("tushare", self.path / f"whole{self.number}", self.lake)
        assert kept.folder.manifest.tables == whole.folder.manifest.tables, "the very parts, by their names and sums"
        assert kept.panel.fingerprint == whole.panel.fingerprint
        for file in sorted((whole.folder.path / "panel" / whole.panel.fingerprint).rglob("*.npy")):
            mine = self.path / "market" / file.relative_to(whole.folder.path)
            assert mine.read_bytes() == file.read_bytes(), file.name
        return said.said

    def refused(self) -> str:
        """Why an evening is refused, which leaves the market as it was."""
        before = (self.path / "market" / MANIFEST).read_bytes()
        with pytest.raises(DataError) as error:
            ingest("tushare", self.path / "market", self.lake)
        assert (self.path / "market" / MANIFEST).read_bytes() == before
        return str(error.value)


@pytest.fixture
def world(made: Path, tmp_path: Path) -> World:
    for name in ("lake", "market"):
        shutil.copytree(made / name, tmp_path / name)
    return World(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The days whose bars are read out of a lake."""
    days: set[str] = set()
    rows = Held.rows

    def seen(self: Held, recorded: list, columns: list) -> pl.DataFrame:
        days.update(one.request["trade_date"] for one in recorded if one.request.api == "daily")
        return rows(self, recorded, columns)

    monkeypatch.setattr(Held, "rows", seen)
    return days


def times(column: str, by: float, code: str | None = None) -> Rows:
    """Answers with a number times `by`, of one stock or all."""
    mine = pl.lit(value=True) if code is None else pl.col("ts_code") == code
    value = (pl.col(column).cast(pl.Float64) * by).cast(pl.String)
    return lambda rows: rows.with_columns(pl.when(mine).then(value).otherwise(column).alias(column))


def a_code(world: World) -> str:
    return str(MarketFolder.open(world.path / "market").read("daily")["symbol"][0])


def test_an_evening_reads_its_day_alone(made, data, world, read):
    shutil.rmtree(world.lake)
    shutil.copytree(made / "full", world.lake)
    said = Saying()
    ingest("tushare", world.path / "market", world.lake, said)
    assert read == {LAST}
    assert any("reading the day 2019-07-12 again" in one for one in said.said), said.said
    assert any(one.startswith("daily: ") and one.endswith("rows of the day 2019-07-12") for one in said.said)
    assert any("nothing is other than before" in one for one in world.evening())


def test_nothing_new_reads_nothing_and_writes_nothing(world, read):
    before = {file: file.stat().st_mtime_ns for file in (world.path / "market").rglob("*") if file.is_file()}
    said = Saying()
    ingest("tushare", world.path / "market", world.lake, said)
    assert not read
    assert "nothing is other than before" in said.said
    assert before == {file: file.stat().st_mtime_ns for file in (world.path / "market").rglob("*") if file.is_file()}


def test_an_equal_answer_that_was_asked_for_anew_is_nothing_new(world, read):
    for api, of in (("daily", OLD), ("adj_factor", BEFORE), ("index_member_all", "Y")):
        world.answer(api, of)
    read.clear()
    ingest("tushare", world.path / "market", world.lake)
    assert not read
    assert "nothing is other than before" in world.evening()


@pytest.mark.parametrize("day", [OLD, MIDDLE, BEFORE])
@pytest.mark.parametrize(
    ("api", "column"), [("daily", "amount"), ("adj_factor", "adj_factor"), ("daily_basic", "total_mv")]
)
def test_a_revised_day_is_seen_however_old(world, read, api, column, day):
    world.answer(api, day, times(column, 1.0001, a_code(world)))
    read.clear()
    assert "--accept-revisions" in world.refused()
    assert read == {day}
    assert any(f"{day[:4]}-{day[4:6]}-{day[6:]}" in one for one in world.evening(accept=True))


def test_a_factor_that_comes_late_is_seen(made, world):
    code = a_code(world)
    for name in ("market", "whole"):
        shutil.rmtree(world.path / name, ignore_errors=True)
    world.answer("adj_factor", OLD, lambda rows: rows.filter(pl.col("ts_code") != code))
    ingest("tushare", world.path / "market", world.lake)
    other = Lake.open(made / "lake")
    whole = next(one for one in other.of("adj_factor") if one.request["trade_date"] == OLD)
    world.answer("adj_factor", OLD, lambda rows: other.rows([whole], whole.columns))
    assert "missing until now" in world.refused()
    world.evening(accept=True)


def name_from(code: str, start: str, end: str | None = None) -> Rows:
    def more(rows: pl.DataFrame) -> pl.DataFrame:
        row = {"ts_code": code, "name": "*ST甲", "start_date": start, "end_date": end, "ann_date": start}
        new = pl.DataFrame([{**dict.fromkeys(rows.columns), **row}], schema=rows.schema)
        return pl.concat([rows, new])

    return more


def unmarked(world: World) -> str:
    """A stock that is never marked and has a bar on every day."""
    daily = MarketFolder.open(world.path / "market").read("daily")
    each = daily.group_by("symbol").agg(pl.col("is_st").any(), pl.len()).filter(~pl.col("is_st"))
    return str(each.sort("len", "symbol")["symbol"][-1])


def test_a_name_from_the_next_day_on_changes_no_day_held(made, world, read):
    code = unmarked(world)
    world.answer("namechange", "", name_from(code, LAST))
    world.add(made / "full")
    read.clear()
    ingest("tushare", world.path / "market", world.lake)
    assert read == {LAST}
    world.evening()
    daily = MarketFolder.open(world.path / "market").read("daily").filter(symbol=code).sort("date")
    assert daily["is_st"].to_list()[-2:] == [False, True]


@pytest.mark.parametrize(("start", "end"), [(OLD, "20190325"), (MIDDLE, None)])
def test_a_name_of_days_held_is_seen_on_its_days(world, read, start, end):
    code = unmarked(world)
    world.answer("namechange", "", name_from(code, start, end))
    read.clear()
    assert "is_st False → True" in world.refused()
    assert min(read) == start
    assert max(read) == (BEFORE if end is None else end)
    world.evening(accept=True)


def lack(lake: Path, lacks: Callable[[Request], bool]) -> None:
    """A lake without some answers, as if they had never been fetched."""
    held = Lake.open(lake)
    kept = [(one, held.rows([one], one.columns)) for one in held.recorded if not lacks(one.request)]
    shutil.rmtree(lake)
    with Lake.writing(lake, "tushare") as made:
        for one, rows in kept:
            made.add([Answer(one.request, rows, one.fetched_at)])


def test_a_day_that_comes_later_takes_its_place(made, world, read):
    """The first one: of a day within, the prev_close of the next would be missed."""
    day = f"{START:%Y%m%d}"
    shutil.rmtree(world.path / "market")
    lack(world.lake, lambda request: request["trade_date"] == day)
    ingest("tushare", world.path / "market", world.lake)
    world.add(made / "full", day)
    read.clear()
    assert "rows added (2019-03-18" in world.refused()
    assert read == {day}
    world.evening(accept=True)


def test_halts_that_come_later_are_seen(made, world, read):
    daily = MarketFolder.open(world.path / "market").read("daily")
    day = f"{daily.filter('is_suspended')['date'].max():%Y%m%d}"
    shutil.rmtree(world.path / "market")
    lack(world.lake, lambda request: request.api == "suspend_d" and request["trade_date"] == day)
    ingest("tushare", world.path / "market", world.lake)
    other = Lake.open(made / "lake")
    with Lake.writing(world.lake, "tushare") as lake:
        one = next(one for one in other.of("suspend_d") if one.request["trade_date"] == day)
        lake.add([Answer(one.request, other.rows([one], one.columns), LATER)])
    read.clear()
    assert "rows added" in world.refused()
    assert read == {day}
    world.evening(accept=True)


def test_a_stock_whose_first_day_comes_has_its_lists(made, world):
    code = a_code(world)
    shutil.rmtree(world.path / "market")

    def without(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col("ts_code") != code)

    for api in ("daily", "suspend_d", "adj_factor", "daily_basic", "stk_limit"):
        for day in {one.request["trade_date"] for one in Lake.open(world.lake).of(api)}:
            world.answer(api, day, without)
    before = ingest("tushare", world.path / "market", world.lake).folder
    assert code not in before.read("securities")["symbol"]
    world.add(made / "full")
    assert "industry: 1 rows added" in world.refused(), "for it was of a class all the time"
    world.evening(accept=True)
    assert code in MarketFolder.open(world.path / "market").read("securities")["symbol"]


def test_a_lake_that_isnt_the_one_continued_is_read_as_before(made, world, read):
    shutil.rmtree(world.lake)
    shutil.copytree(made / "full", world.lake)
    journal = (world.lake / JOURNAL).read_bytes().split(b"\n")
    (world.lake / JOURNAL).write_bytes(b"\n".join([journal[1], journal[0], *journal[2:]]))
    said = world.evening()
    assert any("isn't the one that the market was made from" in one for one in said), said
    assert any(one.startswith("asking for days from") for one in said)
    assert len(read) > 60


def test_a_market_of_another_version_is_compared_as_before(made, world, monkeypatch):
    monkeypatch.setattr("deepfactor.sources._lake_tables.__version__", "9.9")
    world.add(made / "full")
    said = world.evening()
    assert any("was made by deepfactor" in one for one in said), said
    assert "nothing is other than before" in world.evening(), "and has told the version since"


def test_what_was_known_earlier_is_another_market(made, world):
    """`as_of` before the market's last answers: they are gone, and that is seen."""
    world.add(made / "full")
    world.evening()
    (world.path / "then.toml").write_text('kind = "tushare"\nas_of = 2019-07-11\n')
    with pytest.raises(DataError, match="gone"):
        ingest(str(world.path / "then.toml"), world.path / "market", world.lake)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_a_lake_is_in_the_market(made, world, seed):
    """Days in any order, several things an evening, with equal answers in between."""
    chance = random.Random(seed)
    codes = sorted(MarketFolder.open(world.path / "market").read("daily")["symbol"].unique())
    days = sorted({one.request["trade_date"] for one in Lake.open(world.lake).of("daily")})
    for step in range(4):
        if step == 2:
            world.add(made / "full")
            days.append(LAST)
        for _ in range(chance.randint(1, 3)):
            code, day = chance.choice(codes), chance.choice(days)
            what = chance.randrange(5)
            if what == 0:
                world.answer("namechange", "", name_from(code, day, chance.choice([None, day])))
            elif what == 1:
                world.answer("daily", day)
            elif what == 2:
                world.answer("daily_basic", day, lambda rows, code=code: rows.filter(pl.col("ts_code") != code))
            elif what == 3:
                world.answer("adj_factor", day, times("adj_factor", 1.00003, code))
            else:
                world.answer("daily", day, times("amount", 1.001, code))
        world.evening(accept=True)


def test_days_are_read_the_same_whatever_is_read_beside_them(world):
    """Trades after hours, whose columns came on one day and not on the one before."""
    day = f"{_lake_tushare.WITHOUT_AFTER_HOURS:%Y%m%d}"
    code = a_code(world)
    bar = dict.fromkeys(("open", "high", "low", "close", "pre_close", "vol", "amount"), "10") | {"ts_code": code}
    with Lake.writing(world.lake, "tushare") as lake:
        for when, more in (("20260703", {}), (day, {"ah_vol": "5", "ah_amount": "7"})):
            rows = pl.DataFrame([{**bar, "trade_date": when, **more}])
            lake.add([Answer(Request.of("daily", {"trade_date": when}), rows, LATER)])
        held = Held(lake)
        both = _lake_tushare.daily(held, (date(2026, 1, 1), None))
        alone = [
            _lake_tushare.daily(Held(lake, days=frozenset({when})), (date(2026, 1, 1), None))
            for when in ("20260703", day)
        ]
    assert both["vol"].to_list() == [10.0, 15.0]
    assert both["amount"].to_list() == [10.0, 17.0]
    assert both.equals(pl.concat(alone))
