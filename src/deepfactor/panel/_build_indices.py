"""Index tables → members, weights and levels on the panel's days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepfactor.panel._build_axes import placed, spans
from deepfactor.panel._build_fields import BuiltFields
from deepfactor.panel.panel import Bools, Dates
from deepfactor.store.folder import MarketFolder


@dataclass(frozen=True)
class Published:
    """Published weights of one index: `rows` (p,) panel rows of publication, ascending; `weights` (p, N) float64."""

    rows: NDArray[np.intp]
    weights: NDArray[np.float64]


@dataclass
class BuiltIndices:
    """Indices under construction; `members`, `close`, `total_return` as in `Universe`, `published` by index.

    `counts` are of rows under construction, `facts` of tables as a whole.
    """

    fields: BuiltFields
    members: dict[str, Bools]
    published: dict[str, Published]
    close: dict[str, NDArray[np.float64]]
    total_return: dict[str, NDArray[np.float64]]
    derived: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    def weights(self) -> Iterator[tuple[str, NDArray[np.float32], bool]]:
        """Index, its (T, N) weights, and whether any of them are derived; one after the other, to save memory.

        Before the first publication weights are the members' market values; from then on the published weights,
        drifting with the adjusted price until the next publication. A member that is no longer listed weighs nothing.
        An index whose weights can be neither read nor derived is left out, and counted.
        """
        name = next((name for name in ("float_mv", "total_mv") if name in self.fields.arrays), None)
        for index, members in self.members.items():
            out = np.zeros(self.fields.shape, dtype=np.float32)
            publication = self.published.get(index)
            begin = len(out) if publication is None else max(int(publication.rows[0]) - self.fields.begin, 0)
            derive = bool(members[:begin].any())
            if derive and name is None:
                self.counts[f"member-days of {index}: no weights, for want of market values"] = int(members.sum())
                continue
            if derive and name is not None:
                lacking = _weigh_by_cap(self.fields.arrays[name], members[:begin], out[:begin])
                self.derived.add(f"benchmark {index} from {name}")
                self.counts[f"member-days of {index} without {name}: weight 0"] = lacking
            if publication is not None:
                still = _drift(self.fields, publication, members, out)
                self.counts[f"member-days of {index} before their first known price: weight does not drift"] = still
            yield index, out, derive


def build_indices(folder: MarketFolder, fields: BuiltFields, listed: Bools) -> BuiltIndices:
    """All indices of the market in `folder`; weights are made when asked for."""
    counts: dict[str, int] = {}
    facts: dict[str, int] = {}
    published = _published(folder, fields, facts)
    members = _members(folder, fields, listed, published, counts, facts)
    close, total = _levels(folder, fields.dates[fields.begin :])
    return BuiltIndices(fields, members, published, close, total, counts=counts, facts=facts)


def _published(folder: MarketFolder, fields: BuiltFields, facts: dict[str, int]) -> dict[str, Published]:
    """Published weights by index, each at the first panel row on or after its date."""
    if not folder.has("index_weights"):
        return {}
    table = folder.read("index_weights")
    inside, column = placed(table, fields.symbols)
    if inside.height < table.height:
        facts["index weights of symbols without prices, left out"] = table.height - inside.height
    date = inside["date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(fields.dates, date, side="left")
    weight = inside["weight"].to_numpy()
    out = {}
    for name in inside["index"].unique().sort():
        mine = np.flatnonzero((inside["index"] == name).to_numpy() & (row < len(fields.dates)))
        # Of publications that fall on one trading day (say of a weekend) the last stands.
        latest = np.full(len(fields.dates), np.datetime64("NaT", "D"))
        latest[row[mine]] = date[mine]  # rows are by date, and the last assignment stays
        mine = mine[latest[row[mine]] == date[mine]]
        rows = np.unique(row[mine])
        weights = np.zeros((len(rows), len(fields.symbols)))
        weights[np.searchsorted(rows, row[mine]), column[mine]] = weight[mine]
        if len(rows):
            out[name] = Published(rows, weights)
    return out


def _members(
    folder: MarketFolder,
    fields: BuiltFields,
    listed: Bools,
    published: dict[str, Published],
    counts: dict[str, int],
    facts: dict[str, int],
) -> dict[str, Bools]:
    """(T, N) members of each index: by intervals, and from the first publication on by weights above zero."""
    out: dict[str, Bools] = {}
    if folder.has("index_members"):
        table = folder.read("index_members")
        inside, column = placed(table, fields.symbols)
        if inside.height < table.height:
            facts["membership intervals of symbols without prices, left out"] = table.height - inside.height
        first, last = spans(inside, fields.dates, fields.begin)
        for i, name in enumerate(inside["index"]):
            if name not in out:
                out[name] = np.zeros(fields.shape, dtype=bool)
            out[name][first[i] : last[i], column[i]] = True
    for name, publication in published.items():
        mask = out.setdefault(name, np.zeros(fields.shape, dtype=bool))
        ends = [*publication.rows[1:], len(fields.dates)]
        for start, end, weights in zip(publication.rows, ends, publication.weights, strict=True):
            mask[fields.under_construction(start, end)] = weights > 0
    early = 0
    for mask in out.values():
        early += int((mask & ~listed).sum())
        mask &= listed
    if early:
        counts["member-days outside the listing span, left out"] = early
    return dict(sorted(out.items()))


def _drift(fields: BuiltFields, published: Published, members: Bools, out: NDArray[np.float32]) -> int:
    """Fill `out` from the first publication on: published weights × growth of the adjusted last close, summing to 1.

    A member that has not traded yet since the market begins doesn't grow; returned is the number of such member-days.
    """
    in_force = int(np.searchsorted(published.rows, fields.begin, side="right")) - 1
    first = int(published.rows[max(in_force, 0)])
    price = _held_price(fields, first)
    still = 0
    ends = [*published.rows[1:], len(fields.dates)]
    for start, end, weights in zip(published.rows, ends, published.weights, strict=True):
        if start < first:
            continue
        held = price[start - first : end - first]
        growth = held / held[np.isfinite(held).argmax(axis=0), np.arange(held.shape[1])]  # since the first known price
        growth = growth[max(fields.begin - start, 0) :]
        rows = fields.under_construction(start, end)
        still += int((members[rows] & (weights > 0) & ~np.isfinite(growth)).sum())
        drifted = np.where(members[rows], weights * np.where(np.isfinite(growth), growth, 1.0), 0.0)
        out[rows] = drifted / np.maximum(drifted.sum(axis=1, keepdims=True), 1e-300)
    return still


def _weigh_by_cap(cap: NDArray[np.floating], members: Bools, out: NDArray[np.float32]) -> int:
    """Fill `out` with members' market values as fractions of their sum; those without weigh nothing. Their count."""
    lacking = 0
    for t in np.flatnonzero(members.any(axis=1)):
        weighed = members[t] & np.isfinite(cap[t])
        lacking += int(members[t].sum() - weighed.sum())
        total = cap[t, weighed].sum(dtype=np.float64)
        if total > 0:
            out[t, weighed] = cap[t, weighed] / total
    return lacking


