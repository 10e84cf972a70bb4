"""Tables of what a score is like: autocorrelation, correlation with styles and with the other arms."""

from __future__ import annotations

from deepfactor.report.content import RunContent
from deepfactor.report.factor_tables import style_sets
from deepfactor.report.formats import MISSING
from deepfactor.report.published import reference
from deepfactor.report.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.words import Metric, joined, words


def autocorrelation(content: RunContent) -> Table | None:
    """Arm × days between rebalances."""
    found = [(arm, dict(arm.factor_report.get("autocorrelation") or {})) for arm in content.arms]
    steps = sorted({int(step) for _, given in found for step in given})
    rows = []
    for arm, given in found if steps else ():
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
    found = [(arm, style_sets(arm).get(name, {})) for arm in content.arms]
    rows = []
    for style in dict.fromkeys(style for _, given in found for style in given):
        cells: list[Cell] = []
        for arm, given in found:
            ref, entry = reference(arm.published), given.get(style)
            # Of another set only size means the same: Barra's momentum is not the last month's.
            same = ref is not None and (name == "study_a" or style == "SIZE")
            mean, on_date = (
                (ref.style_correlation(style), ref.style_correlation_last(style)) if ref and same else (None, None)
            )
            cells += [value_cell(entry, "mean", "ratio", mean), value_cell(entry, "last", "ratio", on_date)]
        defined = words().text.get(f"style.{name}.{style}")
        rows.append((*label_cells(words().style(style, name)), *cells, *label_cells(defined or MISSING)))
    last = words().text["last_day"]
    columns: list[str | Metric] = ["style"]
    for arm, _ in found:
        columns += [head(arm.name), head(f"{arm.name}_last", joined(", ", [arm.name, last]))]
    columns.append("style_definition")
    text = words().text
    title = text["style_correlation"] if name == "" else text["style_set_title"].filled(set=words().term(name))
    return make(f"style_correlation{name and '_'}{name}", title, columns, rows, text["style_note"])


def styles_absent(content: RunContent) -> Table | None:
    """Style set × style (or ``STYLE/DESCRIPTOR``): why this market can't have it."""
    found: dict[tuple[str, str], str] = {}
    for arm in content.arms:
        for name, absent in (arm.factor_report.get("styles_absent") or {}).items():
            found |= {(name, style): why for style, why in absent.items()}
    rows = []
    for (name, style), why in found.items():
        reasons = joined("; ", map(words().sentence, why.split("; ")))
        rows.append(label_cells(words().term(name), words().style(style, name), reasons))
    return make("styles_absent", words().text["styles_absent"], ("style_set", "style", "why_absent"), rows)


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
    return make("model_correlation", words().text["model_correlation"], columns, rows, words().text["model_note"])
