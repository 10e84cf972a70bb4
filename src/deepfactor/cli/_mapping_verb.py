"""The verb of mappings: a first one from a folder's files, and the reference of their keys."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    Json,
    Language,
    app,
    show,
)
from deepfactor.core.errors import UserError


class MappingAction(StrEnum):
    """What `mapping` does."""

    GUESS = "guess"
    KEYS = "keys"


@app.command(cls=Verb)
def mapping(
    action: Annotated[MappingAction, typer.Argument(help="guess: a first mapping of FOLDER's files; keys: all keys")],
    folder: Annotated[Path | None, typer.Argument(help="where the files lie, to guess")] = None,
    out: Annotated[Path, typer.Option("--out", help="TOML to write; never one that is there")] = Path("mapping.toml"),
    language: Annotated[Language, typer.Option("--language", help="of the comments that it writes")] = Language.EN,
    as_json: Json = False,
) -> None:
    """A first mapping of a folder's files, with units by evidence and questions; or what each key of a mapping says."""
    from deepfactor.pipeline.mappings import guess, reference

    if action is MappingAction.KEYS:
        page = reference(language.value)
        show({"language": language.value, "page": page}, as_json, page.rstrip())
        return
    if folder is None:
        raise UserError("FOLDER: say where the files lie")
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
