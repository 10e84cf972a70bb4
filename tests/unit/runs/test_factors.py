"""Factor files: what is read, dropped and refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.panel.scores import Scores
from deepfactor.runs.factors import Reading, read_factor, write_scores
from support.toy import toy_market

PANEL, _ = toy_market(30, 6)
DAY = PANEL.dates[5].astype(date)
SYMBOL = str(PANEL.symbols[2])


def frame(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"date": [DAY], "symbol": [SYMBOL], "score": [1.5]} | columns)


def test_scores_survive_the_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(PANEL.shape) < 0.7, rng.standard_normal(PANEL.shape), np.nan)
    write_scores(tmp_path / "f.parquet", Scores("f", PANEL.dates, PANEL.symbols, values))
    again = read_factor(tmp_path / "f.parquet", PANEL)
    np.testing.assert_array_equal(again.values, values)
    assert again.dropped == {}
    assert pl.read_parquet_schema(tmp_path / "f.parquet") == {"date": pl.Date, "symbol": pl.String, "score": pl.Float64}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_has_no_place_is_counted(tmp_path: Path, suffix: str) -> None:
    rows = frame(
        date=[DAY, DAY, date(1999, 1, 4), DAY],
        symbol=[SYMBOL, "999999.SZ", SYMBOL, str(PANEL.symbols[3])],
        score=[1.5, 2.0, 3.0, None],
    )
    path = tmp_path / f"f.{suffix}"
    getattr(rows, f"write_{suffix}")(path)
    scores = read_factor(path, PANEL, reading=Reading(partial=True))
    assert scores.values[5, 2] == 1.5
    assert np.isfinite(scores.values).sum() == 1
    assert scores.dropped == {"no score": 1, "before the market's first day": 1, "symbol not in market": 1}


BAD = {
    "no column": (frame().drop("score"), "column score"),
    "duplicate": (frame(date=[DAY] * 2, symbol=[SYMBOL] * 2, score=[1.0, 2.0]), "row 1"),
    "not a date": (frame(date=["soon"]), "row 1, column date"),
    "not a number": (frame(date=[DAY] * 2, symbol=[SYMBOL, "x"], score=["1", "much"]), "row 2, column score"),
    "nothing in common": (frame(date=[date(1999, 1, 4)]), "none of its 1 rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_the_place(tmp_path: Path, case: str) -> None:
    rows, where = BAD[case]
    rows.write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=where) as error:
        read_factor(tmp_path / "bad.parquet", PANEL)
    assert "bad.parquet" in str(error.value)


def test_no_file_and_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such factor file"):
        read_factor(tmp_path / "none.parquet", PANEL)
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match="can't be read: is text, no parquet file"):
        read_factor(tmp_path / "text.parquet", PANEL)
