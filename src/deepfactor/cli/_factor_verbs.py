"""Verbs of any factor: test, enhance, combine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError

from deepfactor.cli._endings import finish
from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    CONSTRAINTS,
    WHAT_IF,
    AddressOption,
    ArmOption,
    ColumnsOption,
    DateFormat,
    EngineChoice,
    EngineOption,
    FactorWorkers,
    Json,
    Language,
    LanguageOption,
    MarketOption,
    OpenHoldout,
    Partial,
    app,
    day_option,
    head,
    listed,
    number,
    opening,
    show,
    terminal,
)
from deepfactor.core.kind import recipe_error

if TYPE_CHECKING:
    from deepfactor.evaluation.records import FactorFile
    from deepfactor.pipeline.console import Console
    from deepfactor.runs.factors import Reading, RowAccount
    from deepfactor.training.engines.base import Engine

_FACTOR = "a file with dates, codes and scores, in any usual layout (parquet, feather, CSV); or a run's folder"


@app.command(cls=Verb)
def test(
    factor: Annotated[Path, typer.Argument(help=_FACTOR)],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder for the results")],
    universe: Annotated[
        str | None,
        typer.Option(
            help="all, every, indices (csi300, 000300.SH), by commas; without: all, and CSI 300, 500, 1000 if known"
        ),
    ] = None,
    horizon: Annotated[str | None, typer.Option(help="trading days, comma separated; without: 5,10,15,20")] = None,
    preset: Annotated[str | None, typer.Option(help="study_a or study_b: that study's own tables")] = None,
    offsets: Annotated[bool, typer.Option("--offsets", help="top portfolios from every start, averaged")] = False,
    start: Annotated[date | None, day_option("first day tested")] = None,
    end: Annotated[date | None, day_option("last day tested")] = None,
    workers: FactorWorkers = None,
    engine: EngineOption = EngineChoice.LOCAL,
    address: AddressOption = None,
    arm: ArmOption = None,
    columns: ColumnsOption = "",
    date_format: DateFormat = None,
    partial: Partial = False,
    open_holdout: OpenHoldout = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Test any factor file: IC in three conventions, decay, styles, groups, top portfolios; of several factors each."""
    from deepfactor.evaluation.factor_test import TestSettings
    from deepfactor.pipeline import factor as factors
    from deepfactor.pipeline.markets import open_market

    try:
        asked = {
            "preset": preset,
            "universes": None if universe is None else listed(universe),
            "horizons": None if horizon is None else listed(horizon),
            "top_offsets": offsets or None,
            "start": start,
            "end": end,
        }
        settings = TestSettings.model_validate({key: value for key, value in asked.items() if value is not None})
    except ValidationError as error:
        raise recipe_error(error, "test") from None
    console = terminal()
    where = _engine(engine, workers, address, console)
    opened = open_market(market, console, opening=opening(open_holdout))
    if universe is None:
        settings = factors.with_known_universes(settings, opened)
    reading = _reading(columns, date_format, partial)
    names = [name for name in factors.factor_names(factor, opened, arm, reading) if name is not None]
    if names:
        from deepfactor.pipeline.factor_columns import test_columns

        tested = test_columns(factor, names, opened, out, settings, reading, console, language, where)
        each = {name: (one.report.to_json_dict(), one.rows) for name, one in tested.items()}
        shown = {name: {**report, "rows": rows.to_json_dict()} for name, (report, rows) in each.items()}
        finish(out, {"factors": shown}, as_json, *_columns_lines(each, language))
        return
    read = factors.open_factor(factor, opened, arm, reading)
    report = factors.test(read, opened, out, settings, console, language).to_json_dict()
    content = {**report, "rows": read.rows.to_json_dict()}
    finish(out, content, as_json, *_rows_lines(read.rows, language), *_ic_lines(report), *_tie_lines(report))


def _engine(name: EngineChoice, workers: int | None, address: str | None, console: Console) -> Engine:
    """The engine that a verb of factors means; of this machine two processes where nothing is said."""
    from deepfactor.pipeline.engines import engine_of

    if workers is None and name is EngineChoice.LOCAL:
        workers = min(2, os.cpu_count() or 1)
    return engine_of(name.value, workers, address, console)


def _reading(columns: str, date_format: str | None, partial: bool) -> Reading:
    from deepfactor.runs.factors import Reading

    return Reading.of(columns, date_format, partial=partial)


