"""Figures of the enhanced portfolios.

The only arithmetic is what a drawing is: a running peak (drawdown), a running sum, a curve that starts at 1.
"""

from __future__ import annotations

import polars as pl

from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.drawing import (
    BAND,
    COLOURS,
    DASHES,
    GREY,
    Figure,
    Trace,
    axis,
    bars,
    colour,
    days,
    figure,
    layout,
    line,
    percent_ticks,
    sideways,
    slug,
)
from deepfactor.report.words import joined, words

_PARTS = ("style", "industry", "selection", "cost", "cash_and_rounding")
_LISTED = 24


def excess_overview(content: RunContent) -> Figure | None:
    """Excess NAV of every portfolio: an arm's colour is that of the other figures, indices differ by the dash."""
    sets = list(dict.fromkeys((p.index, p.named) for p in content.portfolios))
    traces = []
    for p in content.portfolios:
        label = joined(" · ", [p.arm, words().universe(p.index)])
        dash = DASHES[sets.index((p.index, p.named)) % len(DASHES)]
        traces.append(line(label, days(p.nav), p.nav["excess_nav"], _ink(content, p), dash=dash))
    look = layout(x="date", y_title=words().text["after_cost_axis"], y_format=".2f")
    return figure("excess_overview", words().text["excess_overview"], traces, look)


def excess_by_index(content: RunContent, index: str) -> Figure | None:
    """Excess NAV of every arm on one index, constraint sets by the dash; a lone portfolio has its own figure."""
    mine = [p for p in content.portfolios if p.index == index]
    look = layout(x="date", y_title=words().text["after_cost_axis"], y_format=".2f")
    title = words().text["excess_by_index"].filled(index=words().universe(index))
    traces = _curves(content, mine, None) if len(mine) > 1 else []
    return figure(f"excess_{slug(index)}", title, traces, look)


def excess_last_year(content: RunContent, index: str) -> Figure | None:
    """The same over the last calendar year alone, from 1; a span of one year needs none."""
    mine = [p for p in content.portfolios if p.index == index]
    years = sorted({day.year for p in mine for day in p.nav["date"].to_list()})
    if len(years) < 2:
        return None
    look = layout(x="date", y_title=words().text["after_cost_axis"], y_format=".2f")
    title = words().text["excess_last_year"].filled(year=years[-1], index=words().universe(index))
    return figure(f"excess_last_year_{slug(index)}", title, _curves(content, mine, years[-1]), look)


def _curves(content: RunContent, portfolios: list[PortfolioContent], year: int | None) -> list[Trace]:
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
            traces.append(line(label, days(kept), curve, _ink(content, p), dash=dash))
    return traces


def _ink(content: RunContent, p: PortfolioContent) -> str:
    arms = [arm.name for arm in content.arms]
    return colour(arms.index(p.arm)) if p.arm in arms else GREY


def portfolio_nav(p: PortfolioContent, name: str) -> Figure | None:
    """NAV of the portfolio, the index and the replica."""
    lines = (
        (words().text["portfolio_line"], "nav", COLOURS[0], "solid"),
        (words().universe(p.index), "benchmark_nav", GREY, "solid"),
        (words().text["replica_line"], "replica_nav", GREY, "dot"),
    )
    traces = [
        line(label, days(p.nav), p.nav[column], ink, dash=dash)
        for label, column, ink, dash in lines
        if column in p.nav.columns and p.nav[column].is_not_null().any()
    ]
    look = layout(x="date", y_title=words().text["nav_axis"], y_format=".2f")
    return figure(f"{name}_nav", words().text["nav"], traces, look)


def portfolio_excess(p: PortfolioContent, name: str) -> Figure | None:
    """Excess NAV above, its drawdown from the highest point so far below."""
    excess, text = p.nav["excess_nav"], words().text
    drawdown = excess / excess.cum_max() - 1.0
    upper = line(text["excess_nav_line"], days(p.nav), excess, COLOURS[0])
    lower = line(text["drawdown_line"], days(p.nav), drawdown, COLOURS[4], width=1.0)
    lower |= {"yaxis": "y2", "fill": "tozeroy", "fillcolor": BAND}
    look = layout(x="date", y_title=text["ratio_axis"], y_format=".2f")
    look["yaxis"]["domain"] = [0.36, 1.0]
    ticks = percent_ticks(drawdown.to_list(), most=4)
    look["yaxis2"] = axis(text["drawdown_line"], ".0%") | ticks | {"domain": [0.0, 0.28], "hoverformat": ".2%"}
    look["xaxis"]["anchor"] = "y2"
    return figure(f"{name}_excess", text["excess"], [upper, lower], look)


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
    look = layout(x="date", y_title=words().text["contribution_axis"], y_format=".1%", hover=".2%")
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    return figure(f"{name}_attribution", words().text["attribution_curve"], traces, look)


def attribution_bars(p: PortfolioContent, name: str) -> Figure | None:
    """Contribution of each style and of the industries that matter most, over the whole span."""
    whole = (p.summary.get("attribution") or {}).get("all") or {}
    found = [(k, v, "styles") for k, v in whole.get("styles", {}).items() if v is not None]
    industries = [(k, v, "industries") for k, v in whole.get("industries", {}).items() if v is not None]
    found += sorted(industries, key=lambda item: -abs(item[1]))[: max(0, _LISTED - len(found))]
    traces = []
    for part, ink in (("styles", COLOURS[0]), ("industries", COLOURS[1])):
        mine = [(key, value) for key, value, kind in found if kind == part]
        if mine:
            labels = [words().term(key) for key, _ in mine]
            traces.append(bars(words().term(part), labels, [v for _, v in mine], ink, horizontal=True))
    look = sideways(words().text["contribution_axis"], ".1%", len(found))
    look["xaxis"] |= percent_ticks(value for _, value, _ in found) | {"hoverformat": ".2%"}
    return figure(f"{name}_contributions", words().text["attribution_styles"], traces, look)
