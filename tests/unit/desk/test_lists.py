"""A desk's lists: files, and the constraints that they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.desk.lists import Lists, read_list, read_weights
from support.desk import desk_constraints, desk_market, written

PANEL, _ = desk_market()
NOBODY = np.array([], dtype=np.str_)


@pytest.mark.parametrize(
    "text",
    ["000001.SZ\n600001.SH\n", "symbol\n000001\n600001\n", "证券代码,备注\nsz000001,x\nsh600001,y\n", "1\n600001\n"],
)
def test_forms_of_a_list(tmp_path: Path, text: str) -> None:
    assert read_list(written(tmp_path / "l.csv", text, "gbk"), PANEL) == ("000001.SZ", "600001.SH")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("000001.SZ\n600999.SH\n", "row 2, column symbol: unknown code"),
        ("000001.SZ\n000001\n", "row 2, column symbol: 000001 stands in row 1 already"),
        ("name\nX\n", "column symbol: missing"),
    ],
)
def test_wrong_lists_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_list(written(tmp_path / "l.csv", text), PANEL)


def test_weights_are_fractions(tmp_path: Path) -> None:
    assert read_weights(written(tmp_path / "w.csv", "symbol,weight\n000001,0.02\n"), PANEL) == {"000001.SZ": 0.02}
    with pytest.raises(DataError, match="row 1, column weight: 2 is no fraction of the book"):
        read_weights(written(tmp_path / "w.csv", "symbol,weight\n000001,2\n"), PANEL)


def test_lists_become_constraints_that_give_way_to_nothing() -> None:
    base = desk_constraints()
    made = Lists(("000001.SZ",), ("600001.SH", "600002.SH"), {"000002.SZ": 0.01}, ("000003.SZ",)).apply(
        base, np.array(["600002.SH"])
    )
    added = [one.whole() for one in made.constraints[len(base.constraints) :]]
    assert added == [
        {"kind": "restricted", "never_buy": ["000001.SZ"], "must_sell": ["600001.SH"]},
        {"kind": "must_hold", "weights": {"000002.SZ": 0.01}},
        {"kind": "no_trade", "symbols": ["000003.SZ"]},
    ]
    assert made.relax_order == base.relax_order
    assert Lists().apply(base, NOBODY) == base


@pytest.mark.parametrize(
    "lists",
    [
        Lists(must_sell=("000001.SZ",), must_hold={"000001.SZ": 0.01}),
        Lists(must_sell=("000001.SZ",), no_trade=("000001.SZ",)),
    ],
)
def test_lists_that_contradict_each_other_are_refused(lists: Lists) -> None:
    with pytest.raises(DataError, match=r"000001\.SZ has to be sold by one list"):
        lists.apply(desk_constraints(), NOBODY)
