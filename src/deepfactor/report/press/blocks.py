"""What a section of a page is made of: paragraphs, lists, facts, tables, figures, and frames around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from deepfactor.core.words import Text
from deepfactor.report.press.drawing import Figure
from deepfactor.report.press.tables import Table

Fact = tuple[str, str]

#: A table of more rows is folded in, where a section says so.
LONG = 60
#: Every table is folded in.
ALL = 0


@dataclass(frozen=True)
class Block:
    """A piece of a section; `macro` names what sets it in ``blocks.html.j2``."""

    macro: ClassVar[str]

    @property
    def within(self) -> Sequence[Block]:
        """The blocks that it frames."""
        return ()


@dataclass(frozen=True)
class Said(Block):
    """A paragraph; `look` is its class in the style sheet."""

    macro: ClassVar[str] = "said"
    text: str
    look: str = "intro"


@dataclass(frozen=True)
class Sentences(Block):
    """A list of sentences. One with a `name` stands under it in ``report.json`` too."""

    macro: ClassVar[str] = "sentences"
    items: tuple[str, ...]
    name: str = ""
    look: str = "plain"
    numbered: bool = False


@dataclass(frozen=True)
class Heading(Block):
    """A heading inside a section."""

    macro: ClassVar[str] = "heading"
    text: str
    level: int = 3


@dataclass(frozen=True)
class Facts(Block):
    """Names and values; `code`: they are a file's own words, which no browser translates."""

    macro: ClassVar[str] = "facts"
    items: tuple[Fact, ...]
    code: bool = False


@dataclass(frozen=True)
class Tables(Block):
    """Tables with a heading of `level`; those of more rows than `folds` are folded in, None = none is."""

    macro: ClassVar[str] = "tables"
    items: tuple[Table, ...]
    level: int = 3
    folds: int | None = None


@dataclass(frozen=True)
class Charts(Block):
    """Figures side by side, with their source below."""

    macro: ClassVar[str] = "charts"
    items: tuple[Figure, ...]


@dataclass(frozen=True)
class Drawn(Block):
    """A drawing in SVG or HTML."""

    macro: ClassVar[str] = "drawn"
    markup: Markup


@dataclass(frozen=True)
class Framed(Block):
    """Blocks inside an element of a `look`."""

    macro: ClassVar[str] = "framed"
    look: str
    blocks: tuple[Block, ...]
    tag: str = "div"
    id: str = ""

    @property
    def within(self) -> Sequence[Block]:
        return self.blocks


@dataclass(frozen=True)
class Folded(Block):
    """Blocks that a click unfolds; of the `look` ``unfolds`` also the page's button."""

    macro: ClassVar[str] = "folded"
    summary: str
    blocks: tuple[Block, ...]
    look: str = ""

    @property
    def within(self) -> Sequence[Block]:
        return self.blocks


@dataclass(frozen=True)
class Section:
    """A section as it is set: its title, its pieces, and its place in the contents (`link`; None = it has none).

    `count`: a number beside the link, 0 = none. `open`: shown from the start; the others unfold by a click."""

    title: Text
    blocks: tuple[Block, ...]
    link: Text | None = None
    count: int = 0
    open: bool = False

    def tables(self) -> list[Table]:
        """Its tables in order."""
        return [table for block in leaves(self.blocks) if isinstance(block, Tables) for table in block.items]

    def figures(self) -> list[Figure]:
        """Its figures in order."""
        return [figure for block in leaves(self.blocks) if isinstance(block, Charts) for figure in block.items]

    def sentences(self) -> dict[str, list[str]]:
        """Its lists of sentences that have a name."""
        named = (block for block in leaves(self.blocks) if isinstance(block, Sentences) and block.name)
        return {block.name: list(block.items) for block in named}


def leaves(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks in order, frames followed by what they hold."""
    for block in blocks:
        yield block
        yield from leaves(block.within)


def columns(*parts: Iterable[Block]) -> Framed:
    """Blocks in columns."""
    return Framed("columns", tuple(Framed("", tuple(part)) for part in parts))
