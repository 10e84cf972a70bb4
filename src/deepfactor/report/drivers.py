"""What drives the differences from the published study: protocol, years, seeds, size, styles, portfolios.

A part of the page for runs with an arm whose numbers a study prints. It adds nothing to the run's results but
differences and ratios of numbers that stand elsewhere on the page, and sentences that say what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.drivers_read import (
    compared,
    gap,
    headline_record,
    part_a_year,
    relaxed_share,
    residual,
    same_years,
    seeds_of,
    share_of_all,
    spans_of,
    standard_error,
    strongest_styles,
    study_name,
    study_of,
    year_range,
    years_error,
)
from deepfactor.report.drivers_words import sentences
from deepfactor.report.factor_tables import HEADLINE_HORIZONS, ic_cell, year_cell, years_of
from deepfactor.report.formats import MISSING
from deepfactor.report.group_tables import against
from deepfactor.report.portfolio_tables import definitions_by_set, printed
from deepfactor.report.tables import Cell, Table, head, label_cells, make, value_cell
from deepfactor.report.weights_words import weights_said
from deepfactor.report.words import Metric, Text, joined, together, words

#: Of a figure computed from the study's printed numbers, which have four at most.
_DIGITS = 6


@dataclass(frozen=True)
class Drivers:
    """What the part shows: sentences first, then the tables that they rest on."""

    sentences: tuple[Text, ...]
    tables: tuple[Table, ...]


def drivers(content: RunContent) -> Drivers | None:
    """The part, None where no study prints numbers for any arm. A simulated market's years and sizes are nobody's, so
    there only what was done and what the numbers are made of is shown."""
    if not any(arm.published for arm in content.arms):
        return None
    made = [protocol, styles, portfolios] if content.simulated else _ON_REAL_DATA
    tables = tuple(table for make_one in made if (table := make_one(content)) is not None)
    said = [words().text["drivers_simulated"]] if content.simulated else sentences(content)
    return Drivers(tuple(said), tables)


def protocol(content: RunContent) -> Table | None:
    """What was done here, and what the study says that it did."""
    text, plan, fit = words().text, content.recipe.get("plan"), content.recipe.get("fit")
    if not plan or not fit:
        return None
    study = study_of(content)
    stated, index = study.get("protocol", {}), study.get("protocol", {}).get("index_of_all")
    window = text["drivers_window_form"].filled(train=plan["train_years"], valid=plan["valid_years"])
    given: list[tuple[str, Any, Any]] = [
        ("test_span", _spans(spans_of(content)), _spans([tuple(study["span"])])),
        ("drivers_retrained", plan["test_years"], stated.get("retrained_every_years")),
        ("drivers_window", window, None),
        ("drivers_seeds", _seeds(content), _list(stated.get("seeds"))),
        ("drivers_every", plan["every"], None),
        ("drivers_epochs", fit["epochs"], None),
        ("drivers_patience", fit["patience"], stated.get("patience")),
        ("drivers_lr", fit["lr"], stated.get("lr")),
        ("drivers_benchmark", _benchmarks(content), None if index is None else words().universe(index)),
        ("drivers_weights", _weights(content), None),
        ("cap", words().term(content.environment["market"].get("cap", MISSING)), None),
    ]
    rows = [
        label_cells(
            text[key], MISSING if ours is None else ours, text["drivers_not_stated"] if theirs is None else theirs
        )
        for key, ours, theirs in given
    ]
    columns = ("what", head("ours", text["drivers_ours"]), head("study", study_name(content)))
    return make("drivers_protocol", text["drivers_protocol"], columns, rows)


def _spans(spans: Sequence[Sequence[Any]]) -> Text | None:
    form = words().text["span_form"]
    return joined(" · ", [form.filled(first=span[0], last=span[-1]) for span in spans]) if spans else None


def _list(values: Sequence[Any] | None) -> str | None:
    return None if values is None else ", ".join(map(str, values))


def _seeds(content: RunContent) -> str:
    """Seeds of the compared arms, arms of the same seeds together."""
    groups: dict[str, list[str]] = {}
    for arm, _ in compared(content):
        groups.setdefault(_list(arm.model_card.get("seeds")) or MISSING, []).append(arm.name)
    return "; ".join(f"{seeds} ({', '.join(names)})" for seeds, names in groups.items())


def _benchmarks(content: RunContent) -> Text | None:
    groups = [group for arm, _ in compared(content) if (group := arm.group("all")) is not None]
    found = dict.fromkeys(benchmark for group in groups for benchmark, _ in against(group))
    return joined(", ", [words().universe(code) for code in found]) if found else None


def _weights(content: RunContent) -> Text | None:
    found = dict.fromkeys(said for p in content.portfolios if (said := weights_said(p.summary)) is not None)
    return joined(", ", found) if found else None


def gaps(content: RunContent) -> Table | None:
    """Arm × horizon: RankIC beside the published one, and how far error, years, seeds and untradeable names reach."""
    rows = []
    for arm, ref in compared(content):
        for horizon in HEADLINE_HORIZONS:
            record = arm.record(content.lead, horizon, content.main)
            published = ref.rank_ic("mean", content.lead, horizon, content.main)
            if record is None or published is None:
                continue
            free = arm.record(content.lead, horizon, content.main, names="tradeable")
            cells = (
                Cell(horizon, "count"),
                ic_cell(record, "mean", "ic", ref),
                Cell(gap(record, published), "signed_ic"),
                Cell(standard_error(record), "ic"),
                Cell(years_error(content, arm, record), "ic"),
                *(Cell(value, "ic") for value in year_range(record)),
                Cell(seeds_of(arm, record).get("std"), "ic", missing=words().text["drivers_said_one_seed"]),
                ic_cell(free, "mean", "ic"),
            )
            rows.append((*label_cells(arm.name), *cells))
    columns = ("arm", "horizon", "rank_ic", "gap", "standard_error", "years_error", "lowest_year", "highest_year",
               "seed_std", "tradeable_rank_ic")  # fmt: skip
    return make("drivers_gap", words().text["drivers_gap"], columns, rows, words().text["drivers_gap_note"])


def years(content: RunContent) -> Table | None:
    """RankIC of each of our years beside the study's over its whole span: no study prints RankIC by year."""
    horizon, text = HEADLINE_HORIZONS[0], words().text
    picked = [(a, ref, record) for a, ref in compared(content) if (record := headline_record(content, a)) is not None]
    found = years_of(record for _, _, record in picked)
    rows = []
    for arm, ref, record in picked:
        cells = (year_cell(record, year, "mean", "ic") for year in found)
        rows.append((*label_cells(arm.name), *cells, ic_cell(record, "mean", "ic", ref)))
    columns: list[str | Metric] = ["arm", *map(head, found), head(text["all_years"])]
    title = text["drivers_years"].filled(h=horizon)
    return make("drivers_years", title, columns, rows, text["drivers_years_note"]) if found else None


