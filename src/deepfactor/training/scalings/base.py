"""What scalings share: their two Protocols, and `Standard`, a day's numbers that standardise its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol, runtime_checkable

from deepfactor.core.arrays import Bools, Float32, Ints
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec, content_key
from deepfactor.features.base import Features

if TYPE_CHECKING:  # what only reads recipes goes without torch
    from torch import Tensor


@dataclass(frozen=True)
class Standard:
    """Standardises one day's windows x (L, b, f): ``(clip((x − level)·rate, low, high) − mean)·inverse``, missing → 0.

    Attributes
    ----------
    level : (b, g) float32, and of : (f,) int64
        feature k of a stock is taken relative to its column ``of[k]`` of `level`.
    rate : (b, f) float32
        1 / each stock's own scale; without a row (0, f) = no division.
    low, high : (L, f) float32
        clip bounds, ±inf = no clip.
    mean, inverse : (L, f) float32
        cross-section mean of the clipped values and 1 / their standard deviation, 0 where that is below 1e-6; without a
        row (0, f) = as they are.
    """

    level: Float32
    of: Ints
    rate: Float32
    low: Float32
    high: Float32
    mean: Float32
    inverse: Float32


class Numbers(NamedTuple):
    """A `Standard` as tensors on a device, field by field."""

    level: Tensor
    of: Tensor
    rate: Tensor
    low: Tensor
    high: Tensor
    mean: Tensor
    inverse: Tensor


class ScalesWindows(Protocol[SettingsOf]):
    """A file of this room that works on a day's gathered windows."""

    @property
    def SCALES(self) -> Literal["windows"]:  # noqa: N802
        """What it works on."""

    @property
    def KEEP(self) -> bool:  # noqa: N802
        """Whether a `Standard` costs more to compute than to read from disk."""

    def check(self, features: Features, /) -> None:
        """Raises `RecipeError` where the fields don't suffice."""

    def standard(self, settings: SettingsOf, features: Features, windows: Float32, /) -> Standard:
        """Of one day's `windows` (L, b, f), oldest day first, NaN = missing."""


@runtime_checkable
class OnDevice(ScalesWindows[SettingsOf], Protocol[SettingsOf]):
    """A file that can also compute where the windows lie: on a GPU, which would otherwise wait for the host."""

    def numbers(self, settings: SettingsOf, features: Features, windows: Tensor, /) -> Numbers:
        """What `standard` gives, but for rounding, of `windows` (L, b, f) on their device."""


class ScalesRows(Protocol[SettingsOf]):
    """A file of this room that makes finished rows, which windows are then cut from."""

    @property
    def SCALES(self) -> Literal["rows"]:  # noqa: N802
        """What it works on."""

    def check(self, features: Features, /) -> None:
        """Raises `RecipeError` where the fields don't suffice."""

    def rows(self, settings: SettingsOf, features: Features, eligible: Bools, span: range, /) -> Float32:
        """The rows of `span`: (len(span), N, f) float32, no NaN; `eligible` (T, N) is who may be scored."""

    def rows_back(self, settings: SettingsOf, /) -> int:
        """How many rows before its own a row reads."""


Scaling = Chosen[ScalesWindows[Spec] | ScalesRows[Spec], Spec]
ROOM: Room[ScalesWindows[Spec] | ScalesRows[Spec], Spec] = Room("deepfactor.training.scalings")
ChosenScaling = Annotated[Scaling, ROOM]
"""How a recipe's windows are standardised."""


def key_of(scaling: Scaling) -> str:
    """Names the scaling in files."""
    return content_key({"kind": scaling.path, **scaling.settings.identity()})


def rows_back(scaling: Scaling) -> int:
    """How many rows before a window's first its values depend on."""
    part = scaling.part
    return part.rows_back(scaling.settings) if part.SCALES == "rows" else 0


def require_close(features: Features, scaling: str) -> None:
    """Prices are taken relative to a close.

    Raises
    ------
    RecipeError
        prices without a field named close.
    """
    if "price" in features.roles and "close" not in features.names:
        raise RecipeError(f"scaling {scaling} needs the field close among the prices", key="features.fields")
