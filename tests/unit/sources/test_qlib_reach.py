"""Files of a qlib folder that are shorter than the others of their symbol, or than its span in all.txt."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.report.press.words import words
from deepfactor.sources.base import fetch_all
from support.bars import CODES, bars
from support.qlib_folder import field_file, theirs, write_field, write_qlib
from support.sources import open_kind

ONE = CODES[0]
N = 30


@pytest.fixture
def folder(tmp_path):
    daily = bars(n=N)
    calendar = daily.select("date").unique().sort("date")
    nothing = {
        "index_members": daily.clear().with_columns(index="symbol"),
        "index_daily": daily.clear().with_columns(index="symbol"),
    }
    write_qlib(tmp_path / "qlib", {"daily": daily, "calendar": calendar, **nothing})
    return tmp_path / "qlib"


def shortened(folder, field, first=0, stop=N, code=ONE):
    values = np.fromfile(field_file(folder, code, field), dtype="<f4")[1:]
    write_field(folder, code, field, first, values[first:stop])


def dropped(folder):
    source = open_kind({"kind": "qlib"}, folder)
    tables = dict(fetch_all(source))
    return source.describe()["dropped"], tables["daily"]


def days(folder):
    return (folder / "calendars" / "day.txt").read_text().split()


def test_whole_files_have_nothing_to_say(folder):
    assert dropped(folder)[0] == {}


@pytest.mark.parametrize("field", ["volume", "close"])
def test_a_field_that_ends_before_the_others_is_refused(folder, field):
    shortened(folder, field, stop=N - 7)
    with pytest.raises(
        DataError, match=f"ends on {days(folder)[N - 8]}, .* on {days(folder)[-1]}: dump it anew"
    ) as error:
        dropped(folder)
    assert f"{theirs(ONE).lower()}/{field}.day.bin" in str(error.value)


def test_a_field_that_begins_after_the_others_is_refused(folder):
    shortened(folder, "volume", first=3)
    with pytest.raises(DataError, match=f"begins on {days(folder)[3]}, .* on {days(folder)[0]}"):
        dropped(folder)


def test_files_that_end_before_their_span_are_counted_and_named(folder):
    for file in field_file(folder, ONE, "close").parent.iterdir():
        shortened(folder, file.name.removesuffix(".day.bin"), stop=N - 7)
    found, daily = dropped(folder)
    span = f"{ONE} {days(folder)[N - 7]} to {days(folder)[-1]}"
    reason = f"daily: not traded where a symbol's data end before its span in all.txt ({span})"
    assert found == {reason: 7}
    assert daily.height == 12 * N - 7
    assert "早于" in words().sentence_or_term(reason).zh


def test_files_without_values_at_their_end_are_counted_and_named(folder):
    for file in field_file(folder, ONE, "close").parent.iterdir():
        field = file.name.removesuffix(".day.bin")
        values = np.fromfile(file, dtype="<f4")[1:]
        values[-4:] = np.nan
        write_field(folder, ONE, field, 0, values)
    found, _ = dropped(folder)
    span = f"{ONE} {days(folder)[-4]} to {days(folder)[-1]}"
    assert found == {f"daily: not traded where a symbol's data hold no value at their end ({span})": 4}
