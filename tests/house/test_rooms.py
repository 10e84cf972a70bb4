"""Every room of kinds has a contract suite that finds a new file unasked, and no words that say nothing."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import grimp

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
    """Nor by way of others: what kinds share lies beside them. As a contract of import-linter would, but for kinds to
    come, too."""
    imports = grimp.build_graph("deepfactor", cache_dir=None)
    assert [
        f"{room}.{a} reads {b}"
        for room in rooms()
        for a, b in permutations(kinds_in(room), 2)
        if imports.chain_exists(importer=f"{room}.{a}", imported=f"{room}.{b}")
    ] == []


def test_no_room_is_a_drawer() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}
    assert names & {"utils", "util", "common", "helpers", "misc", "tools"} == set()
