"""What an account's day has earned over its index: read off its holdings of two evenings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deepfactor.core.errors import DataError, DeepfactorError
from deepfactor.core.words import Text
from deepfactor.desk.earned import EarnedRecord, earned
from deepfactor.desk.holdings import Holdings, read_holdings
from deepfactor.pipeline.markets import Market, StyleSets
from deepfactor.portfolio.presets import Enhancement
from deepfactor.styles.base import ROOM as STYLES

UNKNOWN = Text(
    "the holdings of {day} aren't known: name a position file an evening, by {place} in its path",
    "{day} 的持仓未知：请按日提供持仓文件，路径中含 {place}",
)
UNREADABLE = Text("not known: {error}", "未知：{error}")
FIRST = Text("the market has no day before", "行情数据中没有前一交易日")
EMPTY = Text("nothing was held at the close of {day}", "{day} 收盘时空仓")


@dataclass(frozen=True)
class AccountBooks:
    """Where an account's holdings of an evening lie: its own file, else the books of its rebalances of that evening."""

    own: Path | None
    rebalanced: Iterable[Path]
    cash: float | None
    fractions: bool

    def read(self, market: Market, row: int) -> Holdings | None:
        """The holdings of the evening of `row`; None = not known."""
        panel = market.panel
        if self.own is not None and self.own.is_file():
            return read_holdings(self.own, panel, panel.dates[row], cash=self.cash, fractions=self.fractions)
        for file in self.rebalanced:
            return read_holdings(file, panel, panel.dates[row], fractions=True)
        return None


def evening_return(
    before: AccountBooks, now: AccountBooks, market: Market, index: str, enhancement: Enhancement, row: int,
    styles: StyleSets, place: str,
) -> EarnedRecord | Text:  # fmt: skip
    """The day `row` of an account, by its books of the evening before and of this one.

    A `Text` says why it isn't known; `place` is how a path names the day. A wrong file of tonight's is for the
    decision to name.
    """
    if row < 1:
        return FIRST
    day = str(market.panel.dates[row - 1])
    try:
        then = before.read(market, row - 1)
        if then is None:
            return UNKNOWN.filled(day=day, place=place)
        if not then.shares.any():
            return EMPTY.filled(day=day)
        exposures = styles.of_few_days(enhancement.styles or STYLES.choose("basic")).by_day()
        held = _or_none(now, market, row)
        return earned(then, held, market.panel, market.universe, index, row, exposures, enhancement.haircut)
    except DeepfactorError as error:
        return UNREADABLE.filled(error=error)


def _or_none(books: AccountBooks, market: Market, row: int) -> Holdings | None:
    try:
        return books.read(market, row)
    except DataError:
        return None
