"""A company changes its code: one history in every table, the same whether it came at once or day by day; and a company
that a vendor carries under two codes is named."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from deepfactor.store.folder import MarketFolder
from support.bars import CODES, DAILY, INDEX, MEMBERSHIP, START, bars, weekdays, write
from support.cli import Ended, deepfactor

N, AT = 120, 80
DAYS = weekdays(N)
OLD, NEW = "000122.SZ", "000011.SZ"
WHOLE = bars(n=N)
SAID = f'renames = [{{ old = "{OLD}", new = "{NEW}", date = {DAYS[AT]} }}]\n'
PATTERN = "[[symbols]]\npattern = '000122.*'\nto = '000011.SZ'\n"
TABLE = '[rename_table]\nfile = "changes.csv"\nold = "was"\nnew = "is"\ndate = "day"\n'
LATE = (pl.col("symbol") == NEW) & (pl.col("date") == DAYS[-1])
EARLIER = (pl.col("symbol") == NEW) & (pl.col("date") < DAYS[AT])


def cut(frame: pl.DataFrame = WHOLE, factor: float = 1.0) -> pl.DataFrame:
    """The stock under its old code before the day of the change, with a factor of `factor`; by code and date."""
    level = pl.when(EARLIER).then(pl.col("adj_factor") * factor).otherwise("adj_factor")
    symbol = pl.when(EARLIER).then(pl.lit(OLD)).otherwise("symbol")
    return frame.with_columns(adj_factor=level, symbol=symbol).sort("symbol", "date")


def ingest(place: Path, frame: pl.DataFrame, mapping: str, name: str = "market") -> Ended:
    """Into `place`/`name` from `place`/files."""
    files = place / "files"
    return deepfactor("ingest", write(files, frame, mapping), place / name, "--folder", files)


def done(result: Ended) -> Ended:
    assert result.code == 0, result.err
    return result


def refused(result: Ended, *said: str) -> None:
    assert result.code == 2, (result.out, result.err)
    for part in said:
        assert part in result.err, result.err


def tables(market: Path) -> dict[str, tuple[str, ...]]:
    """Each table's parts by content."""
    return {name: tuple(p.content for p in parts) for name, parts in MarketFolder.open(market).manifest.tables.items()}


