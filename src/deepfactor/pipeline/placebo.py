"""The placebo band of a portfolio: random scores followed as it was, kept in the market's folder, never made twice.

::

    MARKET/placebo/<fingerprint of the panel>/<key>.jsonl   a line a draw, as they get done

A draw's key holds all that it depends on; the portfolio's scores are no part of it but for how persistent they are, in
steps, and whom they score. So the arms of a run share their bands, and a killed band goes on.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.backtest.placebo import Draw, PlaceboFile, band, persistence_of, random_scores, who_is_scored
from deepfactor.backtest.records import SummaryFile
from deepfactor.backtest.span import followed as days_followed
from deepfactor.core import journal
from deepfactor.core.arrays import Bools, Float64, Floats, Indices
from deepfactor.core.files import write_json
from deepfactor.core.spec import content_key
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.backtests import Ground, follow_many
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import Market
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.risk.model import RiskModel
from deepfactor.training.engines.base import Engine

FILE = "placebo.json"
#: Raised when the same random scores earn other numbers.
NUMERICS = 1
#: Fingerprints whose draws stay in a market's folder.
_KEPT = 4


@dataclass(frozen=True)
class _Random:
    """Random scores by their number; a worker is sent it."""

    mask: Bools
    signals: Indices
    rows: int
    persistence: float

    def __call__(self, draw: int) -> Float64:
        mask = np.zeros((self.rows, self.mask.shape[1]), np.bool_)
        mask[self.signals] = self.mask
        return random_scores(mask, self.signals, self.persistence, draw)


def placebo_to(
    place: Path,
    market: Path,
    ground: Ground,
    scores: Scores,
    summary: SummaryFile,
    draws: int,
    console: Console,
    engine: Engine,
) -> PlaceboFile:
    """The placebo band of the portfolio of `scores` whose backtest gave `summary`, written into its folder `place`.

    `ground`: see `ground_of`; `draws` random scores, by `engine`, kept in the folder `market`.
    """
    span = {"start": ground.start, "end": ground.end}
    signals = days_followed(
        ground.universe, scores, ground.buyable, ground.index, schedule=ground.preset.signal, **span
    ).signals
    mask = who_is_scored(scores.values, ground.buyable, signals)
    persistence = persistence_of(scores.values, ground.buyable, signals)
    made = _Random(mask[signals], signals, len(mask), persistence)
    drawn = dict(_drawn(market, ground, made, draws, console, engine))
    ordered = [drawn[draw] for draw in range(draws)]
    whole = summary["all"]
    content: PlaceboFile = {
        "draws": draws,
        "persistence": persistence,
        "excess": band(whole["excess"], [one["excess"] for one in ordered]),
        "excess_gross": band(whole.get("excess_gross"), [one["excess_gross"] for one in ordered]),
        "information_ratio": band(whole["information_ratio"], [one["information_ratio"] for one in ordered]),
        "drawn": ordered,
    }
    write_json(place / FILE, content)
    return content


def placebo_line(made: PlaceboFile) -> str:
    """The band on a terminal."""
    found = made["excess"]
    said = ["not defined" if one is None else f"{one:+.2%}" for one in (found["own"], found["low"], found["high"])]
    return (
        f"excess {said[0]}; {made['draws']} random scores under the same constraints: 95 of 100 lie within {said[1]} "
        f"to {said[2]}, as persistent as the factor ({made['persistence']:g} from one signal day to the next)"
    )


def ground_of(
    market: Market,
    styles: Mapping[str, Floats],
    portfolio: Portfolio,
    eligible: Bools,
    summary: SummaryFile,
    risk: RiskModel | None,
) -> Ground:
    """What others are followed on beside the portfolio whose backtest gave `summary`; `risk` as it had it."""
    preset = load_constraints(portfolio)
    return Ground(
        market.panel,
        market.universe,
        styles,
        buyable(eligible, market.universe, preset),
        preset,
        portfolio.index,
        portfolio.capital,
        np.datetime64(summary["start"], "D"),
        np.datetime64(summary["end"], "D"),
        risk,
    )


def _drawn(
    market: Path, ground: Ground, made: _Random, draws: int, console: Console, engine: Engine
) -> Iterator[tuple[int, Draw]]:
    """All draws: those that the log has, then the others, each logged when it is done."""
    log, what = _log(market, ground, made), f"placebo on {ground.index}"
    known = {one["draw"]: one for one in journal.read(log).records}
    have = [draw for draw in range(draws) if draw in known]
    for draw in have:
        yield draw, Draw(**known[draw])  # type: ignore[typeddict-item]
    missing = [draw for draw in range(draws) if draw not in known]
    if not missing:
        return
    console.progress(what, len(have), draws, "random scores")
    done = len(have)
    for draw, found in follow_many(market, ground, missing, made, engine):
        one: Draw = {"draw": draw, **found}
        _keep(log, one)
        done += 1
        console.progress(what, done, draws, "random scores")
        yield draw, one
    console.finish(what)


def _keep(log: Path, one: Draw) -> None:
    """Into the log; where the market's folder can't be written it is made again the next time."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        journal.append_new(log, "draw", {one["draw"]: one})
    except PermissionError:
        return


def _log(market: Path, ground: Ground, made: _Random) -> Path:
    """Where the draws of a ground lie; those of a market as it was some changes ago go."""
    preset = ground.preset.model_dump(mode="json", exclude={"name"})
    content = {
        "numerics": NUMERICS,
        "preset": preset,
        "index": ground.index,
        "capital": ground.capital,
        "span": [str(ground.start), str(ground.end)],
        "persistence": made.persistence,
        "scored": hashlib.sha256(np.packbits(made.mask).tobytes() + made.signals.tobytes()).hexdigest(),
        "styles": _exposures(ground, made.signals),
    }
    folder = market / "placebo"
    own = folder / ground.panel.fingerprint
    if not own.is_dir() and folder.is_dir():
        others = sorted(folder.iterdir(), key=lambda entry: entry.stat().st_mtime)
        for entry in others[: 1 - _KEPT]:
            shutil.rmtree(entry, ignore_errors=True)
    return own / f"{content_key(content)}.jsonl"


def _exposures(ground: Ground, signals: Indices) -> dict[str, str]:
    """What tells one style set from another: its exposures on the first, the middle and the last signal day."""
    rows = signals[[0, len(signals) // 2, -1]]
    read = {name: np.ascontiguousarray(values[rows], np.float64) for name, values in ground.styles.items()}
    return {name: hashlib.sha256(values.tobytes()).hexdigest() for name, values in read.items()}
