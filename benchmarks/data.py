"""``python -m benchmarks.data``: what it costs to get from a seed to a panel and to read a factor test off it; writes
``benchmarks/RESULTS-data.md``. Sections can be named as arguments; then the page is printed only.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from benchmarks.process import settle

_RESULTS = Path(__file__).with_name("RESULTS-data.md")

_INTRO = """# Speed of data

Written by `make bench-data` (`python -m benchmarks.data`); do not edit. CPU seconds of one thread; every round runs
each way once, in turn. *ours* and *other* are medians; **other ÷ ours** is the median of the rounds' ratios (least to
largest): above 1 ours is faster. Ratios hold up on a busy machine, absolute times don't: see the load.
"""

_NOTES = """## How to read it

* *Market to panel*: simulated markets, whose tables hold a row a stock and day, and index weights. *Exponents* are of
  cost in rows between the two sizes; 1 is linear.
* *Factor test*: minus the 20-day return. *Plain numpy*: forward returns, ranks by two argsorts, IC, RankIC, decile
  means and turnover in a loop over days. Ours also gives averages for ties, Newey–West statistics by year and curves of
  weekly decile portfolios; alphalens stands in `RESULTS-evaluation.md`.
"""


def main() -> None:
    """Measure section by section and write the page."""
    from benchmarks import factor_tests, markets
    from benchmarks.sections import write_sections

    with tempfile.TemporaryDirectory() as folder:
        small = cache(lambda: markets.build(markets.SMALL, Path(folder) / "small"))
        large = cache(lambda: markets.build(markets.LARGE, Path(folder) / "large"))
        ways = {
            "Market to panel": lambda: markets.throughput(small(), large()),
            "Factor test": lambda: factor_tests.measure(large().panel, large().universe),
        }
        write_sections(_RESULTS, ways, _INTRO, _NOTES)


if __name__ == "__main__":
    settle("benchmarks.data")
    main()
