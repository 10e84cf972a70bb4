"""The look of the figures: plain plotly.js specifications (``{"data", "layout"}``), values rounded for drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from deepfactor.core.words import Text

# Distinct also in grey and for colour-blind readers; the first two carry most reports.
COLOURS = ("#1d4e89", "#d1700c", "#3a7d44", "#8a4f9e", "#b23a48", "#5f6b7a")
DASHES = ("solid", "dash", "dot", "dashdot")
GREY, BAND = "#8d99a6", "rgba(178,58,72,0.16)"

#: What plotly.js reads: keys and values of its own, nested, of a figure or of a part of one.
Plot = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure with its name in the JSON and its heading; `spec` is plotly.js's ``{"data", "layout"}``.

    Words in `spec` may be bilingual `Text`. A `wide` figure takes the page's whole width.
    """

    id: str
    title: str
    spec: Plot
    wide: bool = False

    def places(self) -> list[tuple[list[str | int], str, str]]:
        """Where in `spec` a word has a Chinese form: path, English, Chinese."""
        return list(_places(self.spec, []))


def _places(node: Any, path: list[str | int]) -> Any:
    if isinstance(node, Text):
        if node.zh != node:
            yield path, str(node), node.zh
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _places(value, [*path, key])
    elif isinstance(node, list):
        for k, value in enumerate(node):
            yield from _places(value, [*path, k])


def colour(k: int) -> str:
    """Colour of arm number `k`; repeats after the sixth."""
    return COLOURS[k % len(COLOURS)]


