"""The lake on disk: what was received comes back, torn ends are nothing, damage is found, older answers stay."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.errors import DamagedFile, DataError, Unanswered, UserError
from deepfactor.lake.folder import ANSWERS, JOURNAL, Lake, content_of
from deepfactor.lake.replay import Replay
from deepfactor.lake.request import Answer, Ask, Expected, Request

NOW = datetime(2019, 4, 1, 10, tzinfo=UTC)


def answer(day: str, values: list[str | None], later: int = 0, api: str = "daily") -> Answer:
    rows = pl.DataFrame({"day": [day] * len(values), "value": values}, schema={"day": pl.String, "value": pl.String})
    return Answer(Request.of(api, {"day": day}), rows, NOW + timedelta(hours=later))


def filled(path: Path, *groups: list[Answer]) -> Lake:
    with Lake.writing(path, "v") as lake:
        for group in groups:
            lake.add(group)
    return Lake.open(path, "v")


def test_what_was_received_comes_back(tmp_path):
    given = [answer("1", ["0.10", None, ""]), answer("2", []), answer("3", ["NA"])]
    lake = filled(tmp_path / "lake", given)
    assert [one.rows for one in lake.recorded] == [3, 0, 1]
    for one, received in zip(lake.recorded, given, strict=True):
        assert one.request == received.request
        assert one.fetched_at == received.fetched_at
        assert one.content == content_of(received.rows)
        assert lake.rows([one], ["day", "value"]).equals(received.rows, null_equal=True)
    assert lake.rows(lake.of("daily"), ["value"])["value"].to_list() == ["0.10", None, "", "NA"]
    assert lake.rows([lake.recorded[2]], ["value"])["value"].to_list() == ["NA"]


def test_null_and_empty_text_have_hashes_of_their_own():
    assert len({content_of(answer("1", [value]).rows) for value in (None, "", "\x00", "0")}) >= 3


def test_the_newest_answer_stands_and_the_older_one_stays(tmp_path):
    lake = filled(tmp_path / "lake", [answer("1", ["old"]), answer("2", ["x"])], [answer("1", ["new"], later=5)])
    assert sorted(lake.rows(lake.of("daily"), ["value"])["value"]) == ["new", "x"]
    then = lake.of("daily", as_of=NOW + timedelta(hours=1))
    assert sorted(lake.rows(then, ["value"])["value"]) == ["old", "x"]
    assert lake.of("daily", as_of=NOW - timedelta(hours=1)) == []


def test_a_replay_answers_as_the_vendor_did_then(tmp_path):
    lake = filled(tmp_path / "lake", [answer("1", ["old"])], [answer("1", ["new"], later=5)])
    ask = Ask(Request.of("daily", {"day": "1"}), Expected(("day", "value")))
    assert Replay(lake).fetch(ask).rows["value"].to_list() == ["new"]
    assert Replay(lake, NOW).fetch(ask).rows["value"].to_list() == ["old"]
    with pytest.raises(Unanswered, match="no answer"):
        Replay(lake).fetch(Ask(Request.of("daily", {"day": "9"}), Expected(("day",))))
    with pytest.raises(DataError, match="lacks other"):
        Replay(lake).fetch(Ask(ask.request, Expected(("other",))))


@pytest.mark.parametrize("left", range(1, 60, 7))
def test_a_torn_end_of_the_journal_names_nothing(tmp_path, left):
    filled(tmp_path / "lake", [answer("1", ["a"])], [answer("2", ["b"])])
    journal = tmp_path / "lake" / JOURNAL
    whole = journal.read_bytes()
    first = whole.index(b"\n") + 1
    os.truncate(journal, min(first + left * 5, len(whole) - 1))
    assert [one.request["day"] for one in Lake.open(tmp_path / "lake").recorded] == ["1"]
    lake = filled(tmp_path / "lake", [answer("2", ["b"])])
    assert [one.request["day"] for one in lake.recorded] == ["1", "2"]
    assert journal.read_bytes() == whole
    assert len(list((tmp_path / "lake" / ANSWERS).rglob("*.parquet"))) == 2


def test_files_that_no_line_names_are_cleared(tmp_path):
    filled(tmp_path / "lake", [answer("1", ["a"])])
    stray = tmp_path / "lake" / ANSWERS / "daily" / "0123456789abcdef.parquet"
    stray.write_bytes(b"half")
    (stray.parent / ".x.parquet.999999999.tmp").write_bytes(b"half")
    filled(tmp_path / "lake", [answer("2", ["b"])])
    assert len(list(stray.parent.iterdir())) == 2
    assert not stray.exists()


def test_damage_is_found_and_named(tmp_path):
    lake = filled(tmp_path / "lake", [answer("1", ["a"])], [answer("2", ["b"])])
    part = tmp_path / "lake" / lake.recorded[0].part
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 4
    part.write_bytes(data)
    assert list(lake.damage()) == [lake.recorded[0].part]
    with pytest.raises(DamagedFile, match=part.name):
        Lake.open(tmp_path / "lake").rows(lake.recorded, ["value"])
    part.unlink()
    with pytest.raises(DamagedFile, match="missing"):
        lake.rows(lake.recorded, ["value"])
    journal = tmp_path / "lake" / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"rows":1', b'"rows":2', 1))
    with pytest.raises(DamagedFile, match="row 1"):
        Lake.open(tmp_path / "lake")


def test_lines_of_an_older_form_are_read_and_checked(tmp_path):
    kept = filled(tmp_path / "lake", [answer("1", ["a"])], [answer("2", ["b"])]).recorded
    journal = tmp_path / "lake" / JOURNAL
    lines = [json.dumps(json.loads(line), ensure_ascii=False) + "\n" for line in journal.read_bytes().splitlines()]
    journal.write_text("".join(lines))
    assert Lake.open(tmp_path / "lake").recorded == kept
    journal.write_text("".join(lines).replace('"rows": 1', '"rows": 2', 1))
    with pytest.raises(DamagedFile, match="row 1"):
        Lake.open(tmp_path / "lake")


def test_it_is_one_vendors_and_one_writers(tmp_path):
    filled(tmp_path / "lake", [answer("1", ["a"])])
    with pytest.raises(DataError, match="answers of v, not of w"):
        Lake.open(tmp_path / "lake", "w")
    with pytest.raises(DataError, match="no lake"):
        Lake.open(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").touch()
    with pytest.raises(DataError, match="no lake"), Lake.writing(tmp_path / "other", "v"):
        pass
    with Lake.writing(tmp_path / "lake", "v"), pytest.raises(UserError, match="another process"):  # noqa: SIM117
        with Lake.writing(tmp_path / "lake", "v"):
            pass


def test_a_newer_lake_is_refused(tmp_path):
    from deepfactor.core.checksums import sealed

    filled(tmp_path / "lake", [answer("1", ["a"])])
    (tmp_path / "lake" / "lake.json").write_text(json.dumps(sealed({"format": 2, "vendor": "v"})))
    with pytest.raises(DataError, match="newer deepfactor"):
        Lake.open(tmp_path / "lake")


def test_a_column_that_is_not_there_is_named(tmp_path):
    lake = filled(tmp_path / "lake", [answer("1", ["a"])])
    with pytest.raises(DataError, match="column other: is not there; the answer has day, value"):
        lake.rows(lake.recorded, ["other"])
