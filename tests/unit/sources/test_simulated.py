"""The simulated market's tables keep the data contract and the trading rules; nothing but settings decides them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError, RecipeError, UserError
from deepfactor.core.kind import Kind
from deepfactor.sources._simulation.indices import make_indices, reset_days
from deepfactor.sources._simulation.market import make_world, run_market
from deepfactor.sources.base import ROOM
from deepfactor.sources.simulated import PARTS, VISIBLE, Settings, Simulated, Strength, open_source
from deepfactor.store.checks import check_tables
from deepfactor.store.schema import TABLES

INDICES = ("000300.SH", "000852.SH", "000905.SH", "000985.SH")
SMALL = {"stocks": 120, "start": date(2019, 6, 3), "end": date(2021, 12, 31)}


@pytest.fixture(scope="module")
def market() -> Simulated:
    return open_source(Settings(**SMALL, seed=3), None)


@pytest.fixture(scope="module")
def daily(market: Simulated) -> pl.DataFrame:
    return market.fetch("daily").sort("symbol", "date")


@pytest.fixture(scope="module")
def tables(market: Simulated) -> dict[str, pl.DataFrame]:
    return {name: market.fetch(name) for name in market.tables()}


def _bytes(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def test_tables_keep_the_schema(tables: dict[str, pl.DataFrame]) -> None:
    assert next(iter(tables)) == "daily"
    for name, frame in tables.items():
        table = TABLES[name]
        assert set(table.required()) <= set(frame.columns) <= set(table.columns), name
        for column in frame.columns:
            assert frame.schema[column] == table.columns[column].dtype, (name, column)
        assert frame.select(table.key).is_duplicated().sum() == 0, name


def test_the_audit_finds_nothing(tables: dict[str, pl.DataFrame]) -> None:
    assert check_tables(tables) == []


def test_prices_of_a_day_fit_together(daily: pl.DataFrame) -> None:
    traded = daily.filter(~pl.col("is_suspended"))
    vwap = pl.col("amount") / pl.col("volume")
    assert traded.filter((pl.col("low") > pl.min_horizontal("open", "close")) | (pl.col("low") <= 0)).is_empty()
    assert traded.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
    assert traded.filter((vwap < pl.col("low") - 1e-9) | (vwap > pl.col("high") + 1e-9)).is_empty()
    assert traded.filter((pl.col("volume") <= 0) | (pl.col("volume") % 100 != 0)).is_empty()
    for column in ("open", "high", "low", "close", "prev_close", "limit_up", "limit_down"):
        fen = daily[column].drop_nulls() * 100
        assert (fen - fen.round()).abs().max() < 1e-6, column
    outside = (pl.col("high") > pl.col("limit_up")) | (pl.col("low") < pl.col("limit_down"))
    assert traded.filter(outside).is_empty()


def test_a_suspended_day_is_a_row_without_a_trade(daily: pl.DataFrame) -> None:
    suspended = daily.filter("is_suspended")
    assert 0.005 < len(suspended) / len(daily) < 0.04
    assert suspended.select(pl.col("volume").max(), pl.col("amount").max(), pl.col("turnover").max()).row(0) == (
        0,
        0,
        0,
    )
    for column in ("open", "high", "low", "close"):
        assert (suspended[column] == suspended["prev_close"]).all()


def test_reference_price_follows_from_the_factor(daily: pl.DataFrame) -> None:
    """prev_close = close₋₁ · factor₋₁ / factor, to the fen, and ex-dates are there."""
    before = daily.with_columns(
        derived=(pl.col("close") * pl.col("adj_factor")).shift(1).over("symbol") / pl.col("adj_factor"),
        factor_before=pl.col("adj_factor").shift(1).over("symbol"),
    ).drop_nulls("derived")
    assert (before["derived"] - before["prev_close"]).abs().max() < 1e-5
    ex_dates = before.filter(pl.col("adj_factor") != pl.col("factor_before"))
    assert len(ex_dates) > 100
    assert (ex_dates["adj_factor"] > ex_dates["factor_before"]).all()
    assert ex_dates["date"].dt.month().is_in([5, 6, 7]).all()


def test_shares_change_by_splits_alone(daily: pl.DataFrame) -> None:
    shares = (pl.col("total_mv") / pl.col("close")).alias("shares")
    growth = daily.select(shares, (shares / shares.shift(1).over("symbol")).alias("growth")).drop_nulls()["growth"]
    splits = growth.filter((growth - 1).abs() > 1e-6)
    assert len(splits) > 5
    nearest = np.abs(splits.to_numpy()[:, None] - np.array([1.2, 1.3, 1.4, 1.5, 2.0])).min(axis=1)
    assert nearest.max() < 1e-6


def _limit(reference: float, rate: str) -> float:
    return float((Decimal(str(reference)) * Decimal(rate)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_limits_follow_the_rules_in_decimal_arithmetic(daily: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    """Against the rules of each board written out by hand, on stock-days past the first five after listing."""
    board = dict(tables["securities"].select("symbol", "board").iter_rows())
    aged = daily.with_columns(age=pl.int_range(pl.len()).over("symbol")).filter(pl.col("age") >= 5)
    seen = set()
    for row in aged.gather_every(37).iter_rows(named=True):
        kind, st, late = board[row["symbol"]], row["is_st"], row["date"] >= date(2020, 8, 24)
        chinext = ("1.20", "0.80") if late else ("1.05", "0.95") if st else ("1.10", "0.90")
        main = ("1.05", "0.95") if st else ("1.10", "0.90")
        rates = {"main": main, "chinext": chinext, "star": ("1.20", "0.80"), "beijing": ("1.30", "0.70")}[kind]
        assert row["limit_up"] == pytest.approx(_limit(row["prev_close"], rates[0]), abs=1e-9), row
        assert row["limit_down"] == pytest.approx(_limit(row["prev_close"], rates[1]), abs=1e-9), row
        seen.add((kind, st, late))
    assert {("main", False, True), ("main", True, True), ("chinext", False, False), ("chinext", False, True)} <= seen


def test_first_days_after_listing(daily: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    new = tables["securities"].filter(pl.col("list_date") > SMALL["start"])
    first = daily.join(new, on="symbol").with_columns(age=pl.int_range(pl.len()).over("symbol"))
    star = first.filter((pl.col("board") == "star") & (pl.col("age") < 6))
    assert len(star) > 20
    assert star.filter((pl.col("age") < 5) != pl.col("limit_up").is_null()).is_empty()
    main = first.filter((pl.col("board") == "main") & (pl.col("age") == 0))
    assert len(main) >= 2
    assert ((main["limit_up"] / main["prev_close"] - 1.44).abs() < 0.005).all()


def test_rows_fill_the_listing_span(daily: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    """One row a listed stock and trading day: from the listing, until the day before the delisting."""
    days = daily["date"].unique().sort()
    span = daily.group_by("symbol").agg(first=pl.col("date").min(), last=pl.col("date").max(), rows=pl.len())
    for row in tables["securities"].join(span, on="symbol", how="full").iter_rows(named=True):
        assert row["first"] == max(row["list_date"], days[0])
        after = days.filter(days > row["last"])
        assert row["delist_date"] == (after[0] if len(after) else None)
        assert row["rows"] == days.is_between(row["first"], row["last"]).sum()
    assert set(tables["industry"]["symbol"]) == set(span["symbol"])


def test_calendar_reaches_a_year_past_the_end(daily: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    calendar = tables["calendar"]["date"]
    assert calendar.filter(calendar <= SMALL["end"]).to_list() == daily["date"].unique().sort().to_list()
    assert date(2022, 12, 25) < calendar.max() <= date(2022, 12, 31)
    assert calendar.dt.weekday().max() <= 5
    assert not calendar.is_in([date(2020, 1, 1), date(2020, 1, 24), date(2020, 10, 1), date(2021, 2, 11)]).any()
    assert 235 <= calendar.filter(calendar.dt.year() == 2020).len() <= 250


def test_index_members_and_weights_agree(tables: dict[str, pl.DataFrame]) -> None:
    weights, members = tables["index_weights"], tables["index_members"]
    assert tuple(sorted(weights["index"].unique())) == INDICES
    sums = weights.group_by("index", "date").agg(pl.col("weight").sum())["weight"]
    assert (sums - 1).abs().max() < 1e-12
    held = weights.join(members, on=("index", "symbol"))
    inside = (pl.col("date") >= pl.col("start_date")) & (
        pl.col("date") <= pl.col("end_date").fill_null(date(2999, 1, 1))
    )
    held = held.filter(inside)
    assert len(held) == len(weights)
    sizes = weights.group_by("index", "date").len().group_by("index").agg(pl.col("len").max()).sort("index")["len"]
    assert sizes.to_list()[:3] == [20, 24, 30]
    ranked = members.filter(pl.col("index") != "000985.SH")
    together = ranked.join(ranked, on="symbol").filter(pl.col("index") < pl.col("index_right"))
    overlap = (pl.col("start_date") <= pl.col("end_date_right").fill_null(date(2999, 1, 1))) & (
        pl.col("start_date_right") <= pl.col("end_date").fill_null(date(2999, 1, 1))
    )
    assert together.filter(overlap).is_empty()
    # Monday after the second Friday, as the publisher does it
    resets = [(2019, 6, 17), (2019, 12, 16), (2020, 6, 15), (2020, 12, 14), (2021, 6, 14), (2021, 12, 13)]
    left = tables["securities"]["delist_date"].drop_nulls().to_list()
    mid_month = weights.filter(pl.col("date").dt.day().is_between(4, 25))["date"].unique()
    assert sorted(set(mid_month) - set(left)) == [date(*day) for day in resets]
    starts = members.filter(pl.col("start_date") > SMALL["start"])["start_date"].unique()
    assert len(starts) >= 4
    assert starts.is_in(mid_month.to_list()).all()


def test_members_are_ranked_by_what_was_known_the_day_before(
    daily: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> None:
    days = daily["date"].unique().sort().to_list()
    members = tables["index_members"]
    for reset in (date(2020, 6, 15), date(2020, 12, 14), date(2021, 6, 14), date(2021, 12, 13)):
        at = days.index(reset)
        known = daily.filter(pl.col("date").is_in(days[at - 120 : at]))
        eligible = known.filter((pl.col("date") == days[at - 1]) & ~pl.col("is_st"))["symbol"]
        mean = known.group_by("symbol").agg(cap=pl.col("total_mv").sum() / 120)
        ranked = (
            mean.filter(pl.col("symbol").is_in(eligible.to_list())).sort("cap", descending=True)["symbol"].to_list()
        )
        trading = set(daily.filter(pl.col("date") == reset)["symbol"])
        inside = (pl.col("start_date") <= reset) & (pl.col("end_date").is_null() | (pl.col("end_date") >= reset))
        for index, first, last in (("000300.SH", 0, 20), ("000905.SH", 20, 50), ("000852.SH", 50, 74)):
            held = set(members.filter(inside & (pl.col("index") == index))["symbol"])
            assert held == set(ranked[first:last]) & trading, (index, reset)


@pytest.mark.slow
def test_a_reset_reads_nothing_of_its_own_day() -> None:
    """Scramble market values from a reset day on: that day's members stay (a shift by a day hardly moves a mean)."""
    world = make_world(Settings(**SMALL, seed=3))
    history = run_market(world)
    t = int(np.flatnonzero(reset_days(world.clock))[3])
    shares = history.days.shares.copy()
    shares[t:] *= np.exp(5 * np.random.default_rng(0).standard_normal(shares.shape[1]))
    scrambled = replace(history, days=replace(history.days, shares=shares))
    before, after = make_indices(history, world.clock), make_indices(scrambled, world.clock)
    for code in INDICES:
        assert (before[code].members[: t + 1] == after[code].members[: t + 1]).all(), code
    assert (before["000300.SH"].members[-1] != after["000300.SH"].members[-1]).any()


