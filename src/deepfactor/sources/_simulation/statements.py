"""Quarterly statements on two clocks: what a quarter brought, and the day from which it is known.

Values follow from each firm's latent vector, a season of its own and slow shocks; the surprise in net profit drives the
part `drift` of alpha. Drawn in whole years from streams of their own, so that a longer market repeats a shorter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Ints
from deepfactor.sources._simulation.calendar import Clock, trading_days
from deepfactor.sources._simulation.firms import Firms
from deepfactor.sources._simulation.latent import Latent
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.settings import Settings

#: Calendar years of statements before the market's first year: a surprise needs thirteen quarters, growth five years.
YEARS_BEFORE = 6

#: Quarter → last day, statutory deadline, years from one to the other, and how many days ahead of the deadline the
#: earliest firm reports (China: 30 April for the year and the first quarter, 31 August, 31 October).
QUARTERS = (
    ("03-31", "04-30", 0, 20),
    ("06-30", "08-31", 0, 45),
    ("09-30", "10-31", 0, 25),
    ("12-31", "04-30", 1, 95),
)

#: Quarters whose year-on-year changes give the mean and deviation that a surprise is measured by.
SURPRISE_QUARTERS = 8

#: Deviation of a surprise, cut at ±4, over all statements: what makes its square 1 on average. Fixed, because a sample
#: deviation would know the future.
SURPRISE_CUT, SURPRISE_DEVIATION = 4.0, 1.5

#: Share of statements restated later, and after how many days at least and at most.
RESTATED_SHARE, RESTATED_AFTER = 0.01, (40, 300)

#: Flows are single-quarter figures (suffix `_q`), the others stand at the period's end. All in CNY.
FLOWS = ("revenue_q", "operating_cost_q", "net_profit_q", "operating_cash_flow_q")
BALANCES = ("total_assets", "total_equity", "total_liabilities", "long_term_debt")

#: Figures are published in whole 10,000 CNY.
_UNIT = 1e4


@dataclass(frozen=True)
class Statements:
    """Statements of Q quarters and N firms.

    Attributes
    ----------
    period_end : (Q,) datetime64[D]
    days : (E,) datetime64[D]
        trading days that `known` and `restated_known` point into; the clock's row is the position less `offset`.
    offset : int
    known : (Q, N) int64
        position of the first trading day after the announcement; the listing day for statements before a listing (the
        prospectus). Not before the same firm's statement ahead of it.
    items : mapping of item to (Q, N) float64, CNY, as first reported
    restated : (Q, N) bool
    restated_known : (Q, N) int64
        position of the trading day from which the restated figures are known; they replace `restated_items`.
    restated_items : mapping of item to (Q, N) float64
    surprises : mapping of clock row to (firms, values)
        the standardised unexpected earnings of the statements that become known on a row.
    """

    period_end: Dates
    days: Dates
    offset: int
    known: Ints
    items: Mapping[str, Float64]
    restated: Bools
    restated_known: Ints
    restated_items: Mapping[str, Float64]
    surprises: Mapping[int, tuple[Ints, Float64]]

    def surprise(self, row: int) -> Float64:
        """(N,) surprise of what becomes known on a row of the clock; 0 for firms that report nothing."""
        out = np.zeros(self.known.shape[1])
        if row in self.surprises:
            np.add.at(out, *self.surprises[row])
        return out

    def equity(self, row: int) -> Float64:
        """(N,) total equity of the last statement known on a row of the clock, as first reported."""
        last = np.maximum((self.known <= row + self.offset).sum(axis=0) - 1, 0)
        equity: Float64 = self.items["total_equity"][last, np.arange(len(last))]
        return equity


@dataclass(frozen=True)
class _Shocks:
    """Standard normal unless said, each (Q, N): all that is random in the statements of a span of quarters."""

    level: Float64
    equity: Float64
    leverage: Float64
    margin: Float64
    profit: Float64
    cash: Float64
    delay: Float64  # Beta(1, 2.2): how far ahead of the deadline
    restated: Float64  # uniform
    restated_after: Float64  # uniform
    correction: Float64


def draw_statements(settings: Settings, clock: Clock, firms: Firms, latent: Latent) -> Statements:
    """All statements whose period ends within the simulated days, and six years before."""
    years = range(clock.days[0].astype("datetime64[Y]").astype(int) + 1970 - YEARS_BEFORE, clock.years()[-1] + 1)
    shocks = _draw_shocks(settings, years)
    items = _figures(settings, clock, firms, latent, years, shocks)
    days = trading_days(np.datetime64(f"{years[0]}-01-01"), clock.days[-1])
    offset = int(np.searchsorted(days, clock.days[0]))
    announced = _announcement_dates(years, shocks.delay)
    known = np.searchsorted(days, announced, side="right")
    listed = np.where(firms.list_row >= 0, firms.list_row + offset, np.searchsorted(days, firms.list_date))
    later = announced + (RESTATED_AFTER[0] + shocks.restated_after * np.ptp(RESTATED_AFTER)).astype(np.int64)
    restated_known = np.searchsorted(days, later, side="right")
    ends = [f"{year}-{last}" for year in years for last, *_ in QUARTERS]
    return Statements(
        period_end=np.array(ends, "datetime64[D]"),
        days=days,
        offset=offset,
        known=np.maximum(known, listed),
        items=items,
        restated=(shocks.restated < RESTATED_SHARE) & (known > listed),
        restated_known=restated_known,
        restated_items=_restate(items, shocks.correction),
        surprises=_surprises(items["net_profit_q"], known, listed, offset, clock.stop),
    )


def _draw_shocks(settings: Settings, years: range) -> _Shocks:
    blocks = []
    for year in years:
        rng, shape = stream(settings.seed, "statements", year), (len(QUARTERS), settings.stocks)
        normal = [rng.standard_normal(shape) for _ in range(6)]
        uniform = [rng.beta(1.0, 2.2, shape), rng.random(shape), rng.random(shape)]
        blocks.append([*normal, *uniform, rng.standard_normal(shape)])
    return _Shocks(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _decaying_sum(shocks: Float64, memory: float) -> Float64:
    """x_q = memory · x_{q−1} + shock_q along the first axis."""
    out = shocks.copy()
    for q in range(1, len(out)):
        out[q] += memory * out[q - 1]
    return out


def _logistic(x: Float64) -> Float64:
    value: Float64 = 1.0 / (1.0 + np.exp(-x))
    return value


def _figures(
    settings: Settings, clock: Clock, firms: Firms, latent: Latent, years: range, shocks: _Shocks
) -> dict[str, Float64]:
    """Every item, (Q, N). A firm's equity starts from its first market value and its value exposure, and grows."""
    rng, f = stream(settings.seed, "statements"), latent.vector.T
    season = np.exp(0.18 * rng.standard_normal((len(QUARTERS), settings.stocks)))
    season /= season.mean(axis=0)
    book = np.exp(-0.9 + 0.45 * firms.value + 0.25 * rng.standard_normal(settings.stocks))
    start = clock.days[0].astype("datetime64[M]").astype(np.int64) / 12 + 1970
    years_on = (years[0] + 0.25 * (np.arange(len(shocks.level)) + 1) - start)[:, None]

    growth = np.minimum(0.08 + 0.05 * f[4], 0.3)
    equity = np.exp(firms.log_cap) * book * np.exp(0.8 * growth * years_on + 0.01 * np.cumsum(shocks.equity, axis=0))
    liabilities_share = 0.9 * _logistic(-0.2 + 0.8 * f[2] + 0.05 * shocks.leverage)
    assets = equity / (1.0 - liabilities_share)
    level = np.exp(_decaying_sum(0.03 * shocks.level, 0.8)) * np.tile(season, (len(years), 1))
    revenue = assets * np.exp(-0.6 + 0.5 * f[0]) / 4 * level
    cost = revenue * (1.0 - _logistic(-1.0 + 0.7 * f[1] + 0.04 * shocks.margin))
    profit = revenue * (0.07 + 0.05 * f[3]) + equity * 0.0012 * _decaying_sum(shocks.profit, 0.6)
    cash = profit * (1.0 + 0.3 * f[5]) + 0.03 * revenue * shocks.cash
    debt = (assets - equity) * _logistic(-1.2 + 0.5 * f[2])
    figures = dict(zip(FLOWS, (revenue, cost, profit, cash), strict=True))
    figures |= dict(zip(("total_assets", "total_equity", "long_term_debt"), (assets, equity, debt), strict=True))
    figures = {item: np.rint(value / _UNIT) * _UNIT for item, value in figures.items()}
    figures["total_liabilities"] = figures["total_assets"] - figures["total_equity"]
    return figures


