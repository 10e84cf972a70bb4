"""Tables of the run itself and of its portfolios: what was left out, training jobs, stages, enhanced portfolios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.published import Reference, reference
from deepfactor.report.tables import Cell, Table, label_cells, make, value_cell
from deepfactor.report.words import words

RELAXATIONS_SHOWN = 40

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
        ref = _reference(content, p)
        numbers = (value_cell(p.summary["all"], key, style, _printed(ref, p, key)) for key, style in shown)
        labels = label_cells(p.arm, words().universe(p.index), p.constraints)
        rows.append((*labels, *numbers, Cell(p.relaxations.height, "count")))
    columns = ("arm", "index", "constraints", *(key for key, _ in shown), "relaxed")
    note = words().text["headline_portfolio_note"]
    if any(cell.published is not None for row in rows for cell in row) and _of_study_b(content):
        note = f"{note} {words().text['headline_portfolio_published']}"
    return make("headline_portfolio", words().text["headline_portfolio"], columns, rows, note)


def portfolio_by_year(content: RunContent, p: PortfolioContent, name: str) -> Table | None:
    """Years down, statistics across, the whole span last."""
    ref = _reference(content, p)
    spans = [*sorted(p.summary.get("by_year", {}).items()), ("all", p.summary["all"])]
    shown = _known(_BY_YEAR, [entry for _, entry in spans])
    rows = []
    for year, entry in spans:
        label = words().text["all_years"] if year == "all" else year
        numbers = (value_cell(entry, key, style, _printed(ref, p, key, year)) for key, style in shown)
        rows.append((*label_cells(label), *numbers))
    return make(f"{name}_by_year", words().text["by_year"], ("year", *(key for key, _ in shown)), rows)


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
            *label_cells(row["date"], row["constraint"], row.get("row", "")),
            value_cell(row, "bound", "loss"),
            value_cell(row, "value", "loss"),
        )
        for row in frame.head(RELAXATIONS_SHOWN).iter_rows(named=True)
    ]
    more = words().text["relaxations_more"].format(shown=len(rows), total=frame.height)
    note = more if frame.height > len(rows) else ""
    columns = ("date", "constraint", "row", "bound", "value")
    return make(f"{name}_relaxations", words().text["relaxations"], columns, rows, note)


def rejected(p: PortfolioContent, name: str) -> Table | None:
    """Refused orders by reason, most frequent first."""
    counts = sorted(p.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows = [(*label_cells(reason), Cell(count, "count")) for reason, count in counts]
    return make(f"{name}_rejected", words().text["rejected"], ("reason", "orders"), rows)


def _reference(content: RunContent, p: PortfolioContent) -> Reference | None:
    arm = next((arm for arm in content.arms if arm.name == p.arm), None)
    return None if arm is None else reference(arm.published)


def _of_study_b(content: RunContent) -> bool:
    return any(
        ref is not None and ref.study == "study_b" for ref in (_reference(content, p) for p in content.portfolios)
    )


def _printed(ref: Reference | None, p: PortfolioContent, key: str, year: str = "all") -> float | None:
    return None if ref is None else ref.enhanced(key, p.index, p.constraints, year)


def left_out(content: RunContent) -> Table | None:
    """What the numbers of the first page leave out: counts of the whole test and of the lead universe's main test."""
    main = f"{content.lead}.{content.main}.10.all"
    chosen = (f"groups.{content.lead}.", f".{main}", f".{content.main}.10")
    return _left_out(content, "left_out", lambda r: "." not in r or r.startswith(chosen[0]) or r.endswith(chosen[1:]))


def left_out_rest(content: RunContent) -> Table | None:
    """Every count of what was left out."""
    return _left_out(content, "left_out_all", lambda _: True)


def _left_out(content: RunContent, name: str, wanted: Callable[[str], bool]) -> Table | None:
    rows = [
        (*label_cells(arm.name, reason.replace("_", " ").replace(".", " · ")), Cell(count, "count"))
        for arm in content.arms
        for reason, count in (arm.factor_report.get("dropped") or {}).items()
        if wanted(reason)
    ]
    return make(name, words().text[name], ("arm", "what", "count"), rows, words().text["left_out_note"])


def market_left_out(content: RunContent) -> Table | None:
    """Rows of the source that the market doesn't hold, by reason."""
    dropped = content.environment["market"].get("dropped") or {}
    rows = [(*label_cells(reason.replace("_", " ")), Cell(count, "count")) for reason, count in dropped.items()]
    text = words().text
    return make("left_out_market", text["left_out_market"], ("what", "count"), rows, text["left_out_market_note"])


def training_left_out(content: RunContent) -> Table | None:
    """What the samples of each fold leave out; the seeds of a fold share its samples."""
    rows, seen = [], set()
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            if (arm.name, job["fold"]) in seen:
                continue
            seen.add((arm.name, job["fold"]))
            for what, count in counts(job.get("left_out", {})):
                rows.append((*label_cells(arm.name, job["fold"], what), Cell(count, "count")))
    return make("left_out_training", words().text["left_out_training"], ("arm", "fold", "what", "count"), rows)


def counts(entries: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, int]]:
    """Counts of a nested mapping that are not zero, with their path joined by a middle dot."""
    for key, value in entries.items():
        path = f"{above} · {key}".removeprefix(" · ").replace("_", " ")
        if isinstance(value, Mapping):
            yield from counts(value, path)
        elif value:
            yield path, value


def training_jobs(content: RunContent) -> Table | None:
    """One row a job (arm, fold, seed)."""
    rows = []
    for arm in content.arms:
        for job in arm.training.get("jobs", ()):
            epochs = job.get("epochs", ())
            best = next((e for e in epochs if e["epoch"] == job.get("best_epoch")), None)
            rows.append(
                (
                    *label_cells(arm.name, job.get("fold", ""), job.get("seed", "")),
                    Cell(len(epochs), "count"),
                    value_cell(job, "best_epoch", "count"),
                    value_cell(best, "valid_rank_ic", "ic"),
                    value_cell(job, "seconds", "seconds"),
                )
            )
    columns = ("arm", "fold", "seed", "epochs", "best_epoch", "best_valid", "seconds")
    return make("training_jobs", words().text["jobs"], columns, rows)


def stages(content: RunContent) -> Table | None:
    """Wall and CPU time and memory by stage."""
    rows = [
        (
            *label_cells(row["stage"]),
            value_cell(row, "wall_s", "seconds"),
            value_cell(row, "cpu_s", "seconds"),
            value_cell(row, "peak_mib", "count"),
        )
        for row in content.environment.get("stages", ())
    ]
    return make("stages", words().text["stages"], ("stage", "wall_s", "cpu_s", "peak_mib"), rows)
