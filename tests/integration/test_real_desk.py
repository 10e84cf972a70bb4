"""The desk's evenings on some weeks of the real market are the backtest's, bit for bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.signals import Knowledge
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import StyleSets, open_market
from deepfactor.portfolio.presets import load_preset
from deepfactor.sources.base import fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import write_market
from support.replay import Scene, replay

START, FIRST, END = date(2020, 12, 1), "2021-05-10", date(2021, 8, 13)


@pytest.mark.slow
def test_real_evenings_one_at_a_time_are_the_backtest(real_data: Path, tmp_path: Path) -> None:
    """May to August, when most dividends are paid."""
    source = open_source(Settings(mapping="ashare_parquet"), real_data)
    tables = {name: frame for name, frame in fetch_all(source, START, END) if name != "fundamentals"}
    write_market(tmp_path / "market", tables, source=source.describe())
    market, enhancement = open_market(tmp_path / "market"), load_preset("study_b")
    panel = market.panel
    scores = Scores("reversal_20", panel.dates, panel.symbols, -trailing_return(panel, 20))
    eligible = buyable(market.universe.eligible(UniverseRule(window=60, min_observed=40)), market.universe, enhancement)
    styles = StyleSets(market).of(enhancement.styles).exposures
    known = Knowledge(panel, market.universe, scores, styles, "000905.SH", eligible)
    scene = Scene.follow(known, enhancement, FIRST, capital=1e8)
    sold = scene.result.trades.shares[scene.result.trades.side == "sell"]
    assert np.any(sold != np.rint(sold)), "no ex-date left a fraction to be sold out"
    assert replay(scene, tmp_path) >= 13
