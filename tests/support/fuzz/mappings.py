"""Mappings and the files under them, by ``ingest``: refused, and no market is left behind."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.sources._mapping import load_mapping
from support.bars import CODES, bars, weekdays, write_membership
from support.cli import Ended, deepfactor
from support.fuzz import (
    NO_TOML,
    SEED,
    Case,
    Content,
    changed,
    dotted,
    leaves,
    misspelt,
    renamed,
    tables,
    without,
    written,
)

BASE: Content = tomllib.loads("""
name = "mine"
cap = "float"
notes = ["handmade"]
drop_unknown = false
adjusted = false
[[symbols]]
pattern = '(\\d{6})\\.(SH|SZ)'
to = "$1.$2"
[append]
only_new_days = false
[tables.daily]
file = "bars.parquet"
date_format = "%Y-%m-%d"
drop = [{ column = "symbol", matching = "^T", why = "tests" }]
[tables.daily.columns]
date = "date"
symbol = "symbol"
open = "open"
high = "high"
low = "low"
close = "close"
volume = { from = "volume", multiply = 1.0 }
amount = { from = "amount", divide = 1.0 }
adj_factor = "adj_factor"
float_mv = "float_mv"
[[tables.daily.steps]]
file = "shares.csv"
into = "a_shares"
symbol = "symbol"
date = "date"
value = "shares"
lag_days = 0
multiply = 1.0
before_first = 1e9
[tables.daily.intervals]
file = "names.csv"
into = "is_st"
start = "since"
value = "name"
matching = "ST"
[tables.industry]
file = "industry.csv"
columns = { symbol = "symbol", industry = "industry", start_date = "since", end_date = "until" }
[tables.index_weights]
file = "weights.csv"
columns = { index = "index", date = "date", symbol = "symbol", weight = "weight" }
""")
#: Tables whose keys are names of columns or tables, which have messages of their own all the same.
DAYS = 60


@dataclass(frozen=True)
class Ground:
    """A vendor's folder that the clean mapping reads."""

    vendor: Path

    @staticmethod
    def make(folder: Path) -> Ground:
        bars(n=DAYS).write_parquet(folder / "bars.parquet")
        days = weekdays(DAYS)
        write_membership(folder, days)
        shares = "".join(f"{code},{days[5]},2e9\n" for code in CODES)
        (folder / "shares.csv").write_text("symbol,date,shares\n" + shares)
        names = "".join(f"{code},2010-01-04,平安{k}\n" for k, code in enumerate(CODES))
        (folder / "names.csv").write_text("symbol,since,name\n" + names, encoding="utf-8")
        (folder / "mapping.toml").write_text(written(BASE), encoding="utf-8")
        made = deepfactor("ingest", folder / "mapping.toml", folder.parent / "clean", "--folder", folder)
        assert made.code == 0, made.err
        return Ground(folder)

    def case(self, family: str, name: str, content: str | bytes | Content, spoil: Spoil | None = None) -> Case:
        """A mapping, over the vendor's files or over a copy of them that `spoil` has changed."""
        raw = written(content) if isinstance(content, dict) else content
        raw = raw.encode() if isinstance(raw, str) else raw

        def run(folder: Path) -> Ended:
            vendor = self.vendor
            if spoil is not None:
                vendor = folder / "vendor"
                vendor.mkdir()
                for file in self.vendor.iterdir():
                    (vendor / file.name).symlink_to(file)
                spoil(vendor)
            (folder / "mapping.toml").write_bytes(raw)
            # A link leads out of the folder, which a stranger's mapping may not.
            trust = ("--allow-code",) if spoil is not None else ()
            ended = deepfactor("ingest", folder / "mapping.toml", folder / "M", "--folder", vendor, *trust)
            assert ended.code == 0 or not (folder / "M").exists(), "half a market is left"
            return ended

        return Case(family, name, run)

    def same(self, family: str, name: str, content: bytes) -> Case:
        """A mapping that says what the clean one does."""

        def run(folder: Path) -> Ended:
            (folder / "mapping.toml").write_bytes(content)
            mine, clean = (load_mapping(str(place / "mapping.toml")) for place in (folder, self.vendor))
            return Ended(0, "same" if mine == clean else "other", "")

        return Case(family, name, run, lambda _, ended: ended.out == "same")


Spoil = Callable[[Path], object]


def frame(change: Callable[[pl.DataFrame], pl.DataFrame], file: str = "bars.parquet") -> Spoil:
    """A table of the vendor's, changed."""

    def spoil(vendor: Path) -> None:
        place = vendor / file
        table = pl.read_parquet(place) if file.endswith("parquet") else pl.read_csv(place, infer_schema=False)
        place.unlink()
        if file.endswith("parquet"):
            change(table).write_parquet(place)
        else:
            change(table).write_csv(place)

    return spoil