def _restate(items: Mapping[str, Float64], correction: Float64) -> dict[str, Float64]:
    """Revenue and net profit as corrected: by 2 % of revenue in deviation, a quarter of it down to the profit."""
    change = np.rint(0.02 * items["revenue_q"] * correction / _UNIT) * _UNIT
    return {
        "revenue_q": items["revenue_q"] + change,
        "net_profit_q": items["net_profit_q"] + np.rint(0.25 * change / _UNIT) * _UNIT,
    }


def _announcement_dates(years: range, delay: Float64) -> Dates:
    """(Q, N); a first quarter comes never before the annual report."""
    announced = np.empty(delay.shape, "datetime64[D]")
    for q in range(len(delay)):
        _, deadline, later, window = QUARTERS[q % 4]
        announced[q] = np.datetime64(f"{years[q // 4] + later}-{deadline}") - (delay[q] * window).astype(np.int64)
        if q % 4 == 0 and q:
            announced[q] = np.maximum(announced[q], announced[q - 1])
    return announced


def _surprises(profit: Float64, known: Ints, listed: Ints, offset: int, stop: int) -> dict[int, tuple[Ints, Float64]]:
    """Standardised unexpected earnings by row: year-on-year change less its mean over the eight quarters before,
    over their deviation; of statements first known to the public while the firm is listed."""
    change = profit[4:] - profit[:-4]
    out: dict[int, tuple[Ints, Float64]] = {}
    for q in range(SURPRISE_QUARTERS, len(change)):
        before = change[q - SURPRISE_QUARTERS : q]
        sue = (change[q] - before.mean(axis=0)) / (before.std(axis=0) + _UNIT)
        sue = np.clip(sue, -SURPRISE_CUT, SURPRISE_CUT) / SURPRISE_DEVIATION
        row = known[q + 4] - offset
        order = np.argsort(row, kind="stable")
        order = order[(row[order] >= 0) & (row[order] < stop) & (known[q + 4] > listed)[order]]
        for group in np.split(order, np.flatnonzero(np.diff(row[order])) + 1):
            if len(group):
                stocks, values = out.get(int(row[group[0]]), (np.zeros(0, np.int64), np.zeros(0)))
                out[int(row[group[0]])] = np.concatenate([stocks, group]), np.concatenate([values, sue[group]])
    return out
