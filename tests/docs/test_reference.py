"""The reference that is generated from the code: whole, and as much in Chinese as in English."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.portfolio.presets import Enhancement
from deepfactor.recipe import Recipe
from research import docs_chinese
from research.docs_files import FOLDERS, records
from research.docs_keys import ROOMS, Page, described, keys_of, toml
from research.docs_site import reference
from support.damage_scene import KINDS

HAN = re.compile("[一-鿿]")
ENGLISH, CHINESE = (reference(language) for language in ("en", "zh"))


def prose(page: str) -> list[str]:
    """Paragraphs and cells of a page, without what is code."""
    plain = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page, flags=re.DOTALL)
    return [cell.strip() for line in plain.splitlines() for cell in re.split(r"(?<!\\)\|", line) if cell.strip()]


def english_in(page: str) -> list[str]:
    """What of a Chinese page is English: four words that stand together."""
    return [text for text in prose(page) if re.search(r"([A-Za-z]+[,;:.]? +){3}[A-Za-z]+", text)]


def test_the_measure_finds_english_and_spares_names() -> None:
    assert english_in("| `a` | what a trade costs |") == ["what a trade costs"]
    assert english_in("| `a` | 《USE4 Methodology》的q |\n\n```text\nwhat it does not read\n```") == []


@pytest.mark.parametrize("name", sorted(ENGLISH))
def test_a_page_is_the_same_in_both_languages(name: str) -> None:
    """The same headings and rows; nothing in English is left in the Chinese one, nor Chinese in the English one."""
    one, other = ENGLISH[name], CHINESE[name]
    for form in (r"^#+ ", r"^\| `[^`]+`"):
        assert re.findall(form, one, re.MULTILINE) == re.findall(form, other, re.MULTILINE)
    assert english_in(other) == []
    assert [text for text in prose(one) if HAN.search(text)] == []


def test_every_text_has_its_chinese_and_no_chinese_is_stale() -> None:
    assert docs_chinese.catalogue().keys() == docs_chinese.READ  # by `reference`; a lack would have been an error
    assert [text for text, zh in docs_chinese.catalogue().items() if not HAN.search(zh)] == []


def test_a_text_stands_once_in_the_catalogue() -> None:
    parts = tomllib.loads(Path(docs_chinese.FILE).read_text(encoding="utf-8")).values()
    assert sum(map(len, parts)) == len(docs_chinese.catalogue())


def test_every_kind_and_every_key_is_there() -> None:
    for page, rooms in ROOMS.items():
        for room in rooms:
            for kind in kinds_in(f"deepfactor.{room}"):
                assert f"### `{kind}`" in ENGLISH[page]
                _, meanings = described(load_kind(f"deepfactor.{room}", kind).Settings)
                assert all(meanings.values())
    for spec, page in ((Recipe, "recipe"), (Enhancement, "constraints")):
        assert all(f"| `{name}` |" in ENGLISH[page] for name in spec.model_fields)


def test_defaults_are_read_by_a_recipe_as_they_are() -> None:
    """What the page shows as a default is TOML, and that default."""
    lines = [line for spec in (Recipe, Enhancement) for line in keys_of(spec, Page("recipe", "en"))]
    shown = {m[1]: m[2] for line in lines if (m := re.match(r"\| `(\w+)` \| [^|]*\| `([^`]+)` \|", line))}
    assert tomllib.loads(
        "\n".join(f"{name} = {shown[name]}" for name in ("features", "cash", "relax_order", "fill"))
    ) == {
        "features": {"kind": "price_volume"},
        "cash": 0.005,
        "relax_order": ["turnover", "style", "industry", "constituents", "stock"],
        "fill": "next_close",
    }
    assert any("| `{ rate = 0.00125 }`, else its defaults |" in line for line in lines)
    given = {"all": 20, "000300.SH": 5, "at": [1e8, 0.5, 3407], "on": True, "to": "z"}
    assert tomllib.loads(f"x = {toml(given)}") == {"x": given}


#: Where the scene of `support.damage_scene` has the folders of the page.
PLACES = {
    "A market": "market/",
    "Beside a market": "market",
    "A run": "RUN/",
    "A portfolio of a run": "RUN/portfolio/*/*/*/",
    "Runs and their jobs": "runs/",
    "The desk": "desk/",
}


def test_every_file_that_commands_leave_is_on_the_page() -> None:
    known = {f"{PLACES[folder]}{one.name}" for folder, files in FOLDERS.items() for one in files}
    left = {name for form in KINDS if "lock" not in form for name in names_of(form)}
    assert len(left) > 60
    assert {name for name in left if not any(fnmatch(name, pattern) for pattern in known)} == set()


def test_every_json_is_a_record_or_says_what_it_is() -> None:
    """Objects whose keys are known have a record; of the others the keys are names, and the page says of what."""
    without = {one.name for files in FOLDERS.values() for one in files if one.name.endswith(".json") and not one.record}
    assert {name.rpartition("/")[2] for name in without} == {
        "checksums.json",
        "constraints.json",
        "model_correlation.json",
        "report.json",
    }
    names = [record.__name__ for record in records()]
    assert len(names) == len(set(names)), "two records of one name would share a heading"


def names_of(form: str) -> set[str]:
    """Names that a regular expression of the scene stands for, one a choice."""
    ways = {form.replace(r"(runs/tiny|tested|enhanced)", "RUN").replace(r"\.", ".")}
    while choices := [way for way in ways if "(" in way]:
        for way in choices:
            ways.remove(way)
            inner = re.search(r"\(([^()]*)\)", way)
            assert inner is not None
            ways |= {way.replace(inner[0], one, 1) for one in inner[1].split("|")}
    return {re.sub(r"\[[^\]]*\]\+|\\w\+|\\d\+|\\d", "x", way) for way in ways}
