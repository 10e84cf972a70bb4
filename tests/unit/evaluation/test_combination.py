"""Combinations against pandas and statsmodels, a day at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pydantic import ValidationError

from deepfactor.core.errors import DataError
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.evaluation import combination
from deepfactor.evaluation.combination import CombinationSettings, combine_factors, past_weights
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import forward_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from support.law import reads_future
from support.toy import INDEX, toy_market

LATELY = {"horizon": 3, "window": 25, "min_days": 6}
METHODS = ("equal", "ic_weighted", "orthogonalised")


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    return toy_market(days=70, stocks=30, seed=2)


def three_factors(panel: Panel) -> dict[str, Scores]:
    """One that knows something of the returns, one like it, one that is noise; each misses other names and days."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((4, *panel.shape))
    close = np.log(panel["close"].astype(float) * panel["adj_factor"])
    ahead = np.vstack([close[5:] - close[:-5], np.zeros((5, panel.shape[1]))])
    known = 10 * np.nan_to_num(ahead) + noise[0]
    values = {"good": known, "alike": 3 + known + noise[1], "noise": 7 * noise[2]}
    for k, name in enumerate(values):
        values[name] = np.where(noise[3] > 1.5 + 0.2 * k, np.nan, values[name])
    values["noise"][40] = np.nan
    return {name: Scores(name, panel.dates, panel.symbols, x) for name, x in values.items()}


@pytest.fixture(scope="module")
def factors(market: tuple[Panel, Universe]) -> dict[str, Scores]:
    return three_factors(market[0])


def by_day(factors: dict[str, Scores], t: int) -> pd.DataFrame:
    """The day's z-scores of the names that all factors score."""
    day = pd.DataFrame({name: scores.values[t] for name, scores in factors.items()}).dropna()
    return (day - day.mean()) / day.std(ddof=0)


def residuals(day: pd.DataFrame) -> pd.DataFrame:
    """Each column's residual on those before it, z-scored."""
    out = day.copy()
    for k in range(1, day.shape[1]):
        x = day.iloc[:, k] - sm.OLS(day.iloc[:, k], sm.add_constant(day.iloc[:, :k])).fit().fittedvalues
        out.iloc[:, k] = (x - x.mean()) / x.std(ddof=0)
    return out


def brute_force(panel: Panel, factors: dict[str, Scores], settings: CombinationSettings) -> pd.DataFrame:
    """Scores by day and stock, without a line of the package but the returns'."""
    days = [by_day(factors, t) for t in range(len(panel.dates))]
    parts = [residuals(d) if settings.method == "orthogonalised" and len(d) else d for d in days]
    returns = pd.DataFrame(forward_return(panel, settings.convention, settings.horizon))
    ic = pd.DataFrame([part.corrwith(returns.loc[t], method="spearman") for t, part in enumerate(parts)])
    out = pd.DataFrame(np.nan, range(panel.shape[0]), range(panel.shape[1]))
    for t, part in enumerate(parts):
        ended = [
            s for s in range(t) if s + settings.horizon + 1 < t and s >= t - settings.horizon - 1 - settings.window
        ]
        past = ic.loc[ended]
        mean = past.mean().where(past.count() >= settings.min_days, 0).clip(lower=0)
        weight = pd.Series(1 / 3, part.columns) if settings.method == "equal" else mean / mean.sum()
        out.loc[t, part.index] = (part * weight).sum(axis=1, skipna=False)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::scipy.stats.ConstantInputWarning")
def test_scores_are_what_pandas_makes_of_the_definition(
    method: str, market: tuple[Panel, Universe], factors: dict[str, Scores]
) -> None:
    panel, _ = market
    settings = CombinationSettings(method=method, **LATELY)  # type: ignore[arg-type]
    found = combine_factors(factors, panel, settings)
    np.testing.assert_allclose(found.scores.values, brute_force(panel, factors, settings), atol=1e-10)
    scored = np.isfinite(found.scores.values).any(axis=1)
    assert scored.sum() == (69 if method == "equal" else 69 - found.scores.dropped["days_without_weights"])
    assert scored.sum() > 50
    np.testing.assert_allclose(found.weights[scored].sum(axis=1), 1)
    assert np.isnan(found.weights[~scored]).all()


