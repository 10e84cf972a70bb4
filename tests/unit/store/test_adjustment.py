"""Prices and factors that don't belong together: found by the adjusted return that no limit allows, named, counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.report.press.words import words
from deepfactor.store.checks import Basis, Finding
from deepfactor.store.checks.adjustment import OF_MOVES, check_adjustment
from deepfactor.store.folder import write_market
from support.bars import weekdays

DAYS, STOCKS = 400, 8
RAW = Basis()


def raw(seed: int = 0, ratio: float = 1.5, stocks: int = STOCKS, sd: float = 0.02) -> pl.DataFrame:
    """Raw prices in fen of stocks that issue bonus shares once each (three for two), and the backward factor."""
    rng = np.random.default_rng(seed)
    days, rows = weekdays(DAYS, date(2019, 1, 2)), []
    for n in range(stocks):
        moves = np.clip(rng.normal(0, sd, DAYS), -0.06, 0.06)
        adjusted = (20 + n) * np.exp(np.cumsum(moves))
        factor = np.where(np.arange(DAYS) < 60 + 5 * n, 1.0, ratio)
        close = np.round(adjusted / factor, 2)
        rows.append(pl.DataFrame({"date": days, "close": close, "adj_factor": factor, "symbol": f"{600000 + n}.SH"}))
    return pl.concat(rows).with_columns(volume=pl.lit(1e5))


def forward(frame: pl.DataFrame, digits: int) -> pl.DataFrame:
    """As a vendor gives it that scales history to the last price."""
    last = pl.col("adj_factor").last().over("symbol")
    return frame.with_columns(close=(pl.col("close") * pl.col("adj_factor") / last).round(digits))


def found(frame: pl.DataFrame, basis: Basis = RAW, **more) -> dict[str, Finding]:
    return {one.code: one for one in check_adjustment(frame, basis, **more)}


def day(t: int) -> date:
    return weekdays(DAYS, date(2019, 1, 2))[t]


def of(symbol: str, first: int = 0, last: int = DAYS) -> pl.Expr:
    return (pl.col("symbol") == symbol) & (pl.col("date") >= day(first)) & (pl.col("date") <= day(last - 1))


def changed(frame: pl.DataFrame, where: pl.Expr, column: str, to: pl.Expr | float | None) -> pl.DataFrame:
    return frame.with_columns(pl.when(where).then(to).otherwise(pl.col(column)).alias(column))


@pytest.mark.parametrize("seed", range(3))
def test_raw_prices_pass(seed):
    assert check_adjustment(raw(seed), RAW) == []
    single = raw(seed).with_columns(pl.col("close").cast(pl.Float32).cast(pl.Float64))
    assert check_adjustment(single, RAW) == [], "prices kept in single precision"
    last = pl.col("adj_factor").last().over("symbol")
    assert check_adjustment(raw(seed).with_columns(pl.col("adj_factor") / last), RAW) == [], "a forward factor"
    shuffled = raw(seed).sort("date", "symbol")
    assert check_adjustment(shuffled, RAW) == [], "laid out by day"


# One stock


@pytest.mark.parametrize("level", [1.0, 6.285])
def test_a_factor_that_falls_and_comes_back_names_symbol_and_days(level):
    daily = changed(raw(), of("600003.SH", 200, 280), "adj_factor", pl.col("adj_factor") / 6.285 * level)
    one = found(daily)
    if level == 6.285:
        assert one == {}
        return
    assert set(one) == {"factor_jump"}
    assert (one["factor_jump"].severity, one["factor_jump"].count) == ("warning", 2)
    for t, text in ((200, "-8"), (280, "+5")):
        (example,) = [e for e in one["factor_jump"].examples if e.startswith(f"{day(t)} 600003.SH {text}")]
        assert "adj_factor" in example


@pytest.mark.parametrize("split", [2.0, 1.25, 0.5])
def test_a_price_that_jumps_as_on_an_ex_date_while_the_factor_stays(split):
    daily = changed(raw(), of("600002.SH", 200), "close", (pl.col("close") / split).round(2))
    one = found(daily)
    assert set(one) == {"price_jump"}
    (example,) = one["price_jump"].examples
    assert example.startswith(f"{day(200)} 600002.SH {'-' if split > 1 else '+'}")


def test_an_ex_date_whose_factor_is_of_another_size():
    """Ten for ten is entered as ten for twenty."""
    daily = changed(raw(ratio=2.0), of("600002.SH", 70), "adj_factor", 3.0)
    (one,) = found(daily).values()
    assert (one.code, one.count) == ("factor_jump", 1)
    assert one.examples[0].startswith(f"{day(70)} 600002.SH +")


def test_a_small_fall_of_the_factor_is_named():
    one = found(changed(raw(), of("600002.SH", 200), "adj_factor", pl.col("adj_factor") * 0.97))
    assert set(one) == {"factor_falls"}
    assert one["factor_falls"].examples == (f"{day(200)} 600002.SH 1.5 → 1.455",)
    merged = changed(raw(), of("600002.SH", 200), "adj_factor", pl.col("adj_factor") / 5)
    merged = changed(merged, of("600002.SH", 200), "close", pl.col("close") * 5)
    assert found(merged) == {}, "five shares are merged into one"


@pytest.mark.parametrize("scale", [1e6, 1e38, 1e-6])
def test_a_factor_of_another_power_on_one_row_is_refused(scale):
    daily = changed(raw(), of("600002.SH", 200, 201), "adj_factor", pl.col("adj_factor") * scale)
    one = found(daily)["impossible_return"]
    assert (one.severity, one.count) == ("error", 2)
    assert one.examples[0].startswith(f"{day(200)} 600002.SH")


def test_listing_resumption_and_boards_have_their_own_limits():
    new = raw(stocks=1).filter(pl.col("date") >= day(100))
    new = new.with_columns(symbol=pl.lit("600900.SH"))
    new = changed(new, pl.col("date") == day(100), "close", 5.0)  # then up to 20: its second day knows no limit
    assert found(pl.concat([raw(), new])) == {}
    back = raw().filter(~of("600002.SH", 100, 120))
    back = changed(back, of("600002.SH", 120), "close", pl.col("close") * 3)
    assert found(back) == {}, "after a long suspension any price"
    assert set(found(changed(back, of("600002.SH", 120), "adj_factor", 4.5))) == {"factor_jump_in_suspension"}
    wide = raw().with_columns(pl.col("symbol").str.replace("600004.SH", "688004.SH"))
    up = changed(wide, of("688004.SH", 200), "close", (pl.col("close") * 1.15).round(2))
    assert found(up) == {}, "20 % on the STAR market"
    assert set(found(changed(wide, of("600005.SH", 200), "close", pl.col("close") * 1.17))) == {"price_jump"}


def test_list_dates_say_who_is_new():
    """Without them a stock with a first row on the market's first day counts as long listed."""
    daily = changed(raw(), of("600002.SH", 1), "close", pl.col("close") * 2)
    assert set(found(daily)) == {"price_jump"}
    listed = pl.DataFrame({"symbol": ["600002.SH"], "list_date": [day(0)]})
    assert found(daily, securities=listed) == {}


