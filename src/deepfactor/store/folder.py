"""The market folder on disk: immutable parquet parts behind one manifest.

::

    MARKET/
        manifest.json               schema version, source, parts with their hashes, its own; replaced by rename
        tables/<table>/<part>.parquet   a month or a whole table; named by content, never changed once written
        panel/<fingerprint>/            compiled arrays, made by `panel.build`
        risk/<key>/                     risk models, made by `risk.opening`

A writer puts new parts down, syncs them and then replaces the manifest, so a reader sees the old market or the new one.
Parts of the manifest before stay until the next write: a reader that opened it can go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.checksums import damaged, file_checksum, sealed, unsealed
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import write_json
from deepfactor.core.spec import content_key
from deepfactor.core.system import raise_of_machine
from deepfactor.store.checks import Basis, Finding, FindingRecord, check_tables, last_day, strictly_ascending
from deepfactor.store.content import content_hash, hash_of_rows
from deepfactor.store.migrations import migrated
from deepfactor.store.parquet import UNREADABLE, parquet_schema, read_parquet, write_parquet
from deepfactor.store.priced import note_symbols, symbols_of
from deepfactor.store.records import Account
from deepfactor.store.schema import SCHEMA_VERSION, SEALED, TABLES
from deepfactor.store.writing import MANIFEST, writing

#: Label of the part of a table that has only one.
WHOLE = "all"
_ROW_GROUP = 250_000
#: Examples of a finding that stand in a message.
_SHOWN = 3


@dataclass(frozen=True)
class Part:
    """One parquet file of a table.

    Attributes
    ----------
    name : file name without ``.parquet``: `label` and the first 16 digits of `content`
    content : SHA-256 of the rows, independent of how parquet encodes them
    rows : number of rows
    checksum : of the file's bytes; "" where it was written before there were checksums
    """

    name: str
    content: str
    rows: int
    checksum: str = ""

    @property
    def label(self) -> str:
        """The part's month as in ``2022-12`` (schema 2: its year), or ``all``."""
        return self.name.rsplit("-", 1)[0]

    def ends_before(self, day: date) -> bool:
        """Whether all of its rows lie in a month (or year) before that of `day`."""
        return self.label != WHOLE and self.label < day.isoformat()[: len(self.label)]

    def holds(self, day: date) -> bool:
        """Whether `day` lies in its month (or year)."""
        return day.isoformat().startswith(self.label)


