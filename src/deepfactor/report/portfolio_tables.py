"""Tables of the enhanced portfolios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.definition_words import definition_of_portfolio
from deepfactor.report.formats import MISSING, number
from deepfactor.report.published import Reference, reference
from deepfactor.report.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.words import Metric, Text, joined, together, words

RELAXATIONS_SHOWN = 40
EXPOSURES_SHOWN = 4

# Columns of a portfolio's tables: key of ``summary.json``, style.
_BY_YEAR = (
    ("excess", "signed_percent"),
    ("excess_gross", "signed_percent"),
    ("excess_replica", "signed_percent"),
    ("excess_total_return", "signed_percent"),
    ("tracking_error", "percent"),
    ("information_ratio", "ratio"),
    ("excess_sharpe", "ratio"),
    ("excess_max_drawdown", "percent"),
    ("calmar", "ratio"),
    ("monthly_win_rate", "share"),
    ("turnover", "share"),
)
_HEADLINE = (
    ("excess", "signed_percent"),
    ("excess_total_return", "signed_percent"),
    ("excess_replica", "signed_percent"),
    ("tracking_error", "percent"),
    ("information_ratio", "ratio"),
    ("excess_max_drawdown", "percent"),
    ("turnover", "share"),
)


def headline_portfolio(content: RunContent) -> Table | None:
    """One row a portfolio; an arm without one has none."""
    shown = _known(_HEADLINE, [p.summary["all"] for p in content.portfolios])
    rows = []
    for p in content.portfolios:
        numbers = (value_cell(p.summary["all"], key, style, printed(content, p, key)) for key, style in shown)
        labels = label_cells(p.arm, words().universe(p.index), p.named)
        rows.append((*labels, *numbers, Cell(p.relaxations.height, "count")))
    columns = ("arm", "index", "constraints", *(key for key, _ in shown), "relaxed")
    note = together([words().text["headline_portfolio_note"], definitions_by_set(content.portfolios)])
    if any(cell.published is not None for row in rows for cell in row) and _of_study_b(content):
        note = together([note, words().text["headline_portfolio_published"]])
    return make("headline_portfolio", words().text["headline_portfolio"], columns, rows, note)


def portfolio_by_year(content: RunContent, p: PortfolioContent, name: str) -> Table | None:
    """Years down, statistics across, the whole span last."""
    spans = [*sorted(p.summary.get("by_year", {}).items()), ("all", p.summary["all"])]
    shown = _known(_BY_YEAR, [entry for _, entry in spans])
    rows = []
    for year, entry in spans:
        label = words().text["all_years"] if year == "all" else year
        numbers = (value_cell(entry, key, style, printed(content, p, key, year)) for key, style in shown)
        rows.append((*label_cells(label), *numbers))
    note = words().text["definition_note"].filled(said=definition_of_portfolio(p))
    return make(f"{name}_by_year", words().text["by_year"], ("year", *(key for key, _ in shown)), rows, note)


def definitions_by_set(portfolios: Sequence[PortfolioContent]) -> Text:
    """By which definition each constraint set's excess is formed; sets of the same one together."""
    sets: dict[str, tuple[Text, list[str]]] = {}
    for p in portfolios:
        said = definition_of_portfolio(p)
        names = sets.setdefault(str(said), (said, []))[1]
        names += [p.named] if p.named not in names else []
    form = words().text["definition_set"]
    return together([form.filled(sets=", ".join(names), said=said) for said, names in sets.values()])


