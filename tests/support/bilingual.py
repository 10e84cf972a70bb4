"""Every bilingual text that is written out in the source, found by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import deepfactor

PACKAGE = Path(deepfactor.__file__).parent
SAY = re.compile(r'say\(("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")\)')


def written_texts() -> list[tuple[str, str, str]]:
    """Where, English, Chinese: of ``Text`` and ``Sentence`` of two literals in the code, ``say`` in the templates."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        found += [(f"{path.name}:{line}", en, zh) for line, en, zh in _calls(path.read_text(encoding="utf-8"))]
    for path in sorted(PACKAGE.rglob("*.j2")):
        pairs = SAY.findall(path.read_text(encoding="utf-8"))
        found += [(path.name, ast.literal_eval(en), ast.literal_eval(zh)) for en, zh in pairs]
    return found


def _calls(source: str) -> Iterator[tuple[int, str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Text", "Sentence"):
            values = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if len(values) == 2:
                yield node.lineno, values[0], values[1]
