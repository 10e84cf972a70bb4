"""Which rate of the exponential weight average sequences should have by default, by the years 2015–2018 alone.

::

    python -m research.sequences.weight_average MARKET OUT [--losses ic,weighted_mse] [--rates 0.01,0.03,none]

Trains `study_b_full`'s GRU with one seed on the folds that validate on 2015, 2016 and 2017, for each loss and rate. The
best epoch's validation RankIC would favour restless weights, of which the luckiest epoch is kept; so rates are compared
by the RankIC of the kept weights over the year after, 2016, 2017 and 2018. Killed, it goes on from the last epoch;
losses and years can be shared out between processes with one OUT.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from deepfactor.pipeline.markets import open_market
from research.sequences.trained import Course, train

#: Validation years.
YEARS = ("2016", "2015", "2017")
ARMS = {"ic": "gru_ic", "weighted_mse": "gru_mse"}


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(prog="python -m research.sequences.weight_average", description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--losses", default=",".join(ARMS))
    parser.add_argument("--rates", default="0.01,0.03,none")
    parser.add_argument("--years", default=",".join(YEARS), help="validation years, in the order of training")
    given = parser.parse_args()
    market, years = open_market(given.market), given.years.split(",")
    courses: dict[tuple[str, str], dict[str, Course]] = {}
    for year in years:
        for loss in given.losses.split(","):
            for rate in given.rates.split(","):
                (course,) = train(market, given.out, ARMS[loss], settings(int(year), rate))
                courses.setdefault((loss, rate), {})[year] = course
                print(
                    f"{loss} {rate} {year}: {course.best:.4f} at epoch {course.best_epoch}, {course.after:.4f}",
                    flush=True,
                )
    print("\n".join([HEAD, *(row(loss, rate, of) for (loss, rate), of in courses.items())]))


def settings(year: int, rate: str) -> list[str]:
    """Of a fit that validates on `year`, before the year that it would be tested on."""
    own = [] if rate == "none" else [f"fit.weight_average={rate}"]
    return [f"plan.first_test={year + 1}", f"plan.last_test={year + 1}", "fit.seeds=[0]", *own]


HEAD = (
    "| loss | rate | RankIC of 2016 | 2017 | 2018 | mean | RankIC of 2015, validated | 2016 | 2017 | mean | best epoch "
    "| change an epoch | CPU-s a job |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def row(loss: str, rate: str, courses: dict[str, Course]) -> str:
    """A line of the table: RankIC of the years after and of the validation years, and how they were reached."""
    of = [courses[year] for year in sorted(courses)]
    after, best = ([get(courses[y]) if y in courses else None for y in sorted(YEARS)] for get in (_after, _best))
    epochs = ", ".join(str(course.best_epoch) for course in of)
    change = statistics.fmean(course.restlessness for course in of)
    cpu = statistics.fmean(course.cpu[-1] for course in of)
    cells = [loss, rate, *_cells(after), *_cells(best), epochs, f"{change:.4f}", f"{cpu:.0f}"]
    return "| " + " | ".join(cells) + " |"


def _after(course: Course) -> float:
    return course.after


def _best(course: Course) -> float:
    return course.best


def _cells(values: list[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    return ["" if value is None else f"{value:.4f}" for value in (*values, statistics.fmean(known))]


if __name__ == "__main__":
    main()
