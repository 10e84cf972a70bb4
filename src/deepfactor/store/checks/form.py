"""The form of any table: columns and types, nulls, codes, keys, order of dates."""

from __future__ import annotations

import re

import polars as pl

from deepfactor.core.words import Sentence, Text
from deepfactor.market.boards import find_board
from deepfactor.market.codes import what_is
from deepfactor.store.checks.finding import Finding, rows_where
from deepfactor.store.schema import SYMBOL_PATTERN, TableSchema

_FORM = re.compile(SYMBOL_PATTERN)
_MISSING = Sentence("column {column} is missing; the table has {columns}", "缺少列{column}；表中有{columns}")
_ONE_OF = Sentence(
    "one of the columns {group} is needed; the table has {columns}", "需要{group}中的一列；表中有{columns}"
)
_UNKNOWN = Sentence("unknown column {column}; known are {columns}", "未知的列{column}；已知的列为{columns}")
_TYPE = Sentence("holds {held}, wanted {wanted}", "列的类型为{held}，应为{wanted}")
_EMPTY = Sentence("no rows: leave the table out or mend its file", "表为空：请去掉该表或修正其文件")
_NULL = Sentence("is null, but names a row", "键列缺失：该列标识一行，不能为空")
_NO_NUMBER = Sentence("NaN or infinite: missing is null", "NaN或无穷大：缺失应为空值")
_CODE = Sentence(
    "a code is six digits and an exchange, as in 600000.SH: mend the symbol patterns",
    "代码应为六位数字加交易所，如600000.SH：请修正代码的模式",
)
_FOREIGN = Sentence(
    "{n} symbols are no A-shares ({shown}): leave them out at the source",
    "{n}个代码不是A股（{shown}）：请在数据源中去掉",
)
_TWICE = Sentence("the key ({key}) is there twice: {example}", "同一键（{key}）重复出现：{example}")
_BACKWARDS = Sentence(
    "{column} runs backwards within {key}: sort the file", "{column}在同一{key}内未按升序排列：请将文件排序"
)
_BACKWARDS_IN_TABLE = Sentence(
    "{column} runs backwards within the table: sort the file", "{column}未按升序排列：请将文件排序"
)


def check_form(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    """Columns there and of a fitting type, at least one row."""
    out = []
    for column in table.required():
        if column not in frame.columns:
            message = _MISSING.filled(column=column, columns=", ".join(frame.columns))
            out.append(Finding("error", "missing_column", name, column, 1, message))
    for group in table.one_of:
        if not any(column in frame.columns for column in group):
            message = _ONE_OF.filled(group=", ".join(group), columns=", ".join(frame.columns))
            out.append(Finding("error", "missing_column", name, group[0], 1, message))
    for column, dtype in frame.schema.items():
        if column not in table.columns:
            message = _UNKNOWN.filled(column=column, columns=", ".join(table.columns))
            out.append(Finding("error", "unknown_column", name, column, 1, message))
        elif not _fits(dtype, table.columns[column].dtype):
            message = _TYPE.filled(held=dtype, wanted=table.columns[column].dtype)
            out.append(Finding("error", "column_type", name, column, frame.height, message))
    if frame.is_empty():
        out.append(Finding("error", "empty_table", name, None, 0, _EMPTY))
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
            out += rows_where("error", "null", name, column, frame, value.is_null(), _NULL)
        if frame.schema[column].is_float():
            bad = value.is_nan() | value.is_infinite()
            out += rows_where("error", "not_a_number", name, column, frame, bad, _NO_NUMBER)
    for column in ("symbol", "index"):
        if column in frame.columns:
            out += _check_symbols(name, column, frame)
    if out or strictly_ascending(frame, [column for column in table.order if column in frame.columns]):
        return out  # as stored: each series' dates ascend, no key comes twice
    return [*_check_duplicates(name, table, frame), *_check_order(name, table, frame)]


def _check_symbols(name: str, column: str, frame: pl.DataFrame) -> list[Finding]:
    """Six digits and an exchange; a symbol is an A-share's, or no panel can hold it."""
    codes = frame[column].unique().drop_nulls().cast(pl.String).sort().to_list()
    wrong = [code for code in codes if not _FORM.fullmatch(code)]
    kind, message = "symbol_form", Text(_CODE, _CODE.zh)
    if column == "symbol" and not wrong:
        wrong = [code for code in codes if find_board(code) is None]
        shown = "; ".join(f"{code}: {what_is(code)}" for code in wrong[:3])
        kind, message = "foreign_code", _FOREIGN.filled(n=len(wrong), shown=shown)
    if not wrong:
        return []
    bad = pl.col(column).cast(pl.String).is_in(wrong)
    return rows_where("error", kind, name, column, frame, bad, message)


def _check_duplicates(name: str, table: TableSchema, frame: pl.DataFrame) -> list[Finding]:
    key = [column for column in table.key if column in frame.columns]
    numbered = frame.select(key).with_row_index("row").sort([*reversed(key), "row"])
    same = pl.all_horizontal(pl.col(column).eq_missing(pl.col(column).shift(1)) for column in key)
    rows = numbered.filter(same & (pl.int_range(pl.len()) > 0)).sort("row")
    if rows.is_empty():
        return []
    examples = tuple(" ".join(map(str, row)) for row in rows.select(key).head(5).rows())
    message = _TWICE.filled(key=", ".join(key), example=examples[0])
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
    message = _BACKWARDS.filled(column=column, key=" and ".join(others))
    if not others:
        message = _BACKWARDS_IN_TABLE.filled(column=column)
    return rows_where("error", "unsorted", name, column, frame, falls.over(others) if others else falls, message)