def test_a_day_without_a_price_limit_or_a_strange_code_is_no_fault():
    foreign = raw(stocks=1).with_columns(symbol=pl.lit("900901.SH"))
    foreign = changed(foreign, pl.col("date") >= day(200), "close", pl.col("close") * 2)
    assert found(pl.concat([raw(), foreign])) == {}
    early = changed(raw(), of("600002.SH", 200), "close", pl.col("close") * 2)
    assert found(early.with_columns(pl.col("date").dt.offset_by("-28y"))) == {}, "before 1996-12-16"


# Many stocks


def shift(frame: pl.DataFrame, by: int) -> pl.DataFrame:
    moved = pl.col("adj_factor").shift(by).over("symbol").forward_fill().backward_fill()
    return frame.with_columns(adj_factor=moved)


MANY: dict[str, tuple[Callable[[], pl.DataFrame], str, str]] = {
    "reset to 1 on a day": (
        lambda: changed(raw(), pl.col("date") >= day(300), "adj_factor", 1.0),
        "factor_falls",
        f"{day(300)} 600000.SH 1.5 → 1",
    ),
    "the inverse": (lambda: raw().with_columns(adj_factor=1 / pl.col("adj_factor")), "factor_and_price", "-5"),
    "ex-dates missed": (lambda: raw().with_columns(adj_factor=1.0), "factor_and_price", "-3"),
    "one of a step only": (
        lambda: raw().with_columns(adj_factor=pl.when(pl.col("adj_factor") > 1).then(1.6).otherwise(0.8)),
        "factor_and_price",
        "+3",
    ),
    "a day late": (lambda: shift(raw(), 1), "adjusted_prices", ""),
    "a day early": (lambda: shift(raw(), -1), "adjusted_prices", ""),
    "adjusted already, rounded": (lambda: forward(raw(), 2), "adjusted_prices", ""),
    "drifting": (
        lambda: raw().with_columns(pl.col("adj_factor") * 1.001 ** pl.int_range(pl.len()).over("symbol")),
        "factor_drifts",
        "600000.SH 399 of 399 rows",
    ),
}


