"""Marks that are part of a name, such as the ST of ``*ST``, as a flag."""

from __future__ import annotations

import re
import unicodedata

import polars as pl


def matches(text: pl.Series, pattern: str) -> pl.Series:
    """Whether each text has a part that matches, as it is or with full-width characters half-width (null = null)."""
    names = text.cast(pl.String)
    different = names.unique().drop_nulls()
    if different.is_empty():
        return pl.Series(text.name, [None], dtype=pl.Boolean).new_from_index(0, len(text))
    matched = [any(re.search(pattern, form) for form in (name, _half_width(name))) for name in different]
    return names.replace_strict(different, pl.Series(matched, dtype=pl.Boolean), return_dtype=pl.Boolean)


def _half_width(name: str) -> str:
    """``＊ＳＴ 甲`` as ``*ST 甲``: compatibility forms composed (Unicode NFKC), spaces around it taken off."""
    return unicodedata.normalize("NFKC", name).strip()
