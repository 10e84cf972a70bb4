"""A study's whole enhancement as one TOML file: constraints, order of relaxation, names, fill, cost and definitions.

`load_preset("study_a")` reads one that ships; ``load_preset("mine.toml")`` reads your own, with the same keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import recipe_error
from deepfactor.core.toml import read_toml
from deepfactor.cross_section.score_shapes import ScoreShape
from deepfactor.market.fees import Costs
from deepfactor.panel.schedule import Schedule
from deepfactor.portfolio.enhancer import EnhanceSettings
from deepfactor.risk.settings import RiskSettings
from deepfactor.styles.base import StyleSet

Study = Literal["study_a", "study_b"]

#: By whose definitions excess is counted where a constraint file states none.
DEFAULT_DEFINITIONS: Study = "study_b"

#: Settings of earlier versions that nothing read, and what to do instead.
GONE = {
    "indices": "the index is the command's --index, or the `index` of a recipe's portfolio: leave it out",
}
_NEVER_TRADED = ("suspended", "limit_locked")


class Enhancement(EnhanceSettings):
    """What the portfolio keeps, what may give way, and what the backtest needs beside."""

    name: str = Field(default="custom", description="what the set is called in results; none = the file's name")
    fill: Literal["next_vwap", "next_close"] = Field(
        default="next_close", description="price of the next trading day at which orders fill"
    )
    costs: Costs = Field(default=Costs(rate=0.00125), description="what a trade costs")
    haircut: float = Field(
        default=0.3, ge=0.0, le=1.0, description="fraction of its last price that a delisted holding loses"
    )
    exclude: tuple[Literal["st"], ...] = Field(
        default=(),
        description="names that may not be bought (`st`); suspended and limit-locked ones are never traded anyway",
    )
    styles: StyleSet | None = Field(
        default=None, description="style set that the constraints mean; none = the command's or the recipe's"
    )
    definitions: Study | None = Field(
        default=None, description="by which study's definitions excess is counted; none = `study_b`, said so"
    )
    signal: Schedule = Field(
        default="week_end",
        description="days on whose closes the portfolio is decided anew: `week_end`, `month_end`, `daily`, `every:N`, "
        "or a list of days",
    )
    score: ScoreShape = Field(
        default="z",
        description="what the optimiser sees of a day's scores: z-scores, the same with clipped tails, or ranks alone",
    )
    risk: RiskSettings | None = Field(
        default=None,
        description="the style set's risk model, whose forecasts stand beside the backtest; none = none, unless the "
        "tracking error is limited or risk has a price",
    )

    @property
    def of_risk(self) -> RiskSettings | None:
        """The settings of the risk model that is needed; None where nothing is limited or charged by it, nor shown."""
        limited = any(one.kind == "tracking_error" for one in self.constraints)
        return self.risk or (RiskSettings() if limited or self.risk_aversion else None)

    @field_validator("exclude", mode="before")
    @classmethod
    def _says_who_is_never_traded(cls, given: Any) -> Any:
        if isinstance(given, list | tuple) and (idle := [x for x in _NEVER_TRADED if x in given]):
            raise ValueError(f"{', '.join(idle)}: such names are never traded, whatever a file says: leave it out")
        return given


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
    return parse_enhancement({"name": Path(given).stem, **content})


def preset_text(name: str) -> str:
    """The file of a preset that ships, as it stands."""
    return _file(name).read_text(encoding="utf-8")


def written(enhancement: Enhancement) -> str:
    """A constraint set as a TOML file that is read as the same.

    >>> print(written(Enhancement(cash=0.01)).splitlines()[0])
    cash = 0.01
    """
    content = enhancement.model_dump(mode="json", exclude={"constraints"}, exclude_none=True)
    lines = [f"{name} = {_toml(value)}" for name, value in content.items()]
    for one in enhancement.model_dump(mode="json", include={"constraints"}, exclude_none=True)["constraints"]:
        lines += ["", "[[constraints]]", *(f"{name} = {_toml(value)}" for name, value in one.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value inside a line of TOML: JSON's, but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def parse_enhancement(content: Mapping[str, object], *, key: str = "") -> Enhancement:
    """An `Enhancement` from a TOML table that stands at `key` of a recipe."""
    for name in (name for name in GONE if name in content):
        raise RecipeError(f"no longer a setting: {GONE[name]}", key=f"{key}.{name}" if key else name)
    try:
        return Enhancement.model_validate(dict(content))
    except ValidationError as error:
        raise recipe_error(error, key) from None


def _file(given: str) -> Traversable:
    if given in preset_names():
        return resources.files("deepfactor.portfolio") / "presets" / f"{given}.toml"
    path = Path(given)
    if not path.is_file():
        raise RecipeError(f"no preset or file {given!r}: {choices(given, preset_names())}")
    return path
