"""`fundamental`: companies whose business is alike, Study A (Haitong Securities, May 2024); how is our choice.

Ratios of the reports known at the last month's end, clipped at median ± 5·1.4826·MAD and z-scored over the stocks asked
for (or within each industry); a ratio that isn't known is 0, the mean. Two stocks are as alike as the cosine of their
vectors; each is related to its `k` most alike, both ways, and of those to at most 2k. A stock of which less than half
of the ratios are known is related to nobody but itself.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Float32, Float64, Ints
from deepfactor.core.spec import ONCE, Spec
from deepfactor.cross_section.clipping import MAD_TO_SIGMA, clip_raw_mad
from deepfactor.cross_section.zscores import zscore
from deepfactor.graphs._business import Ratio, ratios
from deepfactor.graphs.base import Edges, alone, rebuilt
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

_CLIP = 5 * MAD_TO_SIGMA
_BLOCK = 512


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "k": "近邻数",
    "ratios": "财务比率",
    "within_industry": "行业内标准化",
}


class Settings(Spec):
    """How alike is measured, and how many count."""

    k: int = Field(
        default=20, ge=1, le=1000, description="most alike stocks that each stock picks; after both ways at most 2k"
    )
    ratios: Annotated[tuple[Ratio, ...], ONCE] = Field(
        default=(
            "asset_turnover",
            "gross_margin",
            "leverage",
            "net_margin",
            "roe",
            "equity_turnover",
            "revenue_growth",
            "bp",
        ),
        min_length=2,
        description="what a company is described by; what the market can't give is left out",
    )
    within_industry: bool = Field(default=False, description="z-score within each industry instead of over all stocks")


def edges(settings: Settings, panel: Panel, universe: Universe, row: int, columns: Ints) -> Edges:
    """Neighbours by cosine of the fundamental vectors of the last month's end; before the first, nobody's.

    Raises
    ------
    DataError
        the market has no fundamentals, or too few for two of the ratios.
    """
    at = rebuilt(universe, row)
    if at is None:
        return alone(len(columns), 2 * settings.k + 1)
    raw = np.stack([x[columns] for x in ratios(panel, at, settings.ratios).values()], axis=1)  # (b, f)
    group = universe.industry[at, columns] if settings.within_industry else np.zeros(len(columns), dtype=np.int16)
    vectors = np.zeros(raw.shape)
    for label in np.unique(group):
        vectors[group == label] = _standardised(raw[group == label])
    known = np.isfinite(raw).mean(axis=1) >= 0.5
    return most_alike(vectors.astype(np.float32), known, settings.k)


def most_alike(vectors: Float32, known: Bools, k: int) -> Edges:
    """The `k` highest cosines of each row of `vectors` (b, f), made mutual, at most 2k a row, behind the row itself.

    Only rows that are `known` (b,) and not zero take part. Equal cosines: the earlier stock.
    """
    out = alone(len(vectors), 2 * k + 1)
    part = np.flatnonzero(known & vectors.any(axis=1))
    if len(part) < 2:
        return out
    unit = vectors[part] / np.linalg.norm(vectors[part], axis=1, keepdims=True)
    stock, other, cosine = _both_ways(unit, min(k, len(part) - 1))
    order = np.lexsort((other, -cosine, stock))
    stock, other, cosine = stock[order], other[order], cosine[order]
    first = np.searchsorted(stock, np.arange(len(part)))
    place = np.arange(len(stock)) - first[stock]
    kept = place < 2 * k
    rows, places = part[stock[kept]], place[kept] + 1
    out.neighbour[rows, places] = part[other[kept]]
    out.similarity[rows, places] = cosine[kept]
    return out


def _both_ways(unit: Float32, k: int) -> tuple[Ints, Ints, Float32]:
    """Pairs (stock, other, cosine) in which one is among the other's `k` most alike; each pair in both orders, once."""
    picked = np.empty((len(unit), k), dtype=np.int64)
    for first in range(0, len(unit), _BLOCK):
        cosine = unit[first : first + _BLOCK] @ unit.T
        rows = np.arange(len(cosine))
        cosine[rows, first + rows] = -2.0
        picked[first : first + _BLOCK] = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    stock, other = np.repeat(np.arange(len(unit)), k), picked.ravel()
    pairs = np.unique(np.concatenate([stock * len(unit) + other, other * len(unit) + stock]))
    stock, other = np.divmod(pairs, len(unit))
    return stock, other, np.einsum("ef,ef->e", unit[stock], unit[other])


def _standardised(raw: Float64) -> Float64:
    """Columns of `raw` (n, f) clipped and z-scored over what is known; unknown, or without spread, is 0."""
    out = np.zeros(raw.shape)
    for column, x in enumerate(raw.T):
        known = np.isfinite(x)
        value = x[known]
        if len(value) > 1:
            out[known, column] = zscore(clip_raw_mad(value, _CLIP))
    return out
