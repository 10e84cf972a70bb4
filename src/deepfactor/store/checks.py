"""What is wrong with a set of tables, each kind of fault with its count and example rows. An error stops ingest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from deepfactor.store.schema import SYMBOL_PATTERN, TABLES, Table

#: Smallest price step, CNY. A vwap may lie this far outside [low, high]: vendors round it.
TICK = 0.01
_EPSILON = 1e-6
_PRICES = ("open", "high", "low", "close", "vwap", "prev_close")
_POSITIVE = (*_PRICES, "adj_factor", "total_mv", "float_mv", "limit_up", "limit_down")
_NOT_NEGATIVE = ("volume", "amount", "turnover")
#: The median turnover of a day of a market lies well within; outside, volume or market value is in another unit.
_PLAUSIBLE_TURNOVER = (0.0005, 0.2)
#: A hundredth of what is usual (volume in lots) and a hundred times of it lie outside; no market of many stocks does.
_POSSIBLE_TURNOVER, _MANY_STOCKS = (0.0003, 0.5), 100
#: A given turnover and volume × close / float_mv may differ by this factor at the median.
_TURNOVER_TOLERANCE = 3.0
#: Share of rows whose amount / volume may lie outside [low, high] before the units are held to be wrong.
_IMPLIED_VWAP_TOLERANCE = 0.01
#: Share of an index's symbols that must have prices, where it has so many that this says something of the mapping.
_LEAST_PRICED, _LEAST_MEMBERS = 0.5, 2


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one table.

    Attributes
    ----------
    severity : "error" stops ingest, "warning" doesn't
    code : names the kind of fault
    table, column : where
    count : how many rows (or symbols, where the message says so)
    message : what was found, what is wanted, what to do
    row : number of the first such row in the table as delivered, from 1; None where no row is to blame
    examples : up to five of them, as text
    """

    severity: Literal["error", "warning"]
    code: str
    table: str
    column: str | None
    count: int
    message: str
    row: int | None = None
    examples: tuple[str, ...] = ()


def check_tables(tables: Mapping[str, pl.DataFrame], *, priced: Collection[str] = ()) -> list[Finding]:
    """All findings of all tables, errors first. Tables are as a source delivers them; nothing is changed.

    `priced`: symbols with prices on days that `daily` doesn't reach back to.
    """
    findings: list[Finding] = []
    for name, frame in tables.items():
        findings += check_table(name, frame)
    if "daily" not in tables:
        findings.append(Finding("error", "no_daily", "daily", None, 0, "a market needs the table daily"))
    if not any(f.severity == "error" for f in findings):
        findings += _check_across(tables, priced)
    return sorted(findings, key=lambda f: f.severity)


def check_table(name: str, frame: pl.DataFrame) -> list[Finding]:
    """Findings of one table alone: its form first, and its content only where the form is right."""
    if name not in TABLES:
        known = ", ".join(TABLES)
        return [Finding("error", "unknown_table", name, None, 0, f"unknown table {name!r}: there are {known}")]
    table = TABLES[name]
    findings = _check_form(name, table, frame)
    if findings:
        return findings
    findings = _check_keys(name, table, frame)
    if name == "daily":
        findings += _check_prices(frame)
    if name in ("industry", "index_members"):
        findings += _check_intervals(name, frame)
    if name == "index_weights":
        findings += _check_weights(frame)
    if name == "fundamentals" and "period_end" in frame.columns:
        message = "is known before its period ends: is it the announcement date?"
        # A row without a value is no report: it says from when on nothing is known.
        early = (pl.col("known_at") <= pl.col("period_end")) & pl.col("value").is_not_null()
        findings += rows_where("error", "announced_early", name, "known_at", frame, early, message)
    return findings


def rows_where(
    severity: Literal["error", "warning"],
    code: str,
    table: str,
    column: str | None,
    frame: pl.DataFrame,
    bad: pl.Expr,
    message: str,
) -> list[Finding]:
    """A finding for the rows of `frame` where `bad` holds (null = fine), or none."""
    where = frame.select(bad.fill_null(False).arg_true()).to_series()
    if where.is_empty():
        return []
    shown = [*TABLES[table].key, *([column] if column and column not in TABLES[table].key else [])]
    rows = frame[where.head(5)].select(shown).rows()
    examples = tuple(" ".join("null" if v is None else str(v) for v in row) for row in rows)
    return [Finding(severity, code, table, column, len(where), message, int(where[0]) + 1, examples)]


