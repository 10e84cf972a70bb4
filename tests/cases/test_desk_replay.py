"""The desk is the backtest one evening at a time: its targets and its books, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfactor.backtest.signals import Knowledge
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import StyleSets, open_market
from deepfactor.portfolio.presets import load_preset
from support.portfolio import random_scores
from support.replay import Scene, replay

INDEX = "000905.SH"


@pytest.mark.parametrize(
    ("preset", "signal"),
    [
        ("study_b", "week_end"),
        pytest.param("study_a_all_market", "week_end", marks=pytest.mark.slow),
        pytest.param("study_b", "daily", marks=pytest.mark.slow),
    ],
)
def test_evenings_one_at_a_time_are_the_backtest(small_market: Path, tmp_path: Path, preset: str, signal: str) -> None:
    market, enhancement = open_market(small_market), load_preset(preset).model_copy(update={"signal": signal})
    panel, universe = market.panel, market.universe
    styles = StyleSets(market).of(enhancement.styles).exposures
    eligible = buyable(universe.traded, universe, enhancement)
    known = Knowledge(panel, universe, random_scores(panel, seed=3), styles, INDEX, eligible)
    scene = Scene.follow(known, enhancement, "2019-06-03", capital=3e7)
    assert replay(scene, tmp_path) > 70
