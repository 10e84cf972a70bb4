"""A signal day's problem, put together again from what a backtest left, and solved: as it was, and under other rules.

The book of that evening is known by its drifted weights and its value, the last target by its weights; all else is the
market's and the scores'. Solved as it was it gives the objective that was written, which shows that it is that problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.backtest.book import Book
from deepfactor.backtest.signals import Knowledge, average_daily_volume, state_problem, with_risk
from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.errors import DataError
from deepfactor.core.toml import parse_toml
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.pipeline.names import row_of
from deepfactor.pipeline.risk import risk_folder, risk_model
from deepfactor.pipeline.walking import columns_of, scores_of, trading_day
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, load_preset, parse_enhancement, preset_names, preset_text, written
from deepfactor.portfolio.problem import Binding, Rebalance, Relaxation, Rows, Target
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_frame, read_json
from deepfactor.styles.base import ROOM as STYLES

#: Objectives that differ by less are of one problem: the weights that were written are rounded in their last digit.
SAME = 1e-6


@dataclass(frozen=True)
class Answer:
    """A target: weights (n,), and what it says of itself; `charges` (n,) by constraint: what its binding rows take off
    a unit of each name's score."""

    weights: Float64
    objective: float
    status: str
    binding: tuple[Binding, ...]
    relaxations: tuple[Relaxation, ...]
    charges: Mapping[str, Float64]
    seconds: float


@dataclass(frozen=True)
class SolvedAgain:
    """One day solved twice. `recorded` is the objective that the backtest wrote; arrays (n,) over `symbols`."""

    day: date
    symbols: tuple[str, ...]
    score: Float64
    previous: Float64
    benchmark: Float64
    industry: tuple[str, ...]
    recorded: float
    before: Answer
    after: Answer

    @property
    def same_problem(self) -> bool:
        """Is it the backtest's own problem that was solved?"""
        return abs(self.recorded - self.before.objective) <= SAME * max(1.0, abs(self.recorded))


def constraints_of(place: Path) -> Enhancement:
    """The constraint set that a backtest was made under."""
    return parse_enhancement(read_json(place / "constraints.json"))


def constraints_text(place: Path) -> str:
    """The same as TOML to edit: the shipped file where it is one."""
    made = constraints_of(place)
    if made.name in preset_names() and load_preset(made.name) == made:
        return preset_text(made.name)
    return written(made)


def parse_constraints(text: str) -> Enhancement:
    """A constraint set out of an edited TOML text; a `RecipeError` names the line, or the key."""
    return parse_enhancement({"name": "edited", **parse_toml(text, "the constraints")})


