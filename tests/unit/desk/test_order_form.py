"""Forms of order files: the shipped ones, an own one, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.desk.order_form import OrderForm, form_names, load_form
from support.desk import written

COLUMNS = "columns = [{name = 'c', value = 'symbol'}, {name = 's', value = 'side'}, {name = 'n', value = 'shares'}]\n"


@pytest.mark.parametrize("name", form_names())
def test_a_shipped_form_loads(name: str) -> None:
    assert len(load_form(name).columns) >= 6


def test_forms_ship() -> None:
    assert form_names() == ("generic", "xt_csv", "xt_dbf")


@pytest.mark.parametrize(
    ("form", "codes"),
    [
        ("600000.SH", ["600000.SH", "000001.SZ", "430047.BJ"]),
        ("600000.XSHG", ["600000.XSHG", "000001.XSHE", "430047.XBSE"]),
        ("SH600000", ["SH600000", "SZ000001", "BJ430047"]),
        ("sh600000", ["sh600000", "sz000001", "bj430047"]),
        ("sh.600000", ["sh.600000", "sz.000001", "bj.430047"]),
        ("600000", ["600000", "000001", "430047"]),
    ],
)
def test_forms_of_codes(tmp_path: Path, form: str, codes: list[str]) -> None:
    own: OrderForm = load_form(written(tmp_path / "own.toml", f"symbol = '{form}'\n{COLUMNS}"))
    assert [own.code(symbol) for symbol in ("600000.SH", "000001.SZ", "430047.BJ")] == codes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns = []", "columns"),
        ("columns = [{name = 'c', value = 'symbol'}]", "orders without symbol, side or shares"),
        (COLUMNS + "encoding = 'latin-1'", "encoding"),
        (COLUMNS + "quote = 1", "unknown key"),
        (COLUMNS + "price_offset = 0.5", "price_offset"),
        (COLUMNS.replace("'n'", "'c'"), "two columns have the same name: c"),
        (COLUMNS.replace("'shares'", "'volume'"), "columns.2.value"),
        (COLUMNS.replace("value = 'side'", "value = 'side', text = 'x'"), "give value or text"),
        ("file = 'dbf'\n" + COLUMNS.replace("'n'", "'number_of_shares'"), "at most 10 plain letters: number_of_shares"),
        ("file = 'dbf'\n" + COLUMNS.replace("'n'", "'n', dbf = 'D'"), "columns.2.dbf"),
    ],
)
def test_a_wrong_form_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_form(written(tmp_path / "own.toml", text))


def test_no_such_form() -> None:
    with pytest.raises(RecipeError, match=r"no form or file 'xt': there are generic, xt_csv, xt_dbf"):
        load_form("xt")
