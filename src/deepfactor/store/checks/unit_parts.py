"""Units that are wrong on a part of the rows: of a board, of some days, of single stocks.

Told row by row where two columns say the same thing: amount ÷ volume is a price of the day, volume × close ÷ float_mv
is the given turnover, and float_mv is a part of total_mv.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.checks.grid import board_name
from deepfactor.store.checks.units import traded_value

#: log10 beyond which two columns that say the same contradict each other; float_mv is at least 1 % of total_mv.
_FAR, _FAR_BELOW_TOTAL = 0.8, 2.7
#: From this share of all rows on it is the whole table's unit.
_WHOLE = 0.5
#: Share of the rows of a board, a day or a stock, from which on it is wrong as a whole, and the rows that say so: of a
#: board or day, of a board on days, of a stock.
_PART, _ROWS, _ROWS_OF_DAYS, _ROWS_OF_STOCK = 0.5, 5, 20, 20
_PRICE = Sentence(
    "amount / volume is {factor} × {price} on {share} of rows: {where}. amount must be in CNY and volume in shares "
    "(100 = volume in lots, 1000 or 10000 = amount in thousands)",
    "{share}的行上成交额÷成交量为{price}的{factor}倍（{where}），请核对单位：成交额应以元计，成交量应以股计",
)
_TURNOVER = Sentence(
    "volume × close / float_mv is {factor} × the given turnover on {share} of rows: {where}. volume must be in shares, "
    "float_mv in CNY, turnover a fraction (100 = volume in lots or turnover in per cent, 10000 = values in 10,000 CNY)",
    "{share}的行上成交量×收盘价÷流通市值为所给换手率的{factor}倍（{where}），"
    "请核对单位：成交量应以股计，流通市值应以元计，换手率应为小数",
)
_TOTAL = Sentence(
    "float_mv is {factor} × total_mv on {share} of rows: {where}. both must be in CNY (10000 = values in 10,000 CNY)",
    "{share}的行上流通市值为总市值的{factor}倍（{where}），请核对单位：两者均应以元计",
)
_CAPITAL = Sentence(
    "float_mv is {factor} × a_shares × close on {share} of rows: {where}. float_mv must be in CNY, a_shares in single "
    "shares",
    "{share}的行上流通市值为a_shares×收盘价的{factor}倍（{where}），请核对单位：流通市值应以元计，a_shares应以股计",
)


@dataclass(frozen=True)
class Evidence:
    """Two numbers of a row that say the same: `made` of other columns, and `given`, or made of others again.

    A row contradicts itself where their ratio lies below 10^−`below` or above 10^`above`; what isn't a positive number
    is another finding. `says`: what the ratio is of; `column` to blame; `price`: the column that a price is `given` by;
    `told`: another check tells where it is wrong as a whole.
    """

    made: pl.Expr
    given: pl.Expr
    says: Sentence
    column: str
    price: str = ""
    below: float = _FAR
    above: float = _FAR
    told: bool = False

    @property
    def known(self) -> pl.Expr:
        """Whether a row has both."""
        both = (self.made > 0) & (self.given > 0) & self.made.is_finite() & self.given.is_finite()
        return both.fill_null(value=False)

    @property
    def far(self) -> pl.Expr:
        """Whether a row contradicts itself."""
        outside = (self.made < self.given * 10**-self.below) | (self.made > self.given * 10**self.above)
        return outside & self.known


def check_unit_parts(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """Findings of the rows of `daily`."""
    return [finding for one in _evidence(frame, basis) for finding in _check(frame, one)]


def _evidence(frame: pl.DataFrame, basis: Basis) -> Iterator[Evidence]:
    there = set(frame.columns)
    value = traded_value(frame.columns, basis)
    if "amount" in there and not basis.raw_volume:
        price = "vwap" if "vwap" in there else "close"
        made, given = pl.col("amount"), pl.col("volume") * pl.col(price)
        yield Evidence(made, given, _PRICE, "volume", price, told=price == "close")
    if {"turnover", "float_mv"} <= there and value is not None:
        given = pl.col("turnover") * pl.col("float_mv")
        yield Evidence(value, given, _TURNOVER, "volume", told=True)
    if {"float_mv", "total_mv"} <= there:
        made, given = pl.col("float_mv"), pl.col("total_mv")
        yield Evidence(made, given, _TOTAL, "float_mv", below=_FAR_BELOW_TOTAL)
    if {"float_mv", "a_shares"} <= there and not basis.adjusted:
        made, given = pl.col("float_mv"), pl.col("a_shares") * pl.col("close")
        yield Evidence(made, given, _CAPITAL, "float_mv", below=_FAR_BELOW_TOTAL, told=True)


def _check(frame: pl.DataFrame, one: Evidence) -> list[Finding]:
    if not frame.select(one.far.any()).item():
        return []
    rows = frame.lazy().filter(one.known)
    known = rows.select("date", pl.col("symbol").cast(pl.String), far=one.far, log=(one.made / one.given).log10())
    boards = {symbol: board_name(symbol) for symbol in frame["symbol"].unique().cast(pl.String)}
    board = pl.col("symbol").replace_strict(boards, return_dtype=pl.String)
    table = known.with_columns(board=board).collect()
    share = table["far"].sum() / table.height
    if one.told and share >= _WHOLE:
        return []
    where, sure = _where(table)
    factor = _factor(table.filter("far").select(pl.col("log").median()).item())
    severity: Literal["error", "warning"] = "error" if sure else "warning"
    parts = {"share": f"{share:.2%}", "where": ", ".join(where)}
    message = one.says.filled(factor=factor, price=one.price, **parts)
    return rows_where(severity, "wrong_unit" if sure else "unit_of_rows", "daily", one.column, frame, one.far, message)


def _where(rows: pl.DataFrame) -> tuple[list[str], bool]:
    """Which rows are `far`, in words, the largest parts first; and whether a part is so as a whole, by enough rows."""
    left, said, sure = rows, [], False
    for keys, least in ((["board"], _ROWS), (["date"], _ROWS), (["board", "date"], _ROWS_OF_DAYS), (["symbol"], 0)):
        parts = left.group_by(keys).agg(n=pl.len(), far=pl.col("far").sum())
        least_here = _ROWS_OF_STOCK if keys == ["symbol"] else _ROWS
        parts = parts.filter((pl.col("far") >= _PART * pl.col("n")) & (pl.col("far") >= least_here)).sort(keys)
        if parts.is_empty():
            continue
        said.append(_said(parts, keys))
        sure = sure or (keys != ["symbol"] and parts["far"].sum() >= least)
        left = left.join(parts.select(keys), on=keys, how="anti")
    rest = left.filter("far")
    if not rest.is_empty():
        first = rest.sort("date", "symbol").row(0, named=True)
        of = f"{rest['symbol'].n_unique()} symbols, first {first['date']} {first['symbol']}"
        said.append(f"{rest.height} single rows ({of})")
    return said, sure


def _said(parts: pl.DataFrame, keys: list[str]) -> str:
    shown = [" on ".join(str(one) for one in row) for row in parts.select(keys).head(3).rows()]
    more = f" and {parts.height - len(shown)} more" if parts.height > len(shown) else ""
    whole = (parts["far"] == parts["n"]).all()
    return f"{'all' if whole else 'most'} rows of {', '.join(shown)}{more} ({parts['far'].sum()} of {parts['n'].sum()})"


def _factor(log: float) -> str:
    return f"{10 ** round(log):g}" if abs(log - round(log)) <= 0.3 else f"{10**log:.2g}"
