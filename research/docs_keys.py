"""Keys of a TOML as tables of Markdown, read off its spec: type, default, meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from inspect import cleandoc, isclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from deepfactor.core.kind import Chosen, Room, kinds_in
from deepfactor.core.spec import Spec
from deepfactor.recipe import HAVE_KEYS
from deepfactor.sources._mapping_reference import _type
from research.docs_chinese import chinese

#: Rooms whose kinds a page describes, by page, and the key that names one.
ROOMS: Mapping[str, Mapping[str, str]] = {
    "recipe": {
        "features": "features",
        "labels": "label",
        "models": "arms.model",
        "training.losses": "arms.loss",
        "training.scalings": "arms.scaling",
        "training.weightings": "arms.weighting",
        "graphs": "arms.graph",
        "inputs": "inputs",
        "styles": "styles",
    },
    "constraints": {"portfolio.constraints": "constraints"},
}
#: Words of the pages, by language.
TOP = {"en": "At the top", "zh": "顶层"}
KINDS = {"en": "Kinds of", "zh": "可取的类："}
HEADS = {"en": ("key", "is", "without it", "meaning"), "zh": ("键", "类型", "默认", "含义")}
COLON = {"en": ": ", "zh": "："}
_MUST = {"en": "must be given", "zh": "必填"}
_ITS_OWN = {"en": "its defaults", "zh": "各键默认值"}
_ALL = {"en": "all", "zh": "全部"}
_KIND = {"en": "kind", "zh": "类"}
_MANY = {"en": "list of {}", "zh": "列表，元素为{}"}
_NAMED = {"en": "table of {}", "zh": "表，元素为{}"}
_ONE_OF = {"en": "One of {}: see {}.", "zh": "下列之一：{}，见{}。"}
_BUT_FOR = {"en": "else its defaults", "zh": "其余为默认值"}
_AND = {"en": ", ", "zh": "、"}
_COMMA = {"en": ", ", "zh": "，"}
_THEN = {"en": "; ", "zh": "；"}
#: A default of more characters that is all there is to choose from isn't repeated.
_WIDEST = 90
#: Docstrings that say nothing to a reader of the page.
_SILENT = {cleandoc(Spec.__doc__ or ""), "Its settings."}


@dataclass(frozen=True)
class Page:
    """A page of the reference, in one language."""

    name: str
    language: str

    def said(self, text: str) -> str:
        """An English text of the code in the page's language."""
        return chinese(text) if self.language == "zh" else text

    def word(self, words: Mapping[str, str]) -> str:
        """Of words by language the page's."""
        return words[self.language]

    def kinds_head(self, key: str) -> str:
        """Heading of the kinds that `key` names."""
        return f"{self.word(KINDS)} `{key}`"

    def link(self, room: Room[Any, Any], *, whole: bool = False) -> str:
        """To the kinds of a room, wherever they are described; `whole`: by the heading there."""
        for name, rooms in ROOMS.items():
            if key := rooms.get(room.package.removeprefix("deepfactor.")):
                place = "" if name == self.name else f"{name}.md"
                head = self.kinds_head(key)
                return f"[{head if whole else self.word(_KIND)}]({place}#{anchor(head)})"
        raise LookupError(f"no page describes the kinds of {room.package}: name it in ROOMS")


