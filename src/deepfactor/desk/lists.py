"""Lists of names that a desk keeps: what may not be bought, has to go, has to be held, is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deepfactor.core.arrays import Symbols
from deepfactor.core.errors import DataError
from deepfactor.desk.tables import Column, number, read_cells
from deepfactor.panel.panel import Panel
from deepfactor.portfolio.presets import Enhancement, parse_enhancement

_SYMBOL = Column("symbol", ("stock_code", "code", "ticker", "证券代码", "股票代码", "代码"))
_WEIGHT = Column("weight", ("min_weight", "权重", "最小权重"))


@dataclass(frozen=True)
class Lists:
    """Names by what may be done with them, as the market has their codes.

    Attributes
    ----------
    restricted : may be held and sold, not bought
    must_sell : have to be sold out; what can't be traded today is left for another day
    must_hold : symbol → least weight, a fraction of the book
    no_trade : neither bought nor sold
    """

    restricted: tuple[str, ...] = ()
    must_sell: tuple[str, ...] = ()
    must_hold: Mapping[str, float] = field(default_factory=dict)
    no_trade: tuple[str, ...] = ()

    def apply(
        self, enhancement: Enhancement, frozen: Symbols, locked: Mapping[str, float] | None = None
    ) -> Enhancement:
        """The enhancement with the lists as constraints of their own, which give way to nothing.

        `frozen` can't be traded today: their weight stays as it is anyway, and a demand to sell them would leave no
        portfolio. `locked`: symbol → the weight of shares that may not be sold tomorrow; it has to be held as by
        `must_hold`, but for names that have to be sold, of which what may be goes.

        Raises
        ------
        DataError
            a name that has to be sold and held, or to be left alone and sold.
        """
        for other, what in ((self.must_hold, "held"), (self.no_trade, "left alone")):
            both = sorted(set(self.must_sell) & set(other))
            if both:
                raise DataError(f"{both[0]} has to be sold by one list, and {what} by another: take it off one of them")
        now = sorted(set(self.must_sell) - set(frozen.tolist()))
        own: list[dict[str, object]] = []
        if self.restricted or now:
            own.append({"kind": "restricted", "never_buy": sorted(self.restricted), "must_sell": now})
        held = {name: weight for name, weight in (locked or {}).items() if name not in self.must_sell}
        held |= {name: max(weight, held.get(name, 0.0)) for name, weight in self.must_hold.items()}
        if held:
            own.append({"kind": "must_hold", "weights": dict(sorted(held.items()))})
        if self.no_trade:
            own.append({"kind": "no_trade", "symbols": sorted(self.no_trade)})
        if not own:
            return enhancement
        content = enhancement.model_dump(mode="json")
        return parse_enhancement({**content, "constraints": [*content["constraints"], *own]}, key="lists")


def read_list(path: Path, panel: Panel) -> tuple[str, ...]:
    """The names of a list: a code a line, or a table with a column of codes.

    Raises
    ------
    DataError
        names file, row and column: an unknown code, a code twice.
    """
    cells = read_cells(path, (_SYMBOL,), bare=True)
    symbols = cells.symbols(panel.symbols, panel.former)
    cells.refuse_repeats(symbols)
    return tuple(symbols)


def read_weights(path: Path, panel: Panel) -> dict[str, float]:
    """The names of a list with a least weight each, a fraction of the book: columns symbol and weight.

    Raises
    ------
    DataError
        names file, row and column: an unknown code, a code twice, a weight outside 0 to 1.
    """

    def fraction(text: str) -> float:
        value = number(text)
        if not 0 <= value <= 1:
            raise ValueError(f"{text} is no fraction of the book: write two percent as 0.02")
        return value

    cells = read_cells(path, (_SYMBOL, _WEIGHT))
    symbols = cells.symbols(panel.symbols, panel.former)
    cells.refuse_repeats(symbols)
    return dict(zip(symbols, cells.taken("weight", fraction), strict=True))