def _known(columns: Sequence[tuple[str, str]], entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """`columns` less the comparison that no entry has: few markets bring a total-return index."""
    optional = "excess_total_return"
    return [c for c in columns if c[0] != optional or any(entry.get(optional) is not None for entry in entries)]


def relaxations(p: PortfolioContent, name: str) -> Table | None:
    """The bounds that gave way, the first of them if there are many."""
    frame = p.relaxations
    if frame.is_empty():
        return None
    rows = [
        (
            *label_cells(row["date"], words().term(row["constraint"]), words().term(row.get("row") or "")),
            value_cell(row, "bound", "loss"),
            value_cell(row, "value", "loss"),
            *label_cells(words().term(row.get("reason") or MISSING)),
        )
        for row in frame.head(RELAXATIONS_SHOWN).iter_rows(named=True)
    ]
    more = words().text["relaxations_more"].filled(shown=len(rows), total=frame.height)
    note = more if frame.height > len(rows) else ""
    columns = ("date", "constraint", "row", "bound", "value", "why_relaxed")
    return make(f"{name}_relaxations", words().text["relaxations"], columns, rows, note)


def rejected(p: PortfolioContent, name: str) -> Table | None:
    """Refused orders by reason, most frequent first."""
    counts = sorted(p.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows = [(*label_cells(words().term(reason)), Cell(count, "count")) for reason, count in counts]
    return make(f"{name}_rejected", words().text["rejected"], ("reason", "orders"), rows)


def _reference(content: RunContent, p: PortfolioContent) -> Reference | None:
    arm = next((arm for arm in content.arms if arm.name == p.arm), None)
    return None if arm is None else reference(arm.published)


def _of_study_b(content: RunContent) -> bool:
    return any(
        ref is not None and ref.study == "study_b" for ref in (_reference(content, p) for p in content.portfolios)
    )


def printed(content: RunContent, p: PortfolioContent, key: str, year: str = "all") -> float | None:
    """The study's number for a portfolio, None where it prints none."""
    ref = _reference(content, p)
    return None if ref is None else ref.enhanced(key, p.index, p.summary.get("preset"), year)


def episodes(p: PortfolioContent, name: str) -> Table | None:
    """The deepest excess drawdowns with the exposures at their start."""
    rows = []
    for entry in p.summary.get("episodes") or ():
        rows.append(
            (
                *label_cells(entry["start"], entry["trough"], entry.get("recovery") or MISSING),
                value_cell(entry, "depth", "percent"),
                value_cell(entry, "days_down", "count"),
                value_cell(entry, "days_up", "count"),
                *label_cells(_exposures(entry.get("exposures_at_start") or {})),
            )
        )
    columns = ("start", "trough", "recovery", "depth", "days_down", "days_up", "exposures")
    return make(f"{name}_episodes", words().text["episodes"], columns, rows, words().text["episodes_note"])


def _exposures(given: Mapping[str, float | None]) -> Text:
    known = [(style, value) for style, value in given.items() if value is not None]
    largest = sorted(known, key=lambda item: -abs(item[1]))[:EXPOSURES_SHOWN]
    parts = [joined(" ", [words().term(style), number(value, "signed")]) for style, value in largest]
    return joined(", ", parts) if parts else Text(MISSING)


def binding(p: PortfolioContent, name: str) -> Table | None:
    """Bounds that held the solution back, most frequent first."""
    given = sorted(p.summary.get("binding") or (), key=lambda entry: -(entry.get("share_of_rebalances") or 0.0))
    rows = [
        (
            *label_cells(words().term(entry["constraint"]), words().term(entry.get("row") or "")),
            value_cell(entry, "share_of_rebalances", "share"),
            value_cell(entry, "mean_shadow_price", "loss"),
        )
        for entry in given[:RELAXATIONS_SHOWN]
    ]
    columns = ("constraint", "row", "share_binding", "shadow_price")
    return make(f"{name}_binding", words().text["binding"], columns, rows, words().text["binding_note"])


_PARTS = ("styles", "industries", "selection", "cost", "cash_and_rounding", "active")


def attribution(p: PortfolioContent, name: str) -> Table | None:
    """Where the active return comes from: years down, parts across, the whole span last."""
    given = p.summary.get("attribution")
    if not given:
        return None
    spans = [*sorted(given.get("by_year", {}).items()), ("all", given["all"])]
    rows = []
    for year, entry in spans:
        label = words().text["all_years"] if year == "all" else year
        rows.append((*label_cells(label), *(Cell(total(entry.get(k)), "signed_percent") for k in _PARTS)))
    columns: list[str | Metric] = ["year", "styles_part", "industries_part", "selection_part", "cost_part", "cash_part"]
    method = words().sentence(str(p.summary.get("attribution_method") or MISSING))
    note = words().text["attribution_note"].filled(method=method)
    return make(f"{name}_attribution_table", words().text["attribution"], [*columns, "active_part"], rows, note)


def total(part: Any) -> float | None:
    """A part that comes by name (styles, industries) as its sum."""
    if not isinstance(part, Mapping):
        return None if part is None else float(part)
    return float(sum(value for value in part.values() if value is not None))
