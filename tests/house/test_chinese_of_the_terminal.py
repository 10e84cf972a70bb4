"""All that the terminal says has its Chinese: of what results say beside it, of the rest in ``cli/chinese``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import typer

import deepfactor
from deepfactor.cli.helping import Verb, Verbs
from deepfactor.cli.language import catalogue, speaking
from deepfactor.cli.language import spoken as said
from deepfactor.cli.verbs import app
from deepfactor.report.press.sentences import sentences_of_files
from support.terminal_words import spoken

HAN = re.compile("[一-鿿]")
#: Said by what we are made with: click, pydantic, the system.
LIBRARIES = catalogue()["libraries"]
OURS = {
    form: zh for room, pairs in catalogue().items() if room not in ("help", "libraries") for form, zh in pairs.items()
}
#: Of columns, and kinds of weights.
HEADS = {"universe", "days", "win", "factor", "index", "year", "tracking error", "correlation", "replica", "published"}
#: A word of its own, between a bar and a clock.
ALONE = {"left", *HEADS}


def shape(form: str) -> str:
    """Without the names of its places."""
    return re.sub(r"\{\w+\}", "{}", form)


@cache
def forms() -> dict[str, str]:
    """All that the terminal can say, and where. Read off all files, so not while tests are collected."""
    return {form: place for place, form in spoken()}


@cache
def beside() -> set[str]:
    """The shapes of what is said in results, too, with its Chinese beside it."""
    return {shape(form) for form, _ in sentences_of_files(Path(deepfactor.__file__).parent)}


def helps() -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    for one in (command, *command.commands.values()):
        yield one.help
        yield from (param.help for param in one.params if param.help)


def places(text: str) -> set[str]:
    return {place for _, place, _, _ in Formatter().parse(text) if place is not None}


def test_what_the_terminal_says_has_its_chinese():
    """Add a line ``"form" = "中文"`` to the room's file in cli/chinese."""
    assert len(forms()) > 700
    known = {*OURS, *LIBRARIES, *catalogue()["help"]}
    assert {form: place for form, place in forms().items() if form not in known and shape(form) not in beside()} == {}


def test_nothing_is_translated_that_is_no_longer_said():
    assert set(OURS) - set(forms()) - ALONE == set()
    assert [form for form in OURS if shape(form) in beside()] == []


def test_every_help_has_its_chinese():
    wanted = {*helps(), "Show this message and exit."}
    assert len(wanted) > 120
    assert wanted ^ catalogue()["help"].keys() == set()


def test_every_verb_speaks_chinese():
    command: Any = typer.main.get_command(app)
    assert isinstance(command, Verbs)
    assert [name for name, verb in command.commands.items() if not isinstance(verb, Verb)] == []


def test_chinese_is_chinese_and_has_the_same_places():
    for form, zh in {**OURS, **LIBRARIES, **catalogue()["help"]}.items():
        assert HAN.search(zh) or re.search("[（：]|^{a}$", zh), form
        assert not HAN.search(form), form
        if form not in catalogue()["help"]:
            assert places(form) == places(zh) or form in LIBRARIES, form


@pytest.mark.parametrize("room", sorted(set(catalogue()) - {"help"}))
def test_the_terminal_finds_it(room):
    """By the form alone; where the words of two fit, the one that says more."""
    with speaking("zh"):
        for form, zh in catalogue()[room].items():
            filled = {place: f"«{place}»" for place in places(form)}
            assert said(form.format(**filled)) == zh.format(**filled), form
