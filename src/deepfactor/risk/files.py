"""A risk model on disk: written day by day behind what is there, and what the next day needs of it.

::

    MARKET/risk/<key of settings and styles>/
        risk.json           what it was made of and how far, with checksums; comes last
        dates.npy           (T,)
        returns.npy         (T, k) of factors
        covariance.npy      (T, k, k)
        days.npy            (T, 3) share explained, λ of factors, λ of stocks
        ends.npy            (T,) where a day's stocks end in the next two
        stock.npy           (M,) places in the symbols of risk.json
        specific.npy        (M,) specific standard deviations
        state-<T>.npz       what the next day's forecast is computed from

Arrays may hold more rows than ``risk.json`` says: those of a write that was killed, which the next one overwrites.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from deepfactor.core.arrays import AnyArray, Indices
from deepfactor.core.checksums import damaged, file_checksum, sealed, unsealed
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import atomic_path, write_json
from deepfactor.core.system import raise_of_machine
from deepfactor.panel.build.files import append, checksum_of, file_checksum_of, mapped, save
from deepfactor.risk.covariance import FactorState, Regime
from deepfactor.risk.decayed import Moments
from deepfactor.risk.estimation import RiskDay, State
from deepfactor.risk.specific import SpecificState

NAME = "risk.json"
ARRAYS = ("dates", "returns", "covariance", "days", "ends", "stock", "specific")


class RiskFile(TypedDict):
    """``risk.json``. `chain`: checksum of the returns, values and industries of all its days."""

    factors: list[str]
    symbols: list[str]
    rows: int
    stocks: int
    market: str
    chain: str
    checksums: dict[str, str]


@dataclass
class Written:
    """A model's files as far as they are whole: what ``risk.json`` says, `known` symbol → its place there."""

    folder: Path
    content: RiskFile

    @classmethod
    def start(cls, folder: Path, factors: Sequence[str]) -> Written:
        """A model of no day yet; nothing is written."""
        content: RiskFile = {
            "factors": list(factors),
            "symbols": [],
            "rows": 0,
            "stocks": 0,
            "market": "",
            "chain": "00000000",
            "checksums": {},
        }
        return cls(folder, content)

    @classmethod
    def read(cls, folder: Path) -> Written | None:
        """The model in `folder`, compared with its checksums; None without one.

        Raises
        ------
        DamagedFile
            it isn't what was written.
        """
        try:
            content: RiskFile = unsealed(json.loads((folder / NAME).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise
        except (OSError, ValueError) as error:
            raise_of_machine(error)
            raise DamagedFile(f"is damaged ({error})", file=folder / NAME) from None
        written = cls(folder, content)
        if wrong := damaged(folder, content["checksums"], written._measure):
            name, why = next(iter(sorted(wrong.items())))
            raise DamagedFile(str(why), file=folder / name)
        return written

    def _measure(self, path: Path) -> str:
        lengths = {"stock": self.content["stocks"], "specific": self.content["stocks"]}
        if path.suffix == ".npz":
            return file_checksum(path)
        return file_checksum_of(path, lengths.get(path.stem, self.content["rows"]))

    @property
    def rows(self) -> int:
        """Days that are there."""
        return self.content["rows"]

    def array(self, name: str) -> AnyArray:
        """One of `ARRAYS`, memory-mapped."""
        file = self.folder / f"{name}.npy"
        length = self.content["stocks"] if name in ("stock", "specific") else self.rows
        return mapped(file, (length, *np.load(file, mmap_mode="r").shape[1:]))

    def add(
        self, dates: AnyArray, made: Sequence[RiskDay], state: State, market: str, chain: str, place: Place
    ) -> None:
        """Put days behind those that are there. Killed in between, the model is as it was before."""
        before = self.content
        columns = [place.of(day.columns) for day in made]
        ends = before["stocks"] + np.cumsum([len(one) for one in columns], dtype=np.int64)
        arrays = {
            "dates": dates,
            "returns": np.stack([day.returns for day in made]),
            "covariance": np.stack([day.covariance for day in made]),
            "days": np.array([[day.explained, *day.regimes] for day in made]),
            "ends": ends,
            "stock": np.concatenate(columns).astype(np.int32),
            "specific": np.concatenate([day.specific for day in made]).astype(np.float32),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        checksums = {f"{name}.npy": self._grow(name, rows) for name, rows in arrays.items()}
        kept = f"state-{state.rows}.npz"
        _save_state(self.folder / kept, state, place.columns)
        checksums[kept] = file_checksum(self.folder / kept)
        self.content = {
            "factors": before["factors"],
            "symbols": place.symbols,
            "rows": state.rows,
            "stocks": int(ends[-1]),
            "market": market,
            "chain": chain,
            "checksums": checksums,
        }
        write_json(self.folder / NAME, sealed(self.content))
        for old in self.folder.glob("state-*.npz"):
            if old.name != kept:
                old.unlink()

    def same(self, market: str) -> None:
        """Note that the days there are those of `market` too."""
        self.content = {**self.content, "market": market}
        write_json(self.folder / NAME, sealed(self.content))

    def _grow(self, name: str, rows: AnyArray) -> str:
        file, before = self.folder / f"{name}.npy", self.content["checksums"].get(f"{name}.npy")
        if before is None:
            return save(file, rows)
        append(file, self.content["stocks"] if name in ("stock", "specific") else self.rows, rows)
        return checksum_of(rows, before)

    def state(self, columns: Indices, width: int) -> State:
        """What the next day needs, for a market of `width` stocks; `columns` of the symbols there."""
        return _read_state(self.folder / f"state-{self.rows}.npz", columns, width)


@dataclass
class Place:
    """Where each stock of a market stands among the symbols of a model, in the order in which they turn up."""

    market: Sequence[str]
    symbols: list[str]
    _of_column: AnyArray

    @classmethod
    def among(cls, market: Sequence[str], symbols: Sequence[str]) -> Place | None:
        """Of the market's symbols, ascending; None where one of the model's is no more."""
        at = {symbol: i for i, symbol in enumerate(market)}
        if any(symbol not in at for symbol in symbols):
            return None
        of_column = np.full(len(market), -1, np.int32)
        of_column[[at[symbol] for symbol in symbols]] = np.arange(len(symbols))
        return cls(market, list(symbols), of_column)

    def of(self, columns: Indices) -> AnyArray:
        """Places of some columns; new ones get the next."""
        for column in columns[self._of_column[columns] < 0].tolist():
            self._of_column[column] = len(self.symbols)
            self.symbols.append(str(self.market[column]))
        return np.asarray(self._of_column[columns])

    @property
    def columns(self) -> Indices:
        """Column of each of the symbols."""
        there = np.flatnonzero(self._of_column >= 0)
        return there[np.argsort(self._of_column[there])]


def _save_state(path: Path, state: State, columns: Indices) -> None:
    factors, specific = state.factors, state.specific
    arrays: Mapping[str, Any] = {
        "rows": np.array(state.rows),
        "volatility_weight": factors.volatility.weight,
        "volatility_sums": factors.volatility.sums,
        "correlation_weight": factors.correlation.weight,
        "correlation_sums": factors.correlation.sums,
        "recent": factors.recent,
        "days": factors.days,
        "regimes": np.array([[one.sum, one.weight] for one in (factors.regime, specific.regime)]),
        "specific_weight": specific.moments.weight[columns],
        "specific_sums": specific.moments.sums[:, columns],
        "specific_recent": specific.recent[:, columns],
        "specific_days": specific.days[columns],
    }
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **arrays)
        handle.flush()
        os.fsync(handle.fileno())


def _read_state(path: Path, columns: Indices, width: int) -> State:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error})", file=path) from None

    def spread(name: str, fill: float) -> AnyArray:
        values = kept[name]
        out = np.full((*values.shape[:-1], width), fill, values.dtype)
        out[..., columns] = values
        return out

    (factor_sum, factor_weight), (stock_sum, stock_weight) = kept["regimes"].tolist()
    factors = FactorState(
        Moments(kept["volatility_weight"], kept["volatility_sums"]),
        Moments(kept["correlation_weight"], kept["correlation_sums"]),
        kept["recent"],
        kept["days"],
        Regime(factor_sum, factor_weight),
    )
    specific = SpecificState(
        Moments(spread("specific_weight", 0.0), spread("specific_sums", 0.0)),
        spread("specific_recent", np.nan),
        spread("specific_days", 0),
        Regime(stock_sum, stock_weight),
    )
    return State(int(kept["rows"]), factors, specific)
