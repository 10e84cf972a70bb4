"""Hundreds of bad inputs: none is a fault of ours, none is taken for what it isn't. A family is a few lines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.pipeline import planning
from deepfactor.training.estimate import Estimate
from support.bars import bars
from support.cli import Ended, deepfactor
from support.factors import handmade_market, reversal
from support.fuzz import Case, judge
from support.fuzz import constraints as constraints_
from support.fuzz import factors as factors_
from support.fuzz import mappings as mappings_
from support.fuzz import options as options_
from support.fuzz import queries as queries_
from support.fuzz import recipes as recipes_
from support.shared import made_once

#: One case in so many is among the fast tests.
ONE_IN = 12
PARTS = (pytest.param(True, id="one in twelve"), pytest.param(False, id="the rest", marks=pytest.mark.slow))
Chosen = Callable[[int], bool]


def wrong(cases: Iterable[Case], chosen: Chosen = lambda number: True) -> tuple[list[str], int]:
    """What is wrong with any of the chosen cases, and how many there are in all."""
    found, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for count, case in enumerate(cases, start=1):
            if not chosen(count):
                continue
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
    frame = bars(n=620, start=date(2018, 1, 2))
    handmade_market(folder, frame)
    reversal(frame).filter(pl.col("date") >= date(2020, 1, 2)).write_parquet(folder / "f.parquet")
    where = ("--market", folder / "M", "--out", folder / "tested")
    assert deepfactor("test", folder / "f.parquet", *where, "--universe", "all", "--horizon", 5).code == 0


@pytest.fixture
def recipes(market, monkeypatch) -> recipes_.Ground:
    """What is accepted isn't measured: a recipe that should have been refused ends with 0 all the same."""
    nothing = Estimate(arms={}, arm_seconds={}, workers=0, cpu_seconds=0.0, wall_seconds=0.0, memory=0, disk=0)
    monkeypatch.setattr(planning, "estimate", lambda *_, **__: nothing)
    return recipes_.Ground.of(market)


def none_wrong(cases: Iterable[Case], fast: bool) -> None:
    """Of the fast part of a family, or of the rest; together they are the whole."""
    found, count = wrong(cases, lambda number: (number % ONE_IN == 1) == fast)
    assert count > 10
    assert not found, "\n".join(found)


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", recipes_.FAMILIES)
def test_recipes(family, fast, recipes):
    none_wrong(family(recipes), fast)


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", constraints_.FAMILIES)
def test_constraints(family, fast, market):
    none_wrong(family(constraints_.Ground(market, market.parent / "f.parquet")), fast)


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", factors_.FAMILIES)
def test_factor_files(family, fast, market):
    none_wrong(family(factors_.Ground.of(market, market.parent / "f.parquet")), fast)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory) -> mappings_.Ground:
    return mappings_.Ground.make(_folder(tmp_path_factory, "fuzz_vendor"))


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder with room beside it."""
    folder = factory.mktemp(name) / "vendor"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", mappings_.FAMILIES)
def test_mappings(family, fast, vendor):
    none_wrong(family(vendor), fast)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> queries_.Ground:
    return queries_.Ground.make(_folder(tmp_path_factory, "fuzz_database"))


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", queries_.FAMILIES)
def test_queries(family, fast, database):
    none_wrong(family(database), fast)


@pytest.mark.parametrize("fast", PARTS)
@pytest.mark.parametrize("family", options_.FAMILIES)
def test_options(family, fast, market):
    none_wrong(family(options_.Ground(market, market.parent / "f.parquet", market.parent / "tested")), fast)


# does it bite?

ENDS = {
    "taken": (Ended(0, "", ""), None, "accepted"),
    "a fault": (Ended(1, "", "Traceback\ndeepfactor: a fault of ours"), None, "a fault of ours"),
    "without a word": (Ended(2, "", ""), None, "refused without a word"),
    "refused": (Ended(2, "", "deepfactor: no"), lambda *_: True, "refused, where it means something"),
    "something else": (Ended(0, "", ""), lambda *_: False, "taken for something else"),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_wrong_ending_is_seen(case, tmp_path):
    ended, same, verdict = ENDS[case]
    assert verdict in (judge(Case("f", "n", lambda _: ended, same), tmp_path) or "")


def test_right_endings_and_an_error_that_gets_past(tmp_path):
    assert judge(Case("f", "n", lambda _: Ended(2, "", "deepfactor: no")), tmp_path) is None
    assert judge(Case("f", "n", lambda _: Ended(0, "", ""), lambda *_: True), tmp_path) is None
    assert "ZeroDivisionError" in (judge(Case("f", "n", lambda _: Ended(1 // 0, "", "")), tmp_path) or "")


@pytest.mark.slow
def test_planted_acceptances_are_found(recipes, monkeypatch):
    monkeypatch.setattr(planning, "_check_stocks", lambda *_: None)
    monkeypatch.setattr(planning, "_check_portfolios", lambda *_: None)
    found, _ = wrong(case for case in recipes_.beyond(recipes) if "min_stocks" in case.name)
    assert found == ["beyond: fit.min_stocks = 1000: accepted"]
    found, _ = wrong(case for case in recipes_.days(recipes) if "portfolios.0" in case.name)
    assert {"days: portfolios.0.start = 20210104: accepted", "days: portfolios.0.end = 20191231: accepted"} == set(
        found
    )


def test_there_are_hundreds(recipes, market, vendor, database):
    grounds = (recipes, constraints_.Ground(market, market), options_.Ground(market, market, market), vendor, database)
    modules = (recipes_, constraints_, options_, mappings_, queries_)
    names = [
        (module.__name__, case.family, case.name)
        for module, ground in zip(modules, grounds, strict=True)
        for family in module.FAMILIES
        for case in family(ground)
    ]
    assert len(names) > 1500
    assert len(set(names)) > 0.98 * len(names), "each says what it is"
