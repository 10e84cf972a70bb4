"""Weights of an index of which only the members are known: by market value, with inclusion factors where estimated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Indices, Int8
from deepfactor.panel.build.fields import BuiltFields
from deepfactor.panel.build.inclusion import PRIOR, YEAR, inclusion_factors
from deepfactor.panel.weighting import KINDS

#: A rise of the adjustment factor below this is a cash dividend, which the price index falls by; beyond it is an issue
#: of shares, which the index adjusts for (the smallest usual one gives a share for ten).
CASH_DIVIDEND = 1.08

#: Market values that can weigh beside free float, the best first, and what weights by them are called.
VALUES = {"float_mv": "float_cap", "total_mv": "total_cap", "free_float_mv": "free_float"}
FREE_FLOAT = "free_float_mv"
#: Share of an index's members that must have a free float on a day, or the next value weighs that day.
_ENOUGH = 0.9


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
    fits: Indices
    first: int
    columns: Indices
    returns: Float64

    def weigh(
        self,
        members: Bools,
        before: Bools | None,
        level: Float64 | None,
        out: Float32,
        kind: Int8,
    ) -> dict[str, int]:
        """Fill `out` and `kind` for the rows of `members` with weights that sum to 1, and how they were made.

        By free float on days on which nearly all members have one, else by `value` and what is estimated.

        Parameters
        ----------
        members : (r, N) of the first rows under construction; out : (r, N); kind : (r,)
        before : (T₀, N₀) members on the rows of the history
        level : (T,) published levels of the price index; without them there are no estimates

        Returns
        -------
        for each market value used the number of member-days without it, which weigh nothing.
        """
        begin, lacking = self.fields.begin, dict[str, int]()
        by_free_float = self._by_free_float(members)
        estimates = iter(()) if level is None or by_free_float.all() else self._estimates(members, before, level)
        factors: Float64 | None = None
        ahead = next(estimates, None)
        for i in np.flatnonzero(members.any(axis=1)).tolist():
            while ahead is not None and ahead[0] <= begin + i:
                factors, ahead = ahead[1], next(estimates, None)
            name = FREE_FLOAT if by_free_float[i] else self.value
            value = self.fields.arrays[name][i]
            weighed = np.flatnonzero(members[i] & np.isfinite(value))
            lacking[name] = lacking.get(name, 0) + int(members[i].sum()) - len(weighed)
            held, made = value[weighed].astype(np.float64), VALUES[name]
            if factors is not None and not by_free_float[i]:
                held, made = held * factors[weighed], "estimated"
            total = held.sum()
            if total > 0:
                out[i, weighed] = held / total
                kind[i] = KINDS.index(made)
        return lacking

    def _by_free_float(self, members: Bools) -> Bools:
        """(r,) days on which nearly all members have a free float."""
        if FREE_FLOAT not in self.fields.arrays:
            return np.zeros(len(members), dtype=bool)
        known = members & np.isfinite(self.fields.arrays[FREE_FLOAT][: len(members)])
        return np.asarray(known.sum(axis=1) >= _ENOUGH * members.sum(axis=1))

    def _estimates(self, members: Bools, before: Bools | None, level: Float64) -> Iterator[tuple[int, Float64 | None]]:
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
        with np.errstate(divide="ignore", invalid="ignore"):
            active -= (level[begin + 1 :] / level[begin:-1] - 1.0)[: len(active), None]
        active *= share[:-1]
        days_held = np.cumsum(mask, axis=0, dtype=np.int32)
        fits = self.fits[(self.fits >= begin) & (self.fits < begin + len(mask))]
        for row in fits.tolist():
            last = row - begin
            start = max(last - YEAR, 0)
            ever = days_held[last] - days_held[start] + mask[start] > 0
            there = np.flatnonzero(ever)
            fitted = inclusion_factors(share[start:last, there], active[start:last, there], value[last, there])
            factors = None
            if fitted is not None:
                factors = np.full(self.fields.shape[1], PRIOR)
                factors[columns[there]] = fitted
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


def month_starts(dates: Dates) -> Indices:
    """Rows of the first trading day of each month after the first."""
    month = dates.astype("datetime64[M]")
    return np.flatnonzero(month[1:] != month[:-1]) + 1


def price_returns(fields: BuiltFields, first: int, columns: Indices) -> Float64:
    """(T − first, m) return of each day since the last trade, as a price index counts it; 0 without a trade.

    An issue of shares is adjusted for, a cash dividend isn't (see `CASH_DIVIDEND`).
    """
    out = np.zeros((len(fields.dates) - first, len(columns)))
    before = None if fields.history is None else fields.history.traded
    on_days = fields.joined(before, fields.traded, first)[:, columns]
    closes, factors = (fields.since(name, first, columns) for name in ("close", "adj_factor"))
    last, last_factor = (values[columns] for values in fields.last_trades(first))
    for i, (traded, close, factor) in enumerate(zip(on_days, closes, factors, strict=True)):
        with np.errstate(invalid="ignore", divide="ignore"):
            jump = factor / last_factor
            grown = close / last * np.where((jump > 1.0) & (jump < CASH_DIVIDEND), 1.0, jump) - 1.0
        out[i] = np.where(traded & np.isfinite(grown), grown, 0.0)
        last, last_factor = np.where(traded, close, last), np.where(traded, factor, last_factor)
    return out
