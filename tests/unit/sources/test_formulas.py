"""Arithmetic over columns that a mapping writes: what it is worth, and that nothing else is understood."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfactor.sources._formula import evaluated, looks_like_one, parsed

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
COLUMNS = {"a": [1.0, 2.0, None, 0.0], "b": [2.0, 0.0, 3.0, 0.0], "成交量": [100.0, 200.0, 300.0, 400.0]}


def value(text: str) -> list[object]:
    return evaluated(text, {name: pl.Series(COLUMNS[name]) for name in parsed(text).columns}).to_list()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a + b", [3.0, 2.0, None, 0.0]),
        ("a / b", [0.5, None, None, None]),
        ("-a * (b - 1)", [-1.0, 2.0, None, 0.0]),
        ("成交量 * 100", [1e4, 2e4, 3e4, 4e4]),
        ("`成交量` / 3", [100 / 3, 200 / 3, 100.0, 400 / 3]),
        ("first(a, b)", [1.0, 2.0, 3.0, 0.0]),
        ("max(a, b)", [2.0, 2.0, None, 0.0]),
        ("min(a, 1)", [1.0, 1.0, None, 0.0]),
        ("round(成交量 / 7, 1)", [14.3, 28.6, 42.9, 57.1]),
        ("abs(b - 2)", [0.0, 2.0, 1.0, 2.0]),
        ("when(成交量 >= 300, b, 0)", [0.0, 0.0, 3.0, 0.0]),
        ("when(a >= 1, 5, 6)", [5.0, 5.0, None, 6.0]),
        ("b == 0", [False, True, False, True]),
        ("a < 2", [True, False, None, True]),
    ],
)
def test_what_a_formula_is_worth(text: str, wanted: list[object]) -> None:
    assert value(text) == wanted


TREES = st.recursive(
    st.one_of(st.sampled_from(["x", "y"]), st.integers(1, 99).map(str)),
    lambda part: st.tuples(part, st.sampled_from("+-*/"), part).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=8,
)


@given(text=TREES.map(lambda t: f"x + {t}"), x=NUMBERS, y=NUMBERS)
def test_arithmetic_is_pythons(text: str, x: float, y: float) -> None:
    try:
        wanted: float | None = eval(text, {"x": x, "y": y})
    except ZeroDivisionError:
        wanted = None
    (made,) = evaluated(text, {"x": pl.Series([x]), "y": pl.Series([y])})
    assert made == wanted if wanted is not None and math.isfinite(wanted) else made is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("close *", "no formula"),
        ("__import__('os').system('x')", "no function"),
        ("close ** 9", "not understood"),
        ("a if b else c", "not understood"),
        ("[x for x in y]", "not understood"),
        ("close.real * 2", "not understood"),
        ("'text' + a", "not understood"),
        ("True + a", "not understood"),
        ("open(a)", "no function"),
        ("成交量(手) * 100", "back quotes"),
        ("1 + 1", "reads no column"),
        ("(a > 1) + b", "not understood"),
        ("a < b < 2", "not understood"),
        ("when(a, b, 1)", "begins with a comparison"),
        ("round(a, b)", "whole number of digits"),
        ("first(a)", "takes 2"),
        ("a * " * 300 + "a", "at most"),
        ("(" * 400 + "a" + ")" * 400, "no formula"),
        ("lambda: 1", "not understood"),
        ("a := 1", "no formula"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed(text)


def test_a_name_in_back_quotes_may_be_anything() -> None:
    assert parsed("`成交量(手)` * 100 + `a - b`").columns == ("a - b", "成交量(手)")


@pytest.mark.parametrize(("text", "formula"), [("pct-chg", False), ("Adj Close", False), ("权重(%)weight", False),
                                               ("close * volume", True), ("vol == 0", True)])  # fmt: skip
def test_a_short_form_with_an_operator_between_spaces_is_one(text: str, formula: bool) -> None:
    assert looks_like_one(text) is formula
