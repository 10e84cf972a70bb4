"""What every section of the report must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from deepfactor.report import page as pages
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.making import Lost, Maker
from deepfactor.report.page import Page, page_of, render, render_workbook, report_json
from deepfactor.report.press.blocks import Section
from deepfactor.report.press.html import PLOTLY, asset
from deepfactor.report.sections.base import SectionFile, sections
from support.pages import Shown, english_in
from support.run_content import build

HAN = re.compile("[一-鿿]")
FOUND = sections()
#: Names that stand on the page as they are.
NAMES = (
    "relaxations.parquet",
    "training.json",
    "report.xlsx",
    "GRU and DecompGRU, quick recipe",
    "patch, norm, gru, head",
)
NEW = """
from deepfactor.core.words import Text
from deepfactor.report.press.blocks import Said, Section, Sentences, Tables
from deepfactor.report.press.tables import Cell, label_cells, make as table
from deepfactor.report.press.words import Metric

ORDER = 65
DAYS = Metric("tested_days", Text("Tested days", "测试天数"), "", Text("Days with a score.", "有得分的天数。"))


def section(content, make):
    rows = [(*label_cells(arm.name), Cell(arm.ic_series.height, "count")) for arm in content.arms]
    made = table("tested", Text("Days", "天数"), ("arm", DAYS), rows)
    said = Sentences((Text("{n} arms.", "{n}个模型。").filled(n=len(rows)),), "tested_days")
    return Section(Text("Days tested", "测试的天数"), (said, Tables((made,))), link=Text("Days", "天数"))
"""


@pytest.fixture(scope="module")
def content() -> RunContent:
    return build()


@pytest.fixture(params=FOUND)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(name: str) -> SectionFile:
    return FOUND[name]


def bare() -> RunContent:
    """A run of which nothing is known but that it was tested."""
    arm = build().arms[0]
    nothing = ArmContent(arm.name, None, {}, {}, {}, arm.ic_series.clear())
    environment = {"market": {"simulated": False}}
    return build(arms=(nothing,), portfolios=(), oracle=None, correlation=None, environment=environment, recipe={})


def test_the_room_is_not_empty():
    assert {"summary", "warnings", "ic", "portfolios", "made-with"} <= set(FOUND)


def test_places_are_numbers_of_their_own():
    assert len({one.ORDER for one in FOUND.values()}) == len(FOUND)
    assert [one.ORDER for one in FOUND.values()] == sorted(one.ORDER for one in FOUND.values())


def test_it_is_made_of_a_run(file, name, content):
    assert list(inspect.signature(file.section).parameters) == ["content", "make"]
    made = file.section(content, Maker())
    assert isinstance(made, Section), name
    assert HAN.search(made.title.zh)
    assert not HAN.search(made.title)
    assert made.blocks
    assert made.link is None or made.link


def test_its_parts_have_names_of_their_own(file, content):
    made = file.section(content, Maker())
    ids = [part.id for part in (*made.tables(), *made.figures())]
    assert len(set(ids)) == len(ids)


def test_its_chinese_is_chinese_and_its_english_english(file, name, content):
    page = Page(content, {name: file.section(content, Maker())}, None)
    html = render(content, "zh", page).replace(str(asset(PLOTLY)), "")  # which takes seconds to read
    assert english_in(html, NAMES) == []
    assert [text for _, text in Shown(html, "en").texts if HAN.search(text)] == ["中文"]


def test_it_has_nothing_to_say_of_nothing_or_says_so(file):
    made = file.section(bare(), Maker())
    assert made is None or isinstance(made, Section)


@pytest.mark.slow
def test_it_can_be_lost_without_the_page(file, name, content, monkeypatch):
    def fault(content: RunContent, make: Maker) -> Section | None:
        raise ZeroDivisionError("planted")

    broken = SimpleNamespace(ORDER=file.ORDER, section=fault)
    monkeypatch.setattr(pages, "sections", lambda: {**FOUND, name: broken})
    lost: list[Lost] = []
    page = page_of(content, lost)
    assert [(one.part, str(one.error)) for one in lost] == [(name, "planted")]
    assert list(page.sections) == [other for other in page_of_all(content) if other != name]
    assert 'id="definitions"' in render(content, page=page)
    with pytest.raises(ZeroDivisionError):
        page_of(content)


def page_of_all(content: RunContent) -> list[str]:
    return [name for name, file in FOUND.items() if file.section(content, Maker()) is not None]


def test_a_new_file_is_a_new_section(content, tmp_path, monkeypatch):
    """On the page, in its contents, in the JSON and in the workbook; nothing else names it."""
    from deepfactor.report import sections as room

    (tmp_path / "days_tested.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    page = page_of(content)
    order = list(page.sections)
    assert order[order.index("ic") + 1] == "days-tested"
    html = render(content, page=page)
    for part in ('<section id="days-tested">', 'href="#days-tested"', "测试天数", 'id="tested"'):
        assert part in html
    given = json.loads(json.dumps(report_json(content, page)))
    assert [row["arm"] for row in given["tables"]["tested"]] == ["gru", "decomp_gru"]
    assert given["said"]["tested_days"] == ["2 arms."]
    assert len(render_workbook(content, page)) > len(render_workbook(content, replace(page, sections={})))
