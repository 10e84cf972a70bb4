"""Share of a simulated market's true neighbours that the fundamental graph holds, by the ratios that it reads.

``python -m research.graph_recall`` prints least and largest of four days, as in ``docs/how-to/add-a-graph.md``.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bools
from deepfactor.graphs import fundamental
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.sources.simulated import Settings, open_source
from deepfactor.store.folder import write_market

#: Stocks and seed of each market.
MARKETS = ((300, 0), (1000, 1))
DAYS = (60, 200, 330, 450)

_DEFAULT = fundamental.Settings()
_FOUR = ("asset_turnover", "gross_margin", "leverage", "net_margin")
GRAPHS = {
    "the default": _DEFAULT,
    "four ratios": fundamental.Settings(ratios=_FOUR),
    "four and roe within industries": fundamental.Settings(ratios=(*_FOUR, "roe"), within_industry=True),
}


def market(stocks: int, seed: int) -> tuple[Panel, Universe, Bools]:
    """Panel, universe and truth (N, N) of a market of 2019 and 2020."""
    source = open_source(Settings(stocks=stocks, start=date(2019, 1, 2), end=date(2020, 12, 31), seed=seed), None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market"
        write_market(path, {name: source.fetch(name) for name in source.tables()}, source=source.describe())
        panel, universe = open_panel(path)
        place = {symbol: i for i, symbol in enumerate(panel.symbols.tolist())}
        truth = np.zeros((len(place), len(place)), dtype=bool)
        for stock, other in source.neighbours().iter_rows():
            truth[place[stock], place[other]] = True
        return panel, universe, truth


def recall(settings: fundamental.Settings, panel: Panel, universe: Universe, truth: Bools, row: int) -> float:
    """Share of the true pairs among the stocks that trade on a day."""
    columns = np.flatnonzero(universe.traded[row])
    index, _ = fundamental.edges(settings, panel, universe, row, columns)
    stock, place = np.nonzero(index[:, 1:] >= 0)
    found = np.zeros((len(columns), len(columns)), dtype=bool)
    found[stock, index[stock, place + 1]] = True
    true = truth[np.ix_(columns, columns)]
    return float((found & true).sum() / true.sum())


if __name__ == "__main__":
    for stocks, seed in MARKETS:
        facts = market(stocks, seed)
        for name, settings in GRAPHS.items():
            shares = [recall(settings, *facts, row) for row in DAYS]
            print(f"{stocks} stocks, {name}: {min(shares):.2f} to {max(shares):.2f}")
