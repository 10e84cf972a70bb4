"""Figures as plain plotly.js specifications (``{"data", "layout"}``); values are rounded for drawing, never aggregated.

The only arithmetic is what a drawing is: a running sum (cumulative RankIC) and a running peak (drawdown).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.factor_tables import HEADLINE_HORIZONS
from deepfactor.report.words import words

# Distinct also in grey and for colour-blind readers; the first two carry most reports.
COLOURS = ("#1d4e89", "#d1700c", "#3a7d44", "#8a4f9e", "#b23a48", "#5f6b7a")
DASHES = ("solid", "dash", "dot", "dashdot")
GREY, BAND = "#8d99a6", "rgba(178,58,72,0.16)"

Trace = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure with its name in the JSON and its heading; `spec` is plotly.js's ``{"data", "layout"}``."""

    id: str
    title: str
    spec: dict[str, Any]


def colour(k: int) -> str:
    """Colour of arm number `k`; repeats after the sixth."""
    return COLOURS[k % len(COLOURS)]


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
            traces.append(_line(arm.name, _days(kept), kept["rank_ic"].cum_sum(), colour(k)))
    title = words().text["cumulative"].format(h=horizon)
    layout = _layout(x="date", y_title="sum of RankIC", y_format=".1f")
    name = words().universe(universe)
    return _figure(f"cumulative_rank_ic_{_slug(universe)}", f"{title}, {name}", traces, layout)


def group_bars(content: RunContent, universe: str) -> Figure | None:
    """Annual return of each group, arms side by side."""
    traces, n = [], 0
    for k, arm in enumerate(content.arms):
        group = arm.group(universe)
        if group is not None:
            n = max(n, len(group["annual_return"]))
            heights = [_round(v) for v in group["annual_return"]]
            traces.append(_bar(arm.name, list(range(1, len(heights) + 1)), heights, colour(k)))
    x_title = "group by score, highest on the right"
    layout = _layout(x="plain", y_title="return a year", y_format=".0%", x_title=x_title, hover=".2%")
    layout["xaxis"]["tickvals"] = list(range(1, n + 1)) if n <= 10 else [1, *range(5, n + 1, 5)]
    title = f"{words().text['group_bars']}, {words().universe(universe)}"
    return _figure(f"group_bars_{_slug(universe)}", title, traces, layout)


def top_curve(content: RunContent, universe: str) -> Figure | None:
    """NAV of the top group over that of the index, where the test kept curves."""
    traces = []
    for k, arm in enumerate(content.arms):
        if arm.group_nav is None:
            continue
        frame = arm.group_nav.filter(pl.col("universe") == universe).sort("date")
        if frame.height:
            traces.append(_line(arm.name, _days(frame), frame["excess_nav"], colour(k)))
    layout = _layout(x="date", y_title="NAV ratio, start = 1", y_format=".2f")
    title = f"{words().text['top_curve']}, {words().universe(universe)}"
    return _figure(f"top_curve_{_slug(universe)}", title, traces, layout)


def training_curves(content: RunContent) -> list[Figure]:
    """Validation RankIC and training loss by epoch: a line a job, a colour an arm."""
    found = (
        _training(content, "valid_rank_ic", "RankIC", ".3f", best=True),
        _training(content, "loss", "loss", ".3f", best=False),
    )
    return [figure for figure in found if figure is not None]


def _training(content: RunContent, key: str, unit: str, digits: str, *, best: bool) -> Figure | None:
    traces = []
    for k, arm in enumerate(content.arms):
        for j, job in enumerate(arm.training.get("jobs", ())):
            epochs = [e["epoch"] for e in job.get("epochs", ())]
            values = [_round(e.get(key)) for e in job.get("epochs", ())]
            line = _line(arm.name, epochs, values, colour(k), width=1.4)
            line |= {"legendgroup": arm.name, "showlegend": j == 0, "opacity": 0.8}
            line["hovertemplate"] = f"{arm.name}, fold {job.get('fold')}, seed {job.get('seed')}: %{{y}}<extra></extra>"
            if best:
                sizes = [8 if e == job.get("best_epoch") else 0 for e in epochs]
                line |= {"mode": "lines+markers", "marker": {"size": sizes, "color": colour(k)}}
            traces.append(line)
    layout = _layout(x="plain", y_title=unit, y_format=digits, x_title="epoch")
    layout["hovermode"] = "closest"
    title = words().text["valid_rank_ic" if key == "valid_rank_ic" else "loss"]
    return _figure(f"training_{key}", title, traces, layout)


