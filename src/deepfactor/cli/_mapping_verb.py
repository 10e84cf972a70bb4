"""The verb of mappings: a first one from a folder's files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deepfactor.cli.options import Json, Language, app, show


class MappingAction(StrEnum):
    """What `mapping` does."""

    GUESS = "guess"


@app.command()
def mapping(
    action: Annotated[MappingAction, typer.Argument(help="guess: write a first mapping of the files in FOLDER")],
    folder: Annotated[Path, typer.Argument(help="where the files lie")],
    out: Annotated[Path, typer.Option("--out", help="TOML to write; never one that is there")] = Path("mapping.toml"),
    language: Annotated[Language, typer.Option("--language", help="of the comments that it writes")] = Language.EN,
    as_json: Json = False,
) -> None:
    """A first mapping of a folder's files: what was recognised, units by evidence, and questions."""
    from deepfactor.pipeline.mappings import guess

    made = guess(folder, out, language.value)
    known = f"recognised: {made.vendor}" if made.vendor else "no known vendor's: told by the names of columns"
    lines = [f"{out}: {', '.join(made.tables)}", known]
    if made.as_it_is:
        lines.append(f"its files lie where {made.vendor} looks for them: deepfactor ingest {made.vendor} MARKET")
    account = {
        "mapping": str(out),
        "vendor": made.vendor,
        "as_it_is": made.as_it_is,
        "tables": list(made.tables),
        "questions": list(made.questions),
    }
    show(account, as_json, *lines, *made.questions)
