"""Recipes: read, run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import deepfactor.recipe as recipes
from deepfactor.face.results import RunResult
from deepfactor.pipeline import experiment
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.terminal import terminal
from deepfactor.recipe import Recipe


def load_recipe(source: str | Path, *changes: str) -> Recipe:
    """A shipped recipe by name, or a TOML; `changes` as `--set` has them.

    Raises
    ------
    RecipeError
        names the key.

    Examples
    --------
    >>> load_recipe("study_b", "fit.epochs=2").fit.epochs
    2
    """
    return recipes.load_recipe(str(source), changes)


def run(
    recipe: Recipe | str | Path,
    market: Market,
    out: str | Path = "runs",
    *,
    only: Sequence[str] = (),
    workers: int = 1,
    device: str = "cpu",
) -> RunResult:
    """Train, score, test, enhance, report, as `deepfactor run`: what is done is not made again.

    Raises
    ------
    RecipeError
        names the key.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = experiment.run(chosen, market, Path(out), only=only, workers=workers, device=device, console=terminal())
    return RunResult(folder.path)
