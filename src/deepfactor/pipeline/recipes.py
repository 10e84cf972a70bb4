"""Recipes to look at, and to begin an own one from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

from deepfactor.core.errors import RecipeError
from deepfactor.core.files import write_text
from deepfactor.core.toml import read_toml
from deepfactor.core.words import Text
from deepfactor.recipe import load_recipe, recipe_file, shipped_recipes

#: The Chinese of a title stands behind it, as a comment.
_TITLE = re.compile(r'^title = "(?P<en>[^"]*)"(?:\s*#\s*(?P<zh>.*))?$', re.MULTILINE)
_NAME = re.compile(r'^name = "[^"]*"', re.MULTILINE)
#: What a recipe may be called: it names a folder.
_CALLED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class RecipeRecord(TypedDict):
    """A recipe in short. `folds` depend on the market, and are said by `run --dry-run`."""

    name: str
    title: str
    title_zh: str
    arms: list[str]
    seeds: list[int]
    epochs: int
    indices: list[str]


def shipped() -> list[RecipeRecord]:
    """All shipped recipes, by name."""
    return [describe(name) for name in shipped_recipes()]


def describe(name: str) -> RecipeRecord:
    """A recipe, shipped or a TOML, in short; a `RecipeError` where it is none."""
    recipe, title = load_recipe(name), _title(text_of(name))
    return {
        "name": recipe.name,
        "title": str(title),
        "title_zh": title.zh,
        "arms": list(recipe.scored),
        "seeds": list(recipe.fit.seeds),
        "epochs": recipe.fit.epochs,
        "indices": sorted({portfolio.index for portfolio in recipe.portfolios}),
    }


def text_of(name: str) -> str:
    """A recipe as it is written, its comments among it.

    Raises
    ------
    RecipeError
        there is none.
    """
    path = recipe_file(name)
    read_toml(path, name)  # an encoding that is none, with its line
    return path.read_text(encoding="utf-8")


def begin(path: Path, like: str) -> RecipeRecord:
    """Write a recipe of one's own at `path`, as `like` is and named as the file.

    Raises
    ------
    RecipeError
        there is a file already, it doesn't end in .toml, its name is no folder's, or there is no recipe `like`.
    """
    if path.suffix != ".toml" or not _CALLED.fullmatch(path.stem):
        raise RecipeError(f"{path}: call it by letters, digits, - and _, ending in .toml, as in my_first.toml")
    if path.exists():
        raise RecipeError(f"{path} is there already: choose another name, or edit that one")
    if path.stem in shipped_recipes():
        raise RecipeError(f"{path.stem} is a shipped recipe, which `run {path.stem}` would take: choose another name")
    written = _NAME.sub(f'name = "{path.stem}"', text_of(like), count=1)
    write_text(path, written)
    return describe(str(path))


def _title(text: str) -> Text:
    found = _TITLE.search(text)
    if found is None:
        return Text("", "")
    return Text(found["en"], (found["zh"] or found["en"]).strip())
