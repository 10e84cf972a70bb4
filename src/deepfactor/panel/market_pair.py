"""Two markets beside each other: what both have, where they differ, how much, in which years and which stocks most.

Compared are days and stocks that both have, in blocks of days, so that the cost grows as their number does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Floats, Indices
from deepfactor.core.errors import DataError
from deepfactor.panel.pair_tally import Common, Counts, Difference, Side, Tally

#: Fields of a panel, how far two may lie apart, and whether that is a share of the larger one. Prices: half a fen,
#: vendors' vwap a fen; volumes: vendors round to lots; market values: shares are as of.
_FIELDS: tuple[tuple[str, str, float, bool], ...] = (
    ("open", "prices", 0.0051, False),
    ("high", "prices", 0.0051, False),
    ("low", "prices", 0.0051, False),
    ("close", "prices", 0.0051, False),
    ("vwap", "prices", 0.0101, False),
    ("volume", "trading", 0.001, True),
    ("turnover", "trading", 0.01, True),
    ("float_mv", "value", 0.01, True),
    ("total_mv", "value", 0.01, True),
    ("free_float_mv", "value", 0.01, True),
)
#: Of returns and of steps of the factor: vendors' factors have three decimals.
_STEP = 0.001
#: Of weights; of index levels, as a share.
_WEIGHT, _LEVEL = 0.0001, 0.0001
#: Examples of days and stocks that one market has alone.
_EXAMPLES = 10


@dataclass(frozen=True)
class Coverage:
    """Days, stocks and stock-days with a trade that both have, or one alone.

    Attributes
    ----------
    days, stocks, indices : "both", "only_a", "only_b" → number
    examples : like ``days.only_a`` → the first of them
    traded : year → counts of stock-days with a trade, of all days and stocks of both: `compared` = both
    """

    days: dict[str, int]
    stocks: dict[str, int]
    indices: dict[str, int]
    examples: dict[str, list[str]]
    traded: dict[int, Counts]


@dataclass(frozen=True)
class MarketPair:
    """Two markets compared: what they cover, and each quantity's differences."""

    coverage: Coverage
    differences: tuple[Difference, ...]


def compare_markets(a: Side, b: Side, worst: int = 10) -> MarketPair:
    """Compare two markets.

    Parameters
    ----------
    a, b : panel and universe of each
    worst : stocks that are named of each quantity

    Raises
    ------
    DataError
        they have no day or no stock in common.
    """
    common = _common(a, b)
    made = [*_numbers(common, worst), *_flags(common, worst), *_of_indices(common, worst)]
    industry = _industries(common, worst)
    return MarketPair(_coverage(common), (*made, *([industry] if industry else [])))


def _common(a: Side, b: Side) -> Common:
    dates, rows_a, rows_b = np.intersect1d(a[0].dates, b[0].dates, return_indices=True)
    symbols, columns_a, columns_b = np.intersect1d(a[0].symbols, b[0].symbols, return_indices=True)
    if not len(dates) or not len(symbols):
        what, one, two = ("day", a[0].dates, b[0].dates) if not len(dates) else ("stock", a[0].symbols, b[0].symbols)
        raise DataError(f"the markets have no {what} in common: {one[0]} to {one[-1]}, and {two[0]} to {two[-1]}")
    return Common(a, b, dates, symbols, (rows_a, rows_b), (columns_a, columns_b))


def _numbers(common: Common, worst: int) -> Iterator[Difference]:
    for name, group, tolerance, relative in _FIELDS:
        if name in common.a[0].fields and name in common.b[0].fields:
            tally = Tally(common, name, group, tolerance, relative, worst, common.symbols)
            for block in common.blocks():
                tally.add(block, *common.taken(partial(_of_panel, name), block), _both_listed(common, block))
            yield tally.made()
    if "adj_factor" in common.a[0].fields and "adj_factor" in common.b[0].fields:
        yield from _steps(common, worst)
    for name in ("limit_up", "limit_down"):
        tally = Tally(common, name, "limits", 0.0051, False, worst, common.symbols)
        for block in common.blocks():
            fen = common.taken(partial(_of_universe, name), block)
            yuan = [np.where(one == 0, np.nan, one / 100) for one in fen]
            tally.add(block, yuan[0], yuan[1], _both_listed(common, block))
        yield tally.made()


