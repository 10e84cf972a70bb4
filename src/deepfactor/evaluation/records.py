"""``factor_report.json`` as typed records: what the test writes is what readers read.

They are dictionaries on purpose: a file keeps its keys and their order, and a reader can tell a key that an earlier
version didn't write (`NotRequired`) from one whose number is not defined (None, or NaN before it is written).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

Number = float | None


class Statistics(TypedDict):
    """Of a series of daily coefficients: mean, spread, their ratio, share of days above zero, Newey–West t, days."""

    mean: Number
    std: Number
    icir: Number
    win_rate: Number
    t_newey_west: Number
    n: int


class Coefficients(TypedDict):
    """Of the rank and of the linear correlation, over one span."""

    rank_ic: Statistics
    ic: Statistics


class ICRecord(Coefficients):
    """One test of a seed's or the ensemble's (seed None) scores, over a universe, convention, horizon and names."""

    arm: str
    seed: int | None
    universe: str
    convention: str
    horizon: int
    sampling: str
    names: str
    annualised_icir: NotRequired[Number]
    by_year: Mapping[str, Coefficients]


class DecayRecord(TypedDict):
    """Means over the days at one horizon."""

    universe: str
    convention: str
    names: str
    horizon: int
    rank_ic: Number
    ic: Number
    n: int


class LongLegRecord(TypedDict):
    """Long and short leg at one horizon, means over the days; the share is None where neither is told from noise."""

    universe: str
    convention: str
    horizon: int
    long_excess: Number
    short_excess: Number
    long_share: Number


class ResidualRecord(TypedDict):
    """RankIC of what a style set leaves of the score; an earlier version says nothing of the names."""

    set: str
    universe: str
    convention: str
    horizon: int
    rank_ic: Statistics
    raw_rank_ic: NotRequired[Statistics]
    names: NotRequired[Number]
    filled: NotRequired[Number]


class SeedSpread(TypedDict):
    """How far the means of an arm's seeds lie apart in one case."""

    universe: str
    convention: str
    horizon: int
    sampling: str
    names: str
    mean: float
    std: float
    min: float
    max: float
    n_seeds: int


class StyleCorrelation(TypedDict):
    """Correlation of the score with a style: mean over the days, and the last day's."""

    mean: Number
    last: Number


class DefinitionsRecord(TypedDict):
    """By which definition an excess is formed."""

    annual_excess: str
    year: str
    yearly_excess: str


class ExcessYear(TypedDict):
    """A group's excess in one calendar year."""

    excess: Number
    excess_sharpe: Number
    excess_max_drawdown: NotRequired[Number]


# A keyword stands among the keys, so no class can list them.
GroupYear = TypedDict(
    "GroupYear",
    {
        "return": Number,
        "sharpe": NotRequired[Number],
        "excess": Number,
        "excess_sharpe": Number,
        "excess_max_drawdown": NotRequired[Number],
        "max_drawdown": NotRequired[Number],
        "turnover_one_sided": NotRequired[Number],
        "days": NotRequired[int],
    },
)


class Excess(TypedDict):
    """A top group against one benchmark over the span: by the definition, and by name in both forms."""

    annual_excess: Number
    annual_excess_difference: NotRequired[Number]
    annual_excess_nav_ratio: NotRequired[Number]
    excess_sharpe: NotRequired[Number]
    excess_max_drawdown: NotRequired[Number]


class TopGroup(Excess):
    """The top group over the span."""

    annual_return: Number
    sharpe: Number
    max_drawdown: Number
    turnover_one_sided: Number


class AlsoRecord(Excess):
    """The top group against another benchmark."""

    weighted_by: NotRequired[str | None]
    by_year: Mapping[str, ExcessYear]


class GroupRecord(TypedDict):
    """Groups of one universe; `top` is None where there are none, and `reason` says why."""

    universe: str
    n: int
    benchmark: str
    definitions: NotRequired[DefinitionsRecord]
    reason: NotRequired[str | None]
    edges_in_ties: NotRequired[Number]
    names_shared: NotRequired[Number]
    annual_return: list[Number]
    top: TopGroup | None
    by_year: Mapping[str, GroupYear]
    also: NotRequired[Mapping[str, AlsoRecord]]


