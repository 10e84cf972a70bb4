"""The correlation of scores of a comparison, against pandas."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest

from deepfactor.pipeline.comparing import _correlation


def frame_of(frame):
    """The same in pandas."""
    return pd.DataFrame(frame.to_dict(as_series=False))


def test_scores_are_correlated_over_what_both_score():
    rng = np.random.default_rng(1)
    keys = [(date(2020, 1, d), f"{s:06d}.SZ") for d in range(1, 6) for s in range(40)]
    frame = pl.DataFrame(keys, schema=["date", "symbol"], orient="row")
    one = frame.with_columns(score=pl.Series(rng.normal(size=200)))
    two = one.with_columns(score=pl.col("score") + pl.Series(rng.normal(size=200))).sample(150, shuffle=True, seed=2)
    found = _correlation({"one": one, "two": two})
    both = one.join(two, on=["date", "symbol"], suffix="_two").pipe(frame_of)
    by_day = [g["score"].corr(g["score_two"], method="spearman") for _, g in both.groupby("date")]
    assert found["one"]["two"] == pytest.approx(pd.Series(by_day).mean(), rel=1e-12)
    assert found["two"]["one"] == pytest.approx(found["one"]["two"], rel=1e-12)
