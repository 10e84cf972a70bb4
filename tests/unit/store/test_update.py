"""A market goes on: what is appended equals what is written whole; revised history is seen, and refused or logged."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DataError, UserError
from deepfactor.core.files import folder_lock
from deepfactor.store.folder import MANIFEST, MarketFolder, _write_part, write_market
from deepfactor.store.update import OVERLAP, update
from support.market_tables import LATE, SUSPENDED, filings, market_tables, until

ACCOUNT = {"name": "test", "settings": {"a": 1}}
DATED = ("daily", "index_daily", "calendar")


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return {**market_tables(seed=3, days=160), "fundamentals": filings(3)}  # from July 2020 into 2021


@pytest.fixture(scope="module")
def dates(tables):
    return sorted(set(tables["daily"]["date"]))


class Vendor:
    """Gives tables from a day on, and notes which day that was."""

    def __init__(self, tables: dict[str, pl.DataFrame], account: dict | None = None) -> None:
        self.tables, self.account, self.asked = tables, account or ACCOUNT, []

    def fetch(self, since: date | None):
        self.asked.append(since)
        for name, frame in self.tables.items():
            yield name, frame.filter(pl.col("date") >= since) if since and name in DATED else frame

    def into(self, path: Path, **options) -> MarketFolder:
        return update(path, lambda held: self.fetch(held.since), lambda: self.account, **options)


def state(path: Path) -> dict[str, tuple[bytes, int]]:
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(path)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


@pytest.mark.slow
@pytest.mark.parametrize("calendar", [True, False])
def test_day_by_day_equals_whole(tables, dates, tmp_path, calendar):
    tables = tables if calendar else {name: frame for name, frame in tables.items() if name != "calendar"}
    path = tmp_path / "m"
    for t in (100, 101, 102, 114, 118, 119, 140, 159):  # a month ends after rows 109, 131, 147; the year after 117
        known = until(tables, dates[t]) if calendar else until({**tables, "calendar": tables["daily"]}, dates[t])
        known = known if calendar else {name: frame for name, frame in known.items() if name != "calendar"}
        vendor = Vendor(known)
        folder = vendor.into(path)
        whole = write_market(tmp_path / f"whole{t}", known, source=ACCOUNT)
        assert folder.fingerprint == whole.fingerprint
        assert folder.manifest.tables == whole.manifest.tables
        warnings = [{k: w[k] for k in ("code", "table", "column", "count")} for w in folder.manifest.warnings]
        assert sorted(map(str, warnings)) == sorted(
            str({k: w[k] for k in ("code", "table", "column", "count")}) for w in whole.manifest.warnings
        )
        before = state(path)
        vendor.into(path)
        assert state(path) == before, "a second time writes nothing"
    log = folder.manifest.source["appended"]
    assert [entry["to"] for entry in log] == [str(dates[t]) for t in (101, 102, 114, 118, 119, 140, 159)]
    assert sum(entry["rows"]["daily"] for entry in log) == tables["daily"].filter(pl.col("date") > dates[100]).height


@pytest.mark.slow
def test_a_market_with_parts_of_years_goes_on_in_months(tables, dates, tmp_path):
    """As schema 2 wrote it: opened as it is; the year that grows becomes months, earlier years stay."""
    folder = Vendor(until(tables, dates[140])).into(tmp_path / "m")
    before = json.loads((folder.path / MANIFEST).read_text(encoding="utf-8"))
    daily = folder.read("daily")
    years = [daily.filter(pl.col("date").dt.year() == year) for year in (2020, 2021)]
    parts = [_write_part(folder.path, "daily", str(year), rows) for year, rows in zip((2020, 2021), years, strict=True)]
    for file in folder.part_files("daily"):
        file.unlink()
    before["tables"]["daily"] = [asdict(part) for part in parts]
    (folder.path / MANIFEST).write_text(json.dumps({**before, "schema_version": 2}), encoding="utf-8")
    assert MarketFolder.open(folder.path).read("daily").sort("date", "symbol").equals(daily.sort("date", "symbol"))
    state_before = state(folder.path)
    Vendor(until(tables, dates[140])).into(folder.path)
    assert state(folder.path) == state_before, "nothing new, nothing written"
    after = Vendor(tables).into(folder.path)
    assert [part.label for part in after.manifest.tables["daily"]] == ["2020", "2021-01", "2021-02"]
    whole = write_market(tmp_path / "whole", tables, source=ACCOUNT)
    assert after.read("daily").sort("date", "symbol").equals(whole.read("daily").sort("date", "symbol"))
    assert after.manifest.tables["daily"][1:] == whole.manifest.tables["daily"][-2:]


def test_the_source_is_asked_for_sixty_days_held_and_what_follows(tables, dates, tmp_path):
    Vendor(until(tables, dates[100])).into(tmp_path / "m")
    vendor = Vendor(tables)
    vendor.into(tmp_path / "m")
    assert vendor.asked == [dates[100 - OVERLAP + 1]]


@pytest.mark.parametrize("other", [{"name": "other", "settings": {"a": 1}}, {"name": "test", "settings": {"a": 2}}])
def test_another_source_or_setting_is_taken_whole(tables, dates, tmp_path, other):
    Vendor(until(tables, dates[100])).into(tmp_path / "m")
    vendor = Vendor(tables, other)
    vendor.into(tmp_path / "m")
    assert vendor.asked == [None]


@pytest.mark.parametrize("lost", ["table", "column"])
def test_other_tables_or_columns_are_taken_whole(tables, dates, tmp_path, lost):
    first = until(tables, dates[100])
    if lost == "table":
        del first["index_daily"]
    else:
        first["daily"] = first["daily"].drop("is_st")
    Vendor(first).into(tmp_path / "m")
    vendor = Vendor(tables)
    folder = vendor.into(tmp_path / "m")
    assert vendor.asked[-1] is None
    assert folder.fingerprint == write_market(tmp_path / "whole", tables, source=ACCOUNT).fingerprint


def revised(tables, column, value, symbol=SUSPENDED, count=1):
    """`column` of the last `count` rows of `symbol`."""
    days = tables["daily"].filter(pl.col("symbol") == symbol)["date"].tail(count + 3).head(count)
    where = (pl.col("symbol") == symbol) & pl.col("date").is_in(days.to_list())
    daily = tables["daily"].with_columns(pl.when(where).then(value).otherwise(column).alias(column))
    return {**tables, "daily": daily}, days


def test_revised_history_is_listed_and_refused(tables, dates, tmp_path):
    known = until(tables, dates[158])
    Vendor(known).into(tmp_path / "m")
    before = state(tmp_path / "m")
    now, days = revised(tables, "float_mv", pl.col("float_mv") + 1)
    with pytest.raises(DataError, match=r"daily: 1 rows changed in float_mv.*--accept-revisions") as error:
        Vendor(now).into(tmp_path / "m")
    assert f"{days[0]} {SUSPENDED} float_mv " in str(error.value)
    assert error.value.exit_code == 2
    assert state(tmp_path / "m") == before


def test_rows_gone_and_added_are_revisions_too(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    gone = tables["daily"].filter((pl.col("symbol") != LATE) | (pl.col("date") != dates[150]))
    with pytest.raises(DataError, match=rf"daily: 1 rows gone \({dates[150]} {LATE}\)"):
        Vendor({**tables, "daily": gone}).into(tmp_path / "m")
    Vendor(until({**tables, "daily": gone}, dates[158])).into(tmp_path / "n")
    with pytest.raises(DataError, match=rf"daily: 1 rows added \({dates[150]} {LATE}\)"):
        Vendor(tables).into(tmp_path / "n")


def test_a_revised_past_interval_is_a_revision_and_an_ended_one_is_none(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    column = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("other")).otherwise("industry").alias("industry")
    with pytest.raises(DataError, match="industry: 1 rows changed in industry"):
        Vendor({**tables, "industry": tables["industry"].with_columns(column)}).into(tmp_path / "m")
    open_ends = tables["index_members"]["end_date"].null_count()
    assert open_ends
    ended = tables["index_members"].with_columns(pl.col("end_date").fill_null(dates[155]))
    Vendor({**tables, "index_members": ended}).into(tmp_path / "m")


@pytest.mark.slow
def test_accepted_revisions_are_taken_and_logged(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    now, days = revised(tables, "float_mv", pl.col("float_mv") + 1)
    folder = Vendor(now).into(tmp_path / "m", accept_revisions=True)
    assert folder.fingerprint == write_market(tmp_path / "whole", now, source=ACCOUNT).fingerprint
    (entry,) = folder.manifest.source["appended"]
    (accepted,) = entry["accepted"]
    assert (accepted["table"], accepted["kind"], accepted["count"]) == ("daily", "changed", 1)
    assert str(days[0]) in accepted["examples"][0]


def test_revisions_are_checked_before_they_are_taken(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    before = state(tmp_path / "m")
    now, _ = revised(tables, "high", pl.lit(0.5))
    with pytest.raises(DataError, match="high is below low"):
        Vendor(now).into(tmp_path / "m", accept_revisions=True)
    assert state(tmp_path / "m") == before


def test_history_older_than_the_overlap_is_not_asked_for(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    old = pl.when(pl.col("date") == dates[50]).then(pl.col("float_mv") * 2).otherwise("float_mv")
    folder = Vendor({**tables, "daily": tables["daily"].with_columns(float_mv=old)}).into(tmp_path / "m")
    assert folder.fingerprint == write_market(tmp_path / "whole", tables, source=ACCOUNT).fingerprint


@pytest.mark.parametrize("accept", [True, False])
def test_a_forward_adjusted_factor_is_refused(tables, dates, tmp_path, accept):
    """The vendor's newest factor is 1: a dividend of 3 % on the new day divides all days before."""
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    before = state(tmp_path / "m")
    mine = (pl.col("symbol") == SUSPENDED) & (pl.col("date") < dates[159])
    factor = pl.when(mine).then(pl.col("adj_factor") / 1.03).otherwise("adj_factor")
    now = {**tables, "daily": tables["daily"].with_columns(adj_factor=factor)}
    with pytest.raises(DataError, match=rf"column adj_factor: .*{SUSPENDED}: × 0\.97.*forward-adjusted") as error:
        Vendor(now).into(tmp_path / "m", accept_revisions=accept)
    assert error.value.exit_code == 2
    assert state(tmp_path / "m") == before


