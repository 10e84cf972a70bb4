"""What validation days decide by: how many rounds, which epoch, which strength."""

from __future__ import annotations

from typing import Literal

import numpy as np

from deepfactor.core.arrays import Floats

#: "rank_ic": the mean RankIC; "top": the mean of `top_excess`.
Select = Literal["rank_ic", "top"]
#: Share of a day's stocks that is its top group.
TOP = 0.05


def top_excess(score: Floats, label: Floats) -> float:
    """Mean label of the 5 % (m,) best scores, one at least, less the mean label of all; in the label's unit.

    Equal scores are taken in the order given.
    """
    count = max(round(TOP * len(score)), 1)
    best = np.argsort(-score, kind="stable")[:count]
    return float(np.mean(label[best], dtype=np.float64) - np.mean(label, dtype=np.float64))
