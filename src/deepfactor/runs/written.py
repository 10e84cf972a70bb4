"""Whether a run's results are what was written: ``checksums.json`` in its folder, made when a command ends there.

A command that writes results takes the file away first, so that results half of which are new are never compared with
old checksums; where it is killed, what is there is read as it is, as are results of before there were checksums.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfactor.core.checksums import CHECKSUMS, damaged, file_checksum, read_checksums, write_checksums
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import remove_file
from deepfactor.core.words import Sentence

_RECIPE = "recipe.json"  # what makes a folder a run's
_DEPTH = 5  # folders between a run's and its files, at most
_NOT_READ = ("run.log", CHECKSUMS)
_AGAIN = Sentence("{why}: repeat the command that made it", "{why}，请重新运行生成它的命令")


@contextmanager
def writing_results(folder: Path) -> Iterator[None]:
    """Results below `folder` that are written inside are known by their checksums from the end on.

    Those that nothing writes keep theirs.
    """
    try:
        before = read_checksums(folder) or {}
    except DamagedFile:
        before = {}
    stamps = {name: _stamp(folder / name) for name in before}
    remove_file(folder / CHECKSUMS)
    try:
        yield
    finally:
        if folder.is_dir():
            kept = {name: known for name, known in before.items() if stamps[name] == _stamp(folder / name)}
            write_checksums(folder, {name: kept.get(name) or file_checksum(path) for name, path in _files(folder)})


def renew_checksums(folder: Path, names: Collection[str]) -> None:
    """Take the files `names` of a run's folder, just written or removed, into its checksums, where it has any."""
    known = read_checksums(folder)
    if known is not None:
        now = {name: file_checksum(folder / name) for name in names if (folder / name).exists()}
        write_checksums(folder, {name: value for name, value in known.items() if name not in names} | now)


def require_written(path: Path) -> None:
    """Nothing where `path` holds what was written as a run's result, or was never known.

    Raises
    ------
    DamagedFile
        it doesn't, or is missing.
    """
    run, name = _place(path)
    if run is None:
        return
    try:
        known = read_checksums(run) or {}
    except DamagedFile as error:
        raise DamagedFile(_AGAIN.format(why=error)) from None
    if name in known:
        for why in damaged(run, {name: known[name]}, keep=False).values():
            raise DamagedFile(_AGAIN.format(why=why), file=path)


def is_there(path: Path) -> bool:
    """Whether there is such a result; a `DamagedFile` where it is missing that was there, or isn't what was written."""
    require_written(path)
    return path.is_file()


def all_damaged(folder: Path) -> dict[str, str]:
    """Result below a run's folder → what is wrong with it, all of them compared."""
    return damaged(folder, read_checksums(folder) or {}, always=True, keep=False)


def blamed(error: Exception, *folders: Path) -> Exception:
    """`error`, or, of one of form where no checksums vouch for the results in `folders`, that these are its cause."""
    unknown = [folder for folder in folders if not (folder / CHECKSUMS).is_file()]
    if not unknown or not isinstance(error, (LookupError, TypeError, ValueError, AttributeError)):
        return error
    text = f"{type(error).__name__}: {error}"
    return DataError(_AGAIN.format(why=f"holds results that this version can't read ({text})"), file=unknown[0])


@contextmanager
def reading_results(*folders: Path) -> Iterator[None]:
    """What goes wrong inside for the form of results that no checksums vouch for is theirs, not ours: see `blamed`."""
    try:
        yield
    except Exception as error:
        told = blamed(error, *folders)
        if told is error:
            raise
        raise told from error


def _place(path: Path) -> tuple[Path | None, str]:
    """The folder of the run that `path` is a result of, None where it is none, and its name there."""
    path = path.absolute()
    for run in path.parents[:_DEPTH]:
        if (run / CHECKSUMS).exists() and ((run / _RECIPE).exists() or path.name == _RECIPE):
            return run, path.relative_to(run).as_posix()
    return None, ""


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name not in _NOT_READ:
            yield path.relative_to(folder).as_posix(), path


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_ctime_ns, stat.st_ino
