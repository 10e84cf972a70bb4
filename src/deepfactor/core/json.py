"""The types of what stands in a JSON file.

A function that writes JSON takes or returns these, so that mypy finds a date, an array or a numpy number among the
values before `json.dumps` does. An object whose keys are known and read by name is a TypedDict instead, beside the code
that writes it; mypy counts a TypedDict as `Mapping[str, object]`, never as a JsonObject.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Any JSON value; a tuple or a list is an array."""

JsonObject: TypeAlias = Mapping[str, Json]
"""A JSON object that is only read."""

JsonRecord: TypeAlias = dict[str, Json]
"""A JSON object that is being made."""
