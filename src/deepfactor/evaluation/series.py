"""Daily coefficients over universes, conventions and horizons, block of days by block of days; decay; the long leg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Indices, Int32, Ints
from deepfactor.cross_section.ranks import day_orders, flat_positions
from deepfactor.cross_section.rows import blocks, row_sums
from deepfactor.evaluation.definitions import TRADING_DAYS
from deepfactor.evaluation.ic import InformationCoefficients, Ordered, Paired, correlate, pack
from deepfactor.evaluation.records import Coefficients, DecayRecord, ICRecord, LongLegRecord
from deepfactor.evaluation.settings import Sampling, TestSettings
from deepfactor.evaluation.statistics import every, mean_of, newey_west_t, summarise, years_of
from deepfactor.evaluation.window import Window, take_columns
from deepfactor.panel.returns import Convention, PriceField, adjusted, at_entry, entry

Names = Literal["all", "tradeable"]
NAMES: tuple[Names, ...] = ("all", "tradeable")

#: Groups of the long leg where a universe has none.
DECILES = 10

#: |t| from which on a leg is told from noise.
CLEAR = 2.0


@dataclass(frozen=True)
class ICSeries:
    """Daily information coefficients over one universe, convention, horizon and choice of names.

    Attributes
    ----------
    dates : (K,)
        scored days whose exit lies within the data.
    rows : (K,)
        where they lie in the tested span, to sample every h trading days.
    values : of length K
    """

    universe: str
    convention: Convention
    horizon: int
    names: Names
    dates: Dates
    rows: Indices
    values: InformationCoefficients

    def record(self, arm: str, seed: int | None, sampling: Sampling) -> ICRecord:
        """Statistics as in `factor_report.json`. Daily samples overlap: the t's lag is horizon − 1, else 0."""
        chosen = np.arange(len(self.rows)) if sampling == "daily" else every(self.rows, self.horizon)
        lag = self.horizon - 1 if sampling == "daily" else 0
        years = years_of(self.dates[chosen])

        def both(kept: Indices) -> Coefficients:
            return {
                "rank_ic": summarise(self.values.rank_ic[kept], lag).record(),
                "ic": summarise(self.values.ic[kept], lag).record(),
            }

        coefficients, icir = both(chosen), summarise(self.values.rank_ic[chosen], lag).icir
        return {
            "arm": arm,
            "seed": seed,
            "universe": self.universe,
            "convention": self.convention,
            "horizon": self.horizon,
            "sampling": sampling,
            "names": self.names,
            **coefficients,
            "annualised_icir": None if sampling == "daily" else icir * self._a_year(chosen) ** 0.5,
            "by_year": {str(year): both(chosen[years == year]) for year in np.unique(years)},
        }

    def _a_year(self, chosen: Indices) -> float:
        """Samples a year: 252 / horizon where every day is scored."""
        rows = self.rows[chosen]
        return TRADING_DAYS * (len(rows) - 1) / float(rows[-1] - rows[0]) if len(rows) > 1 else np.nan

    def decayed(self) -> DecayRecord:
        """An entry of `decay`: means over the days, and how many."""
        return {
            "universe": self.universe,
            "convention": self.convention,
            "names": self.names,
            "horizon": self.horizon,
            "rank_ic": mean_of(self.values.rank_ic),
            "ic": mean_of(self.values.ic),
            "n": int(np.isfinite(self.values.rank_ic).sum()),
        }


@dataclass(frozen=True)
class LongLeg:
    """What of a factor's spread the long side earns.

    Attributes
    ----------
    long_excess, short_excess : (S,)
        mean forward return of the top group less that of all names with a return, and of all less the bottom group.
    """

    universe: str
    convention: Convention
    horizon: int
    long_excess: Float64
    short_excess: Float64

    def record(self) -> LongLegRecord:
        """As in `factor_report.json`: means over the days; the share is that of both, NaN where neither leg's
        Newey–West t (lag horizon − 1) reaches 2, or they sum to 0: a ratio of noise."""
        legs = (self.long_excess, self.short_excess)
        long, short = (mean_of(leg) for leg in legs)
        both = long + short
        clear = any(abs(newey_west_t(leg, self.horizon - 1)) >= CLEAR for leg in legs)
        return {
            "universe": self.universe,
            "convention": self.convention,
            "horizon": self.horizon,
            "long_excess": long,
            "short_excess": short,
            "long_share": long / both if both and clear else np.nan,
        }


