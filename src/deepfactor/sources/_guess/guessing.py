"""A folder's first mapping: a shipped one with the files that were found, or one by the names of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfactor.core.errors import DataError
from deepfactor.core.toml import parse_toml
from deepfactor.core.words import Text
from deepfactor.sources._guess.generic import Guessing
from deepfactor.sources._guess.looking import Group, groups_of
from deepfactor.sources._guess.toml_text import toml_text
from deepfactor.sources._guess.vendors import recognised
from deepfactor.sources._mapping import Mapping

_HEAD = Text(
    "A first mapping of {folder}: read the questions, mend what is wrong, then",
    "{folder}的初步映射：请回答其中的问题、改正错误，然后",
)
_VENDOR = Text("recognised: {name}, by its columns", "已识别：{name}（依据列名）")
_AS_IT_IS = Text(
    "its files lie where the shipped mapping looks for them: `deepfactor ingest {name} MARKET --folder {folder}`",
    "文件位置与内置映射一致：可直接运行 deepfactor ingest {name} MARKET --folder {folder}",
)
_BY_NAMES = Text("no known vendor's: told by the names of columns", "非已知供应商：依据列名判断")
_FILES = Text("{n} files", "{n}个文件")
_NOT_READ = Text("not read: {why}", "未能读取：{why}")
_NOT_USED = Text("not used: {pattern}, with the columns {columns}", "未使用：{pattern}，列为{columns}")
_NO_BARS = Text(
    "no table of bars was found: columns for date, open, high, low, close and volume are looked for, and a code in a "
    "column or in the files' names; there are {patterns}",
    "未找到行情表：需要日期、开盘、最高、最低、收盘、成交量各列，以及代码列或文件名中的代码；现有{patterns}",
)


@dataclass(frozen=True)
class Guess:
    """What a folder's mapping may be.

    Attributes
    ----------
    text : of its TOML, with comments in one language
    vendor : the shipped mapping that it goes by; None = by the names of columns
    as_it_is : that mapping reads the folder unchanged
    tables : ours that it makes
    questions : what only the owner of the files can say
    """

    text: str
    vendor: str | None
    as_it_is: bool
    tables: tuple[str, ...]
    questions: tuple[str, ...]


def guessed(folder: Path, language: str) -> Guess:
    """A first mapping for the files in `folder`; `language` ("en", "zh") is that of its comments.

    Raises
    ------
    DataError
        no folder, no files of tables, or none with bars.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", file=folder)
    groups, unread = groups_of(folder)
    comments: dict[str, list[Text]] = {}

    def say(key: str, text: Text) -> None:
        if text not in comments.setdefault(key, []):
            comments[key].append(text)

    found = recognised(folder, groups)
    if found is not None:
        content, used, vendor = found.content, found.used, found.name
        say("name", _VENDOR.filled(name=vendor))
        if found.as_it_is:
            say("name", _AS_IT_IS.filled(name=vendor, folder=folder.name))
        taken = {group.pattern for parts in used.values() for group in parts}
        for group in groups:
            if group.pattern not in taken:
                shown = ", ".join(sorted(group.columns)[:8])
                say("", _NOT_USED.filled(pattern=group.pattern, columns=shown))
    else:
        content, used = _by_names(folder, groups, say)
        vendor = None
    for key, parts in used.items():
        say(key, _FILES.filled(n=sum(len(group.files) for group in parts)))
    for path, why in unread:
        say("", _NOT_READ.filled(why=why if path.name in why else f"{path.name}: {why}"))
    text = _written(folder, content, comments, language)
    Mapping(**parse_toml(text, "the guess"))  # it can be read, or the fault is ours
    tables = [*content["tables"], *(["fundamentals"] if "fundamentals" in content else [])]
    asked = [one for texts in comments.values() for one in texts if one.startswith("QUESTION")]
    as_it_is = found is not None and found.as_it_is
    return Guess(text, vendor, as_it_is, tuple(tables), tuple(_in(one, language) for one in asked))


def _by_names(folder: Path, groups: Sequence[Group], say: Any) -> tuple[dict[str, Any], dict[str, list[Group]]]:
    guessing = Guessing(say)
    if not guessing.fill(groups):
        patterns = ", ".join(group.pattern for group in groups[:10])
        raise DataError(_NO_BARS.filled(patterns=patterns), file=folder)
    say("name", _BY_NAMES)
    return guessing.content, guessing.used


def _written(folder: Path, content: dict[str, Any], comments: dict[str, list[Text]], language: str) -> str:
    head = [_HEAD.filled(folder=folder.name), Text("deepfactor ingest MAPPING.toml MARKET --folder FOLDER")]
    said = {key: [_in(one, language) for one in texts] for key, texts in comments.items() if key}
    said["name"] = [*(_in(one, language) for one in head), "", *said.get("name", [])]
    said["name"] += [_in(one, language) for one in comments.get("", [])]
    notes = [note for note in content.get("notes", []) if isinstance(note, str)]
    return toml_text({**content, **({"notes": notes} if notes else {})}, said)


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else str(text)