def test_what_is_left_out_is_counted(market: tuple[Panel, Universe], factors: dict[str, Scores]) -> None:
    found = combine_factors(factors, market[0], CombinationSettings(method="ic_weighted", **LATELY))  # type: ignore[arg-type]
    given = {name: np.isfinite(scores.values) for name, scores in factors.items()}
    some, every = np.any(list(given.values()), axis=0), np.all(list(given.values()), axis=0)
    dropped = found.scores.dropped
    assert {name: dropped[f"not_scored_by_{name}"] for name in given} == {
        name: int((some & ~own).sum()) for name, own in given.items()
    }
    assert dropped["days_not_scored_by_all"] == 1
    no_weights = np.isnan(found.weights[:, 0])
    no_weights[40] = False
    assert dropped["days_without_weights"] == no_weights.sum() == 4 + LATELY["min_days"]
    left = every & ~no_weights[:, None]
    np.testing.assert_array_equal(np.isfinite(found.scores.values), left)


def test_days_on_which_a_factor_tells_no_names_apart_are_counted(market: tuple[Panel, Universe]) -> None:
    factors = three_factors(market[0])
    factors["alike"].values[[5, 9]] = np.where(np.isfinite(factors["alike"].values[[5, 9]]), 0.1, np.nan)
    found = combine_factors(factors, market[0], CombinationSettings())
    counted = {key: n for key, n in found.scores.dropped.items() if key.startswith("days_of_equal_scores")}
    assert counted == {f"days_of_equal_scores_{key}": 2 * (key == "alike") for key in factors}
    common = np.isfinite(found.scores.values)
    others = np.mean([zscore_rows(factors[key].values, common) for key in ("good", "noise")], axis=0)
    np.testing.assert_allclose(found.scores.values[5], 2 / 3 * others[5], rtol=1e-12)


def test_weights_follow_what_factors_were_worth(market: tuple[Panel, Universe], factors: dict[str, Scores]) -> None:
    weighted = combine_factors(factors, market[0], CombinationSettings(method="ic_weighted", **LATELY))  # type: ignore[arg-type]
    mean = weighted.mean_weights()
    assert mean["good"] > mean["alike"] > mean["noise"] >= 0  # type: ignore[operator]
    assert list(weighted.weights_by_year()) == ["2019"]
    assert weighted.weights_by_year()["2019"] == mean
    rank_ic = np.array([[0.1, -0.2, 0.3]] * 10)
    found = past_weights(rank_ic, CombinationSettings(horizon=2, window=3, min_days=2))  # type: ignore[call-arg]
    np.testing.assert_allclose(found[5:], [[0.25, 0, 0.75]] * 5)
    assert np.isnan(found[:5]).all(), "two RankICs whose returns have ended are known on row 5"
    assert np.isnan(past_weights(-rank_ic[:, :1], CombinationSettings(min_days=1))).all()  # type: ignore[call-arg]


def test_what_earlier_factors_span_adds_nothing(market: tuple[Panel, Universe], factors: dict[str, Scores]) -> None:
    panel, _ = market
    good, noise = factors["good"], factors["noise"]
    twice = {"good": good, "noise": noise, "both": replace(good, values=2 * good.values - noise.values)}
    settings = CombinationSettings(method="orthogonalised", **LATELY)  # type: ignore[arg-type]
    found = combine_factors(twice, panel, settings)
    assert found.scores.dropped["days_spanned_both"] == 69
    assert found.scores.dropped["days_spanned_noise"] == 0
    without = combine_factors({"good": good, "noise": noise}, panel, settings)
    np.testing.assert_array_equal(found.scores.values, without.scores.values)


def test_refused(market: tuple[Panel, Universe], factors: dict[str, Scores]) -> None:
    panel, _ = market
    good = factors["good"]
    with pytest.raises(DataError, match="at least two factors, got 1: good"):
        combine_factors({"good": good}, panel, CombinationSettings())
    with pytest.raises(DataError, match="'other' of shape"):
        combine_factors({"good": good, "other": replace(good, values=good.values[1:])}, panel, CombinationSettings())
    none = replace(good, values=np.full(panel.shape, np.nan))
    with pytest.raises(DataError, match="no name has a score of all of good, none"):
        combine_factors({"good": good, "none": none}, panel, CombinationSettings())
    with pytest.raises(ValidationError, match="min_days 9 of a window of 8 days"):
        CombinationSettings(window=8, min_days=9)  # type: ignore[call-arg]


