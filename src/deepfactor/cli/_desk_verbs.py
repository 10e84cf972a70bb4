"""Verbs of the desk: rebalance, release, orders, reconcile."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from deepfactor.cli.helping import Verb
from deepfactor.cli.options import (
    CONSTRAINTS,
    ArmOption,
    Json,
    MarketOption,
    app,
    day_option,
    show,
    terminal,
)
from deepfactor.core.kind import recipe_error

if TYPE_CHECKING:
    from deepfactor.desk.evening_record import EveningRecord
    from deepfactor.desk.order_file import OrdersRecord
    from deepfactor.desk.record import RebalanceRecord


@app.command(cls=Verb)
def rebalance(
    factor: Annotated[Path, typer.Argument(help="parquet or CSV with date, symbol, score; or a run's folder")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder in which the rebalance gets one of its own")],
    index: Annotated[str, typer.Option(help="an index, as in 000905.SH or csi500")],
    constraints: Annotated[str, typer.Option(help=CONSTRAINTS)] = "study_b",
    holdings: Annotated[Path | None, typer.Option(help="CSV of the account's positions this evening")] = None,
    cash: Annotated[float | None, typer.Option(help="CNY, where the positions have no row of it")] = None,
    day: Annotated[date | None, day_option("evening to decide on; without: the market's last day")] = None,
    previous: Annotated[Path | None, typer.Option(help="folder of the last rebalance, for what it aimed at")] = None,
    restricted: Annotated[Path | None, typer.Option(help="names that are not bought, a code a line")] = None,
    must_sell: Annotated[Path | None, typer.Option("--must-sell", help="names to be sold out")] = None,
    must_hold: Annotated[Path | None, typer.Option("--must-hold", help="CSV: symbol, weight at least held")] = None,
    no_trade: Annotated[Path | None, typer.Option("--no-trade", help="names that are left alone")] = None,
    fractions: Annotated[
        bool, typer.Option("--fractions", help="take shares that are not whole, as a simulated book's after ex-dates")
    ] = False,
    arm: ArmOption = None,
    as_json: Json = False,
) -> None:
    """Tomorrow's trades of an account: target, trade list in lots, bounds and exposures before and after. A draft."""
    from deepfactor.pipeline import desk
    from deepfactor.pipeline.markets import open_market
    from deepfactor.recipe import Portfolio

    try:
        portfolio = Portfolio(index=index, constraints=constraints)
    except ValidationError as error:
        raise recipe_error(error, "rebalance") from None
    account = desk.Account(
        holdings,
        cash if cash is None else round(cash, 2),
        fractions,
        previous,
        restricted,
        must_sell,
        must_hold,
        no_trade,
    )
    console = terminal()
    opened = open_market(market, console, live=True)
    read = desk.open_evening(factor, opened, arm, day)
    folder, record = desk.rebalance(read, opened, out, portfolio, account, day, console)
    show({**record, "folder": str(folder)}, as_json, *_rebalance_lines(record), f"draft: {folder}")


def _rebalance_lines(record: RebalanceRecord) -> list[str]:
    lines = [
        f"{record['date']}, for {record['trade_date'] or 'the next trading day'}: {record['trades']} orders, "
        f"{record['bought']:,.0f} CNY bought, {record['sold']:,.0f} sold ({record['turnover']:.1%} of "
        f"{record['value']:,.0f}), expected cost {record['expected_cost']:,.2f}",
        f"index weights: {record['index_weights']}",
    ]
    for one in record["relaxations"]:
        came = f"{one['value']:.4f} against {one['bound']:.4f} ({one['reason']})"
        lines.append(f"not kept: {one['constraint']} {one['row']}: {came}")
    if record["undone"]:
        lines.append("left out: " + ", ".join(f"{reason} {n}" for reason, n in record["undone"].items()))
    if record["left"]:
        lines.append(f"to be sold, but not tradeable today: {', '.join(record['left'])}")
    return lines


@app.command(cls=Verb)
def release(
    folder: Annotated[Path, typer.Argument(metavar="REBALANCE", help="folder that rebalance made")],
    by: Annotated[str, typer.Option(help="who lets the orders out")],
    as_json: Json = False,
) -> None:
    """Let a rebalance's orders out: a line in releases.jsonl beside it. An evening has one release."""
    from deepfactor.pipeline import desk

    record = desk.release(folder, by)
    show(
        record, as_json, f"{record['date']}: orders {record['rebalance']} are out, by {record['by']} at {record['at']}"
    )


