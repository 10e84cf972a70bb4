"""The page's tables as an Excel workbook: a sheet a table, typed cells, the same numbers as the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import xlsxwriter

from deepfactor.core.words import Text, chinese
from deepfactor.report.press.formats import finite
from deepfactor.report.press.tables import NOT_SAME_SHORT, Cell, Table, defined

HEADER_ROW = 5
"""Row (from 1) of the English heads; the Chinese follow in the next, the numbers below."""

_FORMATS = {
    "ic": "0.000",
    "signed_ic": "+0.000;-0.000;0.000",
    "ratio": "0.00",
    "signed": "+0.00;-0.00;0.00",
    "share": "0.0%",
    "signed_percent": "+0.00%;-0.00%;0.00%",
    "signed_points": "+0.000%;-0.000%;0.000%",
    "small_share": "0.0000%",
    "correlation": "0.0000",
    "percent": "0.00%",
    "turnover": '0.0"×"',
    "count": "#,##0",
    "seconds": "#,##0.0",
    "loss": "0.0000",
    "plain": "General",
}
PUBLISHED = Text("printed by the study", "研报公布值")
_LONGEST = 31  # characters of a sheet's name
# Excel wants a day of making; a clock would give other bytes for the same content.
_MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def workbook(title: str, notes: Sequence[str], source: str, tables: Sequence[Table]) -> bytes:
    """The file ``report.xlsx``: contents, a sheet a table, definitions; heads in both languages.

    `notes` stand under the title; `source` under the title and on each sheet.
    """
    memory = BytesIO()
    book = xlsxwriter.Workbook(memory, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": str(title), "author": "deepfactor", "created": _MADE})
    styles = _Styles(book)
    names = sheet_names(tables)
    _contents(book, styles, (title, source, *notes), tables, names)
    for table, name in zip(tables, names, strict=True):
        _sheet(book.add_worksheet(name), styles, table, source)
    _definitions(book.add_worksheet("definitions"), styles, tables)
    book.close()
    return memory.getvalue()


def sheet_names(tables: Sequence[Table]) -> list[str]:
    """A sheet's name a table: its id, cut to what Excel takes, each once."""
    names: list[str] = []
    for table in tables:
        name = "".join(c if c not in "[]:*?/\\'" else "_" for c in table.id)[:_LONGEST]
        k = 2
        while name.lower() in {one.lower() for one in names} | {"contents", "definitions"}:
            name = f"{table.id[: _LONGEST - 3]}_{k}"
            k += 1
        names.append(name)
    return names


class _Styles:
    """The formats of one workbook, made once."""

    def __init__(self, book: Any) -> None:
        self.title = book.add_format({"bold": True, "font_size": 13})
        self.note = book.add_format({"font_color": "#5b6673"})
        self.head = book.add_format({"bold": True, "bottom": 0, "text_wrap": True, "valign": "bottom"})
        self.head_zh = book.add_format({"bold": True, "bottom": 1, "font_color": "#5b6673", "text_wrap": True})
        self.grey = {k: book.add_format({"num_format": v, "font_color": "#8a949f"}) for k, v in _FORMATS.items()}
        self.number = {k: book.add_format({"num_format": v}) for k, v in _FORMATS.items()}
        self.link = book.add_format({"font_color": "#1d4e89", "underline": 1})


def _sheet(sheet: Any, styles: _Styles, table: Table, source: str) -> None:
    sheet.write_string(0, 0, _both(table.title), styles.title)
    sheet.write_string(1, 0, _both(table.note), styles.note)
    sheet.write_string(2, 0, _both(source), styles.note)
    top, column = HEADER_ROW - 1, 0
    for k, metric in enumerate(table.columns):
        cells = [row[k] for row in table.rows]
        _head(sheet, styles, top, column, metric.label, metric.unit)
        width = max([_width(metric.label), *(_width(cell.text) for cell in cells[:200])])
        sheet.set_column(column, column, min(max(10, width + 2), 48))
        for i, cell in enumerate(cells):
            _cell(sheet, styles, top + 2 + i, column, cell)
        column += 1
        if any(cell.published is not None for cell in cells):
            _head(sheet, styles, top, column, PUBLISHED, NOT_SAME_SHORT)
            sheet.set_column(column, column, 14)
            for i, cell in enumerate(cells):
                if cell.published is not None:
                    sheet.write_number(top + 2 + i, column, cell.published, styles.grey[cell.style])
            column += 1
    sheet.freeze_panes(top + 2, 1)
    sheet.autofilter(top + 1, 0, top + 1 + len(table.rows), column - 1)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top, top + 1)


def _head(sheet: Any, styles: _Styles, top: int, column: int, label: str, unit: str) -> None:
    def text(word: object, of: object) -> str:
        return f"{word} ({of})" if of else str(word)

    sheet.write_string(top, column, text(str(label), str(unit)), styles.head)
    sheet.write_string(top + 1, column, text(chinese(label), chinese(unit)), styles.head_zh)


def _cell(sheet: Any, styles: _Styles, row: int, column: int, cell: Cell) -> None:
    value = finite(cell.value) if cell.numeric else None
    if value is not None:
        sheet.write_number(row, column, value, styles.number[cell.style])
    elif not cell.numeric:
        sheet.write_string(row, column, str(cell.value))


def _contents(book: Any, styles: _Styles, said: Sequence[str], tables: Sequence[Table], names: Sequence[str]) -> None:
    sheet = book.add_worksheet("contents")
    sheet.write_string(0, 0, str(said[0]), styles.title)
    for k, note in enumerate(said[1:], start=1):
        sheet.write_string(k, 0, _both(note), styles.note)
    for k, (table, name) in enumerate(zip(tables, names, strict=True)):
        sheet.write_url(HEADER_ROW + k, 0, f"internal:'{name}'!A1", styles.link, name)
        sheet.write_string(HEADER_ROW + k, 1, str(table.title))
        sheet.write_string(HEADER_ROW + k, 2, str(chinese(table.title)))
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 2, 48)


def _definitions(sheet: Any, styles: _Styles, tables: Sequence[Table]) -> None:
    for k, metric in enumerate(defined(tables)):
        shown = (metric.label, chinese(metric.label), metric.unit, metric.definition, chinese(metric.definition))
        for column, word in enumerate(shown):
            sheet.write_string(k, column, str(word), styles.head if column == 0 else None)
    sheet.set_column(0, 2, 24)
    sheet.set_column(3, 4, 90)


def _both(text: str) -> str:
    return f"{text}  {text.zh}" if isinstance(text, Text) and text.zh != text else str(text)


def _width(text: str) -> int:
    """Characters that a text takes; a Chinese one takes two."""
    return max(len(str(text)), 2 * len(text.zh) if isinstance(text, Text) else 0)
