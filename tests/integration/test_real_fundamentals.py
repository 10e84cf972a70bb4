"""Two vendors' views of the same reports: statements with announcement dates against steps of trailing profits."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from deepfactor.sources._fundamentals import columns_of, statement_figures
from deepfactor.sources._mapping_parts import Statements
from deepfactor.sources.tables import Files, Settings, open_source

REPORTS = "quarterly_reports_2014_2016.parquet"
REAL = os.environ.get("DEEPFACTOR_REAL_DATA", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL, reason="DEEPFACTOR_REAL_DATA is not set: no test has seen real data"),
]
KEY = ["symbol", "period_end"]


@pytest.fixture(scope="module")
def compared() -> pl.DataFrame:
    """Trailing profit of each report by both, and the days on which each is known."""
    folder = Path(REAL)
    source = open_source(Settings(mapping="ashare_parquet"), folder)
    days = source.fetch("daily", None, None)["date"].unique().sort()
    steps = source.fetch("fundamentals", None, None).filter(pl.col("item") == "net_profit_ttm")
    spec = Statements.model_validate(
        {
            "file": REPORTS,
            "period": "period",
            "announced": "report_date",
            "items": {"net_profit_ytd": {"from": "net_profits", "multiply": 10_000}},
        }
    )
    extract = Files(folder).read(spec, columns_of(spec), spec.where, "reports")
    read = source._changes.codes.read(extract, {"symbol": spec.symbol}, drop=True)
    reports, guessed = statement_figures(read.extract, spec, read.codes["symbol"], days)
    assert guessed == 0
    ytd = reports.drop_nulls("value").select(*KEY, "value", reported="known_at")
    year, quarter = pl.col("period_end").dt.year(), pl.col("period_end").dt.quarter()
    before = ytd.with_columns(period_end=pl.col("period_end").dt.offset_by("1y")).rename({"value": "before"})
    whole = ytd.filter(quarter == 4).select("symbol", year=year + 1, whole="value")
    both = ytd.join(before.select(*KEY, "before"), on=KEY, how="left").with_columns(year=year)
    both = both.join(whole, on=["symbol", "year"], how="left")
    last_year = pl.col("whole") - pl.col("before")
    both = both.with_columns(
        quarter=quarter, trailing=pl.col("value") + pl.when(quarter < 4).then(last_year).otherwise(0)
    )
    stood = (
        steps.drop_nulls("value")
        .sort("known_at")
        .unique(KEY, keep="last")
        .select(*KEY, step="value", stepped="known_at")
    )
    return both.join(stood, on=KEY).drop_nulls("trailing")


def test_the_quarter_of_a_step_is_that_of_the_report(compared: pl.DataFrame) -> None:
    """An annual report that comes out with the first quarter's is one step: a fifth of the annual figures."""
    agree = compared.with_columns(same=(pl.col("trailing") / pl.col("step") - 1).abs() < 0.01)
    interim, annual = (agree.filter(pl.col("quarter").is_in(quarters))["same"] for quarters in ([1, 2, 3], [4]))
    assert len(interim) > 4000
    assert interim.mean() > 0.98
    assert len(annual) > 5000
    assert annual.mean() > 0.75


def test_steps_are_known_when_the_reports_are(compared: pl.DataFrame) -> None:
    interim = compared.filter(pl.col("quarter") < 4)
    late = (interim["stepped"] - interim["reported"]).dt.total_days()
    assert late.median() == 0
    assert (late.abs() <= 1).mean() > 0.85
