"""RankIC of minus the 20-day return on half a year of real data: the product against pandas on the vendor's tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from deepfactor.evaluation import factor_test
from deepfactor.evaluation.factor_test import FactorReport, TestSettings
from deepfactor.panel.build import open_panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import write_market

REAL = os.environ.get("DEEPFACTOR_REAL_DATA")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not REAL, reason="DEEPFACTOR_REAL_DATA is not set")]

# A span without one of the mapping's mended level changes, which pandas here doesn't mend.
START, END = pd.Timestamp("2018-06-01").date(), pd.Timestamp("2018-12-14").date()
HORIZONS = (5, 20)
SPANS = {"t0_close": (0, "close"), "t1_vwap": (1, "vwap"), "t1_close": (1, "close")}


@pytest.fixture(scope="module")
def slice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendor's folder with prices of the span only."""
    folder, real = tmp_path_factory.mktemp("slice"), Path(str(REAL))
    for file in real.glob("*.parquet"):
        if file.name != "prices.parquet":
            (folder / file.name).symlink_to(file)
    prices = pl.scan_parquet(real / "prices.parquet").filter(pl.col("date").is_between(START, END))
    prices.collect().write_parquet(folder / "prices.parquet")
    return folder


@pytest.fixture(scope="module")
def tested(slice_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FactorReport, pd.DataFrame]:
    """The product's report, and who is in the batch: a frame of days by symbols."""
    source = open_source(Settings(), slice_folder)
    market = tmp_path_factory.mktemp("market") / "market"
    tables = dict(fetch_all(source))
    write_market(market, tables, source=source.describe())
    panel, universe = open_panel(market)
    eligible = universe.eligible(UniverseRule(window=40, min_observed=30))
    factor = Scores("minus_20_day_return", panel.dates, panel.symbols, -trailing_return(panel, 20))
    settings = TestSettings(universes=("every", "all", "000905.SH"), horizons=HORIZONS)
    report = factor_test.test_factor(factor, panel, universe, settings, eligible=eligible)
    return report, pd.DataFrame(eligible, panel.dates, panel.symbols)


@pytest.fixture(scope="module")
def adjusted(slice_folder: Path) -> dict[str, pd.DataFrame]:
    """Adjusted close and vwap straight from the vendor's file, days by symbols; missing where there was no trade."""
    table = pl.read_parquet(slice_folder / "prices.parquet")
    raw = pd.DataFrame({name: table[name].to_numpy() for name in ("close_fen", "vwap_milli", "adj_factor")})
    raw["date"] = pd.to_datetime(table["date"].to_numpy())
    raw["symbol"] = [f"{code[2:]}.{code[:2]}" for code in table["symbol"].cast(pl.String)]
    raw["close"] = raw.close_fen / 100 * raw.adj_factor
    raw["vwap"] = raw.vwap_milli / 1000 * raw.adj_factor
    return {name: raw.pivot(index="date", columns="symbol", values=name) for name in ("close", "vwap")}


@pytest.mark.parametrize("universe", ["every", "all"])
@pytest.mark.parametrize("convention", SPANS)
def test_rank_ic_agrees_with_the_tables_each_day(tested, adjusted, universe, convention):
    report, eligible = tested
    close = adjusted["close"]
    factor = -(close / close.shift(20) - 1)
    if universe == "all":
        factor = factor.where(eligible.set_axis(factor.index)[factor.columns])
    delay, field = SPANS[convention]
    for horizon in HORIZONS:
        entry = adjusted[field].shift(-delay)
        future = adjusted[field].shift(-delay - horizon) / entry - 1
        expected = factor.where(future.notna()).rank(axis=1).corrwith(future.where(factor.notna()).rank(axis=1), axis=1)
        (found,) = [
            s
            for s in report.series
            if (s.universe, s.convention, s.horizon, s.names) == (universe, convention, horizon, "all")
        ]
        kept = np.isfinite(found.values.rank_ic)
        expected = expected.dropna()
        assert len(expected) > 60
        np.testing.assert_array_equal(found.dates[kept], expected.index.to_numpy().astype("datetime64[D]"))
        np.testing.assert_allclose(found.values.rank_ic[kept], expected, rtol=0, atol=5e-5)


def test_the_report_is_whole_and_plausible(tested):
    report, _ = tested
    content = report.to_json_dict()
    daily = {
        (r["universe"], r["convention"], r["horizon"]): r["rank_ic"]
        for r in content["records"]
        if (r["sampling"], r["names"]) == ("daily", "all")
    }
    assert all(abs(r["mean"]) < 0.2 and r["n"] > 60 for r in daily.values())
    assert [group["n"] for group in content["groups"]] == [20, 20, 10]
    assert content["groups"][2]["benchmark"] == "000905.SH"
    for group in content["groups"]:
        assert all(-0.9 < x < 3 for x in group["annual_return"])
    assert all(top["net"] < top["gross"] for top in content["top_n"])
