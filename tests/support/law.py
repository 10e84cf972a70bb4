"""Law three, as a machine: nothing computed for days up to t may change when all after t is cut or scrambled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from deepfactor.panel.fundamentals import Fundamentals
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

Compute = Callable[[Panel, Universe], np.ndarray]  # (T, …): row t is what it says about day t


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def reads_future(
    compute: Compute, panel: Panel, universe: Universe, days: range, *, looks_ahead: int = 0
) -> int | None:
    """The first t of `days` whose rows ≤ t − `looks_ahead` change when rows after t are cut or scrambled; else None.

    `looks_ahead` is for labels, which by name read that many rows after their own.
    """
    whole = compute(panel, universe)
    for t in days:
        keep = slice(0, t + 1 - looks_ahead)
        for other in ((panel.until(t), universe.until(t)), scramble(panel, universe, t)):
            if not same_bits(whole[keep], compute(*other)[keep]):
                return t
    return None


def scramble(panel: Panel, universe: Universe, t: int) -> tuple[Panel, Universe]:
    """The same market with all after row t in another order, prices doubled, trading flipped."""
    rng = np.random.default_rng(t)
    order = np.r_[np.arange(t + 1), t + 1 + rng.permutation(len(panel.dates) - t - 1)]

    def mixed(x: np.ndarray) -> np.ndarray:
        y = x[order].copy()
        y[t + 1 :] = ~y[t + 1 :] if y.dtype == bool else y[t + 1 :] * 2
        return y

    fields = {k: mixed(v) for k, v in panel.fields.items()}
    changed = {k: mixed(getattr(universe, k)) for k in ("listed", "traded", "st", "limit_up", "limit_down")}
    changed["industry"] = universe.industry[order]
    maps = ("members", "benchmark", "index_close", "index_total_return")
    changed |= {k: {name: mixed(v) for name, v in getattr(universe, k).items()} for k in maps}
    return replace(panel, fields=fields, fundamentals=_restated(panel, t)), replace(universe, **changed)


def _restated(panel: Panel, t: int) -> Fundamentals | None:
    """The reports with every figure that becomes known after row t turned round."""
    if panel.fundamentals is None:
        return None
    day = int(panel.dates[t].astype(int))
    items = {
        item: replace(e, value=np.where(e.known > day, -7 * e.value - 1, e.value))
        for item, e in panel.fundamentals.items.items()
    }
    return replace(panel.fundamentals, items=items)
