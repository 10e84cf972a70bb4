"""Arithmetic over a vendor's columns, as a mapping writes it: ``close * volume / (turn / 100)``.

Numbers, names of columns, ``+ - * /`` and parentheses, and `FUNCTIONS`. A name of other characters than letters,
digits and underscores stands in back quotes, as `成交量(手)` does. A comparison (``tradestatus == 0``) makes a flag,
and is the first part of ``when(condition, then, otherwise)``. Nothing else is understood: no text, no other calls.

The text is parsed by Python's own parser and never run: each node that isn't named here is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import AfterValidator

from deepfactor.core.arrays import AnyArray

#: What a formula may call, and of how many values.
FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "round": (2, lambda value, digits: np.round(value, int(digits))),
    "first": (2, lambda one, other: np.where(np.isnan(one), other, one)),
    "when": (3, lambda condition, then, otherwise: np.where(condition, then, otherwise)),
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[..., AnyArray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: lambda one, other: np.divide(one, np.where(other == 0, np.nan, other)),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[..., AnyArray]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_QUOTED = re.compile(r"`([^`]*)`")
_LONGEST = 1000
_SPACED = re.compile(r"\s(?:[-+*/<>]|[=!<>]=)\s")


def looks_like_one(text: str) -> bool:
    """Whether a short form is meant as a formula: it has an operator between spaces."""
    return _SPACED.search(text) is not None


@dataclass(frozen=True)
class Parsed:
    """A formula as a tree; `columns` are those that it reads, `flag` = a comparison."""

    tree: ast.expr
    names: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns (theirs), each once, as they come."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in called]
        return tuple(dict.fromkeys(self.names.get(node.id, node.id) for node in found))

    @property
    def flag(self) -> bool:
        """Whether it says yes or no."""
        return isinstance(self.tree, ast.Compare)


@lru_cache(maxsize=256)
def parsed(text: str) -> Parsed:
    """The tree of a formula.

    Raises
    ------
    ValueError
        it can't be understood; says where.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a formula has at most {_LONGEST} characters")
    names: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        name = f"quoted_{len(names)}_"
        names[name] = match[1]
        return name

    plain = _QUOTED.sub(placeholder, text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(
            f"{text!r} is no formula: write numbers, names of columns, + - * / and parentheses; a name with other "
            "characters stands in `back quotes`"
        ) from None
    found = Parsed(tree, names)
    _require_known(tree, text, top=True)
    if not found.columns:
        raise ValueError(f"{text!r} reads no column")
    return found


def _require_known(node: ast.expr, text: str, *, top: bool = False) -> None:
    """A ValueError for whatever `evaluated` doesn't understand."""
    if isinstance(node, ast.Name):
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _require_known(node.operand, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        _require_known(node.left, text)
        return _require_known(node.right, text)
    if isinstance(node, ast.Compare) and top and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        _require_known(node.left, text)
        return _require_known(node.comparators[0], text)
    if isinstance(node, ast.Call):
        return _require_known_call(node, text)
    part = ast.unparse(node)
    raise ValueError(f"{text!r}: {part!r} is not understood: there are numbers, columns, + - * / and {_known()}")


def _require_known_call(node: ast.Call, text: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in FUNCTIONS or node.keywords:
        raise ValueError(
            f"{text!r}: {ast.unparse(node.func)!r} is no function: there are {_known()}; a column's name stands in "
            "`back quotes`"
        )
    if len(node.args) != FUNCTIONS[name][0]:
        raise ValueError(f"{text!r}: {name} takes {FUNCTIONS[name][0]} values, given {len(node.args)}")
    if name == "when" and not isinstance(node.args[0], ast.Compare):
        raise ValueError(
            f"{text!r}: when(condition, then, otherwise) begins with a comparison, as trade_date >= 20200102"
        )
    if name == "round" and not (isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, int)):
        raise ValueError(f"{text!r}: round(value, digits) takes a whole number of digits")
    for place, argument in enumerate(node.args):
        _require_known(argument, text, top=name == "when" and place == 0)


def _known() -> str:
    return ", ".join(f"{name}()" for name in FUNCTIONS)


def _valid(text: str) -> str:
    parsed(text)
    return text


#: Arithmetic over columns, checked where a mapping is read.
Formula = Annotated[str, AfterValidator(_valid)]


def evaluated(text: str, columns: Mapping[str, pl.Series]) -> pl.Series:
    """The values of a formula: float64, missing where a value is missing or something is divided by 0; or flags.

    Parameters
    ----------
    columns : float64, null = missing. All of `parsed(text).columns`.
    """
    found = parsed(text)
    arrays = {name: series.to_numpy().astype(np.float64) for name, series in columns.items()}
    length = len(next(iter(columns.values())))
    with np.errstate(all="ignore"):
        values = np.broadcast_to(_value(found.tree, found.names, arrays), length)
    if found.flag:
        missing = pl.Series(np.logical_or.reduce([np.isnan(arrays[name]) for name in found.columns]))
        flags = pl.Series(values.astype(bool))
        return flags.zip_with(~missing, pl.Series([None], dtype=pl.Boolean).new_from_index(0, length))
    return pl.Series(np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def _value(node: ast.expr, names: Mapping[str, str], columns: Mapping[str, AnyArray]) -> Any:
    def of(part: ast.expr) -> Any:
        return _value(part, names, columns)

    if isinstance(node, ast.Constant):
        return np.asarray(float(node.value))  # type: ignore[arg-type]  # a number, see `_require_known`
    if isinstance(node, ast.Name):
        return columns[names.get(node.id, node.id)]
    if isinstance(node, ast.UnaryOp):
        return np.negative(of(node.operand))
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](of(node.left), of(node.right))
    if isinstance(node, ast.Compare):
        return _COMPARISONS[type(node.ops[0])](of(node.left), of(node.comparators[0]))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    value = FUNCTIONS[node.func.id][1](*map(of, node.args))
    condition = node.args[0]
    if isinstance(condition, ast.Compare):  # of what is missing nothing can be told
        unknown = np.isnan(of(condition.left)) | np.isnan(of(condition.comparators[0]))
        value = np.where(unknown, np.nan, value)
    return value
