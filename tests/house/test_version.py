"""One version: the package's, which pyproject reads, is the newest heading of the CHANGELOG."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import deepfactor

ROOT = Path(__file__).parents[2]
HEADINGS = re.findall(r"^## (\d+)\.(\d+)\.(\d+) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
VERSIONS = [(int(major), int(minor), int(patch)) for major, minor, patch, _ in HEADINGS]


def test_the_version_is_the_newest_heading() -> None:
    assert deepfactor.__version__ == ".".join(map(str, VERSIONS[0]))


def test_pyproject_has_no_version_of_its_own() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in content["project"]["dynamic"]
    assert content["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "deepfactor.core.version.__version__"}


def test_headings_go_down_in_version_and_day() -> None:
    assert sorted(set(VERSIONS), reverse=True) == VERSIONS
    days = [date.fromisoformat(day) for *_, day in HEADINGS]
    assert sorted(days, reverse=True) == days
