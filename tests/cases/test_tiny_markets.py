"""Training on a market of one stock, or of two: refused before it begins, with the fold, the days and the setting."""

from __future__ import annotations

from datetime import date

import pytest

from support.bars import CODES, DAILY, MEMBERSHIP, bars, write, write_membership
from support.cli import deepfactor, refused

RECIPE = """
name = "tiny"
title = "Too few stocks"
features = { kind = "price_volume", window = 30 }
universe = { window = 30, min_observed = 20 }
plan = { first_test = 2020, train_years = 1, every = 60, valid_every = 60 }
fit = { epochs = 1, seeds = [0] }
[test]
universes = ["all"]
groups = {}
other_groups = 0
[[arms]]
name = "gru"
model = { kind = "gru", hidden = 4 }
"""


@pytest.mark.parametrize("stocks", [1, 2])
def test_training_on_a_handful_of_stocks(stocks, tmp_path):
    frame = bars(CODES[:stocks], n=620, start=date(2018, 1, 2))
    mapping = write(tmp_path, frame, DAILY + MEMBERSHIP)
    write_membership(tmp_path, frame["date"].unique().sort().to_list(), dict.fromkeys(CODES[:stocks], 1 / stocks))
    made = deepfactor("ingest", mapping, tmp_path / "M", "--folder", tmp_path)
    assert made.code == 0, made.err
    (tmp_path / "recipe.toml").write_text(RECIPE)
    command = ("run", tmp_path / "recipe.toml", "--market", tmp_path / "M", "--out", tmp_path / "runs", "--workers", 0)
    refused(deepfactor(*command), "fit.min_stocks: 30: no training day of fold 2020", f"the most are {stocks}")
    fewer = deepfactor(*command, "--set", "fit.min_stocks=2")
    assert fewer.code == 2
    assert "Traceback" not in fewer.err
    assert "fold 2020" in fewer.err
    assert "fit.min_stocks" in fewer.err
    assert stocks == 1 or "no training day of 2018-01-02 to 2018-12-14 (every 60)" in fewer.err, "two have no residual"
    refused(deepfactor(*command, "--set", "test.min_names=5"), f"test.min_names: 5: the market has {stocks} stocks")