@pytest.mark.parametrize("fault", list(MANY))
def test_a_fault_of_the_delivery_is_refused(fault):
    make, code, example = MANY[fault]
    one = found(make())[code]
    assert one.severity == "error"
    assert one.examples
    assert example in one.examples[0]


def test_a_late_factor_is_told_from_adjusted_prices():
    assert "a trade before adj_factor grows" in found(shift(raw(), 1))["adjusted_prices"].message
    assert "a trade after adj_factor grows" in found(shift(raw(), -1))["adjusted_prices"].message
    assert "adjusted already" in found(forward(raw(), 2))["adjusted_prices"].message


def cash(seed: int = 0) -> pl.DataFrame:
    """Dividends of 3 % on forty days: too small for a day's price to say anything, not for all of them."""
    return raw(seed, ratio=1.03, stocks=40, sd=0.01)


def test_small_dividends_say_together_whether_prices_are_adjusted():
    assert check_adjustment(cash(), RAW) == []
    assert set(found(forward(cash(), 2))) == {"adjusted_prices"}
    assert "a trade before" in found(shift(cash(), 1))["adjusted_prices"].message


def test_a_level_that_changes_for_all_on_a_day():
    one = found(changed(raw(), pl.col("date") >= day(300), "adj_factor", pl.col("adj_factor") * 1.05))
    assert {code: f.severity for code, f in one.items()} == {"factor_level": "warning"}
    assert one["factor_level"].examples == (f"{day(300)}: 8 of 8 symbols",)
    together = raw(ratio=1.0)
    for column, by in (("close", 0.5), ("adj_factor", 2.0)):
        together = changed(together, pl.col("date") >= day(300), column, (pl.col(column) * by).round(2))
    assert found(together) == {}, "all go ex on one day, ten for ten"


def test_a_factor_that_is_rounded_anew_each_day_is_a_warning():
    noise = pl.Series(np.random.default_rng(1).normal(0, 2e-4, DAYS * STOCKS))
    one = found(raw().with_columns(pl.col("adj_factor") * (1 + noise)))
    assert {code: f.severity for code, f in one.items()} == {"factor_drifts": "warning"}


def test_a_factor_that_no_year_changes_is_doubted():
    many = raw(ratio=1.0, stocks=130, sd=0.01)
    (one,) = found(many).values()
    assert (one.code, one.severity) == ("factor_never_changes", "warning")
    assert found(many.filter(pl.col("symbol") < "600100.SH")) == {}, "forty thousand rows may have none"


# Reference prices


def with_reference(frame: pl.DataFrame) -> pl.DataFrame:
    before = pl.col("close").shift(1) * pl.col("adj_factor").shift(1) / pl.col("adj_factor")
    return frame.with_columns(prev_close=before.over("symbol").round(2))


