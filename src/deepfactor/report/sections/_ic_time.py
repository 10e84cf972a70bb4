"""Figures of the daily RankIC of the arms over time, by its size, and by month."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepfactor.core.words import Text
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.content.reading import HEADLINE_HORIZONS
from deepfactor.report.press.drawing import Figure, bars, colour, days, figure, layout, line, month_map, slug
from deepfactor.report.sections._cumulative import in_universe

#: Days of the rolling mean, and bars of the histogram.
ROLLING, BINS = 60, 25
_RANK_IC = Text("RankIC", "秩相关IC")


def daily(content: RunContent, arm: ArmContent, horizon: int = HEADLINE_HORIZONS[0]) -> pl.DataFrame:
    """Date and RankIC of the days that have one, in the first page's universe and clock."""
    wanted = (
        (pl.col("universe") == content.lead) & (pl.col("convention") == content.main) & (pl.col("horizon") == horizon)
    )
    return arm.ic_series.filter(wanted & pl.col("rank_ic").is_finite()).sort("date")


def rolling_rank_ic(content: RunContent) -> Figure | None:
    """Mean of the last 60 days of each arm."""
    traces = []
    for k, arm in enumerate(content.arms):
        mean = daily(content, arm).with_columns(pl.col("rank_ic").rolling_mean(ROLLING)).drop_nulls("rank_ic")
        if mean.height:
            traces.append(line(arm.name, days(mean), mean["rank_ic"], colour(k)))
    look = layout(x="date", y_title=_RANK_IC, y_format=".2f", hover=".3f")
    title = Text("RankIC, mean of {n} days", "秩相关IC（{n}日均值）").filled(n=ROLLING)
    return figure("rolling_rank_ic", in_universe(title, content.lead), traces, look)


def histogram(content: RunContent) -> Figure | None:
    """How often the daily RankIC of each arm is of what size."""
    values = [daily(content, arm)["rank_ic"].to_numpy() for arm in content.arms]
    known = np.concatenate(values) if values else np.array([])
    if not len(known):
        return None
    edges = np.linspace(known.min(), known.max() + 1e-9, BINS + 1)
    middle = [round(float(x), 4) for x in (edges[1:] + edges[:-1]) / 2]
    traces = [
        bars(arm.name, middle, (np.histogram(own, edges)[0] / len(own)).tolist(), colour(k)) | {"opacity": 0.55}
        for k, (arm, own) in enumerate(zip(content.arms, values, strict=True))
        if len(own)
    ]
    look = layout(x="plain", y_title=Text("share of days", "天数占比"), y_format=".0%", x_title=_RANK_IC, hover=".1%")
    look |= {"barmode": "overlay", "bargap": 0.02}
    return figure("rank_ic_histogram", Text("Daily RankIC by size", "日度秩相关IC分布"), traces, look)


def months(content: RunContent) -> list[Figure]:
    """Mean RankIC by month and year of each arm."""
    made = []
    for arm in content.arms:
        month = pl.col("date").dt.truncate("1mo").alias("month")
        mean = daily(content, arm).group_by(month).agg(pl.col("rank_ic").mean()).sort("month")
        title = Text("RankIC by month, {arm}", "月度秩相关IC，{arm}").filled(arm=arm.name)
        drawn = month_map(
            f"rank_ic_months_{slug(arm.name)}", title, mean["month"].to_list(), mean["rank_ic"].to_list(), percent=False
        )
        made += [drawn] if drawn is not None else []
    return made