def test_forward_adjusted_prices_are_refused(tables, dates, tmp_path):
    """No factor, and prices that pass for raw: rounded to the fen."""
    plain = {**tables, "daily": tables["daily"].drop("adj_factor", "amount").with_columns(vwap=pl.col("close"))}
    account = {**ACCOUNT, "no_adjustment": True}
    Vendor(until(plain, dates[158]), account).into(tmp_path / "m")
    mine = (pl.col("symbol") == SUSPENDED) & (pl.col("date") < dates[159])
    prices = [
        pl.when(mine).then((pl.col(name) / 1.03).round(2)).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close", "vwap")
    ]
    now = {**plain, "daily": plain["daily"].with_columns(prices)}
    with pytest.raises(DataError, match=rf"column close: .*{SUSPENDED}: × 0\.97.*forward-adjusted"):
        Vendor(now, account).into(tmp_path / "m", accept_revisions=True)


def test_a_bad_new_day_leaves_the_market_as_it_was(tables, dates, tmp_path):
    Vendor(until(tables, dates[158])).into(tmp_path / "m")
    before = state(tmp_path / "m")
    bad = pl.when(pl.col("date") == dates[159]).then(-1.0).otherwise("close")
    with pytest.raises(DataError, match=rf"column close: must be positive.*\({dates[159]} "):
        Vendor({**tables, "daily": tables["daily"].with_columns(close=bad)}).into(tmp_path / "m")
    assert state(tmp_path / "m") == before


