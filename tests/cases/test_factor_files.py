"""Factor files as people have them: the same scores, or a refusal in words; never another factor, never a traceback."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from datetime import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.runs.factors import Reading, RowAccount, read_factor_rows
from support.bars import bars
from support.cli import Ended, deepfactor
from support.factors import handmade_market, reversal

BARS = bars()
#: Not whole numbers, so that a file that is read can't be mistaken for another.
FACTOR = reversal(BARS).with_columns((pl.col("score") + 1e-7).round(6))
ROWS = FACTOR.height
SYMBOL, SCORE, DATE = pl.col("symbol"), pl.col("score"), pl.col("date")
DIGITS, EXCHANGE = SYMBOL.str.head(6), SYMBOL.str.tail(2)
SHANGHAI = DATE.cast(pl.Datetime("us")).dt.replace_time_zone("Asia/Shanghai")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return handmade_market(tmp_path_factory.mktemp("factors"))


@pytest.fixture(scope="module")
def panel(market: Path) -> Panel:
    return open_panel(market)[0]


@pytest.fixture(scope="module")
def right(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    file = tmp_path_factory.mktemp("plain") / "f.parquet"
    FACTOR.write_parquet(file)
    scores, rows = read_factor_rows(file, panel)
    assert rows == RowAccount(ROWS, ROWS, {}, {}, ())
    assert np.isfinite(scores.values).sum() == ROWS
    return scores.values


def text(frame: pl.DataFrame = FACTOR, **options: object) -> bytes:
    return frame.write_csv(**options).encode()  # type: ignore[call-overload, no-any-return]


Write = Callable[[Path], Path]


def file(name: str, content: bytes | Callable[[], bytes]) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
        return folder / name

    return write


def parquet(*columns: pl.Expr, name: str = "f.parquet") -> Write:
    def write(folder: Path) -> Path:
        FACTOR.with_columns(*columns).write_parquet(folder / name)
        return folder / name

    return write


def feather() -> Write:
    def write(folder: Path) -> Path:
        FACTOR.write_ipc(folder / "f.feather")
        return folder / "f.feather"

    return write


def csv(*columns: pl.Expr) -> Write:
    return file("f.csv", lambda: text(FACTOR.with_columns(*columns)))


#: What is read as the same factor: how it is written, and what is said of it.
SAME: dict[str, tuple[Write, tuple[str, ...]]] = {
    "CSV": (csv(), ()),
    "big letters in the name": (file("F.CSV", text()), ()),
    "parquet by another name": (parquet(name="f.PQ"), ()),
    "no ending": (parquet(name="scores"), ()),
    "gzipped": (file("f.csv.gz", gzip.compress(text())), ()),
    "with a mark": (file("f.csv", text(include_bom=True)), ()),
    "tabs": (file("f.tsv", text(separator="\t")), ("read as separated by tabs",)),
    "tabs in a text file": (file("f.txt", text(separator="\t")), ("read as separated by tabs",)),
    "semicolons": (file("f.csv", text(separator=";")), ("read as separated by semicolons",)),
    "GBK": (
        file("f.csv", text(FACTOR.with_columns(名称=pl.lit("平安"))).decode().encode("gbk")),
        ("read as GB18030", "columns not read: 名称"),
    ),
    "UTF-16": (file("f.csv", text().decode().encode("utf-16")), ("read as UTF-16",)),
    "line ends of Windows": (file("f.csv", text(line_terminator="\r\n")), ()),
    "all quoted": (file("f.csv", text(quote_style="always")), ()),
    "blanks around values": (file("f.csv", text(separator="\t").replace(b"\t", b" , ")), ()),
    "an empty line at the end": (file("f.csv", text() + b"\n"), ("empty rows left out: 1",)),
    "columns in another order": (parquet(SCORE.alias("x")), ("columns not read: x",)),
    "pandas' unnamed index": (
        file("f.csv", text(FACTOR.with_row_index("")).replace(b"index,", b",")),
        ('columns not read: ""',),
    ),
    "big letters in the head": (
        file("f.csv", text(FACTOR.rename({"date": "DATE", "symbol": "Symbol", "score": " Score"}))),
        ("columns read as the wanted: DATE as date, Symbol as symbol, Score as score",),
    ),
    "numbers as text": (parquet(SCORE.cast(pl.String)), ()),
    "decimals": (parquet(SCORE.cast(pl.Decimal(20, 6))), ()),
    "symbols as categories": (parquet(SYMBOL.cast(pl.Categorical)), ()),
    "symbols as an enum": (parquet(SYMBOL.cast(pl.Enum(FACTOR["symbol"].unique().sort()))), ()),
    "dates as categories": (parquet(DATE.cast(pl.String).cast(pl.Categorical)), ()),
    "JoinQuant": (
        parquet(pl.concat_str(DIGITS, EXCHANGE.replace({"SH": ".XSHG", "SZ": ".XSHE"})).alias("symbol")),
        ("symbols read as the market's: 000011.XSHE as 000011.SZ, and 11 more",),
    ),
    "one exchange of JoinQuant": (
        parquet(SYMBOL.str.replace(".SZ", ".XSHE", literal=True)),
        ("symbols read as the market's: 000011.XSHE as 000011.SZ, and 4 more",),
    ),
    "Yahoo": (
        parquet(SYMBOL.str.replace(".SH", ".SS", literal=True)),
        ("symbols read as the market's: 600001.SS as 600001.SH, and 6 more",),
    ),
    "exchange ahead": (
        parquet(pl.concat_str(EXCHANGE, DIGITS).alias("symbol")),
        ("symbols read as the market's: SH600001 as 600001.SH, and 11 more",),
    ),
    "BaoStock": (
        parquet(pl.concat_str(EXCHANGE.str.to_lowercase(), pl.lit("."), DIGITS).alias("symbol")),
        ("symbols read as the market's: sh.600001 as 600001.SH, and 11 more",),
    ),
    "small letters": (
        parquet(SYMBOL.str.to_lowercase()),
        ("symbols read as the market's: 000011.sz as 000011.SZ, and 11 more",),
    ),
    "bare digits": (parquet(DIGITS), ("symbols read as the market's: 000011 as 000011.SZ, and 11 more",)),
    "bare digits in CSV": (csv(DIGITS), ("symbols read as the market's: 000011 as 000011.SZ, and 11 more",)),
    "digits as numbers": (
        parquet(DIGITS.cast(pl.Int64)),
        ("symbols read as the market's: 11 as 000011.SZ, and 11 more",),
    ),
    "digits as decimals": (
        parquet(DIGITS.cast(pl.Float64)),
        ("symbols read as the market's: 11 as 000011.SZ, and 11 more",),
    ),
    "digits without zeros in CSV": (
        csv(DIGITS.cast(pl.Int64)),
        ("symbols read as the market's: 11 as 000011.SZ, and 11 more",),
    ),
    "times in Shanghai": (parquet(SHANGHAI), ()),
    "times in Shanghai, nanoseconds": (parquet(SHANGHAI.cast(pl.Datetime("ns", "Asia/Shanghai"))), ()),
    "times in UTC": (parquet(SHANGHAI.dt.convert_time_zone("UTC")), ()),
    "times without a zone": (parquet(DATE.cast(pl.Datetime("us"))), ()),
    "times of the close": (parquet(DATE.cast(pl.Datetime("us")).dt.offset_by("15h")), ()),
    "times in Shanghai, as text": (csv(SHANGHAI.dt.strftime("%Y-%m-%d %H:%M:%S%:z")), ()),
    "times in UTC, as text": (csv(SHANGHAI.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")), ()),
    "dates as numbers": (parquet(DATE.dt.strftime("%Y%m%d").cast(pl.Int32)), ()),
    "dates as digits": (csv(DATE.dt.strftime("%Y%m%d")), ()),
    "dates as Excel shows them": (csv(DATE.dt.strftime("%Y/%-m/%-d")), ()),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_factor(tmp_path: Path, panel: Panel, right: np.ndarray, case: str) -> None:
    write, said = SAME[case]
    scores, rows = read_factor_rows(write(tmp_path), panel)
    np.testing.assert_array_equal(scores.values, right)
    assert rows.matched == ROWS
    assert rows.dropped == {}
    assert rows.notes == said


def first_rows(**values: object) -> Write:
    """The factor as CSV, the first row with other values."""

    def content() -> bytes:
        head, first, rest = text().split(b"\n", 2)
        fields = dict(zip(("date", "symbol", "score"), first.decode().split(","), strict=True)) | values
        return b"\n".join([head, ",".join(map(str, fields.values())).encode(), rest])

    return file("f.csv", content)


TIME = DATE.cast(pl.Datetime("us"))
#: What is refused, and what is said.
REFUSED: dict[str, tuple[Write, str]] = {
    "no file": (lambda folder: folder / "none.csv", "no such factor file"),
    "empty": (file("f.csv", b""), "can't be read: is empty"),
    "names alone": (file("f.csv", b"date,symbol,score\n"), "holds no rows"),
    "no rows": (lambda folder: _written(folder, FACTOR.clear()), "holds no rows"),
    "parquet called CSV": (parquet(name="f.csv"), "is a parquet file, though its name ends in .csv"),
    "CSV called parquet": (file("f.parquet", text()), "is text, no parquet file, though its name ends in .parquet"),
    "half a parquet": (lambda folder: _cut(parquet()(folder)), "can't be read, is it damaged"),
    "half a gzip": (file("f.csv.gz", gzip.compress(text())[:-20]), "can't be unpacked, is it cut off"),
    "Excel": (file("f.xlsx", b"PK\x03\x04" + bytes(99)), "is a zip archive .or .xlsx, .npz.: parquet and CSV are read"),
    "half a feather": (lambda folder: _cut(feather()(folder)), "can't be read, is it damaged"),
    "an old feather": (file("f.feather", b"FEA1" + bytes(9)), "is a feather file of version 1: parquet and CSV are"),
    "pickle": (
        file("pred.pkl", b"\x80\x05\x95abc"),
        r'is a pickle, which runs code as it is read, so it isn.t opened. Write it anew in pandas: '
        r'pd.DataFrame.pd.read_pickle."pred.pkl"...to_csv."pred.csv".',
    ),
    "HDF5": (file("f.h5", b"\x89HDF\r\n\x1a\n"), r'is an HDF5 file .*pd.read_hdf."f.h5".'),
    "null bytes": (file("f.csv", text() + b"\0"), "holds null bytes"),
    "neither UTF-8 nor GBK": (file("f.csv", text() + b"\xff\xff\n"), "is neither UTF-8 nor GBK"),
    "cut off": (file("f.csv", text()[:-12]), f"row {ROWS}.*the line has 2 fields, the head has 3: is the file cut off"),
    "no head": (file("f.csv", text().split(b"\n", 1)[1]), "its first line is a row, wanted the names of the"),
    "a column twice": (
        file("f.csv", b"score," + text().rstrip(b"\n").replace(b"\n", b"\n1,") + b"\n"),
        "column score: is there 2 times .score, score.: keep one",
    ),
    "a column twice but for capitals": (
        file("f.csv", text(FACTOR.with_columns(Score=SCORE).rename({"score": "SCORE"}))),
        "column score: is there 2 times .SCORE, Score.: keep one",
    ),
    "decimal commas": (
        file("f.csv", text(decimal_comma=True, separator=";")),
        r"row 1, column score: '-?\d*,\d+' is no number: write decimals with a point",
    ),
    "decimal commas among commas": (first_rows(score="0,5"), "row 1.*the line has 4 fields, the head has 3: quote"),
    "thousands": (first_rows(score='"1,234.5"'), "row 1, column score: '1,234.5' is no number: write decimals with"),
    "percent": (first_rows(score="5%"), "row 1, column score: '5%' is no number: write it without %"),
    "words for scores": (first_rows(score="buy"), "row 1, column score: 'buy' is no number"),
    "no date": (first_rows(date=""), "row 1, column date: is missing"),
    "no symbol": (first_rows(symbol="NA"), "row 1, column symbol: is missing"),
    "two writings": (first_rows(date="2020/01/16"), "row 2, column date: .* is of another form than '2020/01/16'"),
    "day or month": (csv(DATE.dt.strftime("%d/%m/%Y")), "row 1, column date: .* who knows.*--date-format"),
    "seconds": (parquet(DATE.dt.epoch("s")), "row 1, column date: .* a time since 1970"),
    "nanoseconds as text": (csv(DATE.dt.epoch("ns")), "row 1, column date: .* a time since 1970"),
    "days of Excel": (parquet(DATE.dt.epoch("d") + 25569), "row 1, column date: .* a day number of Excel's"),
    "days of Excel as text": (csv(DATE.dt.epoch("d") + 25569), "row 1, column date: .* a day number of Excel's"),
    "scores as categories": (parquet(SCORE.cast(pl.String).cast(pl.Categorical)), "column score: holds categories"),
    "scores as lists": (parquet(pl.concat_list("score").alias("score")), "column score: holds lists"),
    "scores as records": (parquet(pl.struct("score").alias("score")), "column score: holds records"),
    "scores as durations": (parquet(pl.duration(days=SCORE).alias("score")), "column score: holds durations"),
    "scores as dates": (parquet(DATE.alias("score")), "column score: holds dates"),
    "scores as times": (parquet(TIME.alias("score")), "column score: holds times"),
    "scores as bytes": (parquet(SCORE.cast(pl.String).cast(pl.Binary)), "column score: holds bytes"),
    "symbols as lists": (parquet(pl.concat_list("symbol").alias("symbol")), "column symbol: holds lists"),
    "symbols as bytes": (parquet(SYMBOL.cast(pl.Binary)), "column symbol: holds bytes"),
    "symbols as flags": (parquet(pl.lit(value=True).alias("symbol")), "column symbol: holds true and false"),
    "symbols as parts": (
        parquet((DIGITS.cast(pl.Float64) + 0.5).alias("symbol")),
        "row 1, column symbol: .* is no code",
    ),
    "dates as lists": (parquet(pl.concat_list("date").alias("date")), "column date: holds lists"),
    "dates as times of day": (parquet(pl.lit(time(1)).alias("date")), "column date: holds times of day"),
    "dates as flags": (parquet(pl.lit(value=True).alias("date")), "column date: holds true and false"),
    "no dates at all": (parquet(pl.lit(None).alias("date")), "row 1, column date: is missing"),
    "no scores at all": (parquet(pl.lit(None).alias("score")), "none of its 1,320 rows .*: no score 1,320; the market"),
    "another market": (
        parquet((pl.lit("9") + SYMBOL.str.slice(1)).alias("symbol")),
        "none of its .* symbol not in market 1,320 .as 900011.SZ.; the market has 2020-01-02 to 2020-06-17",
    ),
    "a day early": (parquet(DATE.dt.offset_by("-1d")), r"rows lie on \d+ Sundays .as 2020-.*are dates a day early"),
    "a day late": (parquet(DATE.dt.offset_by("1d")), r"rows lie on \d+ Saturdays .as 2020-.*are dates a day late"),
    "UTC without a zone": (
        parquet(SHANGHAI.dt.convert_time_zone("UTC").dt.replace_time_zone(None)),
        "Sundays .*are dates a day early, as times of another zone are. Their times name no zone: give it",
    ),
    "UTC without a zone, as text": (
        csv(SHANGHAI.dt.convert_time_zone("UTC").dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S")),
        "Sundays .*are dates a day early, as times of another zone are. Their times name no zone: give it",
    ),
    "New York": (
        parquet(SHANGHAI.dt.replace_time_zone(None).dt.offset_by("16h").dt.replace_time_zone("America/New_York")),
        "Saturdays .*are dates a day late",
    ),
    "two codes of one stock": (
        lambda folder: _written(folder, pl.concat([FACTOR, FACTOR.head(1).with_columns(DIGITS)])),
        "row 1: 1 .date, symbol. pairs occur more than once, .* 000011.SZ and .* 000011 .again in row 1321.",
    ),
    "a row twice": (
        lambda folder: _written(folder, pl.concat([FACTOR, FACTOR.tail(1)])),
        f"row {ROWS}: 1 .date, symbol. pairs occur more than once",
    ),
    "two times of a day": (
        lambda folder: _written(
            folder,
            pl.concat([FACTOR.with_columns(TIME), FACTOR.tail(1).with_columns(TIME.dt.offset_by("9h"))]),
        ),
        f"row {ROWS}: 1 .date, symbol. pairs occur more than once",
    ),
}  # fmt: skip


def _written(folder: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(folder / "f.parquet")
    return folder / "f.parquet"


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words(tmp_path: Path, panel: Panel, case: str) -> None:
    write, said = REFUSED[case]
    path = write(tmp_path)
    with pytest.raises(DataError, match=said) as error:
        read_factor_rows(path, panel)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_flags_are_scores(tmp_path: Path, panel: Panel) -> None:
    for column in (SCORE > 0, (SCORE > 0).cast(pl.String)):
        scores, rows = read_factor_rows(parquet(column.alias("score"))(tmp_path), panel)
        assert set(scores.values[np.isfinite(scores.values)]) == {0.0, 1.0}
        assert rows.notes == ("scores: true is 1, false is 0",)


def test_whole_numbers_first(tmp_path: Path, panel: Panel, right: np.ndarray) -> None:
    mixed = FACTOR.with_columns(
        pl.when(pl.int_range(pl.len()) < 300)
        .then(SCORE.sign().cast(pl.Int8).cast(pl.String))
        .otherwise(SCORE.cast(pl.String))
    )
    scores, rows = read_factor_rows(file("f.csv", text(mixed))(tmp_path), panel)
    assert rows.matched == ROWS
    assert np.isin(scores.values[10:, :2], (-1.0, 0.0, 1.0)).all()
    np.testing.assert_array_equal(scores.values[:, 3:], right[:, 3:])


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "--", "#N/A", "<NA>"])
def test_missing_scores_anywhere(tmp_path: Path, panel: Panel, missing: str) -> None:
    lines = text().split(b"\n")
    for row in (1, 2, 900):
        lines[row] = lines[row].rsplit(b",", 1)[0] + b"," + missing.encode()
    scores, rows = read_factor_rows(file("f.csv", b"\n".join(lines))(tmp_path), panel)
    assert np.isfinite(scores.values).sum() == ROWS - 3
    assert rows.dropped == {"no score": 3}


def test_infinite_scores_are_counted(tmp_path: Path, panel: Panel) -> None:
    wrong = FACTOR.with_columns(pl.when(pl.int_range(pl.len()) < 4).then(float("inf")).otherwise(SCORE).alias("score"))
    _, rows = read_factor_rows(_written(tmp_path, wrong), panel)
    assert rows.dropped == {"infinite score": 4}


@pytest.mark.parametrize(
    ("form", "written"), [("%d/%m/%Y", "%d/%m/%Y"), ("%m/%d/%Y", "%m/%d/%Y"), ("%d%b%Y", "%d%b%Y")]
)
def test_a_date_format_says_which_is_the_month(
    tmp_path: Path, panel: Panel, right: np.ndarray, form: str, written: str
) -> None:
    path = csv(DATE.dt.strftime(written))(tmp_path)
    scores, _ = read_factor_rows(path, panel, reading=Reading(date_format=form))
    np.testing.assert_array_equal(scores.values, right)


def test_a_wrong_date_format_is_refused(tmp_path: Path, panel: Panel) -> None:
    path = csv(DATE.dt.strftime("%d/%m/%Y"))(tmp_path)
    with pytest.raises(DataError, match=r"column date: .* is no date of the form %m/%d/%Y"):
        read_factor_rows(path, panel, reading=Reading(date_format="%m/%d/%Y"))


# what is dropped, and --partial


def strangers(known: int) -> pl.DataFrame:
    """The factor, the first `known` rows of it in the market."""
    outside = (pl.lit("9") + SYMBOL.str.slice(1)).alias("symbol")
    return FACTOR.with_columns(pl.when(pl.int_range(pl.len()) < known).then(SYMBOL).otherwise(outside))


def test_half_must_find_a_place(tmp_path: Path, panel: Panel) -> None:
    half = ROWS // 2
    _, rows = read_factor_rows(_written(tmp_path, strangers(half)), panel)
    assert (rows.matched, rows.dropped) == (half, {"symbol not in market": ROWS - half})
    path = _written(tmp_path, strangers(half - 1))
    with pytest.raises(DataError, match=r"only 659 of its 1,320 scores .49.9%. find a place: symbol not in market 661"):
        read_factor_rows(path, panel)
    _, rows = read_factor_rows(path, panel, reading=Reading(partial=True))
    assert rows.lines() == ["rows: 1,320 in the file, 659 matched; dropped: symbol not in market 661 (as 900001.SH)"]


def test_rows_without_a_score_are_not_held_against_a_file(tmp_path: Path, panel: Panel) -> None:
    few = FACTOR.with_columns(pl.when(pl.int_range(pl.len()) < 100).then(SCORE).alias("score"))
    _, rows = read_factor_rows(_written(tmp_path, few), panel)
    assert (rows.matched, rows.dropped) == (100, {"no score": ROWS - 100})


def test_days_outside_of_the_market_are_counted(tmp_path: Path, panel: Panel) -> None:
    long = reversal(bars(n=150, start=BARS["date"].min().replace(year=2019, month=12, day=2)))
    _, rows = read_factor_rows(_written(tmp_path, long), panel)
    assert rows.dropped == {
        "after the market's last day": long.filter(DATE.gt(panel.dates[-1].item())).height,
        "before the market's first day": long.filter(DATE.lt(panel.dates[0].item())).height,
    }
    assert rows.examples["before the market's first day"].startswith("2019-12-")
    assert rows.file == rows.matched + sum(rows.dropped.values())


def run(path: Path, market: Path, out: Path, *more: object) -> Ended:
    return deepfactor("test", path, "--market", market, "--out", out, "--universe", "all", "--horizon", 5, *more)


@pytest.mark.slow
def test_the_command_says_what_became_of_the_rows(tmp_path: Path, market: Path) -> None:
    theirs = pl.concat_str(DIGITS, EXCHANGE.replace({"SH": ".XSHG", "SZ": ".XSHE"})).alias("symbol")
    path = _written(tmp_path, strangers(1000).with_columns(theirs))
    done = run(path, market, tmp_path / "out")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:2] == [
        "rows: 1,320 in the file, 1,000 matched; dropped: symbol not in market 320 (as 900005.XSHG)",
        "symbols read as the market's: 000011.XSHE as 000011.SZ, and 9 more",
    ]
    rows = run(path, market, tmp_path / "out", "--json").json()["rows"]
    assert (rows["file"], rows["matched"], rows["dropped"]) == (1320, 1000, {"symbol not in market": 320})
    assert rows["examples"] == {"symbol not in market": "900005.XSHG"}


@pytest.mark.slow
def test_every_verb_takes_partial_and_date_format(tmp_path: Path, market: Path) -> None:
    path = tmp_path / "f.csv"
    strangers(400).with_columns(DATE.dt.strftime("%d/%m/%Y")).write_csv(path)
    verbs: dict[str, tuple[object, ...]] = {
        "test": (path, "--out", tmp_path / "t", "--universe", "all"),
        "enhance": (path, "--out", tmp_path / "e", "--index", "000905.SH"),
        "combine": (path, shutil.copy(path, tmp_path / "g.csv"), "--out", tmp_path / "c.parquet"),
    }
    for verb, words in verbs.items():
        done = deepfactor(verb, *words, "--market", market)
        assert done.code == 2, verb
        assert "who knows" in done.err
        done = deepfactor(verb, *words, "--market", market, "--date-format", "%d/%m/%Y")
        assert done.code == 2, verb
        assert "only 400 of its 1,320 scores (30.3%) find a place" in done.err
        done = deepfactor(verb, *words, "--market", market, "--date-format", "%d/%m/%Y", "--partial")
        assert done.code == 0, done.err
        assert "1,320 in the file, 400 matched; dropped: symbol not in market 920" in done.out
