"""Each portfolio beside each other one on the same index under the same constraints: daily excess, paired."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.pipeline.pairs import paired_portfolios
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.pipeline.stages.portfolio import followed_of
from deepfactor.runs.done import Outcome
from deepfactor.runs.results import read_frame

NAME, GROUP = "paired_portfolio", "portfolios"
MANY = Sentence("tables of paired portfolios", "组合配对表")
READS = ("portfolio",)
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One, over all portfolios that were followed."""
    file = work.folder.path / "paired_portfolios.json"
    made = {
        (portfolio.index, Path(portfolio.constraints).stem, arm): (
            work.folder.portfolio(arm, portfolio.index, portfolio.constraints),
            record.key,
        )
        for portfolio, arm, record in followed_of(work)
    }
    if len(made) > 1:
        places = {name: place for name, (place, _) in made.items()}
        reads = {"portfolios": [[*name, key] for name, (_, key) in made.items()]}
        yield Unit("all portfolios", file, reads, [file], partial(_pair, places, file))


def _pair(places: dict[tuple[str, str, str], Path], file: Path) -> Outcome:
    curves = {name: read_frame(place / "nav.parquet") for name, place in places.items()}
    write_json(file, paired_portfolios(curves))
    return Outcome()
