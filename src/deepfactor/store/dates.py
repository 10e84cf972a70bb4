"""How a date is understood, wherever it comes from: one rule for factor files and market sources.

* a date is that date; a time without a zone keeps its date;
* a time with a zone is the day that it was in Shanghai: 16:00 UTC is the next day, 00:00+08:00 that day;
* text is year, month, day (``2020-01-02``, ``2020/1/2``, ``2020.01.02``, ``20200102``, ``2020年1月2日``), with a time
  and a zone (``Z``, ``+08:00``) where it has them; all of a column in one form. Day or month first is ambiguous: only
  by an explicit format, as polars writes them (``%d/%m/%Y``);
* whole numbers are ``20200102``. Seconds since 1970 and Excel's day numbers are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import polars as pl

from deepfactor.store.values import MISSING, kind_of

#: The exchanges' zone.
ZONE = "Asia/Shanghai"
#: The format that says nothing: any text that starts with year and month is understood.
ISO = "%Y-%m-%d"
_TEXT = re.compile(
    r"(?:(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{4})年(\d{1,2})月(\d{1,2})日|(\d{4})(\d\d)(\d\d)(?:\.0)?)"
    r"(?:[T ]+(?P<clock>\d{1,2}:\d\d(?::\d\d)?|\d{4}(?:\d\d)?)(?:[.,]\d+)?)?"
    r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?:\[[\w/]+\])?",
    re.ASCII,
)
_DAY_FIRST = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(\d{4}|\d\d)(?!\d).*")
_NUMBER = re.compile(r"\d+(\.0*)?")
#: Parts of a format that read a zone, and zones that a format names as text, which reads nothing.
_READS_ZONE = re.compile(r"%[:#]*z|%\+|%s")
_NAMES_ZONE = re.compile(r"%Z|(?<!%)Z$|UTC$|GMT$|[+-]\d\d:?\d\d$")
#: A clock without a zone behind it, and midnight.
_BARE_CLOCK, _MIDNIGHT = r"[T ]\d{1,2}:\d\d(:\d\d([.,]\d+)?)?\s*$", r"[T ]0?0:00(:00([.,]0+)?)?\s*$"
_YEARS = range(1900, 10_000)  # the end of an open interval may stand in 9999
_LARGE = 2.0**63


class NoDate(ValueError):
    """A value that is no date. `position` is its row from 0, None where all of the column is of another kind."""

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        super().__init__(message)


@dataclass(frozen=True)
class _Read:
    """A text's time without a zone, or in UTC, and the form it was written in."""

    when: datetime
    form: tuple[str, bool, bool]  # mark between year and month, has a clock, has a zone


def as_days(series: pl.Series, form: str | None = None) -> pl.Series:
    """A column's values as dates by the rule above; missing ones stay null.

    Parameters
    ----------
    form : of text and whole numbers, as polars writes formats; None and ``%Y-%m-%d`` = year, month, day in any writing

    Raises
    ------
    NoDate
        a value that is none, with its row; or a column of a type that holds none.
    """
    dtype = series.dtype
    if dtype == pl.Date:
        return series
    if dtype == pl.Null:
        return series.cast(pl.Date)
    if dtype == pl.Datetime:
        return _of_times(series)
    if dtype.is_numeric():
        series, dtype = _whole(series), pl.String()
    if not (dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)):
        raise NoDate(f"holds {kind_of(dtype)}, wanted dates")
    texts = series.cast(pl.String)
    return _of_texts(texts) if form in (None, ISO) else _of_format(texts, str(form))


def has_clock(series: pl.Series) -> bool:
    """Whether a column holds times without a zone that aren't midnight: a day's end may be meant, or another zone."""
    if isinstance(series.dtype, pl.String | pl.Categorical | pl.Enum):
        texts = series.unique().cast(pl.String)
        return bool((texts.str.contains(_BARE_CLOCK) & ~texts.str.contains(_MIDNIGHT)).any())
    if series.dtype != pl.Datetime or series.dtype.time_zone is not None:  # type: ignore[attr-defined]
        return False
    return bool((series.dt.time() != time()).any())


def _of_times(series: pl.Series) -> pl.Series:
    zone = series.dtype.time_zone  # type: ignore[attr-defined]
    try:
        return (series if zone is None else series.dt.convert_time_zone(ZONE)).dt.date()
    except pl.exceptions.PolarsError as error:
        raise NoDate(f"the zone {zone!r} isn't known: {error}") from None


