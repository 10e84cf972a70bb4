"""Securities, industries and limits → the arrays of `Universe` that belong to no index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray, Bools, Dates, Floats, Int16, Int32, Ints, Symbols
from deepfactor.core.words import Sentence
from deepfactor.market.boards import boards_of
from deepfactor.market.limits import LONG_LISTED, price_limits
from deepfactor.panel.build.axes import placed, spans
from deepfactor.panel.build.fields import BuiltFields
from deepfactor.store.folder import MarketFolder

_BLOCK = 128  # rows whose limits are computed at once: bounds the memory
#: Fen by which a reference price may miss a half and still round up: 10.77 / 2 is one, and factors are rounded numbers.
_HALF_SLACK = 1e-4
#: A reference price whose limits integers of 32 bits still hold. A factor that collapses would ask for more.
_MOST_FEN = 1_400_000_000
_NO_INDUSTRY = Sentence("traded stock-days without industry", "有成交而无行业的股票日")
_NO_LIST_DATE = Sentence(
    "symbols without list date: listed from their first row", "没有上市日期的代码：视为自首行起上市"
)


@dataclass
class BuiltUniverse:
    """Facts under construction; names as in `Universe`. `counts` are of rows, `facts` of tables as a whole."""

    arrays: dict[str, AnyArray]
    industries: tuple[str, ...]
    next_date: Dates
    derived: set[str]
    counts: dict[str, int]
    facts: dict[str, int]


def build_universe(folder: MarketFolder, fields: BuiltFields) -> BuiltUniverse:
    """All facts of the market in `folder` that are no fields."""
    counts: dict[str, int] = {}
    facts: dict[str, int] = {}
    listed, listing_day = _listing(folder, fields, facts)
    up, down, derived = _limits(fields, listed, listing_day)
    industry, industries = build_industries(folder, fields.symbols, fields.dates, fields.begin)
    if industries:
        counts[str(_NO_INDUSTRY)] = int((fields.traded & (industry < 0)).sum())
    return BuiltUniverse(
        arrays={
            "listed": listed,
            "traded": fields.traded,
            "st": fields.st,
            "limit_up": up,
            "limit_down": down,
            "industry": industry,
        },
        industries=industries,
        next_date=_next_dates(folder, fields.dates),
        derived=derived,
        counts=counts,
        facts=facts,
    )


def _listing(folder: MarketFolder, fields: BuiltFields, facts: dict[str, int]) -> tuple[Bools, Int32]:
    """(listed, trading days since listing), both (T, N); the latter −1 where not listed.

    A symbol without a list date counts as listed from its first row; if that is the market's first day, as long listed.
    A row before the list date counts as listed too. Delisted from the delist date on, not a day before.
    """
    T, N = len(fields.dates), len(fields.symbols)
    start, age = fields.first_row.astype(np.int64), np.zeros(N, dtype=np.int64)
    age[start == 0] = LONG_LISTED
    end = np.full(N, T, dtype=np.int64)
    unknown = np.ones(N, dtype=bool)
    if folder.has("securities"):
        table, column = placed(folder.read("securities"), fields.symbols)
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
        facts[str(_NO_LIST_DATE)] = int(unknown.sum())
    rows = np.arange(fields.begin, T, dtype=np.int32)[:, None]
    listed = (rows >= start) & (rows < end)
    return listed, np.where(listed, np.minimum(rows - start + age, LONG_LISTED), -1).astype(np.int32)


def _limits(fields: BuiltFields, listed: Bools, listing_day: Int32) -> tuple[Int32, Int32, set[str]]:
    """Price limits (T, N) in fen: the table's where given, else by board, date, ST and previous close."""
    reference = _previous_close(fields)
    dates = fields.dates[fields.begin :]
    boards = boards_of(fields.symbols)
    up, down = np.zeros(fields.shape, dtype=np.int32), np.zeros(fields.shape, dtype=np.int32)
    for first in range(0, len(up), _BLOCK):
        cut = slice(first, first + _BLOCK)
        up[cut], down[cut] = price_limits(reference[cut], boards, fields.st[cut], listing_day[cut], dates[cut])
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


def _previous_close(fields: BuiltFields) -> Ints:
    """Unadjusted reference price of each day in fen, (T, N); 0 = none known, or none that a market has.

    Given, or round(close₋₁ · factor₋₁ / factor) over the last day with a trade, half up.
    """
    close, factor = fields.arrays["close"], fields.arrays["adj_factor"]
    given = fields.arrays.get("prev_close")
    out = np.zeros(fields.shape, dtype=np.int64)
    # The last close × its factor; 0 = never traded.
    price, of_price = fields.last_trades(fields.begin)
    last = np.where(np.isfinite(price * of_price), _fen(np.nan_to_num(price)) * of_price, 0.0)
    for t in range(len(out)):
        known = last > 0
        made = np.floor(last[known] / factor[t, known] + 0.5 + _HALF_SLACK)
        out[t, known] = np.where(made > _MOST_FEN, 0, made).astype(np.int64)
        if given is not None:
            out[t] = np.where(np.isfinite(given[t]), _fen(np.nan_to_num(given[t])), out[t])
        traded = fields.traded[t] & np.isfinite(factor[t])
        last[traded] = _fen(close[t, traded]) * factor[t, traded]
    return out


def _fen(price: Floats) -> Ints:
    """CNY → integer fen."""
    return np.rint(price.astype(np.float64) * 100).astype(np.int64)


def build_industries(folder: MarketFolder, symbols: Symbols, dates: Dates, begin: int) -> tuple[Int16, tuple[str, ...]]:
    """(T − begin, N) index into the sorted industry names; −1 = none known. A later start overrides an earlier one."""
    out = np.full((len(dates) - begin, len(symbols)), -1, dtype=np.int16)
    if not folder.has("industry"):
        return out, ()
    whole = folder.read("industry").sort("start_date", "symbol")
    names = whole["industry"].unique().sort()
    table, column = placed(whole, symbols)
    code = table["industry"].cast(pl.Enum(names)).to_physical().to_numpy()
    first, last = spans(table, dates, begin)
    for i in range(len(column)):
        out[first[i] : last[i], column[i]] = code[i]
    return out, tuple(names)


def _next_dates(folder: MarketFolder, dates: Dates) -> Dates:
    """The first trading day of the calendar after each date; NaT where the calendar doesn't reach that far."""
    calendar = folder.read("calendar")["date"].unique().sort().to_numpy().astype("datetime64[D]")
    calendar = np.append(calendar, np.datetime64("NaT", "D"))
    known = calendar[:-1]
    return calendar[np.searchsorted(known, dates, side="right")]