def raw(file: str, content: bytes | None) -> Spoil:
    """A file with another content; None = gone."""

    def spoil(vendor: Path) -> None:
        (vendor / file).unlink()
        if content is not None:
            (vendor / file).write_bytes(content)

    return spoil


def keys(ground: Ground) -> Iterator[Case]:
    """Misspelt keys, keys that are missing."""
    draw = random.Random(SEED)
    for path, table in tables(BASE):
        for name in table:
            bad = renamed(BASE, (*path, name), misspelt(name, draw.randrange(9)))
            yield ground.case("keys", f"misspelt {dotted((*path, name))}", bad)
    for path in (
        *(("name",), ("tables",), ("tables", "daily"), ("tables", "daily", "file"), ("tables", "daily", "columns")),
        *(("tables", "daily", "columns", column) for column in ("date", "symbol", "open", "close", "volume", "amount")),
        *(("tables", "daily", "steps", 0, key) for key in ("file", "into", "value")),
        *(("tables", "daily", "intervals", key) for key in ("file", "into", "value", "matching")),
        *(("tables", "daily", "columns", "volume", "from"), ("tables", "industry", "file"), ("symbols", 0, "to")),
        ("symbols", 0, "pattern"),
    ):
        yield ground.case("keys", f"without {dotted(path)}", without(BASE, path))


def values(ground: Ground) -> Iterator[Case]:
    """Values of a wrong type, numbers that are none, words that are no choice."""
    for path, value in leaves(BASE):
        if isinstance(value, bool):
            bads: tuple[Any, ...] = ("perhaps", 7, [], {})
        elif isinstance(value, (int, float)):
            bads = ("many", True, float("nan"), float("inf"), [], {}, -1 if path[-1] != "before_first" else "x")
        else:
            bads = (3, True, [1], {"x": 1}) if path != ("notes", 0) else (3, {"x": 1})
        for bad in bads:
            yield ground.case("values", f"{dotted(path)} = {bad}", changed(BASE, path, bad))
    daily = ("tables", "daily")
    for path, bad in (
        (("cap",), "free"),
        (("kind",), "nothing"),
        (("kind",), "os:path"),
        (("kind",), 3),
        (("tables", "prices"), {"file": "bars.parquet", "columns": {"date": "date"}}),
        ((*daily, "columns", "price"), "close"),
        ((*daily, "columns", "close"), {"from": "close", "multiply": 0.0}),
        ((*daily, "columns", "close"), {"from": "close", "names": {"a": "b"}, "equals": "a"}),
        ((*daily, "columns", "close"), {"from": "close", "matching": "("}),
        ((*daily, "date_format"), ""),
        ((*daily, "date_format"), "day"),
        ((*daily, "where"), {"nothing": 1}),
        ((*daily, "where"), {"symbol": [1]}),
        ((*daily, "begin"), {"000300.SH": "2020-01-02"}),
        ((*daily, "begin"), {"000300.SH": "soon"}),
        ((*daily, "query"), "SELECT 1"),
        ((*daily, "steps", 0, "into"), "shares"),
        *(((*daily, "steps", 0, "into"), column) for column in ("close", "date", "symbol", "volume")),
        ((*daily, "steps", 0, "lag_days"), 10**12),
        ((*daily, "steps", 0, "times"), "nothing"),
        ((*daily, "steps", 0, "symbols"), "("),
        ((*daily, "steps", 0, "start"), "soon"),
        ((*daily, "steps", 0, "date_format"), "%Q"),
        ((*daily, "intervals", "into"), "close"),
        ((*daily, "level_changes"), [{"symbol": "600001.SH"}]),
        ((*daily, "level_changes"), [{"column": "close", "symbol": "600001.SH", "date": "2020-01-03"}]),
        (("tables", "industry", "steps"), BASE["tables"]["daily"]["steps"]),
        (("append", "only_new_days"), "yes please"),
        (("renames",), [{"old": "600001.SH"}]),
        (("renames",), [{"old": "600001.SH", "new": "600001.SH"}]),
        (("renames",), "600001.SH"),
        (("fundamentals",), {"steps": [{}]}),
        (("fundamentals",), {"statements": [{"file": "bars.parquet"}]}),
        (("adjusted",), True),
        (("no_adjustment",), True),
    ):
        yield ground.case("values", f"{dotted(path)} = {str(bad)[:40]}", changed(BASE, path, bad))


