"""Every setting that a user can write is read somewhere: one that nothing reads is a promise that nothing keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mypy.build import BuildSource, build
from mypy.nodes import MemberExpr, TypeInfo, Var
from mypy.options import Options
from mypy.types import Instance, TypeType, UnionType, get_proper_type

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"
SPEC = "deepfactor.core.spec.Spec"
#: Read where types can't show it, and where that is.
ELSEWHERE = {
    "evaluation.settings.TestSettings.preset": "by its own validator, before there is a model",
    "features.alpha.Settings.window": "pipeline.inputs, from the settings of whatever feature set it is",
    "features.daily_set.Settings.window": "the same",
    "features.hand_features.Settings.window": "the same",
    "recipe.Recipe.title": "report, from recipe.json",
    **{
        f"sources._simulation.settings.Strength.{part}": "strength_of, by the part's name"
        for part in ("reversal", "trend", "divergence", "drift", "value", "spillover")
    },
}


def checked(folder: Path, package: str) -> Any:
    """The package as mypy understands it, third parties left out."""
    options = Options()
    options.export_types = options.preserve_asts = options.check_untyped_defs = options.ignore_errors = True
    options.incremental, options.follow_imports, options.ignore_missing_imports = False, "skip", True
    options.cache_dir, options.mypy_path = "/dev/null", [str(folder)]
    sources = []
    for path in sorted((folder / package).rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        sources.append(BuildSource(str(path), ".".join(parts[:-1] if parts[-1] == "__init__" else parts)))
    return build(sources, options)


def unread(folder: Path, package: str, base: str) -> list[str]:
    """Fields of the classes under `base` that nothing reads as an attribute, by their names inside the package."""
    found = checked(folder, package)
    read = {
        (owner.fullname, expression.name)
        for expression in found.types
        if isinstance(expression, MemberExpr) and expression.expr in found.types
        for info in _classes(found.types[expression.expr])
        for owner in info.mro
        if expression.name in owner.names
    }
    missing = []
    for module, tree in found.files.items():
        if not module.startswith(package):
            continue
        text = Path(tree.path).read_text(encoding="utf-8")
        for info in (symbol.node for symbol in tree.names.values()):
            own = isinstance(info, TypeInfo) and info.module_name == module
            if own and any(parent.fullname == base for parent in info.mro[1:]):
                missing += [
                    f"{info.fullname.removeprefix(package + '.')}.{name}"
                    for name in _fields(info)
                    # Without a third party's types mypy takes some lines for unreachable.
                    if (info.fullname, name) not in read and not re.search(rf"\bsettings\.{name}\b", text)
                ]
    return missing


def _classes(kind: Any) -> Iterator[TypeInfo]:
    kind = get_proper_type(kind)
    if isinstance(kind, UnionType):
        for item in kind.items:
            yield from _classes(item)
    elif isinstance(kind, TypeType):
        yield from _classes(kind.item)
    elif isinstance(kind, Instance):
        yield kind.type


def _fields(info: TypeInfo) -> list[str]:
    own = {name: symbol.node for name, symbol in info.names.items() if not name.startswith("_")}
    return [
        name
        for name, node in own.items()
        if isinstance(node, Var) and not node.is_classvar and not node.is_inferred and name != "model_config"
    ]


@pytest.fixture(scope="module")
def left() -> list[str]:
    return unread(SOURCE, "deepfactor", SPEC)


def test_every_setting_is_read(left: list[str]) -> None:
    assert sorted(set(left) - ELSEWHERE.keys()) == []


def test_nothing_is_excused_that_needs_no_excuse(left: list[str]) -> None:
    assert sorted(ELSEWHERE.keys() - set(left)) == []


def test_an_unread_setting_is_found(tmp_path: Path) -> None:
    """By its type: another class's field of the same name is read, this one's isn't."""
    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "spec.py").write_text("class Spec:\n    pass\n")
    (package / "use.py").write_text(
        "from small.spec import Spec\n"
        "class One(Spec):\n    signal: str = 'x'\n    fill: str = 'y'\n"
        "class Other:\n    signal: str = 'z'\n"
        "def use(one: One, other: Other) -> str:\n    return one.fill + other.signal\n"
    )
    assert unread(tmp_path, "small", "small.spec.Spec") == ["use.One.signal"]
