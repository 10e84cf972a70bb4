"""`Spec`: what a recipe says. Frozen, closed to unknown keys, with a key that depends on content alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from inspect import isclass
from typing import Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from deepfactor.core.choices import choices

#: Whole numbers beyond are no counts of anything; arrays couldn't hold them.
_MOST = 2**63 - 1
#: Characters that no text holds; line ends and tabs are none of them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Spec(BaseModel):
    """Base of every setting that a user can write.

    Unknown keys are errors, which say what there is; true and false are no numbers, NaN and infinity neither. Two specs
    that say the same have the same `key`, in any process and on any machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def key(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON of the spec."""
        return content_key(self.model_dump(mode="json"))

    def identity(self) -> dict[str, object]:
        """What was said beyond the defaults, for the keys of long work: a setting that is added later, with the old
        way as its default, makes nothing old. So a default that changes needs another mark in such keys."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = [field.alias or name for name, field in cls.model_fields.items()]
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError(
                    "unknown_key", "unknown key: {choices}", {"choices": choices(str(key), known)}
                ),
                loc=(str(key),),
                input=value,
            )
            for key, value in given.items()
            if key not in known
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return given

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if _mentions(cls, str(info.field_name), BaseModel):  # which check what is theirs
            return value
        leaves = list(_leaves(value))
        if any(isinstance(one, str) and _CONTROL.search(one) for one in leaves):
            raise ValueError("holds a control character, which no name or text does")
        if any(isinstance(one, int) and abs(one) > _MOST for one in leaves):
            raise ValueError(f"a whole number beyond {_MOST} can't be meant")
        if any(isinstance(one, bool) for one in leaves) and not _mentions(cls, str(info.field_name), bool):
            raise ValueError("true and false say yes and no, this wants something else")
        return value


def _leaves(value: Any) -> Iterator[Any]:
    """A value, or what lists and tables of values hold; without recursion, which a user's file could drive deep."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, Mapping):
            rest += one.values()
        elif isinstance(one, (list, tuple)):
            rest += one
        else:
            yield one


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [value for k, value in enumerate(values) if value in values[:k]]
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice")
    return values


#: Of a list in which nothing may stand twice.
ONCE = AfterValidator(_each_once)


@cache
def _mentions(spec: type[Spec], name: str, wanted: type) -> bool:
    """Whether a field may hold a value of the type `wanted`, by itself or among others."""
    rest = [spec.model_fields[name].annotation]
    while rest:
        one = rest.pop()
        if isclass(one) and issubclass(one, wanted):
            return True
        rest += get_args(one)
    return False


def content_key(content: Mapping[str, object] | Sequence[object]) -> str:
    """16 hex digits that name `content` (anything JSON can hold); the order of mapping keys doesn't matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
