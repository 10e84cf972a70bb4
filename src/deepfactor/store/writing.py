"""The right to write into a market folder, and what a first write leaves where it fails: nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfactor.core.errors import DataError
from deepfactor.core.files import folder_lock

MANIFEST = "manifest.json"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the lock of the market folder `path`; where the write fails and no market was there, all it made is removed.

    Raises
    ------
    DataError
        a file, or a folder of something else.
    UserError
        another process is writing there.
    """
    _require_market_or_empty(path)
    before = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    with folder_lock(path):
        try:
            yield
        except BaseException:
            if not (path / MANIFEST).exists():
                _remove_all_but(path, before)
                _remove_empty(made)
            raise


def _remove_all_but(path: Path, names: set[str]) -> None:
    for entry in [entry for entry in path.iterdir() if entry.name not in names]:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _remove_empty(folders: list[Path]) -> None:
    """Innermost first."""
    for folder in folders:
        with suppress(OSError):  # someone else has put something there
            folder.rmdir()


def market_above(path: Path) -> Path | None:
    """The market folder that `path` is, or lies in; None where it lies outside of any."""
    place = path.absolute()
    markets = (one for one in (place, *place.parents) if (one / MANIFEST).is_file() and (one / "tables").is_dir())
    return next(markets, None)


def _require_market_or_empty(path: Path) -> None:
    """Don't write into a folder of something else."""
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file, wanted a folder for the market")
    if (other := market_above(path.absolute().parent)) is not None:
        raise DataError(f"{path} lies in another market, {other}: give a folder outside")
    if path.is_dir() and not (path / MANIFEST).exists():
        strange = sorted(entry.name for entry in path.iterdir() if not _ours(entry.name))
        if strange:
            raise DataError(f"{path} holds other things ({', '.join(strange[:3])}): give an empty or new folder")


def _ours(name: str) -> bool:
    """Names that an ingest that was killed may have left (the lock and temporary files start with a dot)."""
    return name.startswith(".") or name in ("tables", "panel", "risk")
