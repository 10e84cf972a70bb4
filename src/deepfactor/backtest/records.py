"""``summary.json`` as typed records: what `backtest.performance.summary` writes is what readers read.

Dictionaries, as those of `evaluation.records`: `NotRequired` is what an earlier version didn't write, None what is not
defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

from deepfactor.evaluation.records import Number
from deepfactor.panel.weighting import WeightsRecord


class CutRecord(TypedDict):
    """Where a backtest begins later or ends earlier than its scores."""

    side: Literal["start", "end"]
    day: str
    asked: str
    why: Literal["members", "levels"]


class EpisodeRecord(TypedDict):
    """A drawdown of the excess NAV; `recovery` None = not by the end."""

    start: str
    trough: str
    recovery: str | None
    depth: Number
    days_down: NotRequired[int]
    days_up: NotRequired[int | None]
    exposures_at_start: NotRequired[Mapping[str, Number]]


class BindingRecord(TypedDict):
    """How often a bound held the solution back; `row` None = bounds on single names, pooled."""

    constraint: str
    row: str | None
    share_of_rebalances: Number
    mean_shadow_price: Number


class InvestedRecord(TypedDict):
    """How much of the book was invested, and should have been."""

    mean: Number
    target: Number
    days: int
    days_below: int


class CapacityRecord(TypedDict):
    """The largest books of which `within` of what is traded is at most `share` of a stock's daily amount; CNY.

    The `median` rebalance and the one in twenty with the least room (`low`); None of none.
    """

    share: float
    within: float
    median: Number
    low: Number
    rebalances: int


class ExcessRecord(TypedDict):
    """A NAV against a benchmark over one span; see `ExcessStatistics`."""

    days: NotRequired[int]
    annual_return: NotRequired[Number]
    benchmark_annual_return: NotRequired[Number]
    excess: Number
    tracking_error: Number
    information_ratio: Number
    excess_sharpe: Number
    excess_max_drawdown: Number
    calmar: Number
    monthly_win_rate: Number


class RelaxedRecord(TypedDict):
    """Bounds that the rebalances of a span did not keep; `relaxed_constraints`: constraint → rebalances."""

    relaxed_bounds: NotRequired[int]
    relaxed_rebalances: NotRequired[int]
    frozen_rebalances: NotRequired[int]
    infeasible_rebalances: NotRequired[int]
    relaxed_constraints: NotRequired[Mapping[str, int]]


class Trading(RelaxedRecord):
    """Turnover and cost of the rebalances of a span."""

    rebalances: NotRequired[int]
    turnover: NotRequired[Number]
    turnover_one_sided: NotRequired[Number]
    cost: NotRequired[Number]


class Alone(TypedDict):
    """A portfolio and its headline benchmark, each by itself: daily returns a year (252 days), no risk-free rate."""

    max_drawdown: NotRequired[Number]
    benchmark_max_drawdown: NotRequired[Number]
    volatility: NotRequired[Number]
    benchmark_volatility: NotRequired[Number]
    sharpe: NotRequired[Number]
    benchmark_sharpe: NotRequired[Number]


class SpanRecord(ExcessRecord, Trading, Alone):
    """One span's numbers against the headline benchmark, and what stands beside them."""

    excess_gross: NotRequired[Number]
    annual_return_gross: NotRequired[Number]
    excess_replica: NotRequired[Number]
    tracking_error_replica: NotRequired[Number]
    information_ratio_replica: NotRequired[Number]
    excess_total_return: NotRequired[Number]
    replica_tracking_error: NotRequired[Number]
    excess_drawdown: NotRequired[EpisodeRecord | None]


class Parts(TypedDict, total=False):
    """Where an active return comes from; styles and industries by name."""

    styles: Mapping[str, Number]
    industries: Mapping[str, Number]
    selection: Number
    cost: Number
    cash_and_rounding: Number
    active: Number


class AttributionRecord(TypedDict):
    """Over the whole span, and by calendar year."""

    all: Parts
    by_year: Mapping[str, Parts]


class PairedPortfolio(TypedDict):
    """An entry of ``paired_portfolios.json``: first arm's portfolio less the second's on their common days, daily log
    returns, a year; Newey–West with `lags`. None = not defined."""

    index: str
    constraints: str
    first: str
    second: str
    difference: Number
    standard_error: Number
    t_newey_west: Number
    win_rate: Number
    lags: int
    n: int


class SeedRecord(TypedDict):
    """One seed's portfolio: excess after and before cost, by the constraint set's definition."""

    seed: int
    excess: Number
    excess_gross: Number
    information_ratio: Number


class SeedsFile(TypedDict):
    """``seeds.json``: the ensemble's excess, mean and standard deviation of the seeds' own, and each."""

    ensemble: Number
    mean: Number
    std: Number
    seeds: list[SeedRecord]


class SummaryFile(WeightsRecord, total=False):
    """``summary.json``; its keys one by one: docs/conventions.md."""

    index: str
    capital: float
    start: str
    end: str
    cuts: list[CutRecord]
    definition: str
    definition_stated: bool
    definition_says: str
    preset: str | None
    constraints: str | None
    benchmark: str
    dividend_tax: str
    invested: InvestedRecord
    capacity: CapacityRecord | None
    warnings: list[str]
    all: SpanRecord
    by_year: Mapping[str, SpanRecord]
    definitions: Mapping[str, Mapping[str, Mapping[str, object]]]
    attribution: AttributionRecord | None
    attribution_method: str | None
    episodes: list[EpisodeRecord]
    binding: list[BindingRecord]
    rejected: Mapping[str, int]
    counts: Mapping[str, int]
