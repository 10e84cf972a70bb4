"""Files that a vendor may deliver by mistake: exit 2, a message that names the place, and the market as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deepfactor.core.files import folder_lock
from support.cli import deepfactor
from support.vendor_files import vendor_files

OLD, NEW = date(2020, 4, 28), date(2020, 4, 30)


@pytest.fixture
def files(tmp_path) -> Path:
    """A vendor's folder with members of indices; `market` beside it holds it up to `OLD`."""
    folder = tmp_path / "files"
    folder.mkdir()
    for days in (119, 121):
        mapping = vendor_files(folder, "parquet", days=days)
        members = "which,code,since,until\n" + "".join(f"000300.SH,{c},2010-01-01,\n" for c in ("SZ000001", "SH600000"))
        (folder / "members.csv").write_text(members)
        levels = [("000300.SH", OLD, 1000.0)]
        pl.DataFrame(levels, schema=["which", "day", "level"], orient="row").write_parquet(folder / "levels.parquet")
        mapping.write_text(mapping.read_text(encoding="utf-8") + MORE, encoding="utf-8")
        if days == 119:
            assert deepfactor("ingest", mapping, tmp_path / "market", "--folder", folder).code == 0
    return folder


MORE = """
[tables.index_members]
file = "members.csv"
columns = { index = "which", symbol = "code", start_date = "since", end_date = "until" }
[tables.index_daily]
file = "levels.parquet"
columns = { index = "which", date = "day", close = "level" }
"""

Change = Callable[[Path], object]


def bars(*change: pl.Expr) -> Change:
    """Columns of the price file changed."""

    def apply(folder: Path) -> None:
        file = folder / "bars.parquet"
        pl.read_parquet(file).with_columns(*change).write_parquet(file)

    return apply


