"""Which shape of a score an optimiser should see, and a stock bound of 0.4 % for 0.8 %: real market, 2015–2018 alone.

``python -m research.score_shapes MARKET FOLDER`` makes six cheap scores (trees on hand features by two labels, a ridge,
minus the 20-day return, volatility and turnover), follows each on three indices under Study B's constraints in every
shape, and under half its stock bound, and writes ``docs/results/score-shapes.md``. What is done is not done again.
Fitted scores of a year are trained on the years before it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import excess_statistics
from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.core.files import write_json, write_text
from deepfactor.cross_section.ranks import average_rank
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.paired import paired_difference
from deepfactor.features.base import ROOM as FEATURES
from deepfactor.panel.panel import rows_between
from deepfactor.panel.returns import forward_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.enhancing import buyable
from deepfactor.pipeline.markets import Market, StyleSets, open_market
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement, load_preset
from deepfactor.portfolio.problem import InfeasibleError

FIRST, YEARS = "2012-01-01", (2015, 2016, 2017, 2018)
INDICES = {"000300.SH": "CSI 300", "000905.SH": "CSI 500", "000852.SH": "CSI 1000"}
SHAPES = ("z", "winsorised", "rank")
#: Score → what it is.
SCORES = {
    "trees_mean": "LightGBM, 21 hand features, label the z-scored return of 5 days, clipped at 3",
    "trees_rank": "the same, label its rank",
    "ridge": "ridge on the ranks of the features, label the rank",
    "reversal": "minus the return of 20 days",
    "volatility": "minus the volatility of 20 days",
    "turnover": "minus the log of the mean turnover of 60 days",
}
HORIZON, EVERY, LAGS = 5, 5, 5
PAGE = Path(__file__).parents[1] / "docs" / "results" / "score-shapes.md"
SAID = "## What it says"


def make_scores(market: Market, eligible: Bools) -> dict[str, Floats]:
    """(T, N) each, of the days of `YEARS`; `market` begins with the first day trained on."""
    panel = market.panel
    kind = FEATURES.choose("hand_features")
    made = kind.part.compute(kind.settings, panel, market.universe)
    column = dict(zip(made.names, range(len(made.names)), strict=True))
    out: dict[str, Floats] = {
        "reversal": -made.values[..., column["ret_20"]],
        "volatility": -made.values[..., column["vol_20"]],
        "turnover": -made.values[..., column["turnover_60"]],
    }
    ret = forward_return(panel, "t1_close", HORIZON)
    fitted = {name: np.full(panel.shape, np.nan) for name in ("trees_mean", "trees_rank", "ridge")}
    for year in YEARS:
        test = rows_between(panel.dates, f"{year}-01-01", f"{year}-12-31")
        days = range(120, test.start - HORIZON - 1, EVERY)
        _fit_year(fitted, made.values, ret, eligible, days, range(test.start, test.stop))
        print(f"fitted {year}", file=sys.stderr, flush=True)
    return {**fitted, **out}


def _fit_year(
    out: Mapping[str, Float64], features: Floats, ret: Float64, eligible: Bools, days: range, test: range
) -> None:
    import lightgbm

    rows, rank_labels, mean_labels = [], [], []
    for t in days:
        inside = np.flatnonzero(eligible[t] & np.isfinite(ret[t]))
        rows.append(_ranked(features[t, inside]))
        rank_labels.append(_uniform(ret[t, inside]))
        z = (ret[t, inside] - ret[t, inside].mean()) / ret[t, inside].std()
        mean_labels.append(np.clip(z, -3, 3))
    x = np.concatenate(rows)
    settings = {"learning_rate": 0.06, "num_leaves": 31, "min_data_in_leaf": 1000, "feature_fraction": 0.7,
                "num_threads": 1, "verbose": -1, "seed": 0, "deterministic": True}  # fmt: skip
    labels = {"trees_mean": np.concatenate(mean_labels), "trees_rank": np.concatenate(rank_labels)}
    fits = {name: lightgbm.train(settings, lightgbm.Dataset(x, y), 120) for name, y in labels.items()}
    slopes = np.linalg.solve(x.T @ x + len(x) * 0.01 * np.eye(x.shape[1]), x.T @ labels["trees_rank"])
    for t in test:
        inside = np.flatnonzero(eligible[t])
        own = _ranked(features[t, inside])
        for name, fit in fits.items():
            out[name][t, inside] = fit.predict(own, num_threads=1)
        out["ridge"][t, inside] = own @ slopes


def _ranked(x: Floats) -> Float64:
    """Columns (n, F) as uniform ranks with variance 1; 0 where there is none."""
    out = np.zeros(x.shape)
    for k in range(x.shape[1]):
        known = np.isfinite(x[:, k])
        out[known, k] = _uniform(x[known, k])
    return out


def _uniform(x: Floats) -> Float64:
    return np.asarray(np.sqrt(12.0) * ((average_rank(x) - 0.5) / max(len(x), 1) - 0.5))


def constraint_sets() -> dict[str, Enhancement]:
    """By name: Study B's in each shape, and half its stock bound."""
    base, tight = load_preset("study_b"), load_preset("study_b_tight")
    shaped = {shape: base.model_copy(update={"score": shape}) for shape in SHAPES}
    return {**shaped, **{f"tight {shape}": tight.model_copy(update={"score": shape}) for shape in ("z", "rank")}}