def _whole(series: pl.Series) -> pl.Series:
    """Numbers as text without decimals; not whole, or infinite: a fault."""
    number = series.cast(pl.Float64).fill_nan(None)
    broken = ((number.abs() >= _LARGE) | (number != number.floor())).fill_null(value=False).arg_true()
    if len(broken):
        position = int(broken[0])
        raise NoDate(f"{series[position]} is no date: {_advice(str(series[position]))}", position)
    if series.dtype.is_integer():
        return series.cast(pl.String)
    return number.cast(pl.Int64).cast(pl.String)


def _of_texts(texts: pl.Series) -> pl.Series:
    """Each writing once, since a column has far fewer of them than rows; the usual form at one go."""
    days = texts.str.to_date(ISO, strict=False)
    if days.null_count() == texts.null_count() and (len(texts) == days.null_count() or _possible(days)):
        return days
    reads: dict[str, _Read] = {}
    missing, first = [], None
    for text in texts.unique(maintain_order=True).drop_nulls():
        if text.strip() in MISSING:
            missing.append(text)
            continue
        read = _read(text)
        if isinstance(read, str):
            raise NoDate(read, _where(texts, text))
        if first is None:
            first = text
        elif read.form != reads[first].form:
            raise NoDate(f"{text!r} is of another form than {first!r} above: write all alike", _where(texts, text))
        reads[text] = read
    zoned = first is not None and reads[first].form[2]
    when = pl.Series([read.when for read in reads.values()], dtype=pl.Datetime("us"))
    days = _of_times(when.dt.replace_time_zone("UTC") if zoned else when)
    old = pl.Series([*reads, *missing], dtype=pl.String)
    return texts.replace_strict(old, days.extend_constant(None, len(missing)), return_dtype=pl.Date)


def _possible(days: pl.Series) -> bool:
    """Whether no year was written with two digits."""
    years = days.dt.year()
    return years.min() in _YEARS and years.max() in _YEARS


def _read(text: str) -> _Read | str:
    """A text's time, or what is wrong with it."""
    match = _TEXT.fullmatch(text.strip())
    if match is None or (match["zone"] and not match["clock"]):
        return f"{text!r} is no date: {_advice(text.strip())}"
    year, month, day = (int(part) for part in match.groups()[:10] if part and part.isdigit())
    clock, zone = match["clock"], match["zone"]
    try:
        when = datetime.combine(date(year, month, day), _clock(clock or "0:00")) - _offset(zone or "Z")
    except (ValueError, OverflowError):
        return f"{text!r} is no date: there is no such day or time"
    if year not in _YEARS:
        return f"{text!r} is no date: {_advice(text.strip())}"
    return _Read(when, (match[2] or ("年" if match[5] else ""), clock is not None, zone is not None))


def _clock(text: str) -> time:
    """``16:00:00``, or ``160000`` as behind a date without marks."""
    parts = text.split(":") if ":" in text else [text[at : at + 2] for at in range(0, len(text), 2)]
    hour, minute, second = (int(part) for part in [*parts, "0", "0"][:3])
    return time(hour, minute, second)


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return span if zone[0] == "+" else -span


def _advice(text: str) -> str:
    if _DAY_FIRST.fullmatch(text):
        return "day or month first, who knows? Say which, as %d/%m/%Y or %m/%d/%Y"
    if match := _NUMBER.fullmatch(text):
        digits = len(text.removesuffix(match[1] or ""))
        if digits in (9, 10, 12, 13, 15, 16, 18, 19):
            return "it looks like a time since 1970; write dates as 2020-01-02 or 20200102"
        if digits == 5:
            return "it looks like a day number of Excel's; write dates as 2020-01-02 or 20200102"
    return "write dates as 2020-01-02 or 20200102"


def _of_format(texts: pl.Series, form: str) -> pl.Series:
    if _NAMES_ZONE.search(form):
        raise NoDate(f"the format {form} names a zone without reading it: write %z, or leave the format out")
    old = texts.unique(maintain_order=True).drop_nulls()
    old = old.filter(~old.str.strip_chars().is_in(list(MISSING)))
    if _READS_ZONE.search(form):
        new = old.str.to_datetime(form, strict=False, time_zone="UTC").dt.convert_time_zone(ZONE).dt.date()
    else:
        new = old.str.to_date(form, strict=False)
    lost = new.is_null().arg_true()
    if len(lost):
        text = old[int(lost[0])]
        raise NoDate(f"{text!r} is no date of the form {form}", _where(texts, text))
    return texts.replace_strict(old, new, default=None, return_dtype=pl.Date)


def _where(texts: pl.Series, text: str) -> int:
    return int((texts == text).fill_null(value=False).arg_true()[0])
