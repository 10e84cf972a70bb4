"""Mappings of files: a first one guessed from a folder, and what each of their keys says."""

from __future__ import annotations

from pathlib import Path

from deepfactor.core.errors import UserError
from deepfactor.core.files import write_text
from deepfactor.sources._guess import Guess, guessed
from deepfactor.sources._mapping_reference import reference

__all__ = ["guess", "reference"]


def guess(folder: Path, out: Path, language: str) -> Guess:
    """Write a first mapping of the files in `folder` to `out`.

    Raises
    ------
    UserError
        `out` is there already: what someone wrote is never overwritten; or no file with bars was found.
    """
    if out.exists():
        raise UserError(f"{out} is there already: move it away, or name another file with --out")
    made = guessed(folder, language)
    write_text(out, made.text)
    return made