class Solver:
    """Solves days of runs on one market, which it opens once; style sets are computed when they are first wanted."""

    def __init__(self, market: Path) -> None:
        self._path = market
        self._eligible: dict[str, Bools] = {}

    @cached_property
    def market(self) -> Market:
        """The market, opened."""
        return open_market(self._path)

    @cached_property
    def _sets(self) -> StyleSets:
        return StyleSets(self.market)

    def solve_again(self, run: Path, place: Path, day: date, edited: Enhancement) -> SolvedAgain:
        """A signal day of the backtest in `place`, as it was and under `edited` constraints, from the same book.

        Raises
        ------
        DataError
            no such day, or the market isn't that of the run.
        UserError
            no portfolio keeps the edited constraints.
        """
        asked = constraints_of(place)
        before = self._problem(RunFolder(run), place, day, asked)
        after = self._problem(RunFolder(run), place, day, edited)
        recorded = read_frame(place / "rebalances.parquet").filter(pl.col("date") == day)["objective"].item()
        names = before.industry_names
        return SolvedAgain(
            day=day,
            symbols=tuple(before.symbols.tolist()),
            score=before.score,
            previous=before.previous,
            benchmark=before.benchmark,
            industry=tuple(names[k] if k >= 0 else "" for k in before.industry.tolist()),
            recorded=recorded,
            before=_answer(asked, before),
            after=_answer(edited, after),
        )

    def _problem(self, run: RunFolder, place: Path, day: date, enhancement: Enhancement) -> Rebalance:
        """What the optimiser was asked on the day, under a constraint set."""
        market = self.market
        panel, universe = market.panel, market.universe
        row = row_of(panel, day)
        recipe = read_json(run.recipe)
        rule = UniverseRule.model_validate(recipe["universe"])
        kind = (
            enhancement.styles
            or constraints_of(place).styles
            or STYLES.choose(recipe.get("styles", {}).get("kind", "basic"))
        )
        styles = self._sets.of_few_days(kind).by_day()
        known = Knowledge(
            panel,
            universe,
            self._scores(run, place, day, row),
            styles,
            place.parts[-2],
            buyable(self._scored(rule), universe, enhancement),
            shape=enhancement.score,
        )
        book, target = self._evening(place, day)
        signal = state_problem(known, trading_day(market, row), book, target, average_daily_volume(panel, row))
        if (settings := enhancement.of_risk) is not None:
            if not risk_folder(market, kind, settings).is_dir():
                raise DataError(
                    "these constraints need a risk model that the market doesn't have: deepfactor risk first"
                )
            signal = with_risk(signal, risk_model(market, kind, styles, settings), row)
        return signal.problem

    def _scored(self, rule: UniverseRule) -> Bools:
        if rule.key() not in self._eligible:
            self._eligible[rule.key()] = self.market.universe.eligible(rule)
        return self._eligible[rule.key()]

    def _scores(self, run: RunFolder, place: Path, day: date, row: int) -> Scores:
        """The day's scores in the form of all days': each row is that day's, and one is read."""
        panel = self.market.panel
        frame = scores_of(run, place, day)
        values = np.full(panel.shape[1], np.nan)
        values[columns_of(self.market, frame["symbol"].to_list())] = frame["score"].to_numpy()
        return Scores(place.parts[-3], panel.dates, panel.symbols, np.broadcast_to(values, panel.shape))

    def _evening(self, place: Path, day: date) -> tuple[Book, Float64 | None]:
        """The book of the signal day's close in money (a share of each is worth 1 CNY), and the last target."""
        weights = read_frame(place / "weights.parquet")
        dates = read_frame(place / "rebalances.parquet")["date"]
        if day not in dates.to_list():
            raise DataError(f"{day} is no signal day of this portfolio")
        drifted = self._row(weights, day, "drifted_weight")
        earlier = dates.filter(dates < day).max()
        capital = float(read_json(place / "summary.json")["capital"])
        nav = read_frame(place / "nav.parquet").filter(pl.col("date") == day)["nav"].item()
        value = nav * capital
        book = Book(drifted * value, value * (1.0 - float(drifted.sum())), np.ones(len(drifted)))
        return book, None if earlier is None else self._row(weights, earlier, "weight")  # type: ignore[arg-type]

    def _row(self, weights: pl.DataFrame, day: date, name: str) -> Float64:
        of_day = weights.filter(pl.col("date") == day)
        out = np.zeros(self.market.panel.shape[1])
        out[columns_of(self.market, of_day["symbol"].to_list())] = of_day[name].to_numpy()
        return out


def _answer(enhancement: Enhancement, r: Rebalance) -> Answer:
    enhancer = IndexEnhancer(enhancement)
    target = enhancer.solve(r)
    return Answer(
        target.weights,
        target.objective,
        target.status,
        target.binding,
        target.relaxations,
        _charges(enhancer, r, target),
        target.seconds,
    )


def _charges(enhancer: IndexEnhancer, r: Rebalance, target: Target) -> dict[str, Float64]:
    """By constraint: price × coefficient of its binding rows, for each name. Rows on trades and bounds on a name alone
    charge by the trade, or stop the name themselves: they are none."""
    prices = {(one.constraint, one.row): one.shadow_price for one in target.binding}
    charges: dict[str, Float64] = {}
    for limits in enhancer.limits(r):
        if isinstance(limits, Rows) and limits.origin is None:
            price = np.array([prices.get((limits.name, label), 0.0) for label in limits.labels])
            if price.any():
                charges[limits.name] = charges.get(limits.name, np.zeros(len(r))) + price @ limits.coefficients
    return charges
