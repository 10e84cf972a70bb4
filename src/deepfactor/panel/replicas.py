"""Index replicas beside the published indices: how near the weights held come to each, year by year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.core.words import Sentence
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.store.checks import Finding

#: Days with both returns from which a year has a correlation and a tracking error, and from which it is a full one.
SOME_DAYS, FULL_YEAR = 20, 230
#: Tracking error a year, and shortfall of a full year's return, beyond which a replica is doubtful.
TRACKING_ERROR, SHORTFALL = 0.01, 0.001
_STRAYS = Sentence(
    "the replica of {index} strays from the published index by a tracking error of more than {error} a year, in "
    "{count} of {n} years: are its weights and members right?",
    "{index}的复制指数偏离公布指数：{n}年中有{count}年的年化跟踪误差超过{error}，请核对其权重与成分",
)
_BEHIND = Sentence(
    "the replica of {index}, which earns dividends, is behind the price index, which doesn't, in {count} of {n} years: "
    "are its weights and members right?",
    "{index}的复制指数含分红，却在{n}年中有{count}年落后于不含分红的价格指数，请核对其权重与成分",
)


@dataclass(frozen=True)
class ReplicaYears:
    """An index's replica against its published price index, a number a year (NaN = fewer than `SOME_DAYS` days).

    Attributes
    ----------
    correlation : of daily returns
    tracking_error : sample standard deviation of the daily difference × √252
    replica_return, index_return : of the days that both have, compounded; the replica's with dividends
    days : that both have
    """

    correlation: tuple[float, ...]
    tracking_error: tuple[float, ...]
    replica_return: tuple[float, ...]
    index_return: tuple[float, ...]
    days: tuple[int, ...]


def replica_years(panel: Panel, universe: Universe, index: str, cuts: list[slice]) -> ReplicaYears:
    """The replica of `index` on the rows of each of `cuts`.

    The replica holds the weights of the close before. A member without a trade returns 0 that day, and its move on the
    day of the next trade.
    """
    replica, level = _replica_returns(panel, universe, index), universe.index_close[index]
    published = np.full(len(level), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        published[1:] = level[1:] / level[:-1] - 1
    columns = [_year(replica[cut], published[cut]) for cut in cuts]
    correlation, error, own, other, days = zip(*columns, strict=True)
    return ReplicaYears(correlation, error, own, other, days)


def _year(replica: Float64, published: Float64) -> tuple[float, float, float, float, int]:
    both = np.isfinite(replica) & np.isfinite(published)
    days = int(both.sum())
    if days < SOME_DAYS:
        return (np.nan, np.nan, np.nan, np.nan, days)
    own, other = replica[both], published[both]
    error = float(np.std(own - other, ddof=1) * np.sqrt(252))
    grown, index_grown = (float(np.prod(1 + x) - 1) for x in (own, other))
    return (float(np.corrcoef(own, other)[0, 1]), error, grown, index_grown, days)


def _replica_returns(panel: Panel, universe: Universe, index: str) -> Float64:
    weights = universe.benchmark[index]
    last = np.full(len(panel.symbols), np.nan)
    replica = np.full(len(panel.dates), np.nan)
    for t in range(len(panel.dates)):
        price = panel["close"][t].astype(np.float64) * panel["adj_factor"][t]
        now = np.where(universe.traded[t], price, last)
        if t and weights[t - 1].any():
            replica[t] = np.nansum(weights[t - 1] * (now / last - 1), dtype=np.float64)
        last = now
    return replica


def doubtful(years: tuple[int, ...], index: str, replica: ReplicaYears) -> list[Finding]:
    """Warnings of a replica that strays from its index, or that with dividends falls behind the price index."""
    out = []
    strays = [i for i, error in enumerate(replica.tracking_error) if error > TRACKING_ERROR]
    if strays:
        examples = tuple(f"{years[i]}: {replica.tracking_error[i]:.2%}" for i in strays[:5])
        message = _STRAYS.filled(index=index, error=f"{TRACKING_ERROR:.0%}", count=len(strays), n=len(years))
        out.append(Finding("warning", "replica_strays", "index_daily", "close", len(strays), message, None, examples))
    behind = [
        i
        for i, days in enumerate(replica.days)
        if days >= FULL_YEAR and replica.replica_return[i] < replica.index_return[i] - SHORTFALL
    ]
    if behind:
        examples = tuple(
            f"{years[i]}: {replica.replica_return[i]:+.2%} against {replica.index_return[i]:+.2%}" for i in behind[:5]
        )
        message = _BEHIND.filled(index=index, count=len(behind), n=len(years))
        out.append(Finding("warning", "replica_behind", "index_daily", "close", len(behind), message, None, examples))
    return out
