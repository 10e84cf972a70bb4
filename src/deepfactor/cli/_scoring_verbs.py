"""Scores of the evening: what a trained run says of one more day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from deepfactor.cli.options import AllowCode, Json, MarketOption, app, day_option, show
from deepfactor.cli.terminal import terminal


@app.command()
def score(
    run: Annotated[Path, typer.Argument(help="folder of a run that has trained")],
    market: MarketOption,
    day: Annotated[date | None, day_option("day to score; without: the market's last")] = None,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="an arm, more than once; without: all")] = None,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Score one day by the newest models that had ended their training by then. Nothing is trained."""
    from deepfactor.core.trust import Trust
    from deepfactor.pipeline.markets import open_market
    from deepfactor.pipeline.scoring import score as score_day
    from deepfactor.runs.layout import RunFolder

    console = terminal()
    opened = open_market(market, console)
    trust = Trust(allow_code)
    found = score_day(RunFolder.open(run), opened, day=day, arms=arm or (), console=console, trust=trust)
    lines = [
        f"{one['arm']}: {one['stocks']} stocks on {one['date']} by fold {one['fold']}, whose training has seen prices "
        f"to {one['trained_until']}, {one['age']} trading days before: {place}"
        for place, one in found
    ]
    show({"scores": [{**one, "file": str(place)} for place, one in found]}, as_json, *lines)
