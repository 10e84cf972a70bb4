"""Scores that `score` has left are placed by name, and files that don't fit the market are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.monitoring import day_scores
from deepfactor.runs.layout import RunFolder
from support.toy import toy_market


def test_a_file_of_another_market_fills_no_strangers_column(tmp_path: Path) -> None:
    panel, universe = toy_market(days=30, stocks=6)
    market = Market(None, panel, universe)  # type: ignore[arg-type]  # no folder is read
    folder = tmp_path / "scores" / "arm"
    folder.mkdir(parents=True)
    day, own = panel.dates[20].astype(object), panel.symbols.tolist()

    def write(symbols: list[str]) -> None:
        table = pl.DataFrame({"date": [day] * len(symbols), "symbol": symbols, "score": np.arange(len(symbols)) + 0.5})
        table.write_parquet(folder / f"{day}.parquet")

    write([own[4], own[1]])
    found = day_scores(RunFolder(tmp_path), "arm", market)
    assert (found[20, 4], found[20, 1]) == (0.5, 1.5)
    assert np.isfinite(found).sum() == 2
    write([own[4], "000999.SZ", "000998.SZ"])
    with pytest.raises(DataError, match=str(day)):
        day_scores(RunFolder(tmp_path), "arm", market)
