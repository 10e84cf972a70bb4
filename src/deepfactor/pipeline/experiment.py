"""`run`: a recipe on a market, from training to report. Every stage leaves its files; none is done twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from deepfactor.core.errors import UserError
from deepfactor.core.files import remove_litter, write_json
from deepfactor.models._kernels import kernel_in_use
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.cleaning import refers
from deepfactor.pipeline.console import Console, Logged, Silent
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import with_market_names
from deepfactor.pipeline.pages import report_run
from deepfactor.pipeline.places import require_outside
from deepfactor.pipeline.planning import plan
from deepfactor.pipeline.sharing import seen_from_afar
from deepfactor.pipeline.stages.base import Work
from deepfactor.pipeline.staging import PAGE, TRAINING, chosen, failures_before, require_read, run_stages
from deepfactor.pipeline.training import train
from deepfactor.pipeline.trials import FILE as TRIALS
from deepfactor.pipeline.trials import judged
from deepfactor.recipe import Recipe
from deepfactor.runs.done import Done
from deepfactor.runs.environment import Stages, write_environment
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import check_oracle, oracle_path
from deepfactor.runs.written import writing_results
from deepfactor.training.device import device_of
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.engines.processes import Processes
from deepfactor.training.jobs import is_done


def run(
    recipe: Recipe,
    market: Market,
    out: Path,
    *,
    only: Sequence[str] = (),
    workers: int | Engine = 1,
    device: str = "cpu",
    console: Console | None = None,
    edges: bool = False,
    language: str = "en",
) -> RunFolder:
    """Train, score, test, enhance and report; goes on where an earlier call stopped, and makes nothing twice.

    A test, combination, portfolio or part of the page that fails leaves the others alone: `read_failures` of the folder
    says which and why, and so does the page. The same call tries them again.

    Parameters
    ----------
    out : the runs folder; the run lies in ``out/<recipe name>``, trained jobs in ``out/jobs``.
    only : groups of stages, see `staging.groups`: these alone, over what is there; none = all.
    workers : processes that train, of one thread each, 0 = in this process; or an engine, see `engine_of`. Numbers
        don't depend on it.
    device : where networks are computed, "cpu" or "cuda"; on another one numbers differ by rounding.
    edges : write who was related to whom, too, for arms with a graph.
    language : "en" or "zh", the one that the page shows first.

    Raises
    ------
    UserError
        what the recipe or the market lacks, or what `only` reads and isn't there.
    Interrupted
        stopped; the same call goes on.
    """
    engine = Processes(workers) if isinstance(workers, int) else workers
    if isinstance(engine, Processes):
        device_of(device)  # before anything is made; of a cluster its workers say
    out = seen_from_afar(engine, out)
    require_outside(out)
    wanted, folder = chosen(only), RunFolder(out / recipe.name)
    console = Logged(console or Silent(), folder.log)
    if wanted == (PAGE,):
        return _show(folder, language, console)
    recipe = with_market_names(recipe, market)
    possible, left_out = with_known_prices(recipe.test, market.panel)
    check_oracle(oracle_path(market.folder.path), market.folder.fingerprint)
    lost: list[str] = []
    times = Stages.after(folder.environment, lost.append)
    with times.stage("inputs"):  # first: a recipe that doesn't fit the market leaves an earlier run as it was
        planned = plan(recipe, market, folder.jobs)
    remove_litter(folder.path)
    with writing_results(folder.path), ExitStack() as until:
        engine = replace(engine, until=until) if isinstance(engine, Ray) else engine  # one cluster for all stages
        tested = recipe.model_copy(update={"test": possible})
        work = Work(folder, tested, market, planned, console, Done(folder, console.say), edges, engine)
        require_read(work, wanted)
        write_json(folder.recipe, recipe.model_dump(mode="json"))
        write_json(folder.refers, refers(planned))
        before = sum(is_done(folder.jobs, job) for job in planned.jobs)
        if isinstance(engine, Processes):
            console.say(f"{recipe.name}: {len(planned.jobs)} jobs, {before} done before, {engine.workers} workers")
        else:
            console.say(f"{recipe.name}: {len(planned.jobs)} jobs, {before} done before, on a Ray cluster")
        for text in (*planned.mended, *lost, *planned.said):
            console.say(text)
        if TRAINING in wanted:
            with times.stage("training"):
                train(planned, folder.jobs, engine, console, device=device)
        attempts = Attempts(folder, console, failures_before(folder, wanted))
        warnings = list(run_stages(work, wanted, attempts, times))
        said = [*market.warnings(), *dict.fromkeys(warnings), *planned.said, *left_out]
        write_json(folder.path / TRIALS, judged(market.folder.path, list(_trials(work)), console))
        write_environment(folder.environment, market.account(), said, times, kernel=kernel_in_use(), device=device)
        attempts.write()
    return folder if wanted == (TRAINING,) else _show(folder, language, console)  # the page doesn't show training


def _trials(work: Work) -> Iterator[str]:
    """Keys of the trials that this run's results are."""
    folder, recipe = work.folder, work.recipe
    places = [folder.tests(arm)[0] for arm in recipe.scored]
    for one in recipe.portfolios:
        places += [folder.portfolio(arm, one.index, one.constraints) for arm in one.arms or recipe.scored]
    for place in places:
        if (record := work.done.of(place)) is not None:
            yield from (key for key, what in record.outcome.content.items() if what == "trial")


def _show(folder: RunFolder, language: str, console: Console) -> RunFolder:
    """Make the page of what is there."""
    if not folder.recipe.is_file():
        raise UserError(f"{folder.path} holds no run yet: repeat the command without --only")
    report_run(folder, language, console)
    console.say(f"report: {folder.report}")
    return folder
