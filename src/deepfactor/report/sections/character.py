"""What a score is like: autocorrelation, correlation with styles and with the other arms; combinations beside these."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.core.words import Text, joined
from deepfactor.evaluation.records import StyleCorrelation
from deepfactor.report.content import RunContent
from deepfactor.report.content.published import Reference, reference
from deepfactor.report.content.reading import style_sets
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import LONG, Charts, Section, Tables
from deepfactor.report.press.drawing import Figure, bars, colour, figure, layout, rounded, sideways, slug
from deepfactor.report.press.formats import MISSING
from deepfactor.report.press.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words
from deepfactor.report.sections._ensembles import beside_members

ORDER = 90


def section(content: RunContent, make: Maker) -> Section | None:
    """Bars of every style set and the arms' correlations, then the tables."""
    sets, title = make.many(style_set_names, content), Text("Character", "因子特征")
    bars = ((style_bars, content, name, which) for name in sets for which in ("mean", "last"))
    drawn = make.all(*bars, (correlation_matrix, content))
    tables = (
        *make.all((autocorrelation, content)),
        *make.many(style_tables, content),
        *make.all((styles_absent, content), (model_correlation, content), (beside_members, content)),
    )
    return Section(title, (Charts(drawn), Tables(tables, folds=LONG)), link=title) if drawn or tables else None


def autocorrelation(content: RunContent) -> Table | None:
    """Arm × days between rebalances."""
    by_arm = [(arm, dict(arm.factor_report.get("autocorrelation") or {})) for arm in content.arms]
    steps = sorted({int(step) for _, given in by_arm for step in given})
    rows = []
    for arm, given in by_arm if steps else ():
        ref = reference(arm.published)
        printed = {step: None if ref is None else ref.autocorrelation(step) for step in steps}
        rows.append((*label_cells(arm.name), *(value_cell(given, str(k), "ratio", printed[k]) for k in steps)))
    columns: list[str | Metric] = ["arm", *(head(f"{step}d") for step in steps)]
    note = words().metrics["autocorrelation"].definition
    return make("autocorrelation", words().metrics["autocorrelation"].label, columns, rows, note)


def style_tables(content: RunContent) -> list[Table]:
    """A table a style set: style × arm, mean over days and the last day's."""
    return [t for name in style_set_names(content) if (t := _style_table(content, name)) is not None]


def style_set_names(content: RunContent) -> list[str]:
    """Style sets that any arm was correlated with, in order."""
    return list(dict.fromkeys(name for arm in content.arms for name in style_sets(arm)))


def _style_table(content: RunContent, name: str) -> Table | None:
    by_arm = [(arm, style_sets(arm).get(name, {})) for arm in content.arms]
    rows = []
    for style in dict.fromkeys(style for _, given in by_arm for style in given):
        cells: list[Cell] = []
        for arm, given in by_arm:
            entry = given.get(style)
            mean, on_date = _printed(reference(arm.published), name, style)
            cells += [value_cell(entry, "mean", "ratio", mean), value_cell(entry, "last", "ratio", on_date)]
        defined = words().terms.get(f"definition.{name}.{style}")
        rows.append((*label_cells(words().style(style, name)), *cells, *label_cells(defined or MISSING)))
    columns: list[str | Metric] = ["style"]
    for arm, _ in by_arm:
        columns += [head(arm.name), head(f"{arm.name}_last", joined(", ", [arm.name, Text("last day", "最后一日")]))]
    columns.append("style_definition")
    title = (
        Text("Correlation with style factors", "与风格因子的相关性")
        if name == ""
        else Text("Correlation with style factors, set {set}", "与风格因子的相关性（{set}）").filled(
            set=words().term(name)
        )
    )
    return make(
        f"style_correlation{name and '_'}{name}",
        title,
        columns,
        rows,
        Text("Mean over days of the cross-sectional correlation.", "截面相关系数的日均值。"),
    )


def _printed(ref: Reference | None, name: str, style: str) -> tuple[float | None, float | None]:
    """The study's mean and last day's correlation. Of another set only size means the same: Barra's momentum is not the
    last month's."""
    if ref is None or not (name == "study_a" or style == "SIZE"):
        return None, None
    return ref.style_correlation(style), ref.style_correlation_last(style)


def styles_absent(content: RunContent) -> Table | None:
    """Style set × style (or ``STYLE/DESCRIPTOR``): why this market can't have it."""
    by_style: dict[tuple[str, str], str] = {}
    for arm in content.arms:
        for name, absent in (arm.factor_report.get("styles_absent") or {}).items():
            by_style |= {(name, style): why for style, why in absent.items()}
    rows = []
    for (name, style), why in by_style.items():
        reasons = joined("; ", map(words().sentence, why.split("; ")))
        rows.append(label_cells(words().term(name), words().style(style, name), reasons))
    return make(
        "styles_absent",
        Text("Styles and parts of styles that this market can't give", "本市场数据无法计算的风格及其组成部分"),
        ("style_set", "style", "why_absent"),
        rows,
    )


def model_correlation(content: RunContent) -> Table | None:
    """Arm × arm."""
    if not content.correlation:
        return None
    refs = {arm.name: reference(arm.published) for arm in content.arms}
    rows = []
    for name, given in content.correlation.items():
        ref, cells = refs.get(name), []
        for other in content.correlation:
            partner = refs.get(other)
            printed = ref.model_correlation(partner.model) if ref and partner and name != other else None
            cells.append(value_cell(given, other, "ratio", printed))
        rows.append((*label_cells(name), *cells))
    columns: list[str | Metric] = ["arm", *map(head, content.correlation)]
    return make(
        "model_correlation",
        Text("Correlation between arms", "模型间相关性"),
        columns,
        rows,
        Text(
            "Mean over days of the cross-sectional rank correlation of the scores.",
            "各模型得分的截面秩相关系数之日均值。",
        ),
    )


def style_bars(content: RunContent, name: str, which: str) -> Figure | None:
    """Correlation with each style of one set, ``mean`` of the span or ``last`` day, arms side by side."""
    correlations = [style_sets(arm).get(name, {}) for arm in content.arms]
    styles = list(dict.fromkeys(style for given in correlations for style in given))
    traces = []
    for k, (arm, given) in enumerate(zip(content.arms, correlations, strict=True)):
        heights = [_correlation(given, style, which) for style in styles]
        if any(height is not None for height in heights):
            labels = [words().style(style, name) for style in styles]
            traces.append(bars(arm.name, labels, heights, colour(k), horizontal=True))
    look = sideways(Text("correlation", "相关系数"), ".2f", len(styles) * max(1, len(traces)) // 2 + 2)
    title = (
        Text("Correlation with style factors, mean of the span", "与风格因子的相关性（区间均值）")
        if which == "mean"
        else Text("Correlation with style factors, last day", "与风格因子的相关性（最后一日）")
    )
    named = joined(", ", [title, words().term(name)]) if name else title
    return figure(f"style_{which}{name and '_'}{slug(name)}", named, traces, look)


def _correlation(given: Mapping[str, StyleCorrelation], style: str, which: str) -> float | None:
    if style not in given:
        return None
    return rounded(given[style]["mean"] if which == "mean" else given[style]["last"])


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
    return figure("correlation_matrix", Text("Correlation of the arms' scores", "模型得分相关系数矩阵"), [trace], look)
