"""ST from a vendor's table of names: rows repeated, marks as part of a name, ends that are missing or shared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from support.bars import DAILY, bars, weekdays, write
from support.cli import Ended, deepfactor

N = 160
DAYS = weekdays(N)
FRAME = bars(n=N).drop("is_st")
PLAIN = DAILY.replace('is_st = "is_st"\n', "")
#: As Tushare delivers `namechange`: days as text, some rows twice, once of them with no end.
NAMECHANGE = """
[tables.daily.intervals]
into = "is_st"
file = "names.csv"
symbol = "ts_code"
end = "end_date"
value = "name"
matching = '^\\*?S?\\*?ST'
date_format = "%Y%m%d"
"""
STEPS = """
[[tables.daily.steps]]
into = "is_st"
file = "names.csv"
symbol = "ts_code"
date = "start_date"
value = "name"
matching = "ST"
lag_days = 0
date_format = "%Y%m%d"
"""
Row = tuple[str, str, object, object]


def text(day: object) -> str:
    return f"{day:%Y%m%d}" if isinstance(day, date) else str(day or "")


def ingest(folder: Path, rows: Sequence[Row], more: str = NAMECHANGE) -> Ended:
    mapping = write(folder / "files", FRAME, PLAIN + more)
    lines = [f"{code},{name},{text(start)},{text(end)},20200101" for code, name, start, end in rows]
    names = "\n".join(["ts_code,name,start_date,end_date,ann_date", *lines]) + "\n"
    (folder / "files" / "names.csv").write_text(names, encoding="utf-8")
    return deepfactor("ingest", mapping, folder / "market", "--folder", folder / "files")


def marked(folder: Path, code: str = "600001.SH") -> list[int]:
    """Rows of the days on which the stock is ST."""
    panel, universe = open_panel(folder / "market")
    return np.flatnonzero(universe.st[:, panel.symbols.tolist().index(code)]).tolist()


def before(day: date) -> date:
    return day - timedelta(days=1)


def names(*, repeated: bool = True, open_ends: bool = False) -> list[Row]:
    """A stock that is *ST from day 40 and ST from day 80 on to day 119."""
    spells = [("甲股份", date(2010, 1, 1)), ("*ST甲", DAYS[40]), ("ST甲", DAYS[80]), ("甲股份", DAYS[120])]
    ends = [before(DAYS[40]), before(DAYS[80]), before(DAYS[120]), None]
    rows: list[Row] = [("600001.SH", n, s, None if open_ends else e) for (n, s), e in zip(spells, ends, strict=True)]
    again: list[Row] = [("600001.SH", n, s, None) for n, s in spells] if repeated else []
    others: list[Row] = [
        ("600002.SH", "乙股份", date(2019, 12, 1), None),
        ("600002.SH", "乙股份", date(2019, 12, 15), None),
    ]
    return [*again, *rows, *rows[:2], *others]


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("open_ends", [True, False])
def test_the_spell_is_marked_whichever_way_its_rows_come(tmp_path, repeated, open_ends):
    result = ingest(tmp_path, names(repeated=repeated, open_ends=open_ends))
    assert result.code == 0, result.err
    assert marked(tmp_path) == list(range(40, 120))
    assert marked(tmp_path, "600002.SH") == []
    assert "derived: daily.is_st" in result.out


def test_names_that_are_all_missing_mark_nothing(tmp_path):
    assert ingest(tmp_path, [("600001.SH", "", DAYS[0], None)]).code == 0
    assert marked(tmp_path) == []


def test_by_steps_too(tmp_path):
    assert ingest(tmp_path, names(), STEPS).code == 0
    assert marked(tmp_path) == list(range(40, 120))
    assert marked(tmp_path, "600002.SH") == []


def test_steps_without_an_end_column_are_the_same_as_intervals(tmp_path):
    assert ingest(tmp_path, names(), NAMECHANGE.replace('end = "end_date"\n', "")).code == 0
    assert marked(tmp_path) == list(range(40, 120))


@pytest.mark.parametrize("mark", ["ST甲", "*ST甲", "S*ST甲", "SST甲", "＊ＳＴ甲", "ＳＴ　甲", " *ST甲"])
def test_the_forms_of_the_mark(tmp_path, mark):
    assert ingest(tmp_path, [("600001.SH", "甲", DAYS[0], None), ("600001.SH", mark, DAYS[150], None)]).code == 0
    assert marked(tmp_path) == list(range(150, N))


@pytest.mark.parametrize("name", ["甲ST", "甲股份", "TST甲", "STAR"])
def test_what_is_no_mark(tmp_path, name):
    """The pattern is the user's: what begins otherwise doesn't match."""
    code = ingest(tmp_path, [("600001.SH", name, DAYS[150], None)], NAMECHANGE.replace("?ST'", "?ST[^A-Z]'")).code
    assert code == 0
    assert marked(tmp_path) == []


def test_an_end_that_is_the_next_rows_start_is_the_next_rows_day(tmp_path):
    """Of a vendor whose ends are not included."""
    rows: list[Row] = [("600001.SH", "ST甲", DAYS[40], DAYS[80]), ("600001.SH", "甲", DAYS[80], None)]
    result = ingest(tmp_path, rows)
    assert marked(tmp_path) == list(range(40, 80))
    assert "a row that doesn't match" not in result.out


def test_intervals_that_overlap_hold_together_and_contradictions_are_said(tmp_path):
    rows: list[Row] = [
        ("600001.SH", "ST甲", DAYS[10], DAYS[30]),
        ("600001.SH", "*ST甲", DAYS[20], DAYS[50]),
        ("600001.SH", "甲", DAYS[45], DAYS[47]),
    ]
    result = ingest(tmp_path, rows)
    assert result.code == 0
    assert marked(tmp_path) == list(range(10, 51))
    notes = deepfactor(
        "ingest", tmp_path / "files/mapping.toml", tmp_path / "market", "--folder", tmp_path / "files", "--json"
    )
    (said,) = (note for note in notes.json()["notes"] if "doesn't match" in note)
    assert said == "daily.is_st: in 1 intervals of intervals.0 a row that doesn't match starts: they hold to their end"


def test_spells_alone_without_names(tmp_path):
    """A list of the spells: nothing is ST outside of them, and a spell without an end is one still."""
    rows: list[Row] = [("600001.SH", "", DAYS[10], DAYS[19]), ("600001.SH", "", DAYS[100], None)]
    more = NAMECHANGE.replace('value = "name"\n', "").replace("matching = '^\\*?S?\\*?ST'\n", "")
    assert ingest(tmp_path, rows, more).code == 0
    assert marked(tmp_path) == [*range(10, 20), *range(100, N)]


def test_a_list_of_the_day_is_intervals_of_one_day(tmp_path):
    """As `suspend_d` and `stock_st`: a row a day; halts within the day are left out, and counted."""
    rows: list[Row] = [("600001.SH", "", day, "") for day in DAYS[10:13]]
    rows += [("600001.SH", "", DAYS[20], "09:30-10:00")]
    more = """
