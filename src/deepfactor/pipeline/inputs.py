"""From a market and a recipe to what training reads: arrays that all arms share, and inputs of single arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.spec import Spec, content_key
from deepfactor.features.base import FeatureSet
from deepfactor.inputs.base import FromMarket, Held, OfFeatures
from deepfactor.labels.base import Label
from deepfactor.panel.returns import tradeable_at_entry
from deepfactor.pipeline.markets import Market
from deepfactor.recipe import Recipe
from deepfactor.training.arms import Arm
from deepfactor.training.data import Arrays, TrainingData, features_kept, prepare_data
from deepfactor.training.stored import prepare_input


@dataclass(frozen=True)
class Inputs:
    """Training arrays on disk and what they are made of: `inputs` and `label` as they enter the keys of jobs (without
    what is at its default), `whole_label` with all settings, for readers."""

    folder: Path
    inputs: dict[str, object]
    label: dict[str, object]
    whole_label: dict[str, object]
    reach: int


def prepare_inputs(
    recipe: Recipe,
    market: Market,
    jobs: Path,
    *,
    features: FeatureSet | None = None,
    label: Label | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Inputs:
    """The training arrays of a recipe under `jobs`, made once a market and setting.

    `features` and `label` instead of the recipe's: arms may have their own. `tell` is told of damaged ones made again.
    """
    read, label = features or recipe.features, label or recipe.label
    inputs: dict[str, object] = {"features": read.identity(), "universe": recipe.universe.identity()}
    target = label.identity()
    made_of = _content(market, read)
    kept = features_kept(jobs, made_of)

    def build() -> TrainingData:
        panel, universe = market.panel, market.universe
        eligible = universe.eligible(recipe.universe)
        return TrainingData(
            dates=panel.dates,
            symbols=panel.symbols,
            features=read.part.compute(read.settings, panel, universe) if kept is None else kept[0],
            label=label.part.compute(label.settings, panel, universe, eligible),
            eligible=eligible,
            size=log_cap(market, label.settings.cap),
            entry_ok=tradeable_at_entry(panel, universe, label.settings.convention),
            window=read.settings.window,
        )

    key = content_key({"market": market.fingerprint, "inputs": inputs, "label": target})
    reach = label.part.reach(label.settings)
    same = None if kept is None else kept[1]
    folder = prepare_data(jobs, key, build, tell, features=made_of, same=same)
    return Inputs(folder, inputs, target, label.whole(), reach)


def prepare_arrays(
    recipe: Recipe, market: Market, arrays: Path, arm: Arm, tell: Callable[[str], None] = lambda _: None
) -> Arrays:
    """The training arrays in the folder `arrays`, with the inputs that `arm` reads, made once a market and setting.

    `tell` is told of damaged ones made again.

    Raises
    ------
    DataError
        the market can't give an input.
    """
    folders = {}
    for chosen in recipe.learnt_with(arm):
        if not (part := chosen.part).KEPT:
            continue
        build, same = partial(_prepare, part, chosen.settings, recipe, market), None
        if isinstance(part, OfFeatures):
            kept = features_kept(arrays.parent, _content(market, part.feature_set(chosen.settings)))
            if kept is not None:
                build, same = partial(part.of_features, chosen.settings, kept[0]), {"values": kept[1]}
        folders[chosen.kind] = prepare_input(arrays, chosen.kind, chosen.settings.identity(), build, tell, same=same)
    return Arrays(arrays, folders)


def _content(market: Market, features: FeatureSet) -> str:
    """Names the values of a set on a market."""
    return content_key({"market": market.fingerprint, "features": features.identity()})


def _prepare(part: FromMarket[Spec], settings: Spec, recipe: Recipe, market: Market) -> Held:
    return part.prepare(settings, market.panel, market.universe, batch_of(recipe, market))


def log_cap(market: Market, cap: str) -> Float64:
    """Natural log of the market value (T, N); NaN where it isn't known."""
    value = market.panel.market_cap(cap).astype(np.float64)
    return np.log(value, where=value > 0, out=np.full(value.shape, np.nan))


def batch_of(recipe: Recipe, market: Market) -> Bools:
    """(T, N) who is scored: the universe `all`."""
    return market.universe.eligible(recipe.universe)
