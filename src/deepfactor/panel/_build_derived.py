"""Weights of an index of which only the members are known: by market value, with inclusion factors where estimated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfactor.panel._build_fields import BuiltFields
from deepfactor.panel._build_inclusion import PRIOR, YEAR, inclusion_factors
from deepfactor.panel.panel import Bools, Dates
from deepfactor.panel.weighting import KINDS

Array = NDArray[np.float64]

#: A rise of the adjustment factor below this is a cash dividend, which the price index falls by; beyond it is an issue
#: of shares, which the index adjusts for (the smallest usual one gives a share for ten).
CASH_DIVIDEND = 1.08

#: Market values that can weigh, the best first, and what weights by them are called.
VALUES = {"float_mv": "float_cap", "total_mv": "total_cap"}


@dataclass(frozen=True)
class Derivation:
    """What weights by market value are made from: rows from `first` on, built before or under construction.

    Attributes
    ----------
    fields : of the rows under construction
    value : name of the market value, see `VALUES`
    fits : rows at whose close factors are fitted, ascending: the first trading day of each month
    columns : (m,) of the members that the returns are of
    returns : (T − first, m) price returns: without cash dividends, 0 without a trade
    """

    fields: BuiltFields
    value: str
    fits: NDArray[np.intp]
    first: int
    columns: NDArray[np.intp]
    returns: Array

    def weigh(
        self,
        members: Bools,
        before: Bools | None,
        level: Array | None,
        out: NDArray[np.float32],
        kind: NDArray[np.int8],
    ) -> int:
        """Fill `out` and `kind` for the rows of `members` with weights that sum to 1, and how they were made.

        Parameters
        ----------
        members : (r, N) of the first rows under construction; out : (r, N); kind : (r,)
        before : (T₀, N₀) members on the rows of the history
        level : (T,) published levels of the price index; without them there are no estimates

        Returns
        -------
        the number of member-days without a market value, which weigh nothing.
        """
        begin, lacking = self.fields.begin, 0
        estimates = iter(()) if level is None else self._estimates(members, before, level)
        factors: NDArray[np.float64] | None = None
        ahead = next(estimates, None)
        for i in range(len(members)):
            while ahead is not None and ahead[0] <= begin + i:
                factors, ahead = ahead[1], next(estimates, None)
            value = self.fields.arrays[self.value][i]
            weighed = np.flatnonzero(members[i] & np.isfinite(value))
            lacking += int(members[i].sum()) - len(weighed)
            held = value[weighed].astype(np.float64)
            held = held if factors is None else held * factors[weighed]
            total = held.sum()
            if total > 0:
                out[i, weighed] = held / total
                kind[i] = KINDS.index(VALUES[self.value] if factors is None else "estimated")
        return lacking

    def _estimates(self, members: Bools, before: Bools | None, level: Array) -> Iterator[tuple[int, Array | None]]:
        """Row of each fit and the factors (N,) from then on; None = none. Of later rows nothing is read."""
        mask = self.fields.joined(before, members, self.first)[:, self.columns]
        begin = self.first + int(np.argmax(mask.any(axis=1)))
        inside = np.flatnonzero(mask.any(axis=0))
        columns, mask = self.columns[inside], mask[begin - self.first :, inside]
        share = self.fields.since(self.value, begin, columns)[: len(mask)]
        share[~(mask & np.isfinite(share))] = 0.0
        value = share.copy()
        total = share.sum(axis=1, keepdims=True)
        share /= np.where(total > 0, total, np.nan)
        returns = slice(begin + 1 - self.first, begin - self.first + len(mask))
        active = self.returns[returns, inside]
        active -= (level[begin + 1 :] / level[begin:-1] - 1.0)[: len(active), None]
        active *= share[:-1]
        days_held = np.cumsum(mask, axis=0, dtype=np.int32)
        fits = self.fits[(self.fits >= begin) & (self.fits < begin + len(mask))]
        for row in fits.tolist():
            last = row - begin
            start = max(last - YEAR, 0)
            ever = days_held[last] - days_held[start] + mask[start] > 0
            there = np.flatnonzero(ever)
            found = inclusion_factors(share[start:last, there], active[start:last, there], value[last, there])
            factors = None
            if found is not None:
                factors = np.full(self.fields.shape[1], PRIOR)
                factors[columns[there]] = found
            yield row, factors


def derivation_of(fields: BuiltFields, members: Mapping[str, Bools]) -> Derivation | None:
    """What the weights of `members` (index → (R, N)) are made from; None where the market has no market value."""
    value = next((name for name in VALUES if name in fields.arrays), None)
    if value is None:
        return None
    fits = month_starts(fields.dates)
    in_force = int(np.searchsorted(fits, fields.begin, side="right")) - 1
    fits = fits[max(in_force, 0) :]
    first = max(int(fits[0]) - YEAR, 0) if len(fits) else fields.begin
    known = [] if fields.history is None else [fields.history.members.get(name) for name in members]
    any_time = np.zeros(len(fields.symbols), dtype=bool)
    for before, now in zip(known or [None] * len(members), members.values(), strict=True):
        any_time |= fields.joined(before, now, first).any(axis=0)
    columns = np.flatnonzero(any_time)
    return Derivation(fields, value, fits, first, columns, price_returns(fields, first, columns))


def month_starts(dates: Dates) -> NDArray[np.intp]:
    """Rows of the first trading day of each month after the first."""
    month = dates.astype("datetime64[M]")
    return np.flatnonzero(month[1:] != month[:-1]) + 1


def price_returns(fields: BuiltFields, first: int, columns: NDArray[np.intp]) -> Array:
    """(T − first, m) return of each day since the last trade, as a price index counts it; 0 without a trade.

    An issue of shares is adjusted for, a cash dividend isn't (see `CASH_DIVIDEND`).
    """
    out = np.zeros((len(fields.dates) - first, len(columns)))
    last, last_factor = (values[columns] for values in fields.last_trades(first))
    for i in range(len(out)):
        traded, close, factor = (values[columns] for values in fields.trades(first + i))
        with np.errstate(invalid="ignore", divide="ignore"):
            jump = factor / last_factor
            grown = close / last * np.where((jump > 1.0) & (jump < CASH_DIVIDEND), 1.0, jump) - 1.0
        out[i] = np.where(traded & np.isfinite(grown), grown, 0.0)
        last, last_factor = np.where(traded, close, last), np.where(traded, factor, last_factor)
    return out
