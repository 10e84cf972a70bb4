"""A random market as training sees it, small enough to fit a network in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfactor.core.kind import Kind
from deepfactor.features import price_volume
from deepfactor.features.base import Features
from deepfactor.inputs.day_features import DayFeatures
from deepfactor.labels import neutral_return
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import tradeable_at_entry
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData, prepare_data
from deepfactor.training.jobs import Job, plan_jobs
from deepfactor.training.plan import Fold
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stored import StoredInputs
from support.toy import weekdays

NAMES = ("open", "high", "low", "close", "vwap", "volume")
REACH = 3
FOLD = Fold("toy", range(12, 40 - REACH), range(40, 55 - REACH), range(55, 70))
PLAN = Plan(first_test=2019)
TINY = Kind(kind="gru", hidden=4)  # type: ignore[call-arg]
FIT = Fit(epochs=3, seeds=(0, 42), min_stocks=5)


#: Of `training_of`.
RULE = UniverseRule(window=9, min_observed=5)
LABEL = neutral_return.Settings(horizon=3, min_industry=3)


def training_of(panel: Panel, universe: Universe) -> TrainingData:
    """What training is given, from a market that may end on any day."""
    eligible = universe.eligible(RULE)
    return TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=price_volume.compute(price_volume.Settings(window=RULE.window), panel, universe),
        label=neutral_return.compute(LABEL, panel, universe, eligible),
        eligible=eligible,
        size=np.log(panel.market_cap(LABEL.cap)),
        entry_ok=tradeable_at_entry(panel, universe, LABEL.convention),
        window=RULE.window,
    )


def toy_training(days: int = 80, stocks: int = 24, window: int = 9, seed: int = 0) -> TrainingData:
    """Random walks with gaps, late listings, splits of volume; the label is short-term reversal plus noise."""
    rng = np.random.default_rng(seed)
    shape = (days, stocks)
    close = 2 + rng.standard_normal(stocks) + np.cumsum(0.03 * rng.standard_normal(shape), axis=0)
    values = np.stack([close + 0.01 * rng.standard_normal(shape) for _ in NAMES], axis=-1)
    values[..., 3] = close
    values[..., 5] = 12 + rng.standard_normal(shape)
    first = np.where(rng.random(stocks) < 0.2, rng.integers(0, days // 2, stocks), 0)
    traded = (np.arange(days)[:, None] >= first) & (rng.random(shape) > 0.05)
    values[~traded] = np.nan
    label = np.full(shape, np.nan)
    label[3:-REACH] = -(close[3:-REACH] - close[: -3 - REACH]) + 0.02 * rng.standard_normal((days - 3 - REACH, stocks))
    observed = np.cumsum(traded, axis=0) >= 5
    size = np.where(rng.random(shape) < 0.01, np.nan, 20 + rng.standard_normal(stocks) + 0 * close)
    return TrainingData(
        dates=weekdays(days),
        symbols=np.array([f"{600000 + i}.SH" for i in range(stocks)]),
        features=Features(NAMES, (*("price",) * 5, "volume"), values.astype(np.float32)),
        label=np.where(traded, label, np.nan),
        eligible=traded & observed,
        size=size,
        entry_ok=rng.random(shape) > 0.03,
        window=window,
    )


def with_day_features(data: TrainingData, seed: int = 0) -> TrainingData:
    """With four features of the day at random, as codes of ranks, 0 = missing."""
    codes = np.random.default_rng(seed).integers(0, 256, (*data.label.shape, 4)).astype(np.uint8)
    held = DayFeatures(("a", "b", "c", "d"), codes)
    return replace(data, inputs=StoredInputs({"day_features": held}, {"day_features": {"kind": "toy"}}))


def toy_jobs(data: TrainingData, *models: Kind, fit: Fit = FIT, fold: Fold = FOLD, plan: Plan = PLAN) -> list[Job]:
    arms = [Arm(name=f"arm{i}", model=model) for i, model in enumerate(models or (TINY,))]
    return plan_jobs(data, arms, [fold], plan, fit, inputs={"toy": 1}, label={"toy": 1})


def stored(data: TrainingData, jobs: Path, key: str = "toy") -> Path:
    return prepare_data(jobs, key, lambda: data)


def until(data: TrainingData, t: int) -> TrainingData:
    """The data as of the close of row t: rows 0 … t."""
    rows = slice(0, t + 1)
    cut = {name: getattr(data, name)[rows] for name in ("dates", "label", "eligible", "size", "entry_ok")}
    return replace(data, features=replace(data.features, values=data.features.values[rows]), **cut)
