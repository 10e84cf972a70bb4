"""Trials: noted where something is tested, counted where a result is judged, listed for who asks."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import Dates, Float64
from deepfactor.core.spec import content_key
from deepfactor.core.system import system_error
from deepfactor.evaluation.definitions import TRADING_DAYS
from deepfactor.evaluation.deflated import ReturnMoments, deflated_sharpe, expected_best, moments_of
from deepfactor.evaluation.factor_test import FactorReport
from deepfactor.evaluation.performance import daily_returns
from deepfactor.panel.panel import rows_between
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.portfolio.presets import Enhancement
from deepfactor.store.folder import MarketFolder
from deepfactor.store.trials import LOG, Deflated, Kind, Trial, note_trials, read_trials

FILE = "trials.json"
#: Two spans are the same one where they share this part of the shorter.
OVERLAP = 0.5


class SpanTrials(TypedDict):
    """Trials of one kind and place: how many, first and last time, spread of their ratios a year, the best one."""

    kind: Kind
    place: str
    trials: int
    first: str
    last: str
    sharpe_std: float
    expected_best: float
    best: Deflated


class TrialsState(TypedDict):
    """A market's trials by kind and place, then each."""

    market: str
    trials: int
    unreadable: int
    spans: list[SpanTrials]
    all: list[Trial]


def portfolio_trial(scores: Scores, preset: Enhancement, capital: float, result: BacktestResult) -> Trial | None:
    """The trial that a backtest is; None where its excess doesn't vary."""
    difference = daily_returns(result.nav) - daily_returns(result.headline_nav)
    # What was said beyond the defaults: a setting that comes later, at its default, makes no new trial of an old one.
    said = {name: value for name, value in preset.identity().items() if name != "name"}
    settings = {"preset": said, "capital": capital}
    span = result.dates[0], result.dates[-1]
    return _trial("enhanced", scores, result.index, preset.name, span, difference, settings)


def top_trials(scores: Scores, report: FactorReport) -> list[Trial]:
    """The trials that a factor test is: the top group of each universe against its benchmark."""
    found = []
    for group in report.groups:
        if len(group.dates) > 1:
            difference = daily_returns(group.nav[:, -1]) - daily_returns(group.benchmark_nav)
            part = f"top 1/{group.nav.shape[1]}"
            span = group.dates[0], group.dates[-1]
            found.append(_trial("top", scores, group.universe, part, span, difference, {}))
    return [one for one in found if one is not None]


def _trial(
    kind: Kind,
    scores: Scores,
    place: str,
    setting: str,
    span: tuple[np.datetime64, np.datetime64],
    difference: Float64,
    settings: Mapping[str, object],
) -> Trial | None:
    own = moments_of(difference)
    if own is None:
        return None
    start, end = map(str, span)
    named = {"kind": kind, "place": place, "setting": setting if kind == "top" else "", "span": [start, end]}
    return {
        "key": content_key({**named, "scores": scores_hash(scores, *span), **settings}),
        "kind": kind,
        "factor": scores.name,
        "place": place,
        "setting": setting,
        "start": start,
        "end": end,
        "sharpe": own.sharpe,
        "skew": own.skew,
        "kurtosis": own.kurtosis,
        "days": own.n,
        "excess": float(difference.mean()) * TRADING_DAYS,
        "at": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def scores_hash(scores: Scores, start: np.datetime64, end: np.datetime64) -> str:
    """Of the scores between two days, by day and symbol: names that a market gains later change nothing."""
    rows = rows_between(scores.dates, start, end)
    values = scores.values[rows]
    finite = np.isfinite(values)
    columns = np.flatnonzero(finite.any(axis=0))
    days: Dates = scores.dates[rows].astype("datetime64[D]")
    content = hashlib.sha256(days.astype(np.int64).tobytes())
    content.update("\n".join(scores.symbols[columns].tolist()).encode())
    content.update(np.where(finite, values, np.nan)[:, columns].tobytes())
    return content.hexdigest()


def note(market: Path, trials: Sequence[Trial | None], console: Console) -> list[str]:
    """Add trials to the market's ledger; keys of all that could be noted, or were before. One that can't be written is
    said, and ends nothing."""
    known = [one for one in trials if one is not None]
    try:
        note_trials(market, known)
    except OSError as error:
        console.say(f"not noted in {market / LOG}: {(system_error(error) or (0, str(error)))[1]}")
    return [one["key"] for one in known]


def judged(market: Path, keys: Sequence[str], console: Console) -> list[Deflated]:
    """The results of `keys` among the market's trials as they are now; none, which is said, where the ledger can't be
    read."""
    try:
        trials, _ = read_trials(market)
    except OSError as error:
        console.say(f"not judged by {market / LOG}: {(system_error(error) or (0, str(error)))[1]}")
        return []
    own = {one["key"]: one for one in trials}
    return [_deflated(own[key], trials) for key in keys if key in own]


def _deflated(own: Trial, trials: Sequence[Trial]) -> Deflated:
    same = _alike(own, trials)
    variance = float(np.var([one["sharpe"] for one in same], ddof=1)) if len(same) > 1 else 0.0
    moments = ReturnMoments(own["sharpe"], own["skew"], own["kurtosis"], own["days"])
    found = deflated_sharpe(moments, len(same), variance)
    year = math.sqrt(TRADING_DAYS)
    return {
        "key": own["key"],
        "kind": own["kind"],
        "factor": own["factor"],
        "place": own["place"],
        "setting": own["setting"],
        "trials": len(same),
        "sharpe": own["sharpe"] * year,
        "best": expected_best(len(same), variance) * year,
        "deflated": found if math.isfinite(found) else None,
    }


def _alike(own: Trial, trials: Sequence[Trial]) -> list[Trial]:
    """Trials of the same kind and place over the same span: `OVERLAP` of the shorter one's days; itself among them."""
    return [one for one in trials if (one["kind"], one["place"]) == (own["kind"], own["place"]) and _shared(one, own)]


def _shared(a: Trial, b: Trial) -> bool:
    starts, ends = (
        np.array([one[side] for one in (a, b)], "datetime64[D]").astype(np.int64) for side in ("start", "end")
    )
    both = int(ends.min() - starts.max()) + 1
    return both >= OVERLAP * (int((ends - starts).min()) + 1)


def trials_of(market: Path) -> TrialsState:
    """A market's ledger, by kind and place.

    Raises
    ------
    DataError
        no market there.
    """
    MarketFolder.open(market)
    trials, unreadable = read_trials(market)
    spans: list[SpanTrials] = []
    for kind, place in dict.fromkeys((one["kind"], one["place"]) for one in trials):
        own = [one for one in trials if (one["kind"], one["place"]) == (kind, place)]
        ratios = np.array([one["sharpe"] for one in own]) * math.sqrt(TRADING_DAYS)
        std = float(ratios.std(ddof=1)) if len(own) > 1 else 0.0
        spans.append(
            {
                "kind": kind,
                "place": place,
                "trials": len(own),
                "first": own[0]["at"],
                "last": own[-1]["at"],
                "sharpe_std": std,
                "expected_best": expected_best(len(own), std**2),
                "best": _deflated(max(own, key=lambda one: one["sharpe"]), trials),
            }
        )
    return {"market": str(market), "trials": len(trials), "unreadable": unreadable, "spans": spans, "all": trials}