@dataclass(frozen=True)
class Case:
    """One universe, convention and horizon, filled block by block: its coefficients and, if asked, its long leg, all of
    length S."""

    universe: str
    convention: Convention
    horizon: int
    values: dict[Names, InformationCoefficients]
    leg: LongLeg | None

    @staticmethod
    def empty(
        universe: str, convention: Convention, horizon: int, days: int, *, kinds: Sequence[Names] = NAMES, leg: bool
    ) -> Case:
        """Of `days` days, nothing known yet."""
        legs = LongLeg(universe, convention, horizon, np.full(days, np.nan), np.full(days, np.nan)) if leg else None
        values = {kind: InformationCoefficients.empty(days) for kind in kinds}
        return Case(universe, convention, horizon, values, legs)

    def fill(self, rows: slice, names: Ordered, returns: Float64, free: Bools | None, settings: TestSettings) -> None:
        """Take the days `rows` with their forward `returns` (B, M) and who can be traded at the entry (B, M); None
        where no names are chosen by that."""
        paired = names.paired(returns)
        subsets = {"all": names.inside}
        if free is not None:
            subsets["tradeable"] = names.inside & names.of(free)
        results = correlate(names, paired, [subsets[kind] for kind in self.values], settings.min_names)
        for kind, result in zip(self.values, results, strict=True):
            self.values[kind].put(rows, result)
        if self.leg is not None:
            groups = settings.groups_of(self.universe) or DECILES
            self.leg.long_excess[rows], self.leg.short_excess[rows] = _legs(names, paired, groups)

    def series(self, window: Window) -> list[ICSeries]:
        """Over the scored days whose exit lies within the data."""
        scored = window.scored_rows()
        rows = scored[scored + entry(self.convention)[0] + self.horizon < len(window.panel.dates)]
        return [
            ICSeries(self.universe, self.convention, self.horizon, kind, window.dates[rows], rows, values.at(rows))
            for kind, values in self.values.items()
        ]


@dataclass(frozen=True)
class AllSeries:
    """Every series of a test: of the asked horizons, of the decay; the long legs; what was left out, by reason."""

    asked: tuple[ICSeries, ...]
    decay: tuple[ICSeries, ...]
    long_legs: tuple[LongLeg, ...]
    dropped: dict[str, int]


def all_series(window: Window, settings: TestSettings, enterable: Mapping[PriceField, Bools]) -> AllSeries:
    """All coefficients of a test; `enterable` (W, M) at the prices of the conventions."""
    masks = {name: window.names(name) for name in settings.universes}
    S = len(window.scores)
    free = {c: at_entry(enterable[entry(c)[1]], c)[:S] for c in settings.conventions}
    cases = [
        Case.empty(universe, convention, horizon, S, leg=horizon in settings.horizons)
        for convention in settings.conventions
        for horizon in sorted({*settings.horizons, *range(1, settings.decay + 1)})
        for universe in masks
    ]
    prices = entry_prices(window, settings)
    for universe, mask in masks.items():
        own = [case for case in cases if case.universe == universe]
        fill_cases(own, window.scores, mask, prices, free, settings, window.orders)
    series = {(case.convention, case.horizon, case.universe): case.series(window) for case in cases}
    asked = [
        one
        for convention in settings.conventions
        for horizon in settings.horizons
        for universe in masks
        for one in series[convention, horizon, universe]
    ]
    return AllSeries(
        asked=tuple(asked),
        decay=tuple(one for of_universe in series.values() for one in of_universe if one.horizon <= settings.decay),
        long_legs=tuple(case.leg for case in cases if case.leg is not None),
        dropped=_left_out(asked, window, masks, free),
    )


