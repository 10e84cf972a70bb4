"""Style exposures of single days from a market's tables, for `tests.oracles.recompute`; no code of deepfactor.

`STUDY_A` and `BARRA` are the two style sets as docs/how-to/fundamentals.md defines them: each window is summed afresh,
each company figure looked up as it was known on the day. What the market has no table for is left out. Descriptors and
styles are rounded to float32, as the product keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

Array = np.ndarray[Any, np.dtype[np.float64]]
Daily = np.ndarray[Any, np.dtype[Any]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

STUDY_A, BARRA = "study_a", "barra_cne5"


class Facts(Protocol):
    """Daily arrays (days, symbols): what `tests.oracles.recompute.Tables` has."""

    dates: np.ndarray[Any, np.dtype[np.datetime64]]
    symbols: np.ndarray[Any, np.dtype[np.str_]]
    close: Daily
    factor: Daily
    cap: Daily
    total: Daily
    turnover: Daily
    log_price: Daily
    traded: Bools
    listed: Bools
    fundamentals: pl.DataFrame | None


@dataclass(frozen=True)
class Reports:
    """The newest quarter of an item (symbols,), and figures from it backwards (symbols, n): value, if published."""

    newest: Ints
    value: Array
    there: Bools


class Styles:
    """Exposures of both sets on any day, gaps left."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.market = self._market_returns()
        self.items = {} if facts.fundamentals is None else _items(facts.fundamentals, facts.symbols)

    def of(self, name: str, t: int) -> dict[str, Array]:
        """The set `name` on day t, each (symbols,)."""
        cap = np.where(self.facts.listed[t], self.facts.cap[t].astype(np.float64), np.nan)
        raw = {"SIZE": np.log(cap), **(self._study_a(t) if name == STUDY_A else self._barra(t))}
        z = {key: z_score(clipped(rounded(np.where(np.isfinite(cap), x, np.nan))), cap) for key, x in raw.items()}
        out = _study_a_of(z) if name == STUDY_A else _barra_of(z, cap)
        return {key: rounded(z_score(x, cap)) for key, x in out.items()}

    def _study_a(self, t: int) -> dict[str, Array]:
        price = self.facts.log_price
        raw = {
            "MOMENTUM": np.expm1(price[t] - price[t - 21]),
            "VOLATILITY": _moments(self._returns(t, 63), np.ones(63))[1],
            "LIQUIDITY": self._log_turnover(t, 21),
        }
        if "net_profit_ttm" in self.items:
            reports, equity = self._latest("net_profit_ttm", t, 18), self._latest("total_equity", t, 1).value[:, 0]
            profit, total = reports.value, self.facts.total[t]
            raw["VALUE"], raw["EP"] = ratio(equity, total), ratio(profit[:, 0], total)
            raw["PROFITABILITY"] = ratio(profit[:, 0], equity)
            raw["GROWTH"] = divided(profit[:, 0] - profit[:, 4], np.abs(profit[:, 4]))
            raw["SUE"] = surprise(reports)
        return raw

    def _barra(self, t: int) -> dict[str, Array]:
        year, price = self._returns(t, 252), self.facts.log_price
        half = 0.5 ** (np.arange(252)[::-1] / 63)
        beta, hsigma = self._regressed(t, year, half)
        back = np.array([price[t] - price[t - 21 * k] for k in range(1, 13) if t >= 21 * k])
        enough = np.isfinite(back[2]) if len(back) > 2 else np.zeros(back.shape[1], dtype=bool)
        raw = {
            "BETA": beta,
            "HSIGMA": hsigma,
            "DASTD": _moments(year, 0.5 ** (np.arange(252)[::-1] / 42))[1],
            "CMRA": np.where(enough, np.fmax.reduce(back) - np.fmin.reduce(back), np.nan),
            "MOMENTUM": self._momentum(t),
            **{f"STO{d}": self._log_turnover(t, d) for d in (21, 63, 252)},
        }
        if "net_profit_ttm" in self.items:
            total = self.facts.total[t]
            raw["BTOP"] = ratio(self._latest("total_equity", t, 1).value[:, 0], total)
            raw["EARNYILD"] = ratio(self._latest("net_profit_ttm", t, 1).value[:, 0], total)
            raw["EGRO"] = growth(self._latest("net_profit_ttm", t, 20))
            raw["SGRO"] = growth(self._latest("revenue_ttm", t, 20))
        return raw

    def _returns(self, t: int, window: int) -> Array:
        """(window, symbols) simple returns up to day t; NaN without a trade on both days, or before the market."""
        rows = slice(max(t - window, 0), t + 1)
        price = self.facts.close[rows].astype(np.float64) * self.facts.factor[rows]
        out = np.full((window, price.shape[1]), np.nan)
        out[window - len(price) + 1 :] = price[1:] / price[:-1] - 1.0
        return out

    def _market_returns(self) -> Array:
        """(days,) return of all listed stocks by the market value of the day before."""
        out = np.full(len(self.facts.dates), np.nan)
        for t in range(1, len(out)):
            r = self._returns(t, 1)[0]
            cap = np.where(self.facts.listed[t - 1], self.facts.cap[t - 1].astype(np.float64), np.nan)
            known = np.isfinite(r) & np.isfinite(cap)
            if known.any():
                out[t] = np.average(r[known], weights=cap[known])
        return out

    def _regressed(self, t: int, returns: Array, weight: Array) -> tuple[Array, Array]:
        """Slope on the market and residual deviation, weighted; NaN below 63 days."""
        x = np.full(len(returns), np.nan)
        x[max(len(x) - t - 1, 0) :] = self.market[max(t + 1 - len(x), 0) : t + 1]
        known = np.isfinite(returns) & np.isfinite(x)[:, None]
        w = weight[:, None] * known
        total = np.maximum(w.sum(axis=0), 1e-300)
        y, x0 = np.where(known, returns, 0.0), np.nan_to_num(x)[:, None]
        dx, dy = x0 - (w * x0).sum(axis=0) / total, y - (w * y).sum(axis=0) / total
        sxx, sxy, syy = ((w * a).sum(axis=0) for a in (dx * dx, dx * dy, dy * dy))
        slope = divided(sxy, np.where(known.sum(axis=0) >= 63, sxx, 0.0))
        return slope, np.sqrt(np.maximum(syy - slope * sxy, 0.0) / total)

    def _momentum(self, t: int) -> Array:
        """Weighted mean of daily log returns, 504 days up to 21 days ago, half-life 126; NaN below 126 days."""
        last = t - 21
        rows = np.arange(max(last - 503, 1), last + 1)
        if len(rows) < 126:
            return np.full(len(self.facts.symbols), np.nan)
        change = self.facts.log_price[rows] - self.facts.log_price[rows - 1]
        known = np.isfinite(change)
        w = 0.5 ** ((last - rows) / 126)[:, None] * known
        return np.where(
            known.sum(axis=0) >= 126, divided((w * np.nan_to_num(change)).sum(axis=0), w.sum(axis=0)), np.nan
        )

    def _log_turnover(self, t: int, window: int) -> Array:
        rows = slice(max(t + 1 - window, 0), t + 1)
        turnover, traded = self.facts.turnover[rows].astype(np.float64), self.facts.traded[rows]
        listed = self.facts.listed[rows]
        days = (listed & (~traded | np.isfinite(turnover))).sum(axis=0)
        total = np.where(listed & traded, np.nan_to_num(turnover), 0.0).sum(axis=0)
        enough = (days >= -(-window // 4)) & (total > 0)
        return np.where(enough, np.log(np.maximum(total, 1e-300) / np.maximum(days, 1)), np.nan)

    def _latest(self, item: str, t: int, n: int) -> Reports:
        """The last `n` quarters of an item as known at the close of day t."""
        column, quarter, known, value = self.items[item]
        seen = known <= self.facts.dates[t]
        column, quarter, value = column[seen], quarter[seen], value[seen]
        last = np.append((column[1:] != column[:-1]) | (quarter[1:] != quarter[:-1]), True)  # of each report's versions
        column, quarter, value = column[last], quarter[last], value[last]
        newest = np.zeros(len(self.facts.symbols), dtype=np.int64)
        np.maximum.at(newest, column, quarter)
        age = newest[column] - quarter
        out = np.full((len(newest), n), np.nan)
        there = np.zeros(out.shape, dtype=bool)
        inside = age < n
        out[column[inside], age[inside]], there[column[inside], age[inside]] = value[inside], True
        return Reports(newest, out, there)


def _items(table: pl.DataFrame, symbols: np.ndarray[Any, np.dtype[np.str_]]) -> dict[str, tuple[Any, ...]]:
    """Item → column, quarter (4 · year + 0 … 3), known, value, by column, quarter and the day it was known."""
    out = {}
    for (item,), rows in table.filter(pl.col("period_end").is_not_null()).group_by("item"):
        rows = rows.filter(pl.col("symbol").is_in(symbols.tolist())).sort("symbol", "period_end", "known_at")
        month = rows["period_end"].dt.month().to_numpy().astype(np.int64)
        out[str(item)] = (
            np.searchsorted(symbols, rows["symbol"].to_numpy().astype(str)),
            4 * rows["period_end"].dt.year().to_numpy().astype(np.int64) + (month - 1) // 3,
            rows["known_at"].to_numpy().astype("datetime64[D]"),
            rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        )
    return out


def _study_a_of(z: Mapping[str, Array]) -> dict[str, Array]:
    return {**z, "MID_CAP": residual(z["SIZE"] ** 2, [z["SIZE"]])}


def _barra_of(z: Mapping[str, Array], cap: Array) -> dict[str, Array]:
    size, beta = z["SIZE"], z["BETA"]
    out = {name: z[name] for name in ("SIZE", "BETA", "MOMENTUM", "BTOP", "EARNYILD") if name in z}
    out["NLSIZE"] = residual(size**3, [size], np.sqrt(cap))
    out["RESVOL"] = residual(blend([(0.74, z["DASTD"]), (0.16, z["CMRA"]), (0.10, z["HSIGMA"])]), [beta, size])
    liquidity = blend([(0.35, z["STO21"]), (0.35, z["STO63"]), (0.30, z["STO252"])])
    out["LIQUIDITY"] = residual(liquidity, [size])
    if "EGRO" in z:
        out["GROWTH"] = blend([(0.338, z["EGRO"]), (0.662, z["SGRO"])])
    return out


def growth(reports: Reports) -> Array:
    """Slope of five annual figures over their mean size, from 20 trailing years."""
    first = (reports.newest + 1) % 4
    annual = np.take_along_axis(reports.value, first[:, None] + 4 * np.arange(5), axis=1)
    slope = (annual * np.array([2.0, 1.0, 0.0, -1.0, -2.0])).sum(axis=1) / 10.0
    return divided(slope, np.abs(annual).mean(axis=1))


def surprise(reports: Reports) -> Array:
    """SUE from 18 trailing years: the steps between the last ten that were published, one published as missing too."""
    out = np.full(len(reports.value), np.nan)
    for count in np.unique(reports.there.sum(axis=1)):
        at = np.flatnonzero(reports.there.sum(axis=1) == count)
        years = reports.value[at][reports.there[at]].reshape(len(at), count)[:, :10]
        steps = years[:, :-1] - years[:, 1:]
        if steps.shape[1] < 7:
            continue
        before = np.ma.masked_invalid(steps[:, 1:])
        spread = np.where(before.count(axis=1) >= 6, before.std(axis=1, ddof=1).filled(0.0), 0.0)
        out[at] = divided(steps[:, 0] - before.mean(axis=1).filled(0.0), spread)
    return out


def _moments(x: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted mean and deviation of each column over what is known; NaN below a quarter of the days."""
    known = np.isfinite(x)
    w = weight[:, None] * known
    total = np.maximum(w.sum(axis=0), 1e-300)
    mean = (w * np.nan_to_num(x)).sum(axis=0) / total
    spread = np.sqrt((w * (np.nan_to_num(x) - mean) ** 2).sum(axis=0) / total)
    enough = known.sum(axis=0) >= -(-len(x) // 4)
    return np.where(enough, mean, np.nan), np.where(enough, spread, np.nan)


def rounded(x: Array) -> Array:
    """To float32 and back."""
    return x.astype(np.float32).astype(np.float64)


def divided(above: Array, below: Array) -> Array:
    """NaN where the denominator is not above 0."""
    usable = below > 0
    return np.where(usable, above / np.where(usable, below, 1.0), np.nan)


def ratio(above: Array, below: Array) -> Array:
    """`divided` in float32."""
    return divided(rounded(above).astype(np.float32), rounded(below).astype(np.float32)).astype(np.float64)


def clipped(x: Array) -> Array:
    """At five robust deviations from the median."""
    if not np.isfinite(x).any():
        return x
    centre = np.nanmedian(x)
    spread = 1.4826 * np.nanmedian(np.abs(x - centre))
    return np.clip(x, centre - 5 * spread, centre + 5 * spread) if spread > 0 else x


def z_score(x: Array, cap: Array) -> Array:
    """Cap-weighted mean 0, equal-weighted standard deviation 1."""
    known = np.isfinite(x) & np.isfinite(cap)
    if not known.any():
        return np.full(len(x), np.nan)
    spread = x[known].std()
    return np.where(known, (x - np.average(x[known], weights=cap[known])) / (spread if spread > 0 else 1.0), np.nan)


def residual(x: Array, on: list[Array], weight: Array | None = None) -> Array:
    """What weighted least squares on a constant and `on` leaves."""
    known = np.isfinite(x) & np.all([np.isfinite(a) for a in on], axis=0)
    out = np.full(len(x), np.nan)
    if known.sum() > len(on) + 1:
        design = np.column_stack([np.ones(known.sum()), *(a[known] for a in on)])
        root = np.ones(known.sum()) if weight is None else np.sqrt(weight[known])
        solution = np.linalg.lstsq(design * root[:, None], x[known] * root, rcond=None)[0]
        out[known] = x[known] - design @ solution
    return out


def blend(parts: list[tuple[float, Array]]) -> Array:
    """Weighted mean of what a stock has."""
    weight = sum(w * np.isfinite(x) for w, x in parts)
    return divided(np.asarray(sum(w * np.nan_to_num(x) for w, x in parts)), np.asarray(weight))


def completed(styles: dict[str, Array], industry: np.ndarray[Any, np.dtype[np.str_]]) -> dict[str, Array]:
    """Gaps by least squares on industry dummies and SIZE; where these are missing too, the median, or else 0."""
    size = styles["SIZE"]
    placed = (industry != "unknown") & np.isfinite(size)
    out = {}
    for name, x in styles.items():
        gap = np.isnan(x)
        fitted = np.full(len(x), np.nan)
        used = placed & ~gap
        if name != "SIZE" and gap.any() and used.any():
            groups = np.unique(industry[used])
            design = np.column_stack([*(industry == g for g in groups), np.nan_to_num(size)]).astype(np.float64)
            a = design[used]
            solution = np.linalg.solve(a.T @ a, a.T @ x[used])
            inside = placed & np.isin(industry, groups)
            fitted[inside] = design[inside] @ solution
        middle = 0.0 if gap.all() else np.nanmedian(x)
        out[name] = np.where(gap, np.where(np.isfinite(fitted), fitted, middle), x)
    return out
