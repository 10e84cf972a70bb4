"""How weightings are judged on validation days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.cross_section.correlation import spearman
from deepfactor.training.selection import top_excess
from deepfactor.training.weightings.base import LabelledRows


def mean_rank_ic(score: Float64, table: LabelledRows) -> float:
    """Mean over the table's days of the RankIC of `score` (n,) with its label."""
    days = zip(table.starts[:-1], table.starts[1:], strict=True)
    return float(np.mean([spearman(score[a:b], table.y[a:b].astype(np.float64)) for a, b in days]))


def mean_top(score: Float64, table: LabelledRows) -> float:
    """Mean over the table's days of how far the labels of the best scores lie above all, `top_excess`."""
    label = table.y if table.label is None else table.label
    days = zip(table.starts[:-1], table.starts[1:], strict=True)
    return float(np.mean([top_excess(score[a:b], label[a:b]) for a, b in days]))


def judged(score: Float64, table: LabelledRows) -> float:
    """What validation decides by: the higher the better."""
    return mean_top(score, table) if table.select == "top" else mean_rank_ic(score, table)


def best_round(part: Callable[[int, int], Float64], rounds: int, step: int, valid: LabelledRows) -> int:
    """The number of trees, a multiple of `step` up to `rounds`, whose scores are judged best on `valid`.

    `part` gives what the trees first … stop − 1 add to the scores (n,), up to a constant.
    """
    counts: list[int] = sorted({*range(step, rounds + 1, step), rounds})
    found, score = {}, np.zeros(len(valid.x))
    for first, stop in zip([0, *counts], counts, strict=False):
        score += part(first, stop)
        found[stop] = judged(score, valid)
    return max(counts, key=lambda count: (found[count], -count))
