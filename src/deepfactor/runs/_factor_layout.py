"""Which column of a factor file is what: a row a date and stock, or a table with a column a stock, or a day."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from deepfactor.core.errors import DataError, UserError
from deepfactor.market.vendor_codes import as_market_has_them, is_code
from deepfactor.runs._factor_names import BESIDE, DATES, SCORES, SYMBOLS
from deepfactor.runs._factor_opened import OpenedFile
from deepfactor.store.dates import NoDate, as_days

DATE, SYMBOL, SCORE = "date", "symbol", "score"
_SAMPLE = 1000
_SHOWN = 8


@dataclass(frozen=True)
class Columns:
    """What a user says of a file's columns; None and nothing = found by name and content.

    Attributes
    ----------
    scores : "*" = all numbers
    """

    date: str | None = None
    symbol: str | None = None
    scores: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> Columns:
        """Read ``date=trade_date,symbol=ts_code,score=a,score=b``.

        Raises
        ------
        UserError
            not of that form.
        """
        said: dict[str, list[str]] = {DATE: [], SYMBOL: [], SCORE: []}
        for part in filter(None, (part.strip() for part in text.split(","))):
            ours, equals, theirs = part.partition("=")
            if ours.strip() not in said or not equals or not theirs.strip():
                raise UserError(f"--columns {text}: {part!r} isn't date=NAME, symbol=NAME or score=NAME")
            said[ours.strip()].append(theirs.strip())
        for ours in (DATE, SYMBOL):
            if len(said[ours]) > 1:
                raise UserError(f"--columns {text}: {ours} is said {len(said[ours])} times")
        one = {ours: said[ours][0] if said[ours] else None for ours in (DATE, SYMBOL)}
        return cls(one[DATE], one[SYMBOL], tuple(dict.fromkeys(said[SCORE])))


@dataclass(frozen=True)
class Layout:
    """What the columns are, by position.

    Attributes
    ----------
    form : "rows" = a row a date and stock; "stocks" = a row a date, a column a stock; "days" = a row a stock, a column
        a day
    date, symbol : None where they are names of columns
    scores : of "rows" the factors, else the columns of the table
    """

    form: Literal["rows", "stocks", "days"]
    date: int | None
    symbol: int | None
    scores: tuple[int, ...]


def lay_out(opened: OpenedFile, asked: Columns, known: frozenset[str]) -> Layout:
    """What each column of a file is: as asked, by its usual names, or else by what it holds where that is one alone.

    Parameters
    ----------
    known : the market's symbols

    Raises
    ------
    DataError
        a column that isn't there, or several that it could be; says which, and how to say it.
    """
    finder = _Finder(opened, asked, known)
    date = finder.by_name(DATE, asked.date, DATES)
    symbol = finder.by_name(SYMBOL, asked.symbol, SYMBOLS)
    rest = finder.rest(date, symbol)
    if symbol is None and not asked.scores and (codes := _mostly(rest, finder.names_code)):
        found = date if date is not None else finder.by_content(DATE, finder.holds_days, {*codes})
        return Layout("stocks", found, None, codes)
    if date is None and not asked.scores and (days := _mostly(rest, finder.names_day)):
        found = symbol if symbol is not None else finder.by_content(SYMBOL, finder.holds_codes, {*days}, numbers=True)
        return Layout("days", None, found, days)
    if date is None:
        date = finder.by_content(DATE, finder.holds_days, {symbol})
    if symbol is None:
        symbol = finder.by_content(SYMBOL, finder.holds_codes, {date})
    if finder.names_day(date) or finder.names_code(symbol):
        message = "can't be read: its first line is a row, wanted the names of the columns, as date,symbol,score"
        raise DataError(message, file=opened.path)
    return Layout("rows", date, symbol, finder.scores(date, symbol))


def _mostly(rest: Sequence[int], fits: Callable[[int], bool]) -> tuple[int, ...]:
    """Those of `rest` that fit, if they are half of it or more, and not one beside others."""
    found = tuple(at for at in rest if fits(at))
    return found if 2 * len(found) >= len(rest) and (len(found) > 1 or len(rest) == 1) else ()


@dataclass(frozen=True)
class _Finder:
    opened: OpenedFile
    asked: Columns
    known: frozenset[str]

    def rest(self, *taken: int | None) -> list[int]:
        """Columns with a name of their own but for `taken`."""
        return [at for at in range(len(self.opened.names)) if at not in taken and at not in self.opened.index]

    def by_name(self, ours: str, asked: str | None, usual: Collection[str]) -> int | None:
        """The column that is asked for; else the one called as ours, or by another usual name; None where none is."""
        if asked is not None:
            return self.called(asked)
        if (places := self._places(ours)) or not (others := self._usual(usual)):
            return self._only(ours, places) if places else None
        if len(others) > 1:
            raise self._several(ours, others)
        return others[0]

    def called(self, name: str) -> int:
        """The column of that name, but for capitals.

        Raises
        ------
        DataError
            there is none, or several.
        """
        if not (places := self._places(name)):
            raise self._missing(name)
        return self._only(name, places)

    def by_content(
        self, ours: str, holds: Callable[[pl.Series, bool], bool], taken: Collection[int | None], numbers: bool = False
    ) -> int:
        """The one column that holds what is wanted: of those without a name, or else of the others.

        Parameters
        ----------
        numbers : bare numbers may be codes also in a column with a name

        Raises
        ------
        DataError
            none does, or several do.
        """
        nameless = sorted(self.opened.index.difference(taken))
        for places, bare in ((nameless, True), (self.rest(*taken), numbers)):
            sample = self.opened.read(places, _SAMPLE) if places else pl.DataFrame()
            if found := [at for at, one in zip(places, sample, strict=True) if holds(one, bare)]:
                if len(found) > 1:
                    raise self._several(ours, found)
                return found[0]
        raise self._missing(ours)

    def holds_days(self, sample: pl.Series, _bare: bool) -> bool:
        """Whether a column's values are dates."""
        if sample.null_count() == len(sample):
            return False
        try:
            as_days(sample)
        except NoDate:
            return False
        return True

    def holds_codes(self, sample: pl.Series, bare: bool) -> bool:
        """Whether a column's values are codes; `bare` numbers are where half of them are the market's."""
        texts = [one for one in sample.unique().to_list() if one is not None]
        if not texts or sample.dtype.is_nested():
            return False
        if 10 * sum(isinstance(one, str) and is_code(one) for one in texts) >= 9 * len(texts):
            return True
        meant = as_market_has_them(map(str, texts), self.known)
        counted = sample.dtype.is_integer() and sample.is_sorted() and sample.n_unique() == len(sample) > 2
        return bare and not counted and 2 * sum(one in self.known for one in meant.values()) >= len(texts)

    def names_code(self, at: int) -> bool:
        """Whether a column is called by a stock's code."""
        name = self.opened.names[at]
        return is_code(name) or as_market_has_them([name], self.known)[name] in self.known

    def names_day(self, at: int) -> bool:
        """Whether a column is called by a day."""
        name = self.opened.names[at]
        try:
            return len(name) >= len("20200102") and not as_days(pl.Series([name])).has_nulls()
        except NoDate:
            return False

    def scores(self, date: int, symbol: int) -> tuple[int, ...]:
        """The factors: as asked; the one called score; the only other column; the one of a usual name; or all numbers.

        Raises
        ------
        DataError
            there is none, or there are numbers among them that are no scores by their names.
        """
        rest = self.rest(date, symbol)
        if self.asked.scores and self.asked.scores != ("*",):
            return tuple(self.called(name) for name in self.asked.scores)
        if (places := self._places(SCORE)) and not self.asked.scores:
            return (self._only(SCORE, places),)
        if len(rest) == 1:
            return tuple(rest)
        if len(usual := [at for at in rest if self._name(at) in SCORES]) == 1 and not self.asked.scores:
            return tuple(usual)
        numbers = [at for at in self._numbers(rest) if self._name(at) not in DATES | SYMBOLS]
        factors = [at for at in numbers if self._name(at) not in BESIDE]
        if not numbers:
            raise self._missing(SCORE)
        if not self.asked.scores and len(factors) != len(numbers) and len(factors) != 1:
            raise self._several(SCORE, numbers)
        return tuple(numbers if self.asked.scores else factors)

    def _numbers(self, places: Sequence[int]) -> list[int]:
        sample = self.opened.read(places, _SAMPLE) if places else pl.DataFrame()
        return [at for at, one in zip(places, sample, strict=True) if _is_number(one)]

    def _name(self, at: int) -> str:
        return self.opened.names[at].casefold()

    def _usual(self, usual: Collection[str]) -> list[int]:
        return [at for at in range(len(self.opened.names)) if self._name(at) in usual]

    def _places(self, name: str) -> list[int]:
        exact = [at for at, theirs in enumerate(self.opened.names) if theirs == name]
        return exact or [at for at in range(len(self.opened.names)) if self._name(at) == name.strip().casefold()]

    def _only(self, name: str, places: list[int]) -> int:
        if len(places) > 1:
            message = f"is there {len(places)} times ({self._list(places)}): keep one"
            raise DataError(message, file=self.opened.path, column=name)
        return places[0]

    def _several(self, ours: str, places: Sequence[int]) -> DataError:
        which = {DATE: "dates", SYMBOL: "codes"}.get(ours, "scores")
        message = f"{len(places)} columns could hold the {which}: {self._list(places)}. Say which: --columns {ours}="
        more = f", or all numbers: --columns {ours}=*" if ours == SCORE else ""
        return DataError(f"{message}{self.opened.names[places[0]]}{more}", file=self.opened.path, column=ours)

    def _missing(self, name: str) -> DataError:
        there = self._list(range(len(self.opened.names)))
        hint = f"; say which it is: --columns {name}=NAME" if name in (DATE, SYMBOL, SCORE) else ""
        return DataError(f"missing; the file has {there}{hint}", file=self.opened.path, column=name)

    def _list(self, places: Sequence[int]) -> str:
        return listed([self.opened.names[at] or '""' for at in places])


def listed(names: Sequence[str]) -> str:
    """The first names, and how many there are more."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _is_number(sample: pl.Series) -> bool:
    if sample.dtype == pl.String:
        given = sample.str.strip_chars()
        truth = given.str.to_lowercase().is_in(["true", "false"])
        return bool((given.cast(pl.Float64, strict=False).is_not_null() | truth | given.is_null()).all())
    return sample.dtype.is_numeric() or sample.dtype in (pl.Boolean, pl.Null)
