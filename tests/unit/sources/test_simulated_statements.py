"""Statements of the simulated market: two clocks, statutory deadlines, restatements, and firms that resemble others."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from deepfactor.sources._simulation.alpha import Memories, Published
from deepfactor.sources._simulation.market import make_world
from deepfactor.sources.simulated import Settings, Simulated, open_source
from deepfactor.store.schema import TABLES

SPAN = {"stocks": 150, "start": date(2018, 1, 2), "end": date(2020, 12, 31)}
ITEMS = {
    "revenue_q",
    "operating_cost_q",
    "net_profit_q",
    "operating_cash_flow_q",
    "total_assets",
    "total_equity",
    "total_liabilities",
    "long_term_debt",
}


@pytest.fixture(scope="module")
def market() -> Simulated:
    return open_source(Settings(**SPAN, seed=2), None)


@pytest.fixture(scope="module")
def table(market: Simulated) -> pl.DataFrame:
    return market.fetch("fundamentals")


@pytest.fixture(scope="module")
def first(table: pl.DataFrame) -> pl.DataFrame:
    """Statements as first reported."""
    return table.sort("known_at").unique(["symbol", "item", "period_end"], keep="first", maintain_order=True)


def test_the_table_is_sorted_and_complete(table: pl.DataFrame, market: Simulated) -> None:
    assert table.equals(table.sort(TABLES["fundamentals"].order))
    assert set(table["item"]) == ITEMS
    assert set(table["symbol"]) == set(market.fetch("securities")["symbol"])
    assert table.null_count().sum_horizontal().item() == 0
    quarters = table.group_by("symbol", "item").agg(pl.col("period_end").n_unique().alias("n"))
    assert quarters.group_by("symbol").agg(pl.col("n").n_unique())["n"].max() == 1  # every item of every statement
    # five annual figures and thirteen quarters are known on the first day of the tables
    early = table.filter(pl.col("known_at") < SPAN["start"])
    assert early.group_by("symbol").agg(pl.col("period_end").n_unique())["period_end"].min() >= 20


def test_known_on_the_trading_day_after_the_announcement(first: pl.DataFrame, market: Simulated) -> None:
    """Between the period's end and the first trading day after its statutory deadline; spread, and in order."""
    listed = market.fetch("securities").select("symbol", "list_date")
    rows = first.filter(pl.col("item") == "net_profit_q").join(listed, on="symbol")
    rows = rows.filter(pl.col("known_at") > pl.col("list_date"))
    days = market.fetch("calendar")["date"]
    inside = rows.filter(pl.col("known_at") >= days[0])
    assert inside["known_at"].is_in(days.to_list()).all()
    deadline = {3: (0, 4, 30), 6: (0, 8, 31), 9: (0, 10, 31), 12: (1, 4, 30)}
    for row in inside.iter_rows(named=True):
        later, month, day = deadline[row["period_end"].month]
        last = date(row["period_end"].year + later, month, day)
        assert row["period_end"] < row["known_at"] <= days.filter(days > last)[0], row
    assert inside.filter(pl.col("period_end") == date(2019, 6, 30))["known_at"].n_unique() > 15
    ordered = rows.sort("symbol", "period_end").with_columns(before=pl.col("known_at").shift(1).over("symbol"))
    assert ordered.filter(pl.col("known_at") < pl.col("before")).is_empty()


def test_nothing_before_a_listing_or_after_a_delisting(table: pl.DataFrame, market: Simulated) -> None:
    rows = table.join(market.fetch("securities"), on="symbol")
    assert rows.filter(pl.col("known_at") < pl.col("list_date")).is_empty()
    assert rows.filter(pl.col("known_at") >= pl.col("delist_date")).is_empty()
    assert table["known_at"].max() <= SPAN["end"]
    new = rows.filter(pl.col("list_date") > SPAN["start"])
    prospectus = new.filter(pl.col("known_at") == pl.col("list_date"))
    assert prospectus.group_by("symbol").agg(pl.col("period_end").n_unique())["period_end"].min() >= 20


def test_restatements_are_rows_of_their_own(table: pl.DataFrame, first: pl.DataFrame) -> None:
    again = table.join(first, on=["symbol", "item", "period_end", "known_at"], how="anti")
    assert set(again["item"]) == {"net_profit_q", "revenue_q"}
    statements = first.select("symbol", "period_end").n_unique()
    assert 0.004 < again.select("symbol", "period_end").n_unique() / statements < 0.015
    both = again.join(first, on=["symbol", "item", "period_end"], suffix="_first")
    assert len(both) == len(again)
    assert (both["known_at"] - both["known_at_first"]).dt.total_days().is_between(30, 340).all()
    assert (both["value"] != both["value_first"]).mean() > 0.9


def test_figures_of_a_statement_fit_together(first: pl.DataFrame) -> None:
    wide = first.pivot("item", index=["symbol", "period_end"], values="value")
    assert (wide["total_assets"] - wide["total_liabilities"] - wide["total_equity"]).abs().max() == 0
    for item in ITEMS - {"net_profit_q", "operating_cash_flow_q"}:
        assert wide[item].min() > 0, item
    assert wide.filter(pl.col("operating_cost_q") >= pl.col("revenue_q")).is_empty()
    assert wide.filter(pl.col("long_term_debt") >= pl.col("total_liabilities")).is_empty()
    assert 0.01 < (wide["net_profit_q"] < 0).mean() < 0.3
    # a firm's season comes back: the share of the second quarter in the year, one year and the next
    year = pl.col("period_end").dt.year()
    sums = wide.with_columns(year=year, share=pl.col("revenue_q") / pl.col("revenue_q").mean().over("symbol", year))
    second = sums.filter(pl.col("period_end").dt.month() == 6).pivot("year", index="symbol", values="share")
    assert second.select(pl.corr("2017", "2018")).item() > 0.9


