"""The reference of a mapping's keys: every key, in both languages, and the pages are what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deepfactor.core.spec import Spec
from deepfactor.sources._mapping import Mapping
from deepfactor.sources._mapping_chinese import CHINESE, HEADS
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._mapping_reference import PARTS, described, own_keys, reference
from support.cli import deepfactor

DOCS = Path(__file__).parents[2] / "docs"
HAN = re.compile("[一-鿿]")


@pytest.mark.parametrize("spec", PARTS, ids=lambda spec: spec.__name__)
def test_every_key_is_described_in_both_languages(spec: type[Spec]) -> None:
    said = described(spec)
    assert said.keys() == own_keys(spec).keys() == CHINESE[spec.__name__].keys()
    for key, text in said.items():
        assert len(text) > 4, key
        assert HAN.search(text.zh), key
        assert not HAN.search(text), key
    assert HAN.search(HEADS[spec.__name__].zh)


def test_every_part_of_a_mapping_is_there() -> None:
    """All specs that can be reached from a mapping."""
    found: set[type[Spec]] = set()
    rest: list[object] = [Mapping]
    while rest:
        one = rest.pop()
        if isinstance(one, type) and issubclass(one, Spec) and one not in found:
            found.add(one)
            rest += [field.annotation for field in one.model_fields.values()]
        rest += getattr(one, "__args__", ())
    assert found | {Origin} == set(PARTS)


@pytest.mark.parametrize(("language", "page"), [("en", "mapping-keys.md"), ("zh", "mapping-keys.zh.md")])
def test_the_pages_are_what_the_command_prints(language: str, page: str) -> None:
    printed = deepfactor("mapping", "keys", "--language", language)
    assert printed.code == 0, printed.err
    wanted = (DOCS / page).read_text(encoding="utf-8")
    assert reference(language) == wanted, f"deepfactor mapping keys --language {language} > docs/{page}"
    assert printed.out == wanted
