"""Sentences that rooms leave in results, in English, have their Chinese where they are made, and the page finds it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import deepfactor
from deepfactor.core.words import Sentence
from deepfactor.report.press.sentences import sentences_of_files
from deepfactor.report.press.words import words

SOURCE = Path(deepfactor.__file__).parent
HAN = re.compile("[一-鿿]")
SENTENCES = dict(sentences_of_files(SOURCE))
#: Calls that make a finding, and where its message stands among their arguments.
MAKERS = {"Finding": 5, "rows_where": 6}
#: Letters without which a form would fit what others say.
LEAST = 4


def places(english: str) -> set[str]:
    return {place for _, place, _, _ in Formatter().parse(english) if place is not None}


def test_a_sentence_has_its_chinese():
    assert len(SENTENCES) > 120
    assert [one for one, chinese in SENTENCES.items() if HAN.search(one) or not HAN.search(chinese)] == []


def test_all_sentences_are_read_off_the_files_text():
    """In any file, as Python's own parser finds them."""
    parsed = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sentence":
                parsed.append(tuple(map(ast.literal_eval, node.args)))
    assert sorted(sentences_of_files(SOURCE)) == sorted(parsed)


def test_a_sentence_has_words_of_its_own_and_places_without_formats():
    for english in SENTENCES:
        parts = list(Formatter().parse(english))
        assert sum(len(re.findall("[A-Za-z]", literal)) for literal, *_ in parts) >= LEAST, english
        assert not any(spec for _, _, spec, _ in parts), english


def test_the_page_finds_the_chinese_of_what_a_room_says():
    for english, chinese in SENTENCES.items():
        filled = {place: "17" if place == "n" else f"«{place}»" for place in places(english)}
        said = Sentence(english, chinese).filled(**filled)
        assert words().sentence(str(said)).zh == said.zh, english


def messages() -> list[tuple[str, ast.expr]]:
    """Where, and the message, of every finding that is made."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                found.append((f"{path.name}:{node.lineno}", node.args[MAKERS[node.func.id]]))
    return found


@pytest.mark.slow
def test_a_finding_says_what_has_its_chinese():
    """By type a message is a `Text`; one of English alone quotes an error."""
    found = messages()
    assert len(found) > 70
    for where, message in found:
        if isinstance(message, ast.Call) and isinstance(message.func, ast.Name) and message.func.id == "Text":
            assert not isinstance(message.args[0], ast.Constant), where
        assert not isinstance(message, (ast.Constant, ast.JoinedStr)), where


def notes() -> list[tuple[str, ast.expr]]:
    """Where, and what, is written out among the notes of a source."""
    found = []
    for path in sorted((SOURCE / "sources").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                to = node.func.value.value if isinstance(node.func.value, ast.Subscript) else node.func.value
                name = to.attr if isinstance(to, ast.Attribute) else to.id if isinstance(to, ast.Name) else ""
                if name in ("notes", "_counted"):
                    found.append((f"{path.name}:{node.lineno}", node.args[0]))
    return found


def test_a_note_of_a_source_is_made_of_a_sentence():
    assert len(notes()) > 5
    """What is written out itself is at most the name of a table, behind which it stands."""
    for where, note in notes():
        parts = note.values if isinstance(note, ast.JoinedStr) else [note]
        written = [one.value for one in parts if isinstance(one, ast.Constant)]
        assert not any(re.search("[a-z] [a-z]", str(one)) for one in written), where
