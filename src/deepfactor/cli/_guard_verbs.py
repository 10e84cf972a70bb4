"""Verbs that guard against luck: holdout, trials."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    Json,
    OpenHoldout,
    app,
    day_option,
    number,
    show,
)

if TYPE_CHECKING:
    from deepfactor.pipeline.holdouts import HoldoutState
    from deepfactor.pipeline.trials import TrialsState


@app.command(cls=Verb)
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


@app.command(cls=Verb)
def trials(
    market: Annotated[Path, typer.Argument(help="market folder")],
    every: Annotated[bool, typer.Option("--all", help="a line a trial, too")] = False,
    as_json: Json = False,
) -> None:
    """What was tested on a market, how often, and whether the best of it is more than the best of so many tries."""
    from deepfactor.pipeline.trials import trials_of

    state = trials_of(market)
    show(dict(state), as_json, *_trial_lines(state, every))


def _trial_lines(state: TrialsState, every: bool) -> list[str]:
    lines = [
        f"{one['at']}  {one['kind']:<9}{one['place']:<11}{one['start']} to {one['end']}  "
        f"Sharpe {one['sharpe'] * 252**0.5:+.2f}  {one['factor']}, {one['setting']}"
        for one in (state["all"] if every else ())
    ]
    for span in state["spans"]:
        best = span["best"]
        lines.append(
            f"{span['kind']:<9}{span['place']:<11}{span['trials']:>4} trials, {span['first'][:10]} to "
            f"{span['last'][:10]}; Sharpe ratios of the excess spread by {span['sharpe_std']:.2f}: the best without "
            f"skill has {span['expected_best']:.2f}; {best['factor']} under {best['setting']} has "
            f"{best['sharpe']:.2f}, deflated {number(best['deflated'], '.0%')}"
        )
    lost = f", {state['unreadable']} lines can't be read" if state["unreadable"] else ""
    return [*lines, f"{state['market']}: {state['trials']} trials{lost}"]
