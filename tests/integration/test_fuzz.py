"""Hundreds of bad inputs: none is a fault of ours, none is taken for what it isn't. A family is a few lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from deepfactor.pipeline import planning
from deepfactor.training.estimate import Estimate
from support.bars import bars
from support.factors import handmade_market
from support.fuzz import Case, judge
from support.fuzz import recipes as recipes_
from support.shared import made_once


def wrong(cases: Iterable[Case]) -> tuple[list[str], int]:
    """What is wrong with any of the cases, and how many there are."""
    found, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for count, case in enumerate(cases, start=1):
            place = Path(folder) / str(count)
            place.mkdir()
            if (verdict := judge(case, place)) is not None:
                found.append(verdict)
    return found, count


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Path:
    """Twelve stocks from 2018 to May 2020, all of them members of CSI 500."""
    folder = made_once(tmp_path_factory, "fuzz", _make)
    return folder / "M"


def _make(folder: Path) -> None:
    handmade_market(folder, bars(n=620, start=date(2018, 1, 2)))


@pytest.fixture
def recipes(market, monkeypatch) -> recipes_.Ground:
    """What is accepted isn't measured: a recipe that should have been refused ends with 0 all the same."""
    nothing = Estimate(arms={}, workers=0, cpu_seconds=0.0, wall_seconds=0.0, memory=0, disk=0)
    monkeypatch.setattr(planning, "estimate", lambda *_, **__: nothing)
    return recipes_.Ground.of(market)


@pytest.mark.parametrize("family", recipes_.FAMILIES)
def test_recipes(family, recipes):
    found, count = wrong(family(recipes))
    assert count > 10
    assert not found, "\n".join(found)
