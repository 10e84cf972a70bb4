"""Securities, industries, indices and limits → the arrays of `Universe`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepfactor.core.errors import DataError
from deepfactor.market.boards import boards_of
from deepfactor.market.limits import LONG_LISTED, price_limits
from deepfactor.panel._build_fields import BuiltFields
from deepfactor.panel.panel import Bools, Dates
from deepfactor.store.folder import MarketFolder

_BLOCK = 128  # rows whose limits are computed at once: bounds the memory


@dataclass
class BuiltUniverse:
    """Facts under construction; names as in `Universe`."""

    fields: BuiltFields
    arrays: dict[str, NDArray[Any]]
    industries: tuple[str, ...]
    members: dict[str, Bools]
    published: dict[str, Published]
    index_close: dict[str, NDArray[np.float64]]
    index_total_return: dict[str, NDArray[np.float64]]
    next_date: Dates
    derived: set[str]
    counts: dict[str, int] = field(default_factory=dict)

    def benchmark_weights(self) -> Iterator[tuple[str, NDArray[np.float32], bool]]:
        """Index, its (T, N) weights, and whether any of them are derived; one after the other, to save memory."""
        for index, members in self.members.items():
            yield index, *_weights(self, index, members)


@dataclass(frozen=True)
class Published:
    """Published weights of one index: `rows` (p,) panel rows of publication, ascending; `weights` (p, N) float64."""

    rows: NDArray[np.intp]
    weights: NDArray[np.float64]


def build_universe(folder: MarketFolder, fields: BuiltFields) -> BuiltUniverse:
    """All facts of the market in `folder` that are no fields."""
    counts: dict[str, int] = {}
    listed, listing_day = _listing(folder, fields, counts)
    up, down, derived = _limits(fields, listed, listing_day)
    industry, industries = _industries(folder, fields, counts)
    published = _published(folder, fields, counts)
    members = _members(folder, fields, listed, published, counts)
    close, total = _index_series(folder, fields)
    return BuiltUniverse(
        fields=fields,
        arrays={
            "listed": listed,
            "traded": fields.traded,
            "st": fields.st,
            "limit_up": up,
            "limit_down": down,
            "industry": industry,
        },
        industries=industries,
        members=members,
        published=published,
        index_close=close,
        index_total_return=total,
        next_date=_next_dates(folder, fields.dates),
        derived=derived,
        counts=counts,
    )


def _listing(folder: MarketFolder, fields: BuiltFields, counts: dict[str, int]) -> tuple[Bools, NDArray[np.int32]]:
    """(listed, trading days since listing), both (T, N); the latter −1 where not listed.

    A symbol without a list date counts as listed from its first row; if that is the market's first day, as long listed.
    A row before the list date counts as listed too. Delisted from the delist date on, not a day before.
    """
    T, N = fields.shape
    start, age = fields.first_row.astype(np.int64), np.zeros(N, dtype=np.int64)
    age[start == 0] = LONG_LISTED
    end = np.full(N, T, dtype=np.int64)
    unknown = np.ones(N, dtype=bool)
    if folder.has("securities"):
        table, column = _placed(folder.read("securities"), fields)
        for name in ("list_date", "delist_date"):
            if name not in table.columns:
                continue
            given = table[name].is_not_null().to_numpy()
            at, dates = column[given], table[name].drop_nulls().to_numpy().astype("datetime64[D]")
            row = np.searchsorted(fields.dates, dates, side="left")
            if name == "delist_date":
                end[at] = row
                continue
            start[at] = np.minimum(row, start[at])
            # Weekdays stand in for trading days before the first: at most a few too many, and only the first 5 matter.
            age[at] = np.busday_count(dates, np.maximum(fields.dates[0], dates))
            unknown[at] = False
    if unknown.any():
        counts["symbols without list date: listed from their first row"] = int(unknown.sum())
    rows = np.arange(T, dtype=np.int32)[:, None]
    listed = (rows >= start) & (rows < end)
    return listed, np.where(listed, np.minimum(rows - start + age, LONG_LISTED), -1).astype(np.int32)


def _limits(
    fields: BuiltFields, listed: Bools, listing_day: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], set[str]]:
    """Price limits (T, N) in fen: the table's where given, else by board, date, ST and previous close."""
    reference = _previous_close(fields)
    boards = boards_of(fields.symbols)
    up, down = np.zeros(fields.shape, dtype=np.int32), np.zeros(fields.shape, dtype=np.int32)
    for first in range(0, len(up), _BLOCK):
        cut = slice(first, first + _BLOCK)
        up[cut], down[cut] = price_limits(reference[cut], boards, fields.st[cut], listing_day[cut], fields.dates[cut])
    derived = {"limit_up", "limit_down", *(() if "prev_close" in fields.arrays else ("prev_close",))}
    for name, limit in (("limit_up", up), ("limit_down", down)):
        given = fields.arrays.pop(name, None)
        if given is not None:
            known = np.isfinite(given)
            limit[known] = _fen(given[known])
            if known[fields.traded].all():
                derived.discard(name)
        limit[~listed] = 0
    fields.arrays.pop("prev_close", None)
    return up, down, derived


