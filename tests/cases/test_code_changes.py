"""A company changes its code: one history in every table."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from deepfactor.store.folder import MarketFolder
from support.bars import DAILY, INDEX, bars, weekdays
from support.changes import (
    ALL,
    AT,
    DAYS,
    EARLIER,
    LATE,
    NEW,
    OLD,
    PATTERN,
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
from support.cli import deepfactor


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


def test_changes_with_the_vendors_codes_and_one_that_no_row_answers_to(tmp_path, one_code):
    frame = cut().with_columns(pl.col("symbol").str.replace(r"(\d+)\.(\w+)", "$2$1")).sort("symbol", "date")
    pattern = "[[symbols]]\npattern = '^(SH|SZ|BJ)([0-9]{6})$'\nto = '$2.$1'\n"
    changes = '{ old = "SZ000122", new = "SZ000011" }, { old = "000123.SZ", new = "000012.SZ" }'
    done(ingest(tmp_path, frame, f"renames = [{changes}]\n" + DAILY + pattern))
    assert tables(tmp_path / "market") == one_code
    assert MarketFolder.open(tmp_path / "market").manifest.source["notes"] == [
        "renames: no row has the old code 000123.SZ"
    ]


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


@pytest.mark.slow
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
        (SAID.replace(OLD, "000122"), "'000122' is 000122.SZ in another form"),
    ],
)
def test_changes_that_cant_be(tmp_path, more, said):
    refused(ingest(tmp_path, cut(), more + DAILY), said)


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
