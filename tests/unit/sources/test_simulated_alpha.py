"""Alpha is what it says: memories of signals that the published tables give, and an oracle in closed form."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deepfactor.sources._simulation.alpha import KERNELS, Memories
from deepfactor.sources.simulated import PARTS, Settings, Simulated, open_source

SPAN = {"stocks": 100, "start": date(2018, 1, 2), "end": date(2020, 12, 31)}


@pytest.fixture(scope="module")
def market() -> Simulated:
    return open_source(Settings(**SPAN, seed=5), None)


def test_oracle_is_the_sum_of_what_signals_have_committed() -> None:
    """Let no further signal come and run the memories on: the alphas of days t+2 … t+1+h are the oracle."""
    memories = Memories.of(Settings())
    rng = np.random.default_rng(0)
    state = rng.standard_normal((len(memories.parts), 7))
    for part in PARTS:
        mine = np.array([name == part for name in memories.parts])
        for horizon in (5, 10, 20):
            x, alphas = state.copy(), []
            for _ in range(horizon + 1):
                alphas.append(x[mine].sum(axis=0))  # alpha of the next day
                x = memories.decay[:, None] * x
            expected = np.sum(alphas[1:], axis=0)  # day t+1 is lost to the t1 convention
            np.testing.assert_allclose(memories.oracle(state, part, horizon), expected, rtol=1e-12)


def test_strength_is_the_deviation_of_the_ten_day_oracle() -> None:
    """Against the kernel summed term by term, for white signals of unit variance."""
    settings = Settings(alpha=0.7)
    memories = Memories.of(settings)
    j = np.arange(6000)
    for part in PARTS:
        weight = np.zeros(len(j))
        for name, decay, gain in zip(memories.parts, memories.decay, memories.gain, strict=True):
            if name == part:
                weight += gain * decay**j * sum(decay**k for k in range(1, 11))
        assert np.sqrt((weight**2).sum()) == pytest.approx(0.7 * getattr(settings.strength, part), rel=1e-10)


def test_half_lives_outlast_the_lost_day() -> None:
    assert min(days for kernel in KERNELS.values() for days in kernel) >= 5


def test_null_market_and_only(market: Simulated) -> None:
    null = open_source(Settings(**SPAN, seed=5, alpha=0.0), None)
    columns = [c for c in null.oracle().columns if c.startswith("oracle")]
    assert null.oracle().select(pl.col(columns).abs().max()).row(0) == (0.0,) * len(columns)
    one = open_source(Settings(**SPAN, seed=5, only=("trend",)), None).oracle()
    assert one["oracle_reversal_10"].abs().max() == one["oracle_divergence_10"].abs().max() == 0.0
    assert one["oracle_trend_10"].std() > 0.001
    assert (one["oracle_10"] == one["oracle_trend_10"]).all()
    # who is there and when is that of the full market
    firms = ("symbol", "board", "list_date")
    assert null.fetch("securities").select(firms).equals(market.fetch("securities").select(firms))


def test_oracle_table(market: Simulated) -> None:
    oracle = market.oracle()
    parts = [[f"oracle_{h}", *(f"oracle_{p}_{h}" for p in PARTS)] for h in (5, 10, 20)]
    assert oracle.columns == ["date", "symbol", *(c for group in parts for c in group)]
    assert oracle.select("date", "symbol").equals(market.fetch("daily").select("date", "symbol"))
    assert "oracle" not in " ".join(market.tables())
    for h in (5, 10, 20):
        total = sum(oracle[f"oracle_{p}_{h}"] for p in PARTS)
        np.testing.assert_allclose(oracle[f"oracle_{h}"], total, atol=1e-15)


# ---- the memories again, from the published tables alone and with none of the engine's code


class Tables:
    """Dense (T, N) arrays of the published tables; NaN where no row."""

    def __init__(self, source: Simulated) -> None:
        daily = source.fetch("daily")
        self.dates = daily["date"].unique().sort()
        self.symbols = daily["symbol"].unique().sort()
        row = {d: i for i, d in enumerate(self.dates)}
        column = {s: i for i, s in enumerate(self.symbols)}
        self._at = np.array([row[d] for d in daily["date"]]), np.array([column[s] for s in daily["symbol"]])
        self.field = {name: self.dense(daily[name]) for name in daily.columns[2:]}
        industry = source.fetch("industry").sort("symbol")
        self.industry = np.unique(industry["industry"].to_numpy(), return_inverse=True)[1]
        listed = dict(source.fetch("securities").select("symbol", "list_date").iter_rows())
        self.list_date = [listed[s] for s in self.symbols]

    def dense(self, values: pl.Series) -> NDArray[np.float64]:
        out = np.full((len(self.dates), len(self.symbols)), np.nan)
        out[self._at] = values.cast(pl.Float64).to_numpy()
        return out


def _standard(x: NDArray[np.float64]) -> NDArray[np.float64]:
    once = np.clip((x - x.mean()) / x.std(), -3, 3)
    twice: NDArray[np.float64] = (once - once.mean()) / once.std()
    return twice


def _signals(tables: Tables, t: int, mean: dict[int, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """One day's signals from one day's table rows and the turnover means up to the day before."""
    f = {name: values[t] for name, values in tables.field.items()}
    born = [0 if d < tables.dates[0] else tables.dates.index_of(d) for d in tables.list_date]
    age = np.where([d < tables.dates[0] for d in tables.list_date], 999, t - np.array(born))
    m = (f["volume"] > 0) & (age >= 20) & np.isfinite(mean[5])
    out = {name: np.zeros(len(m)) for name in PARTS}
    if t == 0:  # no turnover means yet
        return out
    shares = f["total_mv"] / f["close"]
    log_cap = np.log(shares * f["prev_close"])
    returns = f["close"] / f["prev_close"] - 1
    dummies = (tables.industry[m][:, None] == np.unique(tables.industry[m])).astype(float)
    design = np.column_stack([dummies, log_cap[m]])
    residual = returns[m] - design @ np.linalg.lstsq(design, returns[m], rcond=None)[0]
    alive = np.flatnonzero(np.isfinite(f["close"]))
    group = np.full(len(m), -1)
    group[alive[np.argsort(log_cap[alive], kind="stable")]] = np.arange(len(alive)) * 5 // len(alive)
    relative = returns.copy()
    for g in range(5):
        relative[m & (group == g)] -= returns[m & (group == g)].mean()
    abnormal = np.log(np.maximum(f["turnover"][m], 1e-7) / mean[10][m])
    abnormal = np.clip(abnormal - abnormal.mean(), -1.5, 1.5)
    out["reversal"][m] = -_standard(residual * np.clip(mean[5][m] / mean[60][m], 0.4, 2.5))
    out["trend"][m] = _standard(relative[m])
    out["divergence"][m] = -_standard(residual * abnormal)
    return out


def test_alpha_is_a_function_of_the_published_tables(market: Simulated) -> None:
    """Memories built from the tables alone, from nothing on, meet the oracle once the start is forgotten."""
    tables = Tables(market)
    oracle = market.oracle()
    memories = Memories.of(market.settings)
    N = len(tables.symbols)
    state = np.zeros((len(memories.parts), N))
    mean = {span: np.full(N, np.nan) for span in (5, 10, 60)}
    last = len(tables.dates) - 1
    for t in range(last + 1):
        signals = _signals(tables, t, mean)
        state = memories.decay[:, None] * state
        state += memories.gain[:, None] * np.stack([signals[p] for p in memories.parts])
        state[:, ~np.isfinite(tables.field["close"][t])] = 0.0
        turnover, traded = tables.field["turnover"][t], tables.field["volume"][t] > 0
        for span in mean:
            first = traded & np.isnan(mean[span])
            moved = mean[span] + (turnover - mean[span]) * 2 / (span + 1)
            mean[span] = np.where(first, turnover, np.where(traded, moved, mean[span]))
    listed = np.isfinite(tables.field["close"][last])
    for part in PARTS:
        published = tables.dense(oracle[f"oracle_{part}_10"])[last][listed]
        mine = memories.oracle(state, part, 10)[listed]
        assert np.abs(mine - published).max() < 2e-5 * np.abs(published).max(), part
