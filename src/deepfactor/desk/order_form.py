"""The form of a broker's order file: columns, words, encoding, by a small TOML; shipped ones lie in ``forms``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import recipe_error
from deepfactor.core.spec import Spec
from deepfactor.core.toml import read_toml

Value = Literal["number", "date", "symbol", "exchange", "side", "shares", "price", "amount", "account", "note"]
CodeForm = Literal["600000.SH", "600000.XSHG", "SH600000", "sh600000", "sh.600000", "600000"]
#: Letters that a DBF file has for the name of a column.
DBF_NAME = 10
_ISO = {"SH": "XSHG", "SZ": "XSHE", "BJ": "XBSE"}


class OrderColumn(Spec):
    """A column of an order file: what of an order stands there (`value`), or a `text` that is always the same.

    `value`: number (1, 2, …), date (of trading), symbol, exchange (SH, SZ, BJ), side, shares, price (CNY, fen), amount
    (shares × price), account, note ("draft" or "released", and the rebalance's key). `dbf`: the column's type in a DBF
    file, C(n) or N(n,decimals).
    """

    name: str = Field(min_length=1)
    value: Value | None = None
    text: str | None = None
    dbf: str = Field(default="C(32)", pattern=r"^(C\(\d{1,3}\)|N\(\d{1,2},\d{1,2}\))$")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.value is None) == (self.text is None):
            raise ValueError(f"column {self.name}: give value or text, one of them")
        return self


class Sides(Spec):
    """Words for buying and selling."""

    buy: str = "buy"
    sell: str = "sell"


class OrderForm(Spec):
    """An order file's form.

    `symbol` shows how a code is written, by that of Pudong Development Bank; `date` is strftime's. `price_offset`: the
    fraction by which a buyer's price lies above the reference and a seller's below it, within the day's limits where
    these are known.
    """

    file: Literal["csv", "dbf"] = "csv"
    encoding: Literal["utf-8-sig", "utf-8", "gbk"] = "utf-8-sig"
    separator: Literal[",", "\t", ";", "|"] = ","
    head: bool = True
    line_end: Literal["crlf", "lf"] = "crlf"
    symbol: CodeForm = "600000.SH"
    date: str = "%Y-%m-%d"
    sides: Sides = Sides()
    price_offset: float = Field(default=0.0, ge=0.0, le=0.1)
    columns: tuple[OrderColumn, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [column.name for column in self.columns]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two columns have the same name: {', '.join(sorted(twice))}")
        if self.file == "dbf" and (long := [name for name in names if not name.isascii() or len(name) > DBF_NAME]):
            raise ValueError(f"a DBF file's columns have names of at most {DBF_NAME} plain letters: {', '.join(long)}")
        if not {"symbol", "side", "shares"} <= {column.value for column in self.columns}:
            raise ValueError("orders without symbol, side or shares: give columns with these values")
        return self

    def code(self, symbol: str) -> str:
        """A symbol as the form has codes."""
        digits, _, exchange = symbol.partition(".")
        written: Mapping[str, str] = {
            "600000.SH": symbol,
            "600000.XSHG": f"{digits}.{_ISO[exchange]}",
            "SH600000": f"{exchange}{digits}",
            "sh600000": f"{exchange.lower()}{digits}",
            "sh.600000": f"{exchange.lower()}.{digits}",
            "600000": digits,
        }
        return written[self.symbol]


def form_names() -> tuple[str, ...]:
    """Names of the forms that ship, sorted."""
    return tuple(sorted(one.name.removesuffix(".toml") for one in _shipped().iterdir() if one.name.endswith(".toml")))


def load_form(name_or_path: str | Path) -> OrderForm:
    """A form by name, or any TOML file with its keys.

    Raises
    ------
    RecipeError
        no such form or file, TOML that can't be read, an unknown or wrong key; names it and what there is.
    """
    given = str(name_or_path)
    if given in form_names():
        file: Traversable = _shipped() / f"{given}.toml"
    else:
        file = Path(given)
        if not Path(given).is_file():
            raise RecipeError(f"no form or file {given!r}: {choices(given, form_names())}")
    try:
        return OrderForm.model_validate(read_toml(file, given))
    except ValidationError as error:
        raise recipe_error(error, given) from None


def _shipped() -> Traversable:
    return resources.files("deepfactor.desk") / "forms"