def _rows_lines(rows: RowAccount, language: Language) -> list[str]:
    """What was understood of a file, in the language that is asked for."""
    if language == Language.EN:
        return [str(line) for line in rows.lines()]
    from deepfactor.report.press.words import words

    return [line.zh for line in rows.lines(words().term)]


def _columns_lines(tested: Mapping[str, tuple[FactorFile, RowAccount]], language: Language) -> list[str]:
    """What was understood, once for what all factors of a file share; then one table of all."""
    said: dict[str, list[str]] = {}
    for name, (_, rows) in tested.items():
        for line in _rows_lines(rows, language):
            said.setdefault(line, []).append(name)
    lines = [line if len(names) == len(tested) else f"{', '.join(names)}: {line}" for line, names in said.items()]
    width = max((len(name) for name in tested), default=0) + 2
    tables = [(name, _ic_lines(report)) for name, (report, _) in tested.items()]
    lines += [head(("factor", -width)) + table[0] for _, table in tables[:1]]
    lines += [f"{name:<{width}}{row}" for name, table in tables for row in table[1:]]
    return lines + [f"{name}: {line}" for name, (report, _) in tested.items() for line in _tie_lines(report)]


def _ic_lines(report: FactorFile) -> list[str]:
    """RankIC at each universe and horizon: all names, daily and t1_close where they were tested."""
    records = [record for record in report["records"] if record["names"] == "all"]
    preferred: Mapping[Literal["sampling", "convention"], str] = {"sampling": "daily", "convention": "t1_close"}
    for key, best in preferred.items():
        tested = {record[key] for record in records}
        shown = best if best in tested else sorted(tested)[-1]
        records = [record for record in records if record[key] == shown]
    lines = [head(("universe", -12), ("days", 5), ("RankIC", 9), ("ICIR", 7), ("t", 7), ("win", 6))]
    for record in records:
        ic = record["rank_ic"]
        mean, icir = number(ic["mean"], ".4f"), number(ic["icir"], ".2f")
        t, win = number(ic["t_newey_west"], ".1f"), number(ic["win_rate"], ".0%")
        lines.append(f"{record['universe']:<12}{record['horizon']:>5}{mean:>9}{icir:>7}{t:>7}{win:>6}")
    return lines


#: Why there are no groups or top portfolios, as `reason` of a report says it.
_WHY = {
    "equal_scores": "all scores of a day are equal",
    "too_few_names": "too few names with a score",
    "no_trade_in_span": "no day to trade in the span",
}
#: Share of edges within equal scores from which on it is said.
_SAID = 0.01


def _tie_lines(report: FactorFile) -> list[str]:
    """Universes without groups and why; groups and top portfolios whose edges lie within equal scores."""
    lines = []
    for group in report["groups"]:
        name = f"groups of {group['universe']}"
        if (reason := group["reason"]) is not None:
            lines.append(f"{name}: none, {_WHY[reason]}")
        elif (edges := group["edges_in_ties"]) is not None and edges >= _SAID:
            shared = number(group["names_shared"], ".0%")
            lines.append(f"{name}: {edges:.0%} of the edges lie within equal scores, {shared} of the names are shared")
    tops = report["top_n"]
    reasons = [reason for top in tops if (reason := top["reason"]) is not None]
    if tops and len(reasons) == len(tops):
        lines.append(f"top portfolios: none, {_WHY[reasons[0]]}")
    cut = max((top["edges_in_ties"] or 0.0 for top in tops), default=0.0)
    if cut >= _SAID:
        lines.append(f"top portfolios: at up to {cut:.0%} of rebalances equal scores straddle the edge and are shared")
    return lines


