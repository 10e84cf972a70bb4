"""What the terminal can say, read off the files: messages of errors, of progress and of the verbs, as forms.

A form is a text whose places have letters in their order: ``f"no arm {name!r}: {known}"`` is ``no arm {a}: {b}``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import deepfactor

SOURCE = Path(deepfactor.__file__).parent
#: Faults of ours, which end in a traceback and are said in English.
FAULTS = {"RuntimeError", "AssertionError", "TypeError", "AttributeError", "KeyError", "NotImplementedError", "Exit"}
#: Methods and functions that say what they are given.
SAYERS = {"say", "progress", "step", "finish", "show", "spoken", "speak", "_said", "BadParameter", "Progress"}
#: Outside of `cli`, files and functions whose strings are lines for the terminal.
TELLERS = {
    "backtest/span.py",
    "core/choices.py",
    "evaluation/definitions.py",
    "models/_kernels/__init__.py",
    "panel/weighting.py",
    "pipeline/doctor.py",
    "pipeline/enhancing.py",
    "pipeline/training.py",
    "pipeline/market_pair.py",
    "pipeline/placebo.py:placebo_line",
    "pipeline/what_if.py:table",
    "pipeline/planning.py",
}
#: Two words at least, or one beside a place: another single one is a name or a term.
PROSE = re.compile(r"[A-Za-z]{2,}[ ,;:'`.()-]+(\{\w\}[ ,;:'`.()-]*)*[A-Za-z]{2,}|[A-Za-z]{3,} \{|\} [A-Za-z]{3,}")
#: Of the verbs, also a word before a colon, and heads of columns.
LOOSE = re.compile(r"(?=.* ).*[A-Za-z]{3,}", re.DOTALL)
#: Of places; n would hold a whole number, see `deepfactor.core.words.Sentence`.
LETTERS = "abcdefghijklmopqrstuvwxyz"
#: What can be a text within a place.
INNER = (ast.IfExp, ast.Name, ast.JoinedStr, ast.BoolOp)
#: Rather names than words: of keys, options, metadata; what is typed.
NAMES = re.compile(r"[\w{}./-]+|deepfactor: \{a\}(\n\{b\})?|(show|new) [\w.]+|pd\.DataFrame.*|\{a\} MiB  \{b\}  \{c\}")


def spoken() -> Iterator[tuple[str, str]]:
    """Place (file:line) and form of all that the terminal can say."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    errors = _errors(trees.values()) - FAULTS
    for path, tree in trees.items():
        if (name := path.relative_to(SOURCE).as_posix()) != "cli/helping.py":  # which makes the Chinese
            yield from _Reader(name, tree, errors).found()


def form_of(node: ast.expr, *, with_places: bool = False) -> str | None:
    """A text with letters for its places; None where it is none. `with_places`: it is filled by `format`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if with_places else _plain(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [form_of(part, with_places=with_places) for part in (node.left, node.right)]
        return None if None in parts else "".join(map(str, parts))
    if not isinstance(node, ast.JoinedStr):
        return None
    places = iter(LETTERS)
    return "".join(
        _plain(str(one.value)) if isinstance(one, ast.Constant) else f"{{{next(places)}}}" for one in node.values
    )


def _plain(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class _Reader(ast.NodeVisitor):
    """Collects the forms of one file."""

    def __init__(self, name: str, tree: ast.Module, errors: set[str]) -> None:
        self.name, self.tree, self.errors = name, tree, errors
        self.lines: dict[str, int] = {}
        self.scopes = [_assigned(tree.body)]
        self.all = name.startswith("cli/") or name in TELLERS

    def found(self) -> Iterator[tuple[str, str]]:
        if self.all:
            for value in (one for values in self.scopes[0].values() for one in values if isinstance(one, ast.Dict)):
                self._prose(value)
        self.visit(self.tree)
        yield from ((f"{self.name}:{line}", form) for form, line in self.lines.items())

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scopes.append(_assigned(ast.walk(node)))
        for statement in node.body[1:] if ast.get_docstring(node) is not None else node.body:
            if self.all or f"{self.name}:{node.name}" in TELLERS:
                self._prose(statement)
            self.visit(statement)
        self.scopes.pop()

    def visit_Call(self, node: ast.Call) -> None:
        if _called(node) in self.errors | SAYERS:
            self._arguments(node)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call) and _called(node.exc) not in FAULTS:
            self._arguments(node.exc)
        self.generic_visit(node)

    def _arguments(self, node: ast.Call) -> None:
        for argument in [*node.args, *(one.value for one in node.keywords)]:
            self._add(argument, 3)

    def _prose(self, node: ast.AST) -> None:
        """All texts of a statement but those that bring their Chinese."""
        if isinstance(node, ast.expr) and form_of(node) is not None:
            self._add(node, 0)
        elif not (isinstance(node, (ast.FunctionDef, ast.ImportFrom)) or _brings_chinese(node)):
            for child in ast.iter_child_nodes(node):
                self._prose(child)

    def _add(self, node: ast.expr, depth: int, with_places: bool = False) -> None:
        """The texts that `node` can be; of a name those that it stands for, so deep."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            self._add(node.func.value, depth, with_places=True)
            return
        for part in _ways(node):
            self._add(part, depth, with_places)
        if isinstance(node, ast.Name) and depth:
            for value in next((scope[node.id] for scope in reversed(self.scopes) if node.id in scope), ()):
                self._add(value, depth - 1, with_places)
        form = form_of(node, with_places=with_places)
        if form is not None:
            if not NAMES.fullmatch(form) and (PROSE.search(form) or (self.all and LOOSE.match(form))):
                self.lines.setdefault(form, node.lineno)
            for place in ast.walk(node):
                if isinstance(place, ast.FormattedValue) and isinstance(place.value, INNER):
                    self._add(place.value, depth)


def _ways(node: ast.expr) -> Iterable[ast.expr]:
    """What stands for `node`: one of two, or all of several."""
    if isinstance(node, ast.IfExp):
        return node.body, node.orelse
    if isinstance(node, (ast.Tuple, ast.List)):
        return node.elts
    if isinstance(node, ast.BoolOp):
        return node.values
    return (node.value,) if isinstance(node, ast.Starred) else ()


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """By name the values that it is given."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None:
            found.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, given in zip(target.elts, value.elts, strict=False):
                if isinstance(one, ast.Name):
                    found.setdefault(one.id, []).append(given)
    return found


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _brings_chinese(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _called(node) in {"Text", "Sentence"}


def _errors(trees: Iterable[ast.Module]) -> set[str]:
    """Names of classes that are exceptions."""
    bases = {
        node.name: {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"Exception", "ValueError", "RuntimeError", "KeyError"}
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return known
