"""Whether a day's tables speak of the same stocks: how an answer that was cut short, and looks whole, is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from deepfactor.lake.folder import Lake
from deepfactor.lake.request import Answer, Passing

#: Stocks of one table that another may lack: single ones come late. Beijing's factors came a year late.
_SINGLE, _SHARE, _LATE_BOARD = 3, 0.01, ".BJ"
#: A table, and one that must have its stocks.
_PAIRS = (("daily", "adj_factor"), ("daily", "daily_basic"), ("daily_basic", "daily"), ("daily", "stk_limit"))
#: Of the stocks that are listed, at least so many trade or are said not to.
_LEAST = 0.5


@dataclass(frozen=True)
class Listed:
    """From when until when each stock was listed, as ``YYYYMMDD``; by code."""

    spans: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, lake: Lake) -> Listed:
        """By the lake's newest lists."""
        rows = lake.rows(lake.of("stock_basic"), ["ts_code", "list_date", "delist_date"])
        return cls({code: (first or "00000000", last or "99999999") for code, first, last in rows.iter_rows()})

    def codes(self) -> list[str]:
        """All stocks that ever were listed."""
        return sorted(self.spans)

    def on(self, day: str) -> int:
        """How many were listed on a day."""
        return sum(first <= day < last for first, last in self.spans.values())


def agree(listed: Listed, day: date, answers: Sequence[Answer]) -> None:
    """`Passing` where a day's answers lack stocks that others have, or most that are listed."""
    codes = {one.request.api: set(one.rows["ts_code"].to_list()) for one in answers}
    for more, fewer in _PAIRS:
        if more in codes and codes.get(fewer):  # an empty one is said to be a gap
            lacking = sorted(code for code in codes[more] - codes[fewer] if not code.endswith(_LATE_BOARD))
            if len(lacking) > max(_SINGLE, _SHARE * len(codes[more])):
                raise Passing(
                    f"{fewer} of {day} lacks {len(lacking)} of {len(codes[more])} stocks that {more} has, as "
                    f"{lacking[0]}: it was cut short or isn't ready"
                )
    if "daily" in codes and "suspend_d" in codes:
        there, there_should = len(codes["daily"] | codes["suspend_d"]), listed.on(f"{day:%Y%m%d}")
        if there < _LEAST * there_should:
            raise Passing(f"daily of {day} has {there} stocks, of {there_should} that are listed: it was cut short")