@app.command(cls=Verb)
def enhance(
    factor: Annotated[Path, typer.Argument(help=_FACTOR)],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder for the results")],
    index: Annotated[str, typer.Option(help="an index, as in 000905.SH or csi500")],
    constraints: Annotated[str, typer.Option(help=CONSTRAINTS)] = "study_b",
    capital: Annotated[float, typer.Option(help="CNY")] = 1e8,
    start: Annotated[date | None, day_option("first day followed")] = None,
    end: Annotated[date | None, day_option("last day followed")] = None,
    what_if: Annotated[list[str] | None, typer.Option("--what-if", help=WHAT_IF)] = None,
    placebo: Annotated[
        int | None, typer.Option(min=0, max=1000, help="random scores to stand beside; 0 = none; without: 20")
    ] = None,
    workers: FactorWorkers = None,
    engine: EngineOption = EngineChoice.LOCAL,
    address: AddressOption = None,
    arm: ArmOption = None,
    columns: ColumnsOption = "",
    date_format: DateFormat = None,
    partial: Partial = False,
    open_holdout: OpenHoldout = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Index-enhanced backtest of any factor file, beside what random scores earn under the same constraints."""
    from deepfactor.backtest.placebo import usual_draws
    from deepfactor.backtest.span import Cut
    from deepfactor.pipeline import factor as factors
    from deepfactor.pipeline.markets import open_market
    from deepfactor.pipeline.placebo import placebo_line
    from deepfactor.pipeline.what_if import table
    from deepfactor.recipe import Portfolio

    try:
        portfolio = Portfolio(index=index, constraints=constraints, capital=capital, start=start, end=end)
    except ValidationError as error:
        raise recipe_error(error, "enhance") from None
    console = terminal()
    where = _engine(engine, workers, address, console)
    opened = open_market(market, console, opening=opening(open_holdout))
    read = factors.open_factor(factor, opened, arm, _reading(columns, date_format, partial))
    draws = usual_draws() if placebo is None else placebo
    enhanced = factors.enhance(
        read, opened, out, portfolio, console, what_if or (), language, placebo=draws, workers=where
    )
    content, lines = dict[str, object](), _rows_lines(read.rows, language)
    if (summary := enhanced.summary) is not None:
        content |= summary
        if enhanced.placebo is not None:
            content["placebo"] = enhanced.placebo
            lines.append(placebo_line(enhanced.placebo))
        lines += [Cut.of(cut).sentence(summary["index"]) for cut in summary["cuts"]]
        if enhanced.what_if:
            content["what_if"] = enhanced.what_if
            lines += [*table(enhanced.what_if), f"excess: {summary['definition_says']}"]
    finish(out, {**content, "rows": read.rows.to_json_dict()}, as_json, *lines)


@app.command(cls=Verb)
def combine(
    factors: Annotated[list[str], typer.Argument(help="factor files, or runs as RUN or RUN:arm; in this order")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="factor file to write, parquet")],
    method: Annotated[str, typer.Option(help="equal, ic_weighted, orthogonalised or top_weighted")] = "equal",
    standard: Annotated[str, typer.Option(help="zscore, or rank: a day's scores are ranked first")] = "zscore",
    index: Annotated[str | None, typer.Option(help="top_weighted: the index inside which tops are taken")] = None,
    horizon: Annotated[int, typer.Option(help="trading days of the RankICs that weigh")] = 10,
    convention: Annotated[str, typer.Option(help="their entry and exit: t1_close, t1_vwap or t0_close")] = "t1_close",
    window: Annotated[int, typer.Option(help="trading days whose RankICs make a day's weights")] = 240,
    min_days: Annotated[int, typer.Option(help="a factor with fewer RankICs there weighs nothing")] = 60,
    columns: ColumnsOption = "",
    date_format: DateFormat = None,
    partial: Partial = False,
    open_holdout: OpenHoldout = False,
    as_json: Json = False,
) -> None:
    """One factor file out of several factors: equally weighted, by past RankIC or tops, or orthogonalised in order."""
    from deepfactor.evaluation.combination import CombinationSettings
    from deepfactor.pipeline.combining import combine as combine_factors
    from deepfactor.pipeline.markets import open_market
    from deepfactor.runs.factors import RowAccount

    given = {"method": method, "standard": standard, "index": index, "horizon": horizon, "convention": convention}
    given |= {"window": window, "min_days": min_days}
    try:
        settings = CombinationSettings.model_validate(given)
    except ValidationError as error:
        raise recipe_error(error, "combine") from None
    console = terminal()
    opened = open_market(market, console, opening=opening(open_holdout))
    reading = _reading(columns, date_format, partial)
    made = combine_factors(factors, opened, out, settings, console, reading)
    lines = [f"{name}: {line}" for name, rows in made["rows"].items() for line in RowAccount(**rows).lines()]
    lines += [f"{name}: mean weight {number(weight, '.3f')}" for name, weight in made["weights"].items()]
    lines += [f"left out: {reason}: {count:,}" for reason, count in made["dropped"].items() if count]
    show(made, as_json, *lines, f"{out}: {made['days']:,} days, {made['scores']:,} scores")
