"""What shipped mappings say of their markets, in every report, and titles of shipped recipes have their Chinese."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import deepfactor
from deepfactor.report.press.words import words

HAN = re.compile("[一-鿿]")
SOURCES = Path(deepfactor.__file__).parent / "sources"
FILES = [file for room in ("mappings", "lakes") for file in sorted((SOURCES / room).glob("*.toml"))]
NOTES = [note for file in FILES for note in tomllib.loads(file.read_text(encoding="utf-8")).get("notes", ())]


@pytest.mark.parametrize("note", NOTES)
def test_a_note_has_its_chinese(note):
    assert HAN.search(words().sentence_or_term(note).zh)


def test_a_title_of_a_shipped_recipe_has_its_chinese():
    files = sorted((Path(deepfactor.__file__).parent / "recipes").glob("*.toml"))
    titles = [tomllib.loads(file.read_text(encoding="utf-8"))["title"] for file in files]
    assert len(titles) > 5
    assert [title for title in titles if not HAN.search(words().sentence(title).zh)] == []