def _steps(common: Common, worst: int) -> Iterator[Difference]:
    """Steps of the adjustment factor and adjusted returns, from a day that both have to the next."""
    factor = Tally(common, "adj_factor", "adjustment", _STEP, False, worst, common.symbols)
    earned = Tally(common, "return", "adjustment", _STEP, False, worst, common.symbols)
    for block in common.blocks():
        wide = slice(max(block.start - 1, 0), block.stop)
        factors = common.taken(partial(_of_panel, "adj_factor"), wide)
        closes = common.taken(partial(_of_panel, "close"), wide)
        mask = _both_listed(common, block)
        lead = block.start - wide.start
        factor.add(block, _step(factors[0], lead), _step(factors[1], lead), mask)
        one, two = (f.astype(np.float64) * c for f, c in zip(factors, closes, strict=True))
        earned.add(block, _step(one, lead), _step(two, lead), mask)
    yield factor.made()
    yield earned.made()


def _step(values: Floats, lead: int) -> Float64:
    """Each row over the one before, less 1; without a row before (`lead` = 0) the first has none."""
    out = np.full(values.shape, np.nan)
    given = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out[1:] = given[1:] / given[:-1] - 1
    return out[lead:]


def _flags(common: Common, worst: int) -> Iterator[Difference]:
    flags: dict[str, Callable[[Side], Bools]] = {
        "listed": lambda side: side[1].listed,
        "suspended": lambda side: side[1].listed & ~side[1].traded,
        "is_st": lambda side: side[1].st,
    }
    for name, flag in flags.items():
        tally = Tally(common, name, "status", 0.5, False, worst, common.symbols, by_days=True)
        for block in common.blocks():
            mask = np.ones(1, np.bool_) if name == "listed" else _both_listed(common, block)
            tally.add(
                block,
                *common.taken(flag, block),
                np.broadcast_to(mask, (block.stop - block.start, len(common.symbols))),
            )
        yield tally.made()


def _of_indices(common: Common, worst: int) -> Iterator[Difference]:
    """Members and weights on days on which both have them, and levels."""
    one, two = common.a[1], common.b[1]
    for index in sorted(one.members.keys() & two.members.keys()):
        members = Tally(common, f"members.{index}", "indices", 0.5, False, worst, common.symbols, by_days=True)
        weights = Tally(common, f"weight.{index}", "indices", _WEIGHT, False, worst, common.symbols)
        weighed = index in one.benchmark and index in two.benchmark
        for block in common.blocks():
            given = common.taken(partial(_of_index, "members", index), block)
            mask = given[0].any(axis=1, keepdims=True) & given[1].any(axis=1, keepdims=True)
            members.add(block, *given, np.broadcast_to(mask, given[0].shape))
            if weighed:
                both = common.taken(partial(_of_index, "benchmark", index), block)
                weights.add(block, *both, mask & (given[0] | given[1]))
        yield members.made()
        if weighed:
            yield weights.made()
    for name, kind in (("level", "index_close"), ("total_return", "index_total_return")):
        there = sorted(getattr(one, kind).keys() & getattr(two, kind).keys())
        if there:
            tally = Tally(common, name, "indices", _LEVEL, True, worst, np.array(there))
            for block in common.blocks():
                levels = [
                    np.stack([getattr(side[1], kind)[index][rows[block]] for index in there], axis=1)
                    for side, rows in zip((common.a, common.b), common.rows, strict=True)
                ]
                tally.add(block, levels[0], levels[1], np.ones(levels[0].shape, np.bool_))
            yield tally.made()


