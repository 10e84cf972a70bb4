"""``python -m research.long_side MARKET FOLDER``: what lifts the best scores, lever by lever, by trees alone.

Choices are looked at on development years (train 2013–2015, validate 2016, test 2017–2018); test years (train
2013–2017, validate 2018, test 2019–2020; train 2015–2019, validate 2020, test 2021–2022) are made with ``--years
test``. A day in five. What is done stands in FOLDER and isn't done again: killed, it goes on; ``--page`` writes what
there is. ``--null`` (FOLDER alone counts) fits both targets on three simulated markets with nothing to find.

"Top" is the 5 % best scores less all eligible stocks, equal weights, close t+1 to close t+6, arithmetic points a year
before cost; RankIC is of raw returns over 10 days, close to close from t+1. t values are Newey–West's, two lags.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bytes, Float64
from deepfactor.core.files import write_json, write_text
from deepfactor.core.kind import Kind
from deepfactor.cross_section.correlation import spearman
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.features import alpha, hand_features
from deepfactor.features._rank_codes import VALUES
from deepfactor.inputs import row_weights
from deepfactor.labels.base import ROOM as LABELS
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import forward_return, tradeable_at_entry
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.markets import Market, open_market, simulate
from deepfactor.sources.simulated import Settings as Simulated
from deepfactor.training.samples import standardise
from deepfactor.training.selection import TOP, top_excess
from deepfactor.training.weightings.base import ROOM as WEIGHTINGS
from deepfactor.training.weightings.base import LabelledRows

STEP, HOLD, YEAR = 5, 5, 252
#: Name -> years of (train, validate, test), first and last.
SPANS = {
    "development": [((2013, 2015), (2016, 2016), (2017, 2018))],
    "test": [((2013, 2017), (2018, 2018), (2019, 2020)), ((2015, 2019), (2020, 2020), (2021, 2022))],
}
INDICES = {"CSI 300": "000300.SH", "CSI 500": "000905.SH", "CSI 1000": "000852.SH"}


@dataclass(frozen=True)
class Lever:
    """One way to fit trees: on the `hand`-made 21 features alone, or on all; see `training.arms`. `train_every`: of the
    days in five, None = as given."""

    name: str
    hand: bool = False
    target: str = "rank"
    raw: bool = False
    train_on: str = "all"
    select: str = "rank_ic"
    seed: int = 0
    settings: dict[str, object] = field(default_factory=dict)
    train_every: int | None = None


LEVERS = (
    Lever("21 features, rank", hand=True),
    Lever("alpha, rank"),
    Lever("alpha, z-scored raw", target="zscore", raw=True),
    Lever("alpha, rank, members", train_on="members"),
    Lever("alpha, z-scored raw, members", target="zscore", raw=True, train_on="members"),
    Lever("alpha, rank, seed 1", seed=1),
    Lever("alpha, z-scored raw, seed 1", target="zscore", raw=True, seed=1),
    Lever("alpha, lambdarank", settings={"objective": "lambdarank"}),
    Lever("alpha, z-scored neutral", target="zscore"),
    Lever("alpha, z-scored raw, rounds by top", target="zscore", raw=True, select="top"),
    Lever("alpha, rank, by root of size", train_on="size"),
    Lever("alpha, rank, 250 trees of a day in 5", settings={"rounds": 250}, train_every=1),
    Lever(
        "alpha, z-scored raw, 250 trees of a day in 5",
        target="zscore",
        raw=True,
        settings={"rounds": 250},
        train_every=1,
    ),
)
#: Pairs whose difference is a lever's effect.
EFFECTS = (
    ("21 → alpha features", "alpha, rank", "21 features, rank"),
    ("z-scored raw for rank", "alpha, z-scored raw", "alpha, rank"),
    ("z-scored neutral for raw", "alpha, z-scored neutral", "alpha, z-scored raw"),
    ("members for all, rank", "alpha, rank, members", "alpha, rank"),
    ("members for all, z-scored", "alpha, z-scored raw, members", "alpha, z-scored raw"),
    ("lambdarank for rank", "alpha, lambdarank", "alpha, rank"),
    ("rounds by top for RankIC", "alpha, z-scored raw, rounds by top", "alpha, z-scored raw"),
    ("root of size for all alike", "alpha, rank, by root of size", "alpha, rank"),
    ("250 trees of a day in 5 for fewer, rank", "alpha, rank, 250 trees of a day in 5", "alpha, rank"),
    (
        "250 trees of a day in 5 for fewer, z-scored",
        "alpha, z-scored raw, 250 trees of a day in 5",
        "alpha, z-scored raw",
    ),
    ("another seed, rank", "alpha, rank, seed 1", "alpha, rank"),
    ("another seed, z-scored", "alpha, z-scored raw, seed 1", "alpha, z-scored raw"),
    ("mean of both targets for rank", "mean of both targets", "alpha, rank"),
    ("mean of ranks and z-scored neutral for rank", "mean of ranks and z-scored neutral", "alpha, rank"),
    ("z-scored neutral for raw in the mean", "mean of ranks and z-scored neutral", "mean of both targets"),
    ("two seeds of both for one", "mean of both targets, two seeds", "mean of both targets"),
)
MEANS = {
    "mean of both targets": ("alpha, rank", "alpha, z-scored raw"),
    "mean of ranks and z-scored neutral": ("alpha, rank", "alpha, z-scored neutral"),
    "mean of both targets, two seeds": (
        "alpha, rank", "alpha, z-scored raw", "alpha, rank, seed 1", "alpha, z-scored raw, seed 1",
    ),
}  # fmt: skip


def main() -> None:
    """Fit what isn't fitted, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", choices=sorted(SPANS), default="development")
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--train-every", type=int, default=1, help="of the days in five")
    parser.add_argument("--only", type=int, default=len(LEVERS), help="the first so many levers")
    parser.add_argument("--page", type=Path, help="write the page of what there is, and fit nothing")
    parser.add_argument("--null", action="store_true", help="three markets of nothing instead")
    given = parser.parse_args()
    if given.null:
        write_json(given.folder / "null.json", [null_rank_ic(given.folder / f"null-{seed}", seed) for seed in range(3)])
        return
    grid = Grid(open_market(given.market), given.folder)
    if given.page:
        write_text(given.page, page(grid, given.folder))
        return
    for lever in LEVERS[: given.only]:
        for k, span in enumerate(SPANS[given.years]):
            place = given.folder / given.years / f"{lever.name}-{k}.npz"
            if not place.exists():
                began = time.process_time()
                train_every = lever.train_every or given.train_every
                scores, said = fitted(grid, lever, span, given.rounds, train_every)
                place.parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(place, scores=scores.astype(np.float32))
                said |= {"cpu": round(time.process_time() - began, 1), "rounds": given.rounds}
                write_json(place.with_suffix(".json"), {**said, "train_every": train_every})
                print(given.years, lever.name, span, said, flush=True)


