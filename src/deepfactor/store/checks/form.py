"""The form of any table: columns and types, nulls, codes, keys, order of dates."""

from __future__ import annotations

import re

import polars as pl

from deepfactor.market.boards import find_board
from deepfactor.market.codes import what_is
from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.schema import SYMBOL_PATTERN, TableSchema

_FORM = re.compile(SYMBOL_PATTERN)


def check_form(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    """Columns there and of a fitting type, at least one row."""
    out = []
    for column in table.required():
        if column not in frame.columns:
            message = f"column {column} is missing; the table has {', '.join(frame.columns)}"
            out.append(Finding("error", "missing_column", name, column, 1, message))
    for group in table.one_of:
        if not any(column in frame.columns for column in group):
            message = f"one of the columns {', '.join(group)} is needed; the table has {', '.join(frame.columns)}"
            out.append(Finding("error", "missing_column", name, group[0], 1, message))
    for column, dtype in frame.schema.items():
        if column not in table.columns:
            message = f"unknown column {column}; known are {', '.join(table.columns)}"
            out.append(Finding("error", "unknown_column", name, column, 1, message))
        elif not _fits(dtype, table.columns[column].dtype):
            message = f"holds {dtype}, wanted {table.columns[column].dtype}"
            out.append(Finding("error", "column_type", name, column, frame.height, message))
    if frame.is_empty():
        out.append(Finding("error", "empty_table", name, None, 0, "no rows: leave the table out or mend its file"))
    return out


def _fits(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a delivered type can be stored as the wanted one without loss of meaning."""
    if wanted == pl.String:
        return given in (pl.String, pl.Categorical, pl.Enum)
    return given.is_numeric() if wanted == pl.Float64 else given == wanted


def check_keys(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    """Nulls, infinities, symbol form, duplicate keys, order of dates."""
    out: list[Finding] = []
    for column, spec in table.columns.items():
        if column not in frame.columns:
            continue
        value = pl.col(column)
        if not spec.nullable and frame[column].null_count():
            out += rows_where("error", "null", name, column, frame, value.is_null(), "is null, but names a row")
        if frame.schema[column].is_float():
            bad = value.is_nan() | value.is_infinite()
            out += rows_where("error", "not_a_number", name, column, frame, bad, "NaN or infinite: missing is null")
    for column in ("symbol", "index"):
        if column in frame.columns:
            out += _check_symbols(name, column, frame)
    return out or [*_check_duplicates(name, table, frame), *_check_order(name, table, frame)]


def _check_symbols(name: str, column: str, frame: pl.DataFrame) -> list[Finding]:
    """Six digits and an exchange; a symbol is an A-share's, or no panel can hold it."""
    codes = frame[column].unique().drop_nulls().cast(pl.String).sort().to_list()
    wrong = [code for code in codes if not _FORM.fullmatch(code)]
    kind, message = "symbol_form", "a code is six digits and an exchange, as in 600000.SH: mend the symbol patterns"
    if column == "symbol" and not wrong:
        wrong = [code for code in codes if find_board(code) is None]
        shown = "; ".join(f"{code}: {what_is(code)}" for code in wrong[:3])
        kind, message = "foreign_code", f"{len(wrong)} symbols are no A-shares ({shown}): leave them out at the source"
    if not wrong:
        return []
    bad = pl.col(column).cast(pl.String).is_in(wrong)
    return rows_where("error", kind, name, column, frame, bad, message)


def _check_duplicates(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    key = [column for column in table.key if column in frame.columns]
    if strictly_ascending(frame, [column for column in table.order if column in key]):
        return []
    numbered = frame.select(key).with_row_index("row").sort([*reversed(key), "row"])
    same = pl.all_horizontal(pl.col(column).eq_missing(pl.col(column).shift(1)) for column in key)
    rows = numbered.filter(same & (pl.int_range(pl.len()) > 0)).sort("row")
    if rows.is_empty():
        return []
    examples = tuple(" ".join(map(str, row)) for row in rows.select(key).head(5).rows())
    message = f"the key ({', '.join(key)}) is there twice: {examples[0]}"
    return [Finding("error", "duplicate_key", name, key[-1], rows.height, message, int(rows["row"][0]) + 1, examples)]


def strictly_ascending(frame: pl.DataFrame, columns: list[str]) -> bool:
    """Whether each row comes after the one before by `columns`, the first counting most; not where one is null.

    Far cheaper than sorting, and most vendors' rows come so.
    """
    after = pl.lit(value=False)
    for column in reversed(columns):
        now, before = pl.col(column), pl.col(column).shift(1)
        after = (now > before) | ((now == before) & after)
    return not frame.select((~after.fill_null(value=False)).slice(1).any()).item()


def _check_order(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    """Dates must ascend within each symbol or index; whether the file is laid out by date or by symbol is free."""
    column = next((c for c in ("date", "start_date", "known_at") if c in table.key), None)
    if column is None or frame[column].is_sorted():
        return []
    # A publication of weights is one date of an index; elsewhere a series belongs to all the other parts of the key.
    others = ["index"] if name == "index_weights" else [c for c in table.key if c not in (column, "period_end")]
    falls = pl.col(column) < pl.col(column).shift(1)
    message = f"{column} runs backwards within {' and '.join(others) or 'the table'}: sort the file"
    return rows_where("error", "unsorted", name, column, frame, falls.over(others) if others else falls, message)
