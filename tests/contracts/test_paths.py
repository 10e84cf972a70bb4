"""No path is a pattern: every table is read by its own name."""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl
import pytest

import deepfactor
from deepfactor.store.parquet import parquet_schema, read_parquet, scan_parquet, write_parquet

SOURCE = Path(deepfactor.__file__).parent
NAMES = ("[1]", "g*", "a?", "**", "{a,b}", "[!a]", "%41", "file:x", "s3:x", "数据 [2021]", "a'b\"", "~", "-x", "a#b")


def reads(tree: ast.AST) -> list[ast.Call]:
    """Calls of polars that take a path; not those that are given an open `handle`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "pl"
        and node.func.attr.startswith(("read_", "scan_"))
        and not (isinstance(node.args[0], ast.Name) and node.args[0].id == "handle")
    ]


@pytest.mark.slow
def test_polars_is_never_asked_to_expand_a_path() -> None:
    found = [(file, call) for file in SOURCE.rglob("*.py") for call in reads(ast.parse(file.read_text("utf-8")))]
    assert len(found) >= 3, "the law looks at nothing"
    for file, call in found:
        said = {word.arg: word.value for word in call.keywords}
        glob = said.get("glob")
        assert isinstance(glob, ast.Constant), f"{file}:{call.lineno}: glob=False is missing"
        assert glob.value is False, f"{file}:{call.lineno}: glob=False is missing"


def test_the_law_sees_a_pattern() -> None:
    assert len(reads(ast.parse("pl.read_parquet(path)\npl.scan_csv(path, glob=False)\nread_parquet(path)"))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_parquet(Path("gA.parquet"), pl.DataFrame({"a": [9]}))
    file = Path(f"{name}.parquet")
    write_parquet(file, pl.DataFrame({"a": [1]}))
    assert read_parquet(file)["a"].to_list() == [1]
    assert scan_parquet([file]).collect()["a"].to_list() == [1]
    assert parquet_schema(file) == {"a": pl.Int64}
