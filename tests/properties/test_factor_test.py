"""Laws of the factor test that hold for any scores and prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deepfactor.cross_section.regression import neutralise_rows
from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.evaluation.membership import assign_groups, best
from deepfactor.panel.returns import forward_return
from deepfactor.panel.scores import Scores
from support.membership import table
from support.toy import INDEX, toy_market

PANEL, UNIVERSE = toy_market(40, 24, seed=5)
SETTINGS = TestSettings(
    universes=("all", INDEX), horizons=(2, 5), decay=6, min_names=3, groups={}, other_groups=0, tops=(), top_every=(2,)
)


def _draw(seed: int, missing: float, values: int) -> np.ndarray:
    """Whole numbers of a small range, so that ties are common; some missing."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-values, values + 1, PANEL.shape).astype(float)
    return np.where(rng.random(PANEL.shape) < missing, np.nan, scores)


scores_ = st.builds(_draw, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 0.9]), st.sampled_from([0, 1, 9, 999]))
few = settings(max_examples=10)


def run_on(values, **changes):
    scores = Scores("x", PANEL.dates, PANEL.symbols, values)
    return run_test(scores, PANEL, UNIVERSE, SETTINGS.model_copy(update=changes), eligible=UNIVERSE.traded)


@few
@given(values=scores_)
def test_what_is_left_out_adds_up(values):
    """Every score of a universe on a day with an exit is in a coefficient's n, or counted as without return."""
    report = run_on(values)
    for one in report.series:
        member = UNIVERSE.traded & (UNIVERSE.members[INDEX] if one.universe == INDEX else True)
        days = np.searchsorted(PANEL.dates, one.dates)
        if one.names == "all":
            lost = report.dropped.get(f"scores_without_return.{one.universe}.{one.convention}.{one.horizon}.all", 0)
            assert one.values.n.sum() + lost == (member & np.isfinite(values))[days].sum()
        without = f"days_without_ic.{one.universe}.{one.convention}.{one.horizon}.{one.names}"
        assert np.isfinite(one.values.rank_ic).sum() + report.dropped.get(without, 0) == len(one.dates)
    inside = np.isfinite(values) & UNIVERSE.traded
    assert report.dropped.get("scores_outside_all", 0) == np.isfinite(values).sum() - inside.sum()


@few
@given(values=scores_)
def test_minus_the_scores_turns_every_sign(values):
    ours, other = run_on(values).to_json_dict(), run_on(-values).to_json_dict()
    for a, b in zip(ours["decay"], other["decay"], strict=True):
        assert a["n"] == b["n"]
        for key in ("rank_ic", "ic"):
            assert (a[key] is None) == (b[key] is None)
            assert a[key] is None or abs(a[key] + b[key]) < 1e-12
    assert ours["autocorrelation"] == other["autocorrelation"]


@few
@given(values=scores_)
def test_an_increasing_map_changes_no_rank_ic_and_no_long_leg(values):
    ours, other = run_on(values).to_json_dict(), run_on(values**3 - 7).to_json_dict()
    assert [entry["rank_ic"] for entry in ours["decay"]] == [entry["rank_ic"] for entry in other["decay"]]
    assert ours["long_leg"] == other["long_leg"]


@few
@given(horizon=st.integers(1, 6))
def test_an_oracle_of_a_horizon_is_best_there(horizon):
    """The return itself: RankIC 1 at its own horizon and convention, less at every other."""
    report = run_on(forward_return(PANEL, "t1_close", horizon)).to_json_dict()
    decay = {e["horizon"]: e["rank_ic"] for e in report["decay"] if (e["universe"], e["convention"], e["names"]) == (
        "all", "t1_close", "all")}  # fmt: skip
    assert abs(decay.pop(horizon) - 1) < 1e-12
    assert max(decay.values()) < 1


ties_ = arrays.arrays(np.float64, 30, elements=st.one_of(st.integers(-5, 5).map(float), st.just(np.nan)))


