"""``python -m benchmarks.evaluation``: what testing a factor and building portfolios cost, against alphalens, cvxpy,
highspy and linprog; writes ``benchmarks/RESULTS-evaluation.md``. Sections can be named as arguments; then the page is
printed only.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.process import settle
from benchmarks.timing import Line, compare, cpu

_RESULTS = Path(__file__).with_name("RESULTS-evaluation.md")
_ROOT = Path(__file__).parents[1]
_CVXPY = _ROOT / ".peers" / "cvxpy" / "bin" / "python"
#: (stocks, days) of the factor test: two numbers of stocks, and of days; rounds against alphalens.
SMALL, SHORT, LARGE = (1000, 750), (4000, 250), (4000, 750)
ROUNDS = 3
#: Stocks and rounds of the rebalances for cvxpy.
PROGRAMS = {1250: 3, 5000: 3}

_INTRO = """# Speed of evaluation

Written by `make bench-evaluation` (`python -m benchmarks.evaluation`); do not edit. CPU seconds of one thread; every
round runs each way once, in turn. *ours* and *other* are medians; **other ÷ ours** is the median of the rounds' ratios
(least to largest): above 1 ours is faster. Ratios hold up on a busy machine, absolute times don't: see the load.
"""

_NOTES = """## How to read it

* *Factor test*: horizons 1, 5, 10, 20 of minus the 20-day return of a random walk. alphalens-reloaded gives the
  numbers of its full tear sheet without figures: clean factor, returns by decile, alpha and beta, IC, turnover,
  autocorrelation. Ours gives IC and RankIC with statistics by year over all and over tradeable names, the long leg,
  weekly deciles with their curves, turnover, autocorrelation. Its daily rank coefficients equal alphalens's to 1e-12,
  or this page isn't written. *Exponents* are of ours between two sizes; 1 is linear.
* *Linear program*: one rebalance under Study B's constraints. highspy and linprog get a program that is ready; ours
  starts from the day's facts, checks the answer and says what binds. cvxpy, in its own environment (`make peers`),
  starts from the same facts. Objectives are compared before anything is timed.
* *Backtest*: Study B, weekly, simulated market; see the rest of it beside its linear programs.
"""


def factor_tests() -> list[Line]:
    """Against alphalens at two sizes; growth of ours."""
    from benchmarks.peers import alphalens_test as peer

    warnings.simplefilter("ignore")  # alphalens's own
    lines = []
    median: dict[tuple[int, int], float] = {}
    for size in (SMALL, LARGE):
        found = peer.compared(*size, ROUNDS)
        if found.off > peer.AGREEMENT:
            raise AssertionError(f"alphalens's rank coefficients differ by {found.off:.1e}")
        median[size] = statistics.median(found.ours)
        what = "horizons 1, 5, 10, 20, deciles, turnover"
        target = "≥ 20" if size == LARGE else ""
        other = f"alphalens-reloaded (differs by {found.off:.0e})"
        lines.append(compare(what, _stock_days(size), found.ours, other, found.theirs, target))
    panel, universe = peer.market(*SHORT)
    scores = peer.reversal(panel)
    median[SHORT] = statistics.median(cpu(lambda: peer.ours(scores, panel, universe)) for _ in range(3))
    for small, k, what in ((SMALL, 0, "stocks"), (SHORT, 1, "days")):
        power = _exponent(median[small], median[LARGE], LARGE[k] / small[k])
        note = f"{_stock_days(small)}: exponent {power:.2f}"
        lines.append(
            Line(f"the same, growth in {what}", _stock_days(LARGE), median[LARGE], note, target="exponent about 1")
        )
    return lines


def linear_programs() -> list[Line]:
    """Against highspy and linprog, and cvxpy where its environment is."""
    from benchmarks import programs

    lines = programs.measure()
    small, large = (next(x.ours for x in lines if x.size == f"{n} stocks") for n in programs.STOCKS)
    power = _exponent(small, large, programs.STOCKS[1] / programs.STOCKS[0])
    note = f"{programs.STOCKS[0]} stocks: exponent {power:.2f}"
    lines.append(Line("the same, growth", f"{programs.STOCKS[1]} stocks", large, note, target="exponent about 1"))
    if not _CVXPY.exists():
        return [*lines, Line("the same", "", 0.0, "cvxpy: not measured; `make peers` makes its environment")]
    for stocks, rounds in PROGRAMS.items():
        times = _cvxpy(stocks, rounds)
        lines += [
            compare("LP from the day's facts", f"{stocks} stocks", times["ours"], way, times[way],
                    "≥ 8" if way == "cvxpy, default" and stocks == max(PROGRAMS) else "")
            for way in times
            if way != "ours"
        ]  # fmt: skip
    return lines


def _cvxpy(stocks: int, rounds: int) -> dict[str, list[float]]:
    command = [str(_CVXPY), "-m", "benchmarks.peers.programs", str(stocks), str(rounds)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT / "src"), str(_ROOT)])}
    done = subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)
    if not done.stdout.strip().endswith("}"):
        raise AssertionError(f"cvxpy's side ended with {done.returncode}: {done.stderr[-400:]}")
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def backtest() -> list[Line]:
    """At two sizes, and growth between them."""
    from benchmarks import backtests, markets

    with tempfile.TemporaryDirectory() as folder:
        small = markets.build(markets.SMALL, Path(folder) / "small")
        lines = backtests.measure(small, 3, target=True)
        large = markets.build(markets.LARGE, Path(folder) / "large")
        more = backtests.measure(large, 1, target=False)
        times = large.panel.shape[1] / small.panel.shape[1]
    grown = [
        replace(b, target=f"{b.target} exponent about 1 at most: {_exponent(a.ours, b.ours, times):.2f}".strip())
        for a, b in zip(lines, more, strict=True)
    ]
    return lines + grown


def _stock_days(size: Sequence[int]) -> str:
    return f"{size[0]} stocks × {size[1]} days"


def _exponent(small: float, large: float, times: float) -> float:
    return math.log(large / small) / math.log(times)


def main() -> None:
    """Measure section by section and write the page."""
    from benchmarks.sections import write_sections

    # The backtest's mark is absolute: it comes first, before alphalens has filled the process.
    ways = {"Backtest": backtest, "Factor test": factor_tests, "Linear program": linear_programs}
    write_sections(_RESULTS, ways, _INTRO, _NOTES)


if __name__ == "__main__":
    settle("benchmarks.evaluation")
    main()
