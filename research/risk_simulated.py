"""A risk model's forecasts beside the truth of a simulated market.

``python -m research.risk_simulated MARKET`` simulates a market, makes the risk model of the style set `barra_cne5` as
for any other, and compares the tracking errors that it forecasts for random portfolios each fifth day with those of the
day after by the covariance that the market was made from: market, industries, size, size groups, value, and each
stock's own noise on that day. Returns are cut at the price limits, which the truth doesn't know of.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.pipeline.markets import StyleSets, open_market, simulate
from deepfactor.pipeline.risk import risk_model
from deepfactor.risk.settings import RiskSettings
from deepfactor.sources._simulation import day_loop
from deepfactor.sources._simulation import market as simulated
from deepfactor.sources._simulation.settings import Settings
from deepfactor.styles.base import ROOM as STYLES

SETTINGS = Settings(stocks=800, start=date(2016, 1, 4), end=date(2019, 12, 31))
INDEX = "000905.SH"
EVERY, PORTFOLIOS, YEAR = 5, 8, 252


def truth(settings: Settings) -> list[dict[str, Any]]:
    """Of each published day what its common return and noise are made from: size, groups, sigma, all (N,)."""
    world, days = simulated.make_world(settings), []
    common, prices = day_loop._common_return, day_loop._prices

    def seen(world: Any, row: int, draws: Any, size: Float64, groups: Any) -> Float64:
        days.append({"row": row, "size": size.copy(), "groups": groups.copy()})
        return common(world, row, draws, size, groups)

    def priced(reference: Any, unlimited: Any, gap: Any, deviation: Float64, *rest: Any) -> Any:
        days[-1]["sigma"] = np.sqrt(np.maximum(deviation**2 - settings.volatility.market**2, 0.0))
        return prices(reference, unlimited, gap, deviation, *rest)

    with mock.patch.object(day_loop, "_common_return", seen), mock.patch.object(day_loop, "_prices", priced):
        simulated.run_market(world)
    kept = [day for day in days if day["row"] >= world.clock.start]
    return [{**day, "firms": world.firms} for day in kept]


def deviation(day: dict[str, Any], settings: Settings, active: Float64) -> float:
    """Standard deviation a year of active weights (N,) under the day's covariance."""
    v, firms = settings.volatility, day["firms"]
    parts = [
        (v.market * (firms.beta @ active)) ** 2,
        (v.size * (day["size"] @ active)) ** 2,
        (v.value * (firms.value @ active)) ** 2,
        (v.industry**2) * (np.bincount(firms.industry, active) ** 2).sum(),
        (v.size_group**2) * (np.bincount(day["groups"], active) ** 2).sum(),
        ((day["sigma"] * active) ** 2).sum(),
    ]
    return float(np.sqrt(sum(parts) * YEAR))


def main() -> None:
    """Simulate, forecast, compare, print a line a year."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("market", type=Path)
    given = parser.parse_args()
    if not (given.market / "manifest.json").is_file():
        simulate(given.market, SETTINGS)
    market, days = open_market(given.market), truth(SETTINGS)
    kind = STYLES.choose("barra_cne5")
    styles = dict(StyleSets(market).of(kind).exposures)
    model = risk_model(market, kind, styles, RiskSettings())
    universe, panel = market.universe, market.panel
    world = simulated.make_world(SETTINGS)
    code = {symbol: i for i, symbol in enumerate(world.firms.symbols.tolist())}
    column = np.array([code[symbol] for symbol in panel.symbols.tolist()])
    rng, found = np.random.default_rng(0), []
    for row in range(YEAR, len(panel.dates) - 1, EVERY):
        bench = universe.benchmark[INDEX][row].astype(np.float64)
        bench /= bench.sum()
        traded, members = np.flatnonzero(universe.traded[row]), np.flatnonzero(bench)
        for k in range(PORTFOLIOS):
            weights = np.zeros(len(bench))
            some = rng.choice(traded if k % 2 else members, 60, replace=False)
            weights[some] = 1 / 60
            active = weights - bench
            names = np.flatnonzero(active)
            said = model.of_market(row, names, universe, styles).tracking_error(active[names])
            firms = np.zeros(SETTINGS.stocks)
            firms[column] = active
            found.append((int(str(panel.dates[row])[:4]), said / deviation(days[row + 1], SETTINGS, firms)))
    table = np.array(found)
    for year in [*np.unique(table[:, 0]).tolist(), None]:
        own = table[:, 1] if year is None else table[table[:, 0] == year, 1]
        low, high = np.quantile(own, [0.05, 0.95])
        name = "all" if year is None else f"{year:.0f}"
        print(f"{name}: forecast / truth {own.mean():.3f}, 5 % to 95 % {low:.3f} to {high:.3f}, of {len(own):,}")


if __name__ == "__main__":
    main()
