"""Keys of a TOML as tables of Markdown, read off its spec: type, default, meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc, isclass
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from deepfactor.core.spec import Spec
from deepfactor.report.press.words import words
from deepfactor.sources._mapping_reference import _default, _type

#: Words of the pages, by language.
TOP = {"en": "At the top", "zh": "顶层"}
KINDS = {"en": "Kinds of", "zh": "可取的类："}
HEADS = {"en": ("key", "is", "without it", "meaning"), "zh": ("键", "类型", "默认", "含义")}


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def parts_of(spec: type[Spec]) -> Iterator[tuple[str, type[Spec]]]:
    """A spec and those that stand in it, each once, by the place of its keys."""
    seen: set[type[Spec]] = set()
    rest: list[tuple[str, type[Spec]]] = [("", spec)]
    while rest:
        place, one = rest.pop(0)
        if one in seen:
            continue
        seen.add(one)
        yield (f"`[{place}]`" if place else ""), one
        rest += [
            (f"{place}.{name}".lstrip("."), inner)
            for name, field in one.model_fields.items()
            for inner in _specs(field.annotation)
        ]


def keys_of(spec: type[Spec], language: str) -> Iterator[str]:
    """What the spec says of itself, and a table of its keys."""
    text = cleandoc(spec.__doc__ or "")
    said, _, section = text.partition("Attributes\n----------\n")
    meanings = _attributes(section)
    if said.strip() and said.strip() != cleandoc(Spec.__doc__ or ""):
        yield from (said.strip().replace("``", "`"), "")
    rows = [_cells(name, field, meanings.get(name, ""), language) for name, field in spec.model_fields.items()]
    said_of = len(HEADS[language]) if any(cells[-1] for cells in rows) else len(HEADS[language]) - 1
    for cells in (HEADS[language], ("---",) * len(HEADS[language]), *rows):
        yield row(*cells[:said_of])


def _cells(name: str, field: FieldInfo, said: str, language: str) -> tuple[str, ...]:
    """Key, type, default and meaning of one."""
    meaning = field.description or said
    known = words().setting(name).zh
    if language == "zh" and known != name:
        meaning = known + (f"（{meaning}）" if meaning else "")
    kind, default = _type(field.annotation), _default(field)
    shown = (kind.zh, default.zh) if language == "zh" else (str(kind), str(default))
    return f"`{field.alias or name}`", _short(shown[0]), _shown(shown[1]), _bounds(field, meaning)


def _bounds(field: FieldInfo, meaning: str) -> str:
    """The meaning, and what a number must be."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [
        f"{sign} {getattr(one, name)}" for one in field.metadata for name, sign in signs.items() if hasattr(one, name)
    ]
    return "; ".join(part for part in (meaning, ", ".join(found)) if part)


def _specs(annotation: Any) -> Iterator[type[Spec]]:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isclass(annotation) and issubclass(annotation, Spec):
        yield annotation
    for inner in get_args(annotation):
        yield from _specs(inner)


def _shown(default: str) -> str:
    """A default as a TOML has it; what takes a line of code is left to the spec."""
    if chosen := re.match(r"`Chosen\(kind='(\w+)'", default):
        return f"`{chosen[1]}`"
    plain = (
        default.replace("('", '["').replace("', '", '", "').replace("')", '"]')
        if default.startswith("`('")
        else default
    )
    return plain if len(plain) < 90 and "(" not in plain else "…"


def _short(kind: str) -> str:
    """A type that no word is known of: a kind, or one of code."""
    return "kind" if kind.startswith(("deepfactor", "typing", "<")) or "[" in kind else kind


def _attributes(section: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.split("\n\n")[0].splitlines():
        if match := re.match(r"([\w, ]+?) : (.*)", line):
            names = [name.strip() for name in match[1].split(",")]
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("    ") and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: text.replace("``", "`") for name, text in found.items()}
