"""A locked holdout: what is said of it by hand or by the verb, what frees days, what the log keeps."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from deepfactor.core.errors import DataError, UserError
from deepfactor.store.holdout import LOG, SETTINGS, log_opening, read_holdout, read_log, set_holdout

EARLY, LATE = date(2020, 1, 1), date(2021, 1, 1)


def events(market: Path) -> list[tuple[str, str | None]]:
    return [(one["event"], one["start"]) for one in read_log(market)[0]]


def test_nothing_said_is_nothing_locked(tmp_path: Path) -> None:
    assert read_holdout(tmp_path) is None
    assert not any(tmp_path.iterdir())


def test_by_hand_it_is_logged_when_first_seen_and_once(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("[holdout]\nfrom = 2020-01-01\n")
    for _ in range(2):
        held = read_holdout(tmp_path)
        assert held is not None
        assert (held.start, held.openings) == (EARLY, 0)
    assert events(tmp_path) == [("set", "2020-01-01")]


@pytest.mark.parametrize("text", ["", "[holdout]\nfrom = 2020-06-01\n"])
def test_by_hand_no_day_is_freed(tmp_path: Path, text: str) -> None:
    set_holdout(tmp_path, EARLY, "research until here")
    (tmp_path / SETTINGS).write_text(text)
    with pytest.raises(UserError, match="put it back, or open it on record"):
        read_holdout(tmp_path)


def test_more_is_locked_freely_and_less_on_record(tmp_path: Path) -> None:
    set_holdout(tmp_path, LATE, "")
    set_holdout(tmp_path, EARLY, "earlier")
    with pytest.raises(UserError, match="--open-holdout"):
        set_holdout(tmp_path, LATE, "")
    with pytest.raises(UserError, match="--open-holdout"):
        set_holdout(tmp_path, None, "")
    held = read_holdout(tmp_path)
    assert held is not None
    assert held.start == EARLY
    set_holdout(tmp_path, LATE, "a year on", opening=True)
    log_opening(tmp_path, LATE, "the last look")
    held = read_holdout(tmp_path)
    assert held is not None
    assert (held.start, held.openings) == (LATE, 1)
    set_holdout(tmp_path, None, "done", opening=True)
    assert read_holdout(tmp_path) is None
    starts = ["2021-01-01", "2020-01-01", "2021-01-01", "2021-01-01", None]
    assert events(tmp_path) == list(zip(["set", "moved", "moved", "opened", "removed"], starts, strict=True))
    whats = [one["what"] for one in read_log(tmp_path)[0]]
    assert whats == ["", "earlier", "a year on", "the last look", "done"]


def test_the_same_again_is_no_event(tmp_path: Path) -> None:
    set_holdout(tmp_path, EARLY, "")
    set_holdout(tmp_path, EARLY, "")
    assert events(tmp_path) == [("set", "2020-01-01")]


def test_a_line_that_was_changed_counts_as_an_opening(tmp_path: Path) -> None:
    set_holdout(tmp_path, EARLY, "")
    log_opening(tmp_path, EARLY, "for one thing")
    log = tmp_path / LOG
    log.write_text(log.read_text().replace("for one thing", "for nothing"))
    held = read_holdout(tmp_path)
    assert held is not None
    assert held.openings == 1


def test_what_cannot_be_written_down_stays_locked(tmp_path: Path) -> None:
    set_holdout(tmp_path, EARLY, "")
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    with pytest.raises((UserError, OSError)):
        log_opening(tmp_path, EARLY, "in secret")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[holdout]\nfrm = 2020-01-01\n", "frm"),
        ("[holdout]\nfrom = 'soon'\n", "holdout.from"),
        ("[hold]\n", "hold"),
        ("x", "TOML"),
    ],
)
def test_wrong_settings_name_their_key(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / SETTINGS).write_text(text)
    with pytest.raises((DataError, UserError), match=named):
        read_holdout(tmp_path)
