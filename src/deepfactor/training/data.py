"""`TrainingData`: the arrays that training reads, and their files, opened memory-mapped by every worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Floats, Indices, Int32, Symbols
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import remove_litter
from deepfactor.core.leases import folder_lease
from deepfactor.core.system import raise_of_machine
from deepfactor.cross_section.ranks import position_rank
from deepfactor.features.base import Features
from deepfactor.training.arrays import damage_of, is_whole, map_arrays, save_arrays
from deepfactor.training.stored import StoredInputs, open_inputs


@dataclass(frozen=True)
class Arrays:
    """Where what an arm reads lies: a folder of `prepare_data` and, by name, those of its inputs."""

    folder: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)


#: The input that says how much stock-days count.
ROW_WEIGHTS = "row_weights"
#: Folders of training arrays: one for all arms, or an arm's by its name.
Folders = Path | Mapping[str, Path | Arrays]


@dataclass(frozen=True)
class TrainingData:
    """What a market says to training. Row t of all but `label` and `entry_ok` is known at the close of day t.

    Attributes
    ----------
    dates : (T,) datetime64[D]; symbols : (N,) str
    features : Features
        values (T, N, f) float32, logs; NaN = missing.
    label : (T, N) float64
        forward return, as the label's settings make it; NaN = none.
    eligible : (T, N) bool
        who may be scored.
    size : (T, N) float
        ln of the market value. A stock without one can't be put into a size group and leaves the day's batch.
    entry_ok : (T, N) bool
        the label's entry could be traded; other labels are dropped from training and validation.
    window : int
        L, days of a window.
    inputs : StoredInputs
        what only some networks read.

    Raises
    ------
    DataError
        an array whose shape is not that of dates × symbols.
    """

    dates: Dates
    symbols: Symbols
    features: Features
    label: Float64
    eligible: Bools
    size: Floats
    entry_ok: Bools
    window: int = 150
    inputs: StoredInputs = field(default_factory=StoredInputs)
    _size_ranks: dict[int, Int32] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = (len(self.dates), len(self.symbols))
        arrays = {name: getattr(self, name).shape for name in ("label", "eligible", "size", "entry_ok")}
        arrays["features"] = self.features.values.shape[:2]
        for name, given in arrays.items():
            if given != shape:
                raise DataError(f"training array {name} has shape {given}, the market (dates, symbols) {shape}")
        for name, days in self.inputs.days().items():
            if days != shape[0]:
                raise DataError(f"input {name} of the training arrays has {days} days, the market {shape[0]}")

    def stocks(self, t: int) -> Indices:
        """Columns of day t's batch: eligible, with a size and, where prices are read, a close that day."""
        usable = self.eligible[t] & np.isfinite(self.size[t])
        if "close" in self.features.names:
            usable = usable & np.isfinite(self.features.values[t, :, self.features.names.index("close")])
        return np.flatnonzero(usable)

    def size_rank(self, t: int) -> Int32:
        """Rank by size of each of day t's `stocks`, from 0; made once, as sequences read a day many times."""
        ranks = self._size_ranks.get(t)
        if ranks is None:
            ranks = self._size_ranks[t] = position_rank(self.size[t, self.stocks(t)]).astype(np.int32)
        return ranks

    def between(self, first: int, stop: int) -> TrainingData:
        """The rows first … stop − 1, as views."""
        rows = slice(first, stop)
        return replace(
            self,
            dates=self.dates[rows],
            features=replace(self.features, values=self.features.values[rows]),
            label=self.label[rows],
            eligible=self.eligible[rows],
            size=self.size[rows],
            entry_ok=self.entry_ok[rows],
            inputs=self.inputs.between(rows),
        )

    def labelled(self, t: int, stocks: Indices) -> Indices:
        """Positions in `stocks` of those whose label of day t may be trained on."""
        return np.flatnonzero(np.isfinite(self.label[t, stocks]) & self.entry_ok[t, stocks])

    def trained(self, t: int, stocks: Indices, *, weighed: bool = True) -> tuple[Indices, Float32 | None]:
        """Positions in `stocks` of those that day t trains on, and how much each counts, of mean 1; None = all alike.

        Where `weighed` and the data hold `row_weights`, those of weight 0 are left out.
        """
        labelled = self.labelled(t, stocks)
        held = self.inputs.held.get(ROW_WEIGHTS) if weighed else None
        if held is None:
            return labelled, None
        own = np.asarray(held.day(t, stocks, self.size[t, stocks])[ROW_WEIGHTS], np.float32)[labelled]
        chosen = own > 0
        kept = own[chosen]
        alike = not len(kept) or kept.min() == kept.max()
        return labelled[chosen], None if alike else kept / kept.mean(dtype=np.float64).astype(np.float32)

    def left_out(self, rows: Iterable[int], min_stocks: int) -> dict[str, int]:
        """What of `rows` isn't trained on: stock-days by reason, and days with fewer than `min_stocks` labels."""
        count = {"no_size_or_close": 0, "no_label": 0, "entry_not_tradeable": 0, "days_below_min_stocks": 0}
        for t in rows:
            stocks = self.stocks(t)
            has = np.isfinite(self.label[t, stocks])
            count["no_size_or_close"] += int(self.eligible[t].sum()) - len(stocks)
            count["no_label"] += int((~has).sum())
            count["entry_not_tradeable"] += int((has & ~self.entry_ok[t, stocks]).sum())
            count["days_below_min_stocks"] += len(self.labelled(t, stocks)) < min_stocks
        return count

    def fingerprint(self, read: range, labelled: tuple[range, ...]) -> str:
        """Hash of the content that a fold reads: inputs of the rows `read`, labels of the rows `labelled`.

        Stocks never eligible in `read` don't count, so a later listing leaves the hash of earlier folds alone.
        """
        columns = np.flatnonzero(np.asarray(self.eligible[read.start : read.stop]).any(axis=0))
        digest = hashlib.sha256()
        head = [self.features.names, self.features.roles, self.window, [str(s) for s in self.symbols[columns]]]
        digest.update(json.dumps(head).encode())
        for t in read:
            digest.update(str(self.dates[t]).encode())
            for array in (self.features.values, self.eligible, self.size):
                digest.update(np.ascontiguousarray(array[t][columns]).tobytes())
        for span in labelled:
            for t in span:
                digest.update(np.ascontiguousarray(self.label[t][columns]).tobytes())
                digest.update(np.ascontiguousarray(self.entry_ok[t][columns]).tobytes())
        return digest.hexdigest()[:16]

    def day_print(self, t: int) -> str:
        """Hash of what day t holds for those who read it, of the stocks of which there is something: no label.

        A later listing leaves it alone.
        """
        known = self.features.known(t).any(axis=1) | self.eligible[t] | np.isfinite(self.size[t])
        columns = np.flatnonzero(known)
        digest = hashlib.sha256("\0".join(self.symbols[columns].tolist()).encode())
        for array in (self.features.values, self.eligible, self.size):
            digest.update(np.ascontiguousarray(array[t][columns]).tobytes())
        digest.update(json.dumps(self.inputs.fingerprints(range(t, t + 1), columns, self.symbols)).encode())
        return digest.hexdigest()[:16]

    def input_fingerprints(self, days: range) -> dict[str, str]:
        """Name of each input's folder -> hash of what a fold of `days` reads of it: on the days themselves."""
        columns = np.flatnonzero(np.asarray(self.eligible[days.start : days.stop]).any(axis=0))
        return self.inputs.fingerprints(days, columns, self.symbols)


