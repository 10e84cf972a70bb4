"""SIZE, and the steps shared by style sets."""

from __future__ import annotations

import numpy as np

from deepfactor.cross_section.clipping import clip_mad_rows
from deepfactor.cross_section.zscores import zscore_rows_by_cap
from deepfactor.panel.panel import Panel
from deepfactor.styles import basic
from support.toy import toy_market


def test_size_is_standardised_log_cap() -> None:
    panel, universe = toy_market()
    size = basic.compute(basic.Settings(), panel, universe).exposures["SIZE"]
    cap = panel["float_mv"].astype(float)
    t = 60
    known = universe.listed[t] & np.isfinite(cap[t])
    assert (np.isfinite(size[t]) == known).all()
    weight = cap[t, known] / cap[t, known].sum()
    assert abs((weight * size[t, known]).sum()) < 1e-5
    assert abs(size[t, known].std() - 1) < 1e-5
    assert np.corrcoef(size[t, known], np.log(cap[t, known]))[0, 1] > 0.99


def test_without_market_value_it_says_so() -> None:
    panel, universe = toy_market(40, 5)
    fields = {k: v for k, v in panel.fields.items() if k != "float_mv"}
    styles = basic.compute(basic.Settings(), Panel(panel.dates, panel.symbols, fields, "x"), universe)
    assert styles.exposures == {}
    assert "float_mv" in styles.absent["SIZE"]


def test_clip_and_standardise_edges() -> None:
    x = np.array([[1.0, 2.0, 3.0, 1000.0, np.nan], [7.0, 7.0, 7.0, 7.0, np.nan], [np.nan] * 5])
    clipped = clip_mad_rows(x, 5)
    centre, mad = 2.5, 1.0
    assert clipped[0, 3] == centre + 5 * 1.4826 * mad
    assert (clipped[1, :4] == 7).all()
    z = zscore_rows_by_cap(clipped, np.ones_like(x))
    assert np.isnan(z[:, 4]).all()
    assert (z[1, :4] == 0).all()
    assert np.isnan(z[2]).all()
    np.testing.assert_allclose([z[0, :4].mean(), z[0, :4].std()], [0, 1], atol=1e-12)