def at(column: str, value: object, day: date = NEW, code: str = "SH600000") -> pl.Expr:
    where = (pl.col("date") == day) & (pl.col("code") == code)
    return pl.when(where).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def frame(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    """The price file as a whole changed."""

    def apply(folder: Path) -> None:
        file = folder / "bars.parquet"
        change(pl.read_parquet(file)).write_parquet(file)

    return apply


def text(file: str, old: str, new: str) -> Change:
    def apply(folder: Path) -> None:
        content = (folder / file).read_text(encoding="utf-8")
        assert old in content
        (folder / file).write_text(content.replace(old, new), encoding="utf-8")

    return apply


def half(folder: Path) -> None:
    file = folder / "bars.parquet"
    file.write_bytes(file.read_bytes()[:-300])


def forward_adjusted(folder: Path) -> None:
    """A dividend of 5 % on the newest day: the vendor divides all prices before."""
    earlier = (pl.col("date") < NEW) & (pl.col("code") == "SZ000001")
    frame(lambda d: d.with_columns(price=pl.when(earlier).then((pl.col("price") / 1.05).round(2)).otherwise("price")))(
        folder
    )


BAD: dict[str, tuple[Change, str]] = {
    "missing column": (frame(lambda d: d.drop("price")), r"bars\.parquet, column price: is not there; the file has "),
    "unknown column": (text("mapping.toml", 'open = "price"', 'opening = "price"'), "unknown column 'opening'"),
    "duplicate key": (
        frame(lambda d: pl.concat([d, d.filter(pl.col("date") == NEW)])),
        rf"bars\.parquet .*column symbol: the key \(date, symbol\) is there twice: {NEW} ",
    ),
    "negative price": (bars(at("price", -1.0)), rf"bars\.parquet .*column open: must be .*{NEW} 600000\.SH -1\.0"),
    "zero price": (bars(at("price", 0.0)), rf"bars\.parquet .*column open: must be positive.*{NEW} 600000\.SH 0\.0"),
    "high below low": (
        lambda f: (
            bars(pl.col("price").alias("high"), at("price", 1.0).alias("top"))(f),
            text("mapping.toml", 'high = "price"', 'high = "top"')(f),
        ),
        rf"column high: high is below low.*{NEW} 600000\.SH",
    ),
    "vwap outside the range": (
        lambda f: (
            bars(at("price", 99.0).alias("mean"))(f),
            text("mapping.toml", 'vwap = "price"', 'vwap = "mean"')(f),
        ),
        rf"column vwap: lies outside \[low, high\] by more than a tick.*{NEW} 600000\.SH",
    ),
    "volume in lots, against turnover": (
        lambda f: (
            bars((pl.col("volume") * 100 / 1e8).alias("share"))(f),
            text("mapping.toml", 'volume = "volume"', 'volume = "volume"\nturnover = "share"')(f),
        ),
        r"column volume: volume × close / float_mv is 0\.01 × turnover.*a factor 100 = volume in lots",
    ),
    "wrong form of a code": (
        bars(at("code", "600000SH")),
        r"bars\.parquet, row \d+, column code: '600000SH' is 600000\.SH in another form: add a pattern",
    ),
    "unsorted, and twice": (
        frame(lambda d: pl.concat([d.tail(1), d]).reverse()),
        r"bars\.parquet, row \d+: two rows with the same date, symbol: ",
    ),
    "empty file": (frame(lambda d: d.clear()), r"bars\.parquet .*no rows|bars\.parquet.*no rows"),
    "truncated parquet": (half, r"bars\.parquet: can't be read as \.parquet"),
    "no parquet": (lambda f: (f / "bars.parquet").write_text("date,code\n"), r"bars\.parquet: can't be read"),
    "no such file": (lambda f: (f / "sectors.csv").unlink(), r"sectors\.csv: there is no such file"),
    "no number": (
        bars(at("volume", None).cast(pl.String).fill_null("many")),
        r"bars\.parquet, row \d+, column volume: 'many' is no Float64",
    ),
    "an index of none with prices": (
        lambda f: (
            text("members.csv", "SZ000001", "SZ000009")(f),
            text("members.csv", "SH600000", "SH600009")(f),
        ),
        r"members\.csv \(table index_members\), row 1, column symbol: of the 2 members of 000300\.SH only 0% have",
    ),
    "forward-adjusted history": (forward_adjusted, r"column close: .*000001\.SZ: × 0\.95.*forward-adjusted"),
}


def contents(market: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(market.rglob("*")) if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize("fault", list(BAD))
def test_bad_input(files, tmp_path, fault):
    change, message = BAD[fault]
    before = contents(tmp_path / "market")
    change(files)
    result = deepfactor("ingest", files / "mapping.toml", tmp_path / "market", "--folder", files)
    assert result.code == 2, result.err
    assert "Traceback" not in result.err
    assert not result.out
    assert re.search(message, result.err.splitlines()[-1]), result.err.splitlines()[-1]
    assert contents(tmp_path / "market") == before


def test_a_second_writer_is_told_so(files, tmp_path):
    before = contents(tmp_path / "market")
    with folder_lock(tmp_path / "market"):
        result = deepfactor("ingest", files / "mapping.toml", tmp_path / "market", "--folder", files)
    assert result.code == 2
    assert "is being written by another process" in result.err
    assert contents(tmp_path / "market") == before


@pytest.mark.slow
def test_accepted_revisions_on_the_command_line(files, tmp_path):
    bars(at("volume", 5.0, day=date(2020, 4, 20)))(files)
    command = ("ingest", files / "mapping.toml", tmp_path / "market", "--folder", files)
    refused = deepfactor(*command)
    assert refused.code == 2
    assert "daily: 1 rows changed in volume (2020-04-20 600000.SH volume " in refused.err
    assert deepfactor(*command, "--accept-revisions").code == 0
    assert deepfactor(*command).code == 0


def test_forward_adjusted_history_at_the_first_ingest(files, tmp_path):
    later = pl.when(pl.col("date") < date(2020, 4, 1)).then(pl.col("price") / 1.05).otherwise("price")
    bars(later.round(4))(files)
    command = ("ingest", files / "mapping.toml", tmp_path / "new", "--folder", files)
    result = deepfactor(*command)
    assert result.code == 2
    assert re.search(
        r"bars\.parquet \(table daily\), row 1, column close: closes are no whole fen, so not raw .*2020: \d\d%.*"
        r"adjusted = true in the mapping",
        result.err,
    ), result.err
    assert not (tmp_path / "new" / "manifest.json").exists()
    for change in (('adj_factor = "factor"\n', ""), ('name = "mine"', 'name = "mine"\nadjusted = true')):
        text("mapping.toml", *change)(files)
    mapping = (files / "mapping.toml").read_text(encoding="utf-8")
    (files / "mapping.toml").write_text(re.sub(r"level_changes.*\n", "", mapping), encoding="utf-8")
    assert deepfactor(*command).code == 0