_COMPLETE = "inputs.json"  # comes last
#: Names on disk; `batch` is `eligible`, from when folders of training arrays were first written.
_ARRAYS = {"dates": "dates", "symbols": "symbols", "label": "label", "batch": "eligible", "size": "size",
           "entry_ok": "entry_ok"}  # fmt: skip


def features_kept(jobs: Path, key: str) -> tuple[Features, Path] | None:
    """Features of the content `key` that some folder of `prepare_data` under `jobs` holds, memory-mapped, and their
    file; None where none does, or not as it was written."""
    for folder in sorted(jobs.glob("inputs-*")):
        try:
            content = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
            if content.get("features") == key and damage_of(folder) is None:
                values = map_arrays(folder, ["features"])["features"]
                return Features(tuple(content["names"]), tuple(content["roles"]), values), folder / "features.npy"
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError):
            continue
    return None


def prepare_data(
    jobs: Path,
    key: str,
    build: Callable[[], TrainingData],
    tell: Callable[[str], None] = lambda _: None,
    *,
    features: str = "",
    same: Path | None = None,
) -> Path:
    """The folder ``jobs/inputs-<key>`` of the training arrays; made by `build` unless it is complete and whole.

    `features` names the content of the features alone, for `features_kept`; `same` is the file that they were read
    from.

    `key` names the content: the caller hashes the market's fingerprint and the settings of inputs, label and universe.
    `tell` is told that what is damaged is made again.

    Raises
    ------
    UserError
        another process is writing it.
    OutOfResources
        the disk is full.
    """
    folder = jobs / f"inputs-{key}"
    if not is_whole(folder, _COMPLETE, open_data, tell):
        with folder_lease(folder):
            _write(folder, build(), features, same)
    return folder


def _write(folder: Path, data: TrainingData, features: str, same: Path | None) -> None:
    remove_litter(folder)
    arrays = {name: getattr(data, held) for name, held in _ARRAYS.items()} | {"features": data.features.values}
    content = {"names": data.features.names, "roles": data.features.roles, "window": data.window}
    own = {"features": features} if features else {}
    save_arrays(folder, arrays, _COMPLETE, {**content, **own}, {} if same is None else {"features": same})


def open_data(arrays: Path | Arrays) -> TrainingData:
    """The arrays of `prepare_data` with the inputs that are named, memory-mapped read-only.

    Raises
    ------
    DataError
        the folder is not what `prepare_data` wrote.
    """
    arrays = arrays if isinstance(arrays, Arrays) else Arrays(arrays)
    folder = arrays.folder
    if (damage := damage_of(folder)) is not None:
        raise DamagedFile(f"damaged training arrays ({damage}): repeat the command, it makes them again", file=folder)
    try:
        content = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
        held = map_arrays(folder, ("features", *_ARRAYS))
        features = Features(tuple(content["names"]), tuple(content["roles"]), held.pop("features"))
        window = int(content["window"])
    except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
        raise_of_machine(error)
        raise DataError(f"unreadable training arrays ({error}): delete the folder and repeat", file=folder) from error
    return TrainingData(
        features=features,
        window=window,
        inputs=open_inputs(arrays.inputs),
        **{_ARRAYS[name]: array for name, array in held.items()},
    )