def _previous_close(fields: BuiltFields) -> NDArray[np.int64]:
    """Unadjusted reference price of each day in fen, (T, N); 0 = none known.

    Given, or round(close₋₁ · factor₋₁ / factor) over the last day with a trade, half up.
    """
    close, factor = fields.arrays["close"], fields.arrays["adj_factor"]
    given = fields.arrays.get("prev_close")
    out = np.zeros(fields.shape, dtype=np.int64)
    last = np.zeros(len(fields.symbols))  # last close × its factor
    for t in range(len(out)):
        known = last > 0
        out[t, known] = np.floor(last[known] / factor[t, known] + 0.5).astype(np.int64)
        if given is not None:
            out[t] = np.where(np.isfinite(given[t]), _fen(np.nan_to_num(given[t])), out[t])
        traded = fields.traded[t] & np.isfinite(factor[t])
        last[traded] = _fen(close[t, traded]) * factor[t, traded]
    return out


def _fen(price: NDArray[np.floating]) -> NDArray[np.int64]:
    """CNY → integer fen."""
    return np.rint(price.astype(np.float64) * 100).astype(np.int64)


def _placed(table: pl.DataFrame, fields: BuiltFields) -> tuple[pl.DataFrame, NDArray[np.intp]]:
    """Rows whose symbol is in the panel, and their columns there."""
    names = table["symbol"].to_numpy().astype(np.str_)
    column = np.searchsorted(fields.symbols, names)
    inside = column < len(fields.symbols)
    inside[inside] = fields.symbols[column[inside]] == names[inside]
    return table.filter(pl.Series(inside)), column[inside]


