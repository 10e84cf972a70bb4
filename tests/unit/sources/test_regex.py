from __future__ import annotations

import time

import pytest
from pydantic import ValidationError

from deepfactor.sources._mapping_columns import Pattern
from deepfactor.sources._regex import compiled, searched


@pytest.mark.parametrize(
    "good", [r"(\d{6})\.(SH|SZ)", r"\d+", r"(SH|SZ)?\d{6}", r"(?:\d{3},?){2}", r"[A-Z]+\d*", "", r"^\*?ST"]
)
def test_patterns_of_people(good):
    assert compiled(good) == good
    assert searched(good) == good


@pytest.mark.parametrize(
    "bad", [r"(a+)+$", r"(\d*)*", r"((\d|\.)+x?)+", r"(?:(?:ab)+,)*", r"((\d+)+)+\.SH", r"(x+?)+?y"]
)
def test_what_could_take_for_ever(bad):
    with pytest.raises(ValueError, match="can take for ever"):
        compiled(bad)
    assert searched(bad) == bad, "polars' take as long as the text"


@pytest.mark.parametrize("bad", ["(", "[", "*", "(?P<a>x", "\\", "x{99999999999999999999}"])
def test_what_is_none(bad):
    for read in (compiled, searched):
        with pytest.raises(ValueError, match="is no regular expression"):
            read(bad)


def test_look_around_is_for_python_alone():
    assert compiled("(?=S)ST") == "(?=S)ST"
    with pytest.raises(ValueError, match="look-around"):
        searched("(?=S)ST")


@pytest.mark.parametrize(
    ("to", "says"), [("$9", r"\$9 is no group of the pattern, which has 2"), ("$1.$0", r"\$0 is no group")]
)
def test_groups_that_are_not_there(to, says):
    with pytest.raises(ValidationError, match=says):
        Pattern(pattern=r"(\d{6})(SH)", to=to)


def test_a_group_that_took_no_part_is_empty():
    assert Pattern(pattern=r"(\d{6})(\.SH)?|(x)", to="$1$2").apply("600000") == "600000"


def test_time_stays_small():
    began = time.process_time()
    assert Pattern(pattern=r"[A-Z0-9.]+!", to="x").apply("A" * 10_000) is None
    assert time.process_time() - began < 5
