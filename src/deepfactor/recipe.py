"""A recipe: one typed TOML an experiment, validated whole before any data are read.

TOML because YAML reads ``000300`` as 192 and ``2e-4`` as text.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from deepfactor.backtest.loop import MOST_CAPITAL
from deepfactor.backtest.placebo import usual_draws
from deepfactor.core.choices import choices
from deepfactor.core.days import Day
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind, recipe_error, wrong
from deepfactor.core.spec import Spec
from deepfactor.core.toml import read_toml, toml_value
from deepfactor.core.trust import Trust
from deepfactor.evaluation.combination import CombinationSettings
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.features.base import ROOM as FEATURES
from deepfactor.features.base import FeatureSet
from deepfactor.features.quarters import QuarterSettings
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.inputs.base import ChosenInput, Input
from deepfactor.labels.base import ROOM as LABELS
from deepfactor.labels.base import Label
from deepfactor.market.fees import Costs
from deepfactor.models.base import WINDOWS
from deepfactor.panel.schedule import Schedule
from deepfactor.panel.universe import UniverseRule
from deepfactor.portfolio.presets import Enhancement, load_preset, preset_names
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.styles.base import StyleSet
from deepfactor.training.arms import Arm, ArmName
from deepfactor.training.data import ROW_WEIGHTS
from deepfactor.training.spec import Fit, Plan

#: Inputs whose settings a recipe says elsewhere, or that have none to say.
HAVE_KEYS = {
    "fundamentals": "write it as [fundamentals]",
    "neighbours": "write it as the graph of an arm",
    "size_rank": "there is nothing to say of it",
}


class Portfolio(Spec):
    """An index-enhanced portfolio of each of its arms, which follows the arm's scores."""

    index: str = Field(description="code of the index, such as `000905.SH`")
    constraints: str = Field(
        default="study_b", description="a shipped constraint set, or the path of a constraint file"
    )
    arms: tuple[str, ...] = Field(
        default=(), description="arms and combinations that get such a portfolio each; none = all"
    )
    start: Day | None = Field(default=None, description="first day, inclusive; none = the first that is scored")
    end: Day | None = Field(default=None, description="last day, inclusive; none = the last that is scored")
    capital: float = Field(default=1e8, gt=0, le=MOST_CAPITAL, description="CNY at the start")
    styles: StyleSet | None = Field(default=None, description="style set instead of the constraint file's")
    costs: Costs | None = Field(default=None, description="what a trade costs, instead of the constraint file's")
    haircut: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="fraction of its last price that a delisted holding loses, instead of the constraint file's",
    )
    signal: Schedule | None = Field(
        default=None,
        description="days on whose closes it is decided anew (`week_end`, `month_end`, `daily`, `every:N` or a list of "
        "days), instead of the constraint file's",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Portfolio:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        return self


class Combination(CombinationSettings):
    """A factor out of the ensembles of the arms `of`, in this order; tested and enhanced like an arm."""

    name: ArmName = Field(description="its name in the report, and its folder's")
    of: tuple[str, ...] = Field(min_length=2, description="arms of the recipe")


class Recipe(Spec):
    """All that decides an experiment's numbers, apart from the market's data; its kinds are found and checked."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        max_length=100,
        description="name of the run's folder: small letters, digits, `-` and `_`",
    )
    title: str = Field(description="heading of the report")
    universe: UniverseRule = Field(default=UniverseRule(), description="who is eligible on a day")
    features: FeatureSet = Field(
        default_factory=lambda: FEATURES.choose("price_volume"),
        description="what an arm reads that names none of its own",
    )
    fundamentals: QuarterSettings = Field(
        default=QuarterSettings(), description="what a network that reads company reports is given of them"
    )
    inputs: dict[str, ChosenInput] = Field(
        default_factory=dict, description="settings of what else networks read, by name"
    )
    label: Label = Field(
        default_factory=lambda: LABELS.choose("neutral_return"),
        description="what an arm is trained to foresee that names none of its own",
    )
    styles: StyleSet = Field(
        default_factory=lambda: STYLES.choose("basic"),
        description="style set that factors and portfolios are held against",
    )
    plan: Plan = Field(description="spans of training, validation and test")
    fit: Fit = Field(default=Fit(), description="how networks are trained")
    arms: tuple[Arm, ...] = Field(
        min_length=1, description="ways to score, on the same data, plan and tests, compared in one report"
    )
    combinations: tuple[Combination, ...] = Field(default=(), description="factors made of the scores of several arms")
    test: TestSettings = Field(default=TestSettings(), description="what every factor is tested for")
    portfolios: tuple[Portfolio, ...] = Field(default=(), description="index-enhanced portfolios of the factors")
    placebo: int = Field(
        default_factory=usual_draws,
        ge=0,
        le=1000,
        description="random scores that each portfolio is shown beside; 0 = none",
    )

    def inputs_of(self, arm: Arm) -> list[Input]:
        """What `arm` reads beside windows, with its settings, by name: of company reports `fundamentals`, of neighbours
        the arm's graph, of others their own of `inputs`."""
        own = {"fundamentals": self.fundamentals.model_dump(), "neighbours": {"graph": arm.graph}}
        names = sorted(arm.scorer.reads() - {WINDOWS})
        return [self.inputs.get(name) or INPUTS.choose(Kind(kind=name, **own.get(name, {}))) for name in names]

    def learnt_with(self, arm: Arm) -> list[Input]:
        """The same, and what only training reads: how much stock-days count."""
        weights = [] if arm.train_on == "all" else [INPUTS.choose(Kind(kind=ROW_WEIGHTS, by=arm.train_on))]
        return [*self.inputs_of(arm), *weights]

    @property
    def scored(self) -> tuple[str, ...]:
        """Names of all that gets scores: arms, then combinations."""
        return *(arm.name for arm in self.arms), *(one.name for one in self.combinations)

    @field_validator("inputs", mode="before")
    @classmethod
    def _named_by_their_keys(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for name in given:
            if name in HAVE_KEYS:
                raise wrong(name, f"{name} has a key of its own: {HAVE_KEYS[name]}")
        return {name: {"kind": name, **one} if isinstance(one, dict) else one for name, one in given.items()}

    @model_serializer(mode="wrap")
    def _inputs_where_said(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        content = write(self)
        said = {name: {k: v for k, v in one.items() if k != "kind"} for name, one in content.pop("inputs", {}).items()}
        return {**content, "inputs": said} if said else content

    @field_validator("name")
    @classmethod
    def _is_no_folder_of_ours(cls, name: str) -> str:
        if name == "jobs":
            raise ValueError("'jobs' is the folder of trained jobs beside the runs: take another name")
        return name

    @field_validator("arms")
    @classmethod
    def _arm_names_differ(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        names = [arm.name for arm in arms]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two arms have the same name: {', '.join(sorted(twice))}")
        return arms

    @model_validator(mode="after")
    def _inputs_are_read(self) -> Recipe:
        for name in self.inputs:
            if not any(name in arm.scorer.reads() for arm in self.arms):
                raise wrong(("inputs", name), "no arm's network reads it: leave it out")
        return self

    @model_validator(mode="after")
    def _combinations_are_of_arms(self) -> Recipe:
        arms = [arm.name for arm in self.arms]
        for i, one in enumerate(self.combinations):
            if self.scored.count(one.name) > 1:
                raise ValueError(f"combinations.{i}.name: {one.name!r} is the name of another arm or combination")
            if unknown := [name for name in one.of if name not in arms]:
                raise ValueError(f"combinations.{i}.of: no arm {unknown[0]!r}: {choices(unknown[0], arms)}")
            if len(set(one.of)) < len(one.of):
                raise ValueError(f"combinations.{i}.of: an arm stands twice among {', '.join(one.of)}")
        return self


def load_constraints(portfolio: Portfolio, prefix: str = "") -> Enhancement:
    """The preset of a portfolio with what it says otherwise; a `RecipeError` names the key behind `prefix`."""
    try:
        preset = load_preset(portfolio.constraints)
    except RecipeError as error:
        raise RecipeError(str(error), key=f"{prefix}constraints") from None
    said = ("styles", "costs", "haircut", "signal")
    own = {name: value for name in said if (value := getattr(portfolio, name)) is not None}
    return preset.model_copy(update=own)


def unchanged_preset(portfolio: Portfolio) -> str | None:
    """The shipped preset that a portfolio takes as it is; None for a file, or where the portfolio says otherwise."""
    own = (portfolio.styles, portfolio.costs, portfolio.haircut, portfolio.signal)
    shipped = portfolio.constraints in preset_names()
    return portfolio.constraints if shipped and all(value is None for value in own) else None


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    names = (item.name for item in files("deepfactor.recipes").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str, settings: Iterable[str] = (), *, allow_code: bool = False) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    name : a shipped recipe's name or the path of a TOML file.
    settings : ``key=value`` overrides; the key is dotted (``fit.epochs``, ``arms.gru_ic.model.groups``; ``arms.0`` is
        the first), the value is TOML.
    allow_code : take kinds from outside deepfactor.

    Raises
    ------
    RecipeError
        names the key, what was given and what is possible.
    """
    content = read_toml(recipe_file(name), name)
    for setting in settings:
        _override(content, setting)
    try:
        recipe = Recipe.model_validate(content, context=Trust(allow_code))
    except ValidationError as error:
        raise recipe_error(error) from None
    check_portfolios(recipe)
    return recipe


def recipe_file(name: str) -> Traversable:
    """The file of a shipped recipe or a TOML; a `RecipeError` where there is none."""
    shipped = name in shipped_recipes()  # first: `demo` is also the folder that the demo leaves
    path = files("deepfactor.recipes") / f"{name}.toml" if shipped else Path(name)
    if not path.is_file():
        raise RecipeError(f"no recipe {name!r}: give a .toml file or a shipped one: {choices(name, shipped_recipes())}")
    return path


def _override(content: dict[str, object], setting: str) -> None:
    """Set one dotted key of the recipe's content in place."""
    key, separator, text = setting.partition("=")
    if not separator:
        raise RecipeError(f"--set {setting!r} has no '=': write key=value, as in fit.epochs=12")
    value = toml_value(text)
    *path, last = key.strip().split(".")
    if "" in (*path, last):
        raise RecipeError(f"--set {setting!r} names no key: write key=value, as in fit.epochs=12")
    place: Any = content
    for step in path:
        place = _enter(place, step, key)
    if isinstance(place, list):
        place[_position(place, last, key)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise RecipeError(f"{place!r} is no table, so it has no {last!r}", key=key)


def _enter(place: Any, step: str, key: str) -> Any:
    if isinstance(place, list):
        return place[_position(place, step, key)]
    if not isinstance(place, dict):
        raise RecipeError(f"{place!r} is no table, so it has no {step!r}", key=key)
    return place.setdefault(step, {})


def _position(place: list[Any], step: str, key: str) -> int:
    """Of a position from 0 on, or of the first table with that name."""
    if step.isdigit() and int(step) < len(place):
        return int(step)
    names = [str(entry["name"]) for entry in place if isinstance(entry, dict) and "name" in entry]
    for i, entry in enumerate(place):
        if isinstance(entry, dict) and entry.get("name") == step:
            return i
    raise RecipeError(
        f"{step!r} is no position in a list of {len(place)}, and no name: {choices(step, names)}", key=key
    )


def check_portfolios(recipe: Recipe) -> None:
    """Every portfolio has constraints and arms that exist, and a folder of its own."""
    names = recipe.scored
    places = set()
    for i, portfolio in enumerate(recipe.portfolios):
        load_constraints(portfolio, f"portfolios.{i}.")
        for name in portfolio.arms:
            if name not in names:
                raise RecipeError(f"no arm {name!r}: {choices(name, names)}", key=f"portfolios.{i}.arms")
        for name in portfolio.arms or names:
            place = (name, portfolio.index, Path(portfolio.constraints).stem)
            if place in places:
                raise RecipeError(f"a second {'/'.join(place)} would replace the first", key=f"portfolios.{i}")
            places.add(place)