def test_true_neighbours_are_the_most_alike_and_can_be_guessed(first: pl.DataFrame, market: Simulated) -> None:
    world = make_world(market.settings)
    vector = world.latent.vector[:, :4]
    unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    brute = np.sort(np.argsort(-cosine, axis=1, kind="stable")[:, :10], axis=1)
    assert (world.latent.neighbours == brute).all()
    pairs = market.neighbours()
    assert pairs.filter(pl.col("symbol") == pl.col("neighbour")).is_empty()
    assert pairs.group_by("symbol").len()["len"].max() == 10
    assert "neighbours" not in market.tables()
    # published ratios of the last known statements find far more of them than chance does
    last = first.filter(pl.col("period_end") == date(2020, 6, 30)).pivot("item", index="symbol", values="value")
    ratios = last.select(
        (pl.col("revenue_q") / pl.col("total_assets")).log(),
        pl.col("operating_cost_q") / pl.col("revenue_q"),
        pl.col("total_equity") / pl.col("total_assets"),
        pl.col("net_profit_q") / pl.col("revenue_q"),
    ).to_numpy()
    z = (ratios - ratios.mean(axis=0)) / ratios.std(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    guess = np.argsort(-(z @ z.T), axis=1)[:, 1:11]
    symbols = last["symbol"].to_list()
    true = {(row[0], row[1]) for row in pairs.iter_rows()}
    hits = sum((symbols[i], symbols[j]) in true for i in range(len(z)) for j in guess[i])
    assert hits / len(true) > 4 * 10 / len(z)


def test_surprises_have_unit_mean_square() -> None:
    surprises = make_world(Settings(stocks=1000)).statements.surprises
    values = np.concatenate([v for _, v in surprises.values()])
    assert np.sqrt((values**2).mean()) == pytest.approx(1.0, abs=0.03)
    assert abs(values.mean()) < 0.08


def _published(N: int, **changes: object) -> Published:
    zero = np.zeros(N)
    fields: dict[str, object] = {
        "traded": np.ones(N, bool),
        "seasoned": np.zeros(N, bool),
        **dict.fromkeys(("returns", "residual", "turnover", "surprise", "cut"), zero),
        **{name: np.ones(N) for name in ("turnover_5", "turnover_10", "turnover_60")},
        "size_group": np.zeros(N, np.int64),
        "book_to_price": None,
        "neighbours": np.zeros((N, 1), np.int64),
    }
    return Published(**(fields | changes))  # type: ignore[arg-type]


def test_what_the_limit_cuts_off_comes_on_the_next_traded_day() -> None:
    memories = Memories.of(Settings(carry=0.5))
    row, alive = memories.row("carry"), np.array([True, True, True, False])
    cut = np.array([0.16, -0.02, 0.0, 0.3])
    state = memories.update(np.zeros((len(memories.parts), 4)), _published(4, cut=cut), alive)
    np.testing.assert_allclose(state[row], [0.08, -0.01, 0.0, 0.0])
    # the oracle has what another day's limit leaves of it
    truth = memories.truth(state, np.array([0.05, 0.05, np.inf, 0.05]))
    np.testing.assert_allclose(memories.oracle(truth, "carry", 10), [0.03, 0.0, 0.0, 0.0])
    # the second stock is suspended on the next day and keeps it; the first is traded, so its carry is paid out
    traded = np.array([True, False, True, False])
    after = memories.update(state, _published(4, traded=traded), alive)
    np.testing.assert_allclose(after[row], [0.0, -0.01, 0.0, 0.0])


def test_the_value_state_is_frozen_between_deadlines() -> None:
    memories = Memories.of(Settings())
    row, alive = memories.row("value"), np.array([True, True, True, False])
    book = np.array([0.1, -1.0, 0.4, 9.0])
    state = memories.update(np.zeros((len(memories.parts), 4)), _published(4, book_to_price=book), alive)
    z = (book[:3] - book[:3].mean()) / book[:3].std()
    np.testing.assert_allclose(state[row], [*(z * Settings().strength.value / 10), 0.0])
    assert (memories.update(state, _published(4), alive)[row] == state[row]).all()
    np.testing.assert_allclose(memories.oracle(state, "value", 20), 20 * state[row])


def test_the_circuit_breaker_of_2016() -> None:
    source = open_source(Settings(stocks=80, start=date(2015, 12, 1), end=date(2016, 1, 29)), None)
    level = source.fetch("index_daily").filter(pl.col("index") == "000985.SH").sort("date")
    change = dict(zip(level["date"], level["close"].pct_change(), strict=True))
    turnover = source.fetch("daily").filter(pl.col("volume") > 0).group_by("date").agg(pl.col("turnover").median())
    share = dict(turnover.with_columns(pl.col("turnover") / pl.col("turnover").median()).iter_rows())
    for day, highest in ((date(2016, 1, 4), 1.3), (date(2016, 1, 7), 0.3)):
        assert -0.09 < change[day] < -0.05
        assert share[day] < highest
    assert share[date(2016, 1, 7)] < 0.5 * min(v for d, v in share.items() if d != date(2016, 1, 7))
