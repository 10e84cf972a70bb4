"""Factor files, by ``test``: refused before anything is written, or read as the same scores."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.pipeline.factor import open_factor
from deepfactor.pipeline.markets import Market, open_market
from support.cli import Ended, deepfactor
from support.fuzz import Case

Change = Callable[[pl.DataFrame], pl.DataFrame]
SHANGHAI = "Asia/Shanghai"


@dataclass(frozen=True)
class Ground:
    """A market, and scores of all its stocks on sixty of its days."""

    market: Path
    opened: Market
    frame: pl.DataFrame

    @staticmethod
    def of(market: Path, factor: Path) -> Ground:
        frame = pl.read_parquet(factor).sort("date", "symbol")
        kept = frame["date"].unique().sort()[:60]
        return Ground(market, open_market(market), frame.filter(pl.col("date").is_in(kept.to_list())))

    def bad(self, family: str, name: str, file: str, content: bytes | pl.DataFrame, *more: object) -> Case:
        """A file that has to be refused."""

        def run(folder: Path) -> Ended:
            _write(folder / file, content)
            where = ("--market", self.market, "--out", folder / "out", "--universe", "all", "--horizon", 5)
            ended = deepfactor("test", folder / file, *where, *more)
            assert not (folder / "out").exists(), "something was written"
            return ended

        return Case(family, name, run)

    def good(self, family: str, name: str, file: str, content: bytes | pl.DataFrame) -> Case:
        """A file that says the same as the clean one, in another way."""

        def run(folder: Path) -> Ended:
            _write(folder / "clean.parquet", self.frame)
            _write(folder / file, content)
            clean, mine = (open_factor(folder / one, self.opened).scores.values for one in ("clean.parquet", file))
            same = np.allclose(clean, mine, rtol=1e-6, atol=0, equal_nan=True)
            return Ended(0, "same" if same else "other", "")

        return Case(family, name, run, lambda _, ended: ended.out == "same")


def _write(path: Path, content: bytes | pl.DataFrame) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.write_parquet(path)


def _csv(frame: pl.DataFrame, **options: object) -> bytes:
    return frame.write_csv(**options).encode()  # type: ignore[call-overload]


def some(column: str, value: object, every: int = 7) -> Change:
    """One of so many rows has another value."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) % every == 3).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