def _check_form(name: str, table: Table, frame: pl.DataFrame) -> list[Finding]:
    """Columns there and of a fitting type, at least one row."""
    out = []
    for column in table.required():
        if column not in frame.columns:
            message = f"column {column} is missing; the table has {', '.join(frame.columns)}"
            out.append(Finding("error", "missing_column", name, column, 1, message))
    for group in table.one_of:
        if not any(column in frame.columns for column in group):
            message = f"one of the columns {', '.join(group)} is needed; the table has {', '.join(frame.columns)}"
            out.append(Finding("error", "missing_column", name, group[0], 1, message))
    for column, dtype in frame.schema.items():
        if column not in table.columns:
            message = f"unknown column {column}; known are {', '.join(table.columns)}"
            out.append(Finding("error", "unknown_column", name, column, 1, message))
        elif not _fits(dtype, table.columns[column].dtype):
            message = f"holds {dtype}, wanted {table.columns[column].dtype}"
            out.append(Finding("error", "column_type", name, column, frame.height, message))
    if frame.is_empty():
        out.append(Finding("error", "empty_table", name, None, 0, "no rows: leave the table out or mend its file"))
    return out


def _fits(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a delivered type can be stored as the wanted one without loss of meaning."""
    if wanted == pl.String:
        return given in (pl.String, pl.Categorical, pl.Enum)
    return given.is_numeric() if wanted == pl.Float64 else given == wanted


def _check_keys(name: str, table: Table, frame: pl.DataFrame) -> list[Finding]:
    """Nulls, infinities, symbol form, duplicate keys, order of dates."""
    out: list[Finding] = []
    for column, spec in table.columns.items():
        if column not in frame.columns:
            continue
        value = pl.col(column)
        if not spec.nullable and frame[column].null_count():
            out += rows_where("error", "null", name, column, frame, value.is_null(), "is null, but names a row")
        if frame.schema[column].is_float():
            bad = value.is_nan() | value.is_infinite()
            out += rows_where("error", "not_a_number", name, column, frame, bad, "NaN or infinite: missing is null")
    for column in ("symbol", "index"):
        if column in frame.columns:
            out += _check_symbols(name, column, frame)
    return out or [*_check_duplicates(name, table, frame), *_check_order(name, table, frame)]


def _check_symbols(name: str, column: str, frame: pl.DataFrame) -> list[Finding]:
    text = frame[column].unique().cast(pl.String)
    wrong = text.filter(~text.str.contains(SYMBOL_PATTERN))
    if wrong.is_empty():
        return []
    bad = pl.col(column).cast(pl.String).is_in(wrong.to_list())
    message = "a code is six digits and an exchange, as in 600000.SH: mend the mapping's symbol patterns"
    return rows_where("error", "symbol_form", name, column, frame, bad, message)


def _check_duplicates(name: str, table: Table, frame: pl.DataFrame) -> list[Finding]:
    key = [column for column in table.key if column in frame.columns]
    if strictly_ascending(frame, [column for column in table.order if column in key]):
        return []
    numbered = frame.select(key).with_row_index("row").sort([*reversed(key), "row"])
    same = pl.all_horizontal(pl.col(column).eq_missing(pl.col(column).shift(1)) for column in key)
    rows = numbered.filter(same & (pl.int_range(pl.len()) > 0)).sort("row")
    if rows.is_empty():
        return []
    examples = tuple(" ".join(map(str, row)) for row in rows.select(key).head(5).rows())
    message = f"the key ({', '.join(key)}) is there twice: {examples[0]}"
    return [Finding("error", "duplicate_key", name, key[-1], rows.height, message, int(rows["row"][0]) + 1, examples)]


def strictly_ascending(frame: pl.DataFrame, columns: list[str]) -> bool:
    """Whether each row comes after the one before by `columns`, the first counting most; not where one is null.

    Far cheaper than sorting, and most vendors' rows come so.
    """
    after = pl.lit(value=False)
    for column in reversed(columns):
        now, before = pl.col(column), pl.col(column).shift(1)
        after = (now > before) | ((now == before) & after)
    return not frame.select((~after.fill_null(value=False)).slice(1).any()).item()


def _check_order(name: str, table: Table, frame: pl.DataFrame) -> list[Finding]:
    """Dates must ascend within each symbol or index; whether the file is laid out by date or by symbol is free."""
    column = next((c for c in ("date", "start_date", "known_at") if c in table.key), None)
    if column is None or frame[column].is_sorted():
        return []
    # A publication of weights is one date of an index; elsewhere a series belongs to all the other parts of the key.
    others = ["index"] if name == "index_weights" else [c for c in table.key if c not in (column, "period_end")]
    falls = pl.col(column) < pl.col(column).shift(1)
    message = f"{column} runs backwards within {' and '.join(others) or 'the table'}: sort the file"
    return rows_where("error", "unsorted", name, column, frame, falls.over(others) if others else falls, message)


def _check_prices(frame: pl.DataFrame) -> list[Finding]:
    """Sanity of `daily`: signs, low ≤ open, close ≤ high, vwap inside, units of amount and volume."""
    out: list[Finding] = []
    traded = pl.col("volume") > 0
    for column in _POSITIVE:
        if column in frame.columns:
            bad = pl.col(column) <= 0
            if column in _PRICES:  # vendors write zeros on days without a trade
                bad = bad & (traded | (pl.col(column) < 0))
            out += rows_where("error", "not_positive", "daily", column, frame, bad, "must be positive; missing is null")
    for column in _NOT_NEGATIVE:
        if column in frame.columns:
            out += rows_where("error", "negative", "daily", column, frame, pl.col(column) < 0, "is negative")
    low, high = pl.col("low") - _EPSILON, pl.col("high") + _EPSILON
    out += rows_where("error", "high_below_low", "daily", "high", frame, traded & (high < low), "high is below low")
    for column in ("open", "close"):
        bad = traded & ((pl.col(column) < low) | (pl.col(column) > high))
        out += rows_where("error", "outside_range", "daily", column, frame, bad, "lies outside [low, high]")
    if "vwap" in frame.columns:
        bad = traded & _outside(pl.col("vwap"))
        message = "lies outside [low, high] by more than a tick: is its unit CNY a share?"
        out += rows_where("error", "outside_range", "daily", "vwap", frame, bad, message)
    elif not out:
        out += _check_implied_vwap(frame)
    if "float_mv" in frame.columns and not out:
        out += _check_turnover(frame)
    traded_only = traded & pl.any_horizontal(pl.col("open", "high", "low", "close").is_null())
    return out + rows_where(
        "error", "missing_price", "daily", "close", frame, traded_only, "shares were traded, but a price is null"
    )


def _outside(price: pl.Expr) -> pl.Expr:
    slack = TICK + _EPSILON
    return (price < pl.col("low") - slack) | (price > pl.col("high") + slack)


def _check_implied_vwap(frame: pl.DataFrame) -> list[Finding]:
    """amount / volume must be a price of the day: an error of units where it isn't on many rows, a warning on few."""
    implied = pl.when(pl.col("volume") > 0).then(pl.col("amount") / pl.col("volume"))
    bad = _outside(implied)
    ratio, n, total = frame.select(
        ratio=(implied / pl.col("close")).median(), n=bad.fill_null(False).sum(), total=(pl.col("volume") > 0).sum()
    ).row(0)
    if not n:
        return []
    if n > _IMPLIED_VWAP_TOLERANCE * total:
        message = (
            f"amount / volume is {ratio:.4g} × close at the median: amount must be in CNY and volume in shares "
            "(a factor 100 too high = volume in lots, 1000 or 10000 = amount in thousands)"
        )
        return rows_where("error", "wrong_unit", "daily", "volume", frame, bad, message)
    message = "amount / volume lies outside [low, high] by more than a tick: no vwap on these rows"
    return rows_where("warning", "implied_vwap_outside", "daily", "amount", frame, bad, message)


def _check_turnover(frame: pl.DataFrame) -> list[Finding]:
    """volume × close / float_mv must be the given turnover, or at least a plausible one: else a unit is wrong."""
    made = pl.when(pl.col("volume") > 0).then(pl.col("volume") * pl.col("close") / pl.col("float_mv"))
    hint = "volume must be in shares, float_mv in CNY (a factor 100 = volume in lots, 10000 = values in 10,000 CNY)"
    if "turnover" in frame.columns:
        ratio = frame.select((made / pl.when(pl.col("turnover") > 0).then(pl.col("turnover"))).median()).item()
        if ratio is None or 1 / _TURNOVER_TOLERANCE < ratio < _TURNOVER_TOLERANCE:
            return []
        message = f"volume × close / float_mv is {ratio:.4g} × turnover at the median: {hint}, turnover a fraction"
        return [Finding("error", "wrong_unit", "daily", "volume", frame.height, message)]
    median, stocks = frame.select(made.median(), pl.col("symbol").n_unique()).row(0)
    if median is None or _PLAUSIBLE_TURNOVER[0] < median < _PLAUSIBLE_TURNOVER[1]:
        return []
    message = f"volume × close / float_mv is {median:.3g} at the median, a strange turnover: {hint}"
    if stocks >= _MANY_STOCKS and not _POSSIBLE_TURNOVER[0] < median < _POSSIBLE_TURNOVER[1]:
        return [Finding("error", "wrong_unit", "daily", "volume", frame.height, message)]
    return [Finding("warning", "strange_turnover", "daily", "volume", frame.height, message)]


def _check_intervals(name: str, frame: pl.DataFrame) -> list[Finding]:
    """Ends not before starts, no two intervals of one symbol (and index) overlapping."""
    if "end_date" not in frame.columns:
        return []
    message = "the interval ends before it starts"
    out = rows_where("error", "interval", name, "end_date", frame, pl.col("end_date") < pl.col("start_date"), message)
    group = ["index", "symbol"] if "index" in frame.columns else ["symbol"]
    rows = frame.with_row_index("row").sort([*group, "start_date"])
    before = pl.col("end_date").shift(1).over(group)
    open_before = before.is_null() & (pl.int_range(pl.len()).over(group) > 0) & (pl.lit(name == "index_members"))
    clash = rows.filter((pl.col("start_date") <= before) | open_before)
    if clash.height:
        examples = tuple(" ".join(map(str, row)) for row in clash.select(*group, "start_date").head(5).rows())
        message = f"starts before the interval of the same symbol ahead of it ends: {examples[0]}"
        row = int(clash["row"][0]) + 1
        out.append(Finding("error", "interval_overlap", name, "start_date", clash.height, message, row, examples))
    return out


def _check_weights(frame: pl.DataFrame) -> list[Finding]:
    message = "a weight is a fraction between 0 and 1"
    bad = (pl.col("weight") < 0) | (pl.col("weight") > 1)
    out = rows_where("error", "weight_range", "index_weights", "weight", frame, bad, message)
    if out:
        return out
    sums = frame.group_by("index", "date").agg(pl.col("weight").sum()).filter((pl.col("weight") - 1).abs() > 0.01)
    if sums.is_empty():
        return []
    examples = tuple(" ".join(map(str, row)) for row in sums.sort("index", "date").head(5).rows())
    message = f"weights of {sums.height} publications don't sum to 1 within 0.01"
    return [Finding("warning", "weight_sum", "index_weights", "weight", sums.height, message, None, examples)]


def _check_across(tables: Mapping[str, pl.DataFrame], priced_before: Collection[str]) -> list[Finding]:
    """What one table says of another: symbols without prices, prices without a security or an industry."""
    symbols = {
        name: set(frame["symbol"].unique().cast(pl.String))
        for name, frame in tables.items()
        if "symbol" in frame.columns
    }
    priced = symbols["daily"] | set(priced_before)
    out = []
    for name in ("index_members", "index_weights", "industry", "fundamentals", "securities"):
        lacking = sorted(symbols.get(name, set()) - priced)
        if lacking:
            message = f"{len(lacking)} symbols have no row in daily: they are in no panel"
            out.append(_names("no_prices", name, lacking, message))
    for name in ("index_members", "index_weights"):
        if name in tables:
            out += _check_members(name, tables[name], priced)
    for name in ("securities", "industry"):
        lacking = sorted(priced - symbols[name]) if name in symbols else []
        if lacking:
            out.append(_names(f"not_in_{name}", "daily", lacking, f"{len(lacking)} symbols have no row in {name}"))
    return out


def _check_members(name: str, frame: pl.DataFrame, priced: Collection[str]) -> list[Finding]:
    """An index of whose symbols most have no prices is another market's, or its codes are of another form."""
    has = pl.col("symbol").cast(pl.String).is_in(list(priced))
    members = frame.select("index", "symbol", has=has).unique()
    shares = members.group_by("index").agg(pl.col("has").mean(), total=pl.len())
    bare = shares.filter((pl.col("has") < _LEAST_PRICED) & (pl.col("total") >= _LEAST_MEMBERS)).sort("index")
    if bare.is_empty():
        return []
    index, share, total = bare.row(0)
    message = f"of the {total} members of {index} only {share:.0%} have prices: mend the mapping of codes, or drop it"
    wrong = pl.col("index").is_in(bare["index"].implode()) & ~has
    return rows_where("error", "members_without_prices", name, "symbol", frame, wrong, message)


def _names(code: str, table: str, symbols: list[str], message: str) -> Finding:
    return Finding("warning", code, table, "symbol", len(symbols), message, None, tuple(symbols[:5]))