def test_a_reference_that_contradicts_the_factor():
    daily = with_reference(raw(ratio=1.03))
    assert found(daily) == {}
    one = found(changed(daily, of("600002.SH"), "adj_factor", 1.0))
    assert {code: f.severity for code, f in one.items()} == {"prev_close_and_factor": "warning"}
    assert one["prev_close_and_factor"].examples[0].startswith(f"{day(70)} 600002.SH prev_close ")
    assert found(daily.with_columns(adj_factor=1.0))["prev_close_and_factor"].severity == "error"


# No factor


@pytest.mark.parametrize("given", ["drops", "prev_close", "limits"])
def test_prices_that_fall_on_ex_dates_need_a_factor(given):
    daily = raw() if given == "drops" else with_reference(raw(ratio=1.03))
    if given == "limits":
        up, down = ((pl.col("prev_close") * rate).round(2) for rate in (1.1, 0.9))
        daily = daily.with_columns(limit_up=up, limit_down=down).drop("prev_close")
    one = found(daily.drop("adj_factor"))["no_factor"]
    assert (one.severity, one.count) == ("error", STOCKS)
    assert f"8 of {STOCKS * (DAYS - 1)} rows, 0.25%" in one.message
    assert one.examples[0].startswith(f"{day(60)} 600000.SH -")
    assert "no_adjustment = true" in one.message
    assert "adjusted = true" in one.message
    assert check_adjustment(daily.drop("adj_factor"), Basis(no_adjustment=True)) == []


def test_without_a_factor_and_without_drops_it_is_said():
    (one,) = found(raw(ratio=1.0).drop("adj_factor")).values()
    assert (one.code, one.severity, one.count) == ("no_factor", "warning", STOCKS * (DAYS - 1))


def test_adjusted_prices_may_not_fall_on_ex_dates():
    one = found(raw().drop("adj_factor"), Basis(adjusted=True))
    assert {code: f.severity for code, f in one.items()} == {"not_adjusted": "error"}
    assert found(forward(raw(), 4).drop("adj_factor"), Basis(adjusted=True)) == {}


# Missing factors


def test_rows_before_the_first_factor_are_refused_with_their_share():
    before = pl.col("date") < day(100)
    daily = changed(raw(ratio=1.0), before, "adj_factor", None)
    one = found(daily)["no_factor_yet"]
    assert (one.severity, one.count) == ("error", 100 * STOCKS)
    assert "25.0% of rows with a trade, 8 symbols" in one.message
    assert "before_first" in one.message
    assert one.examples[0] == f"600000.SH 100 rows from {day(0)}"
    few = changed(raw(), of("600002.SH", 0, 3), "adj_factor", None)
    assert {code: f.severity for code, f in found(few).items()} == {"no_factor_yet": "warning"}


def test_factors_missing_later_are_carried_with_a_word():
    last = pl.col("date") == day(DAYS - 1)
    one = found(changed(raw(), last, "adj_factor", None))["factor_missing"]
    assert (one.severity, one.count) == ("warning", STOCKS)
    assert one.examples == (f"missing on 8 of 8 rows of {day(DAYS - 1)}",)
    middle = found(changed(raw(), of("600002.SH", 50, 90), "adj_factor", None))
    assert set(middle) == {"factor_missing", "price_jump", "factor_jump"}, "an ex-date lies in the gap"
    assert "adj_factor missing" in middle["price_jump"].examples[0]
    idle = changed(
        changed(raw(), of("600002.SH", 200, 203), "adj_factor", None), of("600002.SH", 200, 203), "volume", 0.0
    )
    assert found(idle) == {}, "nothing was traded there"


# Part of the days


def test_new_days_alone_are_looked_at():
    daily = changed(raw(), of("600002.SH", 200), "adj_factor", 9.0)
    assert set(found(daily, since=day(200))) == {"factor_jump"}
    assert found(daily, since=day(201)) == {}
    assert found(daily.filter(pl.col("date") >= day(200)), since=day(200), known=["600002.SH"]) == {}
    late = changed(raw(), of("600002.SH", 399), "adj_factor", None)
    window = late.filter(pl.col("date") == day(399))
    mine = ["600002.SH"]
    assert set(found(window, since=day(399), known=mine, factored=mine)) == {"factor_missing"}
    assert set(found(window, since=day(399), known=mine)) == {"no_factor_yet"}, "it never had one"
    assert set(found(window, since=day(399))) == {"no_factor_yet"}