def test_a_second_writer_is_refused(tables, tmp_path):
    with folder_lock(tmp_path / "m"), pytest.raises(UserError, match="being written by another process"):
        Vendor(tables).into(tmp_path / "m")


@pytest.mark.slow
def test_figures_of_new_days_and_of_new_symbols_are_no_revision(tables, dates, tmp_path):
    """LATE lists on the appended days, with reports that were known before it had a price."""
    first = min(tables["daily"].filter(pl.col("symbol") == LATE)["date"])
    t = dates.index(first)
    path = tmp_path / "m"
    for day in (dates[t - 3], dates[t - 1], first, dates[t + 20]):
        folder = Vendor(until(tables, day)).into(path)
        whole = write_market(tmp_path / f"whole{day}", until(tables, day), source=ACCOUNT)
        assert folder.manifest.tables == whole.manifest.tables
    held = folder.read("fundamentals")
    assert held.filter((pl.col("symbol") == LATE) & (pl.col("known_at") < first)).height
    new = [entry["rows"].get("fundamentals", 0) for entry in folder.manifest.source["appended"]]
    assert sum(new) == held.height - until(tables, dates[t - 3])["fundamentals"].height


@pytest.mark.slow
@pytest.mark.parametrize(("change", "kind"), [("value", "1 rows changed in value"), ("late", "1 rows added")])
def test_revised_figures_are_refused_or_taken_and_logged(tables, dates, tmp_path, change, kind):
    """However long ago: a figure changed, and one that says of itself that it was known on a day held."""
    path = tmp_path / "m"
    figures = tables["fundamentals"]
    assert figures["known_at"][1] < dates[20]
    second = pl.int_range(pl.len()) == 1
    now = {**tables, "fundamentals": figures.with_columns(value=pl.when(second).then(9.0).otherwise("value"))}
    if change == "late":
        tables, now = {**tables, "fundamentals": figures.filter(~second)}, tables
    Vendor(until(tables, dates[130])).into(path)
    with pytest.raises(DataError, match=f"fundamentals: {kind}"):
        Vendor(until(now, dates[131])).into(path)
    folder = Vendor(until(now, dates[131])).into(path, accept_revisions=True)
    whole = write_market(tmp_path / "whole", until(now, dates[131]), source=ACCOUNT)
    assert folder.manifest.tables == whole.manifest.tables
    assert [one["table"] for one in folder.manifest.source["appended"][-1]["accepted"]] == ["fundamentals"]