def excess_overview(content: RunContent) -> Figure | None:
    """Excess NAV of every portfolio: an arm's colour is that of the other figures, indices differ by the dash."""
    arms = [arm.name for arm in content.arms]
    sets = list(dict.fromkeys((p.index, p.constraints) for p in content.portfolios))
    traces = []
    for p in content.portfolios:
        label = f"{p.arm} · {words().universe(p.index)}"
        ink = colour(arms.index(p.arm)) if p.arm in arms else GREY
        dash = DASHES[sets.index((p.index, p.constraints)) % len(DASHES)]
        traces.append(_line(label, _days(p.nav), p.nav["excess_nav"], ink, dash=dash))
    layout = _layout(x="date", y_title="portfolio / index, after cost", y_format=".2f")
    return _figure("excess_overview", words().text["excess_overview"], traces, layout)


def portfolio_nav(p: PortfolioContent, name: str) -> Figure | None:
    """NAV of the portfolio, the index and the replica."""
    lines = (
        ("portfolio", "nav", COLOURS[0], "solid"),
        (words().universe(p.index), "benchmark_nav", GREY, "solid"),
        ("replica", "replica_nav", GREY, "dot"),
    )
    traces = [
        _line(label, _days(p.nav), p.nav[column], ink, dash=dash)
        for label, column, ink, dash in lines
        if column in p.nav.columns and p.nav[column].is_not_null().any()
    ]
    layout = _layout(x="date", y_title="NAV, start = 1", y_format=".2f")
    return _figure(f"{name}_nav", words().text["nav"], traces, layout)


def portfolio_excess(p: PortfolioContent, name: str) -> Figure | None:
    """Excess NAV above, its drawdown from the highest point so far below."""
    excess = p.nav["excess_nav"]
    drawdown = excess / excess.cum_max() - 1.0
    upper = _line("excess NAV", _days(p.nav), excess, COLOURS[0])
    lower = _line("drawdown", _days(p.nav), drawdown, COLOURS[4], width=1.0)
    lower |= {"yaxis": "y2", "fill": "tozeroy", "fillcolor": BAND}
    layout = _layout(x="date", y_title="portfolio / index", y_format=".2f")
    layout["yaxis"]["domain"] = [0.36, 1.0]
    layout["yaxis2"] = _axis("drawdown", ".0%") | {"domain": [0.0, 0.28], "nticks": 4, "hoverformat": ".2%"}
    layout["xaxis"]["anchor"] = "y2"
    return _figure(f"{name}_excess", words().text["excess"], [upper, lower], layout)


def _line(name: str, x: list[Any], y: Any, ink: str, *, width: float = 1.8, dash: str = "solid") -> Trace:
    values = [_round(v) for v in (y.to_list() if isinstance(y, pl.Series) else y)]
    line = {"color": ink, "width": width, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": values, "line": line}


def _bar(name: str, x: list[Any], y: Sequence[float | None], ink: str) -> Trace:
    return {"type": "bar", "name": name, "x": x, "y": list(y), "marker": {"color": ink}}


def _axis(title: str, digits: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 12, "color": "#5b6673"}, "standoff": 8},
        "tickformat": digits,
        "gridcolor": "#e8ecf0",
        "zerolinecolor": "#b8c1cb",
        "automargin": True,
    }


def _layout(*, x: str, y_title: str, y_format: str, x_title: str = "", hover: str = "") -> dict[str, Any]:
    """The common look; `x` is "date" or "plain"."""
    axis_x: dict[str, Any] = {"gridcolor": "#f3f5f7", "zeroline": False, "linecolor": "#b8c1cb", "showline": True}
    if x == "date":
        axis_x |= {"type": "date", "hoverformat": "%Y-%m-%d", "nticks": 6, "tickangle": 0}
    else:
        axis_x |= {"title": {"text": x_title, "standoff": 6}}
    return {
        "font": {"family": "inherit", "size": 12, "color": "#27313b"},
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "hovermode": "x unified",
        "bargap": 0.25,
        "showlegend": True,
        "xaxis": axis_x | {"automargin": True},
        "yaxis": _axis(y_title, y_format) | ({"hoverformat": hover} if hover else {}),
    }


def _figure(name: str, title: str, traces: list[Trace], layout: dict[str, Any]) -> Figure | None:
    return Figure(name, title, {"data": traces, "layout": layout}) if traces else None


def _days(frame: pl.DataFrame) -> list[str]:
    return [str(day) for day in frame["date"].to_list()]


def _round(value: Any) -> float | None:
    """Six significant digits are finer than a pixel; not finite = a gap."""
    if value is None or value != value or abs(value) == float("inf"):
        return None
    return float(f"{value:.6g}")


def _slug(code: str) -> str:
    return code.replace(".", "_").lower()
