"""A kind is a file: ``kind = "decomp_gru"`` in the room ``deepfactor.models`` is ``deepfactor/models/decomp_gru.py``.

A kind file has a class ``Settings(Spec)`` with its defaults and whatever functions its room asks for. Out of tree it is
``"mylab.models:my_gat"``, which needs `allow_code` where the recipe came from someone else.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deepfactor.core.choices import choices
from deepfactor.core.errors import KindError, RecipeError
from deepfactor.core.spec import Spec

#: The password of a URL is never shown.
_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s@]*@")
#: Characters of a wrong value that a message repeats.
_LONGEST = 200


class Kind(BaseModel):
    """The choice of a kind with its settings: ``{kind = "gru", hidden = 64}``. Settings are checked by `resolve`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    def settings(self) -> dict[str, Any]:
        """The settings as written, without the kind's name."""
        return dict(self.model_extra or {})


def kinds_in(room: str) -> list[str]:
    """Names of the kinds that ship in a room (a package name such as ``deepfactor.models``), sorted.

    A module counts if it defines ``Settings``; modules with a leading underscore and ``base`` are shared parts.
    """
    package = importlib.import_module(room)
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_") and not m.ispkg]
    return sorted(n for n in names if n != "base" and hasattr(importlib.import_module(f"{room}.{n}"), "Settings"))


def load_kind(room: str, name: str, *, allow_code: bool = False) -> ModuleType:
    """The module of kind `name` in `room`.

    Raises
    ------
    KindError
        unknown name (the message lists what there is), code from outside without `allow_code`, or no ``Settings``.
    """
    if ":" in name or "." in name:
        if not allow_code:
            raise KindError(f"{name!r} is code from outside deepfactor: allow it with --allow-code")
        path = name.replace(":", ".")
    else:
        path = f"{room}.{name}"
        if name.startswith("_") or importlib.util.find_spec(path) is None:
            raise KindError(f"no kind {name!r} in {room}: {choices(name, kinds_in(room))}")
    try:
        module = importlib.import_module(path)
    except Exception as error:
        if path == f"{room}.{name}":  # one of ours
            raise
        missing = ": is its folder on PYTHONPATH?" if isinstance(error, ModuleNotFoundError) else ""
        raise KindError(f"{path} can't be imported ({type(error).__name__}: {error}){missing}") from error
    if not hasattr(module, "Settings"):
        raise KindError(f"{path} has no class Settings, so it is no kind of {room}")
    return module


def resolve(room: str, kind: Kind, *, key: str, allow_code: bool = False) -> tuple[ModuleType, Spec]:
    """The module of `kind` and its validated settings. `key` is the recipe's key, for the error message."""
    try:
        module = load_kind(room, kind.kind, allow_code=allow_code)
    except KindError as error:
        raise KindError(str(error), key=f"{key}.kind") from None
    try:
        settings: Spec = module.Settings(**kind.settings())
    except ValidationError as error:
        raise recipe_error(error, key) from None
    return module, settings


def recipe_error(error: ValidationError, prefix: str = "") -> RecipeError:
    """One `RecipeError` that names every wrong key of a pydantic error."""
    lines = []
    items = error.errors()
    within = {item["loc"][:n] for item in items for n in range(len(item["loc"]))}
    for item in items:
        if item["type"] == "too_short" and item["loc"] in within:
            continue  # of what is wrong within
        key = ".".join([*([prefix] if prefix else []), *map(str, item["loc"])])
        said = item["msg"].removeprefix("Value error, ")
        if item["type"] != "missing" and not isinstance(item["input"], (dict, list, tuple)):
            given = _PASSWORD.sub(r"\1:***@", repr(item["input"]))
            said += f" (given: {given[:_LONGEST]})"
        lines.append(f"{key}: {said}" if key else said)
    return RecipeError("; ".join(lines))
