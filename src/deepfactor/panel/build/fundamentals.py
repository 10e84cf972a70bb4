"""Table `fundamentals` → events as arrays, an item at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from deepfactor.core.arrays import Symbols
from deepfactor.core.words import Sentence
from deepfactor.panel.build.axes import placed
from deepfactor.panel.build.history import History
from deepfactor.panel.fundamentals import NO_QUARTER, Events
from deepfactor.store.folder import MarketFolder

#: Why a figure is in no panel.
STRANGERS = Sentence("fundamentals of symbols without prices, left out", "没有行情的代码的财务数据，已剔除")


def figures_from(folder: MarketFolder) -> list[str]:
    """Names the content of the table."""
    return [part.content for part in folder.manifest.tables.get("fundamentals", ())]


def build_fundamentals(
    folder: MarketFolder, symbols: Symbols, history: History | None
) -> tuple[Mapping[str, Events], dict[str, int]]:
    """Events of each item of the panel's `symbols`, and the count of what found no place.

    Both are empty where the market has no such table. `history` may hold the events of the table as it is.
    """
    if not folder.has("fundamentals"):
        return {}, {}
    if history is not None and history.events is not None:
        column = history.columns(symbols)
        return {item: replace(own, column=column[own.column]) for item, own in history.events.items()}, {}
    table, column = placed(whole := folder.read("fundamentals"), symbols)
    counts = {str(STRANGERS): whole.height - table.height}
    if "period_end" not in table.columns:
        table = table.with_columns(period_end=pl.lit(None, dtype=pl.Date))
    end = pl.col("period_end")
    quarter = (end.dt.year() * 4 + (end.dt.month() - 1) // 3).cast(pl.Int64).fill_null(NO_QUARTER)
    rows = table.select(
        "item",
        column=pl.Series(column.astype(np.int64)),
        quarter=quarter,
        known=pl.col("known_at").to_physical().cast(pl.Int64),
        value=pl.col("value").fill_null(np.nan),
    ).sort("item", "column", "quarter", "known")
    return {
        str(item): Events(*(own[name].to_numpy() for name in ("column", "quarter", "known", "value")))
        for (item,), own in rows.group_by(["item"], maintain_order=True)
    }, counts
