"""Verbs of runs: demo, run, report, compare, recipe, and doctor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfactor.cli._endings import finish
from deepfactor.cli.helping import Verb
from deepfactor.cli.language import spoken
from deepfactor.cli.options import (
    AddressOption,
    AllowCode,
    EngineChoice,
    EngineOption,
    EngineWorkers,
    GpusOption,
    Json,
    Language,
    LanguageOption,
    MarketOption,
    OpenHoldout,
    Workers,
    app,
    listed,
    number,
    opening,
    show,
    terminal,
)
from deepfactor.core.errors import UserError

if TYPE_CHECKING:
    from deepfactor.pipeline.planning import DryRun

ONLY = (
    "these stages alone, over what is there: training, scores, tests, portfolios, page; several as scores,tests. "
    "What is done is never made again; the page is made anew after all but training"
)


@app.command(cls=Verb)
def demo(
    out: Annotated[Path, typer.Option("--out", help="folder for market and results")] = Path("demo"),
    workers: Workers = min(2, os.cpu_count() or 1),
    desk: Annotated[bool, typer.Option("--desk", help="ten evenings of a desk, to the last one's page")] = False,
    as_json: Json = False,
) -> None:
    """Simulated market, training, tests, enhanced portfolio, report: the whole way in a few minutes."""
    if desk:
        _demo_of_desk(out, as_json)
        return
    from deepfactor.evaluation.definitions import PRESETS, in_words
    from deepfactor.pipeline.demo import demo as run_demo

    result = run_demo(out, workers, terminal())
    rank_ic, enhanced, formed = result["rank_ic"], result["enhanced"], in_words(PRESETS["study_b"])
    lines = [
        f"RankIC of GRU          {number(rank_ic['gru'], '.4f')}",
        f"RankIC of DecompGRU    {number(rank_ic['decomp_gru'], '.4f')}",
        f"RankIC of the oracle   {number(rank_ic['oracle'], '.4f')}",
        f"Enhanced: net excess   {number(enhanced['annual_excess_net'], '+.2%')} a year, {formed.split(';')[0]}",
        f"Enhanced: tracking err {number(enhanced['tracking_error'], '.2%')}",
        "",
        _demo_verdict(rank_ic),
        f"next: open {result['report']}; then a factor of your own, docs/tutorials/first-hour.md, or your data, "
        "docs/how-to/first-day.md",
    ]
    show(result, as_json, f"report: {result['report']}", *lines)


#: Of the oracle's RankIC, what a network of the demo has at least where all is well; on the shipped market it is half.
_LEARNS = 1 / 3


def _demo_verdict(rank_ic: Mapping[str, float | None]) -> str:
    """Whether the networks have learnt what there is to learn."""
    best, most = max(rank_ic["gru"] or 0.0, rank_ic["decomp_gru"] or 0.0), rank_ic["oracle"] or 0.0
    share = best / most if most > 0 else 0.0
    if share >= _LEARNS:
        return (
            f"verdict: it works here: the better network has {share:.0%} of the oracle's RankIC, "
            "which no model can reach"
        )
    return (
        f"verdict: something is wrong: the better network has {share:.0%} of the oracle's RankIC, where {_LEARNS:.0%} "
        "or more is normal; please report it with what `deepfactor doctor` says"
    )


def _demo_of_desk(out: Path, as_json: bool) -> None:
    from deepfactor.pipeline.desk_demo import desk_demo

    made = desk_demo(out, terminal())
    lines = [
        f"{len(made['evenings'])} evenings, {made['evenings'][0]} to {made['evenings'][-1]}: {made['orders']} orders, "
        f"{made['unfilled']} not filled, or not in full",
        f"value of the account: {made['value'][0]:,.2f}, after ten days {made['value'][1]:,.2f}",
        f"the last evening: {made['page']}",
    ]
    show(dict(made), as_json, *lines)


@app.command(cls=Verb)
def run(
    recipe: Annotated[str, typer.Argument(help="recipe TOML, or the name of a shipped one")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="runs folder")] = Path("runs"),
    workers: EngineWorkers = None,
    engine: EngineOption = EngineChoice.LOCAL,
    address: AddressOption = None,
    gpus: GpusOption = 1.0,
    device: Annotated[str, typer.Option("--device", help="where networks are computed: cpu, cuda, cuda:1")] = "cpu",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, as in fit.epochs=12, arms.NAME.every=5")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help=ONLY)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and list the jobs, train nothing")] = False,
    edges: Annotated[bool, typer.Option("--edges", help="write who was related to whom: edges.parquet")] = False,
    allow_code: AllowCode = False,
    open_holdout: OpenHoldout = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Train, score, test, enhance, report. The same command goes on where it was stopped, and makes nothing twice."""
    from deepfactor.pipeline import experiment, planning, staging
    from deepfactor.pipeline.engines import engine_of
    from deepfactor.pipeline.markets import open_market
    from deepfactor.recipe import load_recipe

    chosen = staging.chosen([word for words in only or () for word in listed(words)])
    loaded = load_recipe(recipe, settings or (), allow_code=allow_code)
    console = terminal()
    where = engine_of(engine.value, workers, address, console, gpus=gpus)
    opened = open_market(market, console, opening=opening(open_holdout))
    if dry_run:
        planned = planning.dry_run(loaded, opened, out, workers=1 if workers is None else workers, device=device)
        show(planned, as_json, *_plan_lines(planned))
        return
    folder = experiment.run(
        loaded,
        opened,
        out,
        only=chosen,
        workers=where,
        device=device,
        console=console,
        edges=edges,
        language=language,
    )
    failures = staging.failures_of(folder, chosen)
    finish(folder.path, {"run": str(folder.path), "report": str(folder.report)}, as_json, failures=failures)


