"""How a date is understood: one rule for all that comes in."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from deepfactor.store.dates import NoDate, as_days, has_clock

DAY = date(2020, 1, 2)
#: One day, however it is written: text, with a clock (whose day it is in Shanghai where it has a zone), whole numbers.
WRITINGS = (
    *("2020-01-02", "2020-1-2", " 2020-01-02 ", "2020/01/02", "2020.1.2", "20200102", "20200102.0", "2020年1月2日"),
    *("2020-01-02 00:00:00", "2020-01-02T15:00", "2020-01-02 23:59:59.999999", "20200102T1500"),
    *("2020-01-01T16:00:00Z", "2020-01-01 16:00:00+00:00", "2020-01-01T16:00:00.000+0000", "20200101T160000Z"),
    *("2020-01-02 00:00:00+08:00", "2020-01-02T00:00:00+08", "2020-01-02T00:00:00+08:00[Asia/Shanghai]"),
    *("2020-01-02 00:00:00 UTC", "2020-01-02 00:00:00-05:00", "2020-01-02T15:59:59Z"),
    *(20200102, 20200102.0),
)
BEIJING = timezone(timedelta(hours=8))


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_day_in_any_writing(writing: object) -> None:
    assert as_days(pl.Series([writing, None])).to_list() == [DAY, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize(
    ("when", "zone"),
    [
        (datetime(2020, 1, 1, 16), "UTC"),
        (datetime(2020, 1, 2), "Asia/Shanghai"),
        (datetime(2020, 1, 2, 23, 59), "Asia/Shanghai"),
        (datetime(2020, 1, 1, 11), "America/New_York"),
        (datetime(2020, 1, 2, 23, 59), None),
        (datetime(2020, 1, 2), None),
    ],
)
def test_times_are_days_in_shanghai_or_keep_their_date(when: datetime, zone: str | None, unit: str) -> None:
    times = pl.Series([when, None]).dt.cast_time_unit(unit)  # type: ignore[arg-type]
    assert as_days(times.dt.replace_time_zone(zone)).to_list() == [DAY, None]


@pytest.mark.parametrize("unit", ["D", "ms", "us", "ns"])
def test_columns_of_numpy(unit: str) -> None:
    assert as_days(pl.Series(np.array(["2020-01-02"], f"datetime64[{unit}]"))).to_list() == [DAY]


def test_categories_are_text() -> None:
    assert as_days(pl.Series(["2020-01-02"], dtype=pl.Categorical)).to_list() == [DAY]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("02/01/2020", "%d/%m/%Y"),
        ("01/02/2020", "%m/%d/%Y"),
        ("2Jan2020", "%d%b%Y"),
        ("20200102", "%Y%m%d"),
        ("2020-01-01T16:00:00+0000", "%Y-%m-%dT%H:%M:%S%z"),
        ("2020-01-01 16:00:00 +00:00", "%Y-%m-%d %H:%M:%S %:z"),
        ("2020-01-02 16:00:00", "%Y-%m-%d %H:%M:%S"),
        ("1577894400", "%s"),
    ],
)
def test_a_format_says_what_is_meant(text: str, form: str) -> None:
    assert as_days(pl.Series([text, None, "NA"]), form).to_list() == [DAY, None, None]
    if text.isdigit():
        assert as_days(pl.Series([int(text)]), form).to_list() == [DAY]


NO_DATES = {
    "day or month": ("01/02/2020", "day or month first, who knows"),
    "day surely": ("31/01/2020", "day or month first, who knows"),
    "two digits": ("20-01-02", "day or month first, who knows"),
    "seconds": (1577894400, "a time since 1970"),
    "milliseconds": (1577894400000, "a time since 1970"),
    "nanoseconds": (1577894400000000000, "a time since 1970"),
    "seconds as text": ("1577894400", "a time since 1970"),
    "Excel": (43832, "a day number of Excel's"),
    "Excel as text": ("43832.0", "a day number of Excel's"),
    "no such day": ("2020-02-30", "no such day"),
    "no such month": (20201301, "no such day"),
    "no such hour": ("2020-01-02 25:00", "no such day or time"),
    "zone without a clock": ("2020-01-02Z", "write dates as 2020-01-02"),
    "a month": ("2020-01", "write dates as 2020-01-02"),
    "words": ("soon", "'soon' is no date"),
    "part of a day": (20200102.5, "is no date"),
    "infinite": (float("inf"), "is no date"),
    "huge": (1e300, "is no date"),
    "year 0": ("0001-01-01", "is no date"),
}


@pytest.mark.parametrize("case", NO_DATES)
def test_what_is_no_date_is_refused_with_its_row(case: str) -> None:
    value, said = NO_DATES[case]
    with pytest.raises(NoDate, match=said) as error:
        as_days(pl.Series([None, value]))
    assert error.value.position == 1


@pytest.mark.parametrize("other", ["2020/01/03", "20200103", "2020-01-03 00:00:00", "2020-01-03T00:00:00Z"])
def test_two_writings_in_one_column_are_refused(other: str) -> None:
    with pytest.raises(NoDate, match="is of another form than '2020-01-02' above") as error:
        as_days(pl.Series(["2020-01-02", "2020-01-02", other]))
    assert error.value.position == 2


def test_offsets_may_differ() -> None:
    assert as_days(pl.Series(["2020-01-02T00:00:00+08:00", "2020-01-01T16:00:00Z"])).to_list() == [DAY, DAY]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %Z"])
def test_a_format_that_leaves_a_zone_out_is_refused(form: str) -> None:
    with pytest.raises(NoDate, match="names a zone without reading it"):
        as_days(pl.Series(["2020-01-01T16:00:00Z"]), form)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pl.Series([[DAY]]), "holds lists"),
        (pl.Series([{"a": DAY}]), "holds records"),
        (pl.Series([b"2020-01-02"]), "holds bytes"),
        (pl.Series([time(1)]), "holds times of day"),
        (pl.Series([timedelta(1)]), "holds durations"),
        (pl.Series([True]), "holds true and false"),
    ],
)
def test_columns_of_other_kinds_are_named_in_words(column: pl.Series, said: str) -> None:
    with pytest.raises(NoDate, match=said) as error:
        as_days(column)
    assert error.value.position is None


def test_clocks() -> None:
    assert has_clock(pl.Series([datetime(2020, 1, 2, 16), None]))
    assert not has_clock(pl.Series([datetime(2020, 1, 2), None]))
    assert not has_clock(pl.Series([datetime(2020, 1, 2, 16, tzinfo=ZoneInfo("UTC"))]))
    assert not has_clock(pl.Series([DAY]))


def test_a_zone_of_python_is_read() -> None:
    assert as_days(pl.Series([datetime(2020, 1, 2, tzinfo=BEIJING)])).to_list() == [DAY]
