"""How far the files of a qlib data folder reach: the fields of a symbol, and its span in ``instruments/all.txt``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Dates, Float32
from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.sources._qlib_files import SymbolSpan

#: Symbols that a count names.
_SHOWN = 3
_EMPTY = Sentence(
    "daily: not traded where a symbol's data hold no value at their end ({symbols})",
    "文件末尾没有数值，视为未交易的股票日（{symbols}）",
)
_EARLY = Sentence(
    "daily: not traded where a symbol's data end before its span in all.txt ({symbols})",
    "数据文件早于all.txt所列区间结束，视为未交易的股票日（{symbols}）",
)
_LATE = Sentence(
    "daily: not traded where a symbol's data begin after its span there ({symbols})",
    "数据文件晚于all.txt所列区间开始，视为未交易的股票日（{symbols}）",
)


class Reach:
    """Counts the days that a symbol should have and its files don't give: they become days without a trade.

    `calendar`: the folder's days. `spans`: of ``all.txt``; empty where there is none.
    """

    def __init__(self, calendar: Dates, spans: Iterable[SymbolSpan]) -> None:
        self._calendar = calendar
        self._spans: dict[str, tuple[int, int]] = {}
        for span in spans:
            first = int(np.searchsorted(calendar, np.datetime64(span.start)))
            stop = int(np.searchsorted(calendar, np.datetime64(span.end), side="right"))
            before = self._spans.get(span.symbol, (first, stop))
            self._spans[span.symbol] = (min(first, before[0]), max(stop, before[1]))
        self._lacking: dict[Sentence, list[tuple[int, str]]] = defaultdict(list)

    def take(
        self,
        symbol: str,
        files: Mapping[str, Path],
        parts: Sequence[tuple[int, Float32]],
        needed: Iterable[str],
    ) -> None:
        """A symbol with the `files` of its fields, and the first row and the values that each holds.

        Raises
        ------
        DataError
            the file of a field that is `needed` begins later or ends earlier than another one of the symbol.
        """
        reach = dict(zip(files, ((first, first + len(values)) for first, values in parts), strict=True))
        begin, end = min(first for first, _ in reach.values()), max(stop for _, stop in reach.values())
        for name in needed:
            first, stop = reach[name]
            if stop < end:
                longer = next(files[field].name for field, (_, last) in reach.items() if last == end)
                message = f"ends on {self._day(stop - 1)}, {longer} beside it on {self._day(end - 1)}: dump it anew"
                raise DataError(message, file=files[name])
            if first > begin:
                longer = next(files[field].name for field, (at, _) in reach.items() if at == begin)
                message = f"begins on {self._day(first)}, {longer} beside it on {self._day(begin)}: dump it anew"
                raise DataError(message, file=files[name])
        there = [first + np.flatnonzero(~np.isnan(values)) for first, values in parts]
        last = max((int(rows[-1]) for rows in there if len(rows)), default=begin - 1)
        self._count(_EMPTY, symbol, last + 1, end)
        first, stop = self._spans.get(symbol, (begin, end))
        self._count(_EARLY, symbol, end, stop)
        self._count(_LATE, symbol, first, begin)

    def dropped(self) -> Iterator[tuple[str, int]]:
        """Reasons, with the number of stock-days each."""
        for what, symbols in self._lacking.items():
            more = "; …" if len(symbols) > _SHOWN else ""
            named = "; ".join(text for _, text in symbols[:_SHOWN])
            yield what.format(symbols=named + more), sum(days for days, _ in symbols)

    def _count(self, what: Sentence, symbol: str, start: int, stop: int) -> None:
        """Rows `start` to `stop` of the calendar that lack."""
        if stop > start:
            self._lacking[what].append((stop - start, f"{symbol} {self._day(start)} to {self._day(stop - 1)}"))

    def _day(self, row: int) -> np.datetime64:
        day: np.datetime64 = self._calendar[row]
        return day
