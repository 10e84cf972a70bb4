"""What a section file holds, and how the files are found.

A section is a file of this room: its words stand in it, English beside Chinese, where they are said. Its name is its
anchor on the page (``made_with`` is ``#made-with``); files are listed by `ORDER`, which is a place and needs no
neighbour. A leading underscore marks what several sections share.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol

from deepfactor.report.content import RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Section


class SectionFile(Protocol):
    """A module of this room."""

    ORDER: int

    def section(self, content: RunContent, make: Maker) -> Section | None:
        """The section of a run; None where it has nothing to say. `make` makes its parts, each of which may be lost."""


def sections() -> dict[str, SectionFile]:
    """The section files by anchor, in the order of the page."""
    package = __name__.rpartition(".")[0]
    room = importlib.import_module(package)
    names = [m.name for m in pkgutil.iter_modules(room.__path__) if not m.name.startswith("_") and m.name != "base"]
    files: dict[str, SectionFile] = {name: importlib.import_module(f"{package}.{name}") for name in names}
    return {name.replace("_", "-"): files[name] for name in sorted(names, key=lambda name: (files[name].ORDER, name))}
