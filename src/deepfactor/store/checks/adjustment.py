"""Whether prices and adjustment factors belong together: what an adjusted return says that no price limit allows.

An exchange lowers the reference price of an ex-date as the vendor's cumulative factor grows, so an adjusted close moves
within the day's limit there as on any other day. Where it doesn't, the factor or the price is wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import polars as pl

from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.ex_dates import check_ex_dates, unanswered
from deepfactor.store.checks.factor_gaps import check_factor_gaps
from deepfactor.store.checks.finding import Finding, Severity, rows_where
from deepfactor.store.checks.moves import (
    CHANGED,
    Moves,
    beyond_limit,
    contradicts,
    moves_of,
    of_the_delivery,
    trades_by_symbol,
)

#: Codes of the warnings here: those of new days add to those of the days before.
OF_MOVES = frozenset(
    {
        *("factor_jump", "price_jump", "factor_jump_in_suspension", "factor_falls", "factor_drifts", "factor_level"),
        *("factor_missing", "no_factor_yet", "prev_close_and_factor", "no_factor", "factor_never_changes"),
    }
)
#: Traded rows of a year, and the share of them off the grid, from which on it is no slip of the vendor.
_ENOUGH_ROWS, _OFF_GRID = 200, 0.2
#: Fen that a price may lie off the grid: it may have been stored in single precision.
_SLACK_FEN, _SINGLE = 0.02, 2e-7
#: Trading days without a trade after which a stock may come back at any price.
_RESUMED_AFTER = 5
#: Adjusted closes that move by this factor from one trade to the next are wrong whatever happened between.
_IMPOSSIBLE = 20.0
#: Trades of stocks (200 years) in which some ex-date must be: a stock has seven in ten years.
_MUST_CHANGE = 48_000
_OFF_THE_GRID = Sentence(
    "closes are no whole fen, so not raw (share by year: {shares}): prices must be raw, with a cumulative backward "
    "adj_factor beside them; where the vendor has only adjusted ones, say adjusted = true in the mapping (limits and "
    "lots are off then)",
    "收盘价不是整分，疑为复权价（各年占比：{shares}）：价格必须为原始价，并附累计后复权因子；"
    "若数据商只有复权价，请在映射中声明adjusted = true（此时涨跌停价与每手股数不准确）",
)
_WILD = Sentence(
    "adjusted closes move by more than {times} times from one trade to the next: mend close or adj_factor; a change of "
    "its level without an ex-date can be declared (level_changes)",
    "复权价一次变动超过{times}倍：请修正收盘价或复权因子；若只是因子基准变动而非除权除息，可用level_changes声明",
)
_MANY = Sentence(
    "adjusted returns that no price limit allows, on {count} of {n} symbols: prices and adj_factor don't belong "
    "together (is it cumulative and backward, of the right day and the right symbol?)",
    "{n}只股票中有{count}只的复权收益率超出任何涨跌幅限制，价格与复权因子不相符"
    "（因子是否为累计后复权因子，日期与代码是否对应？）",
)
_FACTOR_JUMPS = Sentence(
    "adj_factor changes as the price does not, to returns that no price limit allows: is it right? a change of its "
    "level without an ex-date can be declared (level_changes)",
    "复权因子变动而价格未随之变动，复权收益率超出任何涨跌幅限制，请核对因子；"
    "若只是因子基准变动而非除权除息，可用level_changes声明",
)
_PRICE_JUMPS = Sentence(
    "the close jumps as on an ex-date, to returns that no price limit allows, and adj_factor does not change",
    "收盘价像除权除息日那样跳变而复权因子未变，收益率超出任何涨跌幅限制",
)
_JUMPS_IN_SUSPENSION = Sentence(
    "adj_factor changes over a suspension, to returns beyond the price limit: is it right?",
    "复权因子在停牌期间变动，复牌日复权收益率超出涨跌幅限制，请核对",
)
_NO_FACTOR = Sentence(
    "there is no adj_factor: returns are those of the prices as they are. Say in the source's TOML adjusted = true "
    "(they are adjusted: limits and lots are off) or no_adjustment = true (they are raw: returns contain the drops of "
    "ex-dates)",
    "没有复权因子，收益率直接由所给价格计算；请声明adjusted = true（价格已复权）或no_adjustment = true（价格未复权）",
)
_NO_FACTOR_BUT_DROPS = Sentence(
    "there is no adj_factor, and prices fall as on ex-dates ({count} of {n} rows, {share}): give a cumulative backward "
    "factor, or say in the source's TOML adjusted = true (they are adjusted: limits and lots are off) or no_adjustment "
    "= true (they are raw: returns contain the drops of ex-dates)",
    "没有复权因子，而价格在除权日下跌（{n}行中的{count}行，{share}）：请给出累计后复权因子，"
    "或声明adjusted = true（价格已复权）或no_adjustment = true（价格未复权）",
)
_NOT_ADJUSTED = Sentence(
    "the source says that its prices are adjusted, but they fall as on ex-dates, on {count} of {n} symbols: give a "
    "cumulative backward adj_factor beside raw prices, or say no_adjustment = true (they are raw: returns contain the "
    "drops of ex-dates)",
    "声明为复权价，{n}只股票中却有{count}只在除权除息日下跌：请给出原始价格与累计后复权因子，"
    "或声明no_adjustment = true（价格未复权，收益率包含除权除息造成的下跌）",
)
_NEVER_CHANGES = Sentence(
    "adj_factor never changes, on {n} rows of {symbols} symbols: are the prices adjusted? Then leave it out and say in "
    "the source's TOML adjusted = true (they are adjusted: limits and lots are off)",
    "复权因子从不变动（{symbols}只股票共{n}行）：价格是否已经复权？若是，请去掉该列并声明adjusted = true",
)


def check_adjustment(
    daily: pl.DataFrame,
    basis: Basis,
    securities: pl.DataFrame | None = None,
    *,
    since: date | None = None,
    known: Collection[str] = (),
    factored: Collection[str] = (),
) -> list[Finding]:
    """Findings of the prices and factors of `daily`, whose form is right.

    Parameters
    ----------
    basis : what the source says of its prices
    securities : for dates of listing, where there is such a table
    since : only what happened on this day and after; the rows before say where a move starts from
    known : symbols with prices before the first day of `daily`
    factored : those of them with a factor there
    """
    recent = daily if since is None else daily.filter(pl.col("date") >= since)
    out = [] if basis.adjusted else _off_grid(recent)
    if out or basis.no_adjustment:
        return out
    trades = trades_by_symbol(daily)
    moves = moves_of(trades, securities, since, known)
    if basis.adjusted:
        return _falls_though_adjusted(moves)
    if not moves.has_factor:
        return _no_factor(moves)
    answers = unanswered(moves) if since is None else []
    return answers or [
        *check_factor_gaps(trades, since, factored),
        *check_ex_dates(moves, trades, whole=since is None),
        *_jumps(moves),
        *(_never(moves) if since is None else []),
    ]


def _off_grid(daily: pl.DataFrame) -> list[Finding]:
    """Exchanges quote in fen, so raw closes are multiples of 0.01; an adjusted history is not."""
    fen = pl.col("close") * 100
    off = (pl.col("volume") > 0) & ((fen - fen.round()).abs() > _SLACK_FEN + _SINGLE * fen)
    if (daily.select(off.sum()).item() or 0) <= _OFF_GRID * _ENOUGH_ROWS:
        return []  # cheaper than years, and nearly always so
    rows = daily.filter(pl.col("volume") > 0).group_by(year=pl.col("date").dt.year())
    years = rows.agg(share=off.mean(), n=pl.len()).filter((pl.col("n") >= _ENOUGH_ROWS) & (pl.col("share") > _OFF_GRID))
    if years.is_empty():
        return []
    shares = ", ".join(f"{year}: {share:.0%}" for year, share, _ in years.sort("year").rows())
    return rows_where("error", "adjusted_prices", "daily", "close", daily, off, _OFF_THE_GRID.filled(shares=shares))


def _jumps(moves: Moves) -> list[Finding]:
    """Adjusted returns beyond the limit: many are an error of the delivery, single ones are named."""
    table = moves.table
    changed = (pl.col("ratio") - 1).abs() > CHANGED
    wild = ~pl.col("young") & ~pl.col("adjusted").is_between(1 / _IMPOSSIBLE, _IMPOSSIBLE)
    out = _named("error", "impossible_return", "close", table.filter(wild), _WILD.filled(times=f"{_IMPOSSIBLE:.0f}"))
    table = table.filter(beyond_limit())
    sudden = table.filter((pl.col("gap") == 1) & ~pl.col("carried") & ~pl.col("leaving"))
    if of_the_delivery(sudden["symbol"].n_unique(), moves.symbols):
        message = _MANY.filled(count=sudden["symbol"].n_unique(), n=moves.symbols)
        return [*out, *_named("error", "factor_and_price", "adj_factor", sudden, message)]
    resumed = pl.col("gap") > _RESUMED_AFTER
    return [
        *out,
        *_named("warning", "factor_jump", "adj_factor", table.filter(changed & ~resumed), _FACTOR_JUMPS),
        *_named("warning", "price_jump", "close", table.filter(~changed & ~resumed), _PRICE_JUMPS),
        *_named(
            "warning", "factor_jump_in_suspension", "adj_factor", table.filter(changed & resumed), _JUMPS_IN_SUSPENSION
        ),
    ]


def _named(severity: Severity, code: str, column: str, rows: pl.DataFrame, message: Text) -> list[Finding]:
    """A finding with the first five of `rows` of the table of `Moves`, or none."""
    if rows.is_empty():
        return []
    examples = tuple(_example(row) for row in rows.sort("date", "symbol").head(5).iter_rows(named=True))
    return [Finding(severity, code, "daily", column, rows.height, message, None, examples)]


def _example(row: dict[str, Any]) -> str:
    now, before = row["factor"], row["factor_before"]
    text = f"close {row['close_before']:.6g} → {row['close']:.6g}"
    if row["carried"]:
        text += ", adj_factor missing"
    elif now is not None:
        text += f", adj_factor {now:.6g}" if now == before else f", adj_factor {before:.6g} → {now:.6g}"
    return f"{row['date']} {row['symbol']} {row['adjusted'] - 1:+.1%} ({text})"


def _drop_example(row: dict[str, Any]) -> str:
    """A drop without a factor, or what a given reference price says of one."""
    if row["beyond"]:
        return _example(row)
    before, reference = row["close_before"], row["reference"]
    prices = f"close before {before:.6g}, prev_close {reference:.6g}"
    return f"{row['date']} {row['symbol']} {reference / before - 1:+.1%} ({prices})"


def _drops(moves: Moves) -> pl.DataFrame:
    """Falls as on an ex-date, of stocks that are neither new, nor leaving, nor just back."""
    here = (pl.col("gap") <= _RESUMED_AFTER) & ~pl.col("leaving") & ~pl.col("young")
    lower = contradicts() & (pl.col("reference") < pl.col("close_before"))
    return moves.table.filter(here & ((beyond_limit() & (pl.col("adjusted") < 1)) | lower))


def _no_factor(moves: Moves) -> list[Finding]:
    """Without a factor prices may not fall as on ex-dates, unless it is said that they do."""
    drops = _drops(moves)
    if drops.is_empty() and moves.trades == 0:
        return []
    if drops.is_empty():
        return [Finding("warning", "no_factor", "daily", None, moves.trades, _NO_FACTOR)]
    share = f"{drops.height / moves.trades:.2%}"
    message = _NO_FACTOR_BUT_DROPS.filled(count=drops.height, n=moves.trades, share=share)
    rows = drops.with_columns(beyond=beyond_limit()).sort("date", "symbol")
    examples = tuple(_drop_example(row) for row in rows.head(5).iter_rows(named=True))
    return [Finding("error", "no_factor", "daily", "close", drops.height, message, None, examples)]


def _falls_though_adjusted(moves: Moves) -> list[Finding]:
    """Adjusted prices don't fall on ex-dates."""
    drops = moves.table.filter(beyond_limit() & (pl.col("gap") <= _RESUMED_AFTER) & ~pl.col("leaving"))
    falls = drops.filter(pl.col("adjusted") < 1)
    if of_the_delivery(falls["symbol"].n_unique(), moves.symbols):
        message = _NOT_ADJUSTED.filled(count=falls["symbol"].n_unique(), n=moves.symbols)
        return _named("error", "not_adjusted", "close", falls, message)
    return _named("warning", "price_jump", "close", drops, _PRICE_JUMPS)


def _never(moves: Moves) -> list[Finding]:
    """A factor that no ex-date changes in years is none."""
    if moves.trades < _MUST_CHANGE or moves.table.select(((pl.col("ratio") - 1).abs() > CHANGED).any()).item():
        return []
    message = _NEVER_CHANGES.filled(n=moves.trades, symbols=moves.symbols)
    return [Finding("warning", "factor_never_changes", "daily", "adj_factor", moves.trades, message)]
