"""``python -m benchmarks.mechanism.study_b``: does DecompGRU find the size-group trend, by what, and at what price?

Trains Study B's arms on simulated markets whose only alpha is the trend relative to the size group, GRU and DecompGRU
on markets whose only alpha is reversal. Prints the tables, writes ``study_b.json`` and ``study_b.md`` into ``--out``
and the section *Numbers* of ``--page``, ends with 1 where a bound is broken. A repeated call trains nothing again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.bounds import Bound
from benchmarks.mechanism.kernel import kernel_scores
from benchmarks.mechanism.page import study_b_page, write_section
from benchmarks.mechanism.trained import Trained, difference, spread, train
from deepfactor.cli.terminal import Plain
from deepfactor.core.files import write_json, write_text
from deepfactor.pipeline.console import Console
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.runs.environment import machine, versions
from deepfactor.sources.simulated import Settings, Strength, Volatility

RECIPE = Path(__file__).with_name("study_b.toml")
BOTH = ("gru", "decomp_gru")
#: The oracle that a score is correlated with → how the page names it.
ORACLES = {"oracle": "oracle", "neutral": "neutralised oracle"}
#: Pairs of arms (first, second) whose difference is shown.
DIFFERENCES = {
    "trend": (
        ("decomp_gru", "gru"),
        ("decomp_gru", "no_cross_section"),
        ("no_cross_section", "gru"),
        ("plain_mean", "gru"),
        ("no_decomposition", "gru"),
        ("no_residual", "gru"),
    ),
    "reversal": (("decomp_gru", "gru"),),
}
#: Least mean gain in correlation with the oracle.
GAIN = 0.03

Array = NDArray[np.float64]


def settings(part: str, seed: int) -> Settings:
    """A market of one part of alpha, strong, in which size groups move much on their own."""
    return Settings(
        seed=seed,
        only=(part,),
        strength=Strength.model_validate({part: 0.012}),
        volatility=Volatility(size=0.010, size_group=0.010),
    )


def recipe(part: str, seeds: Sequence[int]) -> Recipe:
    """The recipe of a market: on reversal only the two networks themselves."""
    whole = load_recipe(str(RECIPE))
    arms = whole.arms if part == "trend" else tuple(arm for arm in whole.arms if arm.name in BOTH)
    return whole.model_copy(update={"arms": arms, "fit": whole.fit.model_copy(update={"seeds": tuple(seeds)})})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, write and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mechanism.study_b", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/mechanism/study_b"), help="markets, runs, results")
    parser.add_argument("--page", type=Path, help="a page whose section Numbers is written anew")
    parser.add_argument("--markets", type=int, nargs="+", default=[0, 1, 2], help="seeds of the markets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="seeds of the networks")
    chosen = parser.parse_args(arguments)
    content = measure(chosen.out, chosen.markets, chosen.seeds, Plain())
    bounds = mechanism_bounds(content)
    content["bounds"] = [asdict(bound) | {"holds": bound.holds} for bound in bounds]
    write_json(chosen.out / "study_b.json", content)
    text = study_b_page(content)
    write_text(chosen.out / "study_b.md", text)
    if chosen.page:
        write_section(chosen.page, "Numbers", text)
    print(text)
    return 0 if all(bound.holds for bound in bounds) else 1


def measure(out: Path, markets: Sequence[int], seeds: Sequence[int], console: Console) -> dict[str, Any]:
    """All numbers as JSON holds them: of each part a row a market and seed of the networks."""
    content: dict[str, Any] = {"machine": machine(), "versions": versions(), "markets": list(markets)}
    content["seeds"] = list(seeds)
    for part in DIFFERENCES:
        content[part], content[f"{part}_kernel"] = [], []
        for market in markets:
            trained = train(recipe(part, seeds), settings(part, market), out / f"{part}-{market}", console)
            content[part] += [row(part, trained, market, seed) for seed in seeds]
            if part == "trend":
                content["trend_kernel"].append({"market": market, "scores": kernels(trained)})
    return content


def row(part: str, trained: Trained, market: int, seed: int) -> dict[str, Any]:
    """Arms of one market and one seed, and their differences."""
    of = {arm: daily for (arm, k), daily in trained.daily.items() if k == seed}
    return {
        "market": market,
        "seed": seed,
        "arms": {arm: daily.content() for arm, daily in of.items()},
        "differences": [{"first": a, "second": b, **difference(of[a], of[b])} for a, b in DIFFERENCES[part]],
    }


def kernels(trained: Trained) -> dict[str, Any]:
    """What the trend's own kernel reaches with and without the groups."""
    scores = kernel_scores(trained.market, trained.test)
    return {name: trained.measure(values).content() for name, values in scores.items()}


def gains(rows: Sequence[Mapping[str, Any]], first: str, second: str, measure: str) -> Array:
    """Difference of two arms in a mean measure, of each market and seed."""
    return np.array([row["arms"][first][measure] - row["arms"][second][measure] for row in rows])


def seed_noise(rows: Sequence[Mapping[str, Any]], measure: str) -> float:
    """Standard deviation of the difference of two runs of one arm on one market that differ by their seed alone."""
    grouped: dict[tuple[str, int], list[float]] = {}
    for entry in rows:
        for arm, numbers in entry["arms"].items():
            grouped.setdefault((arm, entry["market"]), []).append(numbers[measure])
    return float(np.sqrt(2.0)) * spread(list(grouped.values()))


def mechanism_bounds(content: Mapping[str, Any]) -> list[Bound]:
    """What the study's mechanism must show, against the oracle as it is and neutralised as the label is."""
    return [bound for measure, name in ORACLES.items() for bound in _bounds(content, measure, name)]


def _bounds(content: Mapping[str, Any], measure: str, name: str) -> list[Bound]:
    trend, reversal = content["trend"], content["reversal"]
    gain = gains(trend, "decomp_gru", "gru", measure)
    module = gains(trend, "decomp_gru", "no_cross_section", measure)
    left = gains(trend, "no_cross_section", "gru", measure)
    price = gains(reversal, "decomp_gru", "gru", measure)
    noise = seed_noise(reversal, measure)
    return [
        Bound(f"{name}, trend: DecompGRU − GRU, mean", float(gain.mean()), GAIN, True),
        Bound(f"{name}, trend: DecompGRU − GRU, least", float(gain.min()), 0.0, True),
        Bound(f"{name}, trend: DecompGRU − without cross-section, least", float(module.min()), 0.0, True),
        Bound(f"{name}, trend: without cross-section − GRU, mean: no gain left", float(left.mean()), GAIN / 3, False),
        Bound(f"{name}, reversal: DecompGRU − GRU, mean, against the seeds' noise", float(price.mean()), -noise, True),
    ]


if __name__ == "__main__":
    sys.exit(main())
