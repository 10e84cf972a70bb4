"""A rebalance on disk: its folder, named by what it was made from, and what of it later verbs read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.backtest.signals import Knowledge
from deepfactor.core.arrays import AnyArray, Float64
from deepfactor.core.errors import DataError
from deepfactor.core.spec import content_key
from deepfactor.desk.files import arrays_key, read_aligned, read_columns, read_folder, write_folder
from deepfactor.desk.holdings import Holdings, position_columns, read_holdings
from deepfactor.desk.lists import Lists
from deepfactor.desk.rebalancing import Rebalanced
from deepfactor.panel.panel import Panel
from deepfactor.portfolio.presets import Enhancement, parse_enhancement

NAME = "rebalance.json"
#: Raised where the numbers or the form of the files change.
NUMERICS = 2


class RebalanceRecord(TypedDict):
    """``rebalance.json``; its keys one by one: docs/conventions.md."""

    status: str
    key: str
    date: str
    trade_date: str | None
    factor: str
    scores: str
    index: str
    market: str
    value: float
    cash: float
    expected_cash: float
    first: bool
    solved: str
    objective: float
    bought: float
    sold: float
    expected_cost: float
    turnover: float
    trades: int
    relaxations: list[dict[str, object]]
    conflict: list[tuple[str, str]]
    undone: Mapping[str, int]
    left: list[str]
    counts: Mapping[str, int]
    index_weights: str
    lists: Mapping[str, object]
    enhancement: Mapping[str, object]


class RebalanceFile(RebalanceRecord):
    """As it lies on disk: with the hashes of the files beside it."""

    files: dict[str, str]


def rebalance_key(
    known: Knowledge, row: int, holdings: Holdings, lists: Lists, enhancement: Enhancement, aimed_at: Float64 | None
) -> str:
    """16 hex digits that name all that the rebalance of `row` is made from."""
    account = (holdings.shares, holdings.sellable, holdings.cost)
    return content_key(
        {
            "numerics": NUMERICS,
            "market": known.panel.fingerprint,
            "date": str(known.panel.dates[row]),
            "index": known.index,
            "factor": known.scores.name,
            "scores": _scores_key(known, row),
            "account": [arrays_key(*account), holdings.cash],
            "aimed_at": None if aimed_at is None else arrays_key(aimed_at),
            "lists": asdict(lists),
            "enhancement": enhancement.model_dump(mode="json"),
        }
    )


def _scores_key(known: Knowledge, row: int) -> str:
    return arrays_key(np.where(known.eligible[row], known.scores.values[row], np.nan))


def write_rebalance(
    out: Path, key: str, made: Rebalanced, known: Knowledge, holdings: Holdings, lists: Lists
) -> tuple[Path, RebalanceRecord]:
    """Write ``<out>/<date>-<key>/``; its path and record. The same rebalance twice leaves the same bytes."""
    symbols, signal = known.panel.symbols, made.decision.signal
    trades, undone = made.trades(symbols), made.undone(symbols)
    problem, weights = signal.problem, made.weights
    some = (weights.before != 0) | (weights.target != 0) | (weights.expected != 0) | (problem.benchmark != 0)
    targets = {
        "symbol": problem.symbols,
        "weight": weights.target,
        "drifted_weight": weights.before,
        "expected_weight": weights.expected,
        "benchmark_weight": problem.benchmark,
        "score": problem.score,
    }
    tables: dict[str, Mapping[str, AnyArray]] = {
        "trades": trades.columns(),
        "undone": undone.columns(),
        "targets": {name: column[some] for name, column in targets.items()},
        "constraints": made.sheet().columns(),
        "exposures": made.exposures().columns(),
        "book": position_columns(holdings, symbols, made.day.date),
    }
    content = _record(key, made, known, lists)
    if (risk := made.risk()) is not None:
        tables["risk"] = risk.columns()
    folder = out / f"{made.day.date}-{key}"
    write_folder(folder, NAME, tables, content)
    return folder, content


def _record(key: str, made: Rebalanced, known: Knowledge, lists: Lists) -> RebalanceRecord:
    target, problem, value = made.decision.target, made.decision.signal.problem, made.book.value()
    bought, sold = (round(float(fills.amount.sum()), 2) for fills in (made.buys, made.sells))
    undone = Counter(made.undone(known.panel.symbols).reason.tolist())
    row = made.day.row
    unheld = {"unsellable_not_held": len(made.unheld)} if made.unheld else {}
    return {
        "status": "draft",
        "key": key,
        "date": str(made.day.date),
        "trade_date": None if np.isnat(made.trade_date) else str(made.trade_date),
        "factor": known.scores.name,
        "scores": _scores_key(known, row),
        "index": known.index,
        "market": known.panel.fingerprint,
        "value": round(value, 2),
        "cash": made.book.cash,
        "expected_cash": made.expected.cash,
        "first": problem.first,
        "solved": target.status,
        "objective": target.objective,
        "bought": bought,
        "sold": sold,
        "expected_cost": round(float(made.buys.cost.sum() + made.sells.cost.sum()), 2),
        "turnover": (bought + sold) / value,
        "trades": int(np.count_nonzero(made.sells.shares) + np.count_nonzero(made.buys.shares)),
        "relaxations": [asdict(one) for one in target.relaxations],
        "conflict": list(target.conflict),
        "undone": dict(sorted(undone.items())),
        "left": list(made.left),
        "counts": dict(sorted({**made.decision.signal.counts, **unheld}.items())),
        "index_weights": known.universe.weighting[known.index][row : row + 1].used().text(),
        "lists": asdict(lists),
        "enhancement": made.enhancement.model_dump(mode="json"),
    }


@dataclass(frozen=True)
class Ordered:
    """A rebalance as it was written, over the N stocks of the market that it was made from.

    Attributes
    ----------
    folder, content : where it lies, and its ``rebalance.json``
    row : of the panel, its signal day
    holdings : the account of that evening
    orders : (N,) shares to buy (> 0) or sell (< 0), in lots
    enhancement : what was kept
    """

    folder: Path
    content: RebalanceFile
    row: int
    holdings: Holdings
    orders: Float64
    enhancement: Enhancement


def read_rebalance(folder: Path, panel: Panel) -> Ordered:
    """Read a rebalance's folder.

    Raises
    ------
    DataError
        it isn't whole, was changed, or is of a day or a stock that the market doesn't have.
    """
    content: RebalanceFile = read_folder(folder, NAME, "rebalance", RebalanceRecord.__annotations__)
    row = int(np.searchsorted(panel.dates, np.datetime64(content["date"])))
    if row == len(panel.dates) or str(panel.dates[row]) != content["date"]:
        raise DataError(f"is of {content['date']}, a day that this market doesn't have", file=folder)
    holdings = read_holdings(folder / "book.csv", panel, panel.dates[row], fractions=True)
    enhancement = parse_enhancement(content["enhancement"], key=NAME)
    return Ordered(folder, content, row, holdings, _orders(folder / "trades.csv", panel), enhancement)


def _orders(path: Path, panel: Panel) -> Float64:
    """(N,) the shares of ``trades.csv``: > 0 buy, < 0 sell."""
    shares = read_aligned(path, panel.symbols, ("shares",))["shares"]
    sides = read_columns(path, ("symbol", "side"))
    sold = [symbol for symbol, side in zip(sides["symbol"], sides["side"], strict=True) if side == "sell"]
    return np.where(np.isin(panel.symbols, sold), -shares, shares)