@dataclass(frozen=True)
class Manifest:
    """What a market holds.

    Attributes
    ----------
    schema_version : see `deepfactor.store.schema.SCHEMA_VERSION`
    tables : mapping of table to its parts, in order
    source : the source's own account: name, settings, ``cap`` ("float" | "total"), ``simulated``, ``derived``,
        ``dropped``, ``notes``, what `deepfactor.store.checks.Basis` says of the prices, ``memos``, and of the first
        ingest; ``appended`` lists those that went on from it
    warnings : findings that did not stop the ingest
    retired : parts of the manifest before that this one doesn't use; removed by the next write
    """

    schema_version: int
    tables: Mapping[str, tuple[Part, ...]]
    source: Account
    warnings: tuple[FindingRecord, ...] = ()
    retired: tuple[str, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the content of all tables."""
        return content_key({name: [part.content for part in parts] for name, parts in self.tables.items()})


@dataclass(frozen=True)
class MarketFolder:
    """A market folder as it was when opened."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> MarketFolder:
        """Open a market folder.

        Raises
        ------
        DataError
            no such folder, no market, a broken manifest, or one of a newer deepfactor.
        """
        return cls(path, _read_manifest(path))

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the content of all tables."""
        return self.manifest.fingerprint

    def has(self, table: str) -> bool:
        """Whether the market has the table."""
        return table in self.manifest.tables

    def part_files(self, table: str, since: date | None = None) -> tuple[Path, ...]:
        """Paths of the table's parts, in order, without those that lie before the month of `since` as a whole.

        Each is compared with what was written, once a modification. A `DataError` where the market lacks the table, a
        `DamagedFile` where one holds something else.
        """
        if not self.has(table):
            raise DataError(f"{self.path} has no table {table}: it has {', '.join(self.manifest.tables)}")
        parts = [part for part in self.manifest.tables[table] if since is None or not part.ends_before(since)]
        for part, why in self.damaged_parts(table, parts).items():
            raise DamagedFile(f"{why}: ingest the market again, into a new folder", file=self.part_file(table, part))
        return tuple(self.part_file(table, part) for part in parts)

    @cached_property
    def priced(self) -> frozenset[str]:
        """The symbols of ``daily``."""
        contents = [part.content for part in self.manifest.tables["daily"]]
        return symbols_of(self.path, contents, lambda: self.part_files("daily"))

    def part_file(self, table: str, part: Part) -> Path:
        """Path of a part."""
        return self.path / _part_name(table, part.name)

    def damaged_parts(self, table: str, parts: Iterable[Part], *, always: bool = False) -> dict[Part, str]:
        """Parts whose file isn't what was written → what is wrong; `always` = compare also what was, since its change.

        Those written before there were checksums are compared by their rows.
        """
        files = {_part_name(table, part.name): part for part in parts}
        sums = {name: part.checksum for name, part in files.items() if part.checksum}
        rows = {name: part.content for name, part in files.items() if not part.checksum}
        wrong = damaged(self.path, sums, always=always) | damaged(self.path, rows, hash_of_rows, always=always)
        return {files[name]: why for name, why in wrong.items()}

    def read(self, table: str, columns: list[str] | None = None) -> pl.DataFrame:
        """A whole table, or some of its columns, in the order of storage."""
        return pl.concat([read_part(file, columns) for file in self.part_files(table)])

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of the columns that the table has (optional ones may be absent)."""
        return tuple(parquet_schema(self.part_files(table)[0]))


def read_part(file: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """One part of a table; a `DataError` where the file is gone or no parquet."""
    try:
        return read_parquet(file, columns)
    except UNREADABLE as error:
        raise DataError(f"can't be read ({error}): ingest the market again", file=file) from None


#: Raises where nothing can be made of a market whose parts are written, but which isn't there yet.
Prove = Callable[[MarketFolder], object]


def write_market(path: Path, tables: Mapping[str, pl.DataFrame], *, source: Account) -> MarketFolder:
    """Check `tables` and make them the content of the market folder `path`.

    Parameters
    ----------
    path : a market folder, an empty folder or none yet
    tables : mapping of table name to rows, columns as in `deepfactor.store.schema.TABLES`
    source : kept in the manifest; ``files`` (mapping of table to file name), where given, names the file in errors

    Returns
    -------
    the market, opened. Writing what is there already changes no byte.

    Raises
    ------
    DataError
        a finding of severity "error" (the market stays as it was), or a folder that holds something else.
    UserError
        another process is writing there.
    OutOfResources
        the disk is full; the market stays as it was.
    """
    return ingest(path, tables.items(), lambda: source)


def ingest(
    path: Path,
    tables: Iterable[tuple[str, pl.DataFrame]],
    describe: Callable[[], Account],
    progress: Callable[[str], None] | None = None,
) -> MarketFolder:
    """`write_market` for tables that are fetched one after the other.

    `describe` is called when all are fetched, since a source counts what it drops on the way. `progress` gets a line a
    step.
    """
    with writing(path):
        return ingest_locked(path, tables, describe, progress or (lambda _: None))


def ingest_locked(
    path: Path,
    tables: Iterable[tuple[str, pl.DataFrame]],
    describe: Callable[[], Account],
    tell: Callable[[str], None],
    prove: Prove | None = None,
) -> MarketFolder:
    """`ingest` for a caller that holds the folder's lock."""
    held: dict[str, pl.DataFrame] = {}
    for name, frame in tables:
        tell(f"{name}: {frame.height:,} rows")
        held[name] = frame
    source: Account = plain(describe())
    tell("checking")
    simulated = bool(source.get("simulated"))
    findings = check_tables(held, basis=Basis.of(source), last=last_day(source), simulated=simulated)
    raise_first_error(findings, source.get("files", {}))
    source = {**_derive_calendar(held, source), "appended": []}
    parts, priced = {}, held["daily"]["symbol"].unique().to_list()
    for name in [name for name in TABLES if name in held]:
        tell(f"writing {name}")
        parts[name] = tuple(write_parts(path, name, held.pop(name)))
    warnings = tuple(plain([finding.record() for finding in findings]))
    replace_manifest(path, Manifest(SCHEMA_VERSION, parts, source, warnings), prove)
    note_symbols(path, [part.content for part in parts["daily"]], priced)
    return MarketFolder.open(path)


def _derive_calendar(held: dict[str, pl.DataFrame], source: Account) -> Account:
    """Where the source has no calendar: the days on which anything was traded."""
    if "calendar" in held:
        return source
    held["calendar"] = held["daily"].select(pl.col("date").unique().sort())
    return {**source, "derived": [*source.get("derived", []), "calendar"]}


def raise_first_error(findings: list[Finding], files: Mapping[str, str]) -> None:
    """A `DataError` of the first error, with the count of the others; `files` names the file of a table."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    first = errors[0]
    file = f"{files[first.table]} (table {first.table})" if first.table in files else f"table {first.table}"
    more = f"; {first.count} rows in all" if first.count > len(first.examples[:_SHOWN]) else ""
    shown = f" ({'; '.join(first.examples[:_SHOWN])}{more})" if first.examples else ""
    others = f"; and {len(errors) - 1} more kinds of error: {_codes(errors[1:])}" if len(errors) > 1 else ""
    raise DataError(f"{first.message}{shown}{others}", file=file, row=first.row, column=first.column)


def _codes(findings: list[Finding]) -> str:
    return ", ".join(f"{finding.code} in {finding.table}.{finding.column}" for finding in findings)


def write_parts(path: Path, table: str, frame: pl.DataFrame) -> Iterable[Part]:
    """Write the parts of one table that aren't there yet, and name all."""
    clock = TABLES[table].parts_by
    if clock is None:
        yield _write_part(path, table, WHOLE, frame)
        return
    for label, rows in _months(frame, clock):
        yield _write_part(path, table, label, rows)


def _months(frame: pl.DataFrame, clock: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each month, by "2024-05", in order; cut without copying where rows come in order of their days, else
    picked month by month, so that all are never twice in memory."""
    days, order = frame[clock], None
    if not days.is_sorted():
        order = frame.select(pl.arg_sort_by(clock, maintain_order=True)).to_series()
        days = days.gather(order)
    start = 0
    for length, month in days.dt.truncate("1mo").rle().struct.unnest().iter_rows():
        yield f"{month:%Y-%m}", frame.slice(start, length) if order is None else frame[order.slice(start, length)]
        start += length


def _write_part(path: Path, table: str, label: str, frame: pl.DataFrame) -> Part:
    """Write one part if it isn't there yet, whole, and name it."""
    frame = stored(table, frame)
    content = content_hash(frame)
    part = Part(f"{label}-{content[:16]}", content, frame.height)
    target = path / _part_name(table, part.name)
    if not target.exists() or damaged(target.parent, {target.name: content}, hash_of_rows, keep=False):
        write_parquet(target, frame, compression="lz4", row_group_size=_ROW_GROUP)
    return replace(part, checksum=file_checksum(target))


def stored(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as stored: known columns in their order and type, sorted."""
    spec = TABLES[table]
    frame = frame.select(
        pl.col(name).cast(column.dtype) for name, column in spec.columns.items() if name in frame.columns
    )
    order = [name for name in spec.order if name in frame.columns]
    return (frame if strictly_ascending(frame, order) else frame.sort(order)).rechunk()


def replace_manifest(path: Path, manifest: Manifest, prove: Prove | None = None) -> None:
    """Make `manifest` the folder's, and clear parts that neither it nor the one before uses.

    Where `prove` raises the folder stays as it was.
    """
    before = _read_manifest(path) if (path / MANIFEST).exists() else None
    used = _files(manifest)
    if before is not None and _same(before, manifest):
        _clear(path, used | set(before.retired))
        return
    if prove is not None:
        try:
            prove(MarketFolder(path, manifest))
        except BaseException:
            clear_unused(path)
            raise
    retired = _files(before) - used if before is not None else set()
    final = Manifest(
        manifest.schema_version, manifest.tables, manifest.source, manifest.warnings, tuple(sorted(retired))
    )
    write_json(path / MANIFEST, sealed(plain(asdict(final))))
    _clear(path, used | retired)


def clear_unused(path: Path) -> None:
    """Remove parts that no manifest names, of a write that came to nothing."""
    if (path / MANIFEST).exists():
        held = _read_manifest(path)
        _clear(path, _files(held) | set(held.retired))


def _clear(path: Path, used: set[str]) -> None:
    """Remove parts that are not `used`, and what a killed writer left."""
    for file in [*(path / "tables").rglob("*"), *path.glob(f".{MANIFEST}.*.tmp")]:
        if file.is_file() and file.relative_to(path).as_posix() not in used:
            file.unlink()


def _same(a: Manifest, b: Manifest) -> bool:
    """Equal but for what is retired."""
    return (a.schema_version, a.tables, a.source, a.warnings) == (b.schema_version, b.tables, b.source, b.warnings)


def _files(manifest: Manifest) -> set[str]:
    return {_part_name(table, part.name) for table, parts in manifest.tables.items() for part in parts}


def _part_name(table: str, name: str) -> str:
    return f"tables/{table}/{name}.parquet"


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    if not file.exists():
        missing = "is a file" if path.is_file() else "does not exist"
        what = "has no manifest.json" if path.is_dir() else missing
        raise DataError(
            f"{path} is no market folder ({what}): make one with `deepfactor ingest` or `deepfactor simulate`"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        version = int(content["schema_version"])
        if version > SCHEMA_VERSION:
            raise DataError(f"was written by a newer deepfactor (schema {version}, known {SCHEMA_VERSION})", file=file)
        held = migrated(unsealed(content) if version >= SEALED else content)
        tables = {name: tuple(Part(**part) for part in parts) for name, parts in held["tables"].items()}
        return Manifest(SCHEMA_VERSION, tables, held["source"], tuple(held["warnings"]), tuple(held["retired"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise_of_machine(error)
        raise DataError(f"is no manifest of a market, or damaged ({error!r}): ingest again", file=file) from None


def plain(content: Any) -> Any:
    """`content` as JSON gives it back, so that what is written equals what is read."""
    return json.loads(json.dumps(content, allow_nan=False, default=str))
