"""An order file in a broker's form: written whole or not at all, named by what stands in it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import numpy as np

from deepfactor.core.arrays import Symbols
from deepfactor.core.errors import RecipeError, UserError
from deepfactor.core.files import atomic_path, file_hash, write_json
from deepfactor.core.optional import optional_package
from deepfactor.core.spec import content_key
from deepfactor.desk.morning import Checked
from deepfactor.desk.order_form import OrderForm, Value

_NO_DBF = UserError("DBF files need the package dbf: pip install 'deepfactor[dbf]'")
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}


class OrdersRecord(TypedDict):
    """The JSON beside an order file; its keys one by one: docs/conventions.md."""

    status: str
    rebalance: str
    form: str
    file: str
    sha256: str
    trade_date: str | None
    checked: bool
    orders: int
    bought: float
    sold: float
    changed: list[dict[str, object]]
    fractions_cut: list[str]


@dataclass(frozen=True)
class Heading:
    """What all orders of a file have in common.

    Attributes
    ----------
    form : name of the form
    rebalance : key of what they are made of
    date : of trading, ISO; None = not known
    account : None = not said
    quoted : checked against a morning's prices
    draft : nobody has released them
    """

    form: str
    rebalance: str
    date: str | None
    account: str | None
    quoted: bool
    draft: bool

    @property
    def status(self) -> str:
        """In words."""
        return "draft" if self.draft else "released"


def order_rows(checked: Checked, symbols: Symbols, form: OrderForm, heading: Heading) -> list[list[str]]:
    """The cells of an order file, sells before buys; shares are whole: an ex-date's fraction is no order."""
    order = np.concatenate([np.flatnonzero(checked.orders < 0), np.flatnonzero(checked.orders > 0)])
    date = "" if heading.date is None else np.datetime64(heading.date, "D").item().strftime(form.date)
    rows = []
    for number, k in enumerate(order.tolist(), 1):
        shares, price = whole_shares(float(checked.orders[k])), float(checked.price[k])
        symbol = str(symbols[k])
        cells: dict[Value, str] = {
            "number": str(number),
            "date": date,
            "symbol": form.code(symbol),
            "exchange": symbol.partition(".")[2],
            "side": form.sides.buy if checked.orders[k] > 0 else form.sides.sell,
            "shares": str(shares),
            "price": f"{price:.2f}",
            "amount": f"{shares * price:.2f}",
            "account": heading.account or "",
            "note": f"{heading.status} {heading.rebalance}",
        }
        rows.append([str(column.text) if column.value is None else cells[column.value] for column in form.columns])
    return rows


def whole_shares(order: float) -> int:
    """The whole shares of an order."""
    return int(np.floor(abs(order) + 1e-6))


def write_orders(
    out: Path, checked: Checked, symbols: Symbols, form: OrderForm, heading: Heading
) -> tuple[Path, OrdersRecord]:
    """Write ``orders-<date>-<form>-<content>.<csv|dbf>`` into `out`, or ``draft-…``, and a JSON of that name before it.

    Raises
    ------
    UserError
        the form has an account and none is given; a word that the encoding lacks; DBF without its package.
    """
    if heading.account is None and any(column.value == "account" for column in form.columns):
        raise UserError(f"the form {heading.form} has a column of the account: give it by --account")
    rows = order_rows(checked, symbols, form, heading)
    first = "draft" if heading.draft else "orders"
    stem = f"{first}-{heading.date or 'undated'}-{heading.form}-{content_key([form.key(), rows])}"
    path = out / f"{stem}.{form.file}"
    orders = np.array([np.sign(order) * whole_shares(order) for order in checked.orders.tolist()])
    amount = np.round(np.nan_to_num(np.abs(orders) * checked.price), 2)
    columns = checked.changed.columns()
    changed = zip(*(values.tolist() for values in columns.values()), strict=True)
    content: OrdersRecord = {
        "status": heading.status,
        "rebalance": heading.rebalance,
        "form": heading.form,
        "file": path.name,
        "sha256": "",
        "trade_date": heading.date,
        "checked": heading.quoted,
        "orders": len(rows),
        "bought": round(float(amount[orders > 0].sum()), 2),
        "sold": round(float(amount[orders < 0].sum()), 2),
        "changed": [dict(zip(columns, row, strict=True)) for row in changed],
        "fractions_cut": symbols[np.abs(checked.orders - orders) > 1e-6].tolist(),
    }
    write = _write_dbf if form.file == "dbf" else _write_csv
    with atomic_path(path) as temporary:
        write(temporary, form, rows)
        content["sha256"] = file_hash(temporary)
        write_json(out / f"{stem}.json", content)
    return path, content


def _write_csv(path: Path, form: OrderForm, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=form.separator, lineterminator=_LINE_ENDS[form.line_end])
    if form.head:
        writer.writerow([column.name for column in form.columns])
    writer.writerows(rows)
    try:
        path.write_bytes(text.getvalue().encode(form.encoding))
    except UnicodeEncodeError as error:
        raise RecipeError(f"{form.encoding} has no {error.object[error.start]!r}", key="encoding") from None


def _write_dbf(path: Path, form: OrderForm, rows: Sequence[Sequence[str]]) -> None:
    """DBase III; the package writes files of its own ending alone, so elsewhere."""
    dbf = optional_package("dbf", _NO_DBF)
    fields = "; ".join(f"{column.name} {column.dbf}" for column in form.columns)
    with TemporaryDirectory() as folder:
        own = Path(folder) / "orders.dbf"
        try:
            table = dbf.Table(str(own), fields, codepage="cp936" if form.encoding == "gbk" else "utf8")
            table.open(mode=dbf.READ_WRITE)
            for row in rows:
                cells = zip(form.columns, row, strict=True)
                table.append(tuple(_dbf_cell(column.dbf, cell) for column, cell in cells))
            table.close()
        except dbf.DbfError as error:
            raise RecipeError(f"the orders don't fit the form: {error}", key="columns") from None
        shutil.copyfile(own, path)


def _dbf_cell(kind: str, cell: str) -> str | float:
    return float(cell) if kind.startswith("N") else cell
