"""Writes a file that holds every kind that ships against its room's Protocol; mypy then says which don't keep it.

A module is checked against a Protocol where it is assigned to one: so there is one assignment a kind, and a new kind
needs no more than its own file. ``make types`` runs this: ``python tests/types/kinds.py OUT.py``, then mypy on OUT.py.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin

import deepfactor
from deepfactor.core.kind import Room


def rooms() -> Iterator[ModuleType]:
    """The ``base`` of every package whose files are kinds."""
    for package in pkgutil.walk_packages(deepfactor.__path__, "deepfactor."):
        if package.name.endswith(".base") and not package.name.split(".")[-2].startswith("_"):
            base = importlib.import_module(package.name)
            if isinstance(getattr(base, "ROOM", None), Room):
                yield base


def asked(base: ModuleType) -> list[type]:
    """The Protocols one of which every kind of a room keeps."""
    part, _ = get_args(eval(base.__annotations__["ROOM"], vars(base)))  # the annotation is text
    one_of = get_args(part) if get_origin(part) in (Union, UnionType) else (part,)
    return [get_origin(one) for one in one_of]


def offered(base: ModuleType, kind: ModuleType) -> list[type]:
    """Protocols for kinds that can do more, which `kind` seems to."""
    own = [one for one in vars(base).values() if isinstance(one, type) and one.__module__ == base.__name__]
    return [one for one in own if getattr(one, "_is_runtime_protocol", False) and is_a(kind, one, asked(base))]


def is_a(kind: ModuleType, protocol: Any, of: list[type]) -> bool:
    return any(one in protocol.__mro__[1:] for one in of) and isinstance(kind, protocol)


def checks() -> list[str]:
    """The file's lines."""
    imports, lines = set(), []
    for base in rooms():
        imports.add(base.__name__)
        for name in base.ROOM.kinds():
            kind = importlib.import_module(f"{base.ROOM.package}.{name}")
            imports.add(kind.__name__)
            for protocols in (asked(base), *([one] for one in offered(base, kind))):
                kept = " | ".join(f"{base.__name__}.{one.__name__}[{kind.__name__}.Settings]" for one in protocols)
                lines.append(f"_{len(lines)}: {kept} = {kind.__name__}")
    return [*(f"import {name}" for name in sorted(imports)), "", *lines]


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(checks()) + "\n", encoding="utf-8")
