"""``python -m benchmarks``: measure all and write ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.process import settle

_RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Measure section by section, say how long each took, write the page."""
    from benchmarks import backtests, factor_tests, gat, kernels, markets, networks, programs, trainer
    from benchmarks.page import page
    from benchmarks.timing import Line
    from deepfactor.core.files import write_text
    from deepfactor.runs.environment import machine, versions

    before = os.getloadavg()[0]
    sections: dict[str, list[Line]] = {}

    def section(title: str, measure: Callable[[], list[Line]]) -> None:
        sections[title] = measure()
        print(f"{title}: done after {time.process_time():.0f} CPU-s in all", file=sys.stderr, flush=True)

    section("Networks", networks.measure)
    section("GRU kernel", kernels.measure)
    section("Graph attention", gat.measure)
    section("Training", trainer.measure)
    section("Linear program", programs.measure)
    with tempfile.TemporaryDirectory() as folder:
        small = markets.build(markets.SMALL, Path(folder) / "small")
        large = markets.build(markets.LARGE, Path(folder) / "large")
        section("Market to panel", lambda: markets.throughput(small, large))
        section("Factor test", lambda: factor_tests.measure(large.panel, large.universe))
        section(
            "Backtest", lambda: backtests.measure(small, 3, target=True) + backtests.measure(large, 1, target=False)
        )
    load = (before, os.getloadavg()[0])
    facts = {"machine": machine(), "versions": versions(), "load": load, "cpu": time.process_time()}
    write_text(_RESULTS, page(sections, facts))
    print(_RESULTS)


if __name__ == "__main__":
    settle("benchmarks")
    main()
