"""About 150 hand-made features, all as ranks of the day in a byte each: what trees read that are to find what rises.

Families: returns and levels, distance from extremes and time since, lines through prices, the shape of days, spread and
form of returns, turnover and illiquidity, price and turnover together (about ninety in the manner of qlib's Alpha158
over 5, 20 and 60 days), price limits, size, and companies' reports where the market has them; fourteen of them also
ranked within their industry. `catalogue` has each one's formula, meaning and source; docs/alpha-features.md shows it.

The choice is ours, made from the literature's families, not by returns of test years. Values are codes (see
`_rank_codes`): a stock's rank among those that traded that day, in 255 steps. Sums over days are exact, so that a day
computed alone has the bits that it has in a long panel.

A mean takes the days with a value and needs half of its window's; a return needs both its closes; a day without a trade
has nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bytes, Float64
from deepfactor.features._alpha_block import ROWS_BACK, Block, market_return
from deepfactor.features._alpha_prices import extremes, lines, returns, risks, shapes
from deepfactor.features._alpha_statements import FEATURES, PRICED, Statements
from deepfactor.features._alpha_trading import limits_and_size, together, turnovers
from deepfactor.features._alpha_words import CATALOGUE, IN_INDUSTRY, Described
from deepfactor.features._rank_codes import MISSING, rank_codes, rank_codes_within
from deepfactor.features.base import Features, FeatureSettings, Role
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

_FAMILIES = (returns, extremes, lines, shapes, risks, turnovers, together, limits_and_size)
_BLOCK = 250  # rows of the market whose features are made at once
_STRIP = 128  # stocks whose series are made at once: what lies between stays in the processor's cache
_LARGE = 2**28  # bytes; larger arrays live in a file
_SUFFIX = "_in_industry"
#: Fields that a market must have.
NEEDED = ("open", "high", "low", "close", "vwap", "volume", "turnover", "adj_factor")

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "alpha": "阿尔法特征集",
}


class Settings(FeatureSettings):
    """No choice but the window of the samples, which for these is the day itself."""

    window: int = Field(default=1, ge=1, le=2500, description="trading days of a sample's window")


def rows_back(settings: Settings) -> int:
    """Of the longest window, and the day before its first return."""
    return ROWS_BACK


def catalogue() -> tuple[Described, ...]:
    """What each feature is, in the set's order; a market without total market values or reports lacks some."""
    return CATALOGUE


def compute(settings: Settings, panel: Panel, universe: Universe) -> Features:
    """Codes of every stock and day, (T, N, f) uint8; 0 = too little seen, or no trade on the day.

    Raises
    ------
    DataError
        the market lacks a price field or the turnover.
    """
    return compute_rows(panel, universe, range(len(panel.dates)))


def compute_rows(panel: Panel, universe: Universe, rows: range) -> Features:
    """The features of some rows, (len(rows), N, f): the same bits as those rows of the whole."""
    for field in NEEDED:
        panel[field]  # says which is lacking, before anything is made
    statements = Statements(panel)
    names = _names(panel, statements)
    out = _empty((len(rows), panel.shape[1], len(names)))
    at_once = max(_BLOCK // rows.step, 1)
    for first in range(0, len(rows), at_once):
        part = rows[first : first + at_once]
        _fill(out[first : first + len(part)], names, panel, universe, part, statements)
    plain: Role = "plain"
    return Features(names, tuple(plain for _ in names), out)


def _names(panel: Panel, statements: Statements) -> tuple[str, ...]:
    fields = panel.fields
    absent = {
        *(() if "float_mv" in fields else ("float_size", "float_share")),
        *(() if "total_mv" in fields else ("total_size", "float_share", *PRICED)),
    }
    absent |= set(FEATURES) - set(statements.names)
    absent |= {name + _SUFFIX for name in absent}
    return tuple(one.name for one in CATALOGUE if one.name not in absent)


def _empty(shape: tuple[int, ...]) -> Bytes:
    """An array of nothing; a large one in a file without a name, which memory may let go of."""
    if int(np.prod(shape)) < _LARGE:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.asarray(np.memmap(file, np.uint8, "w+", shape=shape))


def _fill(
    out: Bytes, names: tuple[str, ...], panel: Panel, universe: Universe, part: range, statements: Statements
) -> None:
    first, stop = max(part[0] - ROWS_BACK, 0), part[-1] + 1
    rows = slice(part[0] - first, stop - first, part.step)
    near, around = panel.between(first, stop), universe.between(first, stop)
    traded, industry = around.traded[rows], around.industry[rows]
    place = {name: k for k, name in enumerate(names)}
    codes = np.empty((len(names), *traded.shape), np.uint8)
    for name, made in _each(near, around, rows, statements):
        if name not in place:
            continue
        known = np.where(traded, made, np.nan)
        codes[place[name]] = rank_codes(known)
        if name in IN_INDUSTRY:
            codes[place[name + _SUFFIX]] = rank_codes_within(known, industry)
    for t in range(len(out)):
        out[t] = codes[:, t].T
    out[~traded] = MISSING


def _each(panel: Panel, universe: Universe, rows: slice, statements: Statements) -> Iterator[tuple[str, Float64]]:
    """One family after the other, by strips of stocks: all at once would be 170 times the panel in float64."""
    market, stocks = market_return(panel), panel.shape[1]
    strips = [slice(k, k + _STRIP) for k in range(0, stocks, _STRIP)]
    blocks = [Block(panel, universe, rows, strip, market) for strip in strips]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for family in _FAMILIES:
            whole: dict[str, Float64] = {}
            for strip, block in zip(strips, blocks, strict=True):
                for name, made in family(block):
                    if name not in whole:
                        whole[name] = np.empty((len(made), stocks))
                    whole[name][:, strip] = made
            yield from whole.items()
        value = panel["total_mv"][rows].astype(np.float64) if "total_mv" in panel.fields else None
        yield from statements.made(panel.dates[rows], value)
