"""The verb of risk models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    Json,
    Language,
    app,
    show,
    terminal,
)


@app.command(cls=Verb)
def risk(
    market: Annotated[Path, typer.Argument(help="market folder, in which the model is kept")],
    styles: Annotated[str, typer.Option(help="style set: basic, study_a or barra_cne5")] = "barra_cne5",
    language: Annotated[Language, typer.Option("--language", help="of what is printed")] = Language.EN,
    as_json: Json = False,
) -> None:
    """Make a market's risk model, or go on with the days since, and show it. Safe to repeat, and to kill."""
    from deepfactor.pipeline.risk import risk as make
    from deepfactor.pipeline.risk import risk_lines
    from deepfactor.risk.settings import RiskSettings
    from deepfactor.styles.base import ROOM

    record = make(market, ROOM.choose(styles, key="--styles"), RiskSettings(), terminal())
    lines = risk_lines(record)
    show(record, as_json, *(line.zh if language is Language.ZH else str(line) for line in lines))
