"""Style definitions written out stock by stock and day by day, in no hurry: what the vectorised sets are held to."""

from __future__ import annotations

import math

import numpy as np

from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

Row = np.ndarray  # (N,)


class Reference:
    """The styles of one market; market value by `cap`."""

    def __init__(self, panel: Panel, universe: Universe, cap: str = "float", clip: float = 5.0) -> None:
        self.panel, self.universe, self.clip = panel, universe, clip
        self.cap = panel[f"{cap}_mv"].astype(float)
        self.stocks = range(len(panel.symbols))
        self.market = [self._market(t) for t in range(len(panel.dates))]

    def study_a(self, t: int) -> dict[str, Row]:
        z = {
            "SIZE": self.z(t, [math.log(self.cap[t, i]) for i in self.stocks]),
            "MOMENTUM": self.z(t, [math.expm1(self.period(i, t - 21, t)) for i in self.stocks]),
            "LIQUIDITY": self.z(t, [self.turnover(i, t, 21) for i in self.stocks]),
            "VOLATILITY": self.z(t, [self.spread(i, t, 63, math.inf) for i in self.stocks]),
        }
        size = z["SIZE"]
        z["MID_CAP"] = self.z(t, residual(size**2, [size], np.ones_like(size)), clip=False)
        return z

    def barra(self, t: int) -> dict[str, Row]:
        fits = [self.regression(i, t) for i in self.stocks]
        z = {
            "SIZE": self.z(t, [math.log(self.cap[t, i]) for i in self.stocks]),
            "BETA": self.z(t, [slope for slope, _ in fits]),
            "HSIGMA": self.z(t, [sigma for _, sigma in fits]),
            "MOMENTUM": self.z(t, [self.momentum(i, t) for i in self.stocks]),
            "DASTD": self.z(t, [self.spread(i, t, 252, 42) for i in self.stocks]),
            "CMRA": self.z(t, [self.range(i, t) for i in self.stocks]),
            **{f"STO{d}": self.z(t, [self.turnover(i, t, d) for i in self.stocks]) for d in (21, 63, 252)},
        }
        one, size = np.ones_like(z["SIZE"]), z["SIZE"]
        volatility = mix([(0.74, z["DASTD"]), (0.16, z["CMRA"]), (0.10, z["HSIGMA"])])
        liquidity = mix([(0.35, z["STO21"]), (0.35, z["STO63"]), (0.30, z["STO252"])])
        final = {
            "SIZE": size,
            "BETA": z["BETA"],
            "MOMENTUM": z["MOMENTUM"],
            "NLSIZE": residual(size**3, [size], np.sqrt(self.cap[t])),
            "RESVOL": residual(volatility, [z["BETA"], size], one),
            "LIQUIDITY": residual(liquidity, [size], one),
        }
        return {name: self.z(t, x, clip=False) for name, x in final.items()}

    def close(self, i: int, t: int) -> float:
        """Adjusted close; NaN where no trade."""
        return float(self.panel["close"][t, i]) * float(self.panel["adj_factor"][t, i]) if t >= 0 else math.nan

    def held(self, i: int, t: int) -> float:
        """Adjusted last close."""
        while t >= 0 and math.isnan(self.close(i, t)):
            t -= 1
        return self.close(i, t)

    def daily(self, i: int, t: int) -> float:
        return self.close(i, t) / self.close(i, t - 1) - 1

    def period(self, i: int, s: int, t: int) -> float:
        """Log return of the held price from s to t."""
        return math.log(self.held(i, t) / self.held(i, s)) if s >= 0 else math.nan

    def _market(self, t: int) -> float:
        pairs = [(self.cap[t - 1, i], self.daily(i, t)) for i in self.stocks if t and self.universe.listed[t - 1, i]]
        pairs = [(w, r) for w, r in pairs if math.isfinite(w) and math.isfinite(r)]
        return sum(w * r for w, r in pairs) / sum(w for w, _ in pairs) if pairs else math.nan

    def observed(self, i: int, t: int, window: int, half_life: float) -> list[tuple[float, float, float]]:
        """(weight, market return, own return) of the window's days that have both."""
        days = [(0.5 ** ((t - s) / half_life), self.market[s], self.daily(i, s)) for s in days_back(t, window)]
        return [(w, m, r) for w, m, r in days if math.isfinite(m) and math.isfinite(r)]

    def regression(self, i: int, t: int) -> tuple[float, float]:
        """Slope and residual deviation of the 252-day regression on the market."""
        days = self.observed(i, t, 252, 63)
        if len(days) < 63:
            return math.nan, math.nan
        w, x, y = (np.array(column) for column in zip(*days, strict=True))
        w = w / w.sum()
        mx, my = (w * x).sum(), (w * y).sum()
        slope = (w * (x - mx) * (y - my)).sum() / (w * (x - mx) ** 2).sum()
        return slope, math.sqrt((w * (y - my - slope * (x - mx)) ** 2).sum())

    def spread(self, i: int, t: int, window: int, half_life: float) -> float:
        days = [(0.5 ** ((t - s) / half_life), self.daily(i, s)) for s in days_back(t, window)]
        days = [(w, r) for w, r in days if math.isfinite(r)]
        if len(days) < window / 4:
            return math.nan
        total = sum(w for w, _ in days)
        mean = sum(w * r for w, r in days) / total
        return math.sqrt(sum(w * (r - mean) ** 2 for w, r in days) / total)

    def momentum(self, i: int, t: int) -> float:
        days = [(0.5 ** ((t - 21 - s) / 126), self.period(i, s - 1, s)) for s in days_back(t - 21, 504)]
        days = [(w, r) for w, r in days if math.isfinite(r)]
        return sum(w * r for w, r in days) / sum(w for w, _ in days) if len(days) >= 126 else math.nan

    def range(self, i: int, t: int) -> float:
        months = [self.period(i, t - 21 * k, t) for k in range(1, 13)]
        if not math.isfinite(months[2]):
            return math.nan
        known = [m for m in months if math.isfinite(m)]
        return max(known) - min(known)

    def turnover(self, i: int, t: int, window: int) -> float:
        days = []
        for s in days_back(t, window):
            if self.universe.listed[s, i]:
                days.append(float(self.panel["turnover"][s, i]) if self.universe.traded[s, i] else 0.0)
        days = [d for d in days if math.isfinite(d)]
        return math.log(sum(days) / len(days)) if len(days) >= window / 4 and sum(days) > 0 else math.nan

    def z(self, t: int, values: list[float] | Row, *, clip: bool = True) -> Row:
        """Clipped at median ± clip·1.4826·MAD, cap-weighted mean 0, standard deviation 1, over listed stocks."""
        x = np.array(values, float)
        usable = np.isfinite(x) & self.universe.listed[t] & np.isfinite(self.cap[t])
        if clip and usable.any():
            centre = np.median(x[usable])
            reach = self.clip * 1.4826 * np.median(np.abs(x[usable] - centre))
            if reach > 0:
                x = np.minimum(np.maximum(x, centre - reach), centre + reach)
        out = np.full(len(x), np.nan)
        if usable.any():
            y, cap = x[usable], self.cap[t][usable]
            deviation = y.std()
            out[usable] = (y - (y * cap).sum() / cap.sum()) / (deviation if deviation > 0 else 1.0)
        return out


def days_back(t: int, window: int) -> range:
    return range(max(t - window + 1, 0), t + 1)


def mix(parts: list[tuple[float, Row]]) -> Row:
    """Weighted mean a stock over the parts that it has."""
    out = []
    for i in range(len(parts[0][1])):
        own = [(w, x[i]) for w, x in parts if math.isfinite(x[i])]
        out.append(sum(w * x for w, x in own) / sum(w for w, _ in own) if own else math.nan)
    return np.array(out)


def residual(y: Row, on: list[Row], weight: Row) -> Row:
    """Weighted least squares with intercept, by numpy's solver."""
    known = np.isfinite(y) & np.all([np.isfinite(x) for x in on], axis=0) & np.isfinite(weight)
    out = np.full(len(y), np.nan)
    if known.sum() > len(on) + 1:
        design = np.column_stack([np.ones(known.sum()), *(x[known] for x in on)])
        root = np.sqrt(weight[known])
        fit = np.linalg.lstsq(design * root[:, None], y[known] * root, rcond=None)[0]
        out[known] = y[known] - design @ fit
    return out
