"""All arrays of a compiled panel by file name, and the account of how they were made (``panel.json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict

from deepfactor.core.arrays import AnyArray
from deepfactor.panel.build.fields import BuiltFields, build_fields
from deepfactor.panel.build.fundamentals import build_fundamentals, figures_from
from deepfactor.panel.build.history import History
from deepfactor.panel.build.indices import BuiltIndices, build_indices
from deepfactor.panel.build.known import KnownTables, known_tables
from deepfactor.panel.build.universe import BuiltUniverse, build_universe
from deepfactor.panel.fundamentals import Events
from deepfactor.panel.panel import FIELDS
from deepfactor.store.folder import MarketFolder

ByIndex = Literal["members", "benchmark", "index_weighting", "index_close", "index_total_return"]
UNIVERSE = ("listed", "traded", "st", "limit_up", "limit_down", "industry")
BY_INDEX: tuple[ByIndex, ...] = ("members", "benchmark", "index_weighting", "index_close", "index_total_return")
EVENTS = ("column", "quarter", "known", "value")


class PanelFile(TypedDict):
    """``panel.json``: what a compiled panel holds, counted and derived; `made_from` = `known_tables` of its market."""

    build: int
    shape: list[int]
    fields: list[str]
    industries: list[str]
    members: list[str]
    index_close: list[str]
    index_total_return: list[str]
    benchmark: list[str]
    index_weighting: list[str]
    derived: list[str]
    fundamentals: list[str]
    figures_from: list[str]
    counts: dict[str, int]
    facts: list[str]
    made_from: NotRequired[KnownTables]


@dataclass
class Build:
    """A panel under construction.

    Attributes
    ----------
    fields, universe, indices : of the rows under construction
    events : the published figures of all days by item, and `strangers`, how many of them found no place
    weighted : indices that have weights. Fills while `arrays` is read
    """

    fields: BuiltFields
    universe: BuiltUniverse
    indices: BuiltIndices
    events: Mapping[str, Events]
    strangers: Mapping[str, int]
    weighted: list[str] = field(default_factory=list)

    def anew(self) -> list[tuple[str, AnyArray]]:
        """File name and array of what is whole, whatever was built before: the axes and the published figures."""
        figures = [
            (f"fundamentals/{item}/{name}.npy", getattr(events, name))
            for item, events in self.events.items()
            for name in EVENTS
        ]
        return [
            ("dates.npy", self.fields.dates),
            ("symbols.npy", self.fields.symbols),
            ("next_date.npy", self.universe.next_date),
            ("first_row.npy", self.fields.first_row),
            *figures,
        ]

    def arrays(self) -> Iterator[tuple[str, AnyArray]]:
        """File name and array (R, N) or (R,) of the rows under construction, one after the other."""
        for name in self.held_fields():
            yield f"fields/{name}.npy", self.fields.arrays[name]
        for name in UNIVERSE:
            yield f"universe/{name}.npy", self.universe.arrays[name]
        for kind, by_index in self._by_index().items():
            for index, values in by_index.items():
                yield f"{kind}/{index}.npy", values
        for index, weights, weighting in self.indices.weights():
            self.weighted.append(index)
            yield f"benchmark/{index}.npy", weights
            yield f"index_weighting/{index}.npy", weighting

    def held_fields(self) -> list[str]:
        """Fields of the panel that the market gives."""
        return [name for name in FIELDS if name in self.fields.arrays]

    def _by_index(self) -> dict[str, Mapping[str, AnyArray]]:
        indices = self.indices
        return {"members": indices.members, "index_close": indices.close, "index_total_return": indices.total_return}

    def content(self, folder: MarketFolder, version: int, before: KnownTables | None = None) -> PanelFile:
        """What ``panel.json`` says, once `arrays` is read to its end; counts are of the rows under construction.

        `before`: of the panel that is gone on from.
        """
        parts = (self.fields, self.universe, self.indices)
        counts = {why: n for part in parts for why, n in part.counts.items() if n}
        known = (self.universe.facts, self.indices.facts, self.strangers)
        facts = {why: n for part in known for why, n in part.items() if n}
        return {
            "build": version,
            "shape": [len(self.fields.dates), len(self.fields.symbols)],
            "fields": self.held_fields(),
            "industries": list(self.universe.industries),
            "members": sorted(self.indices.members),
            "index_close": sorted(self.indices.close),
            "index_total_return": sorted(self.indices.total_return),
            "benchmark": sorted(self.weighted),
            "index_weighting": sorted(self.weighted),
            "derived": sorted({*self.fields.derived, *self.universe.derived, *self.indices.derived}),
            "fundamentals": sorted(self.events),
            "figures_from": figures_from(folder),
            "counts": dict(sorted({**counts, **facts}.items())),
            "facts": sorted(facts),
            "made_from": known_tables(folder, self.fields.symbols, self.fields.dates[-1].item(), before),
        }


def make(folder: MarketFolder, history: History | None = None) -> Build:
    """All that the market in `folder` gives, or what it gives for the days after `history`."""
    fields = build_fields(folder, history)
    universe = build_universe(folder, fields)
    indices = build_indices(folder, fields, universe.arrays["listed"])
    return Build(fields, universe, indices, *build_fundamentals(folder, fields.symbols, history))
