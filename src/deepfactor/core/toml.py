"""TOML that a user wrote: a table, or a `RecipeError` that says where it is none."""

from __future__ import annotations

import tomllib
from importlib.resources.abc import Traversable
from typing import Any

from deepfactor.core.errors import RecipeError


def read_toml(file: Traversable, name: str) -> dict[str, Any]:
    """The content of a TOML file, UTF-8 with or without a byte order mark; `name` is what messages call it.

    Raises
    ------
    RecipeError
        a file that can't be read, isn't UTF-8 or isn't TOML.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{name} is not UTF-8 (byte {error.start}: {error.reason}): save it as UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise RecipeError(f"{name} can't be read: {error}") from None
    return parse_toml(text, name)


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The table that a TOML text holds.

    Raises
    ------
    RecipeError
        no TOML: says the line, where the reader does.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise RecipeError(f"{name} can't be read as TOML: it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError among them, and numbers of thousands of digits
        raise RecipeError(f"{name} can't be read as TOML: {error}") from None


def toml_value(text: str) -> Any:
    """The value that a text stands for on the command line: of TOML, or the text itself where it is none."""
    try:
        return parse_toml(f"value = {text}", "the value")["value"]
    except RecipeError:
        return text
