"""Scores of extreme size, as unprotected divisions of mined factors make them: the unit of a score doesn't count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from deepfactor.panel.returns import trailing_return
from support.cli import deepfactor

pytestmark = pytest.mark.usefixtures("styles_once")


def factor(market: Path, file: Path, scale: float) -> Path:
    """Minus the 20-day return of one year, times `scale`."""
    panel, _ = open_panel(market)
    values = -trailing_return(panel, 20)
    values[panel.dates < np.datetime64("2020-01-01")] = np.nan
    day, stock = np.nonzero(np.isfinite(values))
    columns = {"date": panel.dates[day], "symbol": panel.symbols[stock].astype(str), "score": values[day, stock]}
    pl.DataFrame(columns).with_columns(pl.col("score") * scale).write_parquet(file)
    return file


def enhanced(market: Path, folder: Path, name: str, scale: float):
    file = factor(market, folder / f"{name}.parquet", scale)
    out = folder / name
    summary = deepfactor("enhance", file, "--market", market, "--index", "000905.SH", "--out", out, "--json").json()
    report = json.loads((out / "arms" / name / "factor_report.json").read_text())
    return summary["all"], [record["ic"]["mean"] for record in report["records"]], report["groups"]


@pytest.fixture(scope="module")
def plain(small_market, tmp_path_factory):
    return enhanced(small_market, tmp_path_factory.mktemp("plain"), "plain", 1.0)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_a_portfolio_is_that_of_the_same_scores_in_another_unit(scale, plain, small_market, tmp_path):
    summary, ic, groups = enhanced(small_market, tmp_path, "extreme", scale)
    for key in ("excess", "turnover", "tracking_error", "rebalances"):
        assert summary[key] == pytest.approx(plain[0][key], rel=1e-9), key
    np.testing.assert_allclose(ic, plain[1], rtol=1e-9)
    assert groups == plain[2]
