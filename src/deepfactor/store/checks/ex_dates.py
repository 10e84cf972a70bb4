"""Adjustment factors as a whole: whether prices fall when they grow, whether they fall, drift or change for all."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepfactor.core.arrays import Float64
from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.finding import Finding, Severity
from deepfactor.store.checks.moves import CHANGED, Moves, beyond_limit, contradicts, of_the_delivery

#: Growth of a factor from which on a day's price says by itself whether it fell, and how many such days say something.
_LARGE, _ENOUGH_LARGE = 1.25, 5
#: Smaller growth, of which many days together say it: slope of log price on log factor within this error.
_SMALL, _ENOUGH_SMALL, _ERROR = 1.005, 20, 0.15
#: A raw price answers to its factor with −1, one that is adjusted already with 0: what lies on which side is clear.
_ANSWERS, _ANSWERS_NOT = -0.7, -0.3
#: Falls of a cumulative factor that are smaller are rounding; share of symbols with such from which on it is none.
_FALL, _FALLING = 1e-3, 0.05
#: Share of a day's symbols whose factor may change, their least number, and that of days: no market has such ex-dates.
_DAY, _DAY_SYMBOLS, _DAYS = 0.5, 5, 20
#: A factor changes on ex-dates: one that does so on this share of rows drifts; by so much a row it makes returns.
_OFTEN, _OFTEN_ROWS, _DRIFT, _DAILY = 0.2, 60, 1e-4, 0.02
#: Share of ex-dates on which a given reference price may contradict the factor, and their least number.
_CONTRADICTED, _ENOUGH_DATES = 0.5, 3
_BESIDE = {
    "move_before": Sentence(
        "closes fall a trade before adj_factor grows, which must do so on the ex-date (steps: lag_days = 0)",
        "收盘价在复权因子上升的前一个交易日下跌，因子应在除权除息日变动（steps：lag_days = 0）",
    ),
    "move_after": Sentence(
        "closes fall a trade after adj_factor grows, which must do so on the ex-date",
        "收盘价在复权因子上升的后一个交易日下跌，因子应在除权除息日变动",
    ),
}
_ADJUSTED = Sentence(
    "closes don't fall on the days on which adj_factor grows: the prices are adjusted already, or the factor is no "
    "backward one; prices must be raw, with a cumulative backward adj_factor beside them; where the vendor has only "
    "adjusted ones, say adjusted = true in the mapping (limits and lots are off then)",
    "复权因子上升之日收盘价没有下跌：价格疑为复权价，或因子不是后复权因子；价格必须为原始价，并附累计后复权因子；"
    "若数据商只有复权价，请在映射中声明adjusted = true（此时涨跌停价与每手股数不准确）",
)
_LEVEL = Sentence(
    "adj_factor changes on one day for most symbols, as on no ex-date: was its level changed there?",
    "大多数股票的复权因子在同一天变动，不像除权除息：因子基准是否在该日改变？",
)
_FALLS = Sentence(
    "adj_factor falls: a cumulative backward one only grows, but where shares are merged",
    "复权因子下降：累计后复权因子只会上升，缩股除外",
)
_FALLS_OF_MANY = Sentence(
    "adj_factor falls: a cumulative backward one only grows, but where shares are merged ({count} of {n} symbols: is "
    "it the inverse, a forward one, or cut off on a day?)",
    "复权因子下降：累计后复权因子只会上升，缩股除外（{n}只股票中的{count}只：是否为倒数、前复权因子，或自某日截断？）",
)
_DRIFTS = Sentence(
    "adj_factor changes on many days, not on ex-dates alone", "复权因子在许多日子变动，而不只在除权除息日"
)
_DRIFTS_BY = Sentence(
    "adj_factor changes on many days, not on ex-dates alone: of {n} symbols it drifts, by {yearly} a year, which no "
    "price has earned",
    "复权因子在许多日子变动，而不只在除权除息日：{n}只股票的因子每年漂移{yearly}，并非价格所得",
)
_REFERENCE = Sentence(
    "prev_close (or the middle of the limits) isn't the close before, adjusted by adj_factor",
    "昨收价（或涨跌停价的中点）与经复权因子调整的前收盘价不符",
)
_REFERENCE_OF_MANY = Sentence(
    "prev_close (or the middle of the limits) isn't the close before, adjusted by adj_factor, on {count} of {n} "
    "ex-dates: one is wrong; leave prev_close out to have it derived",
    "昨收价（或涨跌停价的中点）与经复权因子调整的前收盘价不符（{n}个除权除息日中的{count}个）：两者必有一误；"
    "去掉prev_close则由系统推导",
)


def check_ex_dates(moves: Moves, trades: pl.DataFrame, *, whole: bool) -> list[Finding]:
    """Findings of factors; `whole` = all of a market's days are there, so that rare ones can be compared."""
    changes = moves.table.filter((pl.col("ratio") - 1).abs() > CHANGED)
    return [
        *_level_of_a_day(changes, trades),
        *_falling(changes, moves.symbols),
        *(_drifting(changes, moves) if whole else []),
        *_contradictions(moves),
    ]


