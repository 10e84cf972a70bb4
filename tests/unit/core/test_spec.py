"""Every setting: closed to unknown keys, and numbers are numbers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

import deepfactor
from deepfactor.core.kind import Kind, recipe_error
from deepfactor.core.spec import ONCE, Spec


class Inner(Spec):
    rate: float = 0.1
    on: bool = True


class Outer(Spec):
    count: int = 1
    days: Annotated[tuple[int, ...], ONCE] = ()
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    inner: Inner = Inner()
    kind: Kind = Kind(kind="x")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cuont": 2}, "outer.cuont: unknown key: did you mean count? there are count, days, where, inner, kind"),
        ({"inner": {"rat": 1}}, "outer.inner.rat: unknown key: did you mean rate? there are rate, on (given: 1)"),
        ({"count": True}, "outer.count: true and false say yes and no"),
        ({"days": [1, False]}, "outer.days: true and false say yes and no"),
        ({"inner": {"rate": True}}, "outer.inner.rate: true and false say yes and no"),
        ({"count": 2**63}, "outer.count: a whole number beyond"),
        ({"count": 10**400}, "outer.count: a whole number beyond"),
        ({"inner": {"rate": float("nan")}}, "outer.inner.rate: Input should be a finite number"),
        ({"inner": {"rate": float("inf")}}, "outer.inner.rate: Input should be a finite number"),
        ({"where": {"a": float("nan")}}, "outer.where.a"),
        ({"days": [5, 5]}, "outer.days: 5 stands twice"),
        ({"count": 1.5}, "outer.count: "),
        ({"inner": 3}, "outer.inner: "),
    ],
)
def test_what_a_setting_refuses(given, says):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given)
    assert says in str(recipe_error(caught.value, "outer"))


def test_what_it_takes():
    given = {
        "count": 2.0,
        "days": [1, 2],
        "where": {"a": True},
        "inner": {"on": False},
        "kind": {"kind": "y", "z": True},
    }
    assert Outer.model_validate(given) == Outer(
        count=2, days=(1, 2), where={"a": True}, inner=Inner(on=False), kind=Kind(kind="y", z=True)
    )


def specs() -> Iterator[type[Spec]]:
    """Every setting that deepfactor has."""
    for module in pkgutil.walk_packages(deepfactor.__path__, "deepfactor."):
        if not module.name.startswith(("deepfactor.models._kernels", "deepfactor.__main__")):
            importlib.import_module(module.name)
    rest, seen = [Spec], set()
    while rest:
        one = rest.pop()
        rest += one.__subclasses__()
        if one.__module__.startswith("deepfactor.") and one not in seen and one is not Spec:
            seen.add(one)
            yield one


def test_no_number_of_any_setting_is_true_nan_or_beyond_all():
    """A setting that is added later is held to it too."""
    tried = 0
    for spec in specs():
        for name, field in spec.model_fields.items():
            if field.annotation not in (int, float):
                continue
            for value in (True, float("nan"), float("inf"), 10**30 if field.annotation is int else float("-inf")):
                with pytest.raises(ValidationError) as caught:
                    spec.model_validate({field.alias or name: value})
                wrong = {str(error["loc"][0]) for error in caught.value.errors() if error["loc"]}
                assert (field.alias or name) in wrong, (spec, name, value)
                tried += 1
    assert tried > 300
