"""Vendors' codes → ours; what is no A-share's (or no index's) is refused, or dropped and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from deepfactor.market.boards import find_board
from deepfactor.market.codes import other_form_of, strangers, what_is
from deepfactor.sources._files import Extract
from deepfactor.sources._mapping_parts import Pattern
from deepfactor.store.schema import SYMBOL_PATTERN

_FORM = re.compile(SYMBOL_PATTERN)


@dataclass(frozen=True)
class Read:
    """Codes that were read.

    Attributes
    ----------
    extract : the rows that are left
    codes : column of ours ("symbol", "index") = codes of those rows, as an `Enum` of the sorted codes (so that it sorts
        as text does)
    dropped : reason = rows
    """

    extract: Extract
    codes: Mapping[str, pl.Series]
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Codes:
    """How a mapping's codes become ours: by the first of `patterns` that matches, else as they are."""

    patterns: tuple[Pattern, ...] = ()
    drop_unknown: bool = False

    def read(self, extract: Extract, columns: Mapping[str, str], *, drop: bool = False) -> Read:
        """The codes in `columns` (ours = theirs) of the rows that have good ones.

        A symbol must be an A-share's, an index must not. Rows of others are dropped with `drop` or `drop_unknown`.

        Raises
        ------
        DataError
            a code that is neither dropped nor good, an A-share's code in a form that no pattern reads, or two codes
            that become one; names the row.
        """
        given = {name: self._translated(extract, column) for name, column in columns.items()}
        dropped, kept = {}, extract
        for name, words in given.items():
            bad = words.bad(name)
            if not bad.codes:
                continue
            self._require_droppable(extract, columns[name], name, bad, drop=drop or self.drop_unknown)
            strange = kept[columns[name]].is_in(bad.theirs.implode()).fill_null(value=False)
            if strange.any():
                dropped[f"rows of {len(bad.codes)} {strangers(bad.codes, _WORDS[name])}"] = int(strange.sum())
                kept = kept.keep(~strange)
        if dropped and kept.frame.is_empty() and not drop:
            raise extract.fault(f"no row is left without the {' and '.join(dropped)}: mend [[symbols]] in the mapping")
        codes = {name: _coded(kept, columns[name], words.good(name)) for name, words in given.items()}
        return Read(kept, codes, dropped)

    def _translated(self, extract: Extract, column: str) -> _Words:
        old = extract[column].unique().drop_nulls()
        memo = _memo(self.patterns)
        text = old.cast(pl.String).to_list()
        return _Words(old, [memo.get(code) or memo.setdefault(code, _ours(code, self.patterns)) for code in text])

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
    """Each code of a column once: `theirs` in the column's type, `codes` ours."""

    theirs: pl.Series
    codes: list[str]

    def good(self, name: str) -> _Words:
        return self._where([_CHECKS[name](code) for code in self.codes])

    def bad(self, name: str) -> _Words:
        return self._where([not _CHECKS[name](code) for code in self.codes])

    def _where(self, mask: list[bool]) -> _Words:
        codes = [code for code, wanted in zip(self.codes, mask, strict=True) if wanted]
        return _Words(self.theirs.filter(pl.Series(mask, dtype=pl.Boolean)), codes)


def _coded(extract: Extract, column: str, words: _Words) -> pl.Series:
    """The codes of all rows as ours."""
    seen: dict[str, str] = {}
    for theirs, ours in zip(words.theirs.cast(pl.String), words.codes, strict=True):
        if ours in seen:
            both = " and ".join(sorted((seen[ours], theirs)))
            raise extract.fault(f"two codes become one: {both} → {ours}", column)
        seen[ours] = theirs
    new = pl.Series(words.codes, dtype=pl.String)
    return extract[column].replace_strict(words.theirs, new, return_dtype=pl.Enum(sorted(words.codes)))


def _is_index(code: str) -> bool:
    """Six digits and an exchange, and not a stock's: 000905.SZ is one, 000905.SH an index."""
    return _FORM.fullmatch(code) is not None and find_board(code) is None


def _is_stock(code: str) -> bool:
    return find_board(code) is not None


_CHECKS = {"symbol": _is_stock, "index": _is_index}
_WORDS = {"symbol": "symbols that are no A-shares", "index": "codes that are no indices"}


@lru_cache(maxsize=1)
def _memo(patterns: tuple[Pattern, ...]) -> dict[str, str]:
    """Codes of the mapping at hand and ours, since each comes in many tables."""
    return {}


def _ours(code: str, patterns: Sequence[Pattern]) -> str:
    """Our form of a vendor's code."""
    return next((ours for ours in (pattern.apply(code) for pattern in patterns) if ours is not None), code)