@pytest.fixture(scope="module")
def one_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Tables of the market in which the stock had one code from the start."""
    place = tmp_path_factory.mktemp("one_code")
    done(ingest(place, WHOLE, DAILY))
    return tables(place / "market")


def test_old_and_new_are_one_history(tmp_path, one_code):
    done(ingest(tmp_path, cut(), SAID + DAILY))
    assert tables(tmp_path / "market") == one_code


def test_rows_by_day_and_a_pattern_that_says_the_same(tmp_path, one_code):
    done(ingest(tmp_path, cut().sort("date", "symbol"), SAID + DAILY + PATTERN))
    assert tables(tmp_path / "market") == one_code


def test_a_pattern_alone_is_refused_and_says_how(tmp_path):
    refused(ingest(tmp_path, cut(), DAILY + PATTERN), f"two codes become one: {NEW} and {OLD}", "say so in [[renames]]")


def test_changes_in_a_table_with_the_vendors_codes(tmp_path, one_code):
    frame = cut().with_columns(pl.col("symbol").str.replace(r"(\d+)\.(\w+)", "$2$1"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "changes.csv").write_text(f"was,is,day\nSZ000122,SZ000011,{DAYS[AT]}\nBJ830799,BJ920799,\n")
    pattern = "[[symbols]]\npattern = '^(SH|SZ|BJ)([0-9]{6})$'\nto = '$2.$1'\n"
    done(ingest(tmp_path, frame.sort("symbol", "date"), DAILY + pattern + TABLE))
    assert tables(tmp_path / "market") == one_code


def test_a_chain_of_changes(tmp_path, one_code):
    first = (pl.col("symbol") == OLD) & (pl.col("date") < DAYS[30])
    frame = cut().with_columns(symbol=pl.when(first).then(pl.lit("T00018.SH")).otherwise("symbol"))
    more = f'renames = [{{ old = "T00018.SH", new = "{OLD}" }}, {{ old = "{OLD}", new = "{NEW}" }}]\n'
    done(ingest(tmp_path, frame.sort("symbol", "date"), more + DAILY))
    assert tables(tmp_path / "market") == one_code


def test_beijing_2025(tmp_path):
    """All of a board's codes on one day."""
    codes, new = [f"83000{k}.BJ" for k in range(6)], [f"92000{k}.BJ" for k in range(6)]
    days = weekdays(N, date(2025, 8, 1))
    day = date(2025, 10, 9)
    frame = bars(codes, N, start=days[0])
    late = pl.col("symbol").replace(codes, new)
    frame = frame.with_columns(symbol=pl.when(pl.col("date") >= day).then(late).otherwise("symbol"))
    (tmp_path / "files").mkdir()
    changes = "".join(f"{a},{b},{day:%Y%m%d}\n" for a, b in zip(codes, new, strict=True))
    (tmp_path / "files" / "changes.csv").write_text("was,is,day\n" + changes)
    done(ingest(tmp_path, frame.sort("symbol", "date"), DAILY + TABLE + 'date_format = "%Y%m%d"\n'))
    panel, universe = open_panel(tmp_path / "market")
    assert panel.symbols.tolist() == new
    assert universe.traded.all()


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Bars that go from open to close."""
    ends = [pl.col("open"), pl.col("close")]
    high, low = pl.max_horizontal(ends), pl.min_horizontal(ends)
    return frame.with_columns(high=high, low=low, amount=pl.col("volume") * pl.col("close"))


def test_a_factor_file_may_have_the_old_codes(tmp_path):
    """Of a history that was scored before the change, or whose codes were never brought up to date."""
    done(ingest(tmp_path, cut(), SAID + DAILY))
    scores = cut().select("date", "symbol", score=-pl.col("close"))
    for name, frame in (("old", scores), ("new", scores.with_columns(pl.col("symbol").replace(OLD, NEW)))):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        asked = ("--market", tmp_path / "market", "--out", tmp_path / name, "--universe", "every", "--horizon", 5)
        result = done(deepfactor("test", tmp_path / f"{name}.parquet", *asked))
        assert f"rows: {scores.height:,} in the file, {scores.height:,} matched" in result.out
        assert (f"symbols read as the market's: {OLD} as {NEW}" in result.out) == (name == "old")
    one, other = ((tmp_path / name / "arms" / name / "ic_series.parquet") for name in ("old", "new"))
    assert pl.read_parquet(one).equals(pl.read_parquet(other))


LEVELS = [
    ("a factor that falls has started anew", {}, 3.2, 0.0, 1.0),
    ("a factor that goes on", {}, 1.0, 0.0, 1.0),
    ("a higher level without a drop of the price has started anew", {}, 0.4, 0.0, 1.0),
    ("a prev_close says what the day's return was", {"prev": True}, 3.2, 0.0, 1.0),
    ("shares of a merger", {"shares": 2.0}, 1.0, 0.5, 1.0),
    ("shares of one to one", {"shares": 1.0}, 3.2, 0.0, 1.0),
]


@pytest.mark.parametrize(("what", "more", "factor", "halved", "_"), LEVELS, ids=[level[0] for level in LEVELS])
def test_the_return_across_the_change(tmp_path, what, more, factor, halved, _):
    """Whatever the level of the factor under the new code, the adjusted return is the day's."""
    frame = WHOLE
    if halved:  # each old share became two of half the price
        late = ~EARLIER & (pl.col("symbol") == NEW)
        prices = [pl.when(late).then((pl.col(c) * halved).round(2)).otherwise(c).alias(c) for c in ("open", "close")]
        frame = plain(frame.with_columns(prices))
    if more.get("prev"):
        before = pl.col("close").shift(1).over("symbol")
        frame = frame.with_columns(prev_close=before)
    columns = DAILY + ('prev_close = "prev_close"\n' if more.get("prev") else "")
    said = SAID.replace(" }]", f", shares = {more['shares']} }}]") if "shares" in more else SAID
    done(ingest(tmp_path, cut(frame, factor), said + columns))
    panel, _ = open_panel(tmp_path / "market")
    n = panel.symbols.tolist().index(NEW)
    adjusted = panel["close"][:, n].astype(float) * panel["adj_factor"][:, n]
    close = frame.filter(pl.col("symbol") == NEW)["close"].to_numpy()
    expected = close[1:] / close[:-1] - 1
    expected[AT - 1] = close[AT] * (2 if halved else 1) / close[AT - 1] - 1
    np.testing.assert_allclose(adjusted[1:] / adjusted[:-1] - 1, expected, atol=1e-5)
    notes = MarketFolder.open(tmp_path / "market").manifest.source["notes"]
    moved = [note for note in notes if "on the level after it" in note]
    assert len(moved) == (factor != 1 or bool(halved))


