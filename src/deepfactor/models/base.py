"""What every factor model shares: the batch that it reads and the shapes that it is built for.

A model is a kind, a file of this room: ``Settings(Spec)``, its hyper-parameters with the defaults of the study, and
what `ModelKind` asks for.

A model sees one trading day's whole cross-section at once and nothing else, so it can't mix days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias, runtime_checkable

from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec

if TYPE_CHECKING:  # what only reads recipes goes without torch
    from torch import Tensor, nn

WINDOWS = "windows"
"""What a model asks for in ``INPUTS`` that reads windows; else the names of `deepfactor.inputs`, a file an input."""


@dataclass(frozen=True)
class Shapes:
    """What a model is built for.

    Attributes
    ----------
    features : int
        f, the number of input series a stock.
    window : int
        L, the number of trading days of a window.
    widths : mapping of name to int
        what the arm's inputs say of theirs, as ``fundamentals`` channels and ``quarters``, ``exposures`` columns.
    """

    features: int
    window: int
    widths: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        """A width by its name; 0 = the arm doesn't have it."""
        return self.widths.get(name, 0)


@dataclass(frozen=True)
class Neighbours:
    """Up to m related stocks of each stock of a batch.

    Attributes
    ----------
    index : (b, m) int64
        their positions in the batch; -1 = no neighbour.
    similarity : (b, m) float32
        how alike, in the graph's own measure; 0 where `index` is -1.
    """

    index: Tensor
    similarity: Tensor


@dataclass(frozen=True)
class CrossSection:
    """One trading day's batch of b stocks. Everything in it is known at the close of that day.

    Attributes
    ----------
    windows : (L, b, f) float32
        time first, oldest day first; standardised, hence without unit; no NaN (a missing value is 0). For a model whose
        file splits them (`SplitsRaw`) (L, b, 2f): of each field the moving average, then what it leaves.
    inputs : mapping of name to tensor
        what the model's ``INPUTS`` ask for beside: see the files of `deepfactor.inputs`, which say shape and meaning.
    """

    windows: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Tensor:
        """An input by its name.

        Raises
        ------
        ValueError
            the batch doesn't hold it.
        """
        if name not in self.inputs:
            raise ValueError(f"the model reads {name}, which this batch doesn't hold: does INPUTS name it?")
        return self.inputs[name]


@runtime_checkable
class SharesFront(Protocol):
    """A network whose first layers see one patch of days at a time: where a stock's row of a day is the same number in
    every window that holds it, consecutive days' windows share what these layers make of a patch.

    Attributes
    ----------
    patch : days a patch
    """

    patch: int

    def front(self, rows: Tensor) -> Tensor:
        """What the first layers make of a patch (patch, n, f), stock by stock: (n, k)."""
        ...

    def score_front(self, front: Tensor) -> Tensor:
        """Scores (b,) from `front` (p, b, k) of a window's patches, oldest first; for inference only."""
        ...


State: TypeAlias = "tuple[Tensor, ...]"
"""What a causal network remembers of the days so far, (n, d) each."""


@runtime_checkable
class Causal(Protocol):
    """A network that reads time forwards alone, patch by patch: it can give a score at every patch of a long sequence,
    and go on from what it remembers. Stocks are a fixed set of n columns; who is in the batch changes from day to day.

    Attributes
    ----------
    patch : days a patch
    memory : days before a patch that its first layers read
    compares : whether it needs to know who is in each day's batch
    """

    patch: int
    memory: int
    compares: bool

    def sequence(self, windows: Tensor, size_rank: Tensor | None, last: int) -> Tensor:
        """Scores of the `last` patches of a sequence that begins from nothing.

        Parameters
        ----------
        windows : (p * patch, n, f) float32
        size_rank : (p, n) int64, optional
            rank by SIZE in the batch of each patch's last day, 0 = smallest; -1 = not in that batch. None for a network
            that doesn't compare.

        Returns
        -------
        (last, n); what stands at a stock that isn't in a day's batch means nothing.
        """
        ...

    def advance(self, state: State | None, rows: Tensor, size_rank: Tensor | None) -> tuple[State, Tensor]:
        """One patch more: what is remembered then, and its scores (n,). For inference.

        Parameters
        ----------
        state : None = the sequence begins with this patch.
        rows : (memory + patch, n, f) float32; before the sequence's first day that day's rows are repeated.
        size_rank : (n,), as in `sequence`.
        """
        ...