def entry_prices(window: Window, settings: TestSettings) -> dict[PriceField, Float64]:
    """Adjusted (W, M) prices that the conventions trade at."""
    return {field: adjusted(window.panel, field) for field in {entry(c)[1] for c in settings.conventions}}


def fill_cases(
    cases: Sequence[Case],
    scores: Float64,
    mask: Bools,
    prices: Mapping[PriceField, Float64],
    free: Mapping[Convention, Bools],
    settings: TestSettings,
    orders: Int32 | None = None,
) -> None:
    """Fill `cases`, all of one universe, with the coefficients of (S, M) `scores` over its `mask`; `orders`: the
    scores' `day_orders`, where they are known."""
    kept = mask & np.isfinite(scores)
    columns = np.flatnonzero(kept.any(axis=0))
    if orders is None or len(columns) < scores.shape[1]:  # an index has few of the market's names
        scores, kept = take_columns(scores, columns), take_columns(kept, columns)
        prices = {field: take_columns(price, columns) for field, price in prices.items()}
        free = {convention: take_columns(open_, columns) for convention, open_ in free.items()}
        orders = day_orders(scores)
    for rows in blocks(len(kept), int(np.count_nonzero(kept)) // len(kept)):
        names = pack(scores[rows], flat_positions(orders[rows]), kept[rows])
        for case in cases:
            returns = _forward_returns(prices[entry(case.convention)[1]], case.convention, case.horizon, rows)
            open_ = free[case.convention][rows] if case.convention in free else None
            case.fill(rows, names, returns, open_, settings)


def _forward_returns(prices: Float64, convention: Convention, horizon: int, rows: slice) -> Float64:
    """`forward_return` of some days: (B, M), NaN where a price is missing or beyond the data."""
    first = rows.start + entry(convention)[0]
    last = prices[first + horizon : first + horizon + rows.stop - rows.start]
    returns = np.full((rows.stop - rows.start, prices.shape[1]), np.nan)
    np.divide(last, prices[first : first + len(last)], out=returns[: len(last)])
    returns -= 1.0
    return returns


def _legs(names: Ordered, returns: Paired, groups: int) -> tuple[Float64, Float64]:
    """Long and short excess of returns in ascending order of the score: (B,) each; NaN for too few names and where all
    scores are equal. Equal scores at the edge of a leg are shared, as in the groups."""
    have, n = returns.have, np.count_nonzero(returns.have, axis=1)
    number = np.cumsum(have, axis=1, dtype=np.int32)  # 1 … n from the lowest score up

    def mean(values: Float64, size: Ints) -> Float64:
        return np.where(n >= groups, row_sums(values) / np.maximum(size, 1), np.nan)

    below, bottom = -(-(groups - 1) * n // groups), -(-n // groups)
    everyone = mean(returns.values, n)
    long = mean(returns.values * names.ties.shares_above(below, number, have), n - below)
    short = mean(returns.values * (1.0 - names.ties.shares_above(bottom, number, have)), bottom)
    return long - everyone, everyone - short


def _left_out(
    asked: Sequence[ICSeries], window: Window, masks: Mapping[str, Bools], free: Mapping[Convention, Bools]
) -> dict[str, int]:
    """What the asked series leave out, by reason."""
    finite, scored = np.isfinite(window.scores), len(window.scored_rows())
    counts: dict[tuple[str, Convention, Names], Ints] = {}
    for universe, mask in masks.items():
        for convention, open_ in free.items():
            counts[universe, convention, "all"] = (mask & finite).sum(axis=1)
            counts[universe, convention, "tradeable"] = (mask & finite & open_).sum(axis=1)
    dropped = {}
    for one in asked:
        case = f"{one.universe}.{one.convention}.{one.horizon}.{one.names}"
        have = counts[one.universe, one.convention, one.names][one.rows]
        dropped[f"days_without_exit.{one.convention}.{one.horizon}"] = scored - len(one.rows)
        dropped[f"scores_without_return.{case}"] = int(have.sum() - one.values.n.sum())
        dropped[f"days_without_ic.{case}"] = int(np.isnan(one.values.rank_ic).sum())
    return dropped
