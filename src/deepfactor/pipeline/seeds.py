"""An arm's seeds, each alone under the constraints of a portfolio: how far one fit's luck moves the excess."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepfactor.backtest.records import SeedRecord, SeedsFile, SummaryFile
from deepfactor.core.files import write_json
from deepfactor.pipeline.backtests import follow, followed
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.placebo import ground_of
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.results import read_json
from deepfactor.styles.base import StyleSet

FILE = "seeds.json"


def follow_seeds(
    place: Path, portfolio: Portfolio, kind: StyleSet, seeds: Sequence[ScoresOf], ground: Ground, console: Console
) -> None:
    """Follow each of `seeds` as the portfolio in the folder `place` was followed, with the style set `kind`; writes
    ``seeds.json`` beside its summary."""
    summary: SummaryFile = read_json(place / "summary.json")
    preset = load_constraints(portfolio)
    styles, risk = ground.sets.of(kind).exposures, ground.risk(kind, [preset], console)
    on = ground_of(ground.market, styles, portfolio, ground.eligible, summary, risk)
    what = f"seeds of {seeds[0].arm} on {portfolio.index}"
    found: list[SeedRecord] = []
    for one in seeds:
        assert one.seed is not None
        found.append({"seed": one.seed, **followed(follow(on, ground.read(one).values), preset)})
        console.progress(what, len(found), len(seeds), portfolio.constraints)
    console.finish(what)
    known = [one["excess"] for one in found if one["excess"] is not None]
    content: SeedsFile = {
        "ensemble": summary["all"]["excess"],
        "mean": float(np.mean(known)) if known else None,
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "seeds": found,
    }
    write_json(place / FILE, content)
