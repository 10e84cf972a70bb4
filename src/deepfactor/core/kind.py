"""A kind is a file: ``kind = "decomp_gru"`` in the room ``deepfactor.models`` is ``deepfactor/models/decomp_gru.py``.

A kind file has a class ``Settings(Spec)`` with its defaults and the functions of its room's Protocol, which stands in
the room's ``base``; ``make types`` checks every file against it. Out of tree a kind is ``"mylab.models:my_gat"``, which
needs `Trust` where the recipe came from someone else.

A recipe says a `Kind`; what a recipe holds is the `Chosen` one: file and settings, found and checked once.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from deepfactor.core.choices import choices
from deepfactor.core.errors import KindError, RecipeError
from deepfactor.core.spec import Spec
from deepfactor.core.trust import SHIPPED, Trust

#: The password of a URL is never shown.
_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s@]*@")
#: Characters of a wrong value that a message repeats.
_LONGEST = 200
#: Type of pydantic's error where there is no such kind.
_UNKNOWN = "unknown_kind"

#: What a room's kinds have: the room's Protocol.
Part = TypeVar("Part")
#: What a room's settings have in common.
Settings = TypeVar("Settings", bound=Spec)
#: Of a Protocol: the settings of the kind, which its functions take.
SettingsOf = TypeVar("SettingsOf", bound=Spec, contravariant=True)


class Kind(BaseModel):
    """What a recipe says: the name of a kind and its settings, ``{kind = "gru", hidden = 64}``, both unchecked."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    def settings(self) -> dict[str, object]:
        """The settings as written, without the kind's name."""
        return dict(self.model_extra or {})


@dataclass(frozen=True)
class Chosen(Generic[Part, Settings]):
    """A kind with its settings, found and checked; `Room.choose` makes it. Two that do the same are equal.

    Attributes
    ----------
    kind : name, as it was written
    part : the kind's file, seen as its room's Protocol
    settings : what the functions of `part` take
    said : the settings as they were written
    """

    kind: str
    part: Part = field(repr=False)
    settings: Settings = field(hash=False)
    said: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def written(self) -> dict[str, object]:
        """The choice as a recipe has it."""
        return {"kind": self.kind, **self.said}

    def whole(self) -> dict[str, object]:
        """The choice with all settings, for readers."""
        return {"kind": self.kind, **self.settings.model_dump(mode="json")}

    def identity(self) -> dict[str, object]:
        """The choice with what was said beyond the defaults, for the keys of long work: see `Spec.identity`."""
        return {"kind": self.kind, **self.settings.identity()}

    @property
    def path(self) -> str:
        """Dotted name of the kind's file."""
        return cast(ModuleType, self.part).__name__

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.path, self.kind, self.settings, self.said)


def _again(path: str, kind: str, settings: Settings, said: Mapping[str, object]) -> Chosen[Any, Settings]:
    """A `Chosen` in another process: files don't travel, their names do."""
    return Chosen(kind, importlib.import_module(path), settings, said)


@dataclass(frozen=True)
class Room(Generic[Part, Settings]):
    """A package whose files are kinds. As the annotation of a field, ``Annotated[Chosen[…], ROOM]``, it makes pydantic
    choose what is written there; the context of the validation is the `Trust`, `SHIPPED` without one.
    """

    package: str

    def kinds(self) -> list[str]:
        """Names of the kinds that ship, sorted."""
        return kinds_in(self.package)

    def has(self, name: str) -> bool:
        """Whether a kind of that name ships; no other file is read."""
        path = f"{self.package}.{name}"
        if not name.isidentifier() or name.startswith("_") or name == "base" or importlib.util.find_spec(path) is None:
            return False
        return hasattr(importlib.import_module(path), "Settings")

    def load(self, name: str) -> Part:
        """The file of the kind `name`, of those that ship."""
        return cast(Part, load_kind(self.package, name))

    def settings_of(self, name: str) -> type[Settings]:
        """The class ``Settings`` of the kind `name`, of those that ship."""
        settings: type[Settings] = load_kind(self.package, name).Settings
        return settings

    def choose(self, kind: str | Kind, *, key: str = "", trust: Trust = SHIPPED) -> Chosen[Part, Settings]:
        """The kind with its settings; a name alone has the defaults. `key` is the recipe's, for the error's message.

        Raises
        ------
        RecipeError
            a wrong setting, named with its key; a `KindError` where there is no such kind.
        """
        try:
            return self._chosen(Kind(kind=kind) if isinstance(kind, str) else kind, trust)
        except ValidationError as error:
            raise recipe_error(error, key) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validated, serialization=core_schema.plain_serializer_function_ser_schema(Chosen.written)
        )

    def _validated(self, given: Any, info: ValidationInfo) -> Chosen[Part, Settings]:
        if isinstance(given, Chosen):
            return given
        return self._chosen(Kind.model_validate(given), info.context if isinstance(info.context, Trust) else SHIPPED)

    def _chosen(self, kind: Kind, trust: Trust) -> Chosen[Part, Settings]:
        """Raises pydantic's own error, which says where."""
        try:
            module = load_kind(self.package, kind.kind, trust)
        except KindError as error:
            raise wrong("kind", str(error), _UNKNOWN) from None
        said = kind.settings()
        settings: Settings = module.Settings.model_validate(said, context=trust)
        return Chosen(kind.kind, cast(Part, module), settings, said)


def kinds_in(room: str) -> list[str]:
    """Names of the kinds that ship in a room (a package name such as ``deepfactor.models``), sorted.

    A module counts if it defines ``Settings``; modules with a leading underscore and ``base`` are shared parts.
    """
    package = importlib.import_module(room)
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_") and not m.ispkg]
    return sorted(n for n in names if n != "base" and hasattr(importlib.import_module(f"{room}.{n}"), "Settings"))


def load_kind(room: str, name: str, trust: Trust = SHIPPED) -> ModuleType:
    """The module of kind `name` in `room`.

    Raises
    ------
    KindError
        unknown name (the message lists what there is), code from outside without trust, or no ``Settings``.
    """
    if ":" in name or "." in name:
        if not trust.outside:
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


def wrong(place: str | tuple[str | int, ...], message: str, type_: str = "wrong") -> ValidationError:
    """What a validator raises where `message` is of one key, or of what lies below it."""
    loc = (place,) if isinstance(place, str) else place
    error = PydanticCustomError(type_, "{said}", {"said": message})
    return ValidationError.from_exception_data("recipe", [InitErrorDetails(type=error, loc=loc, input={})])


def recipe_error(error: ValidationError, prefix: str = "") -> RecipeError:
    """One `RecipeError` that names every wrong key of a pydantic error; a `KindError` where only kinds are wrong."""
    lines = []
    items = error.errors()
    within = {item["loc"][:n] for item in items for n in range(len(item["loc"]))}
    items = [item for item in items if item["type"] != "too_short" or item["loc"] not in within]  # else wrong within
    for item in items:
        key = ".".join([*([prefix] if prefix else []), *map(str, item["loc"])])
        said = item["msg"].removeprefix("Value error, ")
        if item["type"] != "missing" and not isinstance(item["input"], (dict, list, tuple)):
            given = _PASSWORD.sub(r"\1:***@", repr(item["input"]))
            said += f" (given: {given[:_LONGEST]})"
        lines.append(f"{key}: {said}" if key else said)
    kinds = all(item["type"] == _UNKNOWN for item in items)
    return (KindError if kinds else RecipeError)("; ".join(lines))
