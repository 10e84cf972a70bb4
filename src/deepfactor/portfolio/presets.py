"""A study's whole enhancement as one TOML file: constraints, order of relaxation, names, signal, fill and cost.

`load_preset("study_a")` reads one that ships; ``load_preset("mine.toml")`` reads your own, with the same keys.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind, recipe_error
from deepfactor.core.toml import read_toml
from deepfactor.market.fees import Costs
from deepfactor.portfolio.enhancer import EnhanceSettings, IndexEnhancer


class Enhancement(EnhanceSettings):
    """`EnhanceSettings` and what the backtest needs beside.

    `indices`: index codes the study enhances. `signal`: "week_end" = the score of the last trading day of each week.
    `fill`: price of the next trading day at which orders fill. `costs`: what a trade costs. `haircut`: what a delisted
    holding loses of its last price. `exclude`: names that may not be bought ("st"), or not be traded at all
    ("suspended", "limit_locked"). `styles`: the style set that the constraints mean; None = whatever the command has.
    """

    name: str = "custom"
    indices: tuple[str, ...] = ("000905.SH",)
    signal: Literal["week_end"] = "week_end"
    fill: Literal["next_vwap", "next_close"] = "next_close"
    costs: Costs = Costs(rate=0.00125)
    haircut: float = Field(default=0.3, ge=0.0, le=1.0)
    exclude: tuple[Literal["st", "suspended", "limit_locked"], ...] = ("suspended", "limit_locked")
    styles: Kind | None = None


def preset_names() -> tuple[str, ...]:
    """Names of the presets that ship, sorted."""
    folder = resources.files("deepfactor.portfolio") / "presets"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def load_preset(name_or_path: str | Path) -> Enhancement:
    """A preset by name, or any TOML file with its keys; checked whole, constraints too.

    Raises
    ------
    RecipeError
        no such preset or file, TOML that can't be read, an unknown or wrong key; names it and what there is.
    """
    given = str(name_or_path)
    content = read_toml(_file(given), given)
    enhancement = parse_enhancement({"name": Path(given).stem, **content})
    IndexEnhancer(enhancement)
    return enhancement


def parse_enhancement(content: dict[str, Any], *, key: str = "") -> Enhancement:
    """An `Enhancement` from a TOML table that stands at `key` of a recipe."""
    try:
        return Enhancement(**content)
    except ValidationError as error:
        raise recipe_error(error, key) from None


def _file(given: str) -> Traversable:
    if given in preset_names():
        return resources.files("deepfactor.portfolio") / "presets" / f"{given}.toml"
    path = Path(given)
    if not path.is_file():
        raise RecipeError(f"no preset or file {given!r}: {choices(given, preset_names())}")
    return path
