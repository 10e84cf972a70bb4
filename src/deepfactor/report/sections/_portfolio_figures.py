"""Figures of the enhanced portfolios.

The only arithmetic is what a drawing is: a running peak (drawdown), a running sum, a curve that starts at 1.
"""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Text
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.press.drawing import (
    BAND,
    COLOURS,
    DASHES,
    GREY,
    Figure,
    Plot,
    axis,
    bars,
    colour,
    days,
    figure,
    layout,
    line,
    percent_ticks,
    ranged,
    sideways,
    slug,
)
from deepfactor.report.press.words import words
from deepfactor.report.sections._portfolios import AFTER_COST, ink

DRAWDOWN = Text("drawdown", "回撤")
CONTRIBUTION = Text("contribution", "贡献")

_PARTS = ("style", "industry", "selection", "cost", "cash_and_rounding")
_LISTED = 24


def excess_by_index(content: RunContent, index: str) -> Figure | None:
    """Excess NAV of every arm on one index, constraint sets by the dash; a lone portfolio has its own figure."""
    mine = [p for p in content.portfolios if p.index == index]
    look = layout(x="date", y_title=AFTER_COST, y_format=".2f")
    title = Text("Excess over {index}, after cost", "相对{index}的费后超额净值").filled(index=words().universe(index))
    traces = _curves(content, mine, None) if len(mine) > 1 else []
    return figure(f"excess_{slug(index)}", title, traces, look)


def excess_last_year(content: RunContent, index: str) -> Figure | None:
    """The same over the last calendar year alone, from 1; a span of one year needs none."""
    mine = [p for p in content.portfolios if p.index == index]
    years = sorted({day.year for p in mine for day in p.nav["date"].to_list()})
    if len(years) < 2:
        return None
    look = layout(x="date", y_title=AFTER_COST, y_format=".2f")
    title = Text("Excess over {index} in {year}, after cost", "{year}年相对{index}的费后超额净值").filled(
        year=years[-1], index=words().universe(index)
    )
    return figure(f"excess_last_year_{slug(index)}", title, _curves(content, mine, years[-1]), look)


def _curves(content: RunContent, portfolios: list[PortfolioContent], year: int | None) -> list[Plot]:
    sets = list(dict.fromkeys(p.named for p in portfolios))
    traces = []
    for p in portfolios:
        kept = p.nav.filter(pl.col("excess_nav").is_finite())
        if year is not None:
            before = kept.filter(pl.col("date").dt.year() < year).tail(1)
            kept = pl.concat([before, kept.filter(pl.col("date").dt.year() == year)])
        if kept.height:
            label = p.arm if len(sets) == 1 else f"{p.arm} · {p.named}"
            curve = kept["excess_nav"] if year is None else kept["excess_nav"] / kept["excess_nav"][0]
            dash = DASHES[sets.index(p.named) % len(DASHES)]
            traces.append(line(label, days(kept), curve, ink(content, p), dash=dash))
    return traces


def portfolio_nav(p: PortfolioContent, name: str) -> Figure | None:
    """NAV of the portfolio, the index and the replica."""
    lines = (
        (Text("portfolio", "组合"), "nav", COLOURS[0], "solid"),
        (words().universe(p.index), "benchmark_nav", GREY, "solid"),
        (Text("replica", "复制指数"), "replica_nav", GREY, "dot"),
    )
    traces = [
        line(label, days(p.nav), p.nav[column], ink, dash=dash)
        for label, column, ink, dash in lines
        if column in p.nav.columns and p.nav[column].is_not_null().any()
    ]
    look = ranged(layout(x="date", y_title=Text("NAV, start = 1", "净值（起点为1）"), y_format=".2f"), log=True)
    return figure(f"{name}_nav", Text("Net asset value", "净值"), traces, look)


def portfolio_excess(p: PortfolioContent, name: str) -> Figure | None:
    """Excess NAV above, its drawdown from the highest point so far below."""
    excess = p.nav["excess_nav"]
    drawdown = excess / excess.cum_max() - 1.0
    upper = line(Text("excess NAV", "超额净值"), days(p.nav), excess, COLOURS[0])
    lower = line(DRAWDOWN, days(p.nav), drawdown, COLOURS[4], width=1.0)
    lower |= {"yaxis": "y2", "fill": "tozeroy", "fillcolor": BAND}
    look = ranged(layout(x="date", y_title=Text("portfolio / index", "组合/指数"), y_format=".2f"))
    look["yaxis"]["domain"] = [0.36, 1.0]
    ticks = percent_ticks(drawdown.to_list(), most=4)
    look["yaxis2"] = axis(DRAWDOWN, ".0%") | ticks | {"domain": [0.0, 0.28], "hoverformat": ".2%"}
    look["xaxis"]["anchor"] = "y2"
    return figure(f"{name}_excess", Text("Excess and its drawdown", "超额净值与回撤"), [upper, lower], look)


def attribution_curve(p: PortfolioContent, name: str) -> Figure | None:
    """Running sum of the contributions of styles, industries, selection, cost and cash."""
    if p.attribution is None or p.attribution.is_empty():
        return None
    traces = []
    for k, part in enumerate(_PARTS):
        mine = p.attribution.filter(pl.col("part") == part).group_by("date").agg(pl.col("contribution").sum())
        if mine.height:
            mine = mine.sort("date")
            traces.append(line(words().term(part), days(mine), mine["contribution"].cum_sum(), colour(k)))
    look = layout(x="date", y_title=CONTRIBUTION, y_format=".1%", hover=".2%")
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    return figure(
        f"{name}_attribution", Text("Active return by source, running sum", "主动收益来源（累加）"), traces, look
    )


def attribution_bars(p: PortfolioContent, name: str) -> Figure | None:
    """Contribution of each style and of the industries that matter most, over the whole span."""
    whole = p.parts
    contributions = [(k, v, "styles") for k, v in whole.get("styles", {}).items() if v is not None]
    industries = [(k, v, "industries") for k, v in whole.get("industries", {}).items() if v is not None]
    contributions += sorted(industries, key=lambda item: -abs(item[1]))[: max(0, _LISTED - len(contributions))]
    traces = []
    for part, fill in (("styles", COLOURS[0]), ("industries", COLOURS[1])):
        mine = [(key, value) for key, value, kind in contributions if kind == part]
        if mine:
            labels = [words().term(key) for key, _ in mine]
            traces.append(bars(words().term(part), labels, [v for _, v in mine], fill, horizontal=True))
    look = sideways(CONTRIBUTION, ".1%", len(contributions))
    look["xaxis"] |= percent_ticks(value for _, value, _ in contributions) | {"hoverformat": ".2%"}
    return figure(
        f"{name}_contributions", Text("Contribution of styles and industries", "风格与行业的贡献"), traces, look
    )
