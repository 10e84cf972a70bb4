"""One factor out of several: the verb `combine` for any factor files, and a recipe's combinations of its arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_json
from deepfactor.evaluation.combination import CombinationSettings, CombinedFactor, combine_factors
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.factor import Factor, factor_names, open_factor
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.places import require_outside
from deepfactor.recipe import Combination
from deepfactor.runs.factors import Reading, RowsRecord, write_scores
from deepfactor.runs.layout import RunFolder
from deepfactor.training.records import ModelCard, TrainingFile


class CombinationFile(TypedDict):
    """``combination.json``: settings, factors, days and scores, what was left out, mean weights (None without any day)
    over the span and by year."""

    method: str
    standard: NotRequired[str]
    index: NotRequired[str | None]
    horizon: int
    convention: str
    window: int
    min_days: int
    factors: list[str]
    days: int
    scores: int
    dropped: dict[str, int]
    weights: dict[str, float | None]
    weights_by_year: dict[str, dict[str, float | None]]


class Combined(CombinationFile):
    """The factor file that was written, and what became of each factor's rows."""

    out: str
    rows: dict[str, RowsRecord]


def combine(
    factors: Sequence[str],
    market: Market,
    out: Path,
    settings: CombinationSettings,
    console: Console | None = None,
    reading: Reading | None = None,
) -> Combined:
    """Combine factors into the factor file `out` (parquet); returns what was done, see `account`.

    Parameters
    ----------
    factors : files, a factor a column of scores, runs with one arm, or ``RUN:arm``; their order matters where they are
        made orthogonal.
    reading : how files are read, see `deepfactor.runs.factors.read_factor_rows`.

    Raises
    ------
    DataError
        a factor that can't be read, fewer than two, nothing that all of them score, or an `out` that isn't a new
        parquet file.
    """
    if out.suffix != ".parquet":
        raise DataError("a factor file is written as parquet: give --out a name that ends in .parquet", file=out)
    if out.is_dir() or any(out.resolve() == _place(text)[0].resolve() for text in factors):
        raise DataError("is a folder or one of the factors: give another --out", file=out)
    require_outside(out)
    places = [(path.resolve(), arm) for path, arm in map(_place, factors)]
    if twice := next((text for k, text in enumerate(factors) if places[k] in places[:k]), None):
        raise DataError(f"{twice} stands twice among the factors: nothing comes of it")
    console = console or Silent()
    opened = _named(
        [
            open_factor(path, market, arm, reading, name)
            for path, arm in map(_place, factors)
            for name in factor_names(path, market, arm, reading)
        ]
    )
    with step(console, f"combined {len(opened)} factors"):
        scores = {name: factor.scores for name, factor in opened.items()}
        members = None if settings.index is None else market.universe.member_mask(settings.index)
        combined = combine_factors(scores, market.panel, settings, out.stem, members)
        write_scores(out, combined.scores)
    rows = {name: factor.rows.to_json_dict() for name, factor in opened.items()}
    return {"out": str(out), **account(combined, settings), "rows": rows}


def account(combined: CombinedFactor, settings: CombinationSettings) -> CombinationFile:
    """Settings, factors, days and scores, what was left out, mean weights over the span and by year."""
    finite = np.isfinite(combined.scores.values)
    return {
        "method": settings.method,
        "standard": settings.standard,
        "index": settings.index,
        "horizon": settings.horizon,
        "convention": settings.convention,
        "window": settings.window,
        "min_days": settings.min_days,
        "factors": list(combined.names),
        "days": int(finite.any(axis=1).sum()),
        "scores": int(finite.sum()),
        "dropped": dict(combined.scores.dropped),
        "weights": combined.mean_weights(),
        "weights_by_year": combined.weights_by_year(),
    }


def combine_arms(folder: RunFolder, one: Combination, arms: Mapping[str, Scores], market: Market) -> tuple[Scores, str]:
    """A combination of the arms' ensembles and the hash of its rows; it leaves its files in an arm's folder of its own.

    Raises
    ------
    DataError
        it has no scores.
    """
    members = None if one.index is None else market.universe.member_mask(one.index)
    combined = combine_factors({name: arms[name] for name in one.of}, market.panel, one, one.name, members)
    if not len(combined.scores.scored_days()):
        raise DataError(
            f"combination {one.name} has no scores: {combined.scores.dropped['days_without_weights']} days without "
            "weights; take fewer min_days, or equal weights"
        )
    place, said = folder.arm(one.name), account(combined, one)
    content = write_scores(place / "scores.parquet", combined.scores)
    write_json(place / "combination.json", said)
    told = {"method", "standard"} if one.method == "equal" else set(CombinationSettings.model_fields)
    card: ModelCard = {
        "kind": "combination",
        "settings": {"of": list(one.of), **one.model_dump(mode="json", include=told)},
    }
    training: TrainingFile = {"jobs": [], "importance": said["weights"]}
    write_json(place / "model_card.json", card)
    write_json(place / "training.json", training)
    return combined.scores, content


def _place(text: str) -> tuple[Path, str | None]:
    """A factor's path, and the arm of ``RUN:arm``."""
    run, colon, arm = text.rpartition(":")
    return (Path(run), arm) if colon and not Path(text).exists() and Path(run).is_dir() else (Path(text), None)


def _named(factors: Sequence[Factor]) -> dict[str, Factor]:
    """By name; numbered where several have the same."""
    names = [factor.scores.name for factor in factors]
    numbered = [f"{name}#{k + 1}" if names.count(name) > 1 else name for k, name in enumerate(names)]
    return dict(zip(numbered, factors, strict=True))
