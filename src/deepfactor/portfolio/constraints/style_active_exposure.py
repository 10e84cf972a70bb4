"""Each style's active exposure within ± limit: |sum of (w - (1 - cash) * benchmark) * exposure| <= limit."""

from __future__ import annotations

import numpy as np
from pydantic import Field, NonNegativeFloat

from deepfactor.core.errors import RecipeError
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "style"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "style_active_exposure": "风格主动暴露",
}


class Settings(Spec):
    """Limits in units of the exposures (cross-sectional standard deviations)."""

    default: float | None = Field(
        default=0.3, ge=0.0, description="limit of every style of the set; none = only of those in `limits`"
    )
    limits: dict[str, NonNegativeFloat] = Field(
        default_factory=dict, description="style → a limit of its own; 0 = neutral; the set must have the style"
    )
    optional: tuple[str, ...] = Field(default=(), description="styles in `limits` that the set may lack")


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row a style that has a limit.

    Raises
    ------
    RecipeError
        `limits` names a style that is not there.
    """
    missing = set(settings.limits) - set(r.styles) - set(settings.optional)
    if missing:
        raise RecipeError(
            f"no style {', '.join(sorted(missing))} here: there are {', '.join(r.styles) or 'none'}",
            key="style_active_exposure.limits",
        )
    limit = {name: settings.limits.get(name, settings.default) for name in r.styles}
    names = tuple(name for name in r.styles if limit[name] is not None)
    wide = np.array([limit[name] for name in names], dtype=np.float64)
    exposures = np.array([r.styles[name] for name in names], dtype=np.float64).reshape(len(names), len(r))
    reference = exposures @ (invested * r.benchmark)
    return Rows("style_active_exposure", FAMILY, names, exposures, 0.0 - wide, wide, reference)
