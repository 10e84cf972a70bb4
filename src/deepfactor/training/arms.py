"""The arms of a recipe: what scores, and what it reads.

An arm scores by a network, by a learner of a day's features, or by a learner behind a network. Which of them it is
shows in what it was given (`Arm.model`, `Arm.weighting`); `Arm.scorer` is the one that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from deepfactor.core.kind import wrong
from deepfactor.core.spec import ONCE, Spec
from deepfactor.features.base import FeatureSet
from deepfactor.graphs.base import Graph
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.labels.base import Label
from deepfactor.models.base import WINDOWS, Model, inputs_of
from deepfactor.training.losses.base import ROOM as LOSSES
from deepfactor.training.losses.base import Loss
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.scalings.base import ChosenScaling
from deepfactor.training.selection import Select
from deepfactor.training.spec import Seeds
from deepfactor.training.weightings.base import Weighting

#: Also the name of a folder.
ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]
FitOn = Literal["held_out", "train"]
TrainOn = Literal["all", "members", "size", "turnover"]
Target = Literal["rank", "zscore"]
Beside = tuple[Literal["fundamentals"], ...]


@dataclass(frozen=True)
class Network:
    """A network scores."""

    model: Model
    loss: Loss

    @property
    def named(self) -> str:
        """For messages."""
        return self.model.kind

    def reads(self) -> frozenset[str]:
        """Fields of a `CrossSection`."""
        return inputs_of(self.model)

    def identity(self) -> dict[str, object]:
        """What its numbers depend on, for keys."""
        return {"model": self.model.identity(), "loss": self.loss.identity()}


@dataclass(frozen=True)
class Learner:
    """A learner scores, fitted on the standardised features of single days: a baseline."""

    weighting: Weighting
    named = "a baseline"

    def reads(self) -> frozenset[str]:
        """Fields of a `CrossSection`."""
        return frozenset({"windows"})

    def identity(self) -> dict[str, object]:
        """What its numbers depend on, for keys."""
        return {"weighting": self.weighting.identity()}


@dataclass(frozen=True)
class Stacked:
    """A learner behind a network scores, fitted on the network's deep factors and on what it is given `beside`."""

    network: Network
    weighting: Weighting
    fit_on: FitOn
    beside: Beside

    @property
    def named(self) -> str:
        """For messages."""
        return self.network.named

    @property
    def holds_out(self) -> bool:
        """Whether the network leaves the last training year to the learner."""
        return self.fit_on == "held_out"

    def reads(self) -> frozenset[str]:
        """Fields of a `CrossSection`."""
        return self.network.reads() | set(self.beside)

    def identity(self) -> dict[str, object]:
        """What its numbers depend on, for keys."""
        own = {"weighting": self.weighting.identity(), "fit_on": self.fit_on}
        return self.network.identity() | own | ({} if self.beside else {"beside": []})


Scorer = Network | Learner | Stacked


