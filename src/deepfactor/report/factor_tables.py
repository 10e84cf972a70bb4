"""Tables of the factor tests: headline, information coefficient, groups, tops, character."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deepfactor.report.content import ArmContent, Record, RunContent, pick
from deepfactor.report.published import Reference, reference
from deepfactor.report.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.words import Metric, words

HEADLINE_HORIZONS = (10, 20)
"""Trading days; Study B's tables."""


def headline_factor(content: RunContent) -> Table | None:
    """One row an arm over all stocks, and the oracle's where the market is simulated."""
    columns = ["arm", "rank_ic_10", "rank_ic_20", "icir_10", "win_rate_10", "top_excess"]
    rows = [_headline_row(content, arm) for arm in content.arms]
    text = words().text
    note = text["headline_factor_note"].format(universe=words().universe(content.lead), clock=content.main)
    muted = frozenset[int]()
    if content.oracle is not None:
        rows.append(_oracle_row(content, content.oracle))
        columns += ["oracle_correlation", "visible_correlation"]
        note, muted = f"{note} {text['oracle']}: {text['oracle_note']}.", frozenset({len(rows) - 1})
    return make("headline_factor", text["headline_factor"], columns, rows, note, muted)


def _headline_row(content: RunContent, arm: ArmContent) -> tuple[Cell, ...]:
    ref, oracle = reference(arm.published), content.oracle
    ten, twenty = (arm.record(content.lead, h, content.main) for h in HEADLINE_HORIZONS)
    group = arm.group(content.lead)
    cells = (
        *label_cells(arm.name),
        _ic_cell(ten, "mean", "ic", ref),
        _ic_cell(twenty, "mean", "ic", ref),
        _ic_cell(ten, "icir", "ratio", ref),
        _ic_cell(ten, "win_rate", "share", ref),
        _top_cell(group, "annual_excess", "signed_percent", ref),
    )
    if oracle is None:
        return cells
    agreements = (value_cell(oracle.get(key), arm.name, "ic") for key in ("correlation", "visible_correlation"))
    return (*cells, *agreements)


def _oracle_row(content: RunContent, oracle: Mapping[str, Any]) -> tuple[Cell, ...]:
    records = oracle.get("records", ())
    ten, twenty = (
        pick(records, universe=content.lead, horizon=h, convention=content.main, names="all") for h in HEADLINE_HORIZONS
    )
    nothing = Cell(None, "ratio", missing=words().missing["not_run"])
    return (
        *label_cells(words().text["oracle"]),
        _ic_cell(ten, "mean", "ic"),
        _ic_cell(twenty, "mean", "ic"),
        _ic_cell(ten, "icir", "ratio"),
        _ic_cell(ten, "win_rate", "share"),
        *[nothing] * 3,
    )


def _ic_cell(record: Record | None, key: str, style: str, ref: Reference | None = None) -> Cell:
    """A RankIC statistic of a record, the study's beside it."""
    printed = None
    if record is not None and ref is not None:
        printed = ref.rank_ic(key, record["universe"], int(record["horizon"]), record["convention"])
    return value_cell(None if record is None else record["rank_ic"], key, style, printed)


def _top_cell(group: Record | None, key: str, style: str, ref: Reference | None) -> Cell:
    if group is None:
        return value_cell(None, key, style)
    printed = None if ref is None else ref.top_group(key, group["universe"])
    # A universe with too few names a week has groups without a portfolio.
    return value_cell(group["top"] or {key: None}, key, style, printed)


def ic_tables(content: RunContent) -> list[Table]:
    """A table a headline horizon: universe × arm under the main convention."""
    return [t for h in HEADLINE_HORIZONS if h in content.horizons() and (t := _ic_table(content, h)) is not None]


def _ic_table(content: RunContent, horizon: int) -> Table | None:
    columns = ("universe", "arm", "rank_ic", "icir", "win_rate", "t_newey_west", "std", "ic", "n", "sampling")
    rows = []
    for universe in content.universes():
        for arm in content.arms:
            record, ref = arm.record(universe, horizon, content.main), reference(arm.published)
            if record is None:
                continue
            rows.append(
                (
                    *label_cells(words().universe(universe), arm.name),
                    _ic_cell(record, "mean", "ic", ref),
                    _ic_cell(record, "icir", "ratio", ref),
                    _ic_cell(record, "win_rate", "share", ref),
                    _ic_cell(record, "t_newey_west", "ratio"),
                    _ic_cell(record, "std", "ic"),
                    value_cell(record["ic"], "mean", "ic"),
                    _ic_cell(record, "n", "count"),
                    *label_cells(record.get("sampling", ""))[:1],
                )
            )
    return make(f"ic_{horizon}d", words().text["ic_table"].format(h=horizon), columns, rows)


