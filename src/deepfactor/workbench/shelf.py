"""What the workbench may read: runs of a folder and one market, found by name in a listing, never by a path."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from deepfactor.core.errors import DataError
from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.pages import load_content
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.runs.layout import RunFolder
from deepfactor.store.writing import MANIFEST

Made = TypeVar("Made")

#: Files whose change makes a run another one.
_STAMPED = ("recipe.json", "environment.json", "stages.json", "failures.json", "checksums.json", "report.json")


class NotHere(DataError):
    """There is no such run, day or page: 404."""


class Kept:
    """What was made before, by key, the least read going first; made once, whoever asks at the same time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._made: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What stands under `key`, made now where nothing does."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]  # type: ignore[return-value]
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._made:
                    return self._made[key]  # type: ignore[return-value]
            try:
                made = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._made[key] = made
                while len(self._made) > self.most:
                    self._made.popitem(last=False)
        return made


class Shelf:
    """The runs of a folder, and the market."""

    def __init__(self, runs: Path, market: Path) -> None:
        self.runs, self.market_path = runs.resolve(), market.resolve()
        self._contents, self._markets, self.made = Kept(4), Kept(1), Kept(400)
        self.pages, self.set = Kept(100), Kept(100)

    def names(self) -> list[str]:
        """Runs, the newest first; a link that leads out of the folder is none."""
        found = [path for path in self.runs.iterdir() if not path.name.startswith(".") and self._is_run(path)]
        return [path.name for path in sorted(found, key=lambda path: (-_changed(path), path.name))]

    def _is_run(self, path: Path) -> bool:
        return path.is_dir() and (path / "recipe.json").is_file() and self.holds(path)

    def holds(self, path: Path) -> bool:
        """Does a path lie in the runs folder, its links followed?"""
        return path.resolve().is_relative_to(self.runs)

    def run(self, name: str) -> RunFolder:
        """The run of that name; a `NotHere` where there is none."""
        if name not in self.names():
            raise NotHere(f"no run {name!r} in this folder")
        folder = RunFolder(self.runs / name)
        stamp = self.stamp(folder)
        self.made.get(("inside", name, stamp), lambda: self._require_inside(folder))
        return folder

    def _require_inside(self, folder: RunFolder) -> bool:
        """Refuse a run that says or links to what lies elsewhere: it may come from someone else."""
        for path in folder.path.rglob("*"):
            if path.is_symlink() and not self.holds(path):
                raise DataError(f"the run {folder.path.name} holds a link that leads out of the runs folder")
        for path in self.portfolio_paths(folder):
            if not path.resolve().is_relative_to(folder.path.resolve()):
                raise DataError(f"the run {folder.path.name} names a portfolio outside of its own folder")
        for one in folder.scored(recipe_of(folder)):
            if not folder.arm(one["name"]).resolve().is_relative_to(folder.path.resolve() / "arms"):
                raise DataError(f"the run {folder.path.name} names an arm outside of its own folder")
        return True

    @staticmethod
    def portfolio_paths(folder: RunFolder) -> list[Path]:
        """Folders of its portfolios that are there."""
        return [path for path in folder.portfolios(recipe_of(folder)) if (path / "summary.json").is_file()]

    def portfolio(self, run: str, arm: str, index: str, constraints: str) -> tuple[RunFolder, Path]:
        """The run, and the folder of one of its portfolios; a `NotHere` where there is none."""
        folder = self.run(run)
        for path in self.portfolio_paths(folder):
            if path.parts[-3:] == (arm, index, constraints):
                return folder, path
        raise NotHere(f"the run {run} has no portfolio {arm} · {index} · {constraints}")

    def stamp(self, folder: RunFolder) -> tuple[tuple[str, int, int], ...]:
        """Changes when the run's results do."""
        found = []
        for name in _STAMPED:
            try:
                stat = (folder.path / name).stat()
            except OSError:
                continue
            found.append((name, stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    def content(self, name: str) -> RunContent:
        """A run's results."""
        folder = self.run(name)
        if not folder.environment.is_file():
            raise NotHere(f"the run {name} has no results yet: see its jobs")
        return self._contents.get((name, self.stamp(folder)), lambda: load_content(folder))

    def portfolio_content(self, run: str, arm: str, index: str, constraints: str) -> PortfolioContent:
        """One portfolio's results."""
        for one in self.content(run).portfolios:
            if (one.arm, one.index, one.constraints) == (arm, index, constraints):
                return one
        raise NotHere(f"the portfolio {arm} · {index} · {constraints} of run {run} can't be read")

    def market_stamp(self) -> str:
        """Changes when the market does."""
        return market_stamp(self.market_path)

    def market(self) -> Market:
        """The market, opened once, and again where it has grown."""
        return self._markets.get(self.market_stamp(), lambda: open_market(self.market_path))


def market_stamp(market: Path) -> str:
    """Changes when a market does: its manifest is replaced whole."""
    stat = (market / MANIFEST).stat()
    return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"


def recipe_of(folder: RunFolder) -> Any:
    """``recipe.json`` of a run; a `DataError` where it can't be read."""
    try:
        content = json.loads(folder.recipe.read_text(encoding="utf-8"))
        folder.scored(content)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"the recipe of run {folder.path.name} can't be read ({type(error).__name__})") from None
    return content


def _changed(path: Path) -> float:
    return max((path / name).stat().st_mtime for name in ("recipe.json", "report.json") if (path / name).is_file())
