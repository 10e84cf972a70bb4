"""What a portfolio's constraint file says of names, fills and costs reaches the backtest."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepfactor.core.kind import Kind
from deepfactor.market.fees import Costs
from deepfactor.pipeline import enhancing
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.markets import StyleSets, absent_styles
from deepfactor.recipe import Portfolio
from deepfactor.styles.base import ROOM as STYLES
from support.portfolio import random_scores
from support.toy import toy_market


class Asked(Exception):
    """Carries what the backtest was asked for."""


@pytest.mark.parametrize(
    ("study", "st_may_be_bought", "fill", "rate"),
    [("study_a", True, "next_vwap", 0.0015), ("study_b", False, "next_close", 0.00125)],
)
def test_exclude_fill_and_cost_reach_the_backtest(monkeypatch, tmp_path: Path, study, st_may_be_bought, fill, rate):
    panel, universe = toy_market(40, 30, seed=2)
    universe.st[:, :3] = True
    everyone = np.ones(panel.shape, dtype=bool)

    def asked(*given: Any, eligible: np.ndarray, **more: Any) -> None:
        raise Asked(given[6], eligible)

    monkeypatch.setattr(enhancing, "run_backtest", asked)
    market = SimpleNamespace(panel=panel, universe=universe)
    portfolio = Portfolio(index="000905.SH", constraints=study, capital=2e7)
    with pytest.raises(Asked) as caught:
        enhancing.backtest_to(tmp_path, market, random_scores(panel), {}, portfolio, everyone, Silent())
    settings, eligible = caught.value.args
    assert (settings.capital, settings.fill, settings.costs.rate) == (2e7, fill, rate)
    assert eligible[:, :3].all() == st_may_be_bought
    assert eligible[:, 3:].sum() == (~universe.st[:, 3:]).sum() or st_may_be_bought
    assert everyone.all()


def test_a_portfolio_may_say_costs_haircut_and_styles_of_its_own(monkeypatch, tmp_path: Path):
    """They reach the backtest and the attribution, and stand in ``constraints.json``."""
    panel, universe = toy_market(40, 30, seed=2)
    seen: dict[str, Any] = {}

    def followed(*given: Any, **_: Any) -> None:
        seen["settings"] = given[6]

    def attributed(*given: Any) -> None:
        raise Asked(given[4])

    monkeypatch.setattr(enhancing, "run_backtest", followed)
    monkeypatch.setattr(enhancing, "attribute", attributed)
    market = SimpleNamespace(panel=panel, universe=universe)
    costs = Costs(kind="schedule", slippage=0.001)
    portfolio = Portfolio(index="000905.SH", costs=costs, haircut=0.6, styles=Kind(kind="study_a", cap="total"))
    with pytest.raises(Asked) as caught:
        enhancing.backtest_to(tmp_path, market, random_scores(panel), {}, portfolio, universe.traded, Silent())
    assert (seen["settings"].costs, seen["settings"].haircut, caught.value.args) == (costs, 0.6, (0.6,))
    resolved = json.loads((tmp_path / "constraints.json").read_text(encoding="utf-8"))
    assert resolved["costs"] == costs.model_dump(mode="json")
    assert (resolved["haircut"], resolved["styles"]) == (0.6, {"kind": "study_a", "cap": "total"})


def test_a_style_set_is_computed_once_and_says_what_is_absent():
    panel, universe = toy_market(70, 30, seed=2)
    sets = StyleSets(SimpleNamespace(panel=panel, universe=universe))
    found = sets.of(STYLES.choose("study_a"))
    assert sets.of(STYLES.choose("study_a")) is found
    assert sets.of(STYLES.choose(Kind(kind="study_a", cap="total"))) is not found
    assert [name for name, _ in sets.others(STYLES.choose("study_a"))] == ["barra_cne5", "basic"]
    assert dict(sets.others(STYLES.choose("basic")))["study_a"] is found
    warnings = absent_styles(STYLES.choose("study_a"), found)
    assert "style VALUE of study_a is absent: the market has no fundamentals" in warnings
