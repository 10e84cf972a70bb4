"""Point-in-time fundamentals: what was publicly known of each company's reports on each day. Two clocks, no tables.

An **event** is one published figure: of which stock, for which quarter, known from which day. A restatement is a later
event of the same quarter. A question is always asked as of a day and sees only events known by then; the newest quarter
known decides what is "in force", so a restatement of an old report never hides a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Ints
from deepfactor.core.errors import DataError

#: Quarter of an item that belongs to no period, such as a number of shares.
NO_QUARTER = 0


@dataclass(frozen=True)
class Events:
    """All published figures of one item, sorted by stock, quarter and day.

    Attributes
    ----------
    column : (E,) int64 column of the stock in the panel
    quarter : (E,) int64 4 · year + quarter (0 … 3) of the period's end; `NO_QUARTER` where the item has no period
    known : (E,) int64 day (since 1970) at whose close the figure may first be used
    value : (E,) float64 as published (CNY, shares); NaN = published as missing
    """

    column: Ints
    quarter: Ints
    known: Ints
    value: Float64

    def until(self, day: int) -> Events:
        """The events known by `day`."""
        keep = self.known <= day
        return Events(self.column[keep], self.quarter[keep], self.known[keep], self.value[keep])


@dataclass(frozen=True)
class Quarters:
    """The last quarters of an item, at every change of them: between two changes nothing was published.

    Attributes
    ----------
    column, known : (M,) int64 stock and day of the change, by stock and day
    latest : (M,) int64 newest quarter known
    values : (M, n) float64 of the quarters latest, latest − 1 … latest − n + 1 (newest first), as known on the day
    there : (M, n) bool a figure was published for the quarter (it may still be NaN)
    """

    column: Ints
    known: Ints
    latest: Ints
    values: Float64
    there: Bools


@dataclass(frozen=True)
class Fundamentals:
    """Published figures of a market's companies.

    Attributes
    ----------
    dates : (T,) datetime64[D]; stocks : N
    items : mapping of item to its events; flows end in ``_q`` (single quarter), ``_ytd`` or ``_ttm``
    """

    dates: Dates
    stocks: int
    items: Mapping[str, Events]

    def until(self, t: int) -> Fundamentals:
        """What was known at the close of row t."""
        return self.between(0, t + 1)

    def between(self, first: int, stop: int) -> Fundamentals:
        """What was known at the close of row stop − 1, on the days of the rows from `first` on."""
        day = int(self.dates[stop - 1].astype(np.int64))
        return replace(self, dates=self.dates[first:stop], items={k: v.until(day) for k, v in self.items.items()})

    def __getitem__(self, item: str) -> Events:
        """Events of an item; a `DataError` that says what there is."""
        try:
            return self.items[item]
        except KeyError:
            have = ", ".join(sorted(self.items)) or "none"
            raise DataError(f"this market has no fundamental item {item}: it has {have}") from None

    def in_force(self, item: str) -> Float32:
        """Value of the newest quarter known on each day, (T, N); NaN before any, or where published as missing."""
        last = self.quarters(item, 1)
        return self.spread(last, last.values[:, 0])

    def quarters(self, item: str, n: int) -> Quarters:
        """The last `n` quarters of `item` at each change that is in force on one of the days, as published."""
        events = self[item]
        column, known = _changes(events)
        in_force = _in_force(column, known, int(self._days()[0])) if len(self.dates) else slice(None)
        return _quarters(events, column[in_force], known[in_force], n)

    def single_quarters(self, name: str, n: int) -> Quarters | None:
        """The last `n` single quarters of a flow: ``_q``, or differences of ``_ytd``; None where it has neither."""
        if f"{name}_q" in self.items:
            return self.quarters(f"{name}_q", n)
        if f"{name}_ytd" not in self.items:
            return None
        ytd = self.quarters(f"{name}_ytd", n + 1)
        first = (ytd.latest[:, None] - np.arange(n)) % 4 == 0
        values = ytd.values[:, :n] - np.where(first, 0.0, ytd.values[:, 1:])
        return replace(ytd, values=values, there=ytd.there[:, :n] & (first | ytd.there[:, 1:]))

    def trailing_years(self, name: str, n: int) -> Quarters | None:
        """The last `n` trailing-twelve-month figures of a flow: ``_ttm``, or sums of four quarters; None where neither.

        From ``_ytd`` the sum needs one figure where the year is complete: TTM = year to date + last year − last year's
        year to date.
        """
        if f"{name}_ttm" in self.items:
            return self.quarters(f"{name}_ttm", n)
        if f"{name}_ytd" in self.items:
            return self._trailing_from_ytd(name, n)
        single = self.single_quarters(name, n + 3)
        if single is None:
            return None
        shifted = [slice(k, n + k) for k in range(4)]
        values = np.sum([single.values[:, cut] for cut in shifted], axis=0)
        return replace(single, values=values, there=np.all([single.there[:, cut] for cut in shifted], axis=0))

    def _trailing_from_ytd(self, name: str, n: int) -> Quarters:
        ytd = self.quarters(f"{name}_ytd", n + 7)
        position = (ytd.latest[:, None] - np.arange(n)) % 4  # 3 = the year is complete
        year_end = np.arange(n) + position + 1
        full = position == 3
        last_year = np.take_along_axis(ytd.values, np.where(full, 0, year_end), axis=1)
        before = ytd.values[:, 4 : n + 4]
        values = ytd.values[:, :n] + np.where(full, 0.0, last_year - before)
        has_last_year = np.take_along_axis(ytd.there, np.where(full, 0, year_end), axis=1)
        return replace(ytd, values=values, there=ytd.there[:, :n] & (full | (has_last_year & ytd.there[:, 4 : n + 4])))

    def yearly_changes(self, name: str, n: int) -> Quarters | None:
        """Q_t − Q_{t−4} of the last `n` quarters of a flow, newest first; None where it can't be had.

        Of trailing years alone it is the step from one to the next: ΔTTM = Q_t − Q_{t−4}. There a quarter without a
        figure of its own (reported together with the next) is passed over.
        """
        single = self.single_quarters(name, n + 4)
        if single is not None:
            there = single.there[:, :n] & single.there[:, 4:]
            return replace(single, values=single.values[:, :n] - single.values[:, 4:], there=there)
        trailing = self.trailing_years(name, 2 * n)
        if trailing is None:
            return None
        order = np.argsort(~trailing.there, axis=1, kind="stable")[:, : n + 1]
        values = np.take_along_axis(trailing.values, order, axis=1)
        there = np.take_along_axis(trailing.there, order, axis=1)
        return replace(trailing, values=values[:, :n] - values[:, 1:], there=there[:, :n] & there[:, 1:])

    def last_quarters(self, quarters: Quarters, row: int) -> tuple[Float64, Bools]:
        """(N, n) values and (N, n) mask "a figure is known and not missing" at the close of `row`, newest first."""
        at = _last_change(quarters, np.arange(self.stocks), np.full(self.stocks, self._days()[row]))
        padded = np.vstack([quarters.values, np.full((1, quarters.values.shape[1]), np.nan)])
        values = padded[at]
        return values, np.isfinite(values)

    def at_quarter_ends(self, item: str, row: int, n: int) -> tuple[Float64, Bools]:
        """(N, n) values in force at the last `n` ends of calendar quarters up to `row`, newest first, and their mask.

        For items without a period, such as a number of shares; `last_quarters` is by the reports' own quarters.
        """
        today = self.dates[row].astype("datetime64[D]")
        month = (today + 1).astype("datetime64[M]").astype(np.int64)  # months since 1970 that are over by the close
        ends = (month // 3 * 3 - 3 * np.arange(n)).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
        events = self[item]  # also of before the days here
        last = _quarters(events, *_changes(events), 1)
        padded = np.append(last.values[:, 0], np.nan)
        every = np.arange(self.stocks)
        values = np.stack([padded[_last_change(last, every, np.full(self.stocks, end))] for end in ends], axis=1)
        return values, np.isfinite(values)

    def spread(self, at: Quarters, values: Float64) -> Float32:
        """(M,) `values`, one a change, carried over the days until the next change: (T, N)."""
        index = np.full((len(self.dates), self.stocks), -1, dtype=np.int32)
        row = np.searchsorted(self._days(), at.known, side="left")
        inside = np.flatnonzero(row < len(self.dates))
        index[row[inside], at.column[inside]] = inside  # by stock and day, so the last of a row stands
        np.maximum.accumulate(index, axis=0, out=index)
        padded = np.append(values, np.nan).astype(np.float32)
        return padded[index]

    def _days(self) -> Ints:
        return self.dates.astype("datetime64[D]").astype(np.int64)


def surprise(changes: Quarters) -> Float64:
    """SUE at each change, (M,): (Q_t − Q_{t−4} − drift) / standard deviation, both of the 8 quarters before t (≥ 6).

    `changes` are the last 9 `Fundamentals.yearly_changes`.
    """
    before = changes.values[:, 1:9]
    known = np.isfinite(before)
    count = known.sum(axis=1)
    safe = np.maximum(count, 2)
    drift = np.where(known, before, 0.0).sum(axis=1) / safe
    spread = np.sqrt((np.where(known, before - drift[:, None], 0.0) ** 2).sum(axis=1) / (safe - 1))
    enough = (count >= 6) & (spread > 0)
    return np.where(enough, (changes.values[:, 0] - drift) / np.where(enough, spread, 1.0), np.nan)


def year_on_year(quarters: Quarters) -> Float64:
    """(x_t − x_{t−4}) / |x_{t−4}| at each change, (M,); `quarters` are the last 5 or more. NaN where x_{t−4} is 0."""
    now, then = quarters.values[:, 0], quarters.values[:, 4]
    usable = np.isfinite(now) & np.isfinite(then) & (then != 0)
    return np.where(usable, (now - then) / np.abs(np.where(usable, then, 1.0)), np.nan)


def annual_growth(quarters: Quarters, years: int = 5) -> Float64:
    """Slope of the last `years` annual figures over time ÷ their mean absolute value, (M,); NaN unless all are known.

    `quarters` are the last 4 · `years` trailing years (newest first): those that end with a calendar year are annual.
    """
    offset = (quarters.latest + 1) % 4  # quarters since the last complete year
    at = offset[:, None] + 4 * np.arange(years)
    figures = np.take_along_axis(quarters.values, at, axis=1)[:, ::-1]
    time = np.arange(years) - (years - 1) / 2
    slope = (figures * time).sum(axis=1) / (time**2).sum()
    size = np.abs(figures).mean(axis=1)
    usable = np.isfinite(size) & (size > 0)
    return np.where(usable, slope / np.where(usable, size, 1.0), np.nan)


def _quarters(events: Events, column: Ints, known: Ints, n: int) -> Quarters:
    """The last `n` quarters of stocks by days; a stock and a day each."""
    latest = _newest(events, column, known)
    wanted = latest[:, None] - np.arange(n) * (latest != NO_QUARTER)[:, None]
    values, there = _as_of(events, column[:, None], wanted, known[:, None])
    if n > 1:
        there[:, 1:] &= (latest != NO_QUARTER)[:, None]
    return Quarters(column, known, latest, np.where(there, values, np.nan), there)


def _changes(events: Events) -> tuple[Ints, Ints]:
    """Stock and day of each change, by stock and day."""
    pair = np.sort(_pair(events.column, events.known))  # and not `unique`, which hashes: ten times slower
    return _parted(pair[np.append(True, pair[1:] != pair[:-1])[: len(pair)]])


def _in_force(column: Ints, known: Ints, day: int) -> Bools:
    """Changes (by stock and day) that are in force on a day, or later: each stock's last until then, and the rest."""
    later = known > day
    last: Bools = np.append((column[1:] != column[:-1]) | later[1:], True)
    return later | last


