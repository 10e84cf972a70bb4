"""Tests and portfolios by processes: the bytes of one, what fails is named, and a signal leaves nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.pipeline import sharing
from deepfactor.pipeline.markets import open_market
from deepfactor.pipeline.sharing import Part, pays
from deepfactor.runs.failures import read_failures
from deepfactor.runs.layout import RunFolder
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.engines.processes import Processes
from support.cli import deepfactor
from support.sharing import STAGES, Home, content

ALL_BY_WORKERS = """
from deepfactor.pipeline import sharing
sharing.START = 0.0
from deepfactor.cli import main
main()
"""


@pytest.mark.slow
def test_workers_make_the_bytes_of_one_process(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, heard = home.made_by(Processes(2), home.begun(tmp_path), monkeypatch)
    assert files == home.alone()
    assert {"arms/gru_ic/factor_report.json", "portfolio/decomp_gru_ic/000905.SH/study_b/nav.parquet"} <= files.keys()
    (failed,) = read_failures(RunFolder(tmp_path / "small"))
    assert (failed.stage, failed.what, failed.code) == ("portfolio", "gru_ic · 000905.SH · impossible", 2)
    assert "must_hold" in failed.message
    assert heard.bars["factor tests"] == [(0, 2), (1, 2), (2, 2)]
    assert heard.bars["portfolios"] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert heard.bars["backtest gru_ic on 000905.SH"], "a worker's own progress"
    assert [text for text in heard.said if text.startswith("tested")] == ["tested gru_ic", "tested decomp_gru_ic"]


@pytest.mark.slow
def test_a_signal_leaves_nothing_half(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, room = home.begun(tmp_path / "runs"), tmp_path / "room"
    room.mkdir()
    words = ["run", home.recipe, "--market", home.market, "--out", runs, "--workers", "2", "--only", ",".join(STAGES)]
    command = [sys.executable, "-c", ALL_BY_WORKERS, *map(str, words)]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(room)}, stderr=subprocess.PIPE, text=True)
    while not list(runs.glob("small/arms/*/factor_report.json")):
        assert process.poll() is None
        time.sleep(0.02)
    assert list(room.iterdir()), "arrays that the workers map"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "Traceback" not in said
    assert list(room.iterdir()) == []
    assert not (runs / "small/paired_portfolios.json").exists()
    assert home.made_by(Processes(0), runs, monkeypatch)[0] == home.alone()


@pytest.mark.slow
def test_factors_of_a_file_by_workers(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of one process; a column without scores is named, and the others are tested."""
    panel = open_market(home.market).panel
    drawn = np.random.default_rng(3).standard_normal((2, 60, panel.shape[1]))
    rows = pl.DataFrame(
        {
            "date": np.repeat(panel.dates[300:360], panel.shape[1]),
            "symbol": np.tile(panel.symbols, 60).tolist(),
            "first": drawn[0].ravel(),
            "none": pl.Series([None] * drawn[0].size, dtype=pl.Float64),
            "second": drawn[1].ravel(),
        }
    )
    rows.write_parquet(tmp_path / "factors.parquet")
    monkeypatch.setattr(sharing, "START", 0.0)
    found = []
    for workers in (0, 2):
        out = tmp_path / str(workers)
        asked = ("--universe", "all", "--horizon", "5", "--columns", "score=first,score=none,score=second")
        command = ("test", tmp_path / "factors.parquet", "--market", home.market, "--out", out, "--workers", workers)
        ended = deepfactor(*command, *asked)
        assert ended.code == 2, ended.err
        assert "factor test of none: " in ended.err
        found.append((content(out / "arms"), ended.out.replace(str(out), "")))
    assert found[0] == found[1]
    assert {"first/factor_report.json", "second/ic_series.parquet"} <= found[0][0].keys()


def test_small_work_stays_in_this_process() -> None:
    parts = [Part(str(k), lambda ground, console: None, seconds=1.0) for k in range(8)]
    assert not pays(parts, Processes(0))
    assert not pays(parts, Processes(1))
    assert not pays(parts[:1], Processes(2))
    assert not pays(parts[:4], Processes(2)), f"saves 2 s, starting takes {sharing.START}"
    assert pays(parts, Processes(2))
    assert pays(parts[:6], Ray())
    assert not pays(parts, Ray(most=1))
