"""Derived price limits of the real market against the vendor's limit_pct and its closes.

``python -m research.real_limits MARKET FOLDER`` with a market of the mapping ``ashare_parquet`` and the vendor's
folder. Prints tables; writes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.panel.audit import REASONS, audit_panel
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe


def against_vendor(panel: Panel, universe: Universe, folder: Path) -> pl.DataFrame:
    """By year: traded stock-days whose limit_pct is known and finite on both sides, and those that differ.

    The half width of our limits over their mean is the rate but for rounding to the fen: half a fen each.
    """
    steps = pl.read_parquet(folder / "status_steps.parquet").filter(pl.col("field") == "limit_pct").sort("date")
    ours = pl.col("symbol").cast(pl.String).str.replace(r"^(..)(\d{6})$", "$2.$1")
    days = pl.Series(panel.dates)
    agree, differ = np.zeros(len(panel.dates), dtype=int), np.zeros(len(panel.dates), dtype=int)
    column = {symbol: n for n, symbol in enumerate(panel.symbols.tolist())}
    for (symbol,), rows in steps.with_columns(ours.alias("symbol")).group_by("symbol", maintain_order=True):
        if symbol not in column:
            continue
        n = column[str(symbol)]
        at = rows["date"].search_sorted(days, side="right").to_numpy().astype(int) - 1
        vendor = np.where(at >= 0, rows["value"].to_numpy()[np.maximum(at, 0)], np.nan)
        up, down = universe.limit_up[:, n].astype(float), universe.limit_down[:, n].astype(float)
        known = universe.traded[:, n] & (up > 0) & np.isfinite(vendor) & (vendor < 999)
        with np.errstate(invalid="ignore", divide="ignore"):
            same = np.abs(100 * (up - down) / (up + down) - vendor) < 100 / (up + down) + 0.01
        agree += known & same
        differ += known & ~same
    year = pl.Series("year", panel.dates.astype("datetime64[Y]").astype(int) + 1970)
    table = pl.DataFrame({"year": year, "agree": agree, "differ": differ}).group_by("year").sum().sort("year")
    return table.filter(pl.col("agree") + pl.col("differ") > 0)


def main() -> None:
    """Print the two tables."""
    market, folder = map(Path, sys.argv[1:3])
    panel, universe = open_panel(market)
    print("limit_pct against derived limits, traded stock-days")
    for year, agree, differ in against_vendor(panel, universe, folder).rows():
        print(f"  {year}  agree {agree:>9,}  differ {differ:>6,}  ({differ / (agree + differ):.4%})")
    audit = audit_panel(panel, universe)
    print(f"closes beyond the derived limit: year, board, stock-days with a limit, {', '.join(REASONS)}, unexplained")
    limited = strange = 0
    for one in audit.beyond:
        unexplained = one.reasons["unexplained"]
        limited, strange = limited + one.limited, strange + unexplained
        counts = " ".join(f"{n:>5}" for n in one.reasons.values())
        print(f"  {one.year} {one.board:<8}{one.limited:>10,} {counts}  {unexplained / one.limited:.4%}")
    print(f"  all{'':>10}{limited:>10,}  unexplained {strange:,}  {strange / limited:.4%}")


if __name__ == "__main__":
    main()