def _newest(events: Events, column: Ints, known: Ints) -> Ints:
    """Newest quarter of each stock among events known by each day."""
    order = np.lexsort((events.quarter, events.known, events.column))
    c, k, q = events.column[order], events.known[order], events.quarter[order]
    # Quarters are below 10^5, so a running maximum over (stock, quarter) as one number never crosses stocks.
    running = np.maximum.accumulate(c * 100_000 + q)
    key = _pair(c, k)
    at = np.searchsorted(key, _pair(column, known), side="right") - 1
    newest: Ints = running[at] - column * 100_000
    return newest


def _as_of(events: Events, column: Ints, quarter: Ints, known: Ints) -> tuple[Float64, Bools]:
    """Figure of each (stock, quarter) as known by a day, and whether there is one; arguments broadcast."""
    column, quarter, known = np.broadcast_arrays(column, quarter, known)
    group = _pair(events.column, events.quarter)
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1])[: len(group)])  # events are by stock and quarter
    stamps = group[first]
    # Rank of the group × a span of days + day: one sorted number an event.
    own = np.repeat(np.arange(len(stamps)), np.diff(np.append(first, len(group))))
    wanted = _pair(column, quarter)
    rank = np.searchsorted(stamps, wanted)
    there = rank < len(stamps)
    there &= stamps[np.where(there, rank, 0)] == wanted
    at = np.searchsorted(_pair(own, events.known), _pair(rank, known), side="right") - 1
    there &= (at >= 0) & (own[np.maximum(at, 0)] == rank)
    return np.where(there, events.value[np.maximum(at, 0)], np.nan), there


def _last_change(quarters: Quarters, column: Ints, known: Ints) -> Ints:
    """Index of the last change of each stock by a day; −1 = none."""
    at = np.searchsorted(_pair(quarters.column, quarters.known), _pair(column, known), side="right") - 1
    owner = np.append(quarters.column, -1)  # a change before the first: nobody's
    events: Ints = np.where(owner[at] == column, at, -1)
    return events


def _pair(major: Ints, minor: Ints) -> Ints:
    """Two numbers as one that sorts by the first, then the second; the second lies within ± 2^31."""
    return major.astype(np.int64) * 2**32 + minor.astype(np.int64)


def _parted(pair: Ints) -> tuple[Ints, Ints]:
    """The two numbers of a `_pair`."""
    major = (pair + 2**31) >> 32
    return major, pair - major * 2**32
