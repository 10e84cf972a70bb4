"""Chinese pages stay in step with the English ones: the same headings, the same code, the same tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
CHINESE = sorted(DOCS.rglob("*.zh.md"))
HAN = re.compile("[一-鿿]")
#: Of tutorials and how-tos, those that a reader has in English alone, and why.
ENGLISH_ALONE = {
    "how-to/study-a-charts.md": "a list of the study's charts",
    "how-to/study-b-charts.md": "a list of the study's charts",
}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, flags=re.DOTALL | re.MULTILINE)


def code_of(block: str) -> str:
    """Without comments, which may be Chinese, and the language of a page."""
    lines = (re.sub(r"\s+#.*|^#.*| --language zh", "", line).rstrip() for line in block.splitlines())
    return "\n".join(line for line in lines if line)


def structure(text: str) -> list[str]:
    """Levels of headings and rows of tables, in their order."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"^(#+(?= )|\|)", plain, flags=re.MULTILINE)


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_is_as_its_english_one(page: Path) -> None:
    english = page.with_name(page.name.replace(".zh.md", ".md"))
    one, other = english.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    assert structure(one) == structure(other)
    assert [code_of(block) for block in blocks(one)] == [code_of(block) for block in blocks(other)]
    assert HAN.search(other)


def test_every_tutorial_and_how_to_has_its_chinese() -> None:
    pages = [*DOCS.glob("how-to/*.md"), *DOCS.glob("tutorials/*.md")]
    lacking = {
        page.relative_to(DOCS).as_posix()
        for page in pages
        if not page.name.endswith(".zh.md") and not page.with_name(page.stem + ".zh.md").is_file()
    }
    assert lacking == ENGLISH_ALONE.keys()


def test_every_page_stands_in_the_site() -> None:
    """`mkdocs.yml` names each page; what is Chinese is found beside it."""
    listed = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if not page.name.endswith(".zh.md")}
    assert {page for page in pages if page not in listed} == set()
