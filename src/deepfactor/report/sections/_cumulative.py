"""The cumulative RankIC of the arms in a universe: that of the lead universe stands in the summary."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Text, joined
from deepfactor.report.content import RunContent
from deepfactor.report.content.reading import HEADLINE_HORIZONS
from deepfactor.report.press.drawing import Figure, colour, days, figure, layout, line, slug
from deepfactor.report.press.words import words


def cumulative_rank_ic(content: RunContent, universe: str, horizon: int = HEADLINE_HORIZONS[0]) -> Figure | None:
    """Running sum of the daily RankIC of each arm in one universe."""
    traces = []
    for k, arm in enumerate(content.arms):
        series = arm.ic_series.filter(
            (pl.col("universe") == universe) & (pl.col("convention") == content.main) & (pl.col("horizon") == horizon)
        )
        if "names" in series.columns:
            series = series.filter(pl.col("names") == "all")
        kept = series.filter(pl.col("rank_ic").is_finite()).sort("date")
        if kept.height:
            traces.append(line(arm.name, days(kept), kept["rank_ic"].cum_sum(), colour(k)))
    look = layout(x="date", y_title=Text("sum of RankIC", "秩相关IC累加"), y_format=".1f")
    title = in_universe(
        Text("Cumulative RankIC, {h} trading days", "累计秩相关IC（{h}个交易日）").filled(h=horizon), universe
    )
    return figure(f"cumulative_rank_ic_{slug(universe)}", title, traces, look)


def in_universe(title: Text, universe: str) -> Text:
    """A figure's title with its universe."""
    return joined(", ", [title, words().universe(universe)])
