"""`Universe`: who may be scored, bought and sold on a day, and what the indices hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Floats, Int16, Int32, Ints, Symbols
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.panel.weighting import Weighting


class UniverseRule(Spec):
    """Who is eligible on a day: may be scored, and is in the test universe `all`."""

    window: int = Field(default=150, ge=1, le=2500, description="trading days looked back")
    min_observed: int = Field(default=100, ge=1, le=2500, description="traded days among them")
    exclude_st: bool = Field(default=True, description="leave out who has special treatment (ST)")

    @model_validator(mode="after")
    def _can_be_met(self) -> UniverseRule:
        if self.min_observed > self.window:
            raise ValueError(
                f"min_observed {self.min_observed} of a window of {self.window} days: nobody would ever be scored"
            )
        return self


@dataclass(frozen=True)
class Universe:
    """Facts about a day that decide who can be scored and traded. Row t is known at the close of day t.

    Attributes
    ----------
    dates : (T,) datetime64[D]; symbols : (N,) str
        as in the panel.
    listed : (T, N) bool
        within the listing span as known on the day (never uses a later delisting).
    traded : (T, N) bool
        a trade took place on the day.
    st : (T, N) bool
        special treatment.
    limit_up, limit_down : (T, N) int32
        the day's price limits in fen; 0 = no limit that day or not known (no previous close).
    industry : (T, N) int16
        index into `industries`; −1 = none known.
    members : mapping of index code to (T, N) bool
    benchmark : mapping of index code to (T, N) float32
        weights at the close of t, each row summing to 1 where the index has members (a row of zeros = no members).
    weighting : mapping of index code to how its weights were made, by day.
    index_close, index_total_return : mapping of index code to (T,) float64
        published levels, NaN = missing.
    next_date : (T,) datetime64[D]
        the next trading day by the calendar published ahead; NaT = not known.
    """

    dates: Dates
    symbols: Symbols
    listed: Bools
    traded: Bools
    st: Bools
    limit_up: Int32
    limit_down: Int32
    industry: Int16
    industries: tuple[str, ...]
    members: Mapping[str, Bools]
    benchmark: Mapping[str, Float32]
    weighting: Mapping[str, Weighting]
    index_close: Mapping[str, Float64]
    index_total_return: Mapping[str, Float64]
    next_date: Dates

    @property
    def derived(self) -> frozenset[str]:
        """Indices whose weights are, on any day, not the publisher's."""
        return frozenset(
            index
            for index, weighting in self.weighting.items()
            if any(not kind.startswith("published") for kind in weighting.used().days)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.dates), len(self.symbols)

    def until(self, t: int) -> Universe:
        """The universe as it was at the close of row t. `next_date` stays: it is published ahead."""
        return self.between(0, t + 1)

    def between(self, first: int, stop: int) -> Universe:
        """The rows first … stop − 1 of the universe as it was at the close of the last of them."""
        cut = slice(first, stop)
        arrays = ("dates", "listed", "traded", "st", "limit_up", "limit_down", "industry", "next_date")
        maps = ("members", "benchmark", "weighting", "index_close", "index_total_return")
        changed: dict[str, Any] = {name: getattr(self, name)[cut] for name in arrays}
        changed |= {name: {k: v[cut] for k, v in getattr(self, name).items()} for name in maps}
        return replace(self, **changed)

    def observed(self, window: int) -> Int32:
        """Number of traded days among the last `window` days, the day itself included: (T, N)."""
        total = np.cumsum(self.traded, axis=0, dtype=np.int32)
        total[window:] -= total[:-window].copy()
        return total

    def eligible(self, rule: UniverseRule) -> Bools:
        """Who is scored on day t, (T, N): traded that day, observed often enough, not ST."""
        may = self.traded & (self.observed(rule.window) >= rule.min_observed)
        return may & ~self.st if rule.exclude_st else may

    def week_ends(self) -> Bools:
        """(T,) True where the next trading day is known and lies in another calendar week (Monday to Sunday)."""
        known = ~np.isnat(self.next_date)
        ends: Bools = known & (_week(self.next_date) != _week(self.dates))
        return ends

    def member_mask(self, name: str) -> Bools:
        """(T, N) members of an index; a `DataError` that lists what there is where the index is unknown."""
        self._require(name)
        return self.members[name]

    def benchmark_weights(self, name: str) -> Floats:
        """(T, N) weights of an index at the close of each day; a `DataError` where there are members but no weights."""
        self._require(name)
        if name not in self.benchmark:
            raise DataError(f"index {name} has no weights: the market has neither its index_weights nor market values")
        return self.benchmark[name]

    def _require(self, name: str) -> None:
        if name not in self.members:
            known = ", ".join(sorted(self.members)) or "none"
            raise DataError(f"unknown index {name!r}: this market has members of {known}")


def _week(dates: Dates) -> Ints:
    """Number of the Monday-to-Sunday week of each date (1970-01-01 was a Thursday)."""
    return (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7
