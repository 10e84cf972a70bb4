"""Tables between deepfactor and what people hold: polars inside, pandas where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from deepfactor.core.choices import choices
from deepfactor.core.errors import UserError
from deepfactor.core.optional import optional_package

if TYPE_CHECKING:
    import pandas as pd

    from deepfactor.pipeline.markets import Market


@dataclass(frozen=True)
class Frame:
    """A table; `index` is the column that names its rows, where one does.

    Examples
    --------
    >>> import polars as pl
    >>> Frame(pl.DataFrame({"universe": ["all"], "rank_ic": [0.1]})).to_polars().height
    1
    """

    rows: pl.DataFrame
    index: str | None = None

    @classmethod
    def of_panel(cls, market: Market, field: str, *, adjusted: bool = False) -> Frame:
        """A field of a market's panel, wide: ``date``, then a column a stock; NaN = none.

        `adjusted`: prices times the adjustment factor, whose changes are total returns.

        Examples
        --------
        >>> Frame.of_panel(market, "close", adjusted=True).to_pandas().index.name
        'date'
        """
        panel = market.panel
        if field not in panel.fields:
            raise UserError(f"no field {field!r}: {choices(field, list(panel.fields))}")
        values = np.asarray(panel[field], dtype=np.float64)
        if adjusted:
            values = values * panel["adj_factor"]
        columns = {symbol: values[:, n] for n, symbol in enumerate(panel.symbols.tolist())}
        return cls(pl.DataFrame({"date": panel.dates.astype("datetime64[D]"), **columns}), index="date")

    def to_polars(self) -> pl.DataFrame:
        """As a polars frame."""
        return self.rows

    def to_pandas(self) -> pd.DataFrame:
        """As a pandas frame, dates as ``datetime64``, `index` as its index; a `UserError` without pandas."""
        absent = UserError('a pandas frame wants pandas: pip install pandas, or "deepfactor[pandas]"')
        pandas = optional_package("pandas", absent)
        made: pd.DataFrame = pandas.DataFrame({name: self.rows[name].to_numpy() for name in self.rows.columns})
        return made if self.index is None else made.set_index(self.index)

    def __len__(self) -> int:
        return self.rows.height

    def __repr__(self) -> str:
        return repr(self.rows)

    def _repr_html_(self) -> str:
        return self.rows._repr_html_()


@contextmanager
def as_file(table: Any, name: str) -> Iterator[Path]:
    """A pandas, polars or `Frame` table as a factor file that lives as long as the block; `name` is what messages say.

    An index of pandas becomes columns, as `deepfactor test` reads them of a file.

    Raises
    ------
    UserError
        it is no table.
    """
    rows = _rows(table)
    with TemporaryDirectory(prefix="deepfactor-") as folder:
        place = Path(folder) / f"{name}.parquet"
        rows.write_parquet(place)
        yield place


def _rows(table: Any) -> pl.DataFrame:
    if isinstance(table, Frame):
        return table.rows
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if type(table).__module__.partition(".")[0] != "pandas":
        raise UserError(f"{type(table).__name__} is no table: give a path, or a pandas or polars frame")
    frame = table.to_frame(table.name or "score") if type(table).__name__ == "Series" else table
    own = [name is None for name in frame.index.names]
    plain = frame.index.nlevels == 1 and own[0] and type(frame.index).__name__ == "RangeIndex"
    frame = frame if plain else frame.rename_axis(index=_named(frame.index)).reset_index()
    return pl.DataFrame([_series(str(name), frame.iloc[:, at]) for at, name in enumerate(frame.columns)])


def _named(index: Any) -> list[str]:
    """Names of the levels of a pandas index; those without one are date and symbol, by what they hold."""
    kinds = [getattr(index.get_level_values(level), "dtype", None) for level in range(index.nlevels)]
    given = ["date" if str(kind).startswith(("datetime", "period")) else "symbol" for kind in kinds]
    if index.nlevels == 1:
        given = ["date"]
    return [name if name is not None else other for name, other in zip(index.names, given, strict=True)]


def _series(name: str, column: Any) -> pl.Series:
    """A pandas column as polars has it, without pyarrow."""
    kind = str(column.dtype)
    if kind.startswith("period"):
        column = column.dt.to_timestamp(how="end").dt.normalize()
    if kind.startswith("datetime64") and "," in kind:  # with a zone: the day in Shanghai
        column = column.dt.tz_convert("Asia/Shanghai").dt.tz_localize(None)
    if kind in ("category", "object", "string", "str"):
        values = [None if value is None or value != value else value for value in column.tolist()]
        return pl.Series(name, values, strict=False)
    if kind[:1].isupper():  # nullable numbers
        column = column.astype("float64")
    values = column.to_numpy()
    return pl.Series(name, values.astype("datetime64[us]") if values.dtype.kind == "M" else values)
