"""The verbs. Each calls the function of the same name in `pipeline` and prints what it returns.

Heavy imports stand inside the verbs: ``deepfactor test`` never loads torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from deepfactor import __version__
from deepfactor.cli.terminal import terminal
from deepfactor.core.kind import recipe_error

app = typer.Typer(
    name="deepfactor",
    help="Deep-learning stock factors for Chinese A-shares: train, test, enhance an index, backtest, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MarketOption = Annotated[Path, typer.Option("--market", help="market folder, made by ingest or simulate")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on standard output")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="take kinds from outside deepfactor")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="training processes; 0 = train in this one")]


class Language(StrEnum):
    """Of the page's switch; see `report.words.LANGUAGES`."""

    EN = "en"
    ZH = "zh"


LanguageOption = Annotated[Language, typer.Option("--language", help="shown first on the page, which holds both")]
WHAT_IF = (
    "solve again with a changed setting, and show what changes; can be repeated. setting=value, as in "
    "max_active_weight=0.01 or turnover.sided=one; several together: a=1,b=2; a constraint away: turnover=off. Short "
    "names: max_active_weight, max_industry_weight, max_style_exposure, max_turnover, max_volume_share, "
    "min_constituents; further: cash, cost_rate, fill, and CONSTRAINT.SETTING of any constraint"
)
ArmOption = Annotated[str | None, typer.Option("--arm", help="which arm, where FACTOR is a run with several")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """Deep-learning stock factors for Chinese A-shares."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="folder for market and results")] = Path("demo"),
    workers: Workers = min(2, os.cpu_count() or 1),
    as_json: Json = False,
) -> None:
    """Simulated market, training, tests, enhanced portfolio, report: the whole way in a few minutes."""
    from deepfactor.pipeline.demo import demo as run_demo

    result = run_demo(out, workers, terminal())
    rank_ic, enhanced = result["rank_ic"], result["enhanced"]
    lines = [
        f"RankIC of GRU          {_number(rank_ic['gru'], '.4f')}",
        f"RankIC of DecompGRU    {_number(rank_ic['decomp_gru'], '.4f')}",
        f"RankIC of the oracle   {_number(rank_ic['oracle'], '.4f')}",
        f"Enhanced: net excess   {_number(enhanced['annual_excess_net'], '+.2%')} a year",
        f"Enhanced: tracking err {_number(enhanced['tracking_error'], '.2%')}",
    ]
    _show(result, as_json, f"report: {result['report']}", *lines)


@app.command()
def simulate(
    market: Annotated[Path, typer.Argument(help="market folder to write")],
    stocks: Annotated[int, typer.Option(help="securities ever listed")] = 300,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2018, 1, 2),
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2023, 12, 29),
    seed: int = 0,
    alpha: Annotated[float, typer.Option(help="0 = null market: nothing to be found")] = 1.0,
    only: Annotated[str, typer.Option(help="parts of alpha, comma separated")] = "",
    as_json: Json = False,
) -> None:
    """Write a simulated market, and MARKET.oracle.parquet beside it."""
    from deepfactor.pipeline import markets
    from deepfactor.sources.simulated import Settings

    try:
        settings = Settings(
            stocks=stocks, start=start.date(), end=end.date(), seed=seed, alpha=alpha, only=_listed(only) or None
        )
    except ValidationError as error:
        raise recipe_error(error, "simulate") from None
    account = markets.simulate(market, settings, terminal()).account()
    _show(account, as_json, f"{market}: {account['stocks']} stocks, {account['days']} days")


@app.command()
def ingest(
    source: Annotated[
        str,
        typer.Argument(help="TOML that names the source's kind and settings; or a shipped one: ashare_parquet, qlib"),
    ],
    market: Annotated[Path, typer.Argument(help="market folder to write")],
    folder: Annotated[Path | None, typer.Option("--folder", help="where the source's files lie")] = None,
    accept_revisions: Annotated[
        bool, typer.Option("--accept-revisions", help="take history that the source changed since, and log it")
    ] = False,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Bring a vendor's files or database into a market folder, or the days that it doesn't have yet. Safe to repeat."""
    from deepfactor.pipeline import markets

    console = terminal()
    opened = markets.ingest(source, market, folder, console, accept_revisions=accept_revisions, allow_code=allow_code)
    account = opened.account() | {"warnings": opened.warnings()}
    lines = [f"{market}: {account['stocks']} stocks, {account['days']} days, {' to '.join(account['span'])}"]
    lines += [f"dropped: {reason}: {count}" for reason, count in account["dropped"].items()]
    lines += [f"derived: {what}" for what in account["derived"]]
    lines += [f"warning: {text}" for text in account["warnings"]]
    _show(account, as_json, *lines)


@app.command()
def check(
    market: Annotated[Path, typer.Argument(help="market folder")],
    html: Annotated[Path | None, typer.Option("--html", help="write a page of it to this file")] = None,
    as_json: Json = False,
) -> None:
    """Audit a market's data: findings, coverage, limits, replicas. Exit code 2 if there are errors."""
    from deepfactor.pipeline.checking import check as audit

    found = audit(market, html, terminal())
    lines = [
        f"{one['severity']}: {one['code']} in {one['table']}: {one['message']} ({one['count']:,})"
        + "".join(f"\n    {example}" for example in one["examples"])
        for one in found["findings"]
    ]
    lines += [f"derived: {what}" for what in found.get("derived", ())]
    lines += [f"not possible: {what}" for what in found.get("not_possible", ())]
    lines += [f"counted: {why}: {n:,}" for why, n in found.get("counts", {}).items()]
    _show(found, as_json, *(lines or ["nothing found"]), *([f"page: {html}"] if html else []))
    if found["errors"]:
        raise typer.Exit(2)


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="recipe TOML, or the name of a shipped one")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="runs folder")] = Path("runs"),
    workers: Workers = 1,
    device: Annotated[str, typer.Option("--device", help="where networks are computed: cpu, cuda, cuda:1")] = "cpu",
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, as in fit.epochs=12")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and list the jobs, train nothing")] = False,
    edges: Annotated[bool, typer.Option("--edges", help="write who was related to whom: edges.parquet")] = False,
    allow_code: AllowCode = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Train, score, test, enhance, report. The same command goes on where it was stopped."""
    from deepfactor.pipeline import experiment
    from deepfactor.pipeline.markets import open_market
    from deepfactor.recipe import load_recipe

    loaded = load_recipe(recipe, settings or (), allow_code=allow_code)
    console = terminal()
    opened = open_market(market, console)
    if dry_run:
        planned = experiment.dry_run(loaded, opened, out, workers=workers, device=device, allow_code=allow_code)
        _show(planned, as_json, *_plan_lines(planned))
        return
    folder = experiment.run(
        loaded,
        opened,
        out,
        workers=workers,
        device=device,
        console=console,
        edges=edges,
        allow_code=allow_code,
        language=language,
    )
    _show({"run": str(folder.path), "report": str(folder.report)}, as_json, f"report: {folder.report}")


def _plan_lines(planned: Mapping[str, Any]) -> list[str]:
    lines = [f"{job['job']}: {job['key']}{' (done before)' if job['done'] else ''}" for job in planned["jobs"]]
    lines.append(f"{planned['stock_days_an_epoch']:,} stock-days an epoch, at most {planned['epochs']} epochs a job")
    left = planned["estimate"]
    for arm, cost in left["arms"].items():
        lines.append(
            f"{arm}: a day of {cost['stocks']:,} stocks takes {cost['step_ms']:.0f} ms to train, "
            f"{cost['score_ms']:.0f} ms to score (and {cost['statistics_ms']:.0f} ms once)"
        )
    return [
        *lines,
        f"training: at most {_duration(left['wall_hours'])}, workers: {left['workers']}; "
        f"{_duration(left['cpu_hours'])} of a core",
        f"{left['memory_mib_a_worker']:,} MiB of memory a worker at most, {left['disk_mib']:,.0f} MiB of disk "
        f"({left['disk_free_mib']:,} MiB are free)",
    ]


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


@app.command()
def test(
    factor: Annotated[Path, typer.Argument(help="parquet or CSV with date, symbol, score; or a run's folder")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder for the results")],
    universe: Annotated[
        str | None,
        typer.Option(help="all, every, index codes; comma separated; without: all, and CSI 300, 500, 1000 if known"),
    ] = None,
    horizon: Annotated[str | None, typer.Option(help="trading days, comma separated; without: 5,10,15,20")] = None,
    preset: Annotated[str | None, typer.Option(help="study_a or study_b: that study's own tables")] = None,
    offsets: Annotated[bool, typer.Option("--offsets", help="top portfolios from every start, averaged")] = False,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first day tested")] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="last day tested")] = None,
    arm: ArmOption = None,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Test any factor file: IC in three conventions, decay, styles, groups, top portfolios."""
    from deepfactor.evaluation.factor_test import TestSettings
    from deepfactor.pipeline import factor as factors
    from deepfactor.pipeline.markets import open_market

    try:
        asked = {
            "preset": preset,
            "universes": None if universe is None else _listed(universe),
            "horizons": None if horizon is None else _listed(horizon),
            "top_offsets": offsets or None,
            "start": None if start is None else start.date(),
            "end": None if end is None else end.date(),
        }
        settings = TestSettings.model_validate({key: value for key, value in asked.items() if value is not None})
    except ValidationError as error:
        raise recipe_error(error, "test") from None
    console = terminal()
    opened = open_market(market, console)
    if universe is None:
        settings = factors.with_known_universes(settings, opened)
    scores = factors.open_factor(factor, opened, arm)
    report = factors.test(scores, opened, out, settings, console, language).to_json_dict()
    _show(report, as_json, *_ic_lines(report), f"report: {out / 'report.html'}")


