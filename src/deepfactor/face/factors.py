"""Factors: read from what people hold, tested, made into portfolios, combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from deepfactor.backtest.placebo import usual_draws
from deepfactor.core.errors import DataError
from deepfactor.core.kind import recipe_error
from deepfactor.evaluation.combination import CombinationSettings, combine_factors
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.face.frames import as_file
from deepfactor.face.results import EnhanceResult, Scratch, TestResult
from deepfactor.pipeline import factor as factors
from deepfactor.pipeline.factor import Factor
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.terminal import terminal
from deepfactor.recipe import Portfolio
from deepfactor.runs.factors import Reading
from deepfactor.runs.failures import read_failures
from deepfactor.runs.layout import RunFolder


def read_factor(
    source: Any, market: Market, *, name: str | None = None, arm: str | None = None, **reading: Any
) -> Factor:
    """A factor from a file, a run's folder or a frame, aligned with a market; what became of its rows is said.

    Parameters
    ----------
    source : a path; or a pandas or polars frame: long (date, symbol, a score) with or without an index, or wide (a row
        a day, a column a stock)
    name : of a frame's factor
    arm : of a run's folder
    reading : `date_format`, `partial`, see `deepfactor.runs.factors.Reading`

    Raises
    ------
    DataError
        it can't be read as a factor of this market; names row and column.

    Examples
    --------
    >>> import polars as pl
    >>> close = market.panel["close"]
    >>> rows = [(str(d), s, -float(x)) for t, d in enumerate(market.panel.dates[:30]) for s, x in
    ...         zip(market.panel.symbols, close[t]) if x == x]
    >>> factor = read_factor(pl.DataFrame(rows, schema=["date", "symbol", "score"], orient="row"), market, name="cheap")
    >>> factor.scores.name
    'cheap'
    """
    if isinstance(source, Factor):
        return source
    how = Reading(**reading)
    if isinstance(source, str | Path):
        read = factors.open_factor(Path(source), market, arm, how)
    else:
        with as_file(source, name or "factor") as place:
            read = factors.open_factor(place, market, None, how)
    console = terminal()
    for line in read.rows.lines():
        console.say(line)
    return read


def test_factor(factor: Any, market: Market, out: str | Path | None = None, **settings: Any) -> TestResult:
    """Test a factor, as `deepfactor test`: the same files in `out`.

    Parameters
    ----------
    factor : as `read_factor` takes it
    out : folder of the results; None = one that goes with the result
    settings : those of `deepfactor.evaluation.factor_test.TestSettings`: `universes`, `horizons`, `preset`, `start` …

    Raises
    ------
    RecipeError
        a setting is wrong; names it.
    """
    try:
        asked = TestSettings.model_validate(settings)
    except ValidationError as error:
        raise recipe_error(error, "test") from None
    if "universes" not in settings:
        asked = factors.with_known_universes(asked, market)
    read = read_factor(factor, market)
    folder, kept = _place(out)
    factors.test(read, market, folder, asked, terminal())
    return TestResult(folder, kept, read.scores.name)


test_factor.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


def enhance(
    factor: Any,
    market: Market,
    index: str,
    out: str | Path | None = None,
    *,
    what_if: Sequence[str] = (),
    placebo: int | None = None,
    workers: int = 1,
    **settings: Any,
) -> EnhanceResult:
    """Enhance an index with a factor, as `deepfactor enhance`: the same files in `out`.

    `settings` are those of `deepfactor.recipe.Portfolio`: `constraints` (a set's name or a TOML), `capital`, `start`,
    `end`. `what_if`, `placebo` (random scores followed beside it; 0 = none) and `workers` are the command's, `factor`
    and `out` those of `test_factor`.

    Raises
    ------
    RecipeError
        a setting is wrong; names it.
    DataError
        the portfolio failed; says why.
    """
    given = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
    try:
        portfolio = Portfolio.model_validate({"index": index, "constraints": "study_b", **given})
    except ValidationError as error:
        raise recipe_error(error, "enhance") from None
    read = read_factor(factor, market)
    folder, kept = _place(out)
    draws = usual_draws() if placebo is None else placebo
    made = factors.enhance(read, market, folder, portfolio, terminal(), what_if, placebo=draws, workers=workers)
    run = RunFolder(folder)
    if made.summary is None:
        raise DataError("; ".join(f"{one.what}: {one.message}" for one in read_failures(run)))
    place = run.portfolio(read.scores.name, made.summary["index"], portfolio.constraints)
    return EnhanceResult(folder, kept, place)


def _place(out: str | Path | None) -> tuple[Path, Scratch | None]:
    if out is not None:
        return Path(out), None
    kept = Scratch()
    return kept.path / "results", kept


def combine(factors: Mapping[str, Any], market: Market, *, name: str = "combination", **settings: Any) -> Factor:
    """One factor out of several, as `deepfactor combine`, for `test_factor` and `enhance` to take.

    Parameters
    ----------
    factors : name → what `read_factor` takes; their order matters where they are made orthogonal
    settings : those of `deepfactor.evaluation.combination.CombinationSettings`: `method`, `horizon`, `window` …

    Raises
    ------
    RecipeError
        a setting is wrong; names it.
    DataError
        fewer than two factors, or no name that all of them score.
    """
    try:
        asked = CombinationSettings.model_validate(settings)
    except ValidationError as error:
        raise recipe_error(error, "combine") from None
    read = {key: read_factor(one, market, name=key) for key, one in factors.items()}
    made = combine_factors({key: one.scores for key, one in read.items()}, market.panel, asked, name)
    for reason, count in made.scores.dropped.items():
        if count:
            terminal().say(f"left out: {reason}: {count:,}")
    return Factor(made.scores, np.logical_and.reduce([one.eligible for one in read.values()]))
