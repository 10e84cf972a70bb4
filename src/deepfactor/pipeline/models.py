"""Which trained arm a desk trades by (the champion), and which are watched beside it (challengers).

``DESK/models.jsonl`` is a log, a line a change: who made which arm the champion, or sent it away, and when. Without a
line the nightly file's `arm` is the champion.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.core.choices import choices
from deepfactor.core.errors import DamagedFile, UserError
from deepfactor.core.files import folder_lock, write_text
from deepfactor.cross_section.correlation import spearman
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.monitoring import day_scores
from deepfactor.recipe import Recipe
from deepfactor.runs.layout import RunFolder

LOG = "models.jsonl"
Action = Literal["promote", "retire"]
#: Matured days without which two arms aren't compared.
LEAST = 5


class ModelChange(TypedDict):
    """A line of ``models.jsonl``."""

    action: Action
    arm: str
    by: str
    at: str


class ModelLine(TypedDict):
    """An arm as `models list` shows it: `state` is champion, challenger or retired; RankIC of its matured live days,
    and its paired difference to the champion's with a Newey–West t over the days that both have; null = too few."""

    arm: str
    state: str
    live_days: int
    rank_ic: float | None
    less_champion: float | None
    t: float | None


@dataclass(frozen=True)
class Standing:
    """The arms of a run on a desk: the champion, and those that are scored and watched beside it."""

    champion: str
    challengers: tuple[str, ...]
    retired: tuple[str, ...]


def standing(recipe: Recipe, out: Path, arm: str | None) -> Standing:
    """Who is what, by the log in `out` and the nightly file's `arm`.

    Raises
    ------
    UserError
        the run has several arms and nobody said which is live.
    """
    names, changes = [one.name for one in recipe.arms], _read(out / LOG)
    if arm is None and len(names) > 1 and not any(one["action"] == "promote" for one in changes):
        raise UserError(f"the run has the arms {', '.join(names)}: say in the nightly file which is live (arm)")
    champion, retired = arm or names[0], dict[str, None]()
    for one in changes:
        if one["action"] == "promote":
            champion = one["arm"]
            retired.pop(champion, None)
        else:
            retired[one["arm"]] = None
    _require(names, champion, "arm")
    beside = tuple(name for name in names if name != champion and name not in retired)
    return Standing(champion, beside, tuple(name for name in retired if name in names))


def change(recipe: Recipe, out: Path, arm: str | None, action: Action, named: str, by: str) -> Standing:
    """Make an arm the champion, or send it away; one line of the log, none where it is so already.

    Raises
    ------
    UserError
        no such arm, nobody's name, or the champion is to go without another in its place.
    """
    _require([one.name for one in recipe.arms], named, "--arm")
    if not by.strip() or not by.isprintable():
        raise UserError(f"{by!r} is nobody's name: say who decides (--by)")
    with folder_lock(out):
        before = standing(recipe, out, arm)
        if action == "retire" and named == before.champion:
            raise UserError(f"{named} is the champion: promote another first")
        if named == (before.champion if action == "promote" else named if named in before.retired else None):
            return before
        now = dt.datetime.now().astimezone().isoformat(timespec="seconds")
        line: ModelChange = {"action": action, "arm": named, "by": by.strip(), "at": now}
        lines = [*_read(out / LOG), line]
        write_text(out / LOG, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines))
    return standing(recipe, out, arm)


def compared(recipe: Recipe, run: RunFolder, market: Market, found: Standing) -> list[ModelLine]:
    """Every arm with the RankIC of its live days that have matured, beside the champion's."""
    horizon = recipe.test.horizons[0]
    returns = forward_return(market.panel, "t1_close", horizon)
    series = {one.name: _rank_ics(run, one.name, market, returns) for one in recipe.arms}
    best = series[found.champion]
    lines: list[ModelLine] = []
    for name, own in series.items():
        apart = own - best
        both = int(np.isfinite(apart).sum())
        told = name != found.champion and both >= LEAST
        known = own[np.isfinite(own)]
        state = "champion" if name == found.champion else "retired" if name in found.retired else "challenger"
        lines.append(
            {
                "arm": name,
                "state": state,
                "live_days": len(known),
                "rank_ic": float(known.mean()) if len(known) >= LEAST else None,
                "less_champion": float(np.nanmean(apart)) if told else None,
                "t": _finite(newey_west_t(apart, horizon - 1)) if told else None,
            }
        )
    return lines


def _rank_ics(run: RunFolder, arm: str, market: Market, returns: Float64) -> Float64:
    """(T,) RankIC of each scored day that has matured."""
    out = np.full(len(market.panel.dates), np.nan)
    scores = day_scores(run, arm, market)
    for t in np.flatnonzero(np.isfinite(scores).any(axis=1)):
        both = np.isfinite(scores[t]) & np.isfinite(returns[t])
        if both.sum() > 2:
            out[t] = spearman(scores[t, both], returns[t, both])
    return out


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _require(names: Sequence[str], arm: str, key: str) -> None:
    if arm not in names:
        raise UserError(f"{key}: the run has no arm {arm!r}: {choices(arm, names)}")


def _read(log: Path) -> list[ModelChange]:
    if not log.is_file():
        return []
    try:
        lines: list[ModelChange] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if any(one["action"] not in ("promote", "retire") or not isinstance(one["arm"], str) for one in lines):
            raise ValueError("an unknown action")
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedFile(f"can't be read ({error}): nothing says which model is live", file=log) from None
    return lines