class Grid:
    """A market on every fifth day from 2013 on: codes of the features, labels, returns, who may be scored."""

    def __init__(self, market: Market, folder: Path, first_day: str = "2013-01-01") -> None:
        panel, universe = market.panel, market.universe
        first = rows_between(panel.dates, np.datetime64(first_day), None).start
        self.rows = np.arange(first, len(panel.dates), STEP)
        self.market, self.dates = market, panel.dates[self.rows]
        self.years = self.dates.astype("datetime64[Y]").astype(int) + 1970
        self.names, self.codes = self._codes(folder)
        every = universe.eligible(UniverseRule())
        size = np.asarray(panel.market_cap("float"))[self.rows]
        self.eligible = every[self.rows] & (size > 0)
        self.entry = tradeable_at_entry(panel, universe, "t1_close")[self.rows]
        self.labels = {raw: self._label(every, raw=raw) for raw in (False, True)}
        self.ten, self.five = (forward_return(panel, "t1_close", h)[self.rows] for h in (10, HOLD))

    def _codes(self, folder: Path) -> tuple[tuple[str, ...], Bytes]:
        place = folder / "codes.npy"
        if not place.exists():
            span = range(int(self.rows[0]), len(self.market.panel.dates), STEP)
            made = alpha.compute_rows(self.market.panel, self.market.universe, span)
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, made.values)
            write_json(folder / "names.json", list(made.names))
        names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        return tuple(names), np.load(place, mmap_mode="r")

    def _label(self, eligible: np.ndarray, *, raw: bool) -> Float64:
        said = {"neutralise": ()} if raw else {}
        label = LABELS.choose(Kind(kind="neutral_return", **said))
        found = label.part.compute(label.settings, self.market.panel, self.market.universe, eligible)
        return found[self.rows]

    def days(self, years: tuple[int, int], ahead: int = 0) -> np.ndarray:
        """Places of the days of some years, without the last `ahead` of the market's rows, which labels read."""
        inside = np.flatnonzero((self.years >= years[0]) & (self.years <= years[1]))
        stop = self.rows[inside[-1]] + STEP - ahead
        return inside[self.rows[inside] < stop]


