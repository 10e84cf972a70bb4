"""Index tables → members, weights and levels on the panel's days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Int8, Records
from deepfactor.core.words import Sentence
from deepfactor.market.index_rules import members_lacking
from deepfactor.panel.build.axes import placed, spans
from deepfactor.panel.build.derived import Derivation, derivation_of
from deepfactor.panel.build.fields import BuiltFields
from deepfactor.panel.build.published import Published, drift
from deepfactor.panel.weighting import KINDS, ROWS
from deepfactor.store.checks import Basis
from deepfactor.store.folder import MarketFolder

_NO_VALUES = Sentence(
    "member-days of {index}: no weights, for want of market values", "{index}的成分日：因无市值而没有权重"
)
_STILL = Sentence(
    "member-days of {index} before their first known price: weight does not drift",
    "{index}中首个已知价格之前的成分日：权重不漂移",
)
_MADE_FROM = Sentence("benchmark {index} from {value}", "{index}的基准权重由{value}推导")
_WITHOUT = Sentence("member-days of {index} without {value}: weight 0", "{index}中没有{value}的成分日：权重为0")
_ESTIMATED = Sentence(
    "inclusion factors of {index}'s largest members, estimated from its own returns",
    "{index}最大成分股的纳入因子，由其自身收益估计",
)
_BY_ESTIMATE = Sentence(
    "days of {index} with weights by estimated inclusion factors", "{index}以估计的纳入因子得到权重的日期"
)
_WEIGHTS_WITHOUT_PRICES = Sentence(
    "index weights of symbols without prices, left out", "没有行情的代码的指数权重，已剔除"
)
_MEMBERS_WITHOUT_PRICES = Sentence(
    "membership intervals of symbols without prices, left out", "没有行情的代码的成分区间，已剔除"
)
_NOT_LISTED = Sentence("member-days outside the listing span, left out", "上市区间之外的成分日，已剔除")


@dataclass
class BuiltIndices:
    """Indices under construction; `members`, `close`, `total_return` as in `Universe`, `published` by index.

    `level` holds the closes of all T days; `estimate`: whether returns are fit to be compared with them. `counts` are
    of rows under construction, `facts` of tables as a whole.
    """

    fields: BuiltFields
    members: dict[str, Bools]
    published: dict[str, Published]
    level: dict[str, Float64]
    total_return: dict[str, Float64]
    estimate: bool = True
    derived: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    @property
    def close(self) -> dict[str, Float64]:
        """Levels (R,) of the days under construction."""
        return {index: level[self.fields.begin :] for index, level in self.level.items()}

    def weights(self) -> Iterator[tuple[str, Float32, Records]]:
        """Index, its (R, N) weights and how they were made (R,); one after the other, to save memory.

        Before the first publication weights are the members' market values; from then on the published weights,
        drifting with the adjusted price until the next publication. A member that is no longer listed weighs nothing.
        An index whose weights can be neither read nor derived is left out, and counted.
        """
        begins = {index: self._first_publication(index) for index in self.members}
        derive = {index: mask[: begins[index]] for index, mask in self.members.items() if mask[: begins[index]].any()}
        known = {index: self.members[index] for index in derive if self.estimate and index in self.level}
        derivation = derivation_of(self.fields, known)
        for index, members in self.members.items():
            out, how = np.zeros(self.fields.shape, dtype=np.float32), np.zeros(len(members), dtype=ROWS)
            how["total"] = np.nan
            if index in derive and derivation is None:
                self.counts[_NO_VALUES.format(index=index)] = int(members.sum())
                continue
            if index in derive and derivation is not None:
                self._derive(derivation, index, derive[index], out, how["kind"])
            if index in self.published:
                still = drift(self.fields, self.published[index], members, out, how)
                self.counts[_STILL.format(index=index)] = still
            yield index, out, how

    def _first_publication(self, index: str) -> int:
        """Number of rows under construction before it."""
        if index not in self.published:
            return self.fields.shape[0]
        return max(int(self.published[index].rows[0]) - self.fields.begin, 0)

    def _derive(self, derivation: Derivation, index: str, members: Bools, out: Float32, kind: Int8) -> None:
        history = self.fields.history
        before = None if history is None else history.members.get(index)
        level = self.level.get(index) if self.estimate else None
        lacking = derivation.weigh(members, before, level, out[: len(members)], kind[: len(members)])
        for name, count in lacking.items():
            self.derived.add(_MADE_FROM.format(index=index, value=name))
            self.counts[_WITHOUT.format(index=index, value=name)] = count
        estimated = int((kind == KINDS.index("estimated")).sum())
        if estimated:
            self.derived.add(_ESTIMATED.format(index=index))
            self.counts[_BY_ESTIMATE.format(index=index)] = estimated


def build_indices(folder: MarketFolder, fields: BuiltFields, listed: Bools) -> BuiltIndices:
    """All indices of the market in `folder`; weights are made when asked for."""
    counts: dict[str, int] = {}
    facts: dict[str, int] = {}
    published = _published(folder, fields, facts)
    members = _members(folder, fields, listed, published, counts, facts)
    level, total = _levels(folder, fields.dates)
    total = {index: values[fields.begin :] for index, values in total.items()}
    # Raw prices without a factor fall with each issue of shares, which an index doesn't.
    estimate = not Basis.of(folder.manifest.source).no_adjustment
    return BuiltIndices(fields, members, published, level, total, estimate, counts=counts, facts=facts)


def _published(folder: MarketFolder, fields: BuiltFields, facts: dict[str, int]) -> dict[str, Published]:
    """Published weights by index, each at the first panel row on or after its date."""
    if not folder.has("index_weights"):
        return {}
    table = folder.read("index_weights")
    inside, column = placed(table, fields.symbols)
    if inside.height < table.height:
        facts[str(_WEIGHTS_WITHOUT_PRICES)] = table.height - inside.height
    if fields.begin:
        recent = inside["date"] >= _oldest_in_force(inside, fields.dates[fields.begin].item())
        inside, column = inside.filter(recent), column[recent.to_numpy()]
    days = inside["date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(fields.dates, days, side="left")
    weight = inside["weight"].to_numpy()
    # A simulated index is as large as its market, whatever its code says.
    simulated, ages = bool(folder.manifest.source.get("simulated")), np.sort(fields.first_row)
    out = {}
    for name in inside["index"].unique().sort():
        mine = np.flatnonzero((inside["index"] == name).to_numpy() & (row < len(fields.dates)))
        # Of publications that fall on one trading day (say of a weekend) the last stands.
        latest = np.full(len(fields.dates), np.datetime64("NaT", "D"))
        latest[row[mine]] = days[mine]  # rows are by date, and the last assignment stays
        mine = mine[latest[row[mine]] == days[mine]]
        rows = np.unique(row[mine])
        weights = np.zeros((len(rows), len(fields.symbols)))
        weights[np.searchsorted(rows, row[mine]), column[mine]] = weight[mine]
        if len(rows):
            stocks = np.zeros(len(rows), dtype=np.intp) if simulated else np.searchsorted(ages, rows, side="right")
            held = (weights > 0).sum(axis=1)
            missing = [members_lacking(name, int(n), int(of)) for n, of in zip(held, stocks, strict=True)]
            out[name] = Published(rows, latest[rows], weights, np.array(missing, dtype=np.intp))
    return out


def _oldest_in_force(weights: pl.DataFrame, day: date) -> date:
    """The date of the oldest publication that is in force on a day: those before it say no more."""
    newest = weights.filter(pl.col("date") <= day).group_by("index").agg(pl.col("date").max())
    return min(newest["date"].to_list(), default=day)


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
            facts[str(_MEMBERS_WITHOUT_PRICES)] = table.height - inside.height
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
        counts[str(_NOT_LISTED)] = early
    return dict(sorted(out.items()))


def _levels(folder: MarketFolder, dates: Dates) -> tuple[dict[str, Float64], dict[str, Float64]]:
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


def _series(rows: pl.DataFrame, column: str, dates: Dates) -> Float64:
    out = np.full(len(dates), np.nan)
    given = rows["date"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(dates, given)
    inside = at < len(dates)
    inside[inside] = dates[at[inside]] == given[inside]
    out[at[inside]] = rows[column].cast(pl.Float64).to_numpy()[inside]
    return out
