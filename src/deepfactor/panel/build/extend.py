"""Days appended to the tables → rows appended to the arrays of an earlier panel, byte for byte as if built whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import AnyArray
from deepfactor.core.checksums import read_checksums
from deepfactor.core.errors import DamagedFile
from deepfactor.panel.build.arrays import BY_INDEX, EVENTS, Build, PanelFile, make
from deepfactor.panel.build.damage import damage_of, read_content, write_content
from deepfactor.panel.build.files import append, checksum_of, mapped, save, save_widened, take_over
from deepfactor.panel.build.fundamentals import STRANGERS, figures_from
from deepfactor.panel.build.history import History
from deepfactor.panel.build.known import has_past, known_tables
from deepfactor.panel.build.past import write_past
from deepfactor.panel.build.universe import build_industries
from deepfactor.panel.fundamentals import Events
from deepfactor.store.folder import MarketFolder, read_part

#: What a symbol's column holds on the days before its first row, where it isn't NaN.
_NOTHING = {"listed": False, "traded": False, "st": False, "limit_up": 0, "limit_down": 0, "members": False}


class DamagedBase(DamagedFile):
    """An earlier panel isn't what was built, which shows where its arrays are read whole."""


@dataclass(frozen=True)
class Base:
    """A panel to go on from: its folder, its ``panel.json``, its checksums, and whether there is one of more rows."""

    path: Path
    content: PanelFile
    checksums: Mapping[str, str]
    outgrown: bool

    def history(self, folder: MarketFolder) -> History:
        """Its rows, and its published figures where those of `folder` are the same."""
        T, N = self.content["shape"]
        return History(
            dates=np.load(self.path / "dates.npy"),
            symbols=np.load(self.path / "symbols.npy"),
            first_row=np.load(self.path / "first_row.npy"),
            fields={name: mapped(self.path / "fields" / f"{name}.npy", (T, N)) for name in self.content["fields"]},
            traded=mapped(self.path / "universe" / "traded.npy", (T, N)),
            st=mapped(self.path / "universe" / "st.npy", (T, N)),
            members={
                index: mapped(self.path / "members" / f"{index}.npy", (T, N)) for index in self.content["members"]
            },
            events=self._events() if self.content.get("figures_from") == figures_from(folder) else None,
        )

    def _events(self) -> dict[str, Events] | None:
        if STRANGERS in self.content["counts"]:  # one of them may have prices now
            return None
        folder = self.path / "fundamentals"
        return {
            item: Events(*(np.load(folder / item / f"{name}.npy") for name in EVENTS))
            for item in self.content["fundamentals"]
        }


def find_base(folder: MarketFolder, panels: Path, version: int) -> Base | None:
    """The longest panel in `panels` that says of its days what `folder` says; None where there is none."""
    bases = []
    for path in panels.iterdir():
        try:
            content = read_content(path)
            if not path.name.startswith(".") and content["build"] == version and "made_from" in content:
                bases.append((content["shape"][0], path, content))
        except (OSError, ValueError, LookupError, TypeError):
            continue  # a damaged panel, or one under construction
    bases.sort(key=lambda one: (-one[0], one[1].name))
    for length, path, content in bases:
        if damage_of(path) is None:
            base = Base(path, content, read_checksums(path) or {}, outgrown=length < bases[0][0])
            if _goes_on(folder, base):
                return base
    return None


def _goes_on(folder: MarketFolder, base: Base) -> bool:
    """Whether the tables of `folder` up to the base's last day are those that the base was made from."""
    try:
        dates, symbols = np.load(base.path / "dates.npy"), np.load(base.path / "symbols.npy")
    except (OSError, ValueError):
        return False
    newest, before = read_part(folder.part_files("daily")[-1], ["date"])["date"].max(), base.content["made_from"]
    last = dates[-1].item()
    return bool(newest > last) and before == known_tables(folder, symbols, last, before)


def extend(folder: MarketFolder, base: Base, to: Path, version: int) -> dict[str, str]:
    """Write into the folder `to` the panel of `folder`: the base's rows and those of the days since; all checksums.

    Where the symbols are the same, files are shared with the base and grow; where one is new, they are written anew,
    as published figures are always: they are few.
    What a new day can't be appended to (a new index, industry or field, a new symbol with a past) is built whole.

    Raises
    ------
    DamagedBase
        nothing can be made of `base`.
    """
    with _only_one(base.path):
        history = base.history(folder)
        build = make(folder, history)
        new = np.setdiff1d(build.fields.symbols, history.symbols).tolist()
        tail = {} if has_past(folder, new, history.dates[-1].item()) else dict(build.arrays())
        content = build.content(folder, version, base.content["made_from"])
        if not tail or not _same_kind(base.content, content):
            del build, history, tail
            return write_whole(folder, to, version)
        checksums = {name: save(to / name, array) for name, array in build.anew()}
        for name, rows in tail.items():
            checksums[name] = _grow(folder, build, history, base, name, rows, to)
        write_past(to, base.path, len(history.dates))
        return write_content(to, _joined(base.content, content), checksums)


def write_whole(folder: MarketFolder, to: Path, version: int) -> dict[str, str]:
    """Write into the folder `to` the panel of `folder`, from its tables alone; all checksums."""
    build = make(folder)
    checksums = {name: save(to / name, array) for name, array in chain(build.anew(), build.arrays())}
    return write_content(to, build.content(folder, version), checksums)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Wait until no other process grows the files of `folder`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _same_kind(before: PanelFile, now: PanelFile) -> bool:
    held = all(before[kind] == now[kind] for kind in BY_INDEX)
    return held and before["fields"] == now["fields"] and before["industries"] == now["industries"]


def _grow(folder: MarketFolder, build: Build, history: History, base: Base, name: str, rows: AnyArray, to: Path) -> str:
    """One array: what the base has, then `rows`; its checksum."""
    length = len(history.dates)
    symbols = build.fields.symbols
    if rows.ndim == 1 or len(symbols) == len(history.symbols):
        take_over(base.path / name, to / name, share=not base.outgrown)
        append(to / name, length, rows)
        return checksum_of(rows, base.checksums[name])
    kind = Path(name).stem if name.startswith("universe/") else name.split("/")[0]
    if kind == "industry":
        past, _ = build_industries(folder, symbols, build.fields.dates[:length], 0)
        return save(to / name, np.concatenate([past, rows]))
    past = mapped(base.path / name, (length, len(history.symbols)))
    fill = 0.0 if kind == "benchmark" else _NOTHING.get(kind, np.nan)
    read, written = save_widened(to / name, past, history.columns(symbols), fill, rows)
    if read != base.checksums[name]:
        raise DamagedBase("does not hold what was built", file=base.path / name)
    return written


def _joined(before: PanelFile, now: PanelFile) -> PanelFile:
    """``panel.json`` of the whole: counts of rows add up, facts of tables are as they are now."""
    counts = {why: before["counts"].get(why, 0) for why in before["counts"] if why not in before["facts"]}
    for why, n in now["counts"].items():
        counts[why] = n if why in now["facts"] else counts.get(why, 0) + n
    derived = sorted({*before["derived"], *now["derived"]})
    return {**now, "derived": derived, "counts": dict(sorted(counts.items()))}
