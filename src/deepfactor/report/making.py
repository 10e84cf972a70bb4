"""Parts of a page, one by one: a part that can't be made doesn't take the others with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True)
class Lost:
    """A part that can't be made: the name of what makes it, and the error."""

    part: str
    error: Exception


class Maker:
    """Makes parts. With a list `lost`, a part that fails is added to it and left out; without, it ends the page."""

    def __init__(self, lost: list[Lost] | None = None) -> None:
        self.lost = lost

    def one(self, work: Callable[..., Made], *arguments: Any, part: str = "") -> Made | None:
        """The part that `work` makes, called `part` or by what makes it; None where it is lost."""
        try:
            return work(*arguments)
        except Exception as error:
            if self.lost is None:
                raise
            self.lost.append(Lost(part or work.__name__, error))
            return None

    def all(self, *works: tuple[Callable[..., Made | None], *tuple[Any, ...]]) -> tuple[Made, ...]:
        """The parts of several works, each with its arguments, that there are."""
        return kept(self.one(work, *arguments) for work, *arguments in works)

    def many(self, work: Callable[..., Iterable[Made | None]], *arguments: Any) -> tuple[Made, ...]:
        """The parts that one work makes several of."""

        def listed() -> tuple[Made | None, ...]:
            return tuple(work(*arguments))

        return kept(self.one(listed, part=work.__name__) or ())


def kept(parts: Iterable[Made | None]) -> tuple[Made, ...]:
    """The parts that there are."""
    return tuple(part for part in parts if part is not None)
