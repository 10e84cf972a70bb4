"""Verbs that guard against luck: holdout."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfactor.cli.options import Json, OpenHoldout, app, day_option, show

if TYPE_CHECKING:
    from deepfactor.pipeline.holdouts import HoldoutState


@app.command()
def holdout(
    market: Annotated[Path, typer.Argument(help="market folder")],
    start: Annotated[date | None, day_option("first day to be locked; without: only say", "--from")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="lock nothing any more")] = False,
    why: Annotated[str, typer.Option("--why", help="for the log")] = "",
    open_holdout: OpenHoldout = False,
    as_json: Json = False,
) -> None:
    """Lock a market's last years: nothing is trained on, tested or shown of them unless opened, on record.

    A later --from, or --remove, frees days for good and wants --open-holdout.
    """
    from deepfactor.pipeline.holdouts import holdout as of_market
    from deepfactor.pipeline.holdouts import lock

    if remove and start is not None:
        raise typer.BadParameter("wants either a day or nothing locked", param_hint="--remove")
    if remove or start is not None:
        lock(market, start, why, opening=open_holdout)
    state = of_market(market)
    show(dict(state), as_json, *_holdout_lines(market, state))


def _holdout_lines(market: Path, state: HoldoutState) -> list[str]:
    days = f"{state['locked_days']} of {state['days']} days"
    now = "nothing is locked" if state["start"] is None else f"locked from {state['start']} on: {days}"
    said = [
        f"{one['at']}  {one['event']:<8}{one['start'] or '':<12}by {one['by']}: {one['what']}" for one in state["log"]
    ]
    return [*said, f"{market}: {now}; opened {state['openings']} times"]
