"""What an account's day has earned over its index, and by what."""

from __future__ import annotations

from typing import TypedDict

from deepfactor.backtest.day_return import day_return
from deepfactor.desk.holdings import Holdings
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles.base import StylesByDay


class EarnedRecord(TypedDict):
    """A day of an account, in fractions of its value at the close before.

    `held` is what the holdings of the close before earned, `replica` the index by the weights that the optimiser sees;
    the parts add to held − replica. `book` is the change of the account's value, null where tonight's isn't known:
    trades, costs and money moved make book − held.
    """

    date: str
    book: float | None
    held: float
    replica: float
    styles: dict[str, float]
    industries: dict[str, float]
    selection: float
    cash: float


def earned(
    before: Holdings, now: Holdings | None, panel: Panel, universe: Universe, index: str, row: int,
    styles: StylesByDay, haircut: float,
) -> EarnedRecord:  # fmt: skip
    """The day `row` of an account that held `before` at the close before and holds `now`; see `day_return`.

    Raises
    ------
    DataError
        a stock is held that has no price, or the index has no members.
    """
    made = day_return(before.shares, before.cash, panel, universe, index, row, styles, haircut)
    value = before.book(panel, row - 1).value()
    parts = made.parts()
    return {
        "date": str(made.date),
        "book": None if now is None else now.book(panel, row).value() / value - 1.0,
        "held": made.held,
        "replica": made.replica,
        "styles": dict(made.of("style")),
        "industries": dict(made.of("industry")),
        "selection": parts["selection"],
        "cash": parts["cash"],
    }
