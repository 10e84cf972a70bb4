"""The application, options that several verbs share, and how results are printed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len

from deepfactor.cli._words import shows_all
from deepfactor.cli.helping import Verbs
from deepfactor.cli.language import spoken
from deepfactor.core.days import day_of
from deepfactor.core.version import __version__
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.terminal import terminal as terminal_of

app = typer.Typer(
    name="deepfactor",
    cls=Verbs,
    help="Deep-learning stock factors for Chinese A-shares: train, test, enhance an index, backtest, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
MarketOption = Annotated[Path, typer.Option("--market", help="market folder, made by ingest or simulate")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on standard output")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="take kinds from outside deepfactor")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="processes; 0 = all in this one")]
EngineWorkers = Annotated[
    int | None,
    typer.Option("--workers", min=0, help="processes (1); 0 = all in this one; of ray: jobs at once (all that fit)"),
]
FactorWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        help="processes for several factors, and for random scores (2); 0 = all in this one; of ray: at once",
    ),
]


class EngineChoice(StrEnum):
    """Where jobs run."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[EngineChoice, typer.Option("--engine", help="where jobs run: this machine, or a cluster")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="of ray: HOST:PORT, or auto; else RAY_ADDRESS, else a cluster of this machine"),
]
GpusOption = Annotated[
    float, typer.Option("--gpus", min=0.01, help="of ray with --device cuda: how much of a GPU a job takes")
]


class Language(StrEnum):
    """Of the page's switch; see `core.words.LANGUAGES`."""

    EN = "en"
    ZH = "zh"


LanguageOption = Annotated[
    Language, typer.Option("--language", help="of the terminal, and shown first on the page, which holds both")
]
CONSTRAINTS = "study_a, study_a_all_market, study_b, study_b_te, study_b_tight or a TOML file"
WHAT_IF = (
    "solve again with a changed setting, and show what changes; can be repeated. setting=value, as in "
    "max_active_weight=0.01 or turnover.sided=one; several together: a=1,b=2; a constraint away: turnover=off. Short "
    "names: max_active_weight, max_industry_weight, max_style_exposure, max_turnover, max_volume_share, "
    "min_constituents; further: cash, cost_rate, fill, and CONSTRAINT.SETTING of any constraint"
)


def _day(text: str) -> date:
    try:
        return day_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None


def day_option(text: str, *names: str) -> Any:
    """An option that is a day; `text` is its help, `names` where it isn't called like its argument."""
    return typer.Option(*names, parser=_day, metavar="DAY", help=f"{text}, as 2020-01-02 or 20200102")


DateFormat = Annotated[
    str | None,
    typer.Option("--date-format", help="of a file's dates where the day or the month comes first, as %d/%m/%Y"),
]
Partial = Annotated[
    bool, typer.Option("--partial", help="take what fits of a file, even if that is less than half of its scores")
]
OpenHoldout = Annotated[
    bool,
    typer.Option("--open-holdout", help="take the market's locked days, too; logged for ever in MARKET/holdout.jsonl"),
]
ColumnsOption = Annotated[
    str,
    typer.Option(
        "--columns",
        help="what a file's columns are, where it can't be told: date=NAME,symbol=NAME,score=NAME; several scores as "
        "score=A,score=B, all numbers as score=*",
    ),
]
ArmOption = Annotated[str | None, typer.Option("--arm", help="which arm, where FACTOR is a run with several")]


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
    language: Annotated[
        Language | None, typer.Option("--language", help="of the terminal; also behind a verb; without: LANG's")
    ] = None,
) -> None:
    """Deep-learning stock factors for Chinese A-shares."""
    if version:
        print(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def terminal() -> Console:
    """Where a verb says what it is doing, in the language that is spoken."""
    return terminal_of(spoken)


def show(content: Mapping[str, object], as_json: bool, *lines: str) -> None:
    """One JSON object or lines, on standard output. The work is done: a reader that has gone away changes nothing."""
    text = (
        json.dumps(content, ensure_ascii=not shows_all(), allow_nan=False)
        if as_json
        else "\n".join(spoken(line) for line in lines)
    )
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def head(*columns: tuple[str, int]) -> str:
    """Heads of columns of so many characters, on the left where the number is negative; a Chinese one takes two."""
    said = [(spoken(name), width) for name, width in columns]
    blank = [" " * max(abs(width) - cell_len(name), 0) for name, width in said]
    return "".join(name + gap if width < 0 else gap + name for (name, width), gap in zip(said, blank, strict=True))


def opening(asked: bool) -> str | None:
    """For what a holdout is opened, as its log has it: the words of the command."""
    return shlex.join(["deepfactor", *sys.argv[1:]]) if asked else None


def listed(text: str) -> tuple[str, ...]:
    """The words between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def number(value: float | None, form: str) -> str:
    """A number in that form, a dash where there is none."""
    return "–" if value is None else format(value, form)
