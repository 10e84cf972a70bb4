"""Scores beside a simulated market's truth. Nothing else may look at it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deepfactor.core.arrays import Bools
from deepfactor.evaluation.factor_test import TestSettings, test_factor
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.evaluation.records import ICRecord, OracleFile
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

#: Horizon in trading days of the oracle that scores are correlated with.
ORACLE_HORIZON = 10


def oracle_report(
    truth: Mapping[int, Scores],
    visible: Scores | None,
    arms: Mapping[str, Scores],
    panel: Panel,
    universe: Universe,
    settings: TestSettings,
    *,
    eligible: Bools,
) -> OracleFile:
    """The oracle tested like a factor on the arms' days, and how far the arms agree with it.

    Parameters
    ----------
    truth : mapping of horizon h in trading days to the oracle of h-day returns, tested on these.
    visible : the part of the 10-day oracle that prices and volumes show; None where the market doesn't say.
    arms : mapping of name to scores.
    eligible : (T, N) bool, who may be scored, the universe `all`.

    Returns
    -------
    ``records`` as in ``factor_report.json`` (convention `t1_close`), ``correlation``: arm → mean over the days of the
    cross-sectional Pearson correlation of its scores with the 10-day oracle (None where there is none), and
    ``visible_correlation``: the same with `visible`.
    """
    days = np.any([np.isfinite(scores.values).any(axis=1) for scores in arms.values()], axis=0)
    alone = settings.model_copy(
        update={"groups": {}, "other_groups": 0, "tops": (), "conventions": ("t1_close",), "top_every": (), "decay": 0}
    )
    records: list[ICRecord] = []
    for horizon, oracle in truth.items():
        seen = Scores("oracle", oracle.dates, oracle.symbols, np.where(days[:, None], oracle.values, np.nan))
        one = alone.model_copy(update={"horizons": (horizon,)})
        records += test_factor(seen, panel, universe, one, eligible=eligible).to_json_dict()["records"]
    return {
        "records": records,
        "correlation": _agreements(arms, truth.get(ORACLE_HORIZON), eligible),
        "visible_correlation": _agreements(arms, visible, eligible),
    }


def _agreements(arms: Mapping[str, Scores], oracle: Scores | None, eligible: Bools) -> dict[str, float | None]:
    """Each arm's agreement with an oracle; nothing where there is no oracle."""
    return {} if oracle is None else {name: _agreement(scores, oracle, eligible) for name, scores in arms.items()}


def _agreement(scores: Scores, oracle: Scores, eligible: Bools) -> float | None:
    """Mean over the scored days of the Pearson correlation over the eligible stocks."""
    days = scores.scored_days()
    daily = information_coefficients(scores.values[days], oracle.values[days], eligible[days]).ic
    return float(np.nanmean(daily)) if np.isfinite(daily).any() else None
