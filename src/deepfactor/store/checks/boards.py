"""Rows of `daily` of before their stock's board was opened."""

from __future__ import annotations

import polars as pl

from deepfactor.market.boards import OPENED, Board, find_board
from deepfactor.store.checks.finding import Finding, rows_where


def check_boards(frame: pl.DataFrame) -> list[Finding]:
    """A warning a board with such rows: the code is another's, or the rows are of a market of before."""
    out: list[Finding] = []
    early = frame.select("date", "symbol").filter(pl.col("date") < max(OPENED.values()))
    codes = early["symbol"].unique().drop_nulls().cast(pl.String).to_list()
    for board, opened in OPENED.items():
        mine = [code for code in codes if find_board(code) is board]
        before = (pl.col("date") < opened) & pl.col("symbol").is_in(mine)
        if not mine or board is Board.MAIN or early.filter(before).is_empty():
            continue
        third = ", of the New Third Board before it?" if board is Board.BEIJING else ": are the codes right?"
        message = f"rows of {board.name} of before its first trading day, {opened}{third}"
        out += rows_where("warning", "before_its_board", "daily", "date", frame, before, message)
    return out