class TopYear(TypedDict):
    """Excess of a top portfolio in one calendar year."""

    gross: Number
    net: Number


class OffsetExcess(TypedDict):
    """Over all starting days: means, and the least and largest excess."""

    annual_return: Number
    annual_excess: Number
    min_excess: Number
    max_excess: Number


class Offsets(TypedDict):
    """A top portfolio over all starting days, `n` of them."""

    n: int
    gross: OffsetExcess
    net: OffsetExcess


class TopRecord(TypedDict):
    """A top portfolio: excess a year before and after cost, turnover a year."""

    name: str
    every: int
    convention: str
    definitions: NotRequired[DefinitionsRecord]
    reason: NotRequired[str | None]
    edges_in_ties: NotRequired[Number]
    gross: Number
    net: Number
    turnover_two_sided: Number
    by_year: Mapping[str, TopYear]
    offsets: NotRequired[Offsets | None]


class HeldTop(TypedDict):
    """A top group that was held: excess a year over the universe's equal weight before and after cost, t of the daily
    log excess after cost, mean one-sided turnover a week, and by calendar year."""

    gross: Number
    net: Number
    t_newey_west: Number
    turnover_one_sided: Number
    by_year: Mapping[str, TopYear]


class DecayWeek(TypedDict):
    """Excess of a signal's picks over the universe in the `week`-th week after the trade, a year; `n` signals."""

    week: int
    excess: Number
    t_newey_west: Number
    n: int


class LongSideRecord(TypedDict):
    """The long side in one universe: the top 1/`part` held under the turnover `bound` and refreshed in full, decay."""

    universe: str
    part: int
    bound: float
    cost_rate: float
    definitions: DefinitionsRecord
    held: HeldTop
    refreshed: HeldTop
    decay: list[DecayWeek]


class PartRecord(TypedDict):
    """RankIC within one industry or one third of size (`by`), on `days` a horizon apart; `names`: how many a day."""

    universe: str
    convention: str
    horizon: int
    by: str
    name: str
    rank_ic: Number
    t: Number
    days: int
    names: Number


class FactorFile(TypedDict, total=False):
    """``factor_report.json``; its keys one by one: docs/conventions.md."""

    factor: str
    market: str
    span: list[str]
    records: list[ICRecord]
    decay: list[DecayRecord]
    long_leg: list[LongLegRecord]
    groups: list[GroupRecord]
    top_n: list[TopRecord]
    long_side: list[LongSideRecord]
    parts: list[PartRecord]
    autocorrelation: Mapping[str, Number]
    style_correlation: Mapping[str, StyleCorrelation]
    style_correlations: Mapping[str, Mapping[str, StyleCorrelation]]
    styles_absent: Mapping[str, Mapping[str, str]]
    residual_ic: list[ResidualRecord]
    dropped: Mapping[str, int]
    seed_spread: list[SeedSpread] | None


class OracleFile(TypedDict):
    """``oracle.json``: the truth of a simulated market tested like a factor, and how far each arm agrees with it."""

    records: list[ICRecord]
    correlation: Mapping[str, Number]
    visible_correlation: NotRequired[Mapping[str, Number]]


class PairedEntry(TypedDict):
    """An entry of ``paired.json``: `first` less `second` arm on common days, of what `measure` says."""

    measure: str
    first: str
    second: str
    universe: str
    convention: NotRequired[str]
    horizon: NotRequired[int]
    set: NotRequired[str]
    difference: Number
    standard_error: Number
    t_newey_west: Number
    win_rate: Number
    lags: int
    n: int
    raw_difference: NotRequired[Number]
    names_first: NotRequired[Number]
    names_second: NotRequired[Number]
    seed_std_first: Number
    seed_std_second: Number
