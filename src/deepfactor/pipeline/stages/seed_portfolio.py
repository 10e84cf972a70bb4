"""Each seed's own scores under each portfolio's constraints: how far one fit's luck moves the excess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.backtest.records import SeedRecord, SeedsFile, SummaryFile
from deepfactor.core.arrays import Dates, Float64, Symbols
from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.pipeline.backtests import follow_many
from deepfactor.pipeline.placebo import ground_of
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.pipeline.stages.portfolio import followed_of
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.done import Outcome
from deepfactor.runs.factors import read_table
from deepfactor.runs.results import read_json

NAME, GROUP = "seed_portfolio", "portfolios"
MANY = Sentence("portfolios by seed", "各种子的组合")
READS = ("portfolio",)
NUMERICS = 1
FILE = "seeds.json"


def units(work: Work) -> Iterator[Unit]:
    """One a portfolio of an arm with more than one seed."""
    for portfolio, arm, record in followed_of(work):
        content = work.content(arm)
        seeds = {int(seed): one for seed, one in content.items() if seed.isdigit()}
        if len(seeds) > 1:
            file = work.folder.portfolio(arm, portfolio.index, portfolio.constraints) / FILE
            label = work.folder.portfolio_label(arm, portfolio.index, portfolio.constraints)
            reads: Mapping[str, object] = {"portfolio": record.key, "seeds": sorted(seeds.items())}
            yield Unit(label, file, reads, [file], partial(_follow, work, portfolio, arm, sorted(seeds)))


@dataclass(frozen=True)
class _Seed:
    """A seed's scores off its file, which was written whole; a worker is sent where they lie."""

    files: Mapping[int, Path]
    dates: Dates
    symbols: Symbols

    def __call__(self, seed: int) -> Float64:
        rows = read_table(self.files[seed])
        days, names = (rows[column].to_numpy() for column in ("date", "symbol"))
        values = np.full((len(self.dates), len(self.symbols)), np.nan)
        at = np.searchsorted(self.dates, days.astype("datetime64[D]")), np.searchsorted(self.symbols, names.astype(str))
        values[at] = rows["score"].cast(pl.Float64).to_numpy()
        return values


def _follow(work: Work, portfolio: Portfolio, arm: str, seeds: list[int]) -> Outcome:
    folder = work.folder
    place = folder.portfolio(arm, portfolio.index, portfolio.constraints)
    summary: SummaryFile = read_json(place / "summary.json")
    preset = load_constraints(portfolio)
    kind = preset.styles or work.recipe.styles
    styles = work.sets.of(kind)
    risk = work.ground.risk(kind, [preset], work.console)
    ground = ground_of(work.market, styles.exposures, portfolio, work.eligible, summary, risk)
    files = {seed: folder.scores(arm, seed) for seed in seeds}
    make, what = _Seed(files, work.market.panel.dates, work.market.panel.symbols), f"seeds of {arm}"
    found: list[SeedRecord] = []
    for seed, one in follow_many(work.market.folder.path, ground, seeds, make, work.engine):
        found.append({"seed": seed, **one})
        work.console.progress(what, len(found), len(seeds), f"on {portfolio.index}")
    work.console.finish(what)
    found.sort(key=lambda one: one["seed"])
    known = [one["excess"] for one in found if one["excess"] is not None]
    content: SeedsFile = {
        "ensemble": summary["all"]["excess"],
        "mean": float(np.mean(known)) if known else None,
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "seeds": found,
    }
    write_json(place / FILE, content)
    return Outcome()
