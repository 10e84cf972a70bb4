"""``reconcile-market``: what was planted stands on the terminal, in the JSON and on the page, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deepfactor.report.market_pair_page import quantity, render_market_pair
from support.bars import bars
from support.cli import deepfactor
from support.factors import handmade_market

BARS = bars()
DAYS = BARS["date"].unique().sort()
STOCK, DATE = pl.col("symbol") == "600003.SH", pl.col("date")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The handmade market, and one with a close off by 3 fen, a day without a row, and an ST mark for four days."""
    folder = tmp_path_factory.mktemp("pair")
    one = handmade_market(folder / "a")
    close = pl.when(STOCK & (DAYS[40] == DATE)).then(pl.col("close") + 0.03).otherwise("close")
    other = BARS.with_columns(close=close, high=pl.max_horizontal("high", close))
    other = other.filter(~((pl.col("symbol") == "000012.SZ") & (DAYS[50] == DATE)))
    mark = pl.when(STOCK & DATE.is_between(DAYS[60], DAYS[63])).then(True).otherwise("is_st")
    return one, handmade_market(folder / "b", other.with_columns(is_st=mark))


@pytest.fixture(scope="module")
def told(pair: tuple[Path, Path]) -> Any:
    return deepfactor("reconcile-market", *pair, "--json").json()


def test_what_differs_is_in_the_json(told: Any) -> None:
    found = {one["quantity"]: one for one in told["differences"]}
    assert found["close"]["differ"] == 1
    assert found["close"]["worst"][0]["symbol"] == "600003.SH"
    assert found["close"]["worst"][0]["date"] == str(DAYS[40])
    assert found["close"]["by_year"] == {
        "2020": {k: found["close"][k] for k in ("compared", "differ", "only_a", "only_b")}
    }
    assert (found["close"]["only_a"], found["close"]["only_b"]) == (1, 0)
    assert (found["is_st"]["differ"], found["is_st"]["only_b"], found["is_st"]["worst"][0]["days"]) == (4, 4, 4)
    assert (found["suspended"]["differ"], found["suspended"]["worst"][0]["symbol"]) == (1, "000012.SZ")
    assert found["open"]["differ"] == 0
    assert told["coverage"]["traded"]["2020"]["only_a"] == 1


def test_the_terminal_says_it(pair: tuple[Path, Path]) -> None:
    done = deepfactor("reconcile-market", *pair, "--worst", 1)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith(f"A: {pair[0]}")
    assert lines[2] == "days: 120 in both"
    (close,) = [line for line in lines if line.startswith("close ")]
    assert f"600003.SH {DAYS[40]}: " in close


def test_the_page_holds_both_languages(pair: tuple[Path, Path], told: Any, tmp_path: Path) -> None:
    page = tmp_path / "pair.html"
    done = deepfactor("reconcile-market", *pair, "--html", page, "--language", "zh")
    assert done.code == 0, done.err
    text = page.read_text(encoding="utf-8")
    assert 'lang="zh-CN"' in text[:200]
    assert text == render_market_pair(told, "zh")
    assert "600003.SH" in text
    for one in told["differences"]:
        said = quantity(one["quantity"])
        assert said.__html__() in text
        assert said.zh != said


def test_one_market_twice_and_no_market_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for other, said in ((pair[0], "are one market"), (tmp_path, "no market")):
        done = deepfactor("reconcile-market", pair[0], other)
        assert done.code == 2
        assert said in done.err
