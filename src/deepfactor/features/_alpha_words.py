"""What each feature of the set `alpha` is: meaning in both languages, formula, source; they stand in ``alpha.toml``.

In formulas o, h, l, c, w are logs of the adjusted open, high, low, close and mean price of a day, r the daily log
return, v the turnover, d the window in trading days; mean, sd and sum are over the window's days.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Described:
    """A feature: `meaning` and `chinese`, its `formula`, and whose it is, `source`."""

    name: str
    family: str
    meaning: str
    chinese: str
    formula: str
    source: str


def _content() -> dict[str, Any]:
    return tomllib.loads(files("deepfactor.features").joinpath("alpha.toml").read_text(encoding="utf-8"))


def _described(content: dict[str, Any]) -> tuple[Described, ...]:
    found = []
    for family in content["families"]:
        for name, windows, *texts in family["features"]:
            for d in map(str, windows or [""]):
                found.append(Described(*(text.replace("{d}", d) for text in (name, family["name"], *texts))))
    within = [_within(one) for one in found if one.name in content["in_industry"]]
    return (*found, *within)


def _within(one: Described) -> Described:
    return Described(
        f"{one.name}_in_industry",
        one.family,
        f"{one.meaning}, within the industry",
        f"{one.chinese}（行业内）",
        f"rank of {one.formula} within the industry",
        "Asness, Porter and Stevens 2000",
    )


_CONTENT = _content()
CATALOGUE = _described(_CONTENT)
#: Those that are ranked among the stocks of an industry as well.
IN_INDUSTRY = frozenset(_CONTENT["in_industry"])
