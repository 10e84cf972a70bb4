"""From what is known at a close to the optimiser's problem, and from its answer to orders in shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.core.arrays import Bools, Float64, Indices
from deepfactor.core.errors import DataError
from deepfactor.cross_section.score_shapes import ScoreShape, kurtosis, shaped
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.portfolio.problem import Rebalance
from deepfactor.risk.model import RiskModel
from deepfactor.styles.base import StylesByDay
from deepfactor.styles.completion import complete_exposures

#: Days of the average daily volume.
VOLUME_DAYS = 20

#: Share of names whose z-score another name has too, from which on the choice among them is counted as the solver's.
MANY_EQUAL = 0.1

#: Fourth moment of a day's z-scores from which on their tails are counted as heavy: twice a normal distribution's.
HEAVY = 6.0

#: Target weights below this sell a holding out: the solver's zero.
ZERO_WEIGHT = 1e-9


@dataclass(frozen=True)
class Knowledge:
    """What the signal days of a portfolio are decided by. Row t of each array is known at the close of t.

    Attributes
    ----------
    panel, universe, scores : aligned with each other
    styles : mapping of name to (T, N)
        exposures that constraints may ask for; NaN = missing, filled in and counted.
    index : str
        benchmark, as in ``universe.members``.
    eligible : (T, N) bool
        who may be bought.
    risk : of `styles`; wanted where the tracking error is limited or risk has a price.
    shape : what of a day's scores the optimiser sees
    """

    panel: Panel
    universe: Universe
    scores: Scores
    styles: StylesByDay
    index: str
    eligible: Bools
    risk: RiskModel | None = None
    shape: ScoreShape = "z"


@dataclass(frozen=True)
class Signal:
    """One rebalance's facts: the problem over `names` (n,), columns of the panel; `counts` of what was filled in."""

    names: Indices
    problem: Rebalance
    counts: Mapping[str, int]


def state_problem(
    known: Knowledge, day: TradingDay, book: Book, target: Float64 | None, adv: Float64 | None = None
) -> Signal:
    """The rebalance of `day`, from what is known at its close; `target` (N,) is what the last one aimed at, `adv` (N,)
    the average daily volume in CNY.

    Names are index members, names with benchmark weight, eligible scored ones, what is held, and what the last target
    aimed at, bought or not: giving it up counts where turnover is counted from the target. Frozen = not traded on the
    day or closed at a limit. The score is standardised over eligible scored names in its shape; the others get its
    mean, 0. Where many names have equal ones, more than one portfolio is best, and which is found is the solver's
    choice: counted. So are heavy tails that the shape leaves: noise that the optimiser buys.

    Raises
    ------
    DataError
        the index has no weights on the day.
    """
    universe, scores, index = known.universe, known.scores, known.index
    t = day.row
    weights = benchmark_row(universe, index, t)
    member = universe.member_mask(index)[t]
    scored = known.eligible[t] & np.isfinite(scores.values[t])
    aimed_at = np.zeros_like(member) if target is None else target > 0
    names = np.flatnonzero(member | (weights > 0) | scored | (book.shares > 0) | aimed_at)
    z = shaped(scores.values[t], scored, known.shape)
    exposures, counts = complete_exposures(known.styles, t, names, universe.industry[t])
    if _equal(z[scored]) >= MANY_EQUAL:
        counts["rebalances_with_equal_scores"] = 1
    if kurtosis(z[scored]) >= HEAVY:
        counts["rebalances_with_heavy_tails"] = 1
    frozen = ~day.open_at_close
    previous = book.weights()
    problem = Rebalance(
        date=day.date,
        symbols=scores.symbols[names],
        score=np.where(scored[names], z[names], 0.0),
        previous=previous[names],
        benchmark=weights[names],
        frozen=frozen[names],
        buyable=(scored & ~frozen)[names],
        member=member[names],
        industry=universe.industry[t][names].astype(np.int64),
        styles=exposures,
        first=not book.shares.any(),
        previous_target=None if target is None else target[names],
        industry_names=universe.industries,
        adv=None if adv is None else adv[names],
        value=book.value(),
    )
    return Signal(names, problem, counts)


def with_risk(signal: Signal, model: RiskModel, row: int) -> Signal:
    """The problem with the forecast of its names at the close of `row`; names without one are counted.

    Raises
    ------
    DataError
        the model has no forecast on that day.
    """
    problem, counts = signal.problem, dict(signal.counts)
    forecast = model.forecast(row, signal.names, problem.industry, problem.styles)
    if forecast.filled:
        counts["missing_specific_risk"] = forecast.filled
    return replace(signal, problem=replace(problem, risk=forecast), counts=counts)


def _equal(z: Float64) -> float:
    """Share of numbers that are there more than once; 0 of none."""
    _, times = np.unique(z, return_counts=True)
    return float(times[times > 1].sum()) / max(len(z), 1)


def average_daily_volume(panel: Panel, row: int) -> Float64 | None:
    """Mean amount traded a day, CNY (N,), over the `VOLUME_DAYS` days up to `row` (fewer where the market begins).

    Amount = vwap × volume; a day without a trade counts as 0. None where the market lacks either.
    """
    if not {"vwap", "volume"} <= set(panel.fields):
        return None
    days = slice(max(row + 1 - VOLUME_DAYS, 0), row + 1)
    amount = panel["vwap"][days].astype(np.float64) * panel["volume"][days]
    return np.asarray(np.where(np.isfinite(amount), amount, 0.0).mean(axis=0))


def benchmark_row(universe: Universe, index: str, row: int) -> Float64:
    """Weights (N,) of an index at the close of `row`, summing to 1; a `DataError` where it has none."""
    weights = universe.benchmark_weights(index)[row].astype(np.float64)
    total = float(weights.sum())
    if not abs(total - 1.0) < 1e-4:
        raise DataError(
            f"the weights of {index} on {universe.dates[row]} sum to {total:.6f}, wanted 1: "
            "give a span in which the index has members"
        )
    return np.asarray(weights / total)  # takes the float32 rounding out


def orders(book: Book, names: Indices, target: Float64) -> Float64:
    """Shares to buy (> 0) or sell (< 0), (N,), that take `book` to the `target` weights (n,) of `names` at last prices.

    Not rounded to lots. A target of zero sells out; changes of less than one share are none.

    Raises
    ------
    RuntimeError
        weights that are no portfolio: not finite, negative, above 1 in sum, or on a name that never traded.
    """
    out = np.zeros_like(book.shares)
    held, price = book.shares[names], book.last[names]
    priced = np.isfinite(price) & (price > 0)
    if not (np.isfinite(target).all() and target.min(initial=0.0) >= -1e-9 and target.sum() <= 1.0 + 1e-9):
        raise RuntimeError(f"target weights are no portfolio: least {target.min()}, sum {target.sum()}")
    if (target[~priced] > ZERO_WEIGHT).any():
        raise RuntimeError("a target weight on a name that never traded")
    wanted = np.where(priced, target * book.value() / np.where(priced, price, 1.0), held)
    out[names] = np.where(target < ZERO_WEIGHT, -held, wanted - held)
    selling_out = (out < 0) & (out == -book.shares)
    return np.where((np.abs(out) >= 1.0) | selling_out, out, 0.0)