def _industries(common: Common, worst: int) -> Difference | None:
    """Industries, by name where half of the names are shared; else each of the first market's stands for the one of the
    second's that most of its stock-days have, and what isn't in it differs."""
    names = [side[1].industries for side in (common.a, common.b)]
    if not all(names):
        return None
    meant = _same_industry(common, *names)
    every = [*names[0], *names[1]]
    tally = Tally(
        common,
        "industry",
        "industry",
        0.5,
        False,
        worst,
        common.symbols,
        by_days=True,
        say=lambda code: every[int(code)],
    )
    for block in common.blocks():
        one, two = common.taken(partial(_of_universe, "industry"), block)
        # One number a name: the first market's own, the second's behind them; equal where they mean the same.
        a = np.where(one < 0, np.nan, one.astype(np.float64))
        b = np.where(two < 0, np.nan, two.astype(np.float64) + len(names[0]))
        same = (one >= 0) & (two >= 0) & (meant[np.maximum(one, 0)] == two)
        tally.add(block, a, np.where(same, a, b), _both_listed(common, block))
    return tally.made()


def _same_industry(common: Common, first: Sequence[str], second: Sequence[str]) -> Indices:
    """Of each industry of the first market the second's that is the same; -1 = none."""
    places = {name: at for at, name in enumerate(second)}
    by_name = np.array([places.get(name, -1) for name in first])
    if 2 * np.count_nonzero(by_name >= 0) >= len(first):
        return by_name
    together = np.zeros(len(first) * len(second), np.int64)
    for block in common.blocks():
        one, two = common.taken(partial(_of_universe, "industry"), block)
        known = (one >= 0) & (two >= 0)
        pairs = one[known].astype(np.int64) * len(second) + two[known]
        together += np.bincount(pairs, minlength=len(together))
    table = together.reshape(len(first), len(second))
    return np.where(table.any(axis=1), table.argmax(axis=1), -1)


def _of_panel(name: str, side: Side) -> AnyArray:
    return side[0][name]


def _of_universe(name: str, side: Side) -> AnyArray:
    array: AnyArray = getattr(side[1], name)
    return array


def _of_index(kind: str, index: str, side: Side) -> AnyArray:
    array: AnyArray = getattr(side[1], kind)[index]
    return array


def _both_listed(common: Common, block: slice) -> Bools:
    one, two = common.taken(partial(_of_universe, "listed"), block)
    return np.asarray(one & two)


def _coverage(common: Common) -> Coverage:
    (panel_a, one), (panel_b, two) = common.a, common.b
    counts: dict[str, dict[str, int]] = {}
    examples: dict[str, list[str]] = {}
    indices = [np.array(sorted({*side.members, *side.index_close})) for side in (one, two)]
    pairs = {"days": (panel_a.dates, panel_b.dates), "stocks": (panel_a.symbols, panel_b.symbols), "indices": indices}
    for what, (a, b) in pairs.items():
        alone = {"only_a": np.setdiff1d(a, b), "only_b": np.setdiff1d(b, a)}
        counts[what] = {"both": len(a) - len(alone["only_a"])} | {side: len(found) for side, found in alone.items()}
        examples |= {
            f"{what}.{side}": [str(v) for v in found[:_EXAMPLES]] for side, found in alone.items() if len(found)
        }
    return Coverage(counts["days"], counts["stocks"], counts["indices"], examples, _traded(common))


def _traded(common: Common) -> dict[int, Counts]:
    """Stock-days with a trade by year, of all days and stocks."""
    both = np.zeros(len(common.dates), np.int64)
    for block in common.blocks():
        one, two = common.taken(partial(_of_universe, "traded"), block)
        both[block] = (one & two).sum(axis=1)
    shared = _by_year(common.dates, both)
    each = [_by_year(panel.dates, universe.traded.sum(axis=1)) for panel, universe in (common.a, common.b)]
    found = {}
    for year in sorted({*each[0], *each[1]}):
        n, a, b = shared.get(year, 0), each[0].get(year, 0), each[1].get(year, 0)
        found[year] = Counts(n, 0, a - n, b - n)
    return found


def _by_year(dates: Dates, counted: Indices) -> dict[int, int]:
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    return {int(year): int(counted[years == year].sum()) for year in np.unique(years)}
