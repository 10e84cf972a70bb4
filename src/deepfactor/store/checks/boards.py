"""Rows of `daily` of before their stock's board was opened."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.market.boards import OPENED, Board, find_board
from deepfactor.store.checks.finding import Finding, rows_where

_EARLY = Sentence(
    "rows of {board} of before its first trading day, {opened}: are the codes right?",
    "{board}的行早于该板块首个交易日{opened}，请核对代码",
)
_EARLY_BEIJING = Sentence(
    "rows of {board} of before its first trading day, {opened}, of the New Third Board before it?",
    "{board}的行早于该板块首个交易日{opened}，是否为此前新三板的数据？",
)


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
        form = _EARLY_BEIJING if board is Board.BEIJING else _EARLY
        message = form.filled(board=board.name, opened=opened)
        out += rows_where("warning", "before_its_board", "daily", "date", frame, before, message)
    return out
