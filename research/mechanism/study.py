"""A study of mechanisms: parts of alpha, each alone on simulated markets, and the arms that should find it or not."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import Floats
from deepfactor.core.files import write_json, write_text
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.terminal import Plain
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.runs.environment import machine, versions
from deepfactor.sources.simulated import Settings
from research.learning.bounds import Bound
from research.mechanism.page import study_page, write_section
from research.mechanism.trained import Trained, difference, train

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One kind of market.

    Attributes
    ----------
    name, title : in files and on the page.
    settings : of the market of a seed.
    arms : of the recipe, that are trained on it.
    differences : pairs of arms (first, second) that are compared day by day.
    beside : what else is measured on the test days: name → scores (days, N).
    facts : numbers of the market itself, by name.
    measures : what the page shows.
    """

    name: str
    title: str
    settings: Callable[[int], Settings]
    arms: tuple[str, ...]
    differences: tuple[tuple[str, str], ...] = ()
    beside: Callable[[Trained], Mapping[str, Floats]] = lambda trained: {}
    facts: Callable[[Trained], Mapping[str, float]] = lambda trained: {}
    measures: tuple[str, ...] = ("oracle", "neutral", "rank_ic")


@dataclass(frozen=True)
class Study:
    """Parts trained by one recipe (a TOML beside this file), and the bounds on what came out."""

    name: str
    parts: tuple[Part, ...]
    bounds: Callable[[Content], list[Bound]]

    def recipe(self, part: Part, seeds: Sequence[int]) -> Recipe:
        """The recipe with the arms of a part."""
        whole = load_recipe(str(Path(__file__).with_name(f"{self.name}.toml")))
        arms = tuple(arm for arm in whole.arms if arm.name in part.arms)
        return whole.model_copy(update={"arms": arms, "fit": whole.fit.model_copy(update={"seeds": tuple(seeds)})})


def main(study: Study, doc: str | None, arguments: Sequence[str] | None = None) -> int:
    """Run all, write and print; the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m research.mechanism.{study.name}", description=doc)
    parser.add_argument("--out", type=Path, default=Path("build/mechanism") / study.name, help="for all that is made")
    parser.add_argument("--page", type=Path, help="a page whose section Numbers is written anew")
    parser.add_argument("--markets", type=int, nargs="+", default=[0, 1, 2], help="seeds of the markets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="seeds of the networks")
    chosen = parser.parse_args(arguments)
    content = measure(study, chosen.out, chosen.markets, chosen.seeds, Plain())
    bounds = study.bounds(content)
    content["bounds"] = [asdict(bound) | {"holds": bound.holds} for bound in bounds]
    write_json(chosen.out / f"{study.name}.json", content)
    text = study_page(content)
    write_text(chosen.out / f"{study.name}.md", text)
    if chosen.page:
        write_section(chosen.page, "Numbers", text)
    print(text)
    return 0 if all(bound.holds for bound in bounds) else 1


def measure(study: Study, out: Path, markets: Sequence[int], seeds: Sequence[int], console: Console) -> dict[str, Any]:
    """All numbers as JSON holds them: of each part a row a market and seed of the networks."""
    parts = []
    for part in study.parts:
        rows: list[dict[str, Any]] = []
        for market in markets:
            trained = train(study.recipe(part, seeds), part.settings(market), out / f"{part.name}-{market}", console)
            beside = {name: trained.measure(values).content() for name, values in part.beside(trained).items()}
            of_market = {"market": market, "beside": beside, "facts": dict(part.facts(trained))}
            rows += [{**of_market, "seed": seed, **_row(part, trained, seed)} for seed in seeds]
        parts.append({"part": part.name, "title": part.title, "measures": part.measures, "rows": rows})
    return {"machine": machine(), "versions": versions(), "parts": parts}


def _row(part: Part, trained: Trained, seed: int) -> dict[str, Any]:
    """Arms of one market and one seed, and their differences."""
    of = {arm: daily for (arm, k), daily in trained.daily.items() if k == seed}
    pairs = [{"first": a, "second": b, **difference(of[a], of[b])} for a, b in part.differences]
    return {"arms": {arm: daily.content() for arm, daily in of.items()}, "differences": pairs}


def rows_of(content: Content, part: str) -> list[Content]:
    """A part's rows."""
    (found,) = (entry["rows"] for entry in content["parts"] if entry["part"] == part)
    return list(found)


def facts(rows: Sequence[Content], name: str) -> list[float]:
    """A number of the market of each row."""
    return [row["facts"][name] for row in rows]


def levels(rows: Sequence[Content], arm: str, measure: str) -> Floats:
    """An arm's mean measure in each market and seed; NaN where not defined."""
    return np.array([row["arms"][arm][measure] for row in rows], dtype=np.float64)


def gains(rows: Sequence[Content], first: str, second: str, measure: str) -> Floats:
    """Difference of two arms in a mean measure, of each market and seed."""
    return levels(rows, first, measure) - levels(rows, second, measure)


def paired_t(rows: Sequence[Content], first: str, second: str, measure: str) -> Floats:
    """Newey–West t of the paired daily difference, of each market and seed; NaN where not defined."""
    found = [
        entry[f"{measure}_t"]
        for row in rows
        for entry in row["differences"]
        if (entry["first"], entry["second"]) == (first, second)
    ]
    return np.array(found, dtype=np.float64)
