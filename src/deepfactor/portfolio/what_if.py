"""Change settings of an enhancement by name: ``max_active_weight=0.01``, ``turnover.sided=one``, ``capacity=off``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind
from deepfactor.core.toml import toml_value
from deepfactor.market.fees import Costs
from deepfactor.portfolio.constraints.base import ROOM
from deepfactor.portfolio.presets import Enhancement, parse_enhancement

#: Short names of the settings that are asked about most.
ALIASES: Mapping[str, str] = {
    "max_active_weight": "stock_active_weight.limit",
    "max_industry_weight": "industry_active_weight.limit",
    "max_style_exposure": "style_active_exposure.default",
    "max_turnover": "turnover.limit",
    "max_volume_share": "capacity.share",
    "min_constituents": "constituents_weight.minimum",
    "max_tracking_error": "tracking_error.limit",
    "cost_rate": "costs.rate",
}
#: Settings of the enhancement itself.
OWN = ("cash", "fill", "haircut", "risk_aversion", "score")


@dataclass(frozen=True)
class Scenario:
    """An enhancement with changed settings: `text` as it was asked, `changed` = setting → (from, to)."""

    text: str
    enhancement: Enhancement
    changed: Mapping[str, tuple[Any, Any]]


def setting_names() -> tuple[str, ...]:
    """All settings that there are, short names first."""
    constraints = [f"{kind}.{setting}" for kind in ROOM.kinds() for setting in ROOM.settings_of(kind).model_fields]
    return (*ALIASES, *OWN, *(f"costs.{setting}" for setting in Costs.model_fields), *constraints)


def change(base: Enhancement, text: str) -> Scenario:
    """`base` with the settings of `text` changed: ``setting=value``, several separated by commas.

    A setting is a name of `setting_names`; the value is TOML, or plain text. A constraint that `base` does not have is
    added with its defaults; ``<constraint>=off`` takes one away.

    Raises
    ------
    RecipeError
        an unknown setting (lists what there is), a wrong value, or a constraint to take away that isn't there.
    """
    content = base.model_dump(mode="json")
    changed: dict[str, tuple[Any, Any]] = {}
    for part in re.split(r",(?=\s*[a-z][a-z_.]*\s*=)", text):
        name, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator or not value:
            raise RecipeError(f"--what-if {text!r}: {part.strip()!r} has no value: write setting=value")
        name = ALIASES.get(name, name)
        changed[name] = _set(content, name, toml_value(value), text)
    enhancement = parse_enhancement(content, key=f"--what-if {text}")
    return Scenario(text, enhancement, changed)


def _set(content: dict[str, Any], name: str, value: Any, text: str) -> tuple[Any, Any]:
    """Change one setting in place; (what it was, what it is)."""
    if name in OWN:
        before, content[name] = content[name], value
        return before, value
    kind, _, setting = name.partition(".")
    if kind == "costs" and setting in Costs.model_fields:
        return _set_costs(content["costs"], setting, value, text)
    present = [i for i, constraint in enumerate(content["constraints"]) if constraint["kind"] == kind]
    if not setting and value == "off" and kind in ROOM.kinds():
        if not present:
            raise RecipeError(f"--what-if {text!r}: there is no {kind} among the constraints, so it is off already")
        content["constraints"] = [c for i, c in enumerate(content["constraints"]) if i not in present]
        return "on", "off"
    if name not in setting_names():
        raise RecipeError(f"--what-if {text!r}: no setting {name!r}: {choices(name, setting_names())}")
    if not present:
        content["constraints"].append({"kind": kind, setting: value})
        return None, value
    constraint = content["constraints"][present[0]]
    before = ROOM.choose(Kind(**constraint), key=kind).whole()[setting]
    constraint[setting] = value
    return before, value


def _set_costs(costs: dict[str, Any], setting: str, value: Any, text: str) -> tuple[Any, Any]:
    if setting == "rate" and costs["kind"] == "schedule":
        raise RecipeError(f"--what-if {text!r}: the fee schedule has no flat rate: write costs.kind=flat before it")
    before, costs[setting] = costs[setting], value
    return before, value