def _plan_lines(planned: DryRun) -> list[str]:
    lines = [f"{job['job']}: {job['key']}{' (done before)' if job['done'] else ''}" for job in planned["jobs"]]
    lines += planned["said"]
    lines.append(f"{planned['stock_days_an_epoch']:,} stock-days an epoch, at most {planned['epochs']} epochs a job")
    left = planned["estimate"]
    for arm, cost in left["arms"].items():
        lines.append(
            f"{arm}: a day of {cost['stocks']:,} stocks takes {cost['step_ms']:.0f} ms to train, "
            f"{cost['score_ms']:.0f} ms to score (and {cost['statistics_ms']:.0f} ms once); "
            f"{_duration(cost['cpu_hours'])} of a core"
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


@app.command(cls=Verb)
def report(
    run: Annotated[Path, typer.Argument(help="a run's folder")],
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Make a run's page and workbook again from what is on disk, and the index page of its runs folder."""
    from deepfactor.pipeline.pages import report_run
    from deepfactor.runs.layout import RunFolder

    page = report_run(RunFolder.open(run), language, terminal())
    finish(run, {"report": str(page)}, as_json)


@app.command(cls=Verb)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="folders of two runs or more")],
    out: Annotated[Path, typer.Option("--out", help="folder for the comparison")],
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """Runs side by side in one report: all arms, correlation of their scores, paired differences of their RankIC."""
    from deepfactor.pipeline.comparing import compare as compare_runs

    page = compare_runs(runs, out, language)
    show({"report": str(page)}, as_json, f"report: {page}")


class RecipeAction(StrEnum):
    """What `recipe` does."""

    LIST = "list"
    SHOW = "show"
    NEW = "new"


@app.command(cls=Verb)
def recipe(
    action: Annotated[RecipeAction, typer.Argument(help="list, show or new")],
    name: Annotated[str | None, typer.Argument(help="of show: a recipe; of new: the TOML to write")] = None,
    like: Annotated[str, typer.Option("--like", help="of new: the recipe to begin from")] = "demo",
    as_json: Json = False,
) -> None:
    """Shipped recipes, what stands in one, and an own one to begin with."""
    from deepfactor.pipeline import recipes

    if action is RecipeAction.LIST:
        found = recipes.shipped()
        lines = [f"{one['name']:<20} {one['title']}\n{'':<20} {one['title_zh']}" for one in found]
        show({"recipes": found}, as_json, *lines)
    elif name is None:
        shown = "show demo" if action is RecipeAction.SHOW else "new mine.toml"
        raise UserError(f"recipe {action.value}: say which, as in deepfactor recipe {shown}")
    elif action is RecipeAction.SHOW:
        show(recipes.describe(name), as_json, recipes.text_of(name).rstrip())
    else:
        made = recipes.begin(Path(name), like)
        arms = ", ".join(made["arms"])
        said = f"{name}: as {like}, arms {arms}; check it: deepfactor run {name} --market MARKET --dry-run"
        show(made, as_json, said)


@app.command(cls=Verb)
def doctor(as_json: Json = False) -> None:
    """Versions, device, kernels in use and why, threads, memory, what is optional and absent."""
    from deepfactor.pipeline.doctor import doctor as examine

    subjects = examine()
    facts = [(room, name, value) for room, of_room in subjects.items() for name, value in of_room.items()]
    lines = [f"{room}: {name} {spoken(str(value))}" for room, name, value in facts]
    show(subjects, as_json, *lines)


@app.command(cls=Verb)
def clean(
    runs: Annotated[Path, typer.Argument(help="folder of runs, the --out of deepfactor run")],
    remove: Annotated[bool, typer.Option("--remove", help="remove them; without: only say")] = False,
    as_json: Json = False,
) -> None:
    """What nothing refers to any more: arrays of a market that has grown, jobs of recipes that have changed."""
    from deepfactor.pipeline.cleaning import remove as remove_idle
    from deepfactor.pipeline.cleaning import survey

    found = survey(runs)
    if remove:
        remove_idle(found)
    size = sum(one.size for one in found.idle)
    content = {
        "runs": found.runs,
        "idle": [{"path": str(one.path), "kind": one.kind, "bytes": one.size} for one in found.idle],
        "bytes": size,
        "removed": remove,
        "silent": [str(path) for path in found.silent],
    }
    what = "removed" if remove else "could be removed (--remove)"
    lines = [f"{one.size / 2**20:>10,.1f} MiB  {one.kind:<6}  {one.path}" for one in found.idle]
    lines.append(
        f"{len(found.idle)} folders, {size / 2**20:,.1f} MiB, {what}: none of {found.runs} runs refers to them"
    )
    lines += [f"{path} doesn't say what it refers to: repeat deepfactor run on it first" for path in found.silent]
    show(content, as_json, *lines)
