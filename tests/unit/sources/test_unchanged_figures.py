"""Company figures are read again only where they could be others: the market is as if they always were."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from deepfactor.pipeline.markets import Market, ingest
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import MarketFolder

DAYS = [day for k in range(300) if (day := date(2020, 1, 2) + timedelta(days=k)).weekday() < 5]
MAPPING = """
name = "mine"
[tables.daily]
file = "bars.csv"
columns = { date = "date", symbol = "symbol", open = "p", high = "p", low = "p", close = "p", volume = "v", vwap = "p" }
[[fundamentals.steps]]
item = "net_profit_ttm"
file = "steps.csv"
value = "value"
"""
#: Day of the first row of those that aren't there from the start.
LISTED = {"000003.SZ": 195, "000002.SZ": 197}
STEPS = ["symbol,date,value", "600000.SH,2020-03-31,2", "000001.SZ,2020-04-28,3", "000002.SZ,2020-04-30,7"]


class Vendor:
    """A folder that grows, and how often the market's figures were read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.reads = folder, 0
        (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
        read = MappedTables._figures

        def counted(source, *arguments):
            self.reads += 1
            return read(source, *arguments)

        monkeypatch.setattr(MappedTables, "_figures", counted)

    def deliver(self, days: int, *steps: str, symbols: tuple[str, ...] = ("000001.SZ", "600000.SH")) -> None:
        rows = [f"{day},{s},10,100" for s in symbols for day in DAYS[LISTED.get(s, 0) : days]]
        (self.folder / "bars.csv").write_text("\n".join(["date,symbol,p,v", *rows]))
        (self.folder / "steps.csv").write_text("\n".join([*STEPS, *steps]))

    def ingest(self, to: str = "market") -> Market:
        self.reads = 0
        return ingest(str(self.folder / "mapping.toml"), self.folder / to, self.folder)


@pytest.fixture
def vendor(tmp_path, monkeypatch) -> Vendor:
    return Vendor(tmp_path, monkeypatch)


def same(appended: Market, whole: Market) -> None:
    assert appended.folder.fingerprint == whole.folder.fingerprint
    names = ("known", "value", "column", "quarter")
    files = [f"fundamentals/net_profit_ttm/{name}.npy" for name in names]
    for file in (*files, "panel.json", "fields/close.npy"):
        made, wanted = (one.folder.path / "panel" / one.panel.fingerprint / file for one in (appended, whole))
        assert made.read_bytes() == wanted.read_bytes(), file


@pytest.mark.slow
def test_unchanged_files_are_not_read_again(vendor):
    vendor.deliver(195)
    vendor.ingest()
    assert vendor.reads == 1
    for days in (196, 198):
        vendor.deliver(days)
        opened = vendor.ingest()
        assert vendor.reads == 0
        assert opened.folder.manifest.source["appended"][-1]["rows"] == {"daily": 2 * (1 if days == 196 else 2)}
    same(opened, vendor.ingest("whole"))
    manifest = (opened.folder.path / "manifest.json").read_bytes()
    vendor.ingest()
    assert (opened.folder.path / "manifest.json").read_bytes() == manifest


@pytest.mark.slow
def test_a_changed_file_is_read(vendor):
    vendor.deliver(195)
    vendor.ingest()
    more = f"600000.SH,{DAYS[195]},9"
    for days, reads in ((197, 1), (199, 0)):
        vendor.deliver(days, more)
        opened = vendor.ingest()
        assert vendor.reads == reads
    same(opened, vendor.ingest("whole"))
    assert opened.folder.read("fundamentals").height == 3


@pytest.mark.slow
def test_a_figure_that_waits_for_its_day_is_read(vendor):
    waits = f"600000.SH,{DAYS[194]},9"
    vendor.deliver(195, waits)
    assert vendor.ingest().folder.read("fundamentals").height == 2
    vendor.deliver(196, waits)
    opened = vendor.ingest()
    assert vendor.reads == 1
    assert opened.folder.read("fundamentals").filter(pl.col("value") == 9)["known_at"].to_list() == [DAYS[195]]
    same(opened, vendor.ingest("whole"))


@pytest.mark.slow
def test_figures_of_a_stock_that_lists_are_read(vendor):
    vendor.deliver(195)
    vendor.ingest()
    vendor.deliver(197, symbols=("000001.SZ", "600000.SH", "000003.SZ"))
    opened = vendor.ingest()
    assert vendor.reads == 0, "of this one there are none"
    same(opened, vendor.ingest("other"))
    vendor.deliver(198, symbols=("000001.SZ", "000002.SZ", "600000.SH", "000003.SZ"))
    opened = vendor.ingest()
    assert vendor.reads == 1
    assert "000002.SZ" in opened.folder.read("fundamentals")["symbol"].to_list()
    same(opened, vendor.ingest("whole"))


def test_a_trading_day_that_comes_later_moves_the_day_of_knowing(vendor):
    """The figure of 2020-03-31 is known a trading day later: on April 1st, once that day is there."""
    vendor.deliver(195)
    file = vendor.folder / "bars.csv"
    whole = file.read_text()
    file.write_text("\n".join(row for row in whole.splitlines() if not row.startswith("2020-04-01")))
    before = vendor.ingest().folder.read("fundamentals").filter(symbol="600000.SH")
    assert before["known_at"].to_list() == [date(2020, 4, 2)]
    source = open_source(Settings(mapping=str(vendor.folder / "mapping.toml")), vendor.folder)
    source.fetch("daily", None, None)
    memo = MarketFolder.open(vendor.folder / "market").manifest.source["memos"]["fundamentals"]
    assert source.unchanged("fundamentals", memo)
    file.write_text(whole)
    source = open_source(Settings(mapping=str(vendor.folder / "mapping.toml")), vendor.folder)
    source.fetch("daily", None, None)
    assert not source.unchanged("fundamentals", memo)
    after = source.fetch("fundamentals", None, None).filter(symbol="600000.SH")
    assert after["known_at"].to_list() == [date(2020, 4, 1)]
