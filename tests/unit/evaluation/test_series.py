"""Decay, the long leg and the annualised ICIR against the same by hand, day by day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.evaluation.seeds import seed_spread
from deepfactor.evaluation.series import LongLeg
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.panel.returns import forward_return, tradeable_at_entry
from support.membership import shared_by_hand

INDEX = "000300.SH"
SETTINGS = TestSettings(
    universes=("all", INDEX),
    horizons=(5, 10),
    decay=7,
    min_names=5,
    groups={"all": 4},
    other_groups=0,
    tops=(),
    top_every=(),
)


@pytest.fixture(scope="module")
def content(market, scores):
    return run_test(scores, market.panel, market.universe, SETTINGS, eligible=market.eligible).to_json_dict()


def masks(market):
    return {"all": market.eligible, INDEX: market.eligible & market.universe.members[INDEX]}


@pytest.mark.slow
def test_decay_is_the_mean_of_each_days_coefficients(market, scores, content):
    entries = content["decay"]
    assert len(entries) == 3 * 7 * 2 * 2  # conventions, horizons, universes, names
    for entry in entries:
        future = forward_return(market.panel, entry["convention"], entry["horizon"])
        mask = masks(market)[entry["universe"]]
        if entry["names"] == "tradeable":
            mask = mask & tradeable_at_entry(market.panel, market.universe, entry["convention"])
        rank_ic, ic = [], []
        for t in range(len(future)):
            kept = mask[t] & np.isfinite(scores.values[t]) & np.isfinite(future[t])
            if kept.sum() >= 5:
                rank_ic.append(stats.spearmanr(scores.values[t, kept], future[t, kept]).statistic)
                ic.append(np.corrcoef(scores.values[t, kept], future[t, kept])[0, 1])
        assert entry["n"] == len(rank_ic)
        assert entry["rank_ic"] == pytest.approx(np.mean(rank_ic), abs=1e-13)
        assert entry["ic"] == pytest.approx(np.mean(ic), abs=1e-13)


def test_decay_at_an_asked_horizon_is_its_record(content):
    found = {
        tuple(record[k] for k in ("universe", "convention", "names")): record["rank_ic"]["mean"]
        for record in content["records"]
        if record["horizon"] == 5 and record["sampling"] == "daily"
    }
    for entry in content["decay"]:
        if entry["horizon"] == 5:
            assert entry["rank_ic"] == found[entry["universe"], entry["convention"], entry["names"]]


def test_without_decay_nothing_else_changes(market, scores, content):
    alone = SETTINGS.model_copy(update={"decay": 0})
    other = run_test(scores, market.panel, market.universe, alone, eligible=market.eligible).to_json_dict()
    assert other.pop("decay") == []
    assert other == {key: value for key, value in content.items() if key != "decay"}


def test_the_long_leg_is_top_less_all_beside_all_less_bottom(market, scores, content):
    assert [(leg["convention"], leg["horizon"], leg["universe"]) for leg in content["long_leg"]][:3] == [
        ("t0_close", 5, "all"), ("t0_close", 5, INDEX), ("t0_close", 10, "all"),
    ]  # fmt: skip
    for leg in content["long_leg"]:
        groups = 4 if leg["universe"] == "all" else 10
        future = forward_return(market.panel, leg["convention"], leg["horizon"])
        long, short = [], []
        for t in range(len(future)):
            kept = masks(market)[leg["universe"]][t] & np.isfinite(scores.values[t]) & np.isfinite(future[t])
            if kept.sum() >= groups:
                own = {j: scores.values[t, j] for j in np.flatnonzero(kept)}
                shares = shared_by_hand(own, groups, lambda k, m, groups=groups: k * groups // m)
                bottom, top = (
                    np.average(future[t, list(g)], weights=list(g.values())) for g in (shares[0], shares[-1])
                )
                long.append(top - future[t, kept].mean())
                short.append(future[t, kept].mean() - bottom)
        assert leg["long_excess"] == pytest.approx(np.mean(long), abs=1e-14)
        assert leg["short_excess"] == pytest.approx(np.mean(short), abs=1e-14)
        share = np.mean(long) / (np.mean(long) + np.mean(short))
        if max(abs(newey_west_t(np.array(side), leg["horizon"] - 1)) for side in (long, short)) >= 2:
            assert leg["long_share"] == pytest.approx(share, rel=1e-9)
        else:
            assert leg["long_share"] is None


def test_the_long_share_of_noise_is_not_given_and_that_of_a_signal_is():
    noise = np.random.default_rng(0).standard_normal(200)
    noise -= noise.mean()
    rows = {}
    for name, long, short in (("noise", noise + 0.05, noise - 0.04), ("signal", noise + 1.0, noise + 3.0)):
        rows[name] = LongLeg("all", "t1_close", 1, long, short).record()["long_share"]
    assert np.isnan(rows["noise"])
    assert rows["signal"] == pytest.approx(0.25)


def test_icir_is_annualised_for_samples_that_do_not_overlap(market, scores, content):
    for record in content["records"]:
        if record["sampling"] == "daily":
            assert record["annualised_icir"] is None
        else:
            expected = record["rank_ic"]["icir"] * (252 / record["horizon"]) ** 0.5
            assert record["annualised_icir"] == pytest.approx(expected, rel=1e-12)


def test_a_factor_of_every_20th_day_has_12_and_a_half_samples_a_year(market, scores):
    some = np.full(scores.values.shape, np.nan)
    some[::20] = scores.values[::20]
    report = run_test(market.scores(some), market.panel, market.universe, SETTINGS, eligible=market.eligible)
    record = next(s for s in report.series if s.horizon == 5).record("x", None, "every_h")
    assert record["annualised_icir"] == pytest.approx(record["rank_ic"]["icir"] * 12.6**0.5)


def test_the_spread_of_seeds_is_that_of_their_means():
    case = {"universe": "all", "convention": "t1_close", "horizon": 5, "sampling": "daily", "names": "all"}
    means = {None: 0.9, 0: 0.05, 1: 0.03, 2: 0.07, 3: None}
    records = [{**case, "seed": seed, "rank_ic": {"mean": mean}} for seed, mean in means.items()]
    (entry,) = seed_spread(records)
    series = pd.Series([0.05, 0.03, 0.07])
    assert entry == case | {
        "mean": pytest.approx(series.mean()), "std": pytest.approx(series.std()), "min": 0.03, "max": 0.07,
        "n_seeds": 3,
    }  # fmt: skip
    assert seed_spread(records[:2]) is None
