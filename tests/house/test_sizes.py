"""Limits of size, held by a machine: files of at most 400 lines, short functions, faces that hold what they list."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import deepfactor

PACKAGE = Path(deepfactor.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MOST_OF_A_FUNCTION, MOST_AT_THE_90TH = 400, 70, 18


def function_lines(source: str) -> dict[str, int]:
    """Lines of each function, its docstring left out."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = ast.get_docstring(node) is not None and (first.end_lineno or 0) - first.lineno + 1
            found[f"{node.name}:{node.lineno}"] = (node.end_lineno or 0) - node.lineno + 1 - docstring
    return found


def test_the_measure_leaves_docstrings_out():
    assert function_lines('def f():\n    """One.\n\n    Two."""\n    return 1\n') == {"f:1": 2}
    assert function_lines("def f():\n    return 1\n") == {"f:1": 2}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_and_functions_are_short(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    assert {name: n for name, n in function_lines(source).items() if n > MOST_OF_A_FUNCTION} == {}


@pytest.mark.slow
def test_nine_functions_of_ten_are_short() -> None:
    lines = [n for file in FILES for n in function_lines(file.read_text(encoding="utf-8")).values()]
    assert np.percentile(lines, 90) <= MOST_AT_THE_90TH


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(deepfactor.__path__, "deepfactor.") if "._kernels." not in m.name]


def test_a_face_holds_what_it_lists() -> None:
    """`__all__` is sorted as ruff wants it, without repetition, and every name is there."""
    for name in modules():
        module = importlib.import_module(name) if name != "deepfactor.__main__" else deepfactor
        listed = getattr(module, "__all__", ())
        assert len(set(listed)) == len(listed), name
        assert [item for item in listed if not hasattr(module, item)] == [], name