class Arm(Spec):
    """One way to score that is compared with the others: a network with its loss, a weighting of a day's features, or
    both, one after the other.

    Without a `model` it is a baseline: `weighting` is fitted on the day's standardised features, whose ``window`` is 1.
    With a `model` the weighting is a second stage: it is fitted on the network's deep factors and on fundamental ones,
    or with ``beside = []`` on the deep factors alone.
    """

    name: ArmName = Field(description="its name in the report, and its folder's")
    model: Model | None = Field(default=None, description="the network; none = a baseline")
    weighting: Weighting | None = Field(
        default=None, description="what makes a score of a day's features, or of deep factors"
    )
    fit_on: FitOn = Field(
        default="held_out",
        description="what a second stage is fitted on: the last training year, held out from the network; or all",
    )
    beside: Annotated[Beside, ONCE] = Field(
        default=("fundamentals",), description="what a second stage is given beside the deep factors; [] = nothing"
    )
    features: FeatureSet | None = Field(default=None, description="instead of the recipe's")
    label: Label | None = Field(default=None, description="instead of the recipe's")
    graph: Graph | None = Field(default=None, description="of a network that reads neighbours: who is related to whom")
    loss: Loss = Field(default_factory=lambda: LOSSES.choose("ic"), description="what a network minimises")
    scaling: ChosenScaling = Field(
        default_factory=lambda: SCALINGS.choose("last_close"),
        description="how windows are standardised; a name will do",
    )
    seeds: Seeds | None = Field(default=None, description="instead of the fit's seeds")
    target: Target | None = Field(
        default=None, description="what a weighting foresees: the day's ranks (default), or z-scores cut at ±3"
    )
    train_on: TrainOn = Field(
        default="all",
        description="whom one trains on: all; members of CSI 300, 500 and 1000; or all by the root of size or turnover",
    )
    select: Select = Field(
        default="rank_ic", description="what validation decides by: the mean RankIC, or the 5 % best scores' labels"
    )
    every: int | None = Field(
        default=None, ge=1, le=250, description="instead of the plan's, where inputs change slowly"
    )
    published: str | None = Field(default=None, description="key of the published numbers to compare with")

    @property
    def scorer(self) -> Scorer:
        """What scores."""
        if self.model is None:
            assert self.weighting is not None, "validated"
            return Learner(self.weighting)
        network = Network(self.model, self.loss)
        return network if self.weighting is None else Stacked(network, self.weighting, self.fit_on, self.beside)

    @property
    def network(self) -> Network | None:
        """The network that scores or that a learner stands behind; None = there is none."""
        match self.scorer:
            case Learner():
                return None
            case Network() as network:
                return network
            case Stacked(network):
                return network

    def identity(self) -> dict[str, object]:
        """The arm as its numbers see it: kinds with what differs from their defaults, without its name."""
        scaling = self.scaling.identity()
        own: dict[str, object] = {} if scaling == {"kind": "last_close"} else {"scaling": scaling}
        if self.target == "zscore":
            own["target"] = self.target
        if self.select != "rank_ic":
            own["select"] = self.select
        return self.scorer.identity() | own  # train_on is among the inputs

    @field_validator("scaling", mode="before")
    @classmethod
    def _named(cls, scaling: Any) -> Any:
        return {"kind": scaling} if isinstance(scaling, str) else scaling

    @model_validator(mode="after")
    def _network_or_weighting(self) -> Arm:
        if self.model is None and self.weighting is None:
            raise ValueError("give the arm a model (a network) or a weighting (a baseline on the day's features)")
        if not isinstance(self.scorer, Stacked) and self.fit_on != "held_out":
            raise ValueError("fit_on says what a weighting behind a network is fitted on: give a model and a weighting")
        if not isinstance(self.scorer, Stacked) and self.beside != ("fundamentals",):
            raise wrong("beside", "says what a weighting behind a network is given: give a model and a weighting")
        if isinstance(self.scorer, Learner) and self.loss.written() != {"kind": "ic"}:
            raise ValueError("an arm without a network has no loss: a weighting brings its own")
        return self

    @model_validator(mode="after")
    def _can_be_trained_so(self) -> Arm:
        if self.target is not None and self.weighting is None:
            raise wrong("target", 'a network\'s is said with its loss, as in loss = { kind = "ic", target = "zscore" }')
        if self.train_on in ("size", "turnover") and self.model is not None:
            raise wrong("train_on", 'a network\'s loss knows no weights: take "members" or "all"')
        return self

    @model_validator(mode="after")
    def _says_all_that_it_reads(self) -> Arm:
        read, who = self.scorer.reads(), self.scorer.named
        there = {WINDOWS, *INPUTS.kinds()}
        if unknown := read - there:
            asked = ", ".join(sorted(unknown))
            raise wrong(("model", "kind"), f"{who} asks for {asked}: there are {', '.join(sorted(there))}")
        if "neighbours" in read and self.graph is None:
            raise wrong("graph", f'{who} reads neighbours: say whose, as in graph = {{ kind = "fundamental" }}')
        if "neighbours" not in read and self.graph is not None:
            raise wrong("graph", f"{who} reads no neighbours: leave the graph out")
        return self