def _spans(table: pl.DataFrame, dates: Dates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row slices of intervals with both ends inclusive; a null end is open."""
    start = np.searchsorted(dates, table["start_date"].to_numpy().astype("datetime64[D]"), side="left")
    if "end_date" not in table.columns:
        return start, np.full(len(start), len(dates))
    last = table["end_date"].to_numpy().astype("datetime64[D]")
    return start, np.where(np.isnat(last), len(dates), np.searchsorted(dates, last, side="right"))


def _industries(
    folder: MarketFolder, fields: BuiltFields, counts: dict[str, int]
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """(T, N) index into the sorted industry names; −1 = none known. A later start overrides an earlier one."""
    out = np.full(fields.shape, -1, dtype=np.int16)
    if not folder.has("industry"):
        return out, ()
    table, column = _placed(folder.read("industry").sort("start_date", "symbol"), fields)
    names = table["industry"].unique().sort()
    code = table["industry"].cast(pl.Enum(names)).to_physical().to_numpy()
    first, last = _spans(table, fields.dates)
    for i in range(len(column)):
        out[first[i] : last[i], column[i]] = code[i]
    counts["traded stock-days without industry"] = int((fields.traded & (out < 0)).sum())
    return out, tuple(names)


def _published(folder: MarketFolder, fields: BuiltFields, counts: dict[str, int]) -> dict[str, Published]:
    """Published weights by index, each at the first panel row on or after its date."""
    if not folder.has("index_weights"):
        return {}
    table = folder.read("index_weights")
    inside, column = _placed(table, fields)
    if inside.height < table.height:
        counts["index weights of symbols without prices, left out"] = table.height - inside.height
    date = inside["date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(fields.dates, date, side="left")
    weight = inside["weight"].to_numpy()
    index = inside["index"].to_numpy().astype(np.str_)
    out = {}
    for name in sorted(set(index)):
        mine = (index == name) & (row < len(fields.dates))
        # Of publications that fall on one trading day (say of a weekend) the last stands.
        latest = {int(r): d for r, d in zip(row[mine], date[mine], strict=True)}  # rows are by date
        mine &= np.array([latest.get(int(r)) == d for r, d in zip(row, date, strict=True)], dtype=bool)
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
) -> dict[str, Bools]:
    """(T, N) members of each index: by intervals, and from the first publication on by weights above zero."""
    out: dict[str, Bools] = {}
    if folder.has("index_members"):
        table = folder.read("index_members")
        inside, column = _placed(table, fields)
        if inside.height < table.height:
            counts["membership intervals of symbols without prices, left out"] = table.height - inside.height
        first, last = _spans(inside, fields.dates)
        for i, name in enumerate(inside["index"]):
            mask = out.setdefault(name, np.zeros(fields.shape, dtype=bool))
            mask[first[i] : last[i], column[i]] = True
    for name, publication in published.items():
        mask = out.setdefault(name, np.zeros(fields.shape, dtype=bool))
        ends = [*publication.rows[1:], len(fields.dates)]
        for start, end, weights in zip(publication.rows, ends, publication.weights, strict=True):
            mask[start:end] = weights > 0
    early = 0
    for mask in out.values():
        early += int((mask & ~listed).sum())
        mask &= listed
    if early:
        counts["member-days outside the listing span, left out"] = early
    return dict(sorted(out.items()))


def _weights(universe: BuiltUniverse, index: str, members: Bools) -> tuple[NDArray[np.float32], bool]:
    """(T, N) weights of one index, each row summing to 1 where it has members, and whether any are derived.

    Before the first publication: market value of the members. From then on the published weights, drifting with the
    adjusted price until the next publication; a member that is no longer listed weighs nothing.
    """
    fields = universe.fields
    out = np.zeros(fields.shape, dtype=np.float32)
    publication = universe.published.get(index)
    begin = len(out) if publication is None else int(publication.rows[0])
    derived = bool(members[:begin].any())
    if derived:
        _weigh_by_cap(universe, index, members[:begin], out[:begin])
    if publication is not None:
        price = _held_price(fields, begin)
        ends = [*publication.rows[1:], len(out)]
        for start, end, weights in zip(publication.rows, ends, publication.weights, strict=True):
            base = price[start - begin]
            growth = price[start - begin : end - begin] / base
            drifted = np.where(members[start:end], weights * np.where(np.isfinite(growth), growth, 1.0), 0.0)
            out[start:end] = drifted / np.maximum(drifted.sum(axis=1, keepdims=True), 1e-300)
    return out, derived


def _weigh_by_cap(universe: BuiltUniverse, index: str, members: Bools, out: NDArray[np.float32]) -> None:
    """Fill `out` with members' market values as fractions of their sum; members without one weigh nothing, counted."""
    name = next((name for name in ("float_mv", "total_mv") if name in universe.fields.arrays), None)
    if name is None:
        raise DataError(
            f"weights of {index} can't be derived: the market has neither index_weights of it nor float_mv or total_mv",
            column="float_mv",
        )
    cap = universe.fields.arrays[name]
    lacking = 0
    for t in np.flatnonzero(members.any(axis=1)):
        weighed = members[t] & np.isfinite(cap[t])
        lacking += int(members[t].sum() - weighed.sum())
        total = cap[t, weighed].sum(dtype=np.float64)
        if total > 0:
            out[t, weighed] = cap[t, weighed] / total
    universe.derived.add(f"benchmark {index} from {name}")
    if lacking:
        universe.counts[f"member-days of {index} without {name}: weight 0"] = lacking


def _held_price(fields: BuiltFields, begin: int) -> NDArray[np.float64]:
    """Adjusted last close from row `begin` on, (T − begin, N): the last close × the factor in force, NaN before any."""
    close, factor = fields.arrays["close"], fields.arrays["adj_factor"]
    out = np.full((len(close) - begin, close.shape[1]), np.nan)
    last = np.full(close.shape[1], np.nan)
    for t in range(len(close)):
        traded = fields.traded[t]
        last[traded] = close[t, traded] * factor[t, traded]
        if t >= begin:
            out[t - begin] = last
    return out


def _index_series(
    folder: MarketFolder, fields: BuiltFields
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Published levels of each index on the panel's days; NaN = missing."""
    if not folder.has("index_daily"):
        return {}, {}
    table = folder.read("index_daily")
    close, total = {}, {}
    for (name,), rows in table.group_by(["index"], maintain_order=True):
        close[str(name)] = _series(rows, "close", fields.dates)
        if "total_return_close" in rows.columns and rows["total_return_close"].is_not_null().any():
            total[str(name)] = _series(rows, "total_return_close", fields.dates)
    return close, total


def _series(rows: pl.DataFrame, column: str, dates: Dates) -> NDArray[np.float64]:
    out = np.full(len(dates), np.nan)
    given = rows["date"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(dates, given)
    inside = at < len(dates)
    inside[inside] = dates[at[inside]] == given[inside]
    out[at[inside]] = rows[column].cast(pl.Float64).to_numpy()[inside]
    return out


def _next_dates(folder: MarketFolder, dates: Dates) -> Dates:
    """The first trading day of the calendar after each date; NaT where the calendar doesn't reach that far."""
    calendar = folder.read("calendar")["date"].unique().sort().to_numpy().astype("datetime64[D]")
    calendar = np.append(calendar, np.datetime64("NaT", "D"))
    known = calendar[:-1]
    return calendar[np.searchsorted(known, dates, side="right")]
