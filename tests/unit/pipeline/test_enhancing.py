"""What a portfolio's constraint file says of names, fills and costs reaches the backtest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepfactor.pipeline import enhancing
from deepfactor.pipeline.console import Silent
from deepfactor.recipe import Portfolio
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