def test_a_dividend_on_the_day_of_the_change_stays_one(tmp_path):
    """The factor rises by a third and the price falls for it: no new level."""
    late = (pl.col("symbol") == NEW) & (pl.col("date") >= DAYS[AT])
    split = [
        pl.when(late).then((pl.col(c) * 0.75).round(2)).otherwise(c).alias(c) for c in ("open", "high", "low", "close")
    ]
    frame = WHOLE.with_columns(split).with_columns(
        adj_factor=pl.when(late).then(4 / 3).otherwise(1.0),
        amount=pl.when(late).then(pl.col("volume") * pl.col("close")).otherwise("amount"),
    )
    done(ingest(tmp_path, cut(frame), SAID + DAILY))
    panel, _ = open_panel(tmp_path / "market")
    factor = panel["adj_factor"][:, panel.symbols.tolist().index(NEW)]
    assert (factor[AT - 1], factor[AT]) == (1.0, 4 / 3)


def test_a_level_that_cant_be_told_is_refused(tmp_path):
    """A factor a little higher: a dividend of five per cent, or another level?"""
    refused(
        ingest(tmp_path, cut(WHOLE, 0.95), SAID + DAILY), f"{NEW} has a new code from", "give prev_close, or shares"
    )
    assert not (tmp_path / "market").exists()


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pl.concat([WHOLE, cut().filter(pl.col("symbol") == OLD)]), "is there under two of its codes: drop the rows"),
        (
            cut().with_columns(symbol=pl.when(LATE).then(pl.lit(OLD)).otherwise("symbol")),
            "the old code of 000011.SZ has",
        ),
    ],
)
def test_days_under_both_codes_are_refused_with_their_row(tmp_path, frame, said):
    frame = frame.sort("symbol", "date")
    result = ingest(tmp_path, frame, SAID + DAILY)
    refused(result, said, "bars.parquet, row ", "column date")
    row = int(result.err.split("bars.parquet, row ")[1].split(",")[0]) - 1
    assert frame["symbol"][row] in (OLD, NEW)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('renames = [{ old = "000122.SZ", new = "900901.SH" }]\n', "'900901.SH', the new code, is no A-share's"),
        (SAID.replace("}]", f'}}, {{ old = "{OLD}", new = "000012.SZ" }}]'), "it can become one code only"),
        (SAID.replace("}]", f'}}, {{ old = "{NEW}", new = "{OLD}" }}]'), "codes go round in a circle"),
        (SAID.replace(NEW, OLD), "codes go round in a circle"),
        (SAID.replace("}]", ", shares = 0 }]"), "shares"),
        (SAID.replace("new", "neu"), "neu"),
    ],
)
def test_changes_that_cant_be(tmp_path, more, said):
    refused(ingest(tmp_path, cut(), more + DAILY), said)


