"""Figures of the factor tests and of training.

The only arithmetic is what a drawing is: a running sum (cumulative RankIC).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.drawing import (
    Figure,
    bars,
    colour,
    days,
    figure,
    layout,
    line,
    percent_ticks,
    rounded,
    sideways,
    slug,
)
from deepfactor.report.factor_tables import HEADLINE_HORIZONS, style_sets
from deepfactor.report.words import Text, joined, words


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
    look = layout(x="date", y_title=words().text["sum_rank_ic"], y_format=".1f")
    title = _of(words().text["cumulative"].filled(h=horizon), universe)
    return figure(f"cumulative_rank_ic_{slug(universe)}", title, traces, look)


def decay(content: RunContent) -> Figure | None:
    """RankIC at each horizon of 1 to 20 days: a colour an arm, tradeable names dashed."""
    traces = []
    for k, arm in enumerate(content.arms):
        for names, dash in (("all", "solid"), ("tradeable", "dot")):
            wanted = {"universe": content.lead, "convention": content.main, "names": names}
            found = [r for r in arm.factor_report.get("decay") or () if wanted.items() <= r.items()]
            found.sort(key=lambda r: r["horizon"])
            if found:
                label = arm.name if names == "all" else joined(", ", [arm.name, words().term(names)])
                heights = [r["rank_ic"] for r in found]
                traces.append(line(label, [r["horizon"] for r in found], heights, colour(k), dash=dash))
    look = layout(x="plain", y_title="RankIC", y_format=".3f", x_title=words().text["horizon_axis"])
    return figure("decay", _of(words().text["decay_figure"], content.lead), traces, look)


def group_bars(content: RunContent, universe: str) -> Figure | None:
    """Annual return of each group, arms side by side."""
    traces, n = [], 0
    for k, arm in enumerate(content.arms):
        group = arm.group(universe)
        if group is not None:
            n = max(n, len(group["annual_return"]))
            numbers = list(range(1, len(group["annual_return"]) + 1))
            traces.append(bars(arm.name, numbers, group["annual_return"], colour(k)))
    text = words().text
    look = layout(x="plain", y_title=text["return_axis"], y_format=".0%", x_title=text["group_axis"], hover=".2%")
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    look["xaxis"]["tickvals"] = list(range(1, n + 1)) if n <= 10 else [1, *range(5, n + 1, 5)]
    return figure(f"group_bars_{slug(universe)}", _of(text["group_bars"], universe), traces, look)


def top_curve(content: RunContent, universe: str) -> Figure | None:
    """NAV of the top group over that of the index, where the test kept curves."""
    traces = []
    for k, arm in enumerate(content.arms):
        if arm.group_nav is None:
            continue
        frame = arm.group_nav.filter(pl.col("universe") == universe).sort("date")
        if frame.height:
            traces.append(line(arm.name, days(frame), frame["excess_nav"], colour(k)))
        by_cap = "excess_nav_cap_weight"
        if by_cap in frame.columns and frame[by_cap].is_finite().any():
            label = joined(", ", [arm.name, words().universe("cap_weight")])
            traces.append(line(label, days(frame), frame[by_cap], colour(k), dash="dot"))
    look = layout(x="date", y_title=words().text["nav_ratio_axis"], y_format=".2f")
    return figure(f"top_curve_{slug(universe)}", _of(words().text["top_curve"], universe), traces, look)


def top_year_bars(content: RunContent, universe: str) -> Figure | None:
    """Excess of the best group in each year, arms side by side; a single year needs no figure."""
    traces, forms = [], []
    for k, arm in enumerate(content.arms):
        group = arm.group(universe) or {}
        years = group.get("by_year", {})
        if len(years) > 1:
            forms.append(
                words().text[f"yearly_excess.{(group.get('definitions') or {}).get('yearly_excess', 'ratio')}"]
            )
            heights = [years[year].get("excess") for year in sorted(years)]
            traces.append(bars(arm.name, sorted(years), heights, colour(k)))
    axis_title = joined(": ", [words().text["excess_axis"], joined("; ", dict.fromkeys(forms))])
    look = layout(x="plain", y_title=axis_title, y_format=".0%", hover=".2%")
    look["yaxis"] |= percent_ticks(value for trace in traces for value in trace["y"])
    look["xaxis"]["type"] = "category"
    return figure(f"top_years_{slug(universe)}", _of(words().text["top_year_bars"], universe), traces, look)


def style_bars(content: RunContent, name: str, which: str) -> Figure | None:
    """Correlation with each style of one set, ``mean`` of the span or ``last`` day, arms side by side."""
    found = [style_sets(arm).get(name, {}) for arm in content.arms]
    styles = list(dict.fromkeys(style for given in found for style in given))
    traces = []
    for k, (arm, given) in enumerate(zip(content.arms, found, strict=True)):
        heights = [_correlation(given, style, which) for style in styles]
        if any(height is not None for height in heights):
            labels = [words().style(style, name) for style in styles]
            traces.append(bars(arm.name, labels, heights, colour(k), horizontal=True))
    look = sideways(words().text["correlation_axis"], ".2f", len(styles) * max(1, len(traces)) // 2 + 2)
    title = words().text["style_bars" if which == "mean" else "style_bars_last"]
    named = joined(", ", [title, words().term(name)]) if name else title
    return figure(f"style_{which}{name and '_'}{slug(name)}", named, traces, look)


def _correlation(given: Mapping[str, Any], style: str, which: str) -> float | None:
    value = given.get(style, {}).get(which)
    return rounded(value)


def correlation_matrix(content: RunContent) -> Figure | None:
    """Rank correlation of each pair of arms as a coloured square; two arms need no figure."""
    given = content.correlation or {}
    names = list(given)
    if len(names) < 3:
        return None
    z = [[rounded(given[a].get(b)) for b in names] for a in names]
    labels = [["" if v is None else f"{v:.2f}" for v in row] for row in z]
    trace = {
        "type": "heatmap", "name": "correlation", "x": names, "y": names, "z": z, "text": labels,
        "texttemplate": "%{text}", "colorscale": [[0, "#f3f6f9"], [1, "#1d4e89"]], "zmin": 0, "zmax": 1,
        "showscale": False, "xgap": 2, "ygap": 2, "hovertemplate": "%{y} / %{x}: %{z:.3f}<extra></extra>",
    }  # fmt: skip
    look = layout(x="plain", y_title="", y_format="")
    look["yaxis"] = {"autorange": "reversed", "automargin": True, "type": "category"}
    look["xaxis"] |= {"type": "category", "showline": False}
    look |= {"showlegend": False, "hovermode": "closest", "height": max(280, 60 + 48 * len(names))}
    return figure("correlation_matrix", words().text["correlation_matrix"], [trace], look)


def training_curves(content: RunContent) -> list[Figure]:
    """Validation RankIC and training loss by epoch: a line a job, a colour an arm."""
    found = (
        _training(content, "valid_rank_ic", "RankIC", best=True),
        _training(content, "loss", words().text["loss_axis"], best=False),
    )
    return [one for one in found if one is not None]


def _training(content: RunContent, key: str, unit: str, *, best: bool) -> Figure | None:
    traces = []
    for k, arm in enumerate(content.arms):
        for j, job in enumerate(job for job in arm.training.get("jobs", ()) if job.get("epochs")):
            epochs = [e["epoch"] for e in job.get("epochs", ())]
            trace = line(arm.name, epochs, [e.get(key) for e in job.get("epochs", ())], colour(k), width=1.4)
            trace |= {"legendgroup": arm.name, "showlegend": j == 0, "opacity": 0.8, "hovertemplate": _hover(arm, job)}
            if best:
                sizes = [8 if e == job.get("best_epoch") else 0 for e in epochs]
                trace |= {"mode": "lines+markers", "marker": {"size": sizes, "color": colour(k)}}
            traces.append(trace)
    look = layout(x="plain", y_title=unit, y_format=".3f", x_title=words().text["epoch"])
    look["hovermode"] = "closest"
    return figure(f"training_{key}", words().text[key], traces, look)


def _hover(arm: ArmContent, job: Mapping[str, Any]) -> Text:
    named = words().text["fold_seed"].filled(arm=arm.name, fold=job.get("fold"), seed=job.get("seed"))
    return joined("", [named, ": %{y}<extra></extra>"])


def _of(title: Text, universe: str) -> Text:
    return joined(", ", [title, words().universe(universe)])
