"""Values of other powers of ten: a finding that names row and column, whatever else is right."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from deepfactor.store.checks import Basis, Finding, check_table
from support.bars import bars

MANY = bars(n=30).with_columns(vwap=pl.col("close"), total_mv=pl.col("float_mv") * 2, turnover=pl.lit(0.01))


def levels(frame: pl.DataFrame, basis: Basis = Basis()) -> list[Finding]:
    return [one for one in check_table("daily", frame, basis=basis) if one.code.endswith("_level")]


def at(row: int, column: str, value: float) -> pl.DataFrame:
    return MANY.with_columns(pl.when(pl.int_range(pl.len()) == row).then(value).otherwise(pl.col(column)).alias(column))


def test_what_markets_have_is_none():
    assert levels(MANY) == []


@pytest.mark.parametrize(
    ("column", "value", "severity"),
    [
        ("float_mv", 0.01, "error"),
        ("float_mv", 1e30, "error"),
        ("total_mv", 5e5, "warning"),
        ("volume", 1e30, "error"),
        ("volume", 1e12, "warning"),
        ("amount", 1e30, "error"),
        ("close", 1e7, "error"),
        ("close", 1e38, "error"),
        ("close", 2e4, "warning"),
        ("adj_factor", 1e38, "error"),
        ("adj_factor", 1e-38, "error"),
        ("adj_factor", 1e6, "warning"),
        ("turnover", 1e30, "error"),
        ("turnover", 35.0, "warning"),
    ],
)
def test_other_powers_of_ten(column, value, severity):
    (finding,) = levels(at(7, column, value))
    assert (finding.severity, finding.column, finding.row, finding.count) == (severity, column, 8, 1)
    assert finding.code == {"error": "impossible_level", "warning": "strange_level"}[severity]


def test_adjusted_prices_may_have_grown():
    assert levels(at(7, "close", 2e5), Basis(adjusted=True)) == []
    assert levels(at(7, "close", 1e8), Basis(adjusted=True))[0].severity == "error"


def test_index_levels():
    frame = pl.DataFrame({"index": ["000300.SH"], "date": [date(2020, 1, 2)], "close": [1e38]})
    (finding,) = check_table("index_daily", frame)
    assert (finding.code, finding.severity, finding.row) == ("impossible_level", "error", 1)