def patterns(ground: Ground) -> Iterator[Case]:
    """Regular expressions that are none, that have no such group, that would take for ever."""
    for pattern, to in (
        *(("(", "$1"), ("[", "x"), ("*", "x"), ("(?P<a>x", "$1"), ("\\", "x"), ("(\\d{6}", "$1.SH")),
        *((r"(\d{6})\.(SH|SZ)", to) for to in ("$9", "$3.$1", "$1.$2.$3", "$1", "", "$2.$1", "600001.SH", "$1$2")),
        *((r"(\d{6})\.(SH|SZ)", to) for to in ("$0x", "\\1.\\2", "$1.XX")),
        *(
            (r"((\d+)+)+\.(SH|SZ)", "$2.$3"),
            (r"(a+)+$", "$1"),
            (r"(.*)*x", "$1"),
        ),
    ):
        bad = changed(BASE, ("symbols",), [{"pattern": pattern, "to": to}])
        yield ground.case("patterns", f"{pattern} → {to}", bad)
    for path in (
        ("tables", "daily", "drop", 0, "matching"),
        ("tables", "daily", "intervals", "matching"),
    ):
        for bad in ("(", "[", "*", "(?P<a>x"):
            yield ground.case("patterns", f"{dotted(path)} = {bad}", changed(BASE, path, bad))
    for bad in ("[", "(?=x)", "*"):
        yield ground.case(
            "patterns", f"symbols of steps {bad}", changed(BASE, ("tables", "daily", "steps", 0, "symbols"), bad)
        )
    yield ground.case("patterns", "all rows", changed(BASE, ("tables", "daily", "drop", 0, "matching"), ".*"))


def files(ground: Ground) -> Iterator[Case]:
    """Files that aren't there, that lie elsewhere, that are no tables; and mappings written differently."""
    for name in (
        "gone.parquet",
        "",
        ".",
        "..",
        "/etc/passwd",
        "../clean/manifest.json",
        "a\x00b",
        "x" * 300,
        "mapping.toml",
        "*",
    ):
        yield ground.case("files", f"file = {name[:20]!r}", changed(BASE, ("tables", "daily", "file"), name))
        yield ground.case(
            "files", f"steps in {name[:20]!r}", changed(BASE, ("tables", "daily", "steps", 0, "file"), name)
        )
    for what, content in NO_TOML.items():
        yield ground.case("files", what, content)
    for file in ("bars.parquet", "industry.csv", "names.csv"):
        for what, content in (
            ("gone", None),
            ("empty", b""),
            ("no table", b"\x89PNG\r\n"),
            ("half", b"PAR1" + bytes(90)),
        ):
            yield ground.case("files", f"{file} {what}", BASE, raw(file, content))
    clean = written(BASE)
    yield ground.same("files", "a byte order mark", b"\xef\xbb\xbf" + clean.encode())
    yield ground.same("files", "line ends of Windows", clean.replace("\n", "\r\n").encode())
    yield ground.same("files", "another order", written(dict(reversed(BASE.items()))).encode())


