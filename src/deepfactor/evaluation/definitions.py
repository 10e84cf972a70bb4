"""What "a year" and "excess" mean: the two studies define them differently, so a number is named by its definition.

Found by refitting the studies' published tables: Study B's yearly excesses chain to its full-span figure only if each
year is the cumulative ratio of NAVs and the full span is annualised with 252 trading days; Study A's net and gross
excesses differ by exactly turnover × cost in calendar time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from deepfactor.core.spec import Spec

Study = Literal["study_a", "study_b"]

#: Trading days a year where a definition counts trading days, and in every annualised Sharpe ratio.
TRADING_DAYS = 252


class Definitions(Spec):
    """How returns are annualised and excess is formed.

    Attributes
    ----------
    year : "calendar" or "trading"
        a year is 365 calendar days, or 252 trading days.
    yearly_excess : "difference" or "ratio"
        excess of one calendar year, never annualised: the difference of the two cumulative returns, or the growth of
        the ratio of the two NAVs. (The excess over the full span is the difference of annualised returns in both.)
    """

    year: Literal["calendar", "trading"]
    yearly_excess: Literal["difference", "ratio"]


PRESETS: Mapping[Study, Definitions] = MappingProxyType(
    {
        "study_a": Definitions(year="calendar", yearly_excess="difference"),
        "study_b": Definitions(year="trading", yearly_excess="ratio"),
    }
)
