"""Trading days that can't be: weekends, before the exchanges, ahead of today, a weekday that is missing."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.store.audit import audit_tables
from deepfactor.store.checks import check_table, days
from deepfactor.store.checks.days import last_day
from deepfactor.store.folder import write_market
from deepfactor.store.update import update
from support.bars import bars, weekdays

SOURCE = {"name": "mine", "settings": {}, "simulated": False}
LONG = bars(n=82)
TODAY = weekdays(80)[-1]
FRAME = LONG.filter(pl.col("date") <= TODAY)


def codes(frame: pl.DataFrame, last: date | None = None) -> list[tuple[str, str]]:
    """What is found, but for stocks of boards that weren't there yet."""
    findings = check_table("daily", frame, last)
    return [(f.severity, f.code) for f in findings if f.code != "before_its_board"]


def moved(frame: pl.DataFrame, days: int) -> pl.DataFrame:
    return frame.with_columns(pl.col("date").dt.offset_by(f"{days}d"))


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "_today", lambda: TODAY)


def test_plain_days_pass() -> None:
    assert codes(FRAME, TODAY) == []


@pytest.mark.parametrize("shift", [-1, 1])
def test_days_moved_by_one_lie_on_weekends(shift: int) -> None:
    (finding,) = check_table("daily", moved(FRAME, shift))
    assert (finding.severity, finding.code, finding.column) == ("error", "weekend", "date")
    assert finding.count == len([d for d in weekdays(80) if (d.weekday() + shift) % 7 > 4]) * 12
    assert finding.row == 1 + next(i for i, day in enumerate(weekdays(80)) if (day.weekday() + shift) % 7 > 4)
    assert "times of another zone" in finding.message


@pytest.mark.parametrize(("shift", "weekday"), [(-1, "Friday"), (1, "Monday")])
def test_days_moved_by_one_without_weekends_lack_a_weekday(shift: int, weekday: str) -> None:
    (finding,) = check_table("daily", moved(FRAME, shift).filter(pl.col("date").dt.weekday() < 6))
    assert finding.code == "missing_weekday"
    assert f"trading days of 2020 is a {weekday}" in finding.message


def test_a_weekday_is_missing_in_one_year_of_several() -> None:
    frame = bars(n=400)
    frame = frame.filter((pl.col("date").dt.year() == 2020) | (pl.col("date").dt.weekday() != 3))
    (finding,) = check_table("daily", frame)
    assert "trading days of 2021 is a Wednesday" in finding.message


def test_a_weekday_is_missing_on_some_stocks_alone() -> None:
    shenzhen = pl.col("symbol").str.ends_with(".SZ")
    (finding,) = check_table("daily", FRAME.filter(~shenzhen | (pl.col("date").dt.weekday() != 1)))
    assert finding.code == "missing_weekday"
    assert "5 stocks never trade on one of the weekdays, 000011.SZ on no Monday" in finding.message
    assert finding.examples[0] == "000011.SZ"


def test_a_few_days_lack_weekdays_by_chance() -> None:
    assert codes(FRAME.filter(pl.col("date") < date(2020, 1, 8))) == []


def test_days_before_the_exchanges() -> None:
    early = moved(FRAME, -7 * 2600)
    assert codes(early) == [("error", "before_exchanges")]
    assert codes(bars(n=80, start=date(1990, 12, 19))) == []


def test_a_saturday_of_a_six_day_week_passes() -> None:
    frame = bars(n=80, start=date(1992, 1, 2))
    assert codes(frame.with_columns(pl.col("date").replace(date(1992, 1, 31), date(1992, 2, 1)))) == []
    sunday = frame.with_columns(pl.col("date").replace(date(1992, 1, 31), date(1992, 2, 2)))
    assert codes(sunday) == [("error", "weekend")]


@pytest.mark.parametrize("ahead", [1, 3, 4, 700])
def test_no_day_lies_after_tomorrow(today: None, ahead: int) -> None:
    late = FRAME.with_columns(pl.col("date").replace(TODAY, TODAY + timedelta(days=7 * ahead)))
    (finding,) = check_table("daily", late, last_day(SOURCE))
    assert (finding.code, finding.count) == ("in_the_future", 12)
    assert f"today is {TODAY} in Shanghai by this machine's clock" in finding.message
    assert check_table("daily", late, last_day({"simulated": True})) == []


def test_tomorrow_may_have_come_elsewhere(today: None) -> None:
    assert last_day(SOURCE) == TODAY + timedelta(days=1)
    assert codes(FRAME, last_day(SOURCE)) == []


def test_a_calendar_is_published_ahead() -> None:
    calendar = pl.DataFrame({"date": weekdays(300, TODAY)})
    assert check_table("calendar", calendar, TODAY) == []
    wrong = calendar.with_columns(pl.col("date").dt.offset_by("1d"))
    assert [f.code for f in check_table("calendar", wrong, TODAY)] == ["weekend"]


def test_ingest_update_and_check_look(today: None, tmp_path) -> None:
    market = write_market(tmp_path / "M", {"daily": FRAME}, source=SOURCE)
    assert audit_tables(market) == []
    with pytest.raises(DataError, match=rf"column date: lies ahead: today is {TODAY}"):
        update(tmp_path / "M", lambda held: [("daily", LONG)], lambda: SOURCE)
    with pytest.raises(DataError, match="row 2, column date: the exchanges never trade on a Saturday or Sunday"):
        write_market(tmp_path / "N", {"daily": moved(FRAME, 1)}, source=SOURCE)
    held = write_market(tmp_path / "S", {"daily": LONG}, source={**SOURCE, "simulated": True})
    assert audit_tables(held) == []
