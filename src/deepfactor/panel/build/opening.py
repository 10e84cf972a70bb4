"""The one crossing from tables to arrays: a market's compiled panel, made once a content and opened memory-mapped.

::

    MARKET/panel/<fingerprint>/
        panel.json                  shape, names, what was derived, counts of what found no place
        checksums.json              of each file's values, compared once a modification when the panel is opened
        past.json                   earlier panels that it went on from, see `deepfactor.panel.build.past`
        fields/<field>.npy          (T, N), see `deepfactor.panel.panel.FIELDS`
        universe/*.npy              listed, traded, st, limits, industry
        members/<index>.npy         (T, N) bool
        benchmark/<index>.npy       (T, N) float32
        index_weighting/<index>.npy (T,) records, how the weights were made, see `deepfactor.panel.weighting.Weighting`
        fundamentals/<item>/*.npy   (E,) published figures, see `deepfactor.panel.fundamentals.Events`
        index_close/, index_total_return/  <index>.npy (T,) float64

Days that were appended to the tables are appended to the arrays of the newest panel, whose files the new one shares
(hard links): a file may hold more rows than a panel that was opened before, which reads its own T.

The law: row t is a function of the tables' rows up to day t (the calendar excepted, which is published ahead). Delist
dates and ends of intervals are read only from their day on.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.checksums import note_whole
from deepfactor.core.errors import DataError, OutOfResources
from deepfactor.core.files import sync_folder
from deepfactor.core.spec import content_key
from deepfactor.core.system import raise_of_machine
from deepfactor.core.words import Sentence
from deepfactor.panel.build.arrays import BY_INDEX, EVENTS, UNIVERSE, PanelFile
from deepfactor.panel.build.damage import damage_of, read_content
from deepfactor.panel.build.extend import DamagedBase, extend, find_base, write_whole
from deepfactor.panel.build.files import mapped
from deepfactor.panel.build.past import read_past
from deepfactor.panel.fundamentals import Events, Fundamentals
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.panel.weighting import Weighting
from deepfactor.store.folder import MarketFolder
from deepfactor.store.holdout import log_opening, read_holdout
from deepfactor.store.renaming import newest_codes

#: Bumped when the same tables give other arrays, so that compiled panels are made again.
BUILD = 6
_MADE_AGAIN = Sentence(
    "the compiled panel {folder} is damaged ({damage}): made again from the tables",
    "编译面板{folder}已损坏（{damage}），已由数据表重新生成",
)


def open_panel(
    market: Path,
    tell: Callable[[str], None] | None = None,
    *,
    always: bool = False,
    live: bool = False,
    opening: str | None = None,
) -> tuple[Panel, Universe]:
    """The panel and universe of the market folder `market`, read-only and memory-mapped; built first where absent.

    One whose files don't hold what was built is built again, which `tell` is told. They are compared once a
    modification, or `always`.

    A market with a locked holdout (`deepfactor.store.holdout`) ends on the day before it, unless `live`: for an
    evening's decisions, which read no outcome; or `opening`: for what it is opened, which is logged for ever.

    Raises
    ------
    DataError
        no market, a table that doesn't hold what was written, or no day before the holdout.
    OutOfResources
        no space for the panel (about 80 bytes a stock and day); what was there is intact.
    """
    folder = MarketFolder.open(market)
    panel, universe = _load(compile_panel(folder, always=always, tell=tell))
    panel = replace(panel, former=newest_codes(folder.manifest.source))
    holdout = None if live else read_holdout(market)
    if holdout is None:
        return panel, universe
    if opening is not None:
        log_opening(market, holdout.start, opening)
        return panel, universe
    return _before(panel, universe, holdout.start, market)


def _before(panel: Panel, universe: Universe, start: dt.date, market: Path) -> tuple[Panel, Universe]:
    """What of a market lies before its locked days; named otherwise than the whole."""
    stop = int(np.searchsorted(panel.dates, np.datetime64(start, "D")))
    if not stop:
        raise DataError(f"all days of {market} are locked: its holdout begins on {start}, it on {panel.dates[0]}")
    name = content_key({"panel": panel.fingerprint, "holdout": start.isoformat()})
    return replace(panel.between(0, stop), fingerprint=name, locked=start), universe.between(0, stop)


def compile_panel(folder: MarketFolder, *, always: bool = False, tell: Callable[[str], None] | None = None) -> Path:
    """Make the panel of `folder` where it isn't there, or damaged, and name its folder; arguments as of `open_panel`.

    It needs the parts that the manifest names, not the manifest on disk: what can't be compiled shows before a market
    is committed. Raises as `open_panel`.
    """
    target = folder.path / "panel" / content_key({"tables": folder.fingerprint, "build": BUILD})
    tell = tell or (lambda _: None)
    if not target.exists():
        _build_beside(folder, target, tell)
    elif (damage := damage_of(target, always=always)) is not None:
        tell(_MADE_AGAIN.format(folder=target, damage=damage))
        shutil.rmtree(target)
        _build_beside(folder, target, tell)
    return target


def describe_panel(market: Path) -> PanelFile:
    """What `open_panel` derived and counted on the way: the content of ``panel.json``."""
    return read_content(compile_panel(MarketFolder.open(market)))


def _build_beside(folder: MarketFolder, target: Path, tell: Callable[[str], None]) -> None:
    """Build in a temporary folder, then rename; a build of another process that was first stands."""
    _clear_abandoned(target.parent)
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True)
        checksums = _write(folder, temporary, tell)
        try:
            temporary.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            checksums = {}
        sync_folder(target.parent)
        _clear_outdated(target)
        note_whole(target, checksums)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfResources(f"no space left for the panel in {target.parent}: free some and repeat") from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: MarketFolder, to: Path, tell: Callable[[str], None]) -> dict[str, str]:
    """All files: of an earlier panel and the days since where it can be gone on from; their checksums."""
    base = find_base(folder, to.parent, BUILD)
    if base is not None:
        try:
            return extend(folder, base, to, BUILD)
        except DamagedBase as error:
            tell(f"the panel before is damaged ({error}): made again from the tables")
            shutil.rmtree(to)
            to.mkdir()
    return write_whole(folder, to, BUILD)


def _load(folder: Path) -> tuple[Panel, Universe]:
    try:
        content = read_content(folder)
        T, N = content["shape"]
        dates, symbols, next_date = (np.load(folder / f"{name}.npy") for name in ("dates", "symbols", "next_date"))
        fields = {name: mapped(folder / "fields" / f"{name}.npy", (T, N)) for name in content["fields"]}
        facts: dict[str, Any] = {name: mapped(folder / "universe" / f"{name}.npy", (T, N)) for name in UNIVERSE}
        for kind in BY_INDEX:
            shape = (T,) if kind.startswith("index") else (T, N)
            facts[kind] = {index: mapped(folder / kind / f"{index}.npy", shape) for index in content[kind]}
        weighting = {index: Weighting(rows) for index, rows in facts.pop("index_weighting").items()}
        items = {
            item: Events(*(np.load(folder / "fundamentals" / item / f"{name}.npy") for name in EVENTS))
            for item in content["fundamentals"]
        }
    except (OSError, ValueError, LookupError, EOFError) as error:
        raise_of_machine(error)
        message = f"the compiled panel can't be read ({error}): delete this folder, it is made anew"
        raise DataError(message, file=folder) from None
    fundamentals = Fundamentals(dates, N, items) if items else None
    panel = Panel(dates, symbols, fields, folder.name, fundamentals, past=read_past(folder))
    universe = Universe(
        dates=dates,
        symbols=symbols,
        industries=tuple(content["industries"]),
        weighting=weighting,
        next_date=next_date,
        **facts,
    )
    return panel, universe


def _clear_abandoned(folder: Path) -> None:
    """Remove temporary folders of builders that are no more."""
    for entry in folder.glob(".*.tmp") if folder.exists() else ():
        if not _alive(int(entry.name.split(".")[-2])):
            shutil.rmtree(entry, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _clear_outdated(newest: Path) -> None:
    """Keep the newest panel and the one before: someone may still read that one."""
    others = [entry for entry in newest.parent.iterdir() if entry != newest and not entry.name.startswith(".")]
    others.sort(key=lambda entry: entry.stat().st_mtime)
    for entry in others[:-1]:
        shutil.rmtree(entry, ignore_errors=True)
