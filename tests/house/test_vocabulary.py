"""The code's words stand in the glossary, each once; an array type has one name and one definition."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import deepfactor
from deepfactor.core import arrays
from house.test_rooms import rooms

PACKAGE = Path(deepfactor.__file__).parent
GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def glossary() -> list[str]:
    """The first cells of the code's tables."""
    code = GLOSSARY.read_text(encoding="utf-8").split("## Words of the code\n")[1]
    cells = re.findall(r"^\| ([^|]+?) \| [^|]*[\u4e00-\u9fff][^|]* \| [^|]+ \|$", code, re.MULTILINE)
    return [cell.strip("`") for cell in cells]


def array_names() -> set[str]:
    return {name for name in vars(arrays) if name[0].isupper()} - {"Any", "NDArray"}


def test_array_types_and_rooms_are_in_the_glossary_with_chinese() -> None:
    named = glossary()
    wanted = array_names() | {room.removeprefix("deepfactor.") for room in rooms()}
    assert {one for one in wanted if not one.startswith("_") and one not in named} == set()
    assert len(named) == len(set(named))


def test_no_file_has_an_array_type_of_its_own() -> None:
    """``Array = NDArray[np.float64]`` and the like stand in core/arrays; others where they are."""
    definitions = [node for node in ast.parse(Path(arrays.__file__).read_text()).body if isinstance(node, ast.Assign)]
    types = {ast.unparse(node.value) for node in definitions}
    own = []
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "NDArray[" in text and file != Path(arrays.__file__):
            parts = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Subscript))
            own += [f"{file.relative_to(PACKAGE)}: {one}" for one in map(ast.unparse, parts) if one in types]
    assert own == []
