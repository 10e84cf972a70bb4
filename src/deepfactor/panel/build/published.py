"""Published weights of an index, carried forward by price until the next publication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Indices, Records
from deepfactor.panel.build.fields import BuiltFields
from deepfactor.panel.weighting import KINDS


@dataclass(frozen=True)
class Published:
    """Published weights of one index.

    Attributes
    ----------
    rows : (p,) panel rows of publication, ascending
    dates : (p,) the dates that they bear: the row's, or of days without trading before it
    weights : (p, N) float64, as published
    missing : (p,) members that it lacks, by the index's code
    """

    rows: Indices
    dates: Dates
    weights: Float64
    missing: Indices


def drift(fields: BuiltFields, published: Published, members: Bools, out: Float32, how: Records) -> int:
    """Fill `out` from the first publication on: published weights × growth of the adjusted last close, summing to 1.

    `how` (R,) gets the kind and what the publication is worth. A member that has not traded yet since the market
    begins doesn't grow; returned is the number of such member-days.
    """
    in_force = int(np.searchsorted(published.rows, fields.begin, side="right")) - 1
    first = int(published.rows[max(in_force, 0)])
    price = _held_price(fields, first)
    still = 0
    ends = [*published.rows[1:], len(fields.dates)]
    for p, (start, end) in enumerate(zip(published.rows, ends, strict=True)):
        if start < first:
            continue
        weights = published.weights[p]
        held = price[start - first : end - first]
        growth = held / held[np.isfinite(held).argmax(axis=0), np.arange(held.shape[1])]  # since the first known price
        growth = growth[max(fields.begin - start, 0) :]
        rows = fields.under_construction(start, end)
        still += int((members[rows] & (weights > 0) & ~np.isfinite(growth)).sum())
        drifted = np.where(members[rows], weights * np.where(np.isfinite(growth), growth, 1.0), 0.0)
        total = drifted.sum(axis=1, keepdims=True)
        out[rows] = drifted / np.maximum(total, 1e-300)
        how["kind"][rows] = np.where(total[:, 0] > 0, KINDS.index("published"), 0)
        how["total"][rows] = weights.sum()
        how["missing"][rows] = published.missing[p]
        how["age"][rows] = (fields.dates[fields.begin :][rows] - published.dates[p]).astype(np.int32)
    return still


def _held_price(fields: BuiltFields, first: int) -> Float64:
    """Adjusted last close from row `first` on, (T − first, N): the last close × its day's factor, NaN before any."""
    start = min(first, fields.begin)
    close, factor = fields.last_trades(start)
    last = close * factor
    out = np.full((len(fields.dates) - first, len(last)), np.nan)
    for t in range(start, len(fields.dates)):
        traded, of_day, factor_of_day = fields.trades(t)
        last[traded] = of_day[traded] * factor_of_day[traded]
        if t >= first:
            out[t - first] = last
    return out
