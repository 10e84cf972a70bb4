"""From a market and a recipe to what training reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.kind import Kind, resolve
from deepfactor.core.spec import content_key
from deepfactor.features.base import Features, FeatureSettings
from deepfactor.labels.base import LabelSettings
from deepfactor.panel.returns import tradeable_at_entry
from deepfactor.pipeline.markets import Market
from deepfactor.recipe import FEATURES, LABELS, Recipe
from deepfactor.training.data import TrainingData, prepare_data


@dataclass(frozen=True)
class Inputs:
    """Training arrays on disk and what they are made of: `inputs` and `label` as they enter the keys of jobs (without
    what is at its default), `whole_label` with all settings, for readers."""

    folder: Path
    inputs: dict[str, Any]
    label: dict[str, Any]
    whole_label: dict[str, Any]
    reach: int


def prepare_inputs(
    recipe: Recipe,
    market: Market,
    jobs: Path,
    *,
    features: Kind | None = None,
    allow_code: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Inputs:
    """The training arrays of a recipe under `jobs`, made once a market and setting.

    `features` instead of the recipe's: arms may read different ones. `tell` is told of damaged ones made again.
    """
    chosen = features or recipe.features
    module, feature_settings = resolve(FEATURES, chosen, key="features", allow_code=allow_code)
    label, label_settings = resolve(LABELS, recipe.label, key="label", allow_code=allow_code)
    assert isinstance(feature_settings, FeatureSettings)
    assert isinstance(label_settings, LabelSettings)
    inputs = {
        "features": content_of(chosen, feature_settings.identity()),
        "universe": recipe.universe.identity(),
    }
    target = content_of(recipe.label, label_settings.identity())

    def build() -> TrainingData:
        panel, universe = market.panel, market.universe
        batch = universe.batch(recipe.universe)
        values: Features = module.compute(feature_settings, panel, universe)
        return TrainingData(
            dates=panel.dates,
            symbols=panel.symbols,
            features=values,
            label=label.compute(label_settings, panel, universe, batch),
            batch=batch,
            size=log_cap(market, label_settings.cap),
            entry_ok=tradeable_at_entry(panel, universe, label_settings.convention),
            window=feature_settings.window,
        )

    key = content_key({"market": market.folder.fingerprint, "inputs": inputs, "label": target})
    whole = content_of(recipe.label, label_settings.model_dump(mode="json"))
    return Inputs(prepare_data(jobs, key, build, tell), inputs, target, whole, label.reach(label_settings))


def log_cap(market: Market, cap: str) -> Float64:
    """Natural log of the market value (T, N); NaN where it isn't known."""
    value = market.panel.market_cap(cap).astype(np.float64)
    return np.log(value, where=value > 0, out=np.full(value.shape, np.nan))


def batch_of(recipe: Recipe, market: Market) -> Bools:
    """(T, N) who is scored: the universe `all`."""
    return market.universe.batch(recipe.universe)


def content_of(kind: Kind, settings: dict[str, Any]) -> dict[str, Any]:
    """A kind as it enters keys."""
    return {"kind": kind.kind, **settings}