def null_rank_ic(folder: Path, seed: int) -> float:
    """Mean RankIC with the neutralised label of both targets' mean, on a simulated market without any signal."""
    settings = Simulated(stocks=600, start=dt.date(2016, 1, 4), end=dt.date(2020, 12, 31), alpha=0.0, seed=seed)
    if not (folder / "market").exists():
        simulate(folder / "market", settings)
    grid = Grid(open_market(folder / "market"), folder, "2017-01-01")
    span = ((2017, 2018), (2019, 2019), (2020, 2020))
    both = (LEVERS[1], LEVERS[2])
    scores = [fitted(grid, lever, span, 100, 1)[0] for lever in both]
    mean = np.mean([zscore_rows(one, np.isfinite(one)) for one in scores], axis=0)
    label = grid.labels[False]
    days = zip(grid.days(span[2]), mean, strict=True)
    found = float(np.nanmean([_over(row, label[t], np.isfinite(row), spearman) for t, row in days]))
    print("null market", seed, round(found, 4), flush=True)
    return found


def fitted(grid: Grid, lever: Lever, span: tuple, rounds: int, train_every: int) -> tuple[Float64, dict[str, object]]:
    """Scores (D, N) of the test days, and how validation judged."""
    train, valid, test = span
    columns = np.arange(len(grid.names))
    if lever.hand:
        columns = np.array([grid.names.index(name) for name in hand_features.NAMES])
    weights = None
    if lever.train_on != "all":
        made = row_weights.prepare(
            row_weights.Settings(by=lever.train_on), grid.market.panel, grid.market.universe, grid.eligible
        )
        weights = made.weight[grid.rows]
    learnt = rows_of(grid, lever, grid.days(train, ahead=11)[::train_every], columns, weights)
    judged = rows_of(grid, lever, grid.days(valid, ahead=11), columns, None)
    settings = {"rounds": rounds, "learning_rate": 0.06, **lever.settings}
    kind = WEIGHTINGS.choose(Kind(kind="lightgbm", **settings))
    trees = kind.part.fit(kind.settings, learnt, judged, lever.seed)
    values = np.nan_to_num(VALUES)
    days = grid.days(test)
    scores = np.full((len(days), grid.codes.shape[1]), np.nan)
    for row, t in zip(scores, days, strict=True):
        stocks = np.flatnonzero(grid.eligible[t])
        row[stocks] = trees.predict(values[grid.codes[t][stocks][:, columns]])
    return scores, {"trees": trees.rounds, "rows": len(learnt.y)}


def rows_of(
    grid: Grid, lever: Lever, days: Sequence[int], columns: np.ndarray, weights: np.ndarray | None
) -> LabelledRows:
    """The table of some days."""
    values, label = np.nan_to_num(VALUES), grid.labels[lever.raw]
    x, y, labels, own, starts = [], [], [], [], [0]
    for t in days:
        usable = grid.eligible[t] & grid.entry[t] & np.isfinite(label[t])
        if weights is not None:
            usable &= weights[t] > 0
        stocks = np.flatnonzero(usable)
        x.append(values[grid.codes[t][stocks][:, columns]])
        y.append(standardise(label[t, stocks], lever.target))  # type: ignore[arg-type]
        labels.append(label[t, stocks].astype(np.float32))
        own.append(np.ones(len(stocks)) if weights is None else weights[t, stocks] / weights[t, stocks].mean())
        starts.append(starts[-1] + len(stocks))
    weight = None if weights is None else np.concatenate(own).astype(np.float32)
    select = "top" if lever.select == "top" else "rank_ic"
    return LabelledRows(np.concatenate(x), np.concatenate(y), np.array(starts), weight, np.concatenate(labels), select)


@dataclass(frozen=True)
class Series:
    """By day: RankIC, and the top's return less all, in the whole market and the best tenth inside each index."""

    rank_ic: Float64
    top: Float64
    inside: dict[str, Float64]


def measured(grid: Grid, scores: Float64, days: np.ndarray) -> Series:
    """What scores (D, N) of some days were worth."""
    rank_ic, top = [], []
    inside: dict[str, list[float]] = {name: [] for name in INDICES}
    for t, row in zip(days, scores, strict=True):
        known = np.isfinite(row)
        rank_ic.append(_over(row, grid.ten[t], known, spearman))
        top.append(_over(row, grid.five[t], known, top_excess))
        for name, code in INDICES.items():
            members = grid.market.universe.members[code][grid.rows[t]]
            inside[name].append(_over(row, grid.five[t], known & members, _tenth))
    return Series(np.array(rank_ic), np.array(top), {name: np.array(values) for name, values in inside.items()})