def unanswered(moves: Moves) -> list[Finding]:
    """An error where closes don't fall when the factor grows: adjusted already, or a factor of another day."""
    grown = moves.table.filter(~pl.col("young") & (pl.col("ratio") >= _SMALL))
    large, small = grown.filter(pl.col("ratio") >= _LARGE), grown.filter(pl.col("ratio") < _LARGE)
    answers = {name: _answer(large, small, name) for name in ("move", "move_before", "move_after")}
    if answers["move"] is None or answers["move"] < _ANSWERS_NOT:
        return []
    beside = [name for name in ("move_before", "move_after") if (answers[name] or 0.0) < _ANSWERS]
    message = _BESIDE[beside[0]] if beside else _ADJUSTED
    rows = large if large.height >= _ENOUGH_LARGE else small
    examples = tuple(f"{day} {symbol}" for day, symbol in rows.select("date", "symbol").head(5).rows())
    return [Finding("error", "adjusted_prices", "daily", "close", rows.height, message, None, examples)]


def _answer(large: pl.DataFrame, small: pl.DataFrame, move: str) -> float | None:
    """How closes answer to the growth of their factor, −1 where raw; None where too few days say it.

    Of large steps the median of log move ÷ log factor; of small ones the slope, where its error is small.
    """
    grown, moved = _logs(large, move)
    if len(grown) >= _ENOUGH_LARGE:
        return float(np.median(moved / grown))
    grown, moved = _logs(small, move)
    if len(grown) < _ENOUGH_SMALL:
        return None
    moved = np.clip(moved, -0.25, 0.25)
    slope = float(grown @ moved / (grown @ grown))
    error = float(np.std(moved - slope * grown) / np.sqrt(grown @ grown))
    return slope if error < _ERROR else None


def _logs(rows: pl.DataFrame, move: str) -> tuple[Float64, Float64]:
    values = rows.select("ratio", move).filter(pl.col(move).is_not_nan()).to_numpy()
    logs: Float64 = np.log(values)
    return logs[:, 0], logs[:, 1]


def _level_of_a_day(changes: pl.DataFrame, trades: pl.DataFrame) -> list[Finding]:
    """Days on which most symbols' factors change by what a single price can't confirm; on many days they drift."""
    small = changes.filter(((pl.col("ratio") - 1).abs() > _FALL) & (pl.col("ratio").log().abs() < np.log(_LARGE)))
    days = small.group_by("date").agg(n=pl.len()).filter(pl.col("n") >= _DAY_SYMBOLS)
    few = days.sort("n", "date", descending=True).head(_DAYS + 1)
    traded = trades.filter(pl.col("date").is_in(few["date"].implode())).group_by("date").agg(all=pl.len())
    strange_days = few.join(traded, on="date").filter(pl.col("n") > _DAY * pl.col("all")).sort("date")
    if strange_days.is_empty() or strange_days.height > _DAYS:
        return []
    examples = tuple(f"{day}: {n} of {total} symbols" for day, n, total in strange_days.head(5).rows())
    rows = int(strange_days["n"].sum())
    return [Finding("warning", "factor_level", "daily", "adj_factor", rows, _LEVEL, None, examples)]