[[tables.daily.intervals]]
into = "is_suspended"
file = "names.csv"
symbol = "ts_code"
start = "start_date"
end = "start_date"
drop = [{ column = "end_date", matching = ":", why = "a halt within the day" }]
date_format = "%Y%m%d"
"""
    result = ingest(tmp_path, rows, more)
    assert result.code == 0, result.err
    assert "dropped: daily.intervals.0: rows whose end_date matches : (a halt within the day): 1" in result.out
    panel, universe = open_panel(tmp_path / "market")
    traded = universe.traded[:, panel.symbols.tolist().index("600001.SH")]
    assert np.flatnonzero(~traded).tolist() == [10, 11, 12]


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (
            [("600001.SH", "ST甲", DAYS[10], None), ("600001.SH", "甲", DAYS[10], None)],
            NAMECHANGE,
            "row 2, column name: 600001.SH: another row of the same symbol starts on the same day",
        ),
        (
            [("600001.SH", "ST甲", DAYS[10], DAYS[9])],
            NAMECHANGE,
            "row 1, column end_date: 600001.SH: the interval ends",
        ),
        ([("600001.SH", "ST甲", "", DAYS[9])], NAMECHANGE, "row 1, column start_date: 600001.SH: there is no day"),
        ([("600001.SH", "ST甲", "soon", DAYS[9])], NAMECHANGE, "row 1, column start_date: 'soon'"),
        ([], NAMECHANGE, "names.csv: no rows"),
        (
            [("600001.SH", "ST甲", DAYS[10], None), ("600001.SH", "甲", DAYS[10], None)],
            STEPS,
            "row 2, column start_date: two steps of 600001.SH on 2020-01-16 contradict each other: True and False",
        ),
        ([("600001.SH", "ST甲", "", None)], STEPS, "row 1, column start_date: there is no date"),
        ([], NAMECHANGE.replace("'^\\*?S?\\*?ST'", "'*ST'"), "intervals.0.matching: is no regular expression"),
        ([], NAMECHANGE.replace("is_st", "close"), "into is a flag, is_st or is_suspended"),
        ([], NAMECHANGE.replace('value = "name"\n', ""), "value and matching belong together"),
        ([], STEPS + 'equals = "ST"\n', "equals and matching are each a flag"),
        ([], NAMECHANGE.replace("tables.daily.intervals", "tables.industry.intervals"), "tables.industry"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_row(tmp_path, rows, more, message):
    result = ingest(tmp_path, rows, more)
    assert result.code == 2, result
    assert message in result.err
    assert not (tmp_path / "market").exists()


@pytest.mark.slow
def test_day_by_day_equals_whole(tmp_path):
    """Of a market that is kept up, with the names known by then."""
    mapping = write(tmp_path / "files", FRAME, PLAIN + NAMECHANGE)
    for last in (100, 115, 121, N - 1):
        FRAME.filter(pl.col("date") <= DAYS[last]).write_parquet(tmp_path / "files" / "bars.parquet")
        known = [row for row in names() if not isinstance(row[2], date) or row[2] <= DAYS[last]]
        known = [(c, n, s, e if isinstance(e, date) and e <= DAYS[last] else None) for c, n, s, e in known]
        lines = [f"{c},{n},{text(s)},{text(e)},x" for c, n, s, e in known]
        (tmp_path / "files" / "names.csv").write_text("\n".join(["ts_code,name,start_date,end_date,ann_date", *lines]))
        result = deepfactor("ingest", mapping, tmp_path / "market", "--folder", tmp_path / "files")
        assert result.code == 0, result.err
    assert marked(tmp_path) == list(range(40, 120))
    whole = deepfactor("ingest", mapping, tmp_path / "whole", "--folder", tmp_path / "files")
    assert whole.code == 0
    assert open_panel(tmp_path / "whole")[0].fingerprint == open_panel(tmp_path / "market")[0].fingerprint


def test_a_column_of_names_day_by_day(tmp_path):
    """The name of each day stands beside its prices."""
    named = FRAME.with_columns(name=pl.when(pl.col("date") < DAYS[80]).then(pl.lit("＊ＳＴ甲")).otherwise(pl.lit("甲")))
    mapping = write(
        tmp_path / "files", named, DAILY.replace('is_st = "is_st"', "is_st = { from = 'name', matching = '^.?ST' }")
    )
    assert deepfactor("ingest", mapping, tmp_path / "market", "--folder", tmp_path / "files").code == 0
    assert marked(tmp_path) == list(range(80))
