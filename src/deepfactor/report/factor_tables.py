"""Tables of the factor tests: headline and information coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deepfactor.report.content import ArmContent, Record, RunContent, pick
from deepfactor.report.published import Reference, reference
from deepfactor.report.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.words import Metric, joined, together, words

HEADLINE_HORIZONS = (10, 20)
"""Trading days; Study B's tables."""


def headline_factor(content: RunContent) -> Table | None:
    """One row an arm over all stocks, and the oracle's where the market is simulated."""
    columns = ["arm", "rank_ic_10", "rank_ic_20", "icir_10", "win_rate_10", "top_excess"]
    text, groups = words().text, [g for arm in content.arms if (g := arm.group(content.lead)) is not None]
    by_cap = any(group.get("also") for group in groups)
    columns += ["top_excess_cap"] if by_cap else []
    rows = [_headline_row(content, arm, by_cap=by_cap) for arm in content.arms]
    against = dict.fromkeys(words().universe(group["benchmark"]) for group in groups)
    note = text["headline_factor_note"].filled(universe=words().universe(content.lead), clock=content.main)
    if against:
        note = together([note, text["headline_excess_note"].filled(benchmark=joined(", ", against))])
    muted = frozenset[int]()
    if content.oracle is not None:
        rows.append(_oracle_row(content, content.oracle, 4 if by_cap else 3))
        columns += ["oracle_correlation", "visible_correlation"]
        oracle = text["oracle_row_note"].filled(name=text["oracle"], note=text["oracle_note"])
        note, muted = together([note, oracle]), frozenset({len(rows) - 1})
    return make("headline_factor", text["headline_factor"], columns, rows, note, muted)


def _headline_row(content: RunContent, arm: ArmContent, *, by_cap: bool) -> tuple[Cell, ...]:
    """An arm's numbers; the excess as the study's chart 13 has it, printed beside what is weighted like an index."""
    ref, oracle = reference(arm.published), content.oracle
    ten, twenty = (arm.record(content.lead, h, content.main) for h in HEADLINE_HORIZONS)
    group, excess = arm.group(content.lead), "annual_excess_difference"
    weighted = group is not None and group["benchmark"] != "equal_weight"
    cells: tuple[Cell, ...] = (
        *label_cells(arm.name),
        ic_cell(ten, "mean", "ic", ref),
        ic_cell(twenty, "mean", "ic", ref),
        ic_cell(ten, "icir", "ratio", ref),
        ic_cell(ten, "win_rate", "share", ref),
        top_cell(group, excess, "signed_percent", ref if weighted else None),
    )
    if by_cap:
        also = None if group is None else {**group, "top": group["also"].get("cap_weight")}
        cells = (*cells, top_cell(also, excess, "signed_percent", ref))
    if oracle is None:
        return cells
    agreements = (value_cell(oracle.get(key), arm.name, "ic") for key in ("correlation", "visible_correlation"))
    return (*cells, *agreements)


def _oracle_row(content: RunContent, oracle: Mapping[str, Any], without: int) -> tuple[Cell, ...]:
    records = oracle.get("records", ())
    ten, twenty = (
        pick(records, universe=content.lead, horizon=h, convention=content.main, names="all") for h in HEADLINE_HORIZONS
    )
    nothing = Cell(None, "ratio", missing=words().missing["not_run"])
    return (
        *label_cells(words().text["oracle"]),
        ic_cell(ten, "mean", "ic"),
        ic_cell(twenty, "mean", "ic"),
        ic_cell(ten, "icir", "ratio"),
        ic_cell(ten, "win_rate", "share"),
        *[nothing] * without,
    )


def ic_cell(record: Record | None, key: str, style: str, ref: Reference | None = None) -> Cell:
    """A RankIC statistic of a record, the study's beside it."""
    printed = None
    if record is not None and ref is not None:
        printed = ref.rank_ic(key, record["universe"], int(record["horizon"]), record["convention"])
    return value_cell(None if record is None else record["rank_ic"], key, style, printed)


def top_cell(group: Record | None, key: str, style: str, ref: Reference | None) -> Cell:
    if group is None:
        return value_cell(None, key, style)
    printed = None if ref is None else ref.top_group(key, group["universe"])
    if group["top"] is None:
        return Cell(None, style, printed, why_none(group))
    return value_cell(group["top"], key, style, printed)


def why_none(record: Record) -> str:
    """Why a record has no groups or no portfolio."""
    return words().missing[record.get("reason") or "undefined"]


def style_sets(arm: ArmContent) -> dict[str, Mapping[str, Any]]:
    """Correlations with styles by the set's name; the recipe's own set, where it stands alone, has the name ""."""
    given = arm.factor_report.get("style_correlations")
    alone = arm.factor_report.get("style_correlation")
    return dict(given) if given else ({"": alone} if alone else {})


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
                    ic_cell(record, "mean", "ic", ref),
                    ic_cell(record, "icir", "ratio", ref),
                    ic_cell(record, "win_rate", "share", ref),
                    ic_cell(record, "t_newey_west", "ratio"),
                    ic_cell(record, "std", "ic"),
                    value_cell(record["ic"], "mean", "ic"),
                    ic_cell(record, "n", "count"),
                    *label_cells(words().term(record.get("sampling", ""))),
                )
            )
    return make(f"ic_{horizon}d", words().text["ic_table"].filled(h=horizon), columns, rows)