@runtime_checkable
class CausalBeside(Protocol):
    """A causal network in two parts: a recurrence that reads time forwards alone, as `Causal` does, and a head that
    reads what it remembers of a day's batch beside that day's inputs.

    The head sees the whole batch of the day and nobody else, so its scores don't know whose states are kept.

    Attributes
    ----------
    patch : days a patch
    memory : days before a patch that its first layers read
    """

    patch: int
    memory: int

    def states(self, windows: Tensor, last: int) -> Tensor:
        """What is remembered after each of the `last` patches of a sequence that begins from nothing.

        Parameters
        ----------
        windows : (p * patch, n, f) float32

        Returns
        -------
        (last, n, d)
        """
        ...

    def remember(self, state: Tensor | None, rows: Tensor) -> Tensor:
        """One patch more, (n, d); a stock's numbers depend on its own rows alone. For inference.

        Parameters
        ----------
        state : (n, d); None = the sequence begins with this patch.
        rows : as in `Causal.advance`.
        """
        ...

    def score(self, states: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Scores (b,) of a day's batch from what is remembered of it, (b, d), and the day's `inputs`, those of
        ``INPUTS``, as in a `CrossSection`."""
        ...


@runtime_checkable
class Pads(Protocol):
    """A causal network whose recurrence may be given further stocks of rank -1 beside those of the batches: they change
    nobody's score or gradient, and no shape in between depends on how many they are. So all steps can have one shape.

    Attributes
    ----------
    pads : True
    """

    pads: bool


class ModelKind(Protocol[SettingsOf]):
    """A file of this room."""

    @property
    def INPUTS(self) -> frozenset[str]:  # noqa: N802
        """What a model reads: `WINDOWS`, and names of inputs."""

    def build(self, settings: SettingsOf, shapes: Shapes, /) -> nn.Module:
        """A model, freshly initialised from torch's global generator, whose ``forward(batch: CrossSection) -> (b,)``
        gives one score a stock, higher = expected to do better. One with an orthogonal layer also has ``factors(batch)
        -> (b, 32)``, what a second weighting reads; None on a day that has none."""


@runtime_checkable
class ReadsBySettings(ModelKind[SettingsOf], Protocol[SettingsOf]):
    """A file whose settings may ask for more than ``INPUTS``."""

    def inputs(self, settings: SettingsOf, /) -> frozenset[str]:
        """What a model with these settings reads."""


@runtime_checkable
class SplitsRaw(ModelKind[SettingsOf], Protocol[SettingsOf]):
    """A file whose networks may ask for windows that are split before they are scaled."""

    def split_days(self, settings: SettingsOf, /) -> int:
        """Days of the moving average that raw rows are split by; 1 = windows come whole."""


ROOM: Room[ModelKind[Spec], Spec] = Room("deepfactor.models")
Model = Annotated[Chosen[ModelKind[Spec], Spec], ROOM]
"""A network of a recipe."""


def inputs_of(model: Model) -> frozenset[str]:
    """What a model reads with its settings."""
    part = model.part
    return part.inputs(model.settings) if isinstance(part, ReadsBySettings) else part.INPUTS


def split_days(model: Model) -> int:
    """Days of the moving average that a model wants its raw windows split by; 1 = none."""
    part = model.part
    return part.split_days(model.settings) if isinstance(part, SplitsRaw) else 1


def parameter_count(module: nn.Module) -> int:
    """Number of trainable numbers in `module`."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def summary(module: nn.Module) -> list[tuple[str, int]]:
    """(name, number of trainable numbers) of each direct part of `module`; they add up to `parameter_count`."""
    own = [(name, p.numel()) for name, p in module.named_parameters(recurse=False) if p.requires_grad]
    return own + [(name, parameter_count(child)) for name, child in module.named_children()]
