"""Every room of kinds has a contract suite that finds a new file unasked, and no words that say nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import deepfactor
from deepfactor.core.kind import kinds_in

PACKAGE = Path(deepfactor.__file__).parent
CONTRACTS = Path(__file__).parents[1] / "contracts"


def rooms() -> list[str]:
    """Packages with files that have ``Settings``: those whose files are kinds."""
    folders = {file.parent for file in PACKAGE.rglob("*.py") if re.search(r"^class Settings\(", file.read_text(), re.M)}
    dotted = (".".join(("deepfactor", *folder.relative_to(PACKAGE).parts)) for folder in folders)
    return sorted(room for room in dotted if not room.split(".")[-1].startswith("_"))


def test_every_room_has_kinds_and_a_suite_that_lists_them() -> None:
    suites = {file: file.read_text(encoding="utf-8") for file in CONTRACTS.glob("test_*.py")}
    without = []
    for room in rooms():
        assert kinds_in(room), room
        said = (f'kinds_in("{room}")', f'"{room}"', f"from {room}", f"from {room.rsplit('.', 1)[0]}")
        if not any("kinds_in(" in text and any(one in text for one in said) for text in suites.values()):
            without.append(room)
    assert without == []


def test_no_kind_of_a_room_knows_another() -> None:
    """Each room of several kinds has an import contract that names them all."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    named = {frozenset(one["modules"]) for one in contracts if one["type"] == "independence"}
    wanted = {frozenset(f"{room}.{kind}" for kind in kinds_in(room)) for room in rooms()}
    assert {kinds for kinds in wanted if len(kinds) > 1} - named == set()


def test_no_room_is_a_drawer() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}
    assert names & {"utils", "util", "common", "helpers", "misc", "tools"} == set()
