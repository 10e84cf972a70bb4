"""`demo --desk`: ten evenings, their fills in part, one account carried on to a cent, the last evening's page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.cli import deepfactor


@pytest.mark.slow
def test_ten_evenings_end_on_a_page_and_the_books_balance(tmp_path: Path) -> None:
    made = deepfactor("demo", "--desk", "--out", tmp_path / "demo", "--json").json()
    assert len(made["evenings"]) == 10
    assert 0 < made["unfilled"] < made["orders"]
    assert Path(made["page"]).name == f"{made['evenings'][-1]}.html"
    assert "To trade" in Path(made["page"]).read_text()
    desk = tmp_path / "demo" / "desk"
    assert len((desk / "csi500" / "rebalances" / "releases.jsonl").read_text().splitlines()) == 10
    evenings = sorted((json.loads(file.read_text()) for file in desk.glob("csi500/evenings/*/reconcile.json")),
                      key=lambda one: one["date"])  # fmt: skip
    cash = made["value"][0]
    for one in evenings:
        cash += one["sold"] - one["bought"] - one["cost"] + one["dividends"]
        assert one["cash"] == pytest.approx(cash, abs=0.011)
        cash = one["cash"]
    assert made["value"][1] == pytest.approx(evenings[-1]["value"], abs=0.01)
    assert len({one["date"] for one in evenings}) == 10