def ic_by_year(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """Mean RankIC a year: universe × arm by year."""
    picked = [
        (arm, universe, record)
        for universe in content.universes()
        for arm in content.arms
        if (record := arm.record(universe, horizon, content.main)) is not None
    ]
    years = years_of(record for _, _, record in picked)
    rows = [
        (
            *label_cells(words().universe(universe), arm.name),
            *(year_cell(record, year, "mean", "ic") for year in years),
            ic_cell(record, "mean", "ic", reference(arm.published)),
        )
        for arm, universe, record in picked
    ]
    columns: list[str | Metric] = ["universe", "arm", *map(head, years), head(words().text["all_years"])]
    return make("ic_by_year", words().text["ic_by_year"].filled(h=horizon), columns, rows) if years else None


def year_cell(record: Record, year: str, key: str, style: str, published: float | None = None) -> Cell:
    entry = record.get("by_year", {}).get(year)
    if entry is None:
        return Cell(None, style, published, words().missing["no_year"])
    return value_cell(entry.get("rank_ic", entry), key, style, published)


def years_of(records: Iterable[Record]) -> list[str]:
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
                    cells = [ic_cell(r, "mean", "ic", ref if names == "all" else None) for r in records]
                    rows.append((*label_cells(arm.name, convention, words().term(names)), *cells))
    columns: list[str | Metric] = ["arm", "convention", "names", *(head(f"{h}d") for h in horizons)]
    return make("clocks", words().text["clocks"], columns, rows, words().text["clocks_note"])


def seeds(content: RunContent, horizon: int = HEADLINE_HORIZONS[0]) -> Table | None:
    """RankIC of each seed and of their ensemble."""
    rows = []
    for arm in content.arms:
        given = sorted({record["seed"] for record in arm.records if record.get("seed") is not None})
        for seed in [*given, None] if given else ():
            record = arm.record(content.lead, horizon, content.main, seed=seed)
            numbers = (ic_cell(record, k, s) for k, s in (("mean", "ic"), ("icir", "ratio"), ("win_rate", "share")))
            rows.append((*label_cells(arm.name, words().text["ensemble"] if seed is None else seed), *numbers))
    columns = ("arm", "seed", "rank_ic", "icir", "win_rate")
    return make("seeds", words().text["seeds"], columns, rows, words().text["seeds_note"])


def decay(content: RunContent) -> Table | None:
    """RankIC at chosen horizons of 1 to 20 days: arm × names by horizon."""
    rows, horizons = [], (1, 2, 3, 5, 10, 15, 20)
    for arm in content.arms:
        for names in ("all", "tradeable"):
            wanted = {"universe": content.lead, "convention": content.main, "names": names}
            found = {r["horizon"]: r for r in arm.factor_report.get("decay") or () if wanted.items() <= r.items()}
            if found:
                cells = (value_cell(found.get(h), "rank_ic", "ic") for h in horizons)
                rows.append((*label_cells(arm.name, words().term(names)), *cells))
    columns: list[str | Metric] = ["arm", "names", *(head(f"{h}d") for h in horizons)]
    return make("decay_table", words().text["decay"], columns, rows, words().text["decay_note"])


def long_leg(content: RunContent) -> Table | None:
    """Excess of the long and the short leg, and the long leg's share: arm × universe × horizon."""
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("long_leg") or ():
            if entry["convention"] != content.main:
                continue
            numbers = (
                value_cell(entry, "long_excess", "signed_percent"),
                value_cell(entry, "short_excess", "signed_percent"),
                value_cell(entry, "long_share", "share"),
            )
            labels = label_cells(arm.name, words().universe(entry["universe"]))
            rows.append((*labels, Cell(entry["horizon"], "count"), *numbers))
    columns = ("arm", "universe", "horizon", "long_excess", "short_excess", "long_share")
    return make("long_leg", words().text["long_leg"], columns, rows, words().text["long_leg_note"])


def residual_ic(content: RunContent) -> Table | None:
    """RankIC after a regression on styles and industries, main clock: arm × style set × universe × horizon."""
    styles = (("mean", "ic"), ("icir", "ratio"), ("win_rate", "share"), ("t_newey_west", "ratio"), ("n", "count"))
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("residual_ic") or ():
            if entry["convention"] != content.main:
                continue
            labels = label_cells(arm.name, words().term(entry["set"]), words().universe(entry["universe"]))
            # A run of before regressed fewer names than its RankIC is over: no raw one stands beside it.
            beside = (
                value_cell(entry, "names", "count"),
                value_cell(entry, "filled", "share"),
                value_cell(entry.get("raw_rank_ic"), "mean", "ic"),
            )
            numbers = (value_cell(entry["rank_ic"], key, style) for key, style in styles)
            rows.append((*labels, Cell(entry["horizon"], "count"), *beside, *numbers))
    columns = ("arm", "style_set", "universe", "horizon", "names_a_day", "filled", "same_names_rank_ic",
               "residual_rank_ic", "icir", "win_rate", "t_newey_west", "n")  # fmt: skip
    return make("residual_ic", words().text["residual_ic"], columns, rows, words().text["residual_note"])


def seed_spread(content: RunContent) -> Table | None:
    """How far the seeds' mean RankIC lie apart: arm × universe × horizon, daily, all names."""
    rows = []
    for arm in content.arms:
        for entry in arm.factor_report.get("seed_spread") or ():
            if (entry["convention"], entry["sampling"], entry["names"]) != (content.main, "daily", "all"):
                continue
            labels = label_cells(arm.name, words().universe(entry["universe"]))
            numbers = (value_cell(entry, key, "ic") for key in ("mean", "std", "min", "max"))
            seeds = value_cell(entry, "n_seeds", "count")
            rows.append((*labels, Cell(entry["horizon"], "count"), *numbers, seeds))
    columns = ("arm", "universe", "horizon", "rank_ic", "seed_std", "lowest", "highest", "n_seeds")
    return make("seed_spread", words().text["seed_spread"], columns, rows)
