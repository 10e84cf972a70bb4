"""Vendors' codes → ours; what is no A-share's (or no index's) is refused, or dropped and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.market.boards import find_board
from deepfactor.market.codes import named, other_form_of, what_is
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_columns import Pattern
from deepfactor.sources._mapping_parts import Rename
from deepfactor.sources._renames import chain, ours
from deepfactor.store.schema import SYMBOL_PATTERN

_FORM = re.compile(SYMBOL_PATTERN)
_STRANGE = {
    "symbol": Sentence("rows of {n} symbols that are no A-shares ({codes})", "{n}个非A股代码的行（{codes}）"),
    "index": Sentence("rows of {n} codes that are no indices ({codes})", "{n}个非指数代码的行（{codes}）"),
}
_NO_CODE = Sentence("rows without a code in {column}", "{column}列没有代码的行")


@dataclass(frozen=True)
class Read:
    """Codes that were read.

    Attributes
    ----------
    extract : the rows that are left
    codes : column of ours ("symbol", "index") = codes of those rows, as an `Enum` of the sorted codes (so that it sorts
        as text does)
    dropped : reason = rows
    age : how many changes ago the code of each row's symbol was the company's, 0 = it is the newest; None = all are
    """

    extract: Extract
    codes: Mapping[str, pl.Series]
    dropped: Mapping[str, int]
    age: pl.Series | None = None

    def ages(self) -> dict[str, pl.Series]:
        """The column ``age`` where there is one."""
        return {} if self.age is None else {"age": self.age}


@dataclass(frozen=True)
class Codes:
    """How a mapping's codes become ours: by the first of `patterns` that matches, else as they are; then by `renames`.

    Codes of indices become ours by `indices`, where there are any. `renames`: old code (ours, or as the vendor writes
    it) = its change; `met`: those of which a row was read.
    """

    patterns: tuple[Pattern, ...] = ()
    indices: tuple[Pattern, ...] = ()
    drop_unknown: bool = False
    renames: Mapping[str, Rename] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def read(self, extract: Extract, columns: Mapping[str, str], *, drop: bool = False) -> Read:
        """The codes in `columns` (ours = theirs) of the rows that have good ones.

        A symbol must be an A-share's, an index must not. Rows of others are dropped with `drop` or `drop_unknown`.

        Raises
        ------
        DataError
            a code that is neither dropped nor good, an A-share's code in a form that no pattern reads, or two codes
            that become one without a change that says so; names the row.
        """
        for column in columns.values():
            if extract[column].dtype.is_nested():
                raise extract.fault(f"holds {extract[column].dtype}, wanted codes", column)
        given = {name: self._translated(extract, column, name) for name, column in columns.items()}
        kept, dropped = _with_codes(extract, list(columns.values()), drop=drop or self.drop_unknown)
        for name, words in given.items():
            bad = words.bad(name)
            if not bad.codes:
                continue
            self._require_droppable(extract, columns[name], name, bad, drop=drop or self.drop_unknown)
            strange = kept[columns[name]].is_in(bad.theirs.implode()).fill_null(value=False)
            if strange.any():
                dropped[_STRANGE[name].format(n=len(bad.codes), codes=named(bad.codes))] = int(strange.sum())
                kept = kept.keep(~strange)
        if dropped and kept.frame.is_empty() and not drop:
            raise extract.fault(f"no row is left without the {' and '.join(dropped)}: mend [[symbols]] in the mapping")
        good = {name: words.good(name) for name, words in given.items()}
        codes = {name: words.coded(kept, columns[name]) for name, words in good.items()}
        age = good["symbol"].ages(kept[columns["symbol"]]) if "symbol" in good else None
        return Read(kept, codes, dropped, age)

    def _translated(self, extract: Extract, column: str, name: str) -> _Words:
        old = extract[column].unique().drop_nulls()
        patterns = self.indices if name == "index" and self.indices else self.patterns
        memo = _memo(patterns)
        text = old.cast(pl.String).to_list()
        made = [memo.get(code) or memo.setdefault(code, ours(code, patterns)) for code in text]
        if name != "symbol" or not self.renames:
            return _Words(old, made, made, [0] * len(made))
        named = [theirs if theirs in self.renames else code for theirs, code in zip(text, made, strict=True)]
        self.met.update(code for code in named if code in self.renames)
        chains = [chain(code, self.renames) for code in named]
        return _Words(old, named, [codes[-1] for codes in chains], [len(codes) - 1 for codes in chains])

    def _require_droppable(self, extract: Extract, column: str, name: str, bad: _Words, *, drop: bool) -> None:
        misspelt = [code for code in bad.codes if name == "symbol" and other_form_of(code)]
        if drop and not misspelt:
            return
        code = min(misspelt or bad.codes)
        pattern = "add a pattern to [[symbols]] in the mapping"
        leave = "leave it out, or say drop_unknown = true in the mapping, which drops and counts such rows"
        remedy = pattern if misspelt else leave if _FORM.fullmatch(code) else f"{pattern}, {leave}"
        more = f"; {len(bad.codes)} {_WORDS[name]} in all" if len(bad.codes) > 1 else ""
        is_what = what_is(code) if name == "symbol" else "no code of an index such as 000300.SH"
        at = (extract[column] == bad.theirs[bad.codes.index(code)]).arg_max()
        raise extract.fault(f"{code!r} is {is_what}{more}: {remedy}", column, at)


@dataclass(frozen=True)
class _Words:
    """Each code of a column once: `theirs` in the column's type; ours, `before` a change and after; its `age`."""

    theirs: pl.Series
    before: list[str]
    codes: list[str]
    age: list[int]

    def good(self, name: str) -> _Words:
        return self._where([_CHECKS[name](code) for code in self.codes])

    def bad(self, name: str) -> _Words:
        return self._where([not _CHECKS[name](code) for code in self.codes])

    def _where(self, mask: list[bool]) -> _Words:
        wanted = [number for number, one in enumerate(mask) if one]
        theirs = self.theirs.filter(pl.Series(mask, dtype=pl.Boolean))
        before, codes = ([of[n] for n in wanted] for of in (self.before, self.codes))
        return _Words(theirs, before, codes, [self.age[n] for n in wanted])

    def coded(self, extract: Extract, column: str) -> pl.Series:
        """The codes of all rows as ours."""
        seen: dict[tuple[str, str], str] = {}
        for theirs, before, code in zip(self.theirs.cast(pl.String), self.before, self.codes, strict=True):
            if (before, code) in seen:
                both = " and ".join(sorted((seen[before, code], theirs)))
                change = "; if it is one company's that changed, say so in [[renames]]"
                raise extract.fault(f"two codes become one: {both} → {code}{change}", column)
            seen[before, code] = theirs
        new = pl.Series(self.codes, dtype=pl.String)
        return extract[column].replace_strict(self.theirs, new, return_dtype=pl.Enum(sorted(set(self.codes))))

    def ages(self, column: pl.Series) -> pl.Series | None:
        """The age of each row's code; None where all are 0."""
        if not any(self.age):
            return None
        return column.replace_strict(self.theirs, pl.Series(self.age, dtype=pl.Int8), return_dtype=pl.Int8)


def _with_codes(extract: Extract, columns: Sequence[str], *, drop: bool) -> tuple[Extract, dict[str, int]]:
    """The rows that have a code in each of `columns`; others are dropped and counted, or refused."""
    dropped = {}
    for column in columns:
        without = extract[column].is_null()
        if without.any() and not drop:
            raise extract.fault("there is no code", column, without.arg_max())
        if without.any():
            dropped[_NO_CODE.format(column=column)] = int(without.sum())
            extract = extract.keep(~without)
    return extract, dropped


def _is_index(code: str) -> bool:
    """Six digits and an exchange, and not a stock's: 000905.SZ is one, 000905.SH an index."""
    return _FORM.fullmatch(code) is not None and find_board(code) is None


def _is_stock(code: str) -> bool:
    return find_board(code) is not None


_CHECKS = {"symbol": _is_stock, "index": _is_index}

_WORDS = {"symbol": "symbols that are no A-shares", "index": "codes that are no indices"}


@lru_cache(maxsize=2)
def _memo(patterns: tuple[Pattern, ...]) -> dict[str, str]:
    """Codes of the mapping at hand and ours, since each comes in many tables."""
    return {}
