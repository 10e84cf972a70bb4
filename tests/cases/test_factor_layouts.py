"""One factor in every layout, writing and file that people have is one factor, bit for bit; the unclear is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from deepfactor.core.errors import DataError, UserError
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.runs.factors import Reading, factors_in, read_factor_rows
from support.bars import bars
from support.cli import Ended, deepfactor
from support.factor_forms import CODES, DATES, FILES, LAYOUTS, NAMES, in_form
from support.factors import handmade_market, reversal

#: With holes, so that a table has cells without a score; not whole numbers.
FACTOR = reversal(bars()).with_columns((pl.col("score") + 1e-7).round(6)).filter(pl.int_range(pl.len()) % 7 != 3)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return handmade_market(tmp_path_factory.mktemp("layouts"))


@pytest.fixture(scope="module")
def panel(market: Path) -> Panel:
    return open_panel(market)[0]


@pytest.fixture(scope="module")
def right(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    FACTOR.write_parquet(path := tmp_path_factory.mktemp("plain") / "f.parquet")
    scores, _ = read_factor_rows(path, panel)
    assert np.isfinite(scores.values).sum() == FACTOR.height
    return scores.values


def written(folder: Path, frame: pl.DataFrame, file: str) -> Path:
    name, write = FILES[file]
    write(frame, folder / name)
    return folder / name


def check(panel: Panel, right: np.ndarray, path: Path) -> None:
    scores, rows = read_factor_rows(path, panel)
    np.testing.assert_array_equal(scores.values, right)
    assert (rows.matched, rows.dropped) == (FACTOR.height, {})


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("file", ["parquet", "CSV"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_name_in_every_layout(
    tmp_path: Path, panel: Panel, right: np.ndarray, layout: str, file: str, names: str
) -> None:
    check(panel, right, written(tmp_path, in_form(FACTOR, layout=layout, names=names), file))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    form=st.fixed_dictionaries(
        {
            "layout": st.sampled_from(LAYOUTS),
            "date": st.sampled_from(sorted(DATES)),
            "code": st.sampled_from(sorted(CODES)),
            "names": st.sampled_from(sorted(NAMES)),
        }
    ),
    file=st.sampled_from(sorted(FILES)),
    order=st.randoms(use_true_random=False),
    counted=st.booleans(),
)
def test_any_form_is_the_same_factor(
    tmp_path: Path, panel: Panel, right: np.ndarray, form: dict[str, str], file: str, order: Any, counted: bool
) -> None:
    frame = in_form(FACTOR, **form).sample(fraction=1.0, shuffle=True, seed=order.randrange(1000))
    assume(form["layout"] != "rows" or form["names"] != "of one's own" or "number" not in form["code"])
    columns = list(frame.columns)
    order.shuffle(columns)
    frame = frame.select(columns)
    if counted and form["names"] != "pandas' index":  # the index of rows that pandas writes unasked
        frame = frame.with_row_index("Unnamed: 0" if file in ("CSV", "GBK", "packed text") else "index")
    check(panel, right, written(tmp_path, frame, file))


# what a whole test says of it


def screened(path: Path, market: Path, out: Path, *more: object) -> Ended:
    return deepfactor("test", path, "--market", market, "--out", out, "--universe", "all", "--horizon", 5, *more)


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        {"layout": "stocks", "code": "qlib", "names": "pandas' index"},
        {"layout": "days", "code": "number", "date": "compact text"},
        {"names": "qlib", "code": "qlib", "date": "time"},
        {"names": "Tushare", "date": "whole number"},
    ],
)
def test_the_same_test_result(tmp_path: Path, market: Path, form: dict[str, str]) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "other").mkdir()
    FACTOR.write_parquet(tmp_path / "plain" / "f.parquet")
    path = written(tmp_path / "other", in_form(FACTOR, **form), "parquet")
    told = {}
    for name, file in (("a", tmp_path / "plain" / "f.parquet"), ("b", path)):
        done = screened(file, market, tmp_path / name, "--json")
        assert done.code == 0, done.err
        told[name] = {key: value for key, value in done.json().items() if key != "rows"}
    assert told["a"] == told["b"]
    reports = [(tmp_path / name / "arms" / "f" / "factor_report.json").read_bytes() for name in told]
    assert reports[0] == reports[1]


@pytest.mark.slow
def test_the_screen_says_what_was_understood_in_both_languages(tmp_path: Path, market: Path) -> None:
    path = written(tmp_path, in_form(FACTOR, layout="stocks", code="qlib", names="Tushare"), "parquet")
    english = screened(path, market, tmp_path / "out").out.splitlines()
    assert english[:4] == [
        f"rows: {FACTOR.height:,} in the file, {FACTOR.height:,} matched",
        "read as a table, a row a date and a column a stock: 110 dates, 12 stocks, "
        f"{FACTOR.height:,} scores in 1,320 cells",
        "columns read as the wanted: trade_date as date",
        "symbols read as the market's: SH600001 as 600001.SH, and 11 more",
    ]
    chinese = screened(path, market, tmp_path / "out", "--language", "zh").out.splitlines()
    assert chinese[:4] == [
        f"行数：文件 {FACTOR.height:,}，匹配 {FACTOR.height:,}",
        f"读作宽表（每行一个日期，每列一只股票）：110 个日期、12 只股票，1,320 个单元格中有 {FACTOR.height:,} 个得分",
        "列的对应：trade_date 作为 日期",
        "代码按市场的写法读取：SH600001 读作 600001.SH，另有 11 个",
    ]


# several factors


SEVERAL = FACTOR.with_columns(
    pl.col("score").neg().alias("mom/10"), pl.lit(1.0).alias("flat"), name=pl.lit("x")
).rename({"score": "rev 10", "date": "trade_date", "symbol": "code"})


@pytest.mark.slow
@pytest.mark.parametrize("file", ["parquet", "CSV", "feather"])
def test_several_factors_are_each_tested_in_one_table(tmp_path: Path, market: Path, file: str) -> None:
    path = written(tmp_path, SEVERAL, file)
    done = screened(path, market, tmp_path / "out")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"rows: {FACTOR.height:,} in the file, {FACTOR.height:,} matched"
    assert "columns not read: name" in lines
    (head,) = [line for line in lines if line.startswith("factor ")]
    assert head.split() == ["factor", "universe", "days", "RankIC", "ICIR", "t", "win"]
    table = [line.split() for line in lines[lines.index(head) + 1 :][:3]]
    assert [row[0] for row in table] == ["rev", "mom_10", "flat"]
    assert float(table[0][4]) == -float(table[1][3]) != 0.0
    assert table[2][3] == "–"

    alone = screened(path, market, tmp_path / "alone", "--columns", "score=rev 10", "--json").json()
    every = screened(path, market, tmp_path / "out", "--json").json()["factors"]
    assert list(every) == ["rev 10", "mom_10", "flat"]
    assert every["rev 10"]["records"] == [{**one, "arm": "rev 10"} for one in alone["records"]]
    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["arms"] == [{"name": name} for name in every]
    assert "mom_10" in (tmp_path / "out" / "report.html").read_text()


def test_one_of_several_that_fails_doesnt_take_the_others(tmp_path: Path, market: Path) -> None:
    frame = SEVERAL.with_columns(flat=pl.lit(None, dtype=pl.Float64))
    done = screened(written(tmp_path, frame, "parquet"), market, tmp_path / "out", "--json")
    assert done.code == 2
    assert "flat" in done.err
    assert list(json.loads(done.out)["factors"]) == ["rev 10", "mom_10"]


def test_combine_takes_each_column_as_a_factor(tmp_path: Path, market: Path) -> None:
    path = written(tmp_path, SEVERAL.drop("flat"), "parquet")
    done = deepfactor("combine", path, "--market", market, "--out", tmp_path / "c.parquet", "--json")
    assert done.code == 0, done.err
    assert done.json()["factors"] == ["rev 10", "mom/10"]
    assert done.json()["rows"]["mom/10"]["matched"] == FACTOR.height


def test_enhance_wants_one_and_says_which_there_are(tmp_path: Path, market: Path) -> None:
    path = written(tmp_path, SEVERAL, "parquet")
    verb = ("enhance", path, "--market", market, "--out", tmp_path / "e", "--index", "000905.SH")
    done = deepfactor(*verb)
    assert done.code == 2
    assert "holds 3 factors: rev 10, mom/10, flat. Say which: --columns score=rev 10" in done.err
    assert not (tmp_path / "e").exists()


# what is unclear

UNCLEAR: dict[str, tuple[pl.DataFrame, str]] = {
    "two dates": (
        FACTOR.rename({"date": "trade_date"}).with_columns(datetime="trade_date"),
        "column date: 2 columns could hold the dates: trade_date, datetime. Say which: --columns date=trade_date",
    ),
    "two codes": (
        FACTOR.rename({"symbol": "ts_code"}).with_columns(code="ts_code"),
        "column symbol: 2 columns could hold the codes: ts_code, code. Say which: --columns symbol=ts_code",
    ),
    "two dates by content": (
        FACTOR.rename({"date": "a"}).with_columns(b="a"),
        "column date: 2 columns could hold the dates: a, b",
    ),
    "scores among prices": (
        FACTOR.rename({"score": "x"}).with_columns(y2="x", close="x"),
        r"column score: 3 columns could hold the scores: x, y2, close. Say which: --columns score=x, or all numbers",
    ),
    "prices alone": (
        FACTOR.rename({"score": "open"}).with_columns(close="open"),
        "column score: 2 columns could hold the scores: open, close",
    ),
    "no score": (FACTOR.drop("score"), "column score: missing; the file has date, symbol; say which it is: --columns"),
    "words alone": (
        FACTOR.select("date", "symbol", a=pl.lit("x"), b=pl.lit("y")),
        "column score: missing; the file has date, symbol, a, b",
    ),
    "no code": (FACTOR.select("date", "score", who=pl.lit("平安")), "column symbol: missing; the file has date, score"),
    "no date": (FACTOR.select("symbol", "score"), "column date: missing; the file has symbol, score"),
}


@pytest.mark.parametrize("file", ["parquet", "CSV"])
@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_unclear_is_refused_with_the_choices(tmp_path: Path, panel: Panel, case: str, file: str) -> None:
    frame, said = UNCLEAR[case]
    path = written(tmp_path, frame, file)
    with pytest.raises(DataError, match=said) as error:
        read_factor_rows(path, panel)
    assert str(path) in str(error.value)


def test_the_option_says_it(tmp_path: Path, panel: Panel, right: np.ndarray) -> None:
    odd = FACTOR.rename({"score": "x", "date": "a", "symbol": "p"}).with_columns(
        b=pl.col("a").dt.offset_by("1d"), close="x"
    )
    path = written(tmp_path, odd.with_columns(q="p", y2=-pl.col("x")), "CSV")
    scores, _ = read_factor_rows(path, panel, reading=Reading.of("date=a, symbol=p, score=X"))
    np.testing.assert_array_equal(scores.values, right)
    assert factors_in(path, panel, Reading.of("date=a,symbol=p,score=*")) == ("x", "close", "y2")
    assert factors_in(path, panel, Reading.of("date=a,symbol=p,score=y2,score=x")) == ("y2", "x")
    with pytest.raises(DataError, match="column z: missing; the file has a, p, x"):
        read_factor_rows(path, panel, reading=Reading.of("date=a,symbol=p,score=z"))


@pytest.mark.parametrize("said", ["x", "close=x", "date=", "date=a,date=b", "symbol=a,symbol=b"])
def test_an_option_of_another_form_is_refused(said: str) -> None:
    with pytest.raises(UserError, match="--columns"):
        Reading.of(said)


def test_a_price_beside_one_factor_is_left_out_and_said(tmp_path: Path, panel: Panel, right: np.ndarray) -> None:
    path = written(tmp_path, FACTOR.rename({"score": "KMID"}).with_columns(close="KMID", LABEL0="KMID"), "parquet")
    scores, rows = read_factor_rows(path, panel)
    np.testing.assert_array_equal(scores.values, right)
    assert rows.notes == ("columns read as the wanted: KMID as score", "columns not read: close, LABEL0")


def test_a_table_says_where_a_cell_is_wrong(tmp_path: Path, panel: Panel) -> None:
    wide = in_form(FACTOR, layout="stocks").with_columns(pl.col("600001.SH").cast(pl.String))
    wide = wide.with_columns(
        pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("buy")).otherwise("600001.SH").alias("600001.SH")
    )
    with pytest.raises(DataError, match=r"row 5, column 600001.SH: 'buy' is no number"):
        read_factor_rows(written(tmp_path, wide, "CSV"), panel)


def test_other_columns_of_a_table_are_named(tmp_path: Path, panel: Panel, right: np.ndarray) -> None:
    wide = in_form(FACTOR, layout="stocks").with_columns(mean=pl.lit(1.0))
    scores, rows = read_factor_rows(written(tmp_path, wide, "parquet"), panel)
    np.testing.assert_array_equal(scores.values, right)
    assert "columns not read: mean" in rows.notes


def test_strangers_in_a_table_are_counted(tmp_path: Path, panel: Panel) -> None:
    wide = in_form(FACTOR, layout="stocks").with_columns(pl.lit(0.5).alias("900001.SH"), pl.lit(0.5).alias("000300.SH"))
    _, rows = read_factor_rows(written(tmp_path, wide, "parquet"), panel)
    assert rows.dropped == {"symbol not in market": 220}