def computed(panel: Panel, universe: Universe, method: str) -> np.ndarray:
    """Scores and weights of factors that are known at the close."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((3, 70, panel.shape[1]))[:, : panel.shape[0]]
    price = panel["close"] * panel["adj_factor"]
    values = [price + noise[0], noise[1] - np.log(price), noise[2]]
    factors = {str(k): Scores(str(k), panel.dates, panel.symbols, x) for k, x in enumerate(values)}
    found = combine_factors(factors, panel, CombinationSettings(method=method, **LATELY))  # type: ignore[arg-type]
    return np.hstack([found.scores.values, found.weights])


@pytest.mark.parametrize("method", METHODS)
def test_returns_of_the_future_change_no_earlier_day(method: str, market: tuple[Panel, Universe]) -> None:
    assert reads_future(lambda p, u: computed(p, u, method), *market, range(15, 69, 4)) is None


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_return_that_has_not_ended_is_caught(
    method: str, market: tuple[Panel, Universe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: RankICs taken two days too early, so that the last return ends on the day after."""
    own = combination.rank_ics

    def early(*arguments: object) -> np.ndarray:
        ic = own(*arguments)  # type: ignore[arg-type]
        return np.vstack([ic[2:], np.full((2, ic.shape[1]), np.nan)])

    monkeypatch.setattr(combination, "rank_ics", early)
    assert reads_future(lambda p, u: computed(p, u, method), *market, range(15, 69, 4)) is not None


@pytest.mark.slow
def test_top_weighted_weighs_a_year_by_the_tops_of_the_year_before(market: tuple[Panel, Universe]) -> None:
    """Against pandas: best tenths inside an index, returns that ended before the year; the first year alike."""
    panel, universe = toy_market(days=330, stocks=60, seed=4)
    factors = three_factors(panel)
    settings = CombinationSettings(method="top_weighted", index=INDEX, horizon=3, window=100, min_days=20)
    members = universe.member_mask(INDEX)
    made = combine_factors(factors, panel, settings, members=members)
    returns = forward_return(panel, "t1_close", 3)
    years = panel.dates.astype("datetime64[Y]").astype(int) + 1970
    first = int(np.flatnonzero(years == years[0] + 1)[0])
    worth = []
    for t in range(first - settings.reach):
        day = by_day(factors, t)
        day = day[members[t, day.index] & np.isfinite(returns[t, day.index])]
        if len(day) >= 10:
            count, r = max(round(0.1 * len(day)), 1), pd.Series(returns[t, day.index], day.index)
            worth.append([r[day[k].nlargest(count).index].mean() - r.mean() for k in factors])
    want = np.maximum(np.mean(worth, axis=0), 0)
    want /= want.sum()
    scored = np.isfinite(made.weights[:, 0])
    np.testing.assert_allclose(made.weights[scored & (years == years[0])], 1 / 3)
    later = made.weights[scored & (years == years[0] + 1)]
    np.testing.assert_allclose(later, np.tile(want, (len(later), 1)), rtol=1e-9)
    assert want[0] > 0.4, "the one that knows"
    t = int(np.flatnonzero(scored & (years == years[0] + 1))[3])
    day = by_day(factors, t)
    np.testing.assert_allclose(made.scores.values[t, day.index], day.to_numpy() @ want, atol=1e-9)


def test_top_weighted_reads_no_future() -> None:
    panel, universe = toy_market(days=320, stocks=30, seed=4)
    settings = CombinationSettings(method="top_weighted", horizon=3, window=50, min_days=20)
    factors = three_factors(panel)

    def combined(p: Panel, u: Universe) -> np.ndarray:
        cut = {k: Scores(k, p.dates, p.symbols, s.values[: len(p.dates)]) for k, s in factors.items()}
        return combine_factors(cut, p, settings).scores.values

    assert reads_future(combined, panel, universe, range(250, 315, 13)) is None


def test_ranked_first_the_size_of_a_score_is_nothing(
    market: tuple[Panel, Universe], factors: dict[str, Scores]
) -> None:
    panel, _ = market
    settings = CombinationSettings(standard="rank")
    made = combine_factors(factors, panel, settings).scores.values
    curved = {k: replace(s, values=np.exp(s.values / 9)) for k, s in factors.items()}
    np.testing.assert_allclose(combine_factors(curved, panel, settings).scores.values, made, atol=1e-12)
    day = by_day(factors, 50).rank()
    np.testing.assert_allclose(made[50, day.index], ((day - day.mean()) / day.std(ddof=0)).mean(axis=1), atol=1e-9)


def test_an_index_is_for_tops() -> None:
    with pytest.raises(ValidationError, match="top_weighted"):
        CombinationSettings(index=INDEX)