@pytest.mark.parametrize("index", INDICES)
def test_index_levels_follow_from_the_tables(index: str, daily: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    """Day by day with dictionaries: float value at the previous close × the stock's return, over the day's members."""
    level = tables["index_daily"].filter(pl.col("index") == index).sort("date")
    assert level["close"][0] == level["total_return_close"][0] == 1000
    rows = {
        (d, s): r for d, s, *r in daily.select("date", "symbol", "close", "prev_close", "total_mv", "float_mv").rows()
    }
    spans = tables["index_members"].filter(pl.col("index") == index).select("symbol", "start_date", "end_date").rows()
    dates = level["date"].to_list()
    for t in [*range(1, 40), *range(len(dates) - 40, len(dates))]:
        today, before = dates[t], dates[t - 1]
        value = price = total = 0.0
        for symbol, start, end in spans:
            if start <= today <= (end or today) and (before, symbol) in rows and (today, symbol) in rows:
                close, reference, cap, _ = rows[today, symbol]
                _, _, cap_before, float_before = rows[before, symbol]
                value += float_before
                price += float_before * (cap / cap_before - 1)
                total += float_before * (close / reference - 1)
        assert level["close"][t] / level["close"][t - 1] - 1 == pytest.approx(price / value, abs=3e-7)
        gross = level["total_return_close"]
        assert gross[t] / gross[t - 1] - 1 == pytest.approx(total / value, abs=3e-7)


@pytest.mark.slow
def test_same_settings_give_the_same_bytes(tables: dict[str, pl.DataFrame], market: Simulated) -> None:
    again = open_source(Settings(**SMALL, seed=3), None)
    for name, frame in tables.items():
        assert _bytes(frame) == _bytes(again.fetch(name)), name
    assert _bytes(market.oracle()) == _bytes(again.oracle())
    other = open_source(Settings(**SMALL, seed=4), None)
    assert not other.fetch("daily").equals(tables["daily"])


@pytest.mark.slow
def test_a_longer_market_repeats_the_shorter_one(tables: dict[str, pl.DataFrame], market: Simulated) -> None:
    """Nothing up to a day depends on the end: prices, members, weights, levels and the oracle, bit for bit."""
    cut = date(2020, 9, 15)
    short = open_source(Settings(**SMALL | {"end": cut}, seed=3), None)
    for name in ("daily", "index_weights", "index_daily"):
        assert _bytes(short.fetch(name)) == _bytes(market.fetch(name, end=cut).rechunk()), name
    assert short.oracle().equals(market.oracle().filter(pl.col("date") <= cut))
    spans = tables["index_members"].filter(pl.col("start_date") <= cut)
    ended = pl.when(pl.col("end_date") < cut).then("end_date")
    assert short.fetch("index_members").equals(spans.with_columns(end_date=ended))
    left = pl.when(pl.col("delist_date") <= cut).then("delist_date")
    known = tables["securities"].filter(pl.col("list_date") <= cut).with_columns(delist_date=left)
    assert short.fetch("securities").equals(known)
    statements = tables["fundamentals"].filter(pl.col("known_at") <= cut)
    assert short.fetch("fundamentals").equals(statements.filter(pl.col("symbol").is_in(known["symbol"].to_list())))
    calendar = short.fetch("calendar")["date"]
    assert calendar.is_in(tables["calendar"]["date"].to_list()).all()


def test_fetch_cuts_by_date_and_refuses_unknown_tables(market: Simulated) -> None:
    part = market.fetch("daily", date(2020, 1, 2), date(2020, 1, 8))
    assert (part["date"].min(), part["date"].max()) == (date(2020, 1, 2), date(2020, 1, 8))
    with pytest.raises(DataError, match=r"no table 'oracle'.*daily"):
        market.fetch("oracle")


def test_the_source_says_that_it_is_simulated(market: Simulated) -> None:
    account = market.describe()
    assert account["simulated"] is True
    assert account["derived"] == []
    assert Settings(**account["settings"]) == market.settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"only": ["reversal", "magic"]}, r"source: .*magic.*reversal, trend, divergence"),
        ({"start": "2020-01-02", "end": "2019-01-02"}, r"source: .*in order"),
        ({"end": "2050-01-02"}, r"source: .*between 2010-01-01 and 2033-12-31"),
        ({"stocks": 10}, r"source\.stocks"),
        ({"strength": {"reversal": -1}}, r"source\.strength\.reversal"),
        ({"volatilty": {}}, r"source\.volatilty"),
    ],
)
def test_wrong_settings_name_their_key(given: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        ROOM.choose(Kind(kind="simulated", **given), key="source")


def test_a_market_without_days_is_refused() -> None:
    weekend = open_source(Settings(start=date(2020, 10, 1), end=date(2020, 10, 6)), None)
    with pytest.raises(UserError, match="two trading days"):
        weekend.fetch("daily")


@pytest.mark.slow
def test_early_and_late_markets_run() -> None:
    """The rules before 2014 and after 2026, and the calendar's two ends."""
    for start, end in ((date(2010, 1, 4), date(2010, 8, 31)), (date(2033, 6, 1), date(2033, 12, 31))):
        source = open_source(Settings(stocks=60, start=start, end=end), None)
        assert check_tables({name: source.fetch(name) for name in source.tables()}) == []


def test_parts_of_alpha_are_named_in_one_place() -> None:
    assert (*VISIBLE, "drift", "value", "spillover", "carry") == PARTS
    assert {*Strength.model_fields, "carry"} == set(PARTS)