def _falling(changes: pl.DataFrame, symbols: int) -> list[Finding]:
    """A cumulative backward factor falls only where shares are merged, and then the price rises as much."""
    merged = pl.col("move").log() > -0.5 * pl.col("ratio").log()
    falls = changes.filter((pl.col("ratio") < 1 - _FALL) & ~(merged & (pl.col("ratio") < 0.95)))
    n = falls["symbol"].n_unique()
    many = of_the_delivery(n, symbols, _FALLING)
    falls = falls if many else falls.filter(~beyond_limit())  # those are named as jumps
    if falls.is_empty():
        return []
    shown = falls.sort("date", "symbol").select("date", "symbol", "factor_before", "factor").head(5)
    examples = tuple(f"{day} {symbol} {before:.6g} → {now:.6g}" for day, symbol, before, now in shown.rows())
    message = _FALLS_OF_MANY.filled(count=n, n=symbols) if many else _FALLS
    severity: Severity = "error" if many else "warning"
    return [Finding(severity, "factor_falls", "daily", "adj_factor", falls.height, message, None, examples)]


def _drifting(changes: pl.DataFrame, moves: Moves) -> list[Finding]:
    """Factors that change on many days: rounded from prices, or growing by something that is no ex-date."""
    small = (pl.col("ratio") - 1).abs() < _DAILY
    each = changes.group_by("symbol").agg(changed=pl.len(), drift=pl.col("ratio").filter(small).log().sum())
    each = each.join(moves.per_symbol.with_columns(pl.col("symbol").cast(pl.String)), on="symbol")
    often = each.filter((pl.col("n") >= _OFTEN_ROWS) & (pl.col("changed") > _OFTEN * pl.col("n"))).sort("symbol")
    if often.is_empty():
        return []
    drift = pl.col("drift") / pl.col("n")
    drifting = often.filter(drift.abs() > _DRIFT)
    many = of_the_delivery(drifting.height, moves.symbols, _FALLING)
    shown = drifting if drifting.height else often
    columns = shown.select("symbol", "changed", "n").head(5)
    examples = tuple(f"{symbol} {changed} of {n} rows" for symbol, changed, n in columns.rows())
    message: Text = _DRIFTS
    if drifting.height:
        yearly = float(np.median(drifting.select(drift).to_series().to_numpy())) * 250
        message = _DRIFTS_BY.filled(n=drifting.height, yearly=f"{yearly:+.1%}")
    rows = int(often["changed"].sum())
    severity: Severity = "error" if many else "warning"
    return [Finding(severity, "factor_drifts", "daily", "adj_factor", rows, message, None, examples)]


def _contradictions(moves: Moves) -> list[Finding]:
    """Reference prices as given, against the close before and the factor."""
    table = moves.table.filter(~pl.col("young"))
    wrong = table.filter(contradicts()).sort("date", "symbol")
    if wrong.is_empty():
        return []
    dates = table.filter(((pl.col("ratio") - 1).abs() > CHANGED) | contradicts()).height
    n = wrong["symbol"].n_unique()
    many = n >= _ENOUGH_DATES and wrong.height > _CONTRADICTED * dates
    shown = wrong.select("date", "symbol", "reference", "close_before", "factor_before", "factor").head(5)
    examples = tuple(
        f"{day} {symbol} prev_close {reference:.6g}, close before {close:.6g}, adj_factor {before:.6g} → {now:.6g}"
        for day, symbol, reference, close, before, now in shown.rows()
    )
    message = _REFERENCE_OF_MANY.filled(count=wrong.height, n=dates) if many else _REFERENCE
    severity: Severity = "error" if many else "warning"
    return [Finding(severity, "prev_close_and_factor", "daily", "prev_close", wrong.height, message, None, examples)]
