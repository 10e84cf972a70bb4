"""Each arm beside each other one: tables of all paired differences."""

from __future__ import annotations

from collections.abc import Iterator

from deepfactor.core.words import Text
from deepfactor.evaluation.records import PairedEntry
from deepfactor.report.content import RunContent
from deepfactor.report.press.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.press.words import words

TOP_NOTE = Text(
    "Daily log returns of the top groups, a year, before cost; what they are measured against is the same. Five lags.",
    "多头组日对数收益，按年计，未扣成本；两者基准相同。滞后五期。",
)


def paired(content: RunContent) -> list[Table]:
    """Every paired difference: a table of RankIC, of what each style set leaves of it, and of the top groups."""
    tables = [_rank_ic(content, "rank_ic"), _rank_ic(content, "residual_rank_ic"), _top(content)]
    return [table for table in tables if table is not None]


def _rank_ic(content: RunContent, measure: str) -> Table | None:
    residual = measure == "residual_rank_ic"
    rows = []
    for entry in entries(content, measure):
        labels = label_cells(pair(entry), words().universe(entry["universe"]))
        labels += label_cells(words().term(entry["set"])) if residual else ()
        numbers = [
            Cell(entry["horizon"], "count"),
            value_cell(entry, "difference", "signed_ic"),
            *_numbers(entry, "ic"),
        ]
        if residual:
            numbers += [value_cell(entry, f"names_{arm}", "count") for arm in ("first", "second")]
            numbers.append(value_cell(entry, "raw_difference", "signed_ic"))
        else:
            numbers += [value_cell(entry, f"seed_std_{arm}", "ic") for arm in ("first", "second")]
        rows.append((*labels, *numbers))
    columns = ["pair", "universe", *(["style_set"] if residual else []), "horizon", "difference", *_NUMBERS]
    beside = ("names_first", "names_second", "same_names_difference")
    columns += beside if residual else ("seed_std_first", "seed_std_second")
    name = "paired_residual" if residual else "paired"
    title = (
        Text("Every paired difference of RankIC after styles", "剥离风格后秩相关IC两两之差（全部）")
        if residual
        else Text("Every paired difference of RankIC", "秩相关IC两两之差（全部）")
    )
    return make(
        name,
        title,
        columns,
        rows,
        Text(
            "Only days that both arms have. Newey-West with lags = horizon.",
            "仅取两个模型共有的日期。Newey-West滞后期数等于预测区间。",
        ),
    )


def _top(content: RunContent) -> Table | None:
    rows = [
        (
            *label_cells(pair(entry), words().universe(entry["universe"])),
            value_cell(entry, "difference", "signed_percent"),
            *_numbers(entry, "percent"),
        )
        for entry in entries(content, "top_excess")
    ]
    columns = ("pair", "universe", "top_difference", *_NUMBERS)
    return make(
        "paired_top",
        Text("Every paired difference of the top groups", "多头组两两之差（全部）"),
        columns,
        rows,
        TOP_NOTE,
    )


_NUMBERS = ("standard_error", "paired_t", "ahead", "n")


def _numbers(entry: PairedEntry, style: str) -> tuple[Cell, ...]:
    return (
        value_cell(entry, "standard_error", style),
        value_cell(entry, "t_newey_west", "ratio"),
        value_cell(entry, "win_rate", "share"),
        value_cell(entry, "n", "count"),
    )


def entries(content: RunContent, measure: str, **wanted: object) -> Iterator[PairedEntry]:
    """Entries of one measure whose keys equal `wanted`."""
    return (e for e in content.paired if e["measure"] == measure and all(e.get(k) == v for k, v in wanted.items()))


def pair(entry: PairedEntry) -> str:
    """The two arms of an entry."""
    return f"{entry['first']} − {entry['second']}"
