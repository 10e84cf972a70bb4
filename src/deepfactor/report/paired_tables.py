"""Each arm beside each other one: tables of the paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deepfactor.report.content import Record, RunContent
from deepfactor.report.factor_tables import HEADLINE_HORIZONS
from deepfactor.report.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.words import words

#: The style set whose residuals the first page shows, where it was tested.
BARRA = "barra_cne5"


def headline_paired(content: RunContent) -> Table | None:
    """One row a pair, in the first page's universe at 10 days: RankIC, what styles leave of it, the top group."""
    horizon, chosen = HEADLINE_HORIZONS[0], residual_set(content)
    rows = []
    for entry in _of(content, "rank_ic", universe=content.lead, horizon=horizon):
        pair = {key: entry[key] for key in ("first", "second", "universe")}
        residual = next(_of(content, "residual_rank_ic", **pair, horizon=horizon, set=chosen), None)
        top = next(_of(content, "top_excess", **pair), None)
        cells = (
            value_cell(entry, "difference", "signed_ic"),
            value_cell(entry, "standard_error", "ic"),
            value_cell(entry, "t_newey_west", "ratio"),
            value_cell(entry, "seed_std_first", "ic"),
            value_cell(entry, "seed_std_second", "ic"),
            value_cell(residual, "difference", "signed_ic"),
            value_cell(residual, "t_newey_west", "ratio"),
            value_cell(top, "difference", "signed_percent"),
            value_cell(top, "t_newey_west", "ratio"),
        )
        rows.append((*label_cells(_pair(entry)), *cells))
    columns = ("pair", "difference", "standard_error", "paired_t", "seed_std_first", "seed_std_second",
               "residual_difference", "residual_t", "top_difference", "top_t")  # fmt: skip
    text = words().text
    note = text["headline_paired_note"].filled(
        universe=words().universe(content.lead), h=horizon, set=words().term(chosen or "–")
    )
    return make("headline_paired", text["paired"], columns, rows, note)


def paired(content: RunContent) -> list[Table]:
    """Every paired difference: a table of RankIC, of what each style set leaves of it, and of the top groups."""
    found = [_rank_ic(content, "rank_ic"), _rank_ic(content, "residual_rank_ic"), _top(content)]
    return [table for table in found if table is not None]


def _rank_ic(content: RunContent, measure: str) -> Table | None:
    residual = measure == "residual_rank_ic"
    rows = []
    for entry in _of(content, measure):
        labels = label_cells(_pair(entry), words().universe(entry["universe"]))
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
    return make(name, words().text[f"{name}_all"], columns, rows, words().text["paired_note"])


def _top(content: RunContent) -> Table | None:
    rows = [
        (
            *label_cells(_pair(entry), words().universe(entry["universe"])),
            value_cell(entry, "difference", "signed_percent"),
            *_numbers(entry, "percent"),
        )
        for entry in _of(content, "top_excess")
    ]
    columns = ("pair", "universe", "top_difference", *_NUMBERS)
    return make("paired_top", words().text["paired_top_all"], columns, rows, words().text["paired_top_note"])


_NUMBERS = ("standard_error", "paired_t", "ahead", "n")


def _numbers(entry: Mapping[str, Any], style: str) -> tuple[Cell, ...]:
    return (
        value_cell(entry, "standard_error", style),
        value_cell(entry, "t_newey_west", "ratio"),
        value_cell(entry, "win_rate", "share"),
        value_cell(entry, "n", "count"),
    )


def residual_set(content: RunContent) -> str | None:
    """The style set of the first page: Barra's where it was tested, else the first."""
    sets = list(dict.fromkeys(e["set"] for arm in content.arms for e in arm.factor_report.get("residual_ic") or ()))
    return BARRA if BARRA in sets else next(iter(sets), None)


def _pair(entry: Record) -> str:
    return f"{entry['first']} − {entry['second']}"


def _of(content: RunContent, measure: str, **wanted: Any) -> Iterator[Record]:
    """Entries of one measure whose keys equal `wanted`."""
    return (e for e in content.paired if e["measure"] == measure and all(e.get(k) == v for k, v in wanted.items()))