def ic_by_year(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """Mean RankIC a year: universe × arm by year."""
    picked = [
        (arm, universe, record)
        for universe in content.universes()
        for arm in content.arms
        if (record := arm.record(universe, horizon, content.main)) is not None
    ]
    years = _years(record for _, _, record in picked)
    rows = [
        (
            *label_cells(words().universe(universe), arm.name),
            *(_year_cell(record, year, "mean", "ic") for year in years),
            _ic_cell(record, "mean", "ic", reference(arm.published)),
        )
        for arm, universe, record in picked
    ]
    columns: list[str | Metric] = ["universe", "arm", *map(head, years), head(words().text["all_years"])]
    return make("ic_by_year", words().text["ic_by_year"].format(h=horizon), columns, rows) if years else None


def _year_cell(record: Record, year: str, key: str, style: str, published: float | None = None) -> Cell:
    entry = record.get("by_year", {}).get(year)
    if entry is None:
        return Cell(None, style, published, words().missing["no_year"])
    return value_cell(entry.get("rank_ic", entry), key, style, published)


def _years(records: Iterable[Record]) -> list[str]:
    return sorted({str(year) for record in records for year in record.get("by_year", {})})


def clocks(content: RunContent) -> Table | None:
    """Mean RankIC over all stocks: arm × convention × names by horizon."""
    horizons, rows = content.horizons(), []
    for arm in content.arms:
        ref = reference(arm.published)
        for convention in content.conventions():
            for names in ("all", "tradeable"):
                records = [arm.record(content.lead, h, convention, names=names) for h in horizons]
                if any(r is not None for r in records):
                    cells = [_ic_cell(r, "mean", "ic", ref if names == "all" else None) for r in records]
                    rows.append((*label_cells(arm.name, convention, names), *cells))
    columns: list[str | Metric] = ["arm", "convention", "names", *(head(f"{h}d") for h in horizons)]
    return make("clocks", words().text["clocks"], columns, rows, words().text["clocks_note"])


def seeds(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """RankIC of each seed and of their ensemble."""
    rows = []
    for arm in content.arms:
        given = sorted({record["seed"] for record in arm.records if record.get("seed") is not None})
        for seed in [*given, None] if given else ():
            record = arm.record(content.lead, horizon, content.main, seed=seed)
            numbers = (_ic_cell(record, k, s) for k, s in (("mean", "ic"), ("icir", "ratio"), ("win_rate", "share")))
            rows.append((*label_cells(arm.name, words().text["ensemble"] if seed is None else seed), *numbers))
    columns = ("arm", "seed", "rank_ic", "icir", "win_rate")
    return make("seeds", words().text["seeds"], columns, rows, words().text["seeds_note"])


_TOP = (
    ("annual_return", "signed_percent"),
    ("annual_excess", "signed_percent"),
    ("sharpe", "ratio"),
    ("max_drawdown", "percent"),
    ("turnover_one_sided", "share"),
)


def top_group(content: RunContent) -> Table | None:
    """The best group: universe × arm."""
    rows = []
    for universe in content.universes():
        for arm in content.arms:
            group, ref = arm.group(universe), reference(arm.published)
            if group is not None:
                numbers = (_top_cell(group, key, style, ref) for key, style in _TOP)
                labels = label_cells(words().universe(universe), arm.name, words().universe(group["benchmark"]))
                rows.append((*labels, Cell(group["n"], "count"), *numbers))
    columns = ("universe", "arm", "benchmark", "groups", *(key for key, _ in _TOP))
    return make("top_group", words().text["top_group"], columns, rows)


def top_by_year(content: RunContent) -> Table | None:
    """Excess of the best group by year: universe × arm by year."""
    picked = [(u, a, g) for u in content.universes() for a in content.arms if (g := a.group(u)) is not None]
    years = _years(group for _, _, group in picked)
    rows = []
    for universe, arm, group in picked:
        ref = reference(arm.published)
        cells = []
        for year in years:
            printed = None if ref is None else ref.top_group_year("excess", universe, year)
            cells.append(_year_cell(group, year, "excess", "signed_percent", printed))
        last = _top_cell(group, "annual_excess", "signed_percent", ref)
        rows.append((*label_cells(words().universe(universe), arm.name), *cells, last))
    columns: list[str | Metric] = ["universe", "arm", *map(head, years), head(words().text["all_years"])]
    return make("top_by_year", words().text["top_by_year"], columns, rows) if years else None


_TOP_N = (("gross", "signed_percent"), ("net", "signed_percent"), ("turnover_two_sided", "turnover"))


def top_n(content: RunContent) -> Table | None:
    """Top 10 % and top 100, gross and net."""
    rows = []
    for arm in content.arms:
        ref = reference(arm.published)
        for entry in arm.factor_report.get("top_n", ()):
            every = int(entry["every"])
            key = (entry["name"], every, entry["convention"])
            cells = (
                value_cell(entry, name, style, None if ref is None else ref.top_n(name, *key)) for name, style in _TOP_N
            )
            rows.append((*label_cells(arm.name, entry["name"], entry["convention"]), Cell(every, "count"), *cells))
    columns = ("arm", "portfolio", "convention", "every", "gross", "net", "turnover_two_sided")
    return make("top_n", words().text["top_n"], columns, rows, words().text["top_n_note"])


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


def style_correlation(content: RunContent) -> Table | None:
    """Arm × style factor: mean over days, and the last day's."""
    found = [(arm, dict(arm.factor_report.get("style_correlation") or {})) for arm in content.arms]
    styles = list(dict.fromkeys(style for _, given in found for style in given))
    rows = []
    for arm, given in found if styles else ():
        ref, cells = reference(arm.published), list(label_cells(arm.name))
        for style in styles:
            printed = None if ref is None else ref.style_correlation(style.lower())
            cells.append(value_cell(given.get(style), "mean", "ratio", printed))
            cells.append(value_cell(given.get(style), "last", "ratio"))
        rows.append(tuple(cells))
    last = words().text["last_day"]
    heads = [head(key, label) for s in styles for key, label in ((s, s), (f"{s}_last", f"{s}, {last}"))]
    title, note = words().text["style_correlation"], words().text["style_note"]
    return make("style_correlation", title, ["arm", *heads], rows, note)


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
