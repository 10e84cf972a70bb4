"""How the rows of `daily` follow each other: prices and factors, days that are short, units that change."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl

from deepfactor.store.checks.adjustment import OF_MOVES, check_adjustment
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding
from deepfactor.store.checks.grid import Grid
from deepfactor.store.checks.short_days import check_short_days
from deepfactor.store.checks.unit_levels import check_unit_levels

#: Codes of the warnings here: those of new days add to those of the days before.
OF_HISTORY = OF_MOVES | {"short_days", "late_start", "unit_jump", "unit_of_board", "unit_of_symbols"}


def check_history(
    daily: pl.DataFrame,
    basis: Basis,
    securities: pl.DataFrame | None = None,
    *,
    since: date | None = None,
    known: Collection[str] = (),
    factored: Collection[str] = (),
) -> list[Finding]:
    """Findings of `daily`, whose form is right; for the parameters see `check_adjustment`."""
    out = check_adjustment(daily, basis, securities, since=since, known=known, factored=factored)
    if daily.is_empty():
        return out
    grid = Grid.of(daily)
    return [*out, *check_short_days(grid, since), *check_unit_levels(grid, daily, basis, since)]
