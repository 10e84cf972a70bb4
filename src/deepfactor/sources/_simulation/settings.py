"""What a user can say about a simulated market."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from deepfactor.core.days import Day
from deepfactor.core.spec import Spec

#: Parts of alpha, in the order in which tables name them.
PARTS = ("reversal", "trend", "divergence", "drift", "value", "spillover", "carry")

#: Parts that prices and volumes show; `drift` and `value` are seen in statements, `spillover` with the right graph.
VISIBLE = ("reversal", "trend", "divergence")

#: Days (inclusive) that a simulated market can cover: the trading calendar and the rules are known for these.
FIRST_DATE, LAST_DATE = date(2010, 1, 1), date(2033, 12, 31)


class Strength(Spec):
    """Standard deviation over stocks of each part's 10-day oracle return, as a fraction, at ``alpha = 1``."""

    reversal: float = Field(default=0.0082, ge=0, le=0.1, description="minus residual return × relative turnover")
    trend: float = Field(
        default=0.0052, ge=0, le=0.1, description="slow trend of the return less that of its size group"
    )
    divergence: float = Field(default=0.0066, ge=0, le=0.1, description="minus residual return × abnormal volume")
    drift: float = Field(default=0.0042, ge=0, le=0.1, description="after a surprise in net profit, from its day on")
    value: float = Field(default=0.0026, ge=0, le=0.1, description="book to market, frozen at the reports' deadlines")
    spillover: float = Field(default=0.0050, ge=0, le=0.1, description="residual return of the firm's true neighbours")


class Volatility(Spec):
    """Daily standard deviations of what moves returns apart from alpha, as fractions."""

    market: float = Field(default=0.0148, ge=0, le=0.05, description="the market's own return")
    industry: float = Field(default=0.0055, ge=0, le=0.05, description="each industry's return beside the market's")
    size: float = Field(
        default=0.0035, ge=0, le=0.05, description="a linear size style: return of one z-score of ln cap"
    )
    size_group: float = Field(default=0.0020, ge=0, le=0.05, description="each size quintile's own return")
    value: float = Field(default=0.0020, ge=0, le=0.05, description="a style on a fixed exposure of each firm")
    idiosyncratic: float = Field(default=0.0168, gt=0, le=0.06, description="a stock's own noise, of the typical stock")


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "stocks": "股票数",
    "start": "起始",
    "end": "结束",
    "only": "仅含",
    "carry": "涨跌停顺延",
    "volatility": "波动",
    "industries": "行业数",
    "neighbours": "关联公司数",
    "reversal": "反转",
    "trend": "趋势",
    "divergence": "量价背离",
    "drift": "盈余漂移",
    "spillover": "关联传导",
}


class Settings(Spec):
    """A simulated market.

    The history up to any day does not depend on `end`: a longer market with the same other settings repeats the shorter
    one bit for bit, and goes on.
    """

    stocks: int = Field(
        default=300, ge=50, le=6000, description="securities ever listed; those listed after `end` are in no table"
    )
    start: Day = Field(default=date(2018, 1, 2), description="first day of the tables (300 unseen days run before it)")
    end: Day = Field(default=date(2023, 12, 29), description="last day of the tables")
    seed: int = Field(default=0, ge=0, description="makes the market; same seed and settings, same bytes")
    alpha: float = Field(
        default=1.0, ge=0, le=5, description="multiplies all parts; 0 = null market, nothing to be found"
    )
    only: tuple[str, ...] | None = Field(
        default=None, description=f"only these parts of alpha, out of {', '.join(PARTS)}"
    )
    strength: Strength = Field(default=Strength(), description="how strong each part is")
    carry: float = Field(
        default=1.0, ge=0, le=1, description="share of a return cut by the price limit that comes a day later"
    )
    volatility: Volatility = Field(default=Volatility(), description="what else moves returns")
    industries: int = Field(default=30, ge=2, le=60, description="number of industries")
    neighbours: int = Field(default=10, ge=1, le=40, description="true neighbours of each firm, for the spillover")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not FIRST_DATE <= self.start <= self.end <= LAST_DATE:
            raise ValueError(f"start and end must lie in order between {FIRST_DATE} and {LAST_DATE}")
        unknown = sorted(set(self.only or ()) - set(PARTS))
        if unknown:
            raise ValueError(f"only: no such part of alpha: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return self

    def strength_of(self, part: str) -> float:
        """Deviation of the part's 10-day oracle in this market (of `carry`: the share); 0 where the part is off."""
        if self.only is not None and part not in self.only:
            return 0.0
        if part == "carry":
            return min(self.alpha, 1.0) * self.carry
        return self.alpha * float(getattr(self.strength, part))
