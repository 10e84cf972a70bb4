"""Alpha is what it says: memories of signals that the published tables give, and an oracle in closed form."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from deepfactor.core.arrays import Float64
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
            # day t+1 is lost to the t1 convention; `oracle` is given what of the carry that day leaves over
            expected = alphas[0] if part == "carry" else np.sum(alphas[1:], axis=0)
            np.testing.assert_allclose(memories.oracle(state, part, horizon), expected, rtol=1e-12)


def test_strength_is_the_deviation_of_the_ten_day_oracle() -> None:
    """Against the kernel summed term by term, for white signals of unit variance."""
    settings = Settings(alpha=0.7)
    memories = Memories.of(settings)
    j = np.arange(6000)
    for part in KERNELS:
        weight = np.zeros(len(j))
        for name, decay, gain in zip(memories.parts, memories.decay, memories.gain, strict=True):
            if name == part:
                weight += gain * decay**j * sum(decay**k for k in range(1, 11))
        unit = np.sqrt(4 / 243) if part == "drift" else 1.0  # reports come on four days a year
        assert np.sqrt((weight**2).sum()) * unit == pytest.approx(0.7 * getattr(settings.strength, part), rel=1e-10)
    assert 10 * memories.gain[memories.row("value")] == pytest.approx(0.7 * settings.strength.value)
    assert memories.gain[memories.row("carry")] == 0.7
    assert Memories.of(Settings(alpha=2.0)).gain[memories.row("carry")] == 1.0


def test_half_lives_outlast_the_lost_day() -> None:
    assert min(days for kernel in KERNELS.values() for days in kernel) >= 5


@pytest.mark.slow
def test_null_market_and_only(market: Simulated) -> None:
    null = open_source(Settings(**SPAN, seed=5, alpha=0.0), None)
    columns = [c for c in null.oracle().columns if c.startswith("oracle")]
    assert null.oracle().select(pl.col(columns).abs().max()).row(0) == (0.0,) * len(columns)
    one = open_source(Settings(**SPAN, seed=5, only=("trend",)), None).oracle()
    assert one["oracle_trend_10"].std() > 0.001
    assert (one["oracle_10"] == one["oracle_trend_10"]).all()
    assert (one["oracle_visible_10"] == one["oracle_trend_10"]).all()
    spill = open_source(Settings(**SPAN, seed=5, only=("spillover",)), None).oracle()
    assert spill["oracle_visible_10"].abs().max() == 0.0
    assert (spill["oracle_10"] == spill["oracle_spillover_10"]).all()
    assert spill["oracle_10"].std() > 0.001
    # who is there and when is that of the full market
    firms = ("symbol", "board", "list_date")
    assert null.fetch("securities").select(firms).equals(market.fetch("securities").select(firms))


def test_oracle_table(market: Simulated) -> None:
    oracle = market.oracle()
    parts = [[f"oracle_{h}", f"oracle_visible_{h}", *(f"oracle_{p}_{h}" for p in PARTS)] for h in (5, 10, 20)]
    assert oracle.columns == ["date", "symbol", *(c for group in parts for c in group)]
    assert oracle.select("date", "symbol").equals(market.fetch("daily").select("date", "symbol"))
    assert "oracle" not in " ".join(market.tables())
    for h in (5, 10, 20):
        total = sum(oracle[f"oracle_{p}_{h}"] for p in PARTS)
        np.testing.assert_allclose(oracle[f"oracle_{h}"], total, atol=1e-7)
        visible = sum(oracle[f"oracle_{p}_{h}"] for p in ("reversal", "trend", "divergence"))
        np.testing.assert_allclose(oracle[f"oracle_visible_{h}"], visible, atol=1e-7)
        assert all(oracle[f"oracle_{p}_{h}"].abs().max() > 0.001 for p in PARTS)


# ---- the memories again, from the published tables alone and with none of the engine's code


class Tables:
    """Dense (T, N) arrays of the published tables; NaN where no row."""

    def __init__(self, source: Simulated) -> None:
        daily = source.fetch("daily")
        self.dates = daily["date"].unique().sort()
        self.symbols = daily["symbol"].unique().sort()
        row = {d: i for i, d in enumerate(self.dates)}
        column = {s: i for i, s in enumerate(self.symbols)}
        self._row, self._column = row, column
        self._at = np.array([row[d] for d in daily["date"]]), np.array([column[s] for s in daily["symbol"]])
        self.field = {name: self.dense(daily[name]) for name in daily.columns[2:]}
        industry = source.fetch("industry").sort("symbol")
        self.industry = np.unique(industry["industry"].to_numpy(), return_inverse=True)[1]
        listed = dict(source.fetch("securities").select("symbol", "list_date").iter_rows())
        self.neighbours = {
            self.symbols.index_of(symbol): [self.symbols.index_of(other) for other in others]
            for symbol, others in source.neighbours().group_by("symbol").agg("neighbour").iter_rows()
        }
        self.list_date = [listed[s] for s in self.symbols]
        self._read_statements(source.fetch("fundamentals"))

    def _read_statements(self, table: pl.DataFrame) -> None:
        """As first reported: surprises by row, and equity as (known_at, value) by column; report by report."""
        first = table.sort("known_at").unique(["symbol", "item", "period_end"], keep="first", maintain_order=True)
        self.surprise = np.zeros((len(self.dates), len(self.symbols)))
        self.equity: dict[int, list[tuple[date, float]]] = {}
        for (symbol, item), rows in first.group_by("symbol", "item"):
            i, rows = self._column[symbol], rows.sort("period_end")
            known, value = rows["known_at"].to_list(), rows["value"].to_numpy()
            if item == "total_equity":
                self.equity[i] = list(zip(known, value, strict=True))
            if item == "net_profit_q":
                change = value[4:] - value[:-4]
                for q in range(8, len(change)):
                    before, day = change[q - 8 : q], known[q + 4]
                    if day in self._row and day > self.list_date[i]:  # not from a prospectus
                        sue = (change[q] - before.mean()) / (before.std() + 1e4)
                        self.surprise[self._row[day], i] += np.clip(sue, -4, 4) / 1.5

    def dense(self, values: pl.Series) -> Float64:
        out = np.full((len(self.dates), len(self.symbols)), np.nan)
        out[self._at] = values.cast(pl.Float64).to_numpy()
        return out


def _standard(x: Float64) -> Float64:
    once = np.clip((x - x.mean()) / x.std(), -3, 3)
    twice: Float64 = (once - once.mean()) / once.std()
    return twice


def _signals(tables: Tables, t: int, mean: dict[int, Float64]) -> dict[str, Float64]:
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
    out["drift"] = tables.surprise[t]
    moves = np.zeros(len(m))
    moves[m] = np.clip(residual, -0.12, 0.12)
    heard = np.array([moves[tables.neighbours[i]].sum() for i in range(len(m))])
    out["spillover"][m] = _standard(heard[m])
    return out


def _value(tables: Tables, gain: float) -> Float64:
    """Frozen since the first trading day after 31 October: equity last reported by then over market value."""
    t = next(i for i, d in enumerate(tables.dates) if d >= date(2020, 11, 1))
    out, cap = np.zeros(len(tables.symbols)), tables.field["total_mv"][t]
    listed = np.flatnonzero(np.isfinite(cap))
    equity = np.array([[v for d, v in tables.equity[i] if d <= tables.dates[t]][-1] for i in listed])
    out[listed] = gain * _standard(np.log(equity / cap[listed]))
    return out


@pytest.mark.slow
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
    state[memories.row("value")] = _value(tables, memories.gain[memories.row("value")])
    for part in PARTS[:-1]:  # what is carried can't be seen in the tables
        published = tables.dense(oracle[f"oracle_{part}_10"])[last][listed]
        mine = memories.oracle(state, part, 10)[listed]
        assert np.abs(mine - published).max() < 2e-5 * np.abs(published).max(), part
