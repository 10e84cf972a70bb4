"""The reference of a mapping's keys, read off the specs: English from their docstrings, Chinese from beside them."""

from __future__ import annotations

import datetime
import re
import types
from collections.abc import Iterator, Mapping
from inspect import cleandoc, isclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from deepfactor.core.spec import Spec
from deepfactor.core.words import Text
from deepfactor.sources._mapping import Append, TableMapping
from deepfactor.sources._mapping import Mapping as MappingSpec
from deepfactor.sources._mapping_chinese import CHINESE, HEADS
from deepfactor.sources._mapping_columns import Column, Drop, Origin, Pattern
from deepfactor.sources._mapping_parts import (
    Fundamentals,
    FundamentalSteps,
    Halts,
    Intervals,
    Joined,
    LevelChange,
    Rename,
    RenameTable,
    Statements,
    Steps,
)
from deepfactor.store.schema import TABLES

#: Each spec and where its keys stand in a TOML, in the order of the page.
PARTS: Mapping[type[Spec], str] = {
    MappingSpec: "",
    Pattern: "[[symbols]], [[indices]]",
    TableMapping: "[tables.daily], …",
    Origin: "file, files",
    Column: "[tables.daily.columns]",
    Drop: "drop = [{ … }]",
    Joined: "[[tables.daily.joined]]",
    Halts: "[[tables.daily.halts]]",
    Steps: "[[tables.daily.steps]]",
    Intervals: "[[tables.daily.intervals]]",
    LevelChange: "level_changes = [{ … }]",
    Rename: "renames = [{ … }]",
    RenameTable: "[rename_table]",
    Fundamentals: "[fundamentals]",
    FundamentalSteps: "[[fundamentals.steps]]",
    Statements: "[[fundamentals.statements]]",
    Append: "[append]",
}
_TITLE = Text("Keys of a mapping", "映射的各个键")
_INTRO = Text(
    "What a TOML for `deepfactor ingest` may say of files (kind `tables`) and queries (kind `sql`). Made by "
    "`deepfactor mapping keys`; how to write one: [own data](how-to/own-data.md).",
    "`deepfactor ingest`所用TOML对文件（`tables`类）与查询（`sql`类）可写的全部键。"
    "由`deepfactor mapping keys --language zh`生成；写法见[自有数据](how-to/own-data.md)。",
)
_COLUMNS = Text("Tables and their columns", "各表及其列")
_COLUMNS_ARE = Text(
    "Columns in bold must be there. Units: [conventions](conventions.md#codes-and-units).",
    "粗体列必须有。单位见[约定](conventions.md#codes-and-units)。",
)
_OF_TABLE = (Text("table", "表"), Text("columns", "列"))
_OF_PART = (Text("key", "键"), Text("is", "类型"), Text("without it", "默认"), Text("meaning", "含义"))
_MUST = Text("must be given", "必填")
_NOTHING = Text("–", "–")
_TYPES: Mapping[Any, Text] = {
    str: Text("text", "文本"),
    float: Text("number", "数"),
    int: Text("whole number", "整数"),
    bool: Text("true or false", "true或false"),
    datetime.date: Text("date", "日期"),
    dict: Text("table", "表"),
    tuple: Text("list", "列表"),
}
_TABLE = Text("table", "表")


def reference(language: str) -> str:
    """The page as Markdown, in "en" or "zh".

    Example
    -------
    >>> reference("en").splitlines()[0]
    '# Keys of a mapping'
    """
    return "\n".join(_lines(language)) + "\n"


def described(spec: type[Spec]) -> dict[str, Text]:
    """Own keys of a part and what they mean, English beside Chinese.

    Raises
    ------
    KeyError
        a key that one of the languages lacks.
    """
    english, chinese = _attributes(spec), CHINESE[spec.__name__]
    return {key: Text(english[key], chinese[key]) for key in own_keys(spec)}


def own_keys(spec: type[Spec]) -> dict[str, FieldInfo]:
    """Keys as a TOML has them, without those that every origin has."""
    inherited = set(Origin.model_fields) if spec is not Origin and issubclass(spec, Origin) else set()
    return {field.alias or name: field for name, field in spec.model_fields.items() if name not in inherited}


def _lines(language: str) -> Iterator[str]:
    def said(text: Text) -> str:
        return text.zh if language == "zh" else str(text)

    yield from (f"# {said(_TITLE)}", "", said(_INTRO))
    for spec, place in PARTS.items():
        head = said(HEADS[spec.__name__])
        yield from ("", f"## {head}" + (f": `{place}`" if place else ""), "")
        yield _row(*map(said, _OF_PART))
        yield _row(*["---"] * len(_OF_PART))
        meanings = described(spec)
        for key, field in own_keys(spec).items():
            default = said(_default(field))
            yield _row(f"`{key}`", said(_type(field.annotation)), default, said(meanings[key]))
    yield from ("", f"## {said(_COLUMNS)}", "", said(_COLUMNS_ARE), "")
    yield _row(*map(said, _OF_TABLE))
    yield _row("---", "---")
    for name, table in TABLES.items():
        columns = [f"**`{key}`**" if one.required else f"`{key}`" for key, one in table.columns.items()]
        yield _row(f"`{name}`", ", ".join(columns))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _attributes(spec: type[Spec]) -> dict[str, str]:
    """Keys and their meaning out of a docstring's section ``Attributes``."""
    _, _, section = cleandoc(spec.__doc__ or "").partition("Attributes\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.split("\n\n")[0].splitlines():
        if match := re.match(r"([\w, ]+?) : (.*)", line):
            names = [name.strip() for name in match[1].split(",")]
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("    ") and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    plain = {name: re.sub(r"``([^`]+)``", r"`\1`", text) for name, text in found.items()}
    return {
        name: re.sub(r"`deepfactor\.[\w.]+`", "[own data](how-to/own-data.md)", text) for name, text in plain.items()
    }


def _default(field: FieldInfo) -> Text:
    if field.is_required():
        return _MUST
    default = field.get_default(call_default_factory=True)
    if default is None or default == () or default == {} or default == "" or isinstance(default, Spec):
        return _NOTHING
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return Text(f"`{shown}`")


def _type(annotation: Any) -> Text:
    """A type in a user's words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return Text(" / ".join(f"`{one}`" for one in get_args(annotation)))
    if origin in (Union, types.UnionType):
        kinds = dict.fromkeys(str(_type(one)) for one in get_args(annotation) if one is not type(None))
        parts = [_type(one) for one in get_args(annotation) if one is not type(None)]
        named = {str(part): part for part in parts}
        return Text(" / ".join(kinds), " / ".join(named[kind].zh for kind in kinds))
    if origin in _TYPES:
        return _TYPES[origin]
    if isclass(annotation) and issubclass(annotation, Spec):
        return _TABLE
    return _TYPES.get(annotation, Text(str(annotation)))
