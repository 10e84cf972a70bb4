"""The workbook, read back by another program, holds the numbers of the JSON."""

from __future__ import annotations

from io import BytesIO

import openpyxl
import pytest

from deepfactor.report.page import page_of, render_workbook, report_json
from deepfactor.report.press.workbook import HEADER_ROW, sheet_names


@pytest.fixture(scope="module")
def book(content):
    return openpyxl.load_workbook(BytesIO(render_workbook(content)))


def test_every_number_of_the_json_is_in_its_sheet(content, book):
    tables = page_of(content).tables()
    records = report_json(content)["tables"]
    compared = 0
    for table, name in zip(tables, sheet_names(tables), strict=True):
        sheet = book[name]
        for i, record in enumerate(records[table.id]):
            given = [cell.value for cell in sheet[HEADER_ROW + 2 + i]]
            column = 0
            for metric in table.columns:
                wanted = record[metric.key]
                # Excel keeps sixteen digits.
                wanted = pytest.approx(wanted, rel=1e-14) if isinstance(wanted, float) else wanted
                assert given[column] == wanted, (name, metric.key)
                column += 1
                if any(f"{metric.key}_published" in one for one in records[table.id]):
                    assert given[column] == record.get(f"{metric.key}_published")
                    column += 1
                compared += 1
        assert sheet.max_row == HEADER_ROW + 1 + len(table.rows)
    assert compared > 900


def test_cells_are_typed_heads_frozen_sources_named(book):
    sheet = book["headline_portfolio"]
    assert sheet.freeze_panes == f"B{HEADER_ROW + 2}"
    assert sheet.cell(HEADER_ROW, 4).value == "Net excess (% a year)"
    assert sheet.cell(HEADER_ROW + 1, 4).value == "费后超额 (每年)"
    first = sheet.cell(HEADER_ROW + 2, 4)
    assert first.data_type == "n"
    assert first.number_format == "+0.00%;-0.00%;0.00%"
    assert "simulated" in sheet["A3"].value
    assert book.sheetnames[0] == "contents"
    assert book["contents"].cell(HEADER_ROW + 1, 1).hyperlink.location == "'returns'!A1"


def test_text_never_becomes_a_formula(make_content):
    content = make_content(warnings=(), correlation={"=1+1": {"=1+1": 1.0}})
    sheet = openpyxl.load_workbook(BytesIO(render_workbook(content)))["model_correlation"]
    cell = sheet.cell(HEADER_ROW + 2, 1)
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_same_content_same_bytes(content):
    assert render_workbook(content) == render_workbook(content)
