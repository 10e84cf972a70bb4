"""The Chinese page is Chinese: of all that the verbs leave, no run of four English words is shown in it."""

from __future__ import annotations

import re

import pytest

from support.cli import deepfactor
from support.pages import Shown, english_in

#: Names and code that stand on the page as they are.
NAMES = ("relaxations.parquet", "training.json", "report.xlsx", "deepfactor run", "deepfactor report")
HAN = re.compile("[一-鿿]")


@pytest.fixture(scope="module")
def pages(main_job, small_market, tmp_path_factory) -> dict[str, str]:
    """A trained run's page, those of `test`, `enhance` and `compare`, the audit's and the list of runs."""
    out = tmp_path_factory.mktemp("pages")
    scores = main_job.run / "arms" / "gru_ic" / "scores.parquet"
    own = out / "own.toml"
    own.write_text('[[constraints]]\nkind = "capacity"\n[[constraints]]\nkind = "style_active_exposure"\n')
    verbs = (
        ("test", scores, "--market", small_market, "--out", out / "test", "--offsets"),
        ("enhance", scores, "--market", small_market, "--index", "000300.SH", "--constraints", "study_a", "--out",
         out / "enhance"),
        ("enhance", scores, "--market", small_market, "--index", "000905.SH", "--constraints", own, "--out",
         out / "own", "--capital", 3000),
        ("compare", main_job.run, out / "test", "--out", out / "compare"),
    )  # fmt: skip
    for verb in verbs:
        assert deepfactor(*verb, "--language", "zh").code == 0
    assert deepfactor("check", small_market, "--html", out / "audit.html", "--language", "zh").code == 0
    places = {name: out / name / "report.html" for name in ("test", "enhance", "own", "compare")}
    places |= {"audit": out / "audit.html", "run": main_job.run / "report.html", "runs": main_job.runs / "index.html"}
    return {name: path.read_text(encoding="utf-8") for name, path in places.items()}


@pytest.mark.parametrize("name", ["run", "test", "enhance", "own", "compare", "audit", "runs"])
def test_no_english_sentence_stands_on_the_chinese_page(pages, small_market, name):
    assert english_in(pages[name], (*NAMES, str(small_market))) == []


def test_the_reader_would_find_one():
    """What a switch hides is not shown, what it forgot is: in text, under the pointer and in figures."""
    page = """<html><body><p><span class="en">this is not shown here</span><span class="zh">中文</span></p>
    <p>a sentence nobody has translated</p><td title="why there is no number" data-zh-title="无数值"></td>
    <button title="this one was forgotten too"></button><dl translate="no"><dd>these are words of code</dd></dl>
    <script type="application/json">{"data":[{"name":"a line that is English"}],"layout":{"t":"one of both kinds"},
    "words":[[["layout","t"],"one of both kinds","两种"]]}</script></body></html>"""
    found = " ".join(english_in(page))
    for text in ("a sentence nobody has", "this one was forgotten", "a line that is English"):
        assert text in found
    for text in ("not shown here", "why there is no", "words of code", "one of both"):
        assert text not in found
    assert ("figure", "两种") in Shown(page).texts


@pytest.mark.slow
def test_a_page_has_both_languages(pages):
    for name, page in pages.items():
        assert any(HAN.search(text) for _, text in Shown(page).texts), name
        assert [text for _, text in Shown(page, "en").texts if HAN.search(text)] == ["中文"], name
