"""A reconciled evening on disk: its folder, named by what it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.core.arrays import Float64, Symbols
from deepfactor.core.files import file_hash
from deepfactor.core.spec import content_key
from deepfactor.desk.files import write_folder
from deepfactor.desk.holdings import position_columns
from deepfactor.desk.reconciling import FillTable, Reconciled, held_after
from deepfactor.desk.record import Ordered

NAME = "reconcile.json"
#: Raised where the numbers or the form of the files change.
NUMERICS = 1


class EveningRecord(TypedDict):
    """``reconcile.json``; its keys one by one: docs/conventions.md."""

    key: str
    date: str
    fill_date: str
    rebalance: str
    market: str
    value: float
    cash: float
    bought: float
    sold: float
    cost: float
    orders: int
    filled: int
    unfilled: list[str]
    out_of_range: list[str]
    slippage_vwap: float | None
    slippage_close: float | None
    dividends: float
    ex_dates: list[str]
    settled: list[str]


def evening_key(ordered: Ordered, fills: Path, market: str, date: np.datetime64, *, reinvested: bool) -> str:
    """16 hex digits that name all that an evening is made from."""
    return content_key(
        {
            "numerics": NUMERICS,
            "rebalance": ordered.content["key"],
            "fills": file_hash(fills),
            "market": market,
            "date": str(date),
            "reinvested": reinvested,
        }
    )


def write_evening(
    out: Path, key: str, made: Reconciled, ordered: Ordered, fills: FillTable, fill_date: np.datetime64,
    market: str, symbols: Symbols, *, reinvested: bool,
) -> tuple[Path, EveningRecord]:  # fmt: skip
    """Write ``<out>/<date>-<key>/``; its path and record. The same evening twice leaves the same bytes."""
    holdings = held_after(made, ordered.holdings, reinvested=reinvested)
    content: EveningRecord = {
        "key": key,
        "date": str(made.date),
        "fill_date": str(fill_date),
        "rebalance": ordered.content["key"],
        "market": market,
        "value": round(made.value, 2),
        "cash": made.book.cash,
        "bought": round(float(made.buys.amount.sum()), 2),
        "sold": round(float(made.sells.amount.sum()), 2),
        "cost": round(float(made.buys.cost.sum() + made.sells.cost.sum()), 2),
        "orders": len(fills),
        "filled": int((fills.unfilled == 0).sum()),
        "unfilled": fills.symbol[fills.unfilled > 0].tolist(),
        "out_of_range": fills.symbol[~fills.in_range].tolist(),
        "slippage_vwap": _mean(fills, fills.slippage_vwap),
        "slippage_close": _mean(fills, fills.slippage_close),
        "dividends": made.dividends,
        "ex_dates": list(made.ex_dates),
        "settled": list(made.settled),
    }
    folder = out / f"{made.date}-{key}"
    tables = {"fills": fills.columns(), "book": position_columns(holdings, symbols, made.date)}
    write_folder(folder, NAME, tables, content)
    return folder, content


def _mean(fills: FillTable, slippage: Float64) -> float | None:
    """Mean by amount; None where there is none."""
    known = np.isfinite(slippage)
    total = float(fills.amount[known].sum())
    return float((slippage[known] * fills.amount[known]).sum()) / total if total else None