@dataclass(frozen=True)
class Part:
    """A table of a TOML: where its keys stand, and what they are; of kinds by name or in a list their room."""

    place: str
    spec: type[Spec] | Room[Any, Any]


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def anchor(heading: str) -> str:
    """Of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def parts_of(spec: type[Spec]) -> Iterator[Part]:
    """A spec and those that stand in it, each once; of kinds only tables and lists of them."""
    seen: set[object] = set()
    rest: list[tuple[str, Part]] = [("", Part("", spec))]
    while rest:
        path, part = rest.pop(0)
        if part.spec in seen:
            continue
        seen.add(part.spec)
        yield part
        fields = {} if isinstance(part.spec, Room) else part.spec.model_fields
        for name, field in fields.items():
            inner, held = f"{path}.{name}".lstrip("."), get_origin(field.annotation)
            place = f"`[[{inner}]]`" if held is tuple else f"`[{inner}.…]`" if held is dict else f"`[{inner}]`"
            rest += [(inner, Part(place, found)) for found in _specs(field.annotation)]
            if held in (tuple, dict) and (room := _room(field.annotation)):
                rest.append((inner, Part(place, room)))


def part_lines(part: Part, page: Page) -> Iterator[str]:
    """What a part says of itself, and a table of its keys; of kinds their names."""
    if isinstance(part.spec, Room):
        names = (f"`{kind}`" for kind in kinds_in(part.spec.package) if kind not in HAVE_KEYS)
        yield page.word(_ONE_OF).format(page.word(_AND).join(names), page.link(part.spec, whole=True))
    else:
        yield from keys_of(part.spec, page)


def keys_of(spec: type[Spec], page: Page) -> Iterator[str]:
    """What the spec says of itself, and a table of its keys."""
    said, meanings = described(spec)
    for paragraph in said:
        yield from (page.said(paragraph), "")
    if spec.model_fields:
        yield row(*HEADS[page.language])
        yield row(*("---",) * len(HEADS[page.language]))
    for name, field in spec.model_fields.items():
        meaning = page.word(_THEN).join(part for part in (page.said(meanings[name]), _bounds(field)) if part)
        yield row(f"`{field.alias or name}`", _kind(field, page), _default(field, page), meaning)


def described(spec: type[Spec]) -> tuple[list[str], dict[str, str]]:
    """Paragraphs that a spec says of itself, and what each of its keys means.

    Raises
    ------
    LookupError
        a key without a meaning: give its field a `description`.
    """
    said, _, section = cleandoc(spec.__doc__ or "").partition("Attributes\n----------\n")
    listed = attributes(section)
    meanings = {name: field.description or listed.get(name, "") for name, field in spec.model_fields.items()}
    if lacking := [name for name, meaning in meanings.items() if not meaning]:
        raise LookupError(f"{spec.__module__}.{spec.__name__}: no description of {', '.join(lacking)}")
    return ([] if said.strip() in _SILENT else paragraphs(said)), meanings


def paragraphs(text: str) -> list[str]:
    """Of a docstring, each in one line."""
    parts = re.split(r"\n\s*\n", cleandoc(text))
    return [re.sub(r"\s+", " ", part).strip().replace("``", "`") for part in parts if part.strip()]


def toml(value: object) -> str:
    """A value as a TOML has it.

    Example
    -------
    >>> toml({"all": 20, "names": ("a", 1e8)})
    '{ all = 20, names = ["a", 1e8] }'
    """
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (int, date)):
        return str(value)
    if isinstance(value, Chosen):
        return toml(value.written())
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {toml(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(toml, value))}]"
    raise TypeError(f"no TOML of {value!r}")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'


def _number(value: float) -> str:
    return f"{value:.0e}".replace("e+0", "e").replace("e+", "e") if abs(value) >= 1e6 else repr(value)


def _default(field: FieldInfo, page: Page) -> str:
    if field.is_required():
        return page.word(_MUST)
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Spec):
        usual = type(default)().model_dump()
        own = {name: value for name, value in default.model_dump().items() if value != usual[name]}
        return f"`{toml(own)}`{page.word(_COMMA)}{page.word(_BUT_FOR)}" if own else page.word(_ITS_OWN)
    if default is None or default == () or default == {}:
        return "–"
    shown = toml(default)
    if len(shown) > _WIDEST and default == _choices(field.annotation):
        return page.word(_ALL)
    return f"`{shown}`"


def _kind(field: FieldInfo, page: Page) -> str:
    """A type in a user's words; of kinds a link to them."""
    held = {tuple: _MANY, dict: _NAMED}.get(get_origin(field.annotation))
    room = next((one for one in field.metadata if isinstance(one, Room)), None) or _room(field.annotation)
    if room is not None:
        return page.word(held).format(page.link(room)) if held else page.link(room)
    if choices := _choices(field.annotation):
        return page.word(_MANY).format(page.word(_AND).join(f"`{toml(one)}`" for one in choices))
    kind = _type(field.annotation)
    return re.sub(r"`(\w+)`", r'`"\1"`', kind.zh if page.language == "zh" else str(kind))


def _choices(annotation: Any) -> tuple[Any, ...]:
    """What a list may hold, where that is listed."""
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return get_args(inner) if get_origin(inner) is Literal else ()


def _bounds(field: FieldInfo) -> str:
    """What a number must be."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [(sign, getattr(one, name)) for one in field.metadata for name, sign in signs.items() if hasattr(one, name)]
    return ", ".join(f"{sign}\u00a0{_number(bound).removesuffix('.0')}" for sign, bound in found)


def _specs(annotation: Any) -> Iterator[type[Spec]]:
    """Specs within a type, without those of kinds."""
    if isclass(annotation) and issubclass(annotation, Spec):
        yield annotation
    elif get_origin(annotation) is not Chosen:
        for inner in get_args(annotation):
            yield from _specs(inner)


def _room(annotation: Any) -> Room[Any, Any] | None:
    """The room of the kinds within a type."""
    if get_origin(annotation) is Annotated:
        return next((one for one in get_args(annotation) if isinstance(one, Room)), None)
    return next((room for inner in get_args(annotation) if (room := _room(inner))), None)


def attributes(section: str) -> dict[str, str]:
    """Meanings by key, of a docstring's section ``Attributes``."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.split("\n\n")[0].splitlines():
        if match := re.match(r"([\w, ]+?) : (.*)", line):
            names = [name.strip() for name in match[1].split(",")]
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("    ") and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: text.replace("``", "`") for name, text in found.items()}