def test_warnings_are_known_to_appends_and_read_in_chinese():
    """Every warning of this file that isn't in `OF_MOVES` would be lost by the next evening."""
    noise = pl.Series(np.random.default_rng(1).normal(0, 2e-4, DAYS * STOCKS))
    back = changed(raw().filter(~of("600002.SH", 100, 120)), of("600002.SH", 120), "adj_factor", 4.5)
    made = [
        changed(raw(), of("600002.SH", 50, 90), "adj_factor", None),
        changed(raw(), of("600002.SH", 0, 3), "adj_factor", None),
        changed(raw(), of("600002.SH", 200), "adj_factor", 1.45),
        changed(raw(), pl.col("date") >= day(300), "adj_factor", pl.col("adj_factor") * 1.05),
        changed(with_reference(raw(ratio=1.03)), of("600002.SH"), "adj_factor", 1.0),
        raw().with_columns(pl.col("adj_factor") * (1 + noise)),
        raw(ratio=1.0, stocks=130, sd=0.01),
        raw(ratio=1.0).drop("adj_factor"),
        back,
    ]
    warnings = {one.code: one for frame in made for one in check_adjustment(frame, RAW) if one.severity == "warning"}
    assert set(warnings) == OF_MOVES
    for one in warnings.values():
        examples = f": {'; '.join(one.examples[:3])}" if one.examples else ""
        text = f"{one.table}: {one.message} ({one.count} rows{examples})"
        said = words().sentence(text).zh
        assert said.startswith("日行情："), text
        assert all(example in said for example in one.examples[:3])


# The grid of fen


def test_prices_off_the_grid_are_named_with_share_year_and_first_row():
    daily = forward(raw().with_columns(pl.col("adj_factor") * 1.037), 4)
    (finding,) = check_adjustment(daily, RAW)
    off = daily.filter(((pl.col("close") * 100).round(6) % 1) != 0)
    by_year = {
        year: off.filter(pl.col("date").dt.year() == year).height
        / daily.filter(pl.col("date").dt.year() == year).height
        for year in (2019, 2020)
    }
    assert finding.code == "adjusted_prices"
    assert finding.row == 1 + daily.select(((pl.col("close") * 100).round(6) % 1 != 0).arg_true()).item(0, 0)
    for year, share in by_year.items():
        assert (f"{year}: {share:.0%}" in finding.message) == (share > 0.2)
    assert any(share > 0.2 for share in by_year.values())
    assert "adjusted = true" in finding.message


def test_a_few_odd_prices_are_no_adjustment():
    odd = raw().with_columns(close=pl.col("close") + pl.when(pl.int_range(pl.len()) % 10 == 0).then(0.004).otherwise(0))
    assert check_adjustment(odd, RAW) == []


def test_a_market_that_is_declared_adjusted_is_taken(tmp_path):
    prices = {name: pl.col("close") for name in ("open", "high", "low", "vwap")}
    daily = forward(raw(), 4).drop("adj_factor").with_columns(close=pl.col("close") / 3).with_columns(**prices)
    source = {"name": "mine", "settings": {}, "simulated": False}
    with pytest.raises(DataError, match=r"column close: closes are no whole fen.*2019: \d+%"):
        write_market(tmp_path / "m", {"daily": daily}, source=source)
    assert not (tmp_path / "m" / "manifest.json").exists()
    assert write_market(tmp_path / "m", {"daily": daily}, source={**source, "adjusted": True}).manifest.source[
        "adjusted"
    ]


def test_a_stock_at_the_end_of_its_data_may_fall_without_a_factor():
    """The first day of a delisting period has no limit."""
    left = raw(ratio=1.0).drop("adj_factor").filter((pl.col("symbol") != "600002.SH") | (pl.col("date") < day(300)))
    left = changed(left, of("600002.SH", 285), "close", (pl.col("close") / 3).round(2))
    assert {code: f.severity for code, f in found(left).items()} == {"no_factor": "warning"}
    assert date(2019, 1, 2) + timedelta(days=1) == day(1)