def weights_until(tables, day):
    return tables["index_weights"].filter(pl.col("date") <= day)


def test_weights_that_stopped_long_ago_do_not_stop_the_prices(tables, dates, tmp_path):
    """The last publication lies before the days that are asked for again: nothing is new, and it is warned of."""
    quiet = weights_until(tables, dates[10])
    for t in (100, 159):
        folder = Vendor({**until(tables, dates[t]), "index_weights": quiet}).into(tmp_path / "m")
    fresh = write_market(tmp_path / "fresh", {**until(tables, dates[159]), "index_weights": quiet}, source=ACCOUNT)
    assert folder.fingerprint == fresh.fingerprint
    assert "stale_weights" in [w["code"] for w in folder.manifest.warnings]


def test_a_publication_that_comes_late_is_taken(tables, dates, tmp_path):
    """Older than the days asked for again, but newer than the last one held of its index."""
    late = weights_until(tables, dates[70])
    Vendor({**until(tables, dates[150]), "index_weights": weights_until(tables, dates[10])}).into(tmp_path / "m")
    folder = Vendor({**until(tables, dates[151]), "index_weights": late}).into(tmp_path / "m")
    assert folder.read("index_weights").equals(late.sort("index", "date", "symbol"))
    assert folder.manifest.source["appended"][-1]["rows"]["index_weights"] > 0


def test_weights_restated_at_any_time_are_revised_history(tables, dates, tmp_path):
    Vendor(until(tables, dates[150])).into(tmp_path / "m")
    known = until(tables, dates[151])
    first = pl.int_range(pl.len()) == 0
    restated = known["index_weights"].with_columns(pl.when(first).then(pl.col("weight") / 2).otherwise("weight"))
    with pytest.raises(DataError, match="index_weights: 1 rows changed in weight"):
        Vendor({**known, "index_weights": restated}).into(tmp_path / "m")
    folder = Vendor({**known, "index_weights": restated}).into(tmp_path / "m", accept_revisions=True)
    assert folder.read("index_weights").equals(restated.sort("index", "date", "symbol"))


def test_a_vendor_who_keeps_only_recent_weights_keeps_ours(tables, dates, tmp_path):
    Vendor(until(tables, dates[120])).into(tmp_path / "m")
    known = until(tables, dates[159])
    recent = known["index_weights"].filter(pl.col("date") >= dates[60])
    folder = Vendor({**known, "index_weights": recent}).into(tmp_path / "m")
    assert folder.read("index_weights").equals(known["index_weights"].sort("index", "date", "symbol"))


@pytest.mark.slow
def test_new_days_alone_have_weights_on_some_of_them(tables, dates, tmp_path):
    account = {**ACCOUNT, "only_new_days": True}
    Vendor(until(tables, dates[120])).into(tmp_path / "m")
    cut = dates[120]
    for t in range(121, 160):
        known, day = until(tables, dates[t]), pl.col("date") > cut
        new = {name: known[name].filter(day) if name in (*DATED, "index_weights") else known[name] for name in known}
        folder = Vendor({**new, "calendar": known["calendar"]}, account).into(tmp_path / "m")
        cut = dates[t]
    assert folder.read("index_weights").equals(tables["index_weights"].sort("index", "date", "symbol"))
