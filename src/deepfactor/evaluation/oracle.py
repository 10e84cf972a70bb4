"""Scores beside a simulated market's truth. Nothing else may look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepfactor.evaluation.factor_test import TestSettings, test_factor
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.panel.panel import Bools, Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe


def oracle_report(
    truth: Mapping[int, Scores],
    arms: Mapping[str, Scores],
    panel: Panel,
    universe: Universe,
    settings: TestSettings,
    *,
    batch: Bools,
) -> dict[str, Any]:
    """The oracle tested like a factor on the arms' days, and how far the arms agree with it.

    Parameters
    ----------
    truth : mapping of horizon h in trading days to the oracle of h-day returns, tested on these.
    arms : mapping of name to scores.
    batch : (T, N) bool, the universe `all`.

    Returns
    -------
    ``records`` as in ``factor_report.json`` (convention `t1_close`), ``correlation``: arm → mean over the days of the
    cross-sectional Pearson correlation of its scores with the 10-day oracle (None where there is none).
    """
    days = np.any([np.isfinite(scores.values).any(axis=1) for scores in arms.values()], axis=0)
    alone = settings.model_copy(
        update={"groups": {}, "other_groups": 0, "tops": (), "conventions": ("t1_close",), "top_every": ()}
    )
    records = []
    for horizon, oracle in truth.items():
        seen = Scores("oracle", oracle.dates, oracle.symbols, np.where(days[:, None], oracle.values, np.nan))
        one = alone.model_copy(update={"horizons": (horizon,)})
        records += test_factor(seen, panel, universe, one, batch=batch).to_json_dict()["records"]
    ten = truth.get(10)
    correlation = {} if ten is None else {name: _agreement(scores, ten, batch) for name, scores in arms.items()}
    return {"records": records, "correlation": correlation}


def _agreement(scores: Scores, oracle: Scores, batch: Bools) -> float | None:
    """Mean over the scored days of the Pearson correlation over the batch."""
    days = scores.scored_days()
    daily = information_coefficients(scores.values[days], oracle.values[days], batch[days]).ic
    return float(np.nanmean(daily)) if np.isfinite(daily).any() else None
