"""Recipes: read, run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import deepfactor.recipe as recipes
from deepfactor.face.results import RunResult
from deepfactor.pipeline import experiment
from deepfactor.pipeline.engines import engine_of
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
    workers: int | None = 1,
    device: str = "cpu",
    engine: str = "local",
    address: str | None = None,
) -> RunResult:
    """Train, score, test, enhance, report, as `deepfactor run`: what is done is not made again.

    `engine`: "local", or "ray" and the cluster's `address`, where `workers` None is as many jobs at once as fit.

    Raises
    ------
    RecipeError
        names the key.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    console = terminal()
    where = engine_of(engine, workers, address, console)
    folder = experiment.run(chosen, market, Path(out), only=only, workers=where, device=device, console=console)
    return RunResult(folder.path)
