"""Each industry's active weight within ± limit; 0 = neutral. Names of no known industry are a group of their own."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "industry"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "industry_active_weight": "行业主动权重",
}


class Settings(Spec):
    """Its settings."""

    limit: float = Field(default=0.0, ge=0.0, description="fraction of the book; 0 = neutral")


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row an industry that any name is in: |sum of active weights| <= limit.

    Code -1 has its row too: left out, it would be an industry without a limit.
    """
    codes = np.unique(r.industry)
    line = np.searchsorted(codes, r.industry)
    member = np.zeros((len(codes), len(r)))
    member[line, np.arange(len(r))] = 1.0
    wide = np.full(len(codes), settings.limit)
    labels = tuple(_label(int(code), r) for code in codes)
    reference = np.bincount(line, invested * r.benchmark, len(codes)).astype(np.float64)
    return Rows("industry_active_weight", FAMILY, labels, member, 0.0 - wide, wide, reference)


def _label(code: int, r: Rebalance) -> str:
    if code < 0:
        return "unknown"
    return r.industry_names[code] if code < len(r.industry_names) else str(code)
