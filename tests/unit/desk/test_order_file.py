"""Order files: their bytes, and that a half-written one never has its final name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import UserError
from deepfactor.desk import order_file
from deepfactor.desk.morning import Changed, Checked
from deepfactor.desk.order_file import Heading, OrdersRecord, write_orders
from deepfactor.desk.order_form import load_form
from support.desk import desk_market, written

SYMBOLS = desk_market()[0].symbols


def checked() -> Checked:
    orders, price = np.zeros(25), np.full(25, np.nan)
    orders[[0, 20, 24]] = 300.0, -1000.0 / 3.0, 201.0
    price[[0, 20, 24]] = 10.5, 20.0, 7.25
    return Checked(orders, price, Changed.stack([]))


def write(
    out: Path, form: str = "generic", account: str | None = "A1", *, draft: bool = True
) -> tuple[Path, OrdersRecord]:
    name = Path(form).stem
    heading = Heading(name, "0123", "2024-01-08", account, quoted=False, draft=draft)
    return write_orders(out, checked(), SYMBOLS, load_form(form), heading)


def test_the_generic_form(tmp_path: Path) -> None:
    path, record = write(tmp_path)
    assert path.read_bytes().decode("utf-8-sig") == (
        "date,symbol,side,shares,price,amount,note\r\n"
        f"2024-01-08,{SYMBOLS[20]},sell,333,20.00,6660.00,draft 0123\r\n"
        f"2024-01-08,{SYMBOLS[0]},buy,300,10.50,3150.00,draft 0123\r\n"
        f"2024-01-08,{SYMBOLS[24]},buy,201,7.25,1457.25,draft 0123\r\n"
    )
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert path.name.startswith("draft-2024-01-08-generic-")
    assert (record["orders"], record["sold"], record["bought"]) == (3, 6660.0, 4607.25)
    assert record["fractions_cut"] == [SYMBOLS[20]]
    assert json.loads(path.with_suffix(".json").read_text()) == record
    assert write(tmp_path)[0] == path


def test_released_orders_say_so(tmp_path: Path) -> None:
    path, record = write(tmp_path, draft=False)
    assert path.name.startswith("orders-2024-01-08-generic-")
    assert record["status"] == "released"
    assert "draft" not in path.read_text(encoding="utf-8-sig")


def test_the_form_of_xtquant(tmp_path: Path) -> None:
    path, _ = write(tmp_path, "xt_csv")
    lines = path.read_bytes().decode("gbk").split("\r\n")
    assert lines[0] == "order_type,price_type,mode_price,stock_code,volume,account_id,note"
    assert lines[1] == f"24,11,20.00,{SYMBOLS[20]},333,A1,draft 0123"
    assert lines[2] == f"23,11,10.50,{SYMBOLS[0]},300,A1,draft 0123"
    with pytest.raises(UserError, match="has a column of the account: give it by --account"):
        write(tmp_path, "xt_csv", None)


def test_an_own_form(tmp_path: Path) -> None:
    form = written(
        tmp_path / "恒.toml",
        "encoding = 'gbk'\nseparator = '|'\nline_end = 'lf'\nsymbol = '600000'\ndate = '%Y%m%d'\n"
        "sides = { buy = '买入', sell = '卖出' }\n"
        "columns = [{name = '序号', value = 'number'}, {name = '市场', value = 'exchange'},\n"
        "{name = '代码', value = 'symbol'}, {name = '方向', value = 'side'}, {name = '数量', value = 'shares'},\n"
        "{name = '日期', value = 'date'}, {name = '策略', text = '指增'}]\n",
    )
    path, _ = write(tmp_path, str(form), None)
    lines = path.read_bytes().decode("gbk").split("\n")
    assert lines[0] == "序号|市场|代码|方向|数量|日期|策略"
    assert lines[1] == f"1|SH|{SYMBOLS[20][:6]}|卖出|333|20240108|指增"
    assert lines[3] == f"3|SH|{SYMBOLS[24][:6]}|买入|201|20240108|指增"


def test_words_that_an_encoding_lacks_are_named(tmp_path: Path) -> None:
    form = written(
        tmp_path / "own.toml",
        "encoding = 'gbk'\ncolumns = [{name = '€', value = 'symbol'}, {name = 's', value = 'side'},\n"
        "{name = 'n', value = 'shares'}, {name = 'é😀', text = 'x'}]\n",
    )
    with pytest.raises(UserError, match="gbk has no"):
        write(tmp_path / "out", str(form))
    assert not list((tmp_path / "out").glob("*.csv"))


def test_a_dbf_file(tmp_path: Path) -> None:
    dbf = pytest.importorskip("dbf")
    path, _ = write(tmp_path, "xt_dbf")
    table = dbf.Table(str(path), codepage="cp936")
    table.open()
    rows = [tuple(str(cell).strip() for cell in row) for row in table]
    table.close()
    assert rows[0] == ("24", "11", "20.0", SYMBOLS[20], "333", "A1", "draft 0123")
    assert [row[4] for row in rows] == ["333", "300", "201"]


def test_a_dbf_file_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dbf", None)
    with pytest.raises(UserError, match=r"pip install 'deepfactor\[dbf\]'"):
        write(tmp_path, "xt_dbf")
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_file_never_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, *_: object) -> None:
        path.write_text("order_type,")
        raise KeyboardInterrupt

    monkeypatch.setattr(order_file, "_write_csv", half)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []
