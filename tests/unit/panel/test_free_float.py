"""A vendor's free float makes the provider's weights: in shares or as a fraction, over suspensions, day by day."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deepfactor.market.free_float import inclusion_factor
from deepfactor.panel.build import open_panel
from deepfactor.store.checks import Basis, check_tables
from deepfactor.store.folder import write_market
from support.index_market import INDEX, index_market

FREE = [0.04, 0.17, 0.31, 0.55, 0.92]  # of the A-share capital, one stock after another


@pytest.fixture(scope="module")
def made():
    return index_market(days=150)


def with_free_float(made, unit: str) -> dict[str, pl.DataFrame]:
    """`daily` with the A-shares issued, twice the float shares, and free float in shares or as a fraction."""
    free = pl.col("symbol").replace_strict(
        {s: FREE[i % 5] for i, s in enumerate(made.symbols)}, return_dtype=pl.Float64
    )
    issued = (2 * pl.col("float_mv") / pl.col("close")).round()
    daily = made.tables["daily"].with_columns(a_shares=issued, free_float=free if unit == "fraction" else free * issued)
    return {**made.tables, "daily": daily}


def provider(made, universe):
    """Weights (T, N) by price × A-shares × tier, from the tables alone; a day without a row is as the one before."""
    daily = with_free_float(made, "shares")["daily"]
    tier = inclusion_factor((daily["free_float"] / daily["a_shares"]).to_numpy())
    value = daily.with_columns(value=pl.col("close") * pl.col("a_shares") * tier)
    wide = value.pivot(on="symbol", index="date", values="value", sort_columns=False).sort("date").fill_null(
        strategy="forward"
    )  # fmt: skip
    held = np.where(universe.members[INDEX], wide.select(made.symbols).to_numpy(), 0.0)
    return held / held.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("unit", ["shares", "fraction"])
def test_weights_are_price_times_a_shares_times_tier(made, tmp_path, unit):
    tables = with_free_float(made, unit)
    assert not [one for one in check_tables(tables) if one.severity == "error"]
    write_market(tmp_path / "m", tables, source={})
    panel, universe = open_panel(tmp_path / "m")
    assert dict(universe.weighting[INDEX].used().days) == {"free_float": len(panel.dates)}
    np.testing.assert_allclose(universe.benchmark[INDEX], provider(made, universe), atol=2e-7)


def test_where_a_shares_are_not_given_total_value_stands_in(made, tmp_path):
    daily = with_free_float(made, "fraction")["daily"]
    daily = daily.with_columns(total_mv=pl.col("a_shares") * pl.col("close")).drop("a_shares")
    write_market(tmp_path / "m", {**made.tables, "daily": daily}, source={})
    _, universe = open_panel(tmp_path / "m")
    np.testing.assert_allclose(universe.benchmark[INDEX], provider(made, universe), atol=2e-7)


def test_days_on_which_members_lack_it_weigh_by_float_value(made, tmp_path):
    """Known from the sixtieth day on; then of all but one member, which is within a tenth."""
    day = made.dates[60]
    known = (pl.col("date") >= day) & (pl.col("symbol") != made.symbols[3])
    daily = with_free_float(made, "shares")["daily"].with_columns(free_float=pl.when(known).then("free_float"))
    write_market(tmp_path / "m", {**made.tables, "daily": daily}, source={})
    _, universe = open_panel(tmp_path / "m")
    assert dict(universe.weighting[INDEX].used().days) == {"free_float": 90, "float_cap": 60}
    assert universe.benchmark[INDEX][59, 3] > 0
    assert universe.benchmark[INDEX][60, 3] == 0


@pytest.mark.slow
def test_a_market_kept_up_equals_a_fresh_one(made, tmp_path):
    tables = with_free_float(made, "shares")
    for t in (100, 101, 102, 110, 111, 149):
        known = {name: tables[name].filter(pl.col("date") <= made.dates[t]) for name in ("daily", "index_daily")}
        known |= {"calendar": tables["calendar"]}
        known["index_members"] = tables["index_members"].filter(pl.col("start_date") <= made.dates[t]).with_columns(
            end_date=pl.when(pl.col("end_date") < made.dates[t]).then("end_date")
        )  # fmt: skip
        write_market(tmp_path / "m", known, source={})
        kept, universe = open_panel(tmp_path / "m")
    write_market(tmp_path / "fresh", known, source={})
    fresh, other = open_panel(tmp_path / "fresh")
    assert kept["free_float_mv"].tobytes() == fresh["free_float_mv"].tobytes()
    assert universe.benchmark[INDEX].tobytes() == other.benchmark[INDEX].tobytes()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("mixed_unit", {"free_float": pl.when(pl.int_range(pl.len()) % 2 == 0).then(0.4).otherwise("free_float")}),
        ("wrong_unit", {"free_float": pl.col("free_float") / 10_000}),
        ("wrong_unit", {"free_float": pl.col("free_float") * 10_000}),
        ("wrong_unit", {"free_float": 100 * pl.col("free_float") / pl.col("a_shares")}),
        ("wrong_unit", {"a_shares": pl.col("a_shares") / 10_000}),
        ("negative", {"free_float": -pl.col("free_float")}),
        ("not_positive", {"a_shares": pl.col("a_shares") * 0}),
    ],
)
def test_units_that_can_not_be_are_refused(made, code, change):
    tables = with_free_float(made, "shares")
    daily = tables["daily"].with_columns(**change)
    found = [one for one in check_tables({**tables, "daily": daily}) if one.severity == "error"]
    assert code in {one.code for one in found}


def test_free_float_wants_what_it_is_a_part_of(made):
    tables = with_free_float(made, "fraction")
    found = check_tables({**tables, "daily": tables["daily"].drop("a_shares")})
    assert [(one.severity, one.code, one.column) for one in found if one.column == "free_float"] == [
        ("error", "missing_column", "free_float")
    ]


@pytest.mark.parametrize(("unit", "column"), [("shares", "free_float"), ("shares", "a_shares"), ("fraction", None)])
def test_numbers_of_shares_want_raw_prices(made, unit, column):
    daily = with_free_float(made, unit)["daily"].with_columns(total_mv=2 * pl.col("float_mv"))
    daily = daily.drop(*(["adj_factor"] if column == "a_shares" else ["adj_factor", "a_shares"]))
    found = check_tables({**made.tables, "daily": daily}, basis=Basis(adjusted=True))
    assert {one.column for one in found if one.code == "adjusted_capital"} == ({column} if column else set())