@given(score=ties_, returns=arrays.arrays(np.float64, 30, elements=st.floats(-0.2, 0.2)), n=st.integers(1, 8))
def test_groups_weighted_by_their_sizes_are_the_universe(score, returns, n):
    inside = np.isfinite(score)
    assume(inside.sum() >= n)
    shares = table(assign_groups(score, n), n, len(score))
    sizes = shares.sum(axis=1)
    np.testing.assert_allclose(shares.sum(axis=0), inside, atol=1e-12)
    np.testing.assert_allclose(sizes, np.rint(sizes), atol=1e-12)
    assert np.ptp(np.rint(sizes)) <= 1
    assert abs((shares @ returns).sum() - returns[inside].sum()) < 1e-12


@given(score=ties_, n=st.integers(1, 8), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3), data=st.data())
def test_equals_belong_to_the_same_portfolios_whatever_the_order_of_names(score, n, sizes, data):
    assume(np.isfinite(score).sum() >= n)
    order = np.array(data.draw(st.permutations(range(30))))
    for assign, count in ((lambda x: assign_groups(x, n), n), (lambda x: best(x, sizes), len(sizes))):
        shares, permuted = table(assign(score), count, 30), table(assign(score[order]), count, 30)
        np.testing.assert_array_equal(permuted, shares[:, order])
        for value in np.unique(score[np.isfinite(score)]):
            assert (np.ptp(shares[:, score == value], axis=1) == 0).all()


@settings(max_examples=6)
@given(values=scores_, seed=st.integers(0, 99))
def test_no_result_depends_on_the_codes(values, seed):
    """The same stocks under other codes: the same coefficients, legs, groups and tops."""
    order = np.random.default_rng(seed).permutation(PANEL.shape[1])
    grids = ("listed", "traded", "st", "limit_up", "limit_down", "industry")
    panel = replace(PANEL, fields={name: field[:, order] for name, field in PANEL.fields.items()})
    universe = replace(
        UNIVERSE,
        **{name: getattr(UNIVERSE, name)[:, order] for name in grids},
        members={name: mask[:, order] for name, mask in UNIVERSE.members.items()},
    )
    asked = SETTINGS.model_copy(update={"groups": {"all": 4, INDEX: 3}, "tops": ("top10pct", "top100")})
    ours, other = (
        run_test(Scores("x", p.dates, p.symbols, x), p, u, asked, eligible=u.traded).to_json_dict()
        for p, u, x in ((PANEL, UNIVERSE, values), (panel, universe, values[:, order]))
    )
    assert [group["n"] for group in ours["groups"]] == [4, 3]
    for key in ("records", "decay", "long_leg", "groups", "top_n", "autocorrelation", "dropped"):
        _same(ours[key], other[key], key)


def _same(one, two, where):
    if isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key, value in one.items():
            _same(value, two[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(two), where
        for k, (a, b) in enumerate(zip(one, two, strict=True)):
            _same(a, b, f"{where}.{k}")
    elif isinstance(one, float) and isinstance(two, float):
        assert abs(one - two) <= 1e-9 * max(1.0, abs(one)), where
    else:
        assert one == two, where


@few
@given(values=scores_, seed=st.integers(0, 99))
def test_a_residual_has_no_industry_and_no_style_left(values, seed):
    industry = np.random.default_rng(seed).integers(-1, 4, PANEL.shape)
    size = np.log(PANEL["float_mv"].astype(float))
    residual = neutralise_rows(values, UNIVERSE.traded, [size], industry)
    for t in np.flatnonzero(np.isfinite(residual).any(axis=1)):
        kept = np.isfinite(residual[t])
        assert abs((residual[t, kept] * size[t, kept]).sum()) < 1e-8
        for code in np.unique(industry[t, kept]):
            assert abs(residual[t, kept & (industry[t] == code)].sum()) < 1e-8
