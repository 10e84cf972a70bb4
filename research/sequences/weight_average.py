"""Which rate of the exponential weight average sequences should have by default, by the validation years 2015–2018.

::

    python -m research.sequences.weight_average MARKET OUT [--losses ic,weighted_mse] [--rates none,0.01,0.03]

Trains `study_b_full`'s GRU with one seed on the four folds that validate on 2015 to 2018 for each loss and rate, and
prints a table; nothing of a test year is looked at. Killed, it goes on from the last epoch; losses can be shared out
between processes with one OUT.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from deepfactor.pipeline.markets import open_market
from research.sequences.trained import Course, train

#: Folds that test 2016 … 2019 validate on the years before.
PLAN = ("plan.first_test=2016", "plan.last_test=2019", "fit.seeds=[0]")
ARMS = {"ic": "gru_ic", "weighted_mse": "gru_mse"}


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(prog="python -m research.sequences.weight_average", description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--losses", default=",".join(ARMS))
    parser.add_argument("--rates", default="none,0.01,0.03")
    given = parser.parse_args()
    market, lines = open_market(given.market), []
    for loss in given.losses.split(","):
        for rate in given.rates.split(","):
            own = () if rate == "none" else (f"fit.weight_average={rate}",)
            courses = train(market, given.out, ARMS[loss], (*PLAN, *own))
            lines.append(row(loss, rate, courses))
            print(lines[-1], flush=True)
    print("\n".join([HEAD, *lines]))


HEAD = (
    "| loss | rate | 2015 | 2016 | 2017 | 2018 | mean | best epoch | change an epoch | CPU-s a job |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def row(loss: str, rate: str, courses: list[Course]) -> str:
    """A line of the table: the best validation RankIC of each year, and how it was reached."""
    years = [f"{course.best:.4f}" for course in courses]
    mean = statistics.fmean(course.best for course in courses)
    epochs = ", ".join(str(course.best_epoch) for course in courses)
    change = statistics.fmean(course.restlessness for course in courses)
    cpu = statistics.fmean(course.cpu[-1] for course in courses)
    cells = [loss, rate, *years, f"{mean:.4f}", epochs, f"{change:.4f}", f"{cpu:.0f}"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
