"""The desk's verbs from the command line: an evening, its fills, the next; and what is refused with nothing written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.files import file_hash
from support.cli import Ended, deepfactor, refused
from support.desk import written

INDEX, FIRST, SECOND = "csi500", "2020-12-28", "2020-12-29"


@pytest.fixture(scope="module")
def factor(small_market: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The oracle as a factor file."""
    path = tmp_path_factory.mktemp("factor") / "factor.parquet"
    oracle = pl.read_parquet(small_market.with_name("market.oracle.parquet"))
    oracle.select("date", "symbol", score="oracle_10").drop_nulls().write_parquet(path)
    return path


@pytest.fixture
def rebalance(factor: Path, small_market: Path, tmp_path: Path):
    def run(*more: object, day: str = FIRST) -> Ended:
        words = ("--market", small_market, "--out", tmp_path / "desk", "--index", INDEX, "--day", day, "--json")
        return deepfactor("rebalance", factor, *words, *more)

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write_fills(path: Path, trades: list[dict[str, str]], share: float = 1.0) -> Path:
    """What an xtquant account would report, each order in two parts at the reference price."""
    lines = ["stock_code,order_type,traded_volume,traded_price"]
    for one in trades:
        code = {"buy": 23, "sell": 24}[one["side"]]
        whole = int(float(one["shares"]) * share)
        parts = (whole // 2, whole - whole // 2)
        lines += [f"{one['symbol']},{code},{part},{one['price']}" for part in parts]
    return written(path, "\n".join(lines) + "\n", "gbk")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_two_evenings(rebalance, small_market: Path, tmp_path: Path) -> None:
    first = rebalance("--cash", 5e7).json()
    assert first["status"] == "draft"
    assert first["trade_date"] == SECOND
    folder = Path(first["folder"])
    assert folder.name == f"{FIRST}-{first['key']}"
    trades = rows_of(folder / "trades.csv")
    assert len(trades) == first["trades"] > 20
    spent = sum(float(one["amount"]) + float(one["cost"]) for one in trades)
    assert first["expected_cash"] == pytest.approx(5e7 - spent, abs=0.005)
    sheet = rows_of(folder / "constraints.csv")
    assert {one["constraint"] for one in sheet} >= {
        "stock_active_weight",
        "style_active_exposure",
        "constituents_weight",
    }
    for one in sheet:
        if not one["relaxed"]:
            assert float(one["slack"]) > -1e-7
        if float(one["shadow_price"]):
            assert abs(float(one["slack"])) < 1e-7 or one["relaxed"]
    fills = write_fills(tmp_path / "fills.csv", trades[:-1])
    words = (folder, "--fills", fills, "--market", small_market, "--out", tmp_path / "evenings", "--json")
    evening = deepfactor("reconcile", *words).json()
    assert (evening["date"], evening["filled"]) == (SECOND, len(trades) - 1)
    assert evening["unfilled"] == [trades[-1]["symbol"]]
    book = Path(evening["folder"]) / "book.csv"
    held = {one["symbol"]: float(one["shares"]) for one in rows_of(book)}
    assert held == {"CASH": evening["cash"]} | {one["symbol"]: float(one["shares"]) for one in trades[:-1]}
    second = rebalance("--holdings", book, "--previous", folder, day=SECOND).json()
    assert not second["first"]
    assert 0 < second["turnover"] < 0.5
    assert second["value"] == evening["value"]
    before = bytes_of(tmp_path)
    assert rebalance("--holdings", book, "--previous", folder, day=SECOND).json() == second
    assert deepfactor("reconcile", *words).json() == evening
    assert bytes_of(tmp_path) == before


@pytest.mark.slow
def test_lists_do_what_they_say(rebalance, tmp_path: Path) -> None:
    trades = rows_of(Path(rebalance("--cash", 5e7).json()["folder"]) / "trades.csv")
    a, b, c = (one["symbol"] for one in trades[:3])
    restricted = written(tmp_path / "restricted.txt", f"{a}\n")
    no_trade = written(tmp_path / "no_trade.csv", f"code\n{b[:6]}\n")
    must_hold = written(tmp_path / "must_hold.csv", f"symbol,weight\n{c},0.02\n")
    lists = ("--restricted", restricted, "--no-trade", no_trade, "--must-hold", must_hold)
    again = rebalance("--cash", 5e7, *lists).json()
    weights = {one["symbol"]: one for one in rows_of(Path(again["folder"]) / "targets.csv")}
    assert a not in weights or float(weights[a]["weight"]) == 0
    assert b not in weights or float(weights[b]["weight"]) == 0
    assert float(weights[c]["weight"]) >= 0.02 - 1e-7
    assert again["lists"]["no_trade"] == [b]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("holdings", "more", "said"),
    [
        ("symbol,shares\n600999.XX,100\nCASH,1\n", (), "row 1, column symbol: unknown code"),
        ("symbol,shares\n{0},-100\nCASH,1\n", (), "row 1, column shares: -100 is negative"),
        (
            "symbol,shares,sellable\n{0},1000,1050\n",
            ("--cash", 1),
            "row 1, column sellable: 1050 sellable of 1000 held",
        ),
        (
            "symbol,shares,date\n{0},100,2030-01-04\n",
            ("--cash", 1),
            "row 1, column date: 2030-01-04 lies in the future",
        ),
        ("代码,数量\n{0},100\n{0},100\n现金,5\n", (), "row 2, column 代码: {0} stands in row 1 already"),
        ("symbol,shares\n{0},100\n", (), "has no cash"),
        ("symbol,shares\n{0},100\nCASH,1\n", (), "count turnover from the last target"),
        ("symbol,shares\n{0},100\nCASH,1\n", ("--day", "2020-12-27"), "2020-12-27: the market has no such trading day"),
        ("symbol,shares\n{0},100\nCASH,1\n", ("--index", "csi9"), "unknown index"),
        ("symbol,shares\n{0},100\nCASH,1\n", ("--previous", "."), "is no folder that `deepfactor rebalance`"),
        ("symbol,shares\n{0},100\nCASH,1\n", ("--no-trade", "absent.txt"), "no such file"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(
    rebalance, small_market: Path, tmp_path: Path, holdings: str, more: tuple[object, ...], said: str
) -> None:
    symbol = pl.read_parquet(small_market.with_name("market.oracle.parquet"))["symbol"].sort()[0]
    file = written(tmp_path / "h.csv", holdings.format(symbol), "gbk")
    ended = rebalance("--holdings", file, *more)
    assert ended.code == 2, ended.err
    assert said.format(symbol) in ended.err
    assert not (tmp_path / "desk").exists()


def test_fills_that_cannot_be_are_refused(rebalance, small_market: Path, tmp_path: Path) -> None:
    folder = Path(rebalance("--cash", 5e7).json()["folder"])
    trades = rows_of(folder / "trades.csv")
    out = tmp_path / "evenings"

    def reconcile(fills: Path, *more: object) -> Ended:
        return deepfactor("reconcile", folder, "--fills", fills, "--market", small_market, "--out", out, *more)

    too_many = reconcile(write_fills(tmp_path / "a.csv", trades, 1.5))
    assert (too_many.code, "fills exceed the orders" in too_many.err) == (2, True)
    strange = [{**trades[0], "side": "sell"}]
    assert "no such order was made" in reconcile(write_fills(tmp_path / "b.csv", strange)).err
    dear = [{**one, "price": str(10 * float(one["price"]))} for one in trades]
    assert "more than the account has" in reconcile(write_fills(tmp_path / "c.csv", dear)).err
    early = reconcile(write_fills(tmp_path / "d.csv", trades), "--day", "2020-12-01")
    assert "lies before 2020-12-29, the day of the fills" in early.err
    assert not out.exists()
    (folder / "trades.csv").write_text("changed")
    changed = reconcile(tmp_path / "d.csv")
    assert (changed.code, "was changed or removed since" in changed.err) == (2, True)
    (folder / "rebalance.json").unlink()
    assert "that it has not ended" in reconcile(tmp_path / "d.csv").err


@pytest.mark.slow
def test_the_last_evening_has_no_fills_yet(rebalance, small_market: Path, tmp_path: Path) -> None:
    folder = rebalance("--cash", 5e7, day="2020-12-31").json()["folder"]
    fills = written(tmp_path / "fills.csv", "symbol,side,shares,price\n")
    ended = deepfactor("reconcile", folder, "--fills", fills, "--market", small_market, "--out", tmp_path / "e")
    assert ended.code == 2
    assert "this market has no day after 2020-12-31" in ended.err


def test_order_files(rebalance, small_market: Path, tmp_path: Path) -> None:
    made = rebalance("--cash", 5e7).json()
    folder, out = Path(made["folder"]), tmp_path / "orders"
    trades = rows_of(folder / "trades.csv")

    def orders(*more: object) -> Ended:
        return deepfactor("orders", folder, "--market", small_market, "--out", out, *more, "--json")

    plain = orders().json()
    assert (plain["status"], plain["orders"], plain["checked"]) == ("draft", len(trades), False)
    assert plain["changed"] == []
    written_orders = rows_of(Path(plain["path"]))
    assert [(one["symbol"], one["side"], one["shares"]) for one in written_orders] == [
        (one["symbol"], one["side"], one["shares"]) for one in trades
    ]
    assert {one["note"] for one in written_orders} == {f"draft {made['key']}"}

    lines = ["symbol,pre_close,limit_up,limit_down,suspended"]
    for k, one in enumerate(trades[1:]):
        price = float(one["price"])
        lines.append(f"{one['symbol']},{price},{price * 1.1:.2f},{price * 0.9:.2f},{int(k == 0)}")
    morning = written(tmp_path / "morning.csv", "\n".join(lines) + "\n")
    checked = orders("--check", morning).json()
    assert [(one["symbol"], one["allowed"], one["reason"]) for one in checked["changed"]] == [
        (trades[0]["symbol"], 0, "no_price"),
        (trades[1]["symbol"], 0, "suspended"),
    ]
    assert checked["orders"] == len(trades) - 2
    assert Path(checked["path"]) != Path(plain["path"])
    before = bytes_of(out)
    assert orders("--check", morning).json() == checked
    assert bytes_of(out) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--format", "xt"), "no form or file 'xt': there are generic, xt_csv, xt_dbf"),
        (("--format", "xt_csv"), "give it by --account"),
        (("--check", "absent.csv"), "no such file"),
        (("--check", "morning.csv"), "leaves none of the orders possible (no_price): is it of the day?"),
        (("--check", "early.csv"), "row 1, column date: 2020-12-28: the orders are for 2020-12-29"),
    ],
)
def test_orders_that_cannot_be_written(
    rebalance, small_market: Path, tmp_path: Path, monkeypatch, more: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(rebalance("--cash", 5e7).json()["folder"])
    symbol = rows_of(folder / "trades.csv")[0]["symbol"]
    head = "symbol,pre_close,limit_up,limit_down"
    written(tmp_path / "morning.csv", f"{head}\n")
    written(tmp_path / "early.csv", f"{head},date\n{symbol},10,11,9,20201228\n")
    ended = deepfactor("orders", folder, "--market", small_market, "--out", "orders", *more)
    assert ended.code == 2
    assert said in ended.err
    assert not [path for path in Path("orders").glob("*") if not path.name.startswith(".")]


@pytest.mark.slow
def test_an_evening_is_released_once(rebalance, small_market: Path, tmp_path: Path) -> None:
    first = rebalance("--cash", 5e7).json()
    folder, log = Path(first["folder"]), tmp_path / "desk" / "releases.jsonl"

    def release(of: Path = folder, by: str = "王小明") -> Ended:
        return deepfactor("release", of, "--by", by, "--json")

    def orders() -> dict[str, object]:
        words = ("--market", small_market, "--out", tmp_path / "orders", "--json")
        return deepfactor("orders", folder, *words).json()

    assert orders()["status"] == "draft"
    nobody = release(by=" ")
    assert (nobody.code, "nobody's name" in nobody.err, log.exists()) == (2, True, False)
    line = release().json()
    assert (line["date"], line["rebalance"], line["by"]) == (FIRST, first["key"], "王小明")
    assert line["market"] == first["market"]
    assert release(by="another").json() == line, "twice is once"
    made = orders()
    assert made["status"] == "released"
    assert Path(made["path"]).name.startswith("orders-")
    assert {one["note"] for one in rows_of(Path(made["path"]))} == {f"released {first['key']}"}

    other = Path(rebalance("--cash", 4e7).json()["folder"])
    refused = release(other)
    assert refused.code == 2
    assert f"orders of {FIRST} are out already: {first['key']}, by 王小明" in refused.err
    later = release(Path(rebalance("--cash", 4e7, day=SECOND).json()["folder"])).json()
    assert log.read_text(encoding="utf-8").count("\n") == 2
    assert later["date"] == SECOND
    log.write_text("{}\n")
    assert "is no log of releases (a line lacks" in release().err


@pytest.mark.slow
def test_a_run_whose_evening_was_scored(factor: Path, small_market: Path, tmp_path: Path) -> None:
    """The day's own scores count; without them the run's."""
    scores = pl.read_parquet(factor)
    run = tmp_path / "run"
    (run / "arms" / "a").mkdir(parents=True)
    (run / "scores" / "a").mkdir(parents=True)
    written(run / "recipe.json", '{"universe": {}, "arms": [{"name": "a"}]}')
    scores.filter(pl.col("date") < pl.lit(SECOND).str.to_date()).write_parquet(run / "arms" / "a" / "scores.parquet")
    words = ("rebalance", run, "--market", small_market, "--index", INDEX, "--cash", 5e7, "--out", tmp_path / "desk")
    assert deepfactor(*words, "--day", FIRST, "--json").json()["factor"] == "a"
    missing = deepfactor(*words, "--day", SECOND)
    assert missing.code == 2
    assert f"no score of an eligible stock on {SECOND}: the newest day with one is {FIRST}" in missing.err
    today = scores.filter(pl.col("date") == pl.lit(SECOND).str.to_date())
    place = run / "scores" / "a" / f"{SECOND}.parquet"
    today.write_parquet(place)
    refused(deepfactor(*words, "--day", SECOND), place.name, "deepfactor score")  # nothing says that it is whole
    written(place.with_suffix(".json"), json.dumps({"scores": file_hash(place)}))
    assert deepfactor(*words, "--day", SECOND, "--json").json()["trades"] > 20
    today.with_columns(pl.col("score") * 2).write_parquet(place)
    refused(deepfactor(*words, "--day", SECOND), place.name, "deepfactor score")
