"""``python -m research.styles MARKET``: what the style sets are like on a market, to ``docs/results/styles.md``.

Aggregates only. Everything is measured on the last trading day of each month, over the stocks that traded on it.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Indices
from deepfactor.core.files import write_text
from deepfactor.pipeline.markets import Market, open_market, style_exposures
from deepfactor.runs.environment import machine, versions
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.styles.base import Styles

SETS = ("study_a", "barra_cne5")
#: Fewest stocks that a cross-section's correlation is taken of.
_LEAST = 30


def main() -> None:
    """Measure both sets and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "results" / "styles.md")
    given = parser.parse_args()
    market = open_market(given.market)
    parts = [_head(market)]
    for name in SETS:
        began = time.process_time()
        styles = style_exposures(STYLES.choose(name), market)
        styles = Styles(dict(styles.exposures), styles.absent)  # of all days
        parts.append(_section(name, market, styles, time.process_time() - began))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    parts.append(f"Peak memory of the whole process: {peak:.1f} GB.\n")
    write_text(given.out, "\n".join(parts))
    print(f"{given.out} after {time.process_time():.0f} CPU-s, {peak:.1f} GB")


def month_ends(dates: Dates) -> Indices:
    """Rows of the last trading day of each month; the last month only if another follows it."""
    month = dates.astype("datetime64[M]")
    return np.flatnonzero(month[1:] != month[:-1])


def correlation(a: Float64, b: Float64) -> float:
    """Pearson correlation over what both have; NaN for fewer than `_LEAST` stocks or without spread."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < _LEAST or a[both].std() == 0 or b[both].std() == 0:
        return float("nan")
    return float(np.corrcoef(a[both], b[both])[0, 1])


def _head(market: Market) -> str:
    account, run_by = market.account(), versions()
    span = " to ".join(account["span"])
    return f"""# What the style sets are like on real data

Made by

```
deepfactor ingest ashare_parquet MARKET --folder DIR
python -m research.styles MARKET
```

Market: source `{account["source"]}`, {span}, {account["stocks"]} stocks, {account["days"]} days.
Machine: {machine()["processor"]}; numpy {run_by["numpy"]}, deepfactor {run_by["deepfactor"]}.

All on the last trading day of each month, over the stocks that traded on it.

* **Autocorrelation**: mean correlation of exposures with those of the next month's end, stocks that have both.
* **Correlation**: mean over months of the cross-sectional correlation (Pearson).
* **Coverage**: share of the traded stocks that have an exposure.

Size is float market value. Ratios to price use total market value, and company styles the reports, as far as the source
has them: see its mapping's notes.
"""


def _section(name: str, market: Market, styles: Styles, seconds: float) -> str:
    rows = month_ends(market.panel.dates)
    traded = market.universe.traded[rows]
    held = {k: np.where(traded, v[rows].astype(np.float64), np.nan) for k, v in styles.exposures.items()}
    lines = [f"## {name}", "", f"{seconds:.0f} CPU-s for {len(held)} styles.", ""]
    lines = lines if styles.absent else lines[:-1]
    lines += [f"* absent: `{style}`: {why}" for style, why in sorted(styles.absent.items())]
    lines += ["", "### Autocorrelation over a month, and correlations", "", _correlations(held)]
    lines += ["", "### Coverage by year", "", _coverage(held, traded, market.panel.dates[rows]), ""]
    return "\n".join(lines)


def _correlations(held: dict[str, Float64]) -> str:
    table = [["", "autocorrelation", *held]]
    for a, x in held.items():
        own = [correlation(x[m], x[m + 1]) for m in range(len(x) - 1)]
        others = [[correlation(x[m], y[m]) for m in range(len(x))] for b, y in held.items()]
        table.append([f"**{a}**", _number(own), *map(_number, others)])
    return _table(table)


def _coverage(held: dict[str, Float64], traded: Bools, days: Dates) -> str:
    year = days.astype("datetime64[Y]").astype(int) + 1970
    table = [["year", "stocks traded", *held]]
    for y in np.unique(year):
        mine = year == y
        whole = traded[mine].sum()
        shares = [f"{np.isfinite(x[mine]).sum() / whole:.2f}" for x in held.values()]
        table.append([str(y), f"{whole / mine.sum():.0f}", *shares])
    return _table(table)


def _number(values: list[float]) -> str:
    known = [v for v in values if np.isfinite(v)]
    return f"{np.mean(known):.2f}".replace("-0.00", "0.00").replace("-", "−") if known else "–"


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


if __name__ == "__main__":
    main()
