"""A factor file opened: what its columns are called, and their values by position."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence, Text
from deepfactor.runs.written import require_written
from deepfactor.store.parquet import UNREADABLE, parquet_schema, scan_parquet
from deepfactor.store.text_files import NoTable, form_of, form_to_read, open_text
from deepfactor.store.values import MISSING

#: How pandas names a column that has no name: an index as parquet, as CSV, and after `reset_index`.
_NAMELESS = re.compile(r"|__index_level_\d+__|Unnamed: \d+|level_\d+|index", re.ASCII)
#: A name of a column with several levels, as pandas writes it.
_LEVELS = re.compile(r"\(.*,.*\)", re.DOTALL)
_ARROW: Mapping[str, Literal["arrow", "stream"]] = {
    "an Arrow file (.feather, .arrow)": "arrow",
    "an Arrow stream": "stream",
}
#: Files that pandas alone can read, and how.
_OF_PANDAS = {"a pickle": "read_pickle", "an HDF5 file (.h5)": "read_hdf"}
_READ_AS = Sentence("read as {how}", "读取方式：{how}")
_MARKS = {"\t": Text("tabs", "制表符"), ";": Text("semicolons", "分号"), "|": Text("bars", "竖线")}
_SEPARATED = Text("separated by {mark}", "以{mark}分隔")


@dataclass(frozen=True)
class OpenedFile:
    """A file whose form and columns are known.

    Attributes
    ----------
    form, source, separator : how it is read
    head : names of the columns as polars has them
    names : as they are understood: without blanks around, of several levels the last that says something
    index : columns that are an index of pandas' or have no name, never scores
    notes : what is to be said of its form
    """

    path: Path
    form: Literal["parquet", "arrow", "stream", "text"]
    source: Path | bytes
    separator: str
    head: tuple[str, ...]
    names: tuple[str, ...]
    index: frozenset[int]
    notes: tuple[Text, ...] = ()

    def read(self, positions: Sequence[int], rows: int | None = None) -> pl.DataFrame:
        """Columns by position, called "0", "1", … in the order asked for; text that says "missing" is null.

        Parameters
        ----------
        rows : as many from the first on, None = all

        Raises
        ------
        DataError
            the file is damaged.
        """
        try:
            frame = self._read(positions, rows)
        except UNREADABLE as error:
            raise _damaged(self.path, error) from None
        frame.columns = [str(at) for at in range(len(positions))]
        return frame.with_columns(without_missing(one) for one in frame if one.dtype == pl.String)

    def _read(self, positions: Sequence[int], rows: int | None) -> pl.DataFrame:
        if self.form == "text":
            source = self.source if isinstance(self.source, Path) else BytesIO(self.source)
            return pl.read_csv(
                source, separator=self.separator, infer_schema=False, glob=False, columns=list(positions), n_rows=rows
            )
        wanted = [self.head[at] for at in positions]
        if self.form == "parquet":
            lazy = scan_parquet(self.path).select(wanted)
            return (lazy if rows is None else lazy.head(rows)).collect()
        with self.path.open("rb") as handle:
            read = pl.read_ipc if self.form == "arrow" else pl.read_ipc_stream
            return read(handle, columns=wanted, n_rows=rows).select(wanted)


def without_missing(series: pl.Series) -> pl.Series:
    """Text that says "missing" as null."""
    missing = series.is_in(list(MISSING))
    return series.set(missing, None) if missing.any() else series


def open_factor_file(path: Path) -> OpenedFile:
    """What a factor file holds, by its content: parquet, Arrow (feather), or text.

    Raises
    ------
    DataError
        no such file, or one of another form, or a damaged one.
    """
    require_written(path)
    if not path.is_file():
        raise DataError("no such factor file", file=path)
    try:
        return _opened(path)
    except NoTable as error:
        raise DataError(f"can't be read: {error}", file=path, row=error.row) from None
    except UNREADABLE as error:
        raise _damaged(path, error) from None


def _opened(path: Path) -> OpenedFile:
    form = form_of(path)
    if form in _OF_PANDAS:
        asked = f'pd.DataFrame(pd.{_OF_PANDAS[form]}("{path.name}")).to_csv("{path.stem}.csv")'
        why = ", which runs code as it is read" if form == "a pickle" else ""
        raise NoTable(f"is {form}{why}, so it isn't opened. Write it anew in pandas: {asked}")
    if (arrow := _ARROW.get(form)) is not None:
        with path.open("rb") as handle:
            schema = pl.read_ipc_schema(handle) if arrow == "arrow" else pl.read_ipc_stream(handle, n_rows=0).schema
        return _of(path, arrow, path, "", tuple(schema), frozenset(), ())
    if form_to_read(path, more=("arrow",)) == "parquet":
        head = tuple(parquet_schema(path).names())
        return _of(path, "parquet", path, "", head, _index_of_pandas(path, head), ())
    table = open_text(path)
    return _of(
        path, "text", table.source, table.separator, table.head, frozenset(), _how(table.encoding, table.separator)
    )


def _of(
    path: Path,
    form: Literal["parquet", "arrow", "stream", "text"],
    source: Path | bytes,
    separator: str,
    head: tuple[str, ...],
    index: frozenset[int],
    notes: tuple[Text, ...],
) -> OpenedFile:
    nameless = frozenset(at for at, name in enumerate(head) if _NAMELESS.fullmatch(name.strip()))
    return OpenedFile(path, form, source, separator, head, tuple(map(_plain, head)), index | nameless, notes)


def _plain(name: str) -> str:
    """A column's name; of ``('feature', 'KMID')`` the last level that says something."""
    name = name.strip()
    if _LEVELS.fullmatch(name) is None:
        return name
    try:
        levels = ast.literal_eval(name)
    except (ValueError, SyntaxError):
        return name
    said = [str(level).strip() for level in levels if str(level).strip()] if isinstance(levels, tuple) else []
    return said[-1] if said else name


def _index_of_pandas(path: Path, head: Sequence[str]) -> frozenset[int]:
    """The columns that were an index of pandas', as it notes in a parquet file."""
    try:
        with path.open("rb") as handle:
            noted = json.loads(pl.read_parquet_metadata(handle).get("pandas", "{}")).get("index_columns", ())
    except (ValueError, AttributeError):
        return frozenset()
    return frozenset(at for at, name in enumerate(head) if name in [one for one in noted if isinstance(one, str)])


def _how(encoding: str, separator: str) -> tuple[Text, ...]:
    said: list[Text] = [Text(encoding)] if encoding != "UTF-8" else []
    said += [_SEPARATED.filled(mark=_MARKS[separator])] if separator in _MARKS else []
    how = Text(", ".join(said), "，".join(one.zh for one in said))
    return (_READ_AS.filled(how=how),) if said else ()


def _damaged(path: Path, error: BaseException) -> DataError:
    return DataError(f"can't be read, is it damaged? {str(error).splitlines()[0]}", file=path)