def text(column: str, value: str, row: int = 40) -> Change:
    """One row of a text column has another text."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.lit(value))
        .otherwise(pl.col(column).cast(pl.String))
        .alias(column)
    )


def scores(ground: Ground) -> Iterator[Case]:
    """Scores that are no numbers, or none at all."""
    frame, score = ground.frame, pl.col("score")
    for name, bad in {
        "no score": frame.with_columns(score=pl.lit(None, pl.Float64)),
        "NaN": frame.with_columns(score=pl.lit(math.nan)),
        "infinite": frame.with_columns(score=pl.lit(math.inf)),
        "mostly infinite": frame.with_columns(
            score=pl.when(pl.int_range(pl.len()) % 5 == 0).then(score).otherwise(math.inf)
        ),
        "lists": frame.with_columns(score=pl.concat_list(score, score)),
        "tables": frame.with_columns(score=pl.struct(a=score)),
        "days": frame.with_columns(score=pl.col("date")),
        "times": frame.with_columns(score=pl.col("date").cast(pl.Datetime)),
        "spans": frame.with_columns(score=pl.duration(days=pl.int_range(pl.len()))),
        "bytes": frame.with_columns(score=score.cast(pl.String).cast(pl.Binary)),
        "words": frame.with_columns(score=pl.lit("high")),
        "words of a category": frame.with_columns(score=pl.lit("high").cast(pl.Categorical)),
    }.items():
        yield ground.bad("scores", name, "f.parquet", bad)
    for bad in ("high", "1,234.5", "5%", "1.2.3", "0x1F", "#N/A!", "1e", "1,2", "１２a", "=A1"):
        yield ground.bad("scores", f"{bad} in a row", "f.csv", _csv(text("score", bad)(frame)))


def days(ground: Ground) -> Iterator[Case]:
    """Days that are none, that have moved, that nobody can tell from months."""
    frame, day = ground.frame, pl.col("date")
    early = frame.filter(day.dt.day() <= 12)
    for name, bad in {
        "none": frame.with_columns(date=pl.lit(None, pl.Date)),
        "one missing": some("date", None)(frame),
        "numbers of a spreadsheet": frame.with_columns(date=day.cast(pl.Int32) + 25569),
        "fractions": frame.with_columns(date=day.cast(pl.Int32).cast(pl.Float64) + 0.5),
        "lists": frame.with_columns(date=pl.concat_list(day, day)),
        "truths": frame.with_columns(date=pl.lit(value=True)),
        "a day early": frame.with_columns(date=day - pl.duration(days=1)),
        "a day late": frame.with_columns(date=day + pl.duration(days=1)),
        "UTC without saying so": frame.with_columns(date=day.cast(pl.Datetime) - pl.duration(hours=8)),
        "thirty years before": frame.with_columns(date=day.dt.offset_by("-30y")),
        "thirty years behind": frame.with_columns(date=day.dt.offset_by("30y")),
        "on Sundays": frame.with_columns(date=day + pl.duration(days=7 - pl.col("date").dt.weekday())),
    }.items():
        yield ground.bad("days", name, "f.parquet", bad)
    for bad in ("2020-02-30", "yesterday", "2020-13-01", "20200230", "2020", "1/1", "2020-01-02T", "0000-00-00"):
        yield ground.bad("days", f"{bad} in a row", "f.csv", _csv(text("date", bad)(frame)))
    for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y"):
        yield ground.bad(
            "days", f"which is the month, {form}", "f.csv", _csv(early.with_columns(date=day.dt.strftime(form)))
        )
    for form in ("%Y-%d-%m", "%d", "day", ""):
        bad = _csv(frame.with_columns(date=day.dt.strftime("%d/%m/%Y")))
        yield ground.bad("days", f"--date-format {form}", "f.csv", bad, "--date-format", form)
    for name, good in {
        "of Shanghai": frame.with_columns(date=day.cast(pl.Datetime).dt.replace_time_zone(SHANGHAI)),
        "in UTC": frame.with_columns(
            date=day.cast(pl.Datetime).dt.replace_time_zone(SHANGHAI).dt.convert_time_zone("UTC")
        ),
        "with a time": frame.with_columns(date=day.cast(pl.Datetime) + pl.duration(hours=15)),
        "as text": frame.with_columns(date=day.dt.strftime("%Y-%m-%d")),
        "as whole numbers": frame.with_columns(date=day.dt.strftime("%Y%m%d").cast(pl.Int64)),
        "as text without marks": frame.with_columns(date=day.dt.strftime("%Y%m%d")),
        "with strokes": frame.with_columns(date=day.dt.strftime("%Y/%m/%d")),
        "as a category": frame.with_columns(date=day.dt.strftime("%Y-%m-%d").cast(pl.Categorical)),
    }.items():
        yield ground.good("days", name, "f.parquet", good)


def symbols(ground: Ground) -> Iterator[Case]:
    """Codes of nothing, of elsewhere, twice; and codes as others write them."""
    frame, code = ground.frame, pl.col("symbol")
    digits, exchange = code.str.slice(0, 6), code.str.slice(7)
    for name, bad in {
        "none": frame.with_columns(symbol=pl.lit(None, pl.String)),
        "one missing": some("symbol", None)(frame),
        "others": frame.with_columns(symbol=pl.lit("AAPL") + digits),
        "mostly others": frame.with_columns(symbol=pl.when(digits < "002").then(code).otherwise(pl.lit("ZZ") + digits)),
        "fractions": frame.with_columns(symbol=digits.cast(pl.Float64) + 0.5),
        "truths": frame.with_columns(symbol=pl.lit(value=True)),
        "lists": frame.with_columns(symbol=pl.concat_list(code, code)),
        "the wrong exchange": frame.with_columns(symbol=digits + pl.lit(".BJ")),
        "one for all": frame.with_columns(symbol=pl.lit("600001.SH")),
        "twice": pl.concat([frame, frame.head(1)]),
        "twice in two forms": pl.concat([frame, frame.head(1).with_columns(symbol=digits)]),
        "empty": frame.with_columns(symbol=pl.lit("")),
    }.items():
        yield ground.bad("symbols", name, "f.parquet", bad)
    for name, good in {
        "ahead": frame.with_columns(symbol=exchange.str.to_lowercase() + digits),
        "with points": frame.with_columns(symbol=exchange + pl.lit(".") + digits),
        "of JoinQuant": frame.with_columns(
            symbol=digits + pl.when(exchange == "SH").then(pl.lit(".XSHG")).otherwise(pl.lit(".XSHE"))
        ),
        "bare": frame.with_columns(symbol=digits),
        "numbers": frame.with_columns(symbol=digits.cast(pl.Int64)),
        "categories": frame.with_columns(symbol=code.cast(pl.Categorical)),
        "with blanks": frame.with_columns(symbol=pl.lit(" ") + code + pl.lit(" ")),
        "small letters": frame.with_columns(symbol=code.str.to_lowercase()),
    }.items():
        yield ground.good("symbols", name, "f.parquet", good)


def forms(ground: Ground) -> Iterator[Case]:
    """Files that are none, that are broken, that are of another form; and forms that are read."""
    frame, clean = ground.frame, _csv(ground.frame)
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.csv", clean)
    whole = parquet.getvalue()
    for name, (file, bad) in {
        "empty": ("f.parquet", b""),
        "an empty text": ("f.csv", b""),
        "heads alone": ("f.csv", b"date,symbol,score\n"),
        "no heads": ("f.csv", clean.split(b"\n", 1)[1]),
        "blank": ("f.csv", b"\n\n\n"),
        "cut off": ("f.parquet", whole[:-50]),
        "cut at its front": ("f.parquet", whole[50:]),
        "spoiled": ("f.parquet", whole[:200] + bytes(64) + whole[264:]),
        "text for parquet": ("f.parquet", clean),
        "parquet for text": ("f.csv", whole),
        "a zip": ("f.zip", packed.getvalue()),
        "a zip for text": ("f.csv", packed.getvalue()),
        "a page": ("f.csv", b"<!doctype html><html><body>404</body></html>\n"),
        "JSON": ("f.csv", b'{"date": "2020-01-02"}\n'),
        "nulls": ("f.csv", clean[:300] + b"\0" + clean[300:]),
        "half of UTF-16": ("f.csv", clean.decode().encode("utf-16-le")),
        "neither": ("f.csv", clean + b"\xff\xfe\xff\n"),
        "a longer row": ("f.csv", clean.replace(b"\n", b",1\n", 3).replace(b",1\n", b"\n", 2)),
        "a shorter row": ("f.csv", clean[: clean.rindex(b",")] + b"\n"),
        "half a .gz": ("f.csv.gz", gzip.compress(clean)[:-200]),
        "old line ends": ("f.csv", clean.replace(b"\n", b"\r")),
        "two scores": (
            "f.csv",
            clean.replace(b"score", b"score,score", 1).replace(b"\n", b",1\n").replace(b"score,1", b"score"),
        ),
        "an array": ("f.npy", b"\x93NUMPY\x01\x00" + bytes(80)),
    }.items():
        yield ground.bad("forms", name, file, bad)
    for column in ("date", "symbol", "score"):
        yield ground.bad("forms", f"without {column}", "f.parquet", frame.drop(column))
    remark = frame.with_columns(name=pl.lit("平安银行"))
    for name, (file, good) in {
        **{
            f"{one} under another name": ("f.parquet", frame.rename({one: "value"}))
            for one in ("date", "symbol", "score")
        },
        "text": ("f.csv", clean),
        "capitals": ("F.CSV", clean),
        "packed": ("f.csv.gz", gzip.compress(clean)),
        "with a mark": ("f.csv", b"\xef\xbb\xbf" + clean),
        "of Windows": ("f.csv", clean.replace(b"\n", b"\r\n")),
        "by tabs": ("f.tsv", _csv(frame, separator="\t")),
        "by semicolons": ("f.csv", _csv(frame, separator=";")),
        "in GBK": ("f.csv", _csv(remark).decode().encode("gbk")),
        "in UTF-16": ("f.csv", clean.decode().encode("utf-16")),
        "quoted": ("f.csv", _csv(frame, quote_style="always")),
        "another order of rows": ("f.parquet", frame.sample(fraction=1.0, shuffle=True, seed=1)),
        "another order of columns": ("f.parquet", frame.select("score", "symbol", "date")),
        "more columns": ("f.parquet", remark),
        "names in capitals": ("f.parquet", frame.rename(str.upper)),
        "rows without scores": ("f.csv", clean + b"2020-05-06,600001.SH,NA\n2020-05-06,600002.SH,--\n"),
        "empty rows": ("f.csv", clean + b",,\n,,\n"),
        "numbers as text": ("f.parquet", frame.with_columns(pl.col("score").cast(pl.String))),
        "halves": ("f.parquet", frame.with_columns(pl.col("score").cast(pl.Float32))),
        "cents": ("f.csv", _csv(frame.with_columns(pl.col("score").round(12)))),
    }.items():
        yield ground.good("forms", name, file, good)


FAMILIES = (scores, days, symbols, forms)
