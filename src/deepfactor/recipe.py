"""A recipe: one typed TOML an experiment, validated whole before any data are read.

TOML because YAML reads ``000300`` as 192 and ``2e-4`` as text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind, recipe_error, resolve
from deepfactor.core.spec import Spec
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.panel.universe import UniverseRule
from deepfactor.portfolio.presets import load_preset
from deepfactor.training.spec import Arm, Fit, Plan

FEATURES, LABELS, STYLES = "deepfactor.features", "deepfactor.labels", "deepfactor.styles"
MODELS, LOSSES = "deepfactor.models", "deepfactor.training.losses"


class Portfolio(Spec):
    """An index-enhanced portfolio: `index` code, `constraints` (a preset or a TOML file), the `arms` (none = all)."""

    index: str
    constraints: str = "study_b"
    arms: tuple[str, ...] = ()
    capital: float = Field(default=1e8, gt=0)


class Recipe(Spec):
    """Everything that decides an experiment's numbers, apart from the market's data.

    `arms` share data, label, plan and tests, and are compared in one report.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    universe: UniverseRule = UniverseRule()
    features: Kind = Kind(kind="price_volume")
    label: Kind = Kind(kind="neutral_return")
    styles: Kind = Kind(kind="basic")
    plan: Plan
    fit: Fit = Fit()
    arms: tuple[Arm, ...] = Field(min_length=1)
    test: TestSettings = TestSettings()
    portfolios: tuple[Portfolio, ...] = ()

    @field_validator("arms")
    @classmethod
    def _arm_names_differ(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        names = [arm.name for arm in arms]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two arms have the same name: {', '.join(sorted(twice))}")
        return arms


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    names = (item.name for item in files("deepfactor.recipes").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str, settings: Iterable[str] = (), *, allow_code: bool = False) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    name : a shipped recipe's name or the path of a TOML file.
    settings : ``key=value`` overrides; the key is dotted (``fit.epochs``, ``arms.0.model.groups``), the value is TOML.
    allow_code : take kinds from outside deepfactor.

    Raises
    ------
    RecipeError
        names the key, what was given and what is possible.
    """
    content = _read(name)
    for setting in settings:
        _override(content, setting)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise recipe_error(error) from None
    _check_kinds(recipe, allow_code=allow_code)
    return recipe


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        if not path.is_file():
            raise RecipeError(f"no recipe file {path}")
        text = path.read_text(encoding="utf-8")
    elif name in shipped_recipes():
        text = (files("deepfactor.recipes") / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f"no recipe {name!r}: give a .toml file or one of {', '.join(shipped_recipes())}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name} is not valid TOML: {error}") from None


def _override(content: dict[str, Any], setting: str) -> None:
    """Set one dotted key of the recipe's content in place."""
    key, separator, text = setting.partition("=")
    if not separator:
        raise RecipeError(f"--set {setting!r} has no '=': write key=value, as in fit.epochs=12")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.strip().split(".")
    place: Any = content
    for step in path:
        place = _enter(place, step, key)
    if isinstance(place, list):
        place[_position(place, last, key)] = value
    else:
        place[last] = value


def _enter(place: Any, step: str, key: str) -> Any:
    if isinstance(place, list):
        return place[_position(place, step, key)]
    if not isinstance(place, dict):
        raise RecipeError(f"{step!r} is no table", key=key)
    return place.setdefault(step, {})


def _position(place: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise RecipeError(f"{step!r} is no position in a list of {len(place)}", key=key)
    return int(step)


def _check_kinds(recipe: Recipe, *, allow_code: bool) -> None:
    """Every kind exists and takes its settings; every portfolio names arms that exist."""
    for room, key in ((FEATURES, "features"), (LABELS, "label"), (STYLES, "styles")):
        resolve(room, getattr(recipe, key), key=key, allow_code=allow_code)
    for i, arm in enumerate(recipe.arms):
        resolve(MODELS, arm.model, key=f"arms.{i}.model", allow_code=allow_code)
        resolve(LOSSES, arm.loss, key=f"arms.{i}.loss", allow_code=allow_code)
    names = [arm.name for arm in recipe.arms]
    for i, portfolio in enumerate(recipe.portfolios):
        load_preset(portfolio.constraints)
        for name in portfolio.arms:
            if name not in names:
                raise RecipeError(f"no arm {name!r}: there are {', '.join(names)}", key=f"portfolios.{i}.arms")