def sizes(content: RunContent) -> Table | None:
    """Universe × arm: RankIC beside the study's, and as a share of that over all stocks."""
    horizon, rows = HEADLINE_HORIZONS[0], []
    for universe in content.universes():
        for arm, ref in compared(content):
            record = headline_record(content, arm, universe)
            published, shares = (
                ref.rank_ic("mean", universe, horizon, content.main),
                share_of_all(content, arm, ref, universe),
            )
            if record is None or published is None or shares is None:
                continue
            cells = (
                ic_cell(record, "mean", "ic", ref),
                Cell(gap(record, published), "signed_ic"),
                Cell(years_error(content, arm, record), "ic"),
                Cell(shares[0], "share", round(shares[1], _DIGITS)),
            )
            rows.append((*label_cells(words().universe(universe), arm.name), *cells))
    columns = ("universe", "arm", "rank_ic", "gap", "years_error", "share_of_all")
    text = words().text
    return make("drivers_size", text["drivers_size"].filled(h=horizon), columns, rows, text["drivers_size_note"])


def top_years(content: RunContent) -> Table | None:
    """Universe × arm: the top group's excess over the years that both have, and over all of the study's."""
    rows = []
    for universe in content.universes():
        for arm, ref in compared(content):
            if (found := same_years(arm, ref, universe)) is None:
                continue
            cells = (
                Cell(len(found.years), "count"),
                Cell(found.ours, "signed_percent", round(found.theirs, _DIGITS)),
                Cell(found.ours - found.theirs, "signed_percent"),
                Cell(found.theirs_all, "signed_percent"),
                Cell(found.theirs - found.theirs_all, "signed_percent"),
            )
            rows.append((*label_cells(words().universe(universe), arm.name), *cells))
    columns = ("universe", "arm", "common_years", "common_excess", "common_gap", "study_all_years", "years_part")
    text = words().text
    return make("drivers_same_years", text["drivers_same_years"], columns, rows, text["drivers_same_years_note"])


def styles(content: RunContent) -> Table | None:
    """Every arm: what each style set leaves of its RankIC, and the styles that its score leans on most."""
    text, rows = words().text, []
    sets = list(dict.fromkeys(e["set"] for arm in content.arms for e in arm.factor_report.get("residual_ic") or ()))
    for arm in content.arms if sets else ():
        found = (residual(content, arm, name) for name in sets)
        left = (value_cell(None if entry is None else entry["rank_ic"], "mean", "ic") for entry in found)
        raw = ic_cell(headline_record(content, arm), "mean", "ic")
        rows.append((*label_cells(arm.name), raw, *left, *label_cells(strongest_styles(content, arm))))
    heads = [head(name, text["drivers_after"].filled(set=words().term(name))) for name in sets]
    title = text["drivers_styles"].filled(h=HEADLINE_HORIZONS[0])
    columns: list[str | Metric] = ["arm", "rank_ic", *heads, "strongest_styles"]
    return make("drivers_styles", title, columns, rows, text["drivers_styles_note"])


_PARTS = ("styles", "industries", "selection", "cost", "cash_and_rounding")


def portfolios(content: RunContent) -> Table | None:
    """Arm × index: the excess, what of it is over the replica, where that comes from, how often bounds gave way."""
    rows = []
    for p in content.portfolios:
        whole = p.summary["all"]
        cells = (
            value_cell(whole, "excess", "signed_percent", printed(content, p, "excess")),
            value_cell(whole, "excess_replica", "signed_percent"),
            *(Cell(part_a_year(p, key), "signed_percent") for key in _PARTS),
            value_cell(whole, "tracking_error", "percent", printed(content, p, "tracking_error")),
            value_cell(whole, "turnover", "share", printed(content, p, "turnover")),
            Cell(relaxed_share(p), "share"),
        )
        rows.append((*label_cells(p.arm, words().universe(p.index)), *cells))
    columns = ("arm", "index", "excess", "excess_replica", "styles_part", "industries_part", "selection_part",
               "cost_part", "cash_part", "tracking_error", "turnover", "relaxed_share")  # fmt: skip
    text = words().text
    note = together([text["drivers_portfolios_note"], definitions_by_set(content.portfolios)])
    return make("drivers_portfolios", text["drivers_portfolios"], columns, rows, note)


_ON_REAL_DATA = (protocol, gaps, years, top_years, sizes, styles, portfolios)
