"""What "a year" and "excess" mean: the two studies define them differently, so a number is named by its definition.

Found by refitting the studies' published tables (`tests/unit/evaluation/test_published.py`). Study B: in all 15 rows of
charts 16, 19, 22 and 26 the printed years chain to the printed whole only as ratios of NAVs, annualised with 252
trading days; chart 13 alone, the top group over CSI All Share, is a difference of annualised returns. Study A: its net
and gross excesses differ by exactly turnover × cost in calendar time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from deepfactor.core.spec import Spec
from deepfactor.evaluation.records import DefinitionsRecord

Study = Literal["study_a", "study_b"]

#: Trading days a year where a definition counts trading days, and in every annualised Sharpe ratio.
TRADING_DAYS = 252


class Definitions(Spec):
    """How returns are annualised and excess is formed.

    Attributes
    ----------
    year : "calendar" or "trading"
        a year is 365 calendar days, or 252 trading days.
    annual_excess : "difference" or "ratio"
        excess a year over the full span: the difference of the two annualised returns, or the annualised growth of the
        ratio of the two NAVs.
    yearly_excess : "difference" or "ratio"
        excess of one calendar year, never annualised: the difference of the two cumulative returns, or the growth of
        the ratio of the two NAVs.
    """

    year: Literal["calendar", "trading"]
    annual_excess: Literal["difference", "ratio"]
    yearly_excess: Literal["difference", "ratio"]

    def record(self) -> DefinitionsRecord:
        """As in the files."""
        return {"year": self.year, "annual_excess": self.annual_excess, "yearly_excess": self.yearly_excess}


PRESETS: Mapping[Study, Definitions] = MappingProxyType(
    {
        "study_a": Definitions(year="calendar", annual_excess="difference", yearly_excess="difference"),
        "study_b": Definitions(year="trading", annual_excess="ratio", yearly_excess="ratio"),
    }
)


def in_words(definitions: Definitions) -> str:
    """The definition of excess, for tables and terminals."""
    whole = {"ratio": "annualised ratio of NAVs", "difference": "difference of annualised returns"}
    one = {"ratio": "growth of the ratio of NAVs", "difference": "difference of cumulative returns"}
    year = {"trading": f"{TRADING_DAYS} trading days a year", "calendar": "calendar time"}
    return (
        f"{whole[definitions.annual_excess]}, {year[definitions.year]}; "
        f"of one year: {one[definitions.yearly_excess]}, not annualised"
    )
