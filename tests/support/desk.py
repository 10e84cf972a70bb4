"""A small market of all boards, accounts and constraint sets for the desk's tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfactor.backtest.signals import Knowledge
from deepfactor.desk.holdings import Holdings
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.portfolio.presets import Enhancement, parse_enhancement
from support.portfolio import random_scores
from support.toy import INDEX, toy_market

#: In ascending order: main board, ChiNext, Beijing, main board, STAR.
PREFIXES = ("00000", "30000", "43000", "60000", "68800")
EXCHANGES = ("SZ", "SZ", "BJ", "SH", "SH")


def desk_market(seed: int = 0, days: int = 60) -> tuple[Panel, Universe]:
    """25 stocks, five of each board; the last day ends at a limit for some and is a suspension for others."""
    panel, universe = toy_market(days=days, stocks=25, seed=seed)
    symbols = np.array([f"{p}{k}.{e}" for p, e in zip(PREFIXES, EXCHANGES, strict=True) for k in range(1, 6)])
    rng = np.random.default_rng(seed)
    fen = np.rint(np.nan_to_num(panel["close"].astype(np.float64)) * 100).astype(np.int32)
    up, down = universe.limit_up.copy(), universe.limit_down.copy()
    up[-1] = np.where(rng.random(25) < 0.15, fen[-1], up[-1])
    down[-1] = np.where(rng.random(25) < 0.15, fen[-1], down[-1])
    return replace(panel, symbols=symbols), replace(universe, symbols=symbols, limit_up=up, limit_down=down)


def desk_knowledge(seed: int = 0, days: int = 60) -> Knowledge:
    panel, universe = desk_market(seed, days)
    return Knowledge(panel, universe, random_scores(panel, seed), {}, INDEX, universe.traded & ~universe.st)


def desk_constraints(**more: object) -> Enhancement:
    """Loose limits that give way, by the drifted weights."""
    constraints = [{"kind": "stock_active_weight", "limit": 0.2}, {"kind": "turnover", "limit": 0.6}]
    content = {"constraints": constraints, "relax_order": ["turnover", "stock"], **more}
    return parse_enhancement(content)


def random_holdings(rng: np.random.Generator, panel: Panel, value: float) -> Holdings:
    """Odd lots of half the stocks that have a price, some of them not sellable, and some cash."""
    priced = np.isfinite(panel["close"]).any(axis=0)
    shares = np.where(priced & (rng.random(25) < 0.5), np.floor(rng.exponential(value / 400, 25)), 0.0)
    locked = np.where(rng.random(25) < 0.2, np.floor(shares * rng.random(25)), 0.0)
    cash = round(float(rng.choice([0.0, 123.45, value * rng.random()])), 2)
    return Holdings(shares, shares - locked, np.full(25, np.nan), cash)


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path
