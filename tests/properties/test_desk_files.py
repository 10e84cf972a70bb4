"""Whatever stands in a file of people's, it is read or refused by a `UserError` that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from deepfactor.core.errors import DataError
from deepfactor.desk.fill_file import read_fills
from deepfactor.desk.holdings import read_holdings
from deepfactor.desk.lists import read_list, read_weights
from deepfactor.desk.morning import read_quotes
from deepfactor.market.fees import Costs
from support.desk import desk_market

PANEL, _ = desk_market()
DATE = PANEL.dates[-1]
READERS: dict[str, Callable[[Path], object]] = {
    "holdings": lambda path: read_holdings(path, PANEL, DATE, cash=1.0),
    "list": lambda path: read_list(path, PANEL),
    "weights": lambda path: read_weights(path, PANEL),
    "fills": lambda path: read_fills(path, PANEL, DATE, Costs()),
    "quotes": lambda path: read_quotes(path, PANEL, str(DATE)),
}
HEADS = some.sampled_from(
    ["symbol", "shares", "sellable", "cost", "date", "side", "price", "amount", "weight", "pre_close", "limit_up",
     "limit_down", "suspended", "证券代码", "可用数量", ""]
)  # fmt: skip
CELLS = some.one_of(
    some.sampled_from(["000001.SZ", "600001", "CASH", "现金", "buy", "24", "100", "-1", "1e999", "nan", "1,000", ""]),
    some.sampled_from(["NA", str(DATE), "2030-01-01", "0.5", "12.34", '="000001"', "停牌", '"', "1" * 400]),
    some.text(max_size=6),
    some.floats().map(str),
)
QUIET = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
@QUIET
@given(
    heads=some.lists(HEADS, min_size=1, max_size=7),
    rows=some.lists(some.lists(CELLS, min_size=1, max_size=7), max_size=5),
    separator=some.sampled_from(",\t;|"),
    encoding=some.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
)
def test_tables(tmp_path: Path, reader: str, heads: list[str], rows: list[list[str]], separator: str, encoding: str):
    width = len(heads)
    lines = [heads, *((row * width)[:width] for row in rows)]
    text = "\n".join(separator.join(line) for line in lines)
    attempt(tmp_path / "file.csv", text.encode(encoding, "replace"), reader)


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
@QUIET
@given(content=some.binary(max_size=200))
def test_bytes(tmp_path: Path, reader: str, content: bytes):
    attempt(tmp_path / "file.csv", content, reader)


@pytest.mark.parametrize("reader", READERS)
def test_a_quotation_mark_left_open(tmp_path: Path, reader: str):
    path = tmp_path / "file.csv"
    path.write_text('symbol,shares\n"000001.SZ,100\n' + "600001.SH,100\n" * 20_000)
    with pytest.raises(DataError, match="is a quotation mark left open"):
        READERS[reader](path)


def attempt(path: Path, content: bytes, reader: str) -> None:
    path.write_bytes(content)
    try:
        found = READERS[reader](path)
    except DataError as error:
        if error.file != path:
            raise
        return
    if reader == "holdings":
        assert np.isfinite(found.shares).all()
        assert (found.sellable <= found.shares).all()
        assert (found.sellable >= 0).all()