@app.command(cls=Verb)
def orders(
    folder: Annotated[Path, typer.Argument(metavar="REBALANCE", help="folder that rebalance made")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder for the order file")],
    form: Annotated[str, typer.Option("--format", help="generic, xt_csv, xt_dbf or a TOML file")] = "generic",
    check: Annotated[
        Path | None, typer.Option(help="CSV of the morning: symbol, pre_close, limit_up, limit_down, suspended")
    ] = None,
    account: Annotated[str | None, typer.Option(help="account id, where the form has one")] = None,
    as_json: Json = False,
) -> None:
    """A rebalance's orders as a broker's file; by the morning's prices, less what can't be done."""
    from deepfactor.pipeline import desk
    from deepfactor.pipeline.markets import open_market

    made, record = desk.orders(folder, open_market(market, terminal(), live=True), out, form, check, account)
    show({**record, "path": str(made)}, as_json, *_orders_lines(record), f"{record['status']}: {made}")


def _orders_lines(record: OrdersRecord) -> list[str]:
    lines = [
        f"{record['orders']} orders for {record['trade_date'] or 'the next trading day'}: "
        f"{record['bought']:,.0f} CNY to buy, {record['sold']:,.0f} to sell; "
        f"{'checked against' if record['checked'] else 'without'} the morning's prices"
    ]
    for one in record["changed"]:
        what = f"{one['allowed']:,.0f} of {one['ordered']:,.0f}" if one["allowed"] else f"no {one['ordered']:,.0f}"
        lines.append(f"{one['side']} {what} {one['symbol']}: {one['reason']}")
    if record["fractions_cut"]:
        lines.append(f"fractions of shares cut off: {', '.join(record['fractions_cut'])}")
    return lines


@app.command(cls=Verb)
def reconcile(
    folder: Annotated[Path, typer.Argument(metavar="REBALANCE", help="folder that rebalance made")],
    fills: Annotated[Path, typer.Option(help="CSV of what was filled: symbol, side, shares, price")],
    market: MarketOption,
    out: Annotated[Path, typer.Option("--out", help="folder in which the evening gets one of its own")],
    day: Annotated[date | None, day_option("evening wanted; without: the day of the fills")] = None,
    reinvested: Annotated[
        bool, typer.Option("--reinvested", help="ex-dates make shares, as a backtest has it; without: cash dividends")
    ] = False,
    as_json: Json = False,
) -> None:
    """The evening's account out of orders and fills: holdings, cash, slippage, what was not filled."""
    from deepfactor.pipeline import desk
    from deepfactor.pipeline.markets import open_market

    console = terminal()
    opened = open_market(market, console, live=True)
    made, record = desk.reconcile(folder, fills, opened, out, day, reinvested=reinvested, console=console)
    show({**record, "folder": str(made)}, as_json, *_evening_lines(record), f"account: {made / 'book.csv'}")


def _evening_lines(record: EveningRecord) -> list[str]:
    measured = {"vwap": record["slippage_vwap"], "close": record["slippage_close"]}
    slippage = ", ".join(f"{share:+.3%} against {price}" for price, share in measured.items() if share is not None)
    lines = [
        f"{record['date']}: {record['value']:,.2f} CNY, of it cash {record['cash']:,.2f}",
        f"{record['filled']} of {record['orders']} orders filled on {record['fill_date']}: "
        f"{record['bought']:,.0f} CNY bought, {record['sold']:,.0f} sold, cost {record['cost']:,.2f}"
        f"{f'; slippage {slippage}' if slippage else ''}",
    ]
    if record["unfilled"]:
        lines.append(f"not or not all filled: {', '.join(record['unfilled'])}")
    if record["out_of_range"]:
        lines.append(f"WARNING: filled outside of the day's low and high: {', '.join(record['out_of_range'])}")
    if record["ex_dates"]:
        names = ", ".join(record["ex_dates"])
        lines.append(f"ex-dates, an estimate ({record['dividends']:,.2f} CNY): take the broker's positions for {names}")
    if record["settled"]:
        lines.append(f"delisted and settled: {', '.join(record['settled'])}")
    return lines
