"""The desk's verbs: this evening's scores and holdings to tomorrow's trades."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from deepfactor.backtest.days import days
from deepfactor.backtest.signals import Knowledge
from deepfactor.core.arrays import Float64
from deepfactor.core.errors import DataError
from deepfactor.core.files import folder_lock, remove_litter
from deepfactor.desk.evening_record import EveningRecord, evening_key, write_evening
from deepfactor.desk.files import read_aligned, read_folder
from deepfactor.desk.fill_file import read_fills
from deepfactor.desk.holdings import Holdings, read_holdings
from deepfactor.desk.lists import Lists, read_list, read_weights
from deepfactor.desk.morning import Quotes, check_orders, read_quotes
from deepfactor.desk.order_file import Heading, OrdersRecord, write_orders
from deepfactor.desk.order_form import load_form
from deepfactor.desk.rebalancing import rebalance as decide_rebalance
from deepfactor.desk.rebalancing import require_evening
from deepfactor.desk.reconciling import DayPrices, evening, fill_table, require_ordered
from deepfactor.desk.record import NAME, RebalanceFile, RebalanceRecord, read_rebalance, rebalance_key, write_rebalance
from deepfactor.desk.releases import ReleaseRecord, released
from deepfactor.desk.releases import release as let_out
from deepfactor.desk.tables import MOST
from deepfactor.panel.panel import Panel
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.factor import Factor, arm_of, open_factor
from deepfactor.pipeline.markets import Market, StyleSets, absent_styles
from deepfactor.pipeline.names import index_of, row_of
from deepfactor.pipeline.places import require_outside
from deepfactor.pipeline.risk import risk_wanted
from deepfactor.pipeline.scoring import require_whole
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.factors import read_factor_rows
from deepfactor.styles.base import ROOM as STYLES


@dataclass(frozen=True)
class Account:
    """Files of an account; each None = there is none.

    Attributes
    ----------
    holdings : position file; without one the account holds `cash` alone
    cash : CNY, where the position file has no row of it
    fractions : its shares need not be whole
    previous : folder of the last rebalance
    restricted, must_sell, must_hold, no_trade : lists
    """

    holdings: Path | None = None
    cash: float | None = None
    fractions: bool = False
    previous: Path | None = None
    restricted: Path | None = None
    must_sell: Path | None = None
    must_hold: Path | None = None
    no_trade: Path | None = None

    def lists(self, panel: Panel) -> Lists:
        """The lists, read."""
        return Lists(
            restricted=() if self.restricted is None else read_list(self.restricted, panel),
            must_sell=() if self.must_sell is None else read_list(self.must_sell, panel),
            must_hold={} if self.must_hold is None else read_weights(self.must_hold, panel),
            no_trade=() if self.no_trade is None else read_list(self.no_trade, panel),
        )

    def held(self, panel: Panel, row: int) -> Holdings:
        """The holdings of the evening of `row`, read."""
        if self.cash is not None and not 0 <= self.cash <= MOST:
            raise DataError(f"--cash {self.cash:g}: wanted CNY, at least 0")
        if self.holdings is not None:
            return read_holdings(self.holdings, panel, panel.dates[row], cash=self.cash, fractions=self.fractions)
        if self.cash is None:
            raise DataError(
                "neither holdings nor cash: give --holdings FILE, or --cash of an account that holds nothing"
            )
        return Holdings.of_cash(len(panel.symbols), self.cash)


def open_evening(path: Path, market: Market, arm: str | None = None, day: date | None = None) -> Factor:
    """The scores of the evening of `day` (None = the market's last): of a run's folder those that `score` has left
    there, else as `open_factor` has them."""
    if path.is_dir():
        run, name, rule = arm_of(path, arm)
        scored = run.day_scores(name, str(market.panel.dates[row_of(market.panel, day)]))
        if scored.is_file():
            require_whole(scored)
            scores, rows = read_factor_rows(scored, market.panel, name=name)
            return Factor(scores, market.universe.eligible(rule), rows)
    return open_factor(path, market, arm)


def rebalance(
    factor: Factor,
    market: Market,
    out: Path,
    portfolio: Portfolio,
    account: Account,
    day: date | None = None,
    console: Console | None = None,
    style_sets: StyleSets | None = None,
) -> tuple[Path, RebalanceRecord]:
    """What to trade after the close of `day` (None = the market's last), by a backtest's own decision.

    `portfolio` says index and constraints, see `enhance`; its capital and span are not read: the account's value is
    that of its holdings. `style_sets`: the market's, where a caller has made some. Returns the folder
    ``<out>/<day>-<key>`` that was written, and its record.

    Raises
    ------
    DataError
        a file of the account is wrong (names row and column), no score on the day, no such day.
    InfeasibleError
        no portfolio keeps the constraints.
    """
    console = console or Silent()
    require_outside(out)
    index = index_of(portfolio.index, market, "rebalance.index")
    enhancement = load_constraints(portfolio)
    panel = market.panel
    row = row_of(panel, day)
    holdings, lists = account.held(panel, row), account.lists(panel)
    book = holdings.book(panel, row)
    aimed_at = None if account.previous is None else previous_target(account.previous, panel, row)
    eligible = buyable(factor.eligible, market.universe, enhancement)
    known = Knowledge(panel, market.universe, factor.scores, {}, index, eligible, shape=enhancement.score)
    require_evening(known, row, book, enhancement, aimed_at)  # before the minute that styles take
    kind = enhancement.styles or STYLES.choose("basic")
    with step(console, f"styles {kind.kind}"):
        styles = (style_sets or StyleSets(market)).of_few_days(kind)
    for text in absent_styles(kind, styles):
        console.say(text)
    risk = risk_wanted(market, kind, styles.by_day(), [enhancement], console)
    known = replace(known, styles=styles.by_day(), risk=risk)
    with step(console, f"rebalance of {panel.dates[row]}"):
        made = decide_rebalance(known, row, book, enhancement, lists, aimed_at)
    if made.unheld:
        console.say(
            f"no portfolio holds all that can't be sold tomorrow of {', '.join(made.unheld)}: the target is that "
            "without it, and what of it can't be done stands in undone.csv"
        )
    key = rebalance_key(known, row, holdings, lists, enhancement, aimed_at)
    with folder_lock(out):
        remove_litter(out)
        return write_rebalance(out, key, made, known, holdings, lists)


def previous_target(folder: Path, panel: Panel, row: int) -> Float64:
    """(N,) the target weights of an earlier rebalance; a `DataError` where it isn't one of an earlier day."""
    content: RebalanceFile = read_folder(folder, NAME, "rebalance", RebalanceRecord.__annotations__)
    if not content["date"] < str(panel.dates[row]):
        raise DataError(
            f"is of {content['date']}: the last rebalance is of a day before {panel.dates[row]}", file=folder
        )
    return read_aligned(folder / "targets.csv", panel.symbols, ("weight",))["weight"]


def reconcile(
    folder: Path,
    fills: Path,
    market: Market,
    out: Path,
    day: date | None = None,
    *,
    reinvested: bool = False,
    console: Console | None = None,
) -> tuple[Path, EveningRecord]:
    """The account at the close of `day` (None = the day of the fills), from a rebalance's folder and what was filled.

    Fills are those of the trading day behind the rebalance's. `reinvested`: ex-dates as a backtest has them, see
    `deepfactor.desk.reconciling.evening`. Returns the folder ``<out>/<day>-<key>`` that was written, and its record;
    its ``book.csv`` is a position file for the next rebalance.

    Raises
    ------
    DataError
        fills that exceed the orders or the account, or are wrong (names row and column); a market without the day.
    """
    console = console or Silent()
    require_outside(out)
    panel, universe = market.panel, market.universe
    ordered = read_rebalance(folder, panel)
    first = ordered.row + 1
    if first == len(panel.dates):
        raise DataError(
            f"this market has no day after {panel.dates[-1]}, on which the orders were to be filled: ingest it"
        )
    last = first if day is None else row_of(panel, day)
    if last < first:
        raise DataError(f"{day} lies before {panel.dates[first]}, the day of the fills")
    traded = next(days(panel, universe, range(first, first + 1), "close"))
    haircut, costs = ordered.enhancement.haircut, ordered.enhancement.costs
    sells, buys = read_fills(fills, panel, panel.dates[first], costs, fractions=reinvested)
    require_ordered(ordered.orders, traded, sells, buys, panel.symbols)
    book = ordered.holdings.book(panel, ordered.row)
    made = evening(book, panel, universe, range(first, last + 1), sells, buys, haircut, reinvested=reinvested)
    table = fill_table(ordered.orders, DayPrices.of(panel, first), sells, buys, panel.symbols)
    key = evening_key(ordered, fills, panel.fingerprint, made.date, reinvested=reinvested)
    with folder_lock(out):
        remove_litter(out)
        return write_evening(
            out, key, made, ordered, table, traded.date, panel.fingerprint, panel.symbols, reinvested=reinvested
        )


def orders(
    folder: Path,
    market: Market,
    out: Path,
    form: str = "generic",
    quotes: Path | None = None,
    account: str | None = None,
) -> tuple[Path, OrdersRecord]:
    """The orders of a rebalance's folder as a file in a broker's form; its path and record.

    `form` is the name of a shipped one or a TOML file, see `deepfactor.desk.order_form`; `quotes` the morning's
    reference prices and limits, by which orders that can't be done are taken out or resized.

    Raises
    ------
    RecipeError
        no such form, or a wrong one.
    DataError
        the morning's file is wrong (names row and column), or leaves nothing to order.
    """
    require_outside(out)
    chosen, panel = load_form(form), market.panel
    ordered = read_rebalance(folder, panel)
    date: str | None = ordered.content["trade_date"]
    book = ordered.holdings.book(panel, ordered.row)
    known = Quotes.of_evening(book.last) if quotes is None else read_quotes(quotes, panel, date)
    day = np.datetime64(date or ordered.content["date"])
    costs = ordered.enhancement.costs
    checked = check_orders(ordered.orders, book, known, costs, day, panel.symbols, chosen.price_offset)
    if ordered.orders.any() and not checked.orders.any():
        why = sorted(set(checked.changed.reason.tolist()))
        raise DataError(f"leaves none of the orders possible ({', '.join(why)}): is it of the day?", file=quotes)
    key = ordered.content["key"]
    heading = Heading(Path(form).stem, key, date, account, quotes is not None, released(folder, key) is None)
    with folder_lock(out):
        remove_litter(out)
        return write_orders(out, checked, panel.symbols, chosen, heading)


def release(folder: Path, by: str) -> ReleaseRecord:
    """Let the orders of a rebalance's folder out, in the name of `by`: one line of the log beside it, once an evening.

    Order files made from then on are no drafts.

    Raises
    ------
    DataError
        another rebalance of the evening is out already, nobody's name, or the folder isn't whole.
    """
    return let_out(folder, by)
