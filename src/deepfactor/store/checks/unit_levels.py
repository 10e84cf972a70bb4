"""Units that are wrong on some days or of one board, told by the level of turnover where none is given to compare with.

Turnover is volume × close / float_mv (without market values: volume × close). From one day to the next it moves by a
factor of 30 or more on at most 23 % of a board's names (Shenzhen, 2015-07-15, when the market came off its limit);
volume in lots on one day does that to all of them. Boards' means lie within a factor of 2.5 of each other, stocks'
between 0.03 % (PetroChina) and 26 % a day (a listing's first months).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray
from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding
from deepfactor.store.checks.grid import Grid
from deepfactor.store.checks.units import traded_value

#: log10 of the least jump between neighbouring days that counts, and the share of the names that must make it in one
#: direction: of few names, of many.
_JUMP, _OF_FEW, _OF_MANY = 1.5, 1 / 2, 1 / 3
#: Names with both days from which on their jumps say something, from which on they are many, and their share that is an
#: error.
_SOME, _MANY, _SURE = 5, 20, 1 / 2
#: log10 of a board's median turnover beside the nearest other board's, from which on it has another unit; a board of
#: less than `_MANY` names must have `_FEW` and lie beyond these, which few stocks' means do. `_USUAL`: of all stocks.
_APART, _BOARD_LOW, _BOARD_HIGH, _FEW, _USUAL = 1.3, -3.4, -0.9, 3, -1.8
#: Rows from which on a stock's mean says something, and the log10 beyond which none is possible.
_ENOUGH, _LOWEST, _HIGHEST = 60, -4.2, -0.3
_JUMPS = Sentence(
    "{what} jumps by one factor from a day to the next: {jump}; is volume in shares and float_mv in CNY everywhere (a "
    "factor 100 = volume in lots, 10000 = values in 10,000 CNY)?",
    "换手水平在相邻两天之间整体跳变（{what}，{jump}），请核对成交量（股）与流通市值（元）的单位",
)
_WILD = Sentence(
    "volume × close / float_mv of {n} symbols is a turnover that no stock has for long: is volume in shares and "
    "float_mv in CNY everywhere (a factor 100 = volume in lots, 10000 = values in 10,000 CNY)?",
    "{n}只股票的换手率长期处于不可能的水平，请核对成交量（股）与流通市值（元）的单位",
)
_OF_BOARD = Sentence(
    "volume × close / float_mv of {board} is about {factor} × that of any other board ({own} a day at the median of "
    "its {n} stocks against {nearest}): is volume in shares and float_mv in CNY everywhere (a factor 100 = volume in "
    "lots, 10000 = values in 10,000 CNY)?",
    "{board}的换手率约为其他板块的{factor}倍（其{n}只股票日换手率中位数为{own}，最近的板块为{nearest}），"
    "请核对成交量（股）与流通市值（元）的单位",
)


def check_unit_levels(grid: Grid, daily: pl.DataFrame, basis: Basis, since: date | None = None) -> list[Finding]:
    """Findings of the rows of `grid`; jumps only into days from `since` on, levels only where that is None.

    Nothing where turnover is given (`unit_parts` compares with it), nor where amounts are and no market values.
    """
    value, has_value = traded_value(daily.columns, basis), "float_mv" in daily.columns
    if value is None or "turnover" in daily.columns or ("amount" in daily.columns and not has_value):
        return []
    made = value / pl.col("float_mv") if has_value else value
    level = grid.filled(daily.select(made.cast(pl.Float32).log10()).to_series())
    level[np.isinf(level)] = np.nan  # no trade
    what = "volume × close / float_mv" if has_value else "volume × close"
    out = _jumps(grid, level, what, since)
    return out if since is not None or not has_value else [*out, *_levels(grid, level)]


def _jumps(grid: Grid, level: AnyArray, what: str, since: date | None) -> list[Finding]:
    """Days from which or to which a board's names all move by about one factor."""
    first = 1 if since is None else max(int(np.searchsorted(grid.days, np.datetime64(since))), 1)
    jumps = [one for day in range(first, len(level)) for one in _jump(grid, level[day] - level[day - 1], day)]
    if not jumps:
        return []
    sure = any(one[0] for one in jumps)
    severity: Literal["error", "warning"] = "error" if sure else "warning"
    days = len({day for _, day, _ in jumps})
    message = _JUMPS.filled(what=what, jump=jumps[0][2])
    examples = tuple(text for _, _, text in jumps[:5])
    return [Finding(severity, "wrong_unit" if sure else "unit_jump", "daily", "volume", days, message, None, examples)]


