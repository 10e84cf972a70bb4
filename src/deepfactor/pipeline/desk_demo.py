"""Ten evenings of a desk on a simulated market: what `nightly` decides, a broker fills in part, `reconcile` books."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.core.files import write_json, write_text
from deepfactor.desk.files import read_columns
from deepfactor.pipeline import desk
from deepfactor.pipeline.console import Console, Silent
from deepfactor.pipeline.demo import holds
from deepfactor.pipeline.experiment import run
from deepfactor.pipeline.markets import Market, open_market, simulate
from deepfactor.pipeline.nightly import nightly
from deepfactor.pipeline.places import require_outside
from deepfactor.recipe import load_recipe
from deepfactor.runs.results import read_json
from deepfactor.sources.simulated import Settings

EVENINGS, CASH, ACCOUNT = 10, 50_000_000, "csi500"
#: The broker fills every fifth buy by half, and doesn't reach every seventh order at all.
HALF, MISSED = 5, 7
_LOT, _RATE = 100, 0.00125
_SETTINGS = f"""# Written by `deepfactor demo --desk`.
market = "market"
run = "runs/desk_demo"
arm = "ridge"
out = "desk"

[[accounts]]
name = "{ACCOUNT}"
index = "000905.SH"
constraints = "daily.toml"
holdings = "positions/{{day}}.csv"
"""
_CONSTRAINTS = """# Study B's bounds, decided every evening.
definitions = "study_b"
signal = "daily"
fill = "next_close"
costs = { kind = "flat", rate = 0.00125 }
exclude = ["st"]
cash = 0.02
relax_order = ["turnover", "industry", "constituents", "stock"]

[[constraints]]
kind = "stock_active_weight"
limit = 0.02

[[constraints]]
kind = "industry_active_weight"
limit = 0.05

[[constraints]]
kind = "turnover"
limit = 0.2
sided = "two"
turnover_from = "drifted"
"""


class DeskDemo(TypedDict):
    """``desk_demo.json``: the last evening's page, the account's value on the first and on the last evening, orders and
    those that were not filled, or not in full."""

    page: str
    evenings: list[str]
    value: list[float]
    orders: int
    unfilled: int
    seconds: float


def desk_demo(out: Path, console: Console | None = None) -> DeskDemo:
    """Simulate a market under `out`, train, let ten evenings pass; writes ``desk_demo.json``, returns its content."""
    console = console or Silent()
    require_outside(out)
    start = time.perf_counter()
    market = _market(out, console)
    run(load_recipe("desk_demo"), market, out / "runs", workers=0, console=console)
    write_text(out / "nightly.toml", _SETTINGS)
    write_text(out / "daily.toml", _CONSTRAINTS)
    (out / "positions").mkdir(exist_ok=True)
    last = len(market.panel.dates) - 1
    rows = range(last - EVENINGS, last)
    days = [str(market.panel.dates[row]) for row in rows]
    write_text(out / "positions" / f"{days[0]}.csv", f"symbol,shares\nCASH,{CASH}\n")
    values, orders, unfilled, page = [], 0, 0, ""
    for row, day in zip(rows, days, strict=True):
        record = nightly(out / "nightly.toml", date.fromisoformat(day), console)
        assert record is not None, f"{day} is a trading day"
        page = str(out / "desk" / record["page"])
        place = record["accounts"][0]["rebalance"]
        assert place is not None, record["failed"]
        folder = out / "desk" / place
        desk.release(folder, "demo")
        fills = out / "fills" / f"{market.panel.dates[row + 1]}.csv"
        _fill(folder, market, row + 1, fills)
        evenings = out / "desk" / ACCOUNT / "evenings"
        kept, evening = desk.reconcile(folder, fills, market, evenings, console=console)
        book = (kept / "book.csv").read_text(encoding="utf-8-sig")
        write_text(out / "positions" / f"{evening['date']}.csv", book)
        values.append(evening["value"])
        orders += evening["orders"]
        unfilled += len(evening["unfilled"])
    content: DeskDemo = {
        "page": page,
        "evenings": days,
        "value": [float(CASH), round(values[-1], 2)],
        "orders": orders,
        "unfilled": unfilled,
        "seconds": round(time.perf_counter() - start, 1),
    }
    write_json(out / "desk_demo.json", content)
    return content


def _market(out: Path, console: Console) -> Market:
    settings = Settings(stocks=300, start=date(2018, 1, 2), end=date(2020, 12, 31))
    if not holds(out / "market", settings):
        simulate(out / "market", settings, console)
    return open_market(out / "market", console, live=True)


def _fill(folder: Path, market: Market, row: int, file: Path) -> None:
    """What a broker says of a rebalance's orders the next day: at its close, sells first, buys as far as cash reaches,
    in part, nothing of who didn't trade."""
    columns = read_columns(folder / "trades.csv", ("symbol", "side", "shares"))
    close, traded = market.panel["close"][row], market.universe.traded[row]
    cash, said = float(read_json(folder / "rebalance.json")["cash"]), []
    orders = enumerate(zip(*columns.values(), strict=True), start=1)
    for place, (symbol, side, shares) in sorted(orders, key=lambda one: one[1][1] == "buy"):
        at = int(np.searchsorted(market.panel.symbols, symbol))
        price, done = round(float(close[at]), 2), int(float(shares))
        if not traded[at] or place % MISSED == 0:
            continue
        if side == "buy":
            reached = int(cash / (price * (1 + _RATE)))
            done = min(done // 2 if place % HALF == 0 else done, reached) // _LOT * _LOT
        cash += price * done * (1 - _RATE) if side == "sell" else -price * done * (1 + _RATE)
        if done:
            said.append((symbol, side, done, f"{price:.2f}"))
    file.parent.mkdir(exist_ok=True)
    lines = ("symbol,side,shares,price", *(",".join(map(str, one)) for one in said))
    write_text(file, "\n".join(lines) + "\n")
