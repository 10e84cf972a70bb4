"""Figures of a portfolio over time: months, rolling excess and tracking error, leanings, turnover and names held.

The only arithmetic is what a drawing is: growth over a month, a rolling mean or deviation of daily differences.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from deepfactor.core.arrays import Float64
from deepfactor.core.words import Text
from deepfactor.report.content import PortfolioContent
from deepfactor.report.press.drawing import (
    COLOURS,
    Figure,
    axis,
    bars,
    colour,
    days,
    figure,
    layout,
    line,
    month_map,
    percent_ticks,
)
from deepfactor.report.press.words import words

#: Trading days of the rolling figures: a year.
ROLLING = 252
_MOST_STYLES = 6


def monthly_excess(p: PortfolioContent, name: str) -> Figure | None:
    """Growth of the excess NAV by month and year as coloured squares."""
    kept = p.nav.filter(pl.col("excess_nav").is_finite())
    if kept.height < 2:
        return None
    month = pl.col("date").dt.truncate("1mo")
    ends = kept.group_by(month.alias("month")).agg(pl.col("excess_nav").last()).sort("month")
    level = np.concatenate(([kept["excess_nav"][0]], ends["excess_nav"].to_numpy()))
    title = Text("Excess by month, after cost", "月度费后超额")
    return month_map(f"{name}_months", title, ends["month"].to_list(), (level[1:] / level[:-1] - 1.0).tolist())


def rolling_excess(p: PortfolioContent, name: str) -> Figure | None:
    """Excess and tracking error of the last year at each day; a shorter span has none."""
    difference = _differences(p)
    if len(difference) <= ROLLING:
        return None
    window = np.lib.stride_tricks.sliding_window_view(difference, ROLLING)
    dates = days(p.nav)[ROLLING:]
    excess = line(Text("excess of the last year", "近一年超额"), dates, window.mean(axis=1) * ROLLING, COLOURS[0])
    error = line(
        Text("tracking error of the last year", "近一年跟踪误差"),
        dates, window.std(axis=1, ddof=1) * np.sqrt(ROLLING), COLOURS[1], dash="dash",
    )  # fmt: skip
    look = layout(x="date", y_title=Text("a year", "年化"), y_format=".0%", hover=".1%")
    return figure(
        f"{name}_rolling", Text("Rolling excess and tracking error", "滚动超额与跟踪误差"), [excess, error], look
    )


def _differences(p: PortfolioContent) -> Float64:
    """Daily returns of the portfolio less those of the index."""
    own, other = (p.nav[key].to_numpy().astype(np.float64) for key in ("nav", "benchmark_nav"))
    return own[1:] / own[:-1] - other[1:] / other[:-1]


def leanings(p: PortfolioContent, name: str) -> Figure | None:
    """Active exposures to the styles that are leant on most, at each close after fills."""
    if p.exposures is None or p.exposures.is_empty():
        return None
    styles = p.exposures.filter(pl.col("part") == "style")
    most = styles.group_by("name").agg(pl.col("active").abs().mean()).sort("active", "name", descending=[True, False])
    traces = []
    for k, style in enumerate(most["name"].head(_MOST_STYLES).to_list()):
        own = styles.filter(pl.col("name") == style).sort("date")
        traces.append(line(words().term(style), days(own), own["active"], colour(k)))
    look = layout(x="date", y_title=Text("standard deviations", "标准差"), y_format=".1f", hover=".2f")
    return figure(f"{name}_leanings", Text("Active style exposures", "主动风格暴露"), traces, look)


def trading(p: PortfolioContent, name: str) -> Figure | None:
    """One-sided turnover of each rebalance, and how many names were held after it."""
    if p.rebalances is None or p.rebalances.is_empty():
        return None
    made = p.rebalances.filter(~pl.col("first"))
    turnover = (made["bought"] + made["sold"]) / 2
    held = line(Text("names held", "持仓只数"), days(made), made["held"], COLOURS[1]) | {"yaxis": "y2"}
    look = layout(x="date", y_title=Text("one-sided", "单边"), y_format=".0%", hover=".1%")
    look["yaxis"] |= percent_ticks(turnover.to_list()) | {"domain": [0.0, 0.62]}
    look["yaxis2"] = axis(Text("names", "只"), ",d") | {"domain": [0.7, 1.0], "rangemode": "tozero"}
    traces = [bars(Text("turnover", "换手率"), days(made), turnover.to_list(), COLOURS[0]), held]
    return figure(f"{name}_trading", Text("Turnover and names held", "换手率与持仓只数"), traces, look)
