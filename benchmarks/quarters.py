"""``python -m benchmarks.quarters [STOCKS]``: CPU seconds of the last twelve quarters of all items over 13 years.

Wanted: at most 60 for 13 items of 5000 stocks over 3000 days.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

from benchmarks.markets import build_once
from benchmarks.process import settle
from benchmarks.timing import cpu
from deepfactor.features.quarters import QuarterSettings, fundamental_quarters
from deepfactor.panel.build import open_panel

START, END = dt.date(2010, 1, 4), dt.date(2022, 12, 30)


def main() -> None:
    """Build the market, then the arrays three times."""
    stocks = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder:
        build_once(stocks, Path(folder), START, END)
        panel, _ = open_panel(Path(folder))
        found = fundamental_quarters(QuarterSettings(), panel)
        seconds = sorted(cpu(lambda: fundamental_quarters(QuarterSettings(), panel)) for _ in range(3))
    days, listed = panel.shape
    print(f"{len(found.names)} items × {found.values.shape[1]} quarters, {listed} stocks × {days} days: "
          f"{seconds[1]:.1f} CPU-s ({seconds[0]:.1f} to {seconds[-1]:.1f})")  # fmt: skip


if __name__ == "__main__":
    settle("benchmarks.quarters")
    main()
