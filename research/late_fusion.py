"""``python -m research.late_fusion MARKET RUNS``: what a GRU gains by the day's features beside its window.

First ``deepfactor run research/late_fusion.toml --market MARKET --out RUNS --only training``; this then scores the
validation and the test year of each arm that is trained, and prints the section of docs/results/long-side.md. Choices
are made on the validation year, whose numbers are those of the best epoch and so a little too good.

RankIC is of raw returns of 10 days, close t+1 to t+11; top: the 5 % best scores less all, equal weights, close t+1 to
t+6, arithmetic points a year before cost. All days; t values are Newey–West's, with as many lags as days overlap.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.cross_section.correlation import spearman
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.planning import plan
from deepfactor.recipe import load_recipe
from deepfactor.runs.layout import RunFolder
from deepfactor.training.data import open_data
from deepfactor.training.finished import read_trained
from deepfactor.training.fit import settled_torch
from deepfactor.training.jobs import Job, arrays_of
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.store import Store
from deepfactor.training.selection import top_excess
from deepfactor.training.work import scorer_of

RECIPE = Path(__file__).with_suffix(".toml")
TEN, FIVE, YEAR = 10, 5, 252
#: Scores that others are averaged to: z-scored by day, the mean.
MEANS = {f"mean of {one} and trees_rank": (one, "trees_rank") for one in ("gru_ic", "late_fusion")}
#: What is compared: the first less the second.
PAIRS = (
    ("late_fusion", "gru_ic"),
    ("late_fusion", "trees_rank"),
    ("late_fusion", "mean of gru_ic and trees_rank"),
    ("mean of late_fusion and trees_rank", "mean of gru_ic and trees_rank"),
    ("late_fusion_linear", "late_fusion"),
    ("late_fusion_dropout", "late_fusion"),
)


@dataclass(frozen=True)
class Worth:
    """By day: RankIC, and the top's return less all."""

    rank_ic: Float64
    top: Float64

    def less(self, other: Worth) -> Worth:
        """Day by day."""
        return Worth(self.rank_ic - other.rank_ic, self.top - other.top)

    def said(self, digits: int = 3, sign: str = "") -> tuple[str, str]:
        """Means with their t: of the RankIC, and of the top in points a year."""
        ic, top = (one[np.isfinite(one)] for one in (self.rank_ic, self.top))
        points = top.mean() * 100 * YEAR / FIVE
        return (
            f"{ic.mean():{sign}.{digits}f} ({newey_west_t(ic, TEN):.1f})",
            f"{points:{sign}.1f} ({newey_west_t(top, FIVE):.1f})",
        )


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("runs", type=Path)
    given = parser.parse_args()
    market, recipe = open_market(given.market), load_recipe(str(RECIPE))
    jobs = RunFolder(given.runs / recipe.name).jobs
    planned = plan(recipe, market, jobs)
    said, scores = {}, {}
    with settled_torch():
        for job in planned.jobs:
            if (trained := read_trained(jobs / job.key)) is not None:
                said[job.arm.name] = trained
                arrays = arrays_of(planned.arrays, job)
                sampler = Sampler(open_data(arrays), store=Store(arrays.folder))
                scores[job.arm.name] = [scored(job, sampler, jobs, span) for span in (job.fold.valid, job.fold.test)]
    for name, of in MEANS.items():
        if set(of) <= set(scores):
            scores[name] = [mean([scores[one][k] for one in of]) for k in (0, 1)]
    spans = (planned.jobs[0].fold.valid, planned.jobs[0].fold.test)
    print(section({name: [worth(market, *pair) for pair in zip(both, spans, strict=True)]
                   for name, both in scores.items()}, said))  # fmt: skip


def scored(job: Job, sampler: Sampler, jobs: Path, span: range) -> Float64:
    """Scores (days, N) of a span by what the job has fitted; NaN = none."""
    by = scorer_of(replace(job, fold=replace(job.fold, test=span)), sampler, jobs / job.key)
    out = np.full((len(span), len(sampler.data.symbols)), np.nan)
    for row, t in zip(out, span, strict=True):
        stocks, values = by.scores(t)
        row[stocks] = values
    return out


def mean(of: list[Float64]) -> Float64:
    """Of scores, each z-scored by day."""
    together: Float64 = np.mean([zscore_rows(one, np.isfinite(one)) for one in of], axis=0)
    return together


def worth(market: Market, scores: Float64, span: range) -> Worth:
    """What the scores of a span's days were worth."""
    rank_ic, top = [], []
    ten, five = (forward_return(market.panel, "t1_close", days)[span.start : span.stop] for days in (TEN, FIVE))
    for row, far, near in zip(scores, ten, five, strict=True):
        both = [np.isfinite(row) & np.isfinite(one) for one in (far, near)]
        rank_ic.append(spearman(row[both[0]], far[both[0]]) if both[0].sum() >= 20 else np.nan)
        top.append(top_excess(row[both[1]], near[both[1]]) if both[1].sum() >= 20 else np.nan)
    return Worth(np.array(rank_ic), np.array(top))


def section(found: dict[str, list[Worth]], said: dict[str, dict]) -> str:
    """Two tables: what each score was worth, and the differences."""
    lines = [
        "| score | epochs (best) | CPU-s | validation: RankIC of its label | RankIC (t) | top (t) "
        "| test: RankIC (t) | top (t) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (valid, test) in found.items():
        fit = said.get(name)
        own = ("–",) * 3
        if fit is not None:
            epochs = f"{fit['epochs']} ({fit['best_epoch']})" if fit["epochs"] else "–"
            own = (epochs, f"{fit['cpu']:.0f}", f"{fit['valid_rank_ic']:.4f}")
        lines.append("| " + " | ".join((name, *own, *valid.said(), *test.said())) + " |")
    lines += [
        "",
        "| difference | validation: RankIC (t) | top (t) | test: RankIC (t) | top (t) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one, other in PAIRS:
        if one in found and other in found:
            valid, test = (a.less(b) for a, b in zip(found[one], found[other], strict=True))
            lines.append(f"| {one} less {other} | " + " | ".join((*valid.said(4, "+"), *test.said(4, "+"))) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