def _held_price(fields: BuiltFields, first: int) -> NDArray[np.float64]:
    """Adjusted last close from row `first` on, (T − first, N): the last close × its day's factor, NaN before any."""
    start = min(first, fields.begin)
    close, factor = fields.last_trades(start)
    last = close * factor
    out = np.full((len(fields.dates) - first, len(last)), np.nan)
    for t in range(start, len(fields.dates)):
        traded, of_day, factor_of_day = fields.trades(t)
        last[traded] = of_day[traded] * factor_of_day[traded]
        if t >= first:
            out[t - first] = last
    return out


def _levels(
    folder: MarketFolder, dates: Dates
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Published levels of each index on the panel's days; NaN = missing."""
    if not folder.has("index_daily"):
        return {}, {}
    table = folder.read("index_daily")
    close, total = {}, {}
    for (name,), rows in table.group_by(["index"], maintain_order=True):
        close[str(name)] = _series(rows, "close", dates)
        if "total_return_close" in rows.columns and rows["total_return_close"].is_not_null().any():
            total[str(name)] = _series(rows, "total_return_close", dates)
    return close, total


def _series(rows: pl.DataFrame, column: str, dates: Dates) -> NDArray[np.float64]:
    out = np.full(len(dates), np.nan)
    given = rows["date"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(dates, given)
    inside = at < len(dates)
    inside[inside] = dates[at[inside]] == given[inside]
    out[at[inside]] = rows[column].cast(pl.Float64).to_numpy()[inside]
    return out