def _ic_lines(report: Mapping[str, Any]) -> list[str]:
    """RankIC at each universe and horizon: all names, daily and t1_close where they were tested."""
    records = [record for record in report["records"] if record["names"] == "all"]
    for key, best in (("sampling", "daily"), ("convention", "t1_close")):
        found = {record[key] for record in records}
        shown = best if best in found else sorted(found)[-1]
        records = [record for record in records if record[key] == shown]
    lines = [f"{'universe':<12}{'days':>5}{'RankIC':>9}{'ICIR':>7}{'t':>7}{'win':>6}"]
    for record in records:
        ic = record["rank_ic"]
        numbers = (_number(ic[k], f) for k, f in (("mean", ".4f"), ("icir", ".2f"), ("t_newey_west", ".1f")))
        mean, icir, t = numbers
        win = _number(ic["win_rate"], ".0%")
        lines.append(f"{record['universe']:<12}{record['horizon']:>5}{mean:>9}{icir:>7}{t:>7}{win:>6}")
    return lines


@app.command()
def enhance(
    factor: Annotated[Path, typer.Argument(help="parquet or CSV with date, symbol, score; or a run's folder")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder for the results")],
    index: Annotated[str, typer.Option(help="index code, as in 000905.SH")],
    constraints: Annotated[str, typer.Option(help="study_a, study_a_all_market, study_b or a TOML file")] = "study_b",
    capital: Annotated[float, typer.Option(help="CNY")] = 1e8,
    what_if: Annotated[list[str] | None, typer.Option("--what-if", help=WHAT_IF)] = None,
    arm: ArmOption = None,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Index-enhanced backtest of any factor file."""
    from deepfactor.pipeline import factor as factors
    from deepfactor.pipeline.markets import open_market
    from deepfactor.pipeline.what_if import table
    from deepfactor.recipe import Portfolio

    try:
        portfolio = Portfolio(index=index, constraints=constraints, capital=capital)
    except ValidationError as error:
        raise recipe_error(error, "enhance") from None
    console = terminal()
    opened = open_market(market, console)
    opened_factor = factors.open_factor(factor, opened, arm)
    summary = factors.enhance(opened_factor, opened, out, portfolio, console, what_if or (), language)
    _show(summary, as_json, *table(summary.get("what_if", ())), f"report: {out / 'report.html'}")


@app.command()
def combine(
    factors: Annotated[list[str], typer.Argument(help="factor files, or runs as RUN or RUN:arm; in this order")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="factor file to write, parquet")],
    method: Annotated[str, typer.Option(help="equal, ic_weighted or orthogonalised")] = "equal",
    horizon: Annotated[int, typer.Option(help="trading days of the RankICs that weigh")] = 10,
    convention: Annotated[str, typer.Option(help="their entry and exit: t1_close, t1_vwap or t0_close")] = "t1_close",
    window: Annotated[int, typer.Option(help="trading days whose RankICs make a day's weights")] = 240,
    min_days: Annotated[int, typer.Option(help="a factor with fewer RankICs there weighs nothing")] = 60,
    as_json: Json = False,
) -> None:
    """One factor file out of several factors: equally weighted, by past RankIC, or orthogonalised in order."""
    from deepfactor.evaluation.combination import CombinationSettings
    from deepfactor.pipeline.combining import combine as combine_factors
    from deepfactor.pipeline.markets import open_market

    given = {"method": method, "horizon": horizon, "convention": convention, "window": window, "min_days": min_days}
    try:
        settings = CombinationSettings.model_validate(given)
    except ValidationError as error:
        raise recipe_error(error, "combine") from None
    console = terminal()
    made = combine_factors(factors, open_market(market, console), out, settings, console)
    lines = [f"{name}: mean weight {_number(weight, '.3f')}" for name, weight in made["weights"].items()]
    lines += [f"left out: {reason}: {count:,}" for reason, count in made["dropped"].items() if count]
    lines += [f"{name}: {what}: {n:,}" for name, lost in made["not_placed"].items() for what, n in lost.items() if n]
    _show(made, as_json, *lines, f"{out}: {made['days']:,} days, {made['scores']:,} scores")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="a run's folder")],
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Make a run's page and workbook again from what is on disk, and the index page of its runs folder."""
    from deepfactor.pipeline.pages import report_run
    from deepfactor.runs.layout import RunFolder

    page = report_run(RunFolder.open(run), language)
    _show({"report": str(page)}, as_json, f"report: {page}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="folders of two runs or more")],
    out: Annotated[Path, typer.Option("--out", help="folder for the comparison")],
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Runs side by side in one report: all arms, correlation of their scores, paired differences of their RankIC."""
    from deepfactor.pipeline.comparing import compare as compare_runs

    page = compare_runs(runs, out, language)
    _show({"report": str(page)}, as_json, f"report: {page}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Versions, device, kernels in use and why, threads, memory, what is optional and absent."""
    from deepfactor.pipeline.doctor import doctor as examine

    found = examine()
    lines = [f"{room}: {name} {value}" for room, facts in found.items() for name, value in facts.items()]
    _show(found, as_json, *lines)


def _show(content: Mapping[str, Any], as_json: bool, *lines: str) -> None:
    """One JSON object or lines, on standard output."""
    print(json.dumps(content, ensure_ascii=False, allow_nan=False) if as_json else "\n".join(lines))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