def line(name: str, x: list[Any], y: Any, ink: str, *, width: float = 1.8, dash: str = "solid") -> Plot:
    """A line; a value that is not finite is a gap."""
    values = [rounded(v) for v in (y.to_list() if isinstance(y, pl.Series) else y)]
    pen = {"color": ink, "width": width, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": values, "line": pen}


def bars(name: str, x: list[Any], y: Sequence[Any], ink: str, *, horizontal: bool = False) -> Plot:
    """Bars at `x`; `horizontal` ones lie, with `x` as their names."""
    values = [rounded(v) for v in y]
    trace: Plot = {"type": "bar", "name": name, "marker": {"color": ink}}
    return trace | ({"x": values, "y": x, "orientation": "h"} if horizontal else {"x": x, "y": values})


def axis(title: str, digits: str) -> Plot:
    """A value axis with its unit."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": "#5b6673"}, "standoff": 8},
        "tickformat": digits,
        "gridcolor": "#e8ecf0",
        "zerolinecolor": "#b8c1cb",
        "automargin": True,
    }


def layout(*, x: str, y_title: str, y_format: str, x_title: str = "", hover: str = "") -> Plot:
    """The common look; `x` is "date" or "plain"."""
    axis_x: Plot = {"gridcolor": "#f3f5f7", "zeroline": False, "linecolor": "#b8c1cb", "showline": True}
    if x == "date":
        axis_x |= {"type": "date", "hoverformat": "%Y-%m-%d", "tickformat": "%Y-%m", "nticks": 6, "tickangle": 0}
    else:
        axis_x |= {"title": {"text": x_title, "font": {"size": 12, "color": "#5b6673"}, "standoff": 6}}
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
        "yaxis": axis(y_title, y_format) | ({"hoverformat": hover} if hover else {}),
    }


def ranged(look: Plot, *, log: bool = False) -> Plot:
    """The look of a figure of dates with buttons for its last year and three, and for a log scale where asked."""
    years = [
        {"count": n, "step": "year", "stepmode": "backward", "label": Text("{n}y", "{n}年").filled(n=n)} for n in (1, 3)
    ]
    place = {"xanchor": "right", "y": 1.02, "yanchor": "bottom", "bgcolor": "#f6f8fa", "font": {"size": 11}}
    look["xaxis"]["rangeselector"] = {
        "buttons": [*years, {"step": "all", "label": Text("all", "全部")}], "x": 0.84 if log else 1.0, **place,
        "activecolor": "#dfe4e9",
    }  # fmt: skip
    if log:
        scales = ((Text("linear", "线性"), "linear"), (Text("log", "对数"), "log"))
        buttons = [{"label": said, "method": "relayout", "args": [{"yaxis.type": kind}]} for said, kind in scales]
        look["updatemenus"] = [
            {"type": "buttons", "direction": "left", "x": 1.0, "showactive": True, "buttons": buttons, **place,
             "pad": {"t": 0, "b": 0, "l": 0, "r": 0}, "borderwidth": 0}
        ]  # fmt: skip
    return look


def month_map(
    name: str, title: str, months: Sequence[date], values: Sequence[float], *, percent: bool = True
) -> Figure | None:
    """A number a month as coloured squares: years down, months across; blue above 0, red below."""
    years = sorted({day.year for day in months})
    cells: list[list[float | None]] = [[None] * 12 for _ in years]
    for day, value in zip(months, values, strict=True):
        cells[years.index(day.year)][day.month - 1] = rounded(value)
    written = [["" if v is None else f"{100 * v:.1f}" if percent else f"{v:.2f}" for v in row] for row in cells]
    reach = max((abs(v) for row in cells for v in row if v is not None), default=0.0) or 1.0
    shown = "%{z:.2%}" if percent else "%{z:.3f}"
    trace: Plot = {
        "type": "heatmap", "x": list(range(1, 13)), "y": [str(year) for year in years], "z": cells, "text": written,
        "texttemplate": "%{text}", "zmin": -reach, "zmax": reach, "showscale": False, "xgap": 2, "ygap": 2,
        "colorscale": [[0, COLOURS[4]], [0.5, "#f6f8fa"], [1, COLOURS[0]]],
        "hovertemplate": f"%{{y}}-%{{x}}: {shown}<extra></extra>", "hoverongaps": False,
    }  # fmt: skip
    look = layout(x="plain", y_title="", y_format="")
    look["yaxis"] = {"autorange": "reversed", "automargin": True, "type": "category"}
    look["xaxis"] |= {"type": "category", "showline": False, "side": "top"}
    look |= {"showlegend": False, "hovermode": "closest", "height": max(150, 64 + 34 * len(years))}
    return figure(name, title, [trace] if years else [], look)


#: Distances between ticks of fractions, each a round number of percent or of tenths of one.
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def percent_ticks(values: Iterable[float | None], most: int = 6) -> Plot:
    """Ticks of an axis that holds the fractions `values` and 0: at round percent, at most so many, none twice."""
    known = [v for v in values if v is not None and v == v and abs(v) != float("inf")]
    reach = max([*known, 0.0]) - min([*known, 0.0])
    step = next((step for step in _STEPS if reach <= step * most), 10.0 * _STEPS[-1])
    return {"tick0": 0, "dtick": step, "tickformat": ".0%" if step >= 0.01 else ".1%"}


def sideways(x_title: str, x_format: str, names: int) -> Plot:
    """The look of lying bars, `names` of them: values across, names down, the first on top."""
    look = layout(x="plain", y_title="", y_format="", x_title=x_title)
    look["xaxis"] |= {"tickformat": x_format, "gridcolor": "#e8ecf0", "zeroline": True, "zerolinecolor": "#8d99a6"}
    look["yaxis"] = {"autorange": "reversed", "automargin": True, "type": "category", "dtick": 1}
    look["hovermode"] = "y unified"
    look["height"] = max(200, 90 + 26 * names)
    return look


def figure(name: str, title: str, traces: list[Plot], look: Plot, *, wide: bool = False) -> Figure | None:
    """A figure, or None where there is nothing to draw."""
    return Figure(name, title, {"data": traces, "layout": look}, wide) if traces else None


def days(frame: pl.DataFrame) -> list[str]:
    """The frame's dates as ISO text."""
    return [str(day) for day in frame["date"].to_list()]


def rounded(value: Any) -> float | None:
    """Six significant digits are finer than a pixel; not finite = a gap."""
    if value is None or value != value or abs(value) == float("inf"):
        return None
    return float(f"{value:.6g}")


def slug(code: str) -> str:
    """A code as part of an id."""
    return "".join(c if c.isalnum() else "_" for c in code.lower())