def others(folder: Path, *, changes: bool = True, until: date = DAYS[-1]) -> None:
    """Weights, industries, listings, reports and marks as known on `until`; the stock under its old code till then."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = changes and until >= DAYS[AT]

    def code(symbol: str, day: date) -> str:
        return OLD if changes and symbol == NEW and day < DAYS[AT] else symbol

    def lines(name: str, head: str, *rows: str) -> None:
        (folder / name).write_text("\n".join([head, *rows]) + "\n")

    dates = [day for day in DAYS[::21] if day <= until]
    weights = [f"{INDEX},{day},{code(c, day)},{1 / 12:.6f}" for day in dates for c in CODES]
    lines("weights.csv", "index,date,symbol,weight", *weights)
    ends = {NEW: (DAYS[AT] - timedelta(days=1), DAYS[AT])} if changed else {}
    starts = [f"{code(c, START)},I{k % 3},2010-01-01,{ends.get(c, ('', ''))[0]}" for k, c in enumerate(CODES)]
    again = [f"{NEW},I{CODES.index(NEW) % 3},{DAYS[AT]},"] if changed else []
    lines("industry.csv", "symbol,industry,since,until", *starts, *again)
    listed = [f"{code(c, START)},name,2005-03-01,{ends.get(c, ('', ''))[1]}" for c in CODES]
    lines("listed.csv", "symbol,name,listed,gone", *listed, *([f"{NEW},name,{DAYS[AT]},"] if changed else []))
    told = [day for day in (date(2019, 4, 30), date(2020, 5, 11)) if day < until]
    reports = [f"{code(c, day)},{day.year - 1}-12-31,{day},{k}" for day in told for k, c in enumerate(CODES)]
    twice = [f"{NEW},2018-12-31,2019-04-30,{CODES.index(NEW)}"] if changed else []
    lines("reports.csv", "symbol,period,told,profit", *reports, *twice)
    marks = [f"{code(NEW, day)},{mark},{day}" for day, mark in ((START, "A"), (DAYS[20], "ST"), (DAYS[90], "A"))]
    lines("marks.csv", "symbol,mark,since", *(mark for mark in marks if mark[-10:] <= str(until)))


MORE = """
[tables.securities]
file = "listed.csv"
columns = { symbol = "symbol", name = "name", list_date = "listed", delist_date = "gone" }
[[fundamentals.statements]]
file = "reports.csv"
period = "period"
announced = "told"
items = { net_profit_ytd = "profit" }
[[tables.daily.steps]]
into = "is_st"
file = "marks.csv"
date = "since"
value = "mark"
matching = "ST"
lag_days = 0
"""
ALL = DAILY.replace('is_st = "is_st"\n', "") + MEMBERSHIP + MORE


def test_every_table_is_one_history(tmp_path):
    others(tmp_path / "files")
    done(ingest(tmp_path, cut().drop("is_st"), SAID + ALL))
    others(tmp_path / "files", changes=False)
    done(ingest(tmp_path, WHOLE.drop("is_st"), ALL, name="one_code"))
    one, other = (MarketFolder.open(tmp_path / name) for name in ("market", "one_code"))
    for table in one.manifest.tables:
        if table != "industry":
            assert one.read(table).equals(other.read(table)), table
    mine = one.read("industry").filter(pl.col("symbol") == NEW)
    assert mine["start_date"].to_list() == [date(2010, 1, 1), DAYS[AT]]
    (first, u), (second, v) = (open_panel(tmp_path / name) for name in ("market", "one_code"))
    assert first.symbols.tolist() == second.symbols.tolist()
    for name in ("listed", "traded", "st", "industry", "limit_up"):
        assert np.array_equal(getattr(u, name), getattr(v, name)), name
    assert np.array_equal(u.members[INDEX], v.members[INDEX])
    st = u.st[:, first.symbols.tolist().index(NEW)]
    assert np.flatnonzero(st).tolist() == list(range(20, 90))


def grow(place: Path, frame: pl.DataFrame, mapping: str, changes: str) -> list[Ended]:
    """A market kept up: to the day before the change, the evening of it, and later days."""
    out = []
    for last in (AT - 1, AT, AT + 1, N - 1):
        held = frame.filter(pl.col("date") <= DAYS[last])
        others(place / "files", until=DAYS[last])
        (place / "files" / "changes.csv").write_text("was,is,day\n" + (changes if last >= AT else ""))
        out.append(done(ingest(place, held, mapping)))
    return out


@pytest.mark.parametrize("factor", [1.0, 3.2])
@pytest.mark.parametrize("announced", [True, False])
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


@pytest.mark.parametrize("factor", [1.0, 3.2])
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
