"""English and Chinese: every word in both, one shown at a time, the results' own words where they are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.core.words import Text, joined
from deepfactor.report.page import page_of, render
from deepfactor.report.press.drawing import Figure
from deepfactor.report.press.words import attribute, words
from support.bilingual import written_texts

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"
HAN = re.compile(r"[一-鿿]")


def pairs():
    """English and Chinese of every text in the code, in the templates and of the columns' heads."""
    for metric in words().metrics.values():
        yield from ((metric.key, part, part.zh) for part in (metric.label, metric.unit, metric.definition))
    yield from written_texts()


@pytest.mark.slow
def test_both_languages_have_the_same_words_and_places():
    found = list(pairs())
    assert len(found) > 700
    for where, english, chinese in found:
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", chinese)), where
        assert bool(english) == bool(chinese), where
        assert not HAN.search(english), where


def test_a_text_fills_and_joins_in_both_languages():
    text = Text("{n} arms on {index}", "{index}上的{n}个模型").filled(n=2, index=words().universe("000905.SH"))
    assert text == "2 arms on CSI 500"
    assert text.zh == "中证500上的2个模型"
    assert joined(" · ", [text, 3]).zh == "中证500上的2个模型 · 3"
    assert Text("x").__html__() == "x"
    assert Text("a<b", "甲<乙").__html__() == (
        '<span class="en">a&lt;b</span><span class="zh" lang="zh-CN">甲&lt;乙</span>'
    )
    assert attribute("title", Text('a"b', "甲")) == 'title="a&#34;b" data-zh-title="甲"'


def test_words_of_the_results_are_translated_where_they_are_known():
    assert words().term("limit_up").zh == "涨停"
    assert words().term("some_new_reason") == "some new reason"
    said = words().sentence("index_members: 47 symbols have no row in daily: they are in no panel (47 rows)")
    assert said.zh == "指数成分：47个代码没有日行情，未进入面板（47行）"
    assert "风格因子贝塔缺失" in words().sentence("style BETA of barra_cne5 is absent: the market has no turnover").zh
    assert words().sentence("a sentence that nobody foresaw").zh == "a sentence that nobody foresaw"


@pytest.mark.slow
def test_the_language_shown_first_is_a_choice(content):
    assert '<html lang="en">' in render(content)
    assert '<html lang="zh-CN">' in render(content, "zh")
    with pytest.raises(RecipeError, match="en, zh"):
        render(content, "de")


def test_headings_heads_and_figures_carry_chinese(content):
    page = page_of(content)
    for part in (*page.tables(), *page.all_figures()):
        assert isinstance(part.title, Text), part.id
        assert HAN.search(part.title.zh), part.id
    labels = {m.key: m.label for table in page.tables() for m in table.columns if m.definition}
    untranslated = {key for key, label in labels.items() if label.zh == label}
    assert untranslated <= {"ic", "icir", "cpu_s"}
    for figure in page.all_figures():
        for axis in ("xaxis", "yaxis"):
            title = figure.spec["layout"][axis].get("title", {}).get("text", "")
            assert isinstance(title, Text) or title in ("", "RankIC"), figure.id


def test_a_figure_says_where_its_words_stand():
    spec = {"data": [{"name": Text("loss", "损失")}, {"name": "gru"}], "layout": {"t": {"text": Text("a", "甲")}}}
    assert Figure("f", "F", spec).places() == [
        (["data", 0, "name"], "loss", "损失"),
        (["layout", "t", "text"], "a", "甲"),
    ]


@pytest.mark.slow
def test_the_glossary_says_what_the_page_says():
    text = GLOSSARY.read_text(encoding="utf-8").split("## Words of the code")[0]  # behind it: the code's
    glossary = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", text, re.MULTILINE))
    heads = {"English": "中文", "name": "中文", "---": "---"}
    terms = words().terms
    said = {(m.label, m.label.zh) for m in words().metrics.values()} | {(en, zh) for _, en, zh in written_texts()}
    said |= {(term, term.zh) for term in terms.values()} | {(key, term.zh) for key, term in terms.items()}
    wrong = {key: value for key, value in glossary.items() if key not in heads and (key, value) not in said}
    assert not wrong
    assert len(glossary) > 90
