"""Whether an answer can be believed; what isn't is asked for again, and never kept."""

from __future__ import annotations

import polars as pl

from deepfactor.core.errors import DataError, Unanswered
from deepfactor.lake.request import Ask, Passing


def require_columns(ask: Ask, columns: tuple[str, ...]) -> None:
    """A `DataError` where a column that is read is missing: names it and what came."""
    missing = [name for name in ask.expected.columns if name not in columns]
    if missing:
        raise DataError(
            f"{ask.request}: the answer lacks {', '.join(missing)}; it has {', '.join(columns) or 'no columns'}. The "
            "vendor's columns have changed: nothing of it was kept"
        )
    if len(set(columns)) < len(columns):
        raise DataError(f"{ask.request}: two columns of the answer have one name ({', '.join(columns)})")


def require_believable(ask: Ask, rows: pl.DataFrame) -> None:
    """`Passing` where rows are missing, double or not those that were asked for; says which."""
    expected, request = ask.expected, ask.request
    if rows.is_empty():
        if not (expected.empty or expected.gap):
            raise Late(f"{request}: no rows yet, where there must be some")
        return
    if rows.height < expected.least:
        raise Passing(f"{request}: {rows.height} rows, fewer than the {expected.least} that there must be")
    if expected.key and (double := rows.select(expected.key).is_duplicated()).any():
        row = rows.select(expected.key).row(int(double.arg_max() or 0))
        raise Passing(f"{request}: {int(double.sum())} rows come twice, as {' '.join(map(str, row))}")
    for column, (first, last) in expected.within.items():
        _require(request, column, rows[column], rows[column].is_between(pl.lit(first), pl.lit(last)))
    for column, values in expected.among.items():
        _require(request, column, rows[column], rows[column].is_in(list(values)))
    for column, values in expected.complete.items():
        if lacking := sorted(values - set(rows[column].to_list())):
            raise Passing(f"{request}: {len(lacking)} of {len(values)} {column} are missing, as {lacking[0]}")


class Late(Passing):
    """There is nothing yet; asking again at once is of no use."""


def too_late(ask: Ask) -> Unanswered:
    """The end of waiting for rows that must come."""
    return Unanswered(
        f"{ask.request}: the vendor has no rows where there must be some. It may not have them yet: nothing of it was "
        "kept, the same command asks again"
    )


def _require(request: object, column: str, values: pl.Series, good: pl.Series) -> None:
    wrong = ~good.fill_null(value=False)
    if wrong.any():
        value = values[int(wrong.arg_max() or 0)]
        raise Passing(f"{request}: {int(wrong.sum())} rows weren't asked for, as {column} {value}")
