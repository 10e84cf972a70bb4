"""Factor files of a handmade market: mild reversal, right answers known, to be spoiled."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from support.bars import DAILY, MEMBERSHIP, bars, write, write_membership
from support.cli import deepfactor


def handmade_market(folder: Path, frame: pl.DataFrame | None = None, *, vendor: str = "vendor") -> Path:
    """Ingest `frame` (None = the bars of `support.bars`) with weights and industries; the market's folder."""
    frame = bars() if frame is None else frame
    mapping = write(folder / vendor, frame, DAILY + MEMBERSHIP)
    write_membership(folder / vendor, frame["date"].unique().sort().to_list())
    made = deepfactor("ingest", mapping, folder / "M", "--folder", folder / vendor)
    assert made.code == 0, made.err
    return folder / "M"


def reversal(frame: pl.DataFrame, days: int = 10) -> pl.DataFrame:
    """Rows date, symbol, score: minus the return over `days` of raw bars, where there is one."""
    score = 1 - pl.col("close") / pl.col("close").shift(days).over("symbol")
    return frame.sort("symbol", "date").select("date", "symbol", score=score).drop_nulls()