def _jump(grid: Grid, move: AnyArray, day: int) -> Iterator[tuple[bool, int, str]]:
    """Of a day's moves (N,): whether it is sure, the day, and what moved; of the market, else of boards."""
    if np.count_nonzero(np.abs(move) >= _JUMP) < _SOME / 2:
        return
    everyone = np.ones(len(move), np.bool_)
    for where, names in (("", everyone), *((f" of {board}", mask) for board, mask in grid.boards.items())):
        known = move[names & np.isfinite(move)]
        for far in (known >= _JUMP, known <= -_JUMP):
            share = far.mean() if len(known) >= _SOME else 0.0
            if share >= (_OF_MANY if len(known) >= _MANY else _OF_FEW):
                text = f"by × {_factor(known[far])} on {far.sum()} of {len(known)} names{where} on {grid.days[day]}"
                yield bool(len(known) >= _MANY and share >= _SURE), day, text
                if not where:
                    return


def _levels(grid: Grid, level: AnyArray) -> list[Finding]:
    """Boards, and single stocks, at a level that isn't theirs."""
    known = np.isfinite(level)
    rows = np.count_nonzero(known, axis=0)
    mean = np.where(known, level, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(rows, 1)
    out: list[Finding] = []
    stocks = {board: mean[names & (rows >= _ENOUGH)] for board, names in grid.boards.items()}
    medians = {board: float(np.median(own)) for board, own in stocks.items() if len(own)}
    for board in sorted(medians, key=lambda name: -abs(medians[name] - _USUAL)):
        others = [median for name, median in medians.items() if name != board]
        if others and not out:
            nearest = min(others, key=lambda median: abs(median - medians[board]))
            out += _board(board, stocks[board], nearest, int(rows[grid.boards[board]].sum()))
    wild = (rows >= _ENOUGH) & ((mean < _LOWEST) | (mean > _HIGHEST))
    if wild.any() and not out:
        at = np.flatnonzero(wild)
        examples = tuple(f"{grid.symbols[int(k)]}: {_percent(mean[k])} a day over {rows[k]} rows" for k in at[:5])
        message = _WILD.filled(n=len(at))
        out.append(Finding("warning", "unit_of_symbols", "daily", "volume", len(at), message, None, examples))
    return out


def _board(board: str, mean: AnyArray, nearest: float, rows: int) -> list[Finding]:
    """A board whose stocks lie far from those of every other one, the `nearest` median of them too."""
    own = float(np.median(mean))
    far = own - nearest
    impossible = own <= _BOARD_LOW if far < 0 else own >= _BOARD_HIGH
    if abs(far) < _APART or len(mean) < _FEW or (len(mean) < _MANY and not impossible):
        return []
    sure = len(mean) >= _MANY
    factor, shares = _factor(np.array([far])), {"own": _percent(own), "nearest": _percent(nearest)}
    message = _OF_BOARD.filled(board=board, factor=factor, n=len(mean), **shares)
    severity: Literal["error", "warning"] = "error" if sure else "warning"
    return [Finding(severity, "wrong_unit" if sure else "unit_of_board", "daily", "volume", rows, message)]


def _factor(logs: AnyArray) -> str:
    """10 to the median of `logs`: as a power of ten where it is near one."""
    middle = float(np.median(logs))
    return f"{10 ** round(middle):g}" if abs(middle - round(middle)) <= 0.35 else f"{10**middle:.2g}"


def _percent(log: float) -> str:
    return f"{100 * 10**log:.3g} %"
