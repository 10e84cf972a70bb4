"""What a lake says otherwise than it did: by its answers then and now, without reading those that are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from deepfactor.lake.folder import Recorded
from deepfactor.lake.request import Request
from deepfactor.sources._codes import Codes
from deepfactor.sources._extract import Extract
from deepfactor.sources._intervals import flag_of, spells_of
from deepfactor.sources._lake import Held, LakeReader, View
from deepfactor.sources._mapping_parts import Intervals


@dataclass(frozen=True)
class News:
    """Answers whose content is new, other than it was, or gone; an equal one that was asked for anew is none.

    Attributes
    ----------
    answers : by what was asked, those of now; None = gone
    """

    answers: Mapping[Request, Recorded | None]

    @classmethod
    def between(cls, then: Held, now: Held, apis: Collection[str]) -> News:
        """What these calls' answers of `now` say otherwise than those of `then`."""
        old, held = then.of(*apis), now.of(*apis)
        same = {one.number for one in old} & {one.number for one in held}  # nearly all
        before = {one.request: one.content for one in old if one.number not in same}
        after = {one.request: one for one in held if one.number not in same}
        new = {request: one for request, one in after.items() if before.get(request) != one.content}
        return cls({**new, **dict.fromkeys(before.keys() - after.keys())})

    def of(self, view: View) -> list[Request]:
        """Those that a view is made of."""
        return [request for request in self.answers if request.api in view.apis]

    def words(self) -> str:
        """How many answers to which calls."""
        counts: dict[str, int] = {}
        for request in self.answers:
            counts[request.api] = counts.get(request.api, 0) + 1
        calls = ", ".join(f"{api} {n:,}" for api, n in sorted(counts.items()))
        return f"{len(self.answers):,} answers ({calls})" if counts else "no answer"


def days_of_flag(
    intervals: Intervals, views: Mapping[str, View], codes: Codes, then: Held, now: Held, days: pl.Series
) -> pl.Series:
    """The days out of `days` (ascending) on which intervals mark other symbols now than they did."""
    named = [name for name in (intervals.symbol, intervals.start, intervals.end, intervals.value) if name]
    told = [LakeReader(held, views).read(intervals, named, intervals.where, "daily.intervals") for held in (then, now)]
    one, two = (extract.frame for extract in told)
    rows = pl.concat([a.join(b, on=named, how="anti", nulls_equal=True) for a, b in ((one, two), (two, one))])
    theirs = rows[intervals.symbol].unique().implode()  # rows of the others are the same, so their marks are
    before, after = (
        _spells(extract.keep(extract[intervals.symbol].is_in(theirs)), intervals, codes) for extract in told
    )
    symbols = pl.concat([before["symbol"], after["symbol"]]).unique().sort()
    names = pl.Series("symbol", symbols, dtype=pl.Enum(symbols))
    grid = pl.DataFrame({"symbol": names}).join(pl.DataFrame({"date": days}), how="cross").sort("symbol", "date")
    differs = flag_of(grid, before) != flag_of(grid, after)
    return grid.filter(differs)["date"].unique().sort()


def _spells(extract: Extract, intervals: Intervals, codes: Codes) -> pl.DataFrame:
    """The days of each symbol on which the flag holds; see `spells_of`."""
    read = codes.read(extract, {"symbol": intervals.symbol}, drop=True)
    if read.extract.frame.is_empty():
        return pl.DataFrame(schema={"symbol": pl.String, "start": pl.Date, "end": pl.Date})
    return spells_of(read.extract, intervals, read)[0]
