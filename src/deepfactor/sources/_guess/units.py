"""Units of bars by evidence: what amount, volume, price, turnover and market value say of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Text
from deepfactor.sources._convert import convert
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_columns import Column

#: amount ÷ (volume × close) as they stand = what volume and amount are multiplied by.
_AMOUNT = {1.0: (1, 1), 100.0: (100, 1), 0.1: (100, 1000), 1e-3: (1, 1000), 1e-4: (1, 10_000), 1e-2: (100, 10_000)}
_NEAR = 1.3
_VALUES = (1, 10_000, 100_000_000)
_LEAST_VALUE, _MOST_VALUE = 3e8, 3e11
_PERCENT = 0.15
_WHOLE_FEN = 0.8
_MEASURED = ("close", "volume", "amount", "turnover", "float_mv", "total_mv")

_SAID_AMOUNT = Text(
    "amount / (volume x close) is {ratio} as the columns stand: volume x {volume}, amount x {amount}",
    "按原值，成交额÷（成交量×收盘价）为{ratio}：成交量×{volume}，成交额×{amount}",
)
_ASK_AMOUNT = Text(
    "QUESTION: amount / (volume x close) is {ratio}: in which units are volume and amount? (shares and CNY are wanted)",
    "问题：成交额÷（成交量×收盘价）为{ratio}，成交量与成交额各是什么单位？（需要股与元）",
)
_ASK_VOLUME = Text(
    "QUESTION: is volume in shares? There is no amount to tell; lots: multiply = 100",
    "问题：成交量单位是股吗？没有成交额可资判断；若为手，写multiply = 100",
)
_SAID_TURNOVER = Text(
    "turnover is {what} by its size (median {median})", "按数值大小（中位数{median}），换手率为{what}"
)
_SAID_VALUE = Text("{column} x {factor} by {why}", "{column}×{factor}，依据：{why}")
_BY_TURNOVER = Text("close x volume / turnover", "收盘价×成交量÷换手率")
_BY_SIZE = Text("its size: median {median}", "数值大小：中位数{median}")
_ADJUSTED = Text(
    "QUESTION: closes are whole fen on {share} of the rows only. Are prices adjusted? Raw ones are wanted, with a "
    "factor; if there are none: adjusted = true at the top, and no adj_factor",
    "问题：只有{share}的收盘价是整分，价格是否已复权？需要原始价格与复权因子；若没有原始价格，"
    "请在顶部写adjusted = true，且不写adj_factor",
)
_PERCENT_IS = Text("in percent", "百分数")
_FRACTION_IS = Text("a fraction", "小数")


def settle_units(columns: dict[str, Any], sample: pl.DataFrame, say: Callable[[Text], None]) -> None:
    """Write the units of a table of bars into `columns` (ours = theirs), by a sample of its rows; `say` what told them.

    What can't be told is asked for in a comment, and the column stands as it is.
    """
    values = {name: _numbers(columns[name], sample) for name in _MEASURED if name in columns}
    close, volume = values.get("close"), values.get("volume")
    if close is None or volume is None:
        return
    _tell_raw(close, say)
    amount = values.get("amount")
    scale = 1.0
    if amount is None:
        say(_ASK_VOLUME)
    else:
        ratio = _median(amount / (volume * close), volume)
        units = next((units for at, units in _AMOUNT.items() if ratio and at / _NEAR < ratio < at * _NEAR), None)
        if units is None:
            say(_ASK_AMOUNT.filled(ratio=f"{ratio or float('nan'):.4g}"))
        else:
            scale = units[0]
            if units != (1, 1):
                say(_SAID_AMOUNT.filled(ratio=f"{ratio:.4g}", volume=units[0], amount=units[1]))
            _multiply(columns, "volume", units[0])
            _multiply(columns, "amount", units[1])
    _settle_values(columns, values, close * volume * scale, say)


def settle_values(columns: dict[str, Any], sample: pl.DataFrame, say: Callable[[Text], None]) -> None:
    """Write the units of turnover and market values of a table without prices, by their size."""
    values = {name: _numbers(columns[name], sample) for name in _MEASURED if name in columns}
    _settle_values(columns, values, None, say)


def _settle_values(
    columns: dict[str, Any], values: dict[str, pl.Series | None], traded: pl.Series | None, say: Callable[[Text], None]
) -> None:
    """Turnover and market values, which have each other as evidence where it is known what was `traded`, in CNY."""
    turnover = values.get("turnover")
    percent = False
    if turnover is not None and (median := _median(turnover, traded)) is not None:
        percent = median > _PERCENT
        say(_SAID_TURNOVER.filled(what=_PERCENT_IS if percent else _FRACTION_IS, median=f"{median:.3g}"))
        if percent:
            columns["turnover"] = {**_long(columns["turnover"]), "divide": 100}
    for name in ("float_mv", "total_mv"):
        value = values.get(name)
        if value is None or (median := _median(value, traded)) is None:
            continue
        factor, why = None, _BY_TURNOVER
        if name == "float_mv" and turnover is not None and traded is not None:
            ratio = _median(traded / (turnover / (100 if percent else 1)) / value, traded)
            factor = next((one for one in _VALUES if ratio and one / 2 < ratio < one * 2), None)
        if factor is None:
            why = _BY_SIZE.filled(median=f"{median:.3g}")
            factor = next((one for one in _VALUES if _LEAST_VALUE < median * one < _MOST_VALUE), 1)
        say(_SAID_VALUE.filled(column=name, factor=factor, why=why))
        _multiply(columns, name, factor)


def settle_weights(columns: dict[str, Any], sample: pl.DataFrame, say: Callable[[Text], None]) -> None:
    """Percent or fractions, by the largest sum of a day."""
    weight = _numbers(columns["weight"], sample)
    keys = [how for name, how in columns.items() if name in ("index", "date") and how in sample.columns]
    if weight is None or not keys:
        return
    most = sample.select(keys).with_columns(weight=weight).group_by(keys).agg(pl.col("weight").sum())["weight"].max()
    if isinstance(most, float) and most > 10:
        columns["weight"] = {**_long(columns["weight"]), "divide": 100}


def _tell_raw(close: pl.Series, say: Callable[[Text], None]) -> None:
    fen = close.drop_nulls() * 100
    share = float(((fen - fen.round()).abs() < 1e-6).mean() or 0.0) if len(fen) else 1.0  # type: ignore[arg-type]
    if share < _WHOLE_FEN:
        say(_ADJUSTED.filled(share=f"{share:.0%}"))


def _numbers(how: Any, sample: pl.DataFrame) -> pl.Series | None:
    """A column's numbers as a mapping would read them so far; None where they are none."""
    column = Column.model_validate(how if isinstance(how, dict) else {"from": how})
    try:
        made = convert(Extract("sample", sample), column, "close", "daily", "%Y-%m-%d")
    except (DataError, pl.exceptions.PolarsError):
        return None
    return made if made.dtype.is_float() else None


def _median(values: pl.Series, where: pl.Series | None) -> float | None:
    """Over rows on which something was traded, as far as that is known; None where nothing is known."""
    traded = values if where is None else values.filter((where > 0).fill_null(value=False))
    kept = traded.drop_nulls().drop_nans()
    median = kept.filter(kept.is_finite()).median()
    return float(median) if isinstance(median, int | float) and median > 0 else None


def _long(how: Any) -> dict[str, Any]:
    return dict(how) if isinstance(how, dict) else {"from": how}


def _multiply(columns: dict[str, Any], name: str, factor: float) -> None:
    if factor != 1:
        columns[name] = {**_long(columns[name]), "multiply": factor}