def follow(market: Market, out: Path) -> list[dict[str, Any]]:
    """A record a score, index and constraint set."""
    wanted = list(product(SCORES, INDICES, constraint_sets()))
    places = {one: out / f"{'-'.join(one).replace(' ', '_')}.json" for one in wanted}
    if all(place.is_file() for place in places.values()):
        return [json.loads(place.read_text()) for place in places.values()]
    span = rows_between(market.panel.dates, FIRST, f"{YEARS[-1]}-12-31")
    market = Market(
        market.folder, market.panel.between(span.start, span.stop), market.universe.between(span.start, span.stop)
    )
    eligible = market.universe.eligible(UniverseRule())
    values, styles = make_scores(market, eligible), StyleSets(market).of(load_preset("study_b").styles).exposures
    for (name, index, constraints), place in places.items():
        if not place.is_file():
            scores = Scores(name, market.panel.dates, market.panel.symbols, np.where(eligible, values[name], np.nan))
            preset = constraint_sets()[constraints]
            try:
                made = _followed(market, scores, styles, preset, index)
            except InfeasibleError as error:
                made = {"score": name, "index": index, "infeasible": str(error)}
            write_json(place, made | {"set": constraints})
            print(f"followed {place.stem}", file=sys.stderr, flush=True)
    return [json.loads(place.read_text()) for place in places.values()]


def _followed(
    market: Market, scores: Scores, styles: Mapping[str, Floats], preset: Enhancement, index: str
) -> dict[str, Any]:
    settings = BacktestSettings(
        fill=preset.fill, costs=preset.costs, haircut=preset.haircut, signal=preset.signal, score=preset.score
    )
    allowed = buyable(market.universe.eligible(UniverseRule()), market.universe, preset)
    start, end = np.datetime64(f"{YEARS[0]}-01-01"), np.datetime64(f"{YEARS[-1]}-12-31")
    made = run_backtest(market.panel, market.universe, scores, styles, IndexEnhancer(preset), index, settings,
                        start=start, end=end, eligible=allowed)  # fmt: skip
    whole = excess_statistics(made.nav, made.headline_nav, made.dates, PRESETS["study_b"])
    return {
        "score": scores.name,
        "index": index,
        "excess": whole.excess,
        "tracking_error": whole.tracking_error,
        "information_ratio": whole.information_ratio,
        "heavy": made.counts.get("rebalances_with_heavy_tails", 0) / len(made.rebalances),
        "daily": np.diff(np.log(made.excess_nav)).tolist(),
    }


def page(records: list[dict[str, Any]], said: str, command: str) -> str:
    """The figures."""
    by = {(r["score"], r["index"], r["set"]): r for r in records}
    lines = [
        "# The shape of the score, and a tighter stock bound",
        "",
        f"`{command}`: real market, {YEARS[0]}–{YEARS[-1]}, Study B's constraints. Excess over the price index after "
        "cost, % a year (ratio of NAVs), in brackets the information ratio. 6 scores × 3 indices × 5 sets = 90 "
        "backtests; nothing after 2018 was looked at.",
        "",
        *(f"* `{name}`: {what}" for name, what in SCORES.items()),
        "",
        f"| score | index | {' | '.join(constraint_sets())} | heavy tails, % of weeks |",
        f"|---|---|{'---|' * (len(constraint_sets()) + 1)}",
    ]
    for name, index in product(SCORES, INDICES):
        cells = [by[name, index, one] for one in constraint_sets()]
        heavy = cells[0].get("heavy")
        tails = "–" if heavy is None else f"{100 * heavy:.0f}"
        lines.append(f"| {name} | {INDICES[index]} | {' | '.join(map(_cell, cells))} | {tails} |")
    lines += ["", "| less | ahead in excess | in IR | mean difference, points a year | t of the mean of all pairs |",
              "|---|---|---|---|---|"]  # fmt: skip
    for first, second in (
        ("rank", "z"),
        ("winsorised", "z"),
        ("rank", "winsorised"),
        ("tight z", "z"),
        ("tight rank", "rank"),
    ):
        lines.append(_compared(by, first, second))
    return "\n".join([*lines, "", SAID, ""]) + said


def _cell(r: Mapping[str, Any]) -> str:
    return "no solution" if "infeasible" in r else f"{100 * r['excess']:+.1f} ({r['information_ratio']:.2f})"


def _compared(by: Mapping[tuple[str, str, str], dict[str, Any]], first: str, second: str) -> str:
    both_sets = [(by[name, index, first], by[name, index, second]) for name, index in product(SCORES, INDICES)]
    pairs = [(a, b) for a, b in both_sets if "infeasible" not in a and "infeasible" not in b]
    ahead = {key: sum(a[key] > b[key] for a, b in pairs) for key in ("excess", "information_ratio")}
    n = min(len(a["daily"]) for a, _ in pairs)
    daily = np.mean([np.array(a["daily"][-n:]) - np.array(b["daily"][-n:]) for a, b in pairs], axis=0)
    both = paired_difference(daily, np.zeros(n), LAGS)
    return (
        f"| {first} less {second} | {ahead['excess']} of {len(pairs)} | {ahead['information_ratio']} of {len(pairs)} | "
        f"{25200 * both.mean:+.2f} | {both.t_newey_west:.1f} |"
    )


def main() -> None:
    """Follow, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    told = PAGE.read_text(encoding="utf-8").partition(SAID)[2] if PAGE.is_file() else "\n"
    records = follow(open_market(given.market), given.out)
    write_text(PAGE, page(records, told, "python -m research.score_shapes MARKET FOLDER"))
    print(PAGE)


if __name__ == "__main__":
    main()