def _tenth(score: Float64, returns: Float64) -> float:
    best = np.argsort(-score, kind="stable")[: max(round(2 * TOP * len(score)), 1)]
    return float(returns[best].mean() - returns.mean())


def _over(score: Float64, returns: Float64, mask: np.ndarray, what: object) -> float:
    both = mask & np.isfinite(returns)
    return float(what(score[both], returns[both])) if both.sum() >= 20 else np.nan  # type: ignore[operator]


def found(grid: Grid, folder: Path, years: str) -> dict[str, Series]:
    """What there is of each lever, and of their means."""
    spans = SPANS[years]
    days = np.concatenate([grid.days(test) for *_, test in spans])
    scores = {}
    for lever in LEVERS:
        files = [folder / years / f"{lever.name}-{k}.npz" for k in range(len(spans))]
        if all(file.exists() for file in files):
            scores[lever.name] = np.concatenate([np.load(file)["scores"].astype(np.float64) for file in files])
    for name, of in MEANS.items():
        if set(of) <= set(scores):
            scores[name] = np.mean([zscore_rows(scores[one], np.isfinite(scores[one])) for one in of], axis=0)
    return {name: measured(grid, values, days) for name, values in scores.items()}


def page(grid: Grid, folder: Path) -> str:
    """The page of what there is."""
    parts = [line for years in SPANS for line in _part(grid, folder, years)]
    return "\n".join([_HEAD, *parts, *_null(folder), _FOOT])


def _null(folder: Path) -> Iterator[str]:
    if (folder / "null.json").exists():
        found = json.loads((folder / "null.json").read_text(encoding="utf-8"))
        each = ", ".join(f"{one:+.4f}" for one in found)
        yield "\n## Nothing to find\n"
        yield (
            f"Both targets' mean on {len(found)} simulated markets of 600 stocks without a signal (`--null`), test\n"
            f"year 2020: RankIC {each}; their mean {np.mean(found):+.4f}."
        )


def _part(grid: Grid, folder: Path, years: str) -> Iterator[str]:
    series = found(grid, folder, years)
    if not series:
        yield f"\n## {years.capitalize()} years\n\nNot fitted yet."
        return
    tests = ", ".join(f"{first}–{last}" for *_, (first, last) in SPANS[years])
    said = [json.loads(file.read_text()) for file in sorted((folder / years).glob("*.json"))]
    cpu, rounds, every = sum(one["cpu"] for one in said), said[0]["rounds"], said[0]["train_every"]
    yield f"\n## {years.capitalize()} years ({tests})\n"
    yield (
        f"{len(said)} fits, {cpu:.0f} CPU-s; at most {rounds} trees, trained on a day in {STEP * every}.\n\n"
        "| score | RankIC | ICIR | top, points a year (t) | best tenth inside "
        + " / ".join(INDICES)
        + " |\n| --- | --- | --- | --- | --- |"
    )
    for name, one in series.items():
        ic = one.rank_ic[np.isfinite(one.rank_ic)]
        inside = " / ".join(f"{_points(values):.1f}" for values in one.inside.values())
        top = f"{_points(one.top):.1f} ({_t(one.top):.1f})"
        yield f"| {name} | {ic.mean():.3f} | {ic.mean() / ic.std():.2f} | {top} | {inside} |"
    yield "\n| lever | RankIC (t) | top, points a year (t) |\n| --- | --- | --- |"
    for what, new, old in EFFECTS:
        if new in series and old in series:
            ic, top = series[new].rank_ic - series[old].rank_ic, series[new].top - series[old].top
            yield f"| {what} | {np.nanmean(ic):+.4f} ({_t(ic):.1f}) | {_points(top):+.1f} ({_t(top):.1f}) |"


def _points(values: Float64) -> float:
    return float(np.nanmean(values)) * 100 * YEAR / HOLD


def _t(values: Float64) -> float:
    return newey_west_t(values[np.isfinite(values)], 2)


_HEAD = """# The long side: what lifts the best scores

By `python -m research.long_side MARKET FOLDER` (and `--years test`), which fits trees alone and looks at one lever at a
time; `--page` writes this. Top: the 5 % best scores less all eligible stocks, equal weights, close t+1 to close t+6,
arithmetic points a year before cost. RankIC: raw returns of 10 days. One day in five; t: Newey–West, two lags. Each row
is one fit a span with one seed: the rows of another seed say what chance moves."""
_FOOT = f"""
Tried: {len(LEVERS)} ways to fit and {len(MEANS)} means, each shown where it was fitted; tree settings (31 leaves, rate
0.06, rounds by validation) were given beforehand and not varied. Years after 2022 are sealed.
"""


if __name__ == "__main__":
    main()
