"""Some weeks of the real market: every limit of every target, recomputed from the tables without our code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepfactor.core.kind import Kind
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.markets import StyleSets, open_market
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import write_market

REAL = os.environ.get("DEEPFACTOR_REAL_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL, reason="DEEPFACTOR_REAL_DATA is not set: no test has seen real data"),
]

START, FIRST, END = date(2020, 2, 3), date(2020, 8, 3), date(2020, 9, 30)
INDEX = "000905.SH"
STUDIES = ("study_a", "study_b")
ROOT = Path(__file__).parents[2]
SCRIPTS = [ROOT / "tests" / "oracles" / name for name in ("recompute.py", "recompute_styles.py")]


@pytest.fixture(scope="module")
def portfolios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``market``, some months, and minus the 20-day return on CSI 500 under both studies' constraints."""
    folder = tmp_path_factory.mktemp("real_constraints")
    source = open_source(Settings(mapping="ashare_parquet"), Path(str(REAL)))
    tables = {name: frame for name, frame in fetch_all(source, START, END) if name != "fundamentals"}
    write_market(folder / "market", tables, source=source.describe())
    market = open_market(folder / "market")
    late = (market.panel.dates >= np.datetime64(FIRST))[:, None]
    values = np.where(late, -trailing_return(market.panel, 20), np.nan)
    scores = Scores("reversal_20", market.panel.dates, market.panel.symbols, values)
    sets = StyleSets(market)
    eligible = market.universe.eligible(UniverseRule(window=100, min_observed=60))
    for study in STUDIES:
        place = folder / INDEX / study
        portfolio = Portfolio(index=INDEX, constraints=study)
        styles = sets.of(load_constraints(portfolio).styles or Kind(kind="basic")).exposures
        backtest_to(place, market, scores, styles, portfolio, eligible, Silent())
    return folder


def recomputed(market: Path, places: list[Path]) -> tuple[int, dict[str, Any]]:
    """The script's exit code and what it found, by study; a process of its own, which does not import deepfactor."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.oracles.recompute", market, *places],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": ""}, cwd=ROOT,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, {Path(place).name: found for place, found in json.loads(done.stdout).items()}


def test_every_target_keeps_its_limits_or_says_so(portfolios: Path) -> None:
    for script in SCRIPTS:
        assert "deepfactor" not in "".join(x for x in script.read_text().splitlines() if "import" in x)
    code, found = recomputed(portfolios / "market", [portfolios / INDEX / study for study in STUDIES])
    for study in STUDIES:
        assert found[study]["violations"] == 0, found[study]["examples"]
        assert found[study]["rebalances"] >= 8
        assert found[study]["checked"] > 300 * found[study]["rebalances"]
    assert code == 0


def test_a_run_is_checked_portfolio_by_portfolio_and_summed(portfolios: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "found.json"
    for study in STUDIES:
        shutil.copytree(portfolios / INDEX / study, run / "portfolio" / "reversal_20" / INDEX / study)
    command = [sys.executable, "-m", "tests.oracles.recompute", portfolios / "market", run]
    done = subprocess.run(
        [*command, "--out", out, "--styles-every", "20"],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": ""}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found == json.loads(done.stdout)
    assert list(found) == [f"reversal_20/{INDEX}/{study}" for study in STUDIES]
    assert len(done.stderr.splitlines()) == len(STUDIES)
    for study in STUDIES:
        one = found[f"reversal_20/{INDEX}/{study}"]
        relaxed = pl.read_parquet(portfolios / INDEX / study / "relaxations.parquet")["date"].n_unique()
        assert (one["violations"], one["relaxed_rebalances"]) == (0, relaxed)


def test_a_folder_without_portfolios_is_no_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.oracles.recompute", tmp_path, tmp_path],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": ""}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert "neither a portfolio" in done.stderr


def test_the_check_sees_a_weight_that_moved(portfolios: Path, tmp_path: Path) -> None:
    """A planted fault: a name's last target is raised by a hundredth of a percent."""
    place = tmp_path / INDEX / "study_b"
    shutil.copytree(portfolios / INDEX / "study_b", place)
    weights = pl.read_parquet(place / "weights.parquet")
    one = (pl.col("date") == pl.col("date").max()) & (pl.col("weight") == pl.col("weight").max().over("date"))
    raised = pl.when(one).then(pl.col("weight") + 1e-4).otherwise(pl.col("weight")).alias("weight")
    weights.with_columns(raised).write_parquet(place / "weights.parquet")
    code, found = recomputed(portfolios / "market", [place])
    assert code == 1
    assert any(example.startswith("budget") for example in found["study_b"]["examples"])


def test_the_check_sees_an_index_weight_that_moved(portfolios: Path, tmp_path: Path) -> None:
    """A planted fault: the index weight of a small member is raised, and no inclusion factor could raise it so."""
    place = tmp_path / INDEX / "study_b"
    shutil.copytree(portfolios / INDEX / "study_b", place)
    weights = pl.read_parquet(place / "weights.parquet")
    inside = pl.col("benchmark_weight") > 0
    one = inside & (pl.col("benchmark_weight") == pl.col("benchmark_weight").filter(inside).min().over("date"))
    raised = pl.when(one).then(pl.col("benchmark_weight") * 4).otherwise(pl.col("benchmark_weight"))
    weights.with_columns(benchmark_weight=raised).write_parquet(place / "weights.parquet")
    code, found = recomputed(portfolios / "market", [place])
    assert code == 1
    assert any(example.startswith("benchmark") for example in found["study_b"]["examples"])
