"""The Python face: a notebook's few lines, the same bytes as the commands, names that are there, torch that isn't."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import deepfactor as df
from deepfactor.core.errors import DeepfactorError, RecipeError, UserError
from deepfactor.pipeline.factor import Factor
from support.cli import deepfactor
from support.results import contents

#: What differs between two runs of one command: when, how long, and where.
TIMED = ("environment.json", "report.html", "report.json", "report.xlsx", "checksums.json")


@pytest.fixture(scope="module")
def market(small_market: Path) -> df.Market:
    return df.open_market(small_market)


@pytest.fixture(scope="module")
def close(market: df.Market) -> pd.DataFrame:
    """Adjusted closes as a researcher holds them: a row a day, a column a stock."""
    prices = market.panel["close"] * market.panel["adj_factor"]
    return pd.DataFrame(prices, index=pd.to_datetime(market.panel.dates), columns=market.panel.symbols)


@pytest.mark.slow
def test_a_notebook_from_an_own_factor_to_its_plots(market: df.Market, close: pd.DataFrame, tmp_path: Path) -> None:
    factor = -close.pct_change(20, fill_method=None)
    tested = df.test_factor(factor, market, universes=["all"], horizons=[5, 10])
    best = tested.ic.to_pandas().sort_values("rank_ic_mean").iloc[-1]
    book = df.enhance(factor, market, "csi500", constraints="study_b", start="2020-02-03")
    nav = book.nav.to_pandas().set_index("date")["excess_nav"]
    figures = [tested.plot(name) for name in tested.figures] + [book.plot(name) for name in book.figures]

    assert set(tested.ic.to_polars()["horizon"]) == {5, 10}
    assert -1 < best["rank_ic_mean"] < 1
    assert nav.index.dtype.kind == "M"
    assert nav.iloc[0] == 1.0
    assert len(nav) > 100
    assert len(figures) > 5
    assert all(len(figure.data) for figure in figures)
    assert tested.page.is_file()
    assert len(book.trades) > 50
    assert {"rank_ic"} <= {column for table in tested.tables.values() for column in table.to_polars().columns}
    place = tested.folder
    del tested, book, figures
    gc.collect()
    assert not place.exists()  # nothing is left behind


@pytest.mark.slow
def test_the_same_bytes_as_the_commands(small_market: Path, close: pd.DataFrame, tmp_path: Path) -> None:
    """Whatever the results hold but for times, and for the names of the files that they came from."""
    market = df.open_market(small_market)
    long = close.pct_change(5, fill_method=None).stack().rename_axis(["date", "asset"]).rename("reversal").reset_index()
    long.to_csv(tmp_path / "reversal.csv", index=False)
    by_name = df.read_factor(long, market, name="reversal")
    df.test_factor(by_name, market, tmp_path / "python" / "test", universes=["all"], horizons=[5])
    asked = ("test", tmp_path / "reversal.csv", "--market", small_market, "--universe", "all", "--horizon", "5")
    assert deepfactor(*asked, "--out", tmp_path / "command" / "test").code == 0
    book = df.enhance(tmp_path / "reversal.csv", market, "000905.SH", tmp_path / "python" / "book", start="2020-06-01")
    asked = ("enhance", tmp_path / "reversal.csv", "--market", small_market, "--index", "csi500")
    assert deepfactor(*asked, "--start", "2020-06-01", "--out", tmp_path / "command" / "book").code == 0
    ours, theirs = (contents(tmp_path / name) for name in ("python", "command"))
    assert set(ours) == set(theirs)
    same = [name for name in ours if Path(name).name not in TIMED]
    assert len(same) > 12
    assert [name for name in same if ours[name] != theirs[name]] == []
    assert book.place.is_dir()


def test_a_factor_is_the_same_in_every_shape(market: df.Market, close: pd.DataFrame) -> None:
    wide = -close
    stacked = wide.stack()
    stacked.index.names = [None, None]
    long = stacked.rename_axis(["datetime", "instrument"]).rename("score").reset_index()
    zoned = long.assign(datetime=long["datetime"].dt.tz_localize("Asia/Shanghai"))
    typed = long.assign(instrument=long["instrument"].astype("category"), score=long["score"].astype("Float64"))
    shapes = [wide, stacked, stacked.rename("own"), long, zoned, typed, wide.T.T, pl.from_dict(long.to_dict("list"))]
    read = [df.read_factor(one, market, name="x").scores.values for one in shapes]
    for other in read[1:]:
        np.testing.assert_array_equal(other, read[0])
    assert np.isfinite(read[0]).sum() > 10_000


@pytest.mark.slow
def test_combining_and_what_is_refused(market: df.Market, close: pd.DataFrame) -> None:
    slow, fast = -close.pct_change(20, fill_method=None), -close.pct_change(3, fill_method=None)
    made = df.combine({"slow": slow, "fast": fast}, market, method="equal", name="both")
    assert isinstance(made, Factor)
    assert made.scores.name == "both"
    assert df.test_factor(made, market, universes=["all"], horizons=[5]).name == "both"
    with pytest.raises(RecipeError, match="horizon"):
        df.test_factor(slow, market, horizon=[5])
    with pytest.raises(RecipeError, match="capital"):
        df.enhance(slow, market, "csi500", capital=-1)
    with pytest.raises(UserError, match="no table"):
        df.read_factor([1, 2], market)
    with pytest.raises(DeepfactorError):
        df.read_factor(slow.rename(columns=lambda name: f"X{name}"), market)
    with pytest.raises(UserError, match="no figure"):
        df.test_factor(slow, market, universes=["all"], horizons=[5]).plot("nothing")


@pytest.mark.slow
def test_every_name_is_there_and_torch_is_not() -> None:
    code = "import sys, deepfactor as df; light = set(df.__all__) - {'run', 'load_recipe'}"
    code += "; names = [getattr(df, name) for name in light]"
    code += "; assert all(names); assert not {'torch', 'pandas'} & set(sys.modules), 'imported'"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(df.__all__) <= set(dir(df))
    assert sorted(df.__all__) == df.__all__
    with pytest.raises(AttributeError, match="no attribute"):
        _ = df.nothing