def rows(ground: Ground) -> Iterator[Case]:
    """Rows that no market has."""
    first = pl.int_range(pl.len()) == 30
    spoiled = pl.int_range(pl.len()) % 3 == 0

    def one(column: str, value: Any, where: pl.Expr = first) -> Spoil:
        return frame(
            lambda d: d.with_columns(pl.when(where).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
        )

    for column in ("open", "high", "low", "close"):
        for value in (-1.0, 0.0, 1e12, float("inf")):
            yield ground.case("rows", f"{column} {value}", BASE, one(column, value))
    for column, value in (
        ("volume", -1.0),
        ("amount", -1.0),
        ("adj_factor", 0.0),
        ("adj_factor", -1.0),
        ("float_mv", -5.0),
    ):
        yield ground.case("rows", f"{column} {value}", BASE, one(column, value))
    for name, spoil in {
        "a row twice": frame(lambda d: pl.concat([d, d.head(1)])),
        "no rows": frame(lambda d: d.clear()),
        "a column gone": frame(lambda d: d.drop("close")),
        "text for a price": frame(lambda d: d.with_columns(close=pl.lit("high"))),
        "lists for a price": frame(lambda d: d.with_columns(close=pl.concat_list("close", "close"))),
        "truths for a price": frame(lambda d: d.with_columns(close=pl.col("is_st"))),
        "a symbol missing": one("symbol", None),
        "a day missing": frame(lambda d: d.with_columns(date=pl.when(first).then(None).otherwise("date"))),
        "another code": one("symbol", "AAPL"),
        "an index among stocks": one("symbol", "000300.SH", pl.col("symbol") == "600001.SH"),
        "days on Sundays": frame(lambda d: d.with_columns(date=pl.col("date") + pl.duration(days=2))),
        "days of another century": frame(lambda d: d.with_columns(date=pl.col("date").dt.offset_by("-100y"))),
        "days to come": frame(lambda d: d.with_columns(date=pl.col("date").dt.offset_by("70y"))),
        "days as text of another form": frame(lambda d: d.with_columns(date=pl.col("date").dt.strftime("%d/%m/%Y"))),
        "prices × 100 on a third": one_of_three("close", 100.0, spoiled),
        "prices without names": frame(lambda d: d.with_columns(symbol=pl.lit("600001.SH"))),
        "high below low": frame(lambda d: d.rename({"high": "low", "low": "high"})),
    }.items():
        yield ground.case("rows", name, BASE, spoil)
    for file, column, value in (
        ("weights.csv", "weight", "-0.1"),
        ("weights.csv", "weight", "much"),
        ("weights.csv", "date", "2020-02-30"),
        ("industry.csv", "since", "soon"),
        ("industry.csv", "until", "2009-01-01"),
        ("shares.csv", "shares", "many"),
        ("shares.csv", "date", "20200230"),
        ("names.csv", "since", "x"),
    ):
        change = frame(lambda d, c=column, v=value: d.with_columns(pl.lit(v).alias(c)), file)
        yield ground.case("rows", f"{file}: {column} = {value}", BASE, change)
    for file in ("weights.csv", "industry.csv", "shares.csv", "names.csv"):
        yield ground.case("rows", f"{file}: without its first column", BASE, frame(lambda d: d[:, 1:], file))


def one_of_three(column: str, factor: float, where: pl.Expr) -> Spoil:
    return frame(lambda d: d.with_columns(pl.when(where).then(pl.col(column) * factor).otherwise(column).alias(column)))


def forms(ground: Ground) -> Iterator[Case]:
    """Patterns of files, formulas, further files, lists, wide tables that can't be."""
    daily = ("tables", "daily")
    clean = changed(without(BASE, (*daily, "file")), (*daily, "files"), "bars.*")
    for bad in ("", [], ["bars.*", 3], "../*", "/etc/*", "*/", "**/x.csv", "{", "{a b}.csv", "{x}{x}.csv", "a\x00*",
                "{a}.parquet/{b}", "x" * 300 + "*", ["bars.*", "{code}.csv"], "names.*", "*"):  # fmt: skip
        yield ground.case("forms", f"files = {str(bad)[:30]!r}", changed(clean, (*daily, "files"), bad))
    yield ground.case("forms", "file and files", changed(BASE, (*daily, "files"), "bars.*"))
    for bad in ("close *", "close * nothing", "__import__('os')", "close.real + 1", "close ** 9", "1 + 1", "close > 1",
                "(" * 300, "close + " * 400 + "close", "open(close)", "`close + 1", "symbol * 2", "lambda: 1",
                ):  # fmt: skip
        yield ground.case(
            "forms", f"formula {bad[:30]!r}", changed(BASE, (*daily, "columns", "close"), {"formula": bad})
        )
    for key, column in (
        ("close", {"formula": "close * 1", "from": "close"}), ("close", {}),
        ("close", {"formula": "close * 1", "part": "(.)"}),
        ("date", {"formula": "close * 1"}), ("symbol", {"from": "symbol", "part": "(.*)"}),
        ("symbol", {"from": "symbol", "missing": ["x"]}), ("close", {"from": "close", "part": "x"}),
        ("close", {"from": "close", "part": "(a+)+$"}), ("close", {"from": "close", "part": "([a-z])"}),
    ):  # fmt: skip
        yield ground.case("forms", f"{key} = {column}", changed(BASE, (*daily, "columns", key), column))
    for key, bad in (
        ("aliases", {"close": "x"}), ("aliases", {"nothing": 3}), ("may_lack", "close"), ("order_by", ["nothing"]),
        ("must_be", {"close": 3}), ("must_be", {"nothing": "x"}), ("sheet", 3), ("skip_rows", -1), ("skip_rows", 10**9),
        ("wide", "nothing"), ("wide", "date"), ("optional", True), ("listed_on", "date"), ("joined", [{}]),
        ("joined", {"file": "bars.parquet", "columns": {"close": "close"}}),
        ("joined", {"file": "bars.parquet", "columns": {"turnover": "nothing"}}),
        ("joined", {"file": "bars.parquet", "columns": {"turnover": "symbol"}}),
        ("joined", {"file": "bars.parquet", "date": "close", "columns": {"turnover": "close"}}),
        ("joined", {"file": "gone.csv", "columns": {"turnover": "close"}}),
        ("halts", {"file": "bars.parquet", "date": "close"}), ("halts", {"file": "gone.csv"}), ("halts", {}),
    ):  # fmt: skip
        yield ground.case("forms", f"{key} = {str(bad)[:50]}", changed(BASE, (*daily, key), bad))
    for key, bad in (("listed_on", "since"), ("listed_on", "nothing"), ("wide", "symbol"), ("joined", [{}])):
        yield ground.case("forms", f"industry.{key} = {bad}", changed(BASE, ("tables", "industry", key), bad))
    yield ground.case("forms", "indices", changed(BASE, ("indices",), [{"pattern": "(", "to": "$1"}]))


FAMILIES = (keys, values, patterns, files, rows, forms)
