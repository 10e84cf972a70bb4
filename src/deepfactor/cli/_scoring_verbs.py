"""Scores of the evening, what a trained run says of one more day, and whether it is still what was tested."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    AllowCode,
    Json,
    Language,
    LanguageOption,
    MarketOption,
    OpenHoldout,
    app,
    day_option,
    number,
    opening,
    show,
    terminal,
)
from deepfactor.core.errors import UserError

if TYPE_CHECKING:
    from deepfactor.pipeline.monitoring import LightRecord


class ModelAction(StrEnum):
    """What `models` does."""

    LIST = "list"
    PROMOTE = "promote"
    RETIRE = "retire"


#: Exit code of `monitor` where a measure is outside of its band.
OUTSIDE = 4


@app.command(cls=Verb)
def score(
    run: Annotated[Path, typer.Argument(help="folder of a run that has trained")],
    market: MarketOption,
    day: Annotated[date | None, day_option("day to score; without: the market's last")] = None,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="an arm, more than once; without: all")] = None,
    outside: AllowCode = False,
    open_holdout: OpenHoldout = False,
    as_json: Json = False,
) -> None:
    """Score one day by the newest models that had ended their training by then. Nothing is trained."""
    from deepfactor.core.trust import Trust
    from deepfactor.pipeline.markets import open_market
    from deepfactor.pipeline.scoring import score as score_day
    from deepfactor.runs.layout import RunFolder

    console = terminal()
    opened = open_market(market, console, live=True)
    trust, why = Trust(outside), opening(open_holdout)
    found = score_day(RunFolder.open(run), opened, day=day, arms=arm or (), console=console, trust=trust, opening=why)
    lines = [
        f"{one['arm']}: {one['stocks']} stocks on {one['date']} by fold {one['fold']}, whose training has seen prices "
        f"to {one['trained_until']}, {one['age']} trading days before: {place}"
        for place, one in found
    ]
    show({"scores": [{**one, "file": str(place)} for place, one in found]}, as_json, *lines)


@app.command(cls=Verb)
def monitor(
    run: Annotated[Path, typer.Argument(help="folder of a run of which days were scored")],
    market: MarketOption,
    arm: Annotated[str | None, typer.Option("--arm", help="which arm, where the run has several")] = None,
    day: Annotated[date | None, day_option("day to look from; without: the last one scored")] = None,
    outside: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Whether the live scores are what was tested: RankIC, coverage, inputs, leanings, age. Exit 4: one is outside."""
    from deepfactor.core.trust import Trust
    from deepfactor.pipeline.markets import open_market
    from deepfactor.pipeline.monitoring import monitor as watch
    from deepfactor.runs.layout import RunFolder

    console = terminal()
    opened = open_market(market, console, live=True)
    place, record = watch(RunFolder.open(run), opened, arm, day, console, Trust(outside))
    tested = " to ".join(record["tested"])
    head = f"{record['arm']} on {record['date']}, {record['live_days']} days scored since the test of {tested}"
    inputs = ("frozen", "moved")  # many, shown where there is something to see
    shown = [one for one in record["lights"] if one["state"] != "ok" or not one["measure"].startswith(inputs)]
    lines = [head, *(_light_line(one) for one in shown)]
    show({**record, "file": str(place)}, as_json, *lines, str(place))
    if record["alarms"]:
        raise typer.Exit(OUTSIDE)


def _light_line(light: LightRecord) -> str:
    """Like ``ALARM coverage 0.898 (0.95 to 1.02)``."""
    mark = {"ok": "ok", "alarm": "ALARM", "too_few": "too few days"}[light["state"]]
    bounds = f"({number(light['low'], '.4g')} to {number(light['high'], '.4g')})"
    return f"{mark:<12} {light['measure']:<24} {number(light['value'], '.4g')} {bounds}"


@app.command(cls=Verb)
def nightly(
    settings: Annotated[Path, typer.Argument(help="TOML: market, run, the desk's folder, accounts")],
    day: Annotated[date | None, day_option("tonight; without: the market's last day")] = None,
    language: LanguageOption = Language.EN,
    outside: AllowCode = False,
    as_json: Json = False,
) -> None:
    """The whole evening: ingest, score, monitor, every account's trades and orders, a page. Exit 4: a light is red."""
    from deepfactor.core.trust import Trust
    from deepfactor.pipeline.nightly import nightly as do_evening

    record = do_evening(settings, day, terminal(), Trust(outside), language.value)
    if record is None:
        show({"day": str(day), "trading": False}, as_json, f"{day} is no trading day")
        return
    lines = [f"{one['name']}: {one['orders'] or one['rebalance'] or one['why']}" for one in record["accounts"]]
    show(dict(record), as_json, *lines, f"page: {record['page']}")
    if record["failed"]:
        raise UserError("; ".join(f"account {name}: {why}" for name, why in record["failed"].items()))
    if record["alarms"]:
        raise typer.Exit(OUTSIDE)


@app.command(cls=Verb)
def models(
    action: Annotated[ModelAction, typer.Argument(help="list, promote or retire")],
    settings: Annotated[Path, typer.Argument(help="the nightly file")],
    arm: Annotated[str | None, typer.Option("--arm", help="whom, to promote or retire")] = None,
    by: Annotated[str, typer.Option("--by", help="who decides")] = "",
    outside: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Which arm a desk trades by, which are watched beside it, and how their matured days compare."""
    from deepfactor.core.trust import Trust
    from deepfactor.pipeline.models import change, compared
    from deepfactor.pipeline.nightly import load_nightly
    from deepfactor.pipeline.nightly import models as of_desk

    recipe, run, market, found = of_desk(settings, Trust(outside))
    if action is not ModelAction.LIST:
        if arm is None:
            raise UserError(f"--arm: say whom to {action.value}")
        own = load_nightly(settings)
        out = settings.absolute().parent / own.out
        found = change(recipe, out, own.arm, "promote" if action is ModelAction.PROMOTE else "retire", arm, by)
    lines = compared(recipe, run, market, found)
    said = [
        f"{one['state']:<10} {one['arm']:<20} {one['live_days']:>4} days, RankIC {number(one['rank_ic'], '.4f')}, "
        f"less champion {number(one['less_champion'], '+.4f')} (t {number(one['t'], '+.1f')})"
        for one in lines
    ]
    show({"champion": found.champion, "models": lines}, as_json, *said)
