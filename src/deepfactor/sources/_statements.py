"""Whether a query of a mapping is one statement that reads; the server's own read-only transaction stands behind it.

The text is not parsed as its server would: what can't be told without doing so is refused.
"""

from __future__ import annotations

import re

from deepfactor.core.errors import DataError

#: The first word, behind parentheses and comments (not MySQL's ``/*! … */``, which is run).
_FIRST = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*(?!!).*?\*/)*(\w+)", re.DOTALL)
_READING = ("SELECT", "WITH", "VALUES", "TABLE")
#: Quotes, whose end is the same in every dialect where none of `_DIALECT` is in the query.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_DIALECT = ("\\", "--", "/*", "#", "`", "$", "[")


def require_one_select(query: str, label: str) -> None:
    """A `DataError` (`label` = the table) where `query` isn't one statement that begins as one that reads."""
    first = _FIRST.match(query)
    if first is None or first[1].upper() not in _READING or "/*!" in query:
        raise refusal(first[1].upper() if first else "nothing that reads", label)
    body = query.rstrip("; \t\r\n")
    if ";" in body and (any(mark in body for mark in _DIALECT) or ";" in _QUOTED.sub("", body)):
        raise refusal("several statements, or a semicolon in a comment or text", label)


def refusal(given: str, label: str) -> DataError:
    """The error for a query that is something else; `given` says what."""
    return DataError(
        f"the query must be one SELECT (or WITH … SELECT), given {given}: anything else needs --allow-code", table=label
    )
