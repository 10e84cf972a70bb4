"""Does a file still hold what was written? Checksums by file name, and when a file was last compared with its own.

A checksum is CRC-32: it finds every flip of one or two bits and every torn or foreign block but one in four billion,
runs at 2 GB/s, and, as no hash does, goes on where a file grows.

Comparing a market of a gigabyte takes a second, so it is done once a modification: what was found whole is noted in the
user's cache with the file's size, times of change and inode, never in the folder, whose bytes depend on its content
alone. A copy, a file that was touched, and one whose modification time was set back are compared anew.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import write_json
from deepfactor.core.notes import keep_note, read_note
from deepfactor.core.system import raise_of_machine
from deepfactor.core.words import Sentence

#: In a folder: file name → checksum, 8 hex digits.
CHECKSUMS = "checksums.json"
#: What is wrong with a file.
DIFFERS = Sentence("does not hold what was written", "与写入时不符")
_UNREADABLE = Sentence("does not hold what was written ({error})", "与写入时不符（{error}）")
_MISSING = Sentence("is missing", "缺失")
_FOLDER = Sentence("is a folder", "是一个文件夹")
_SEAL = "checksum"
_KIND = "whole"
#: The end of a line that is sealed, with its checksum.
_SEALED = b',"checksum":"%b"}'
_BLOCK = 1 << 20

#: Folder → file name → its checksum and what `_stamp` gave when it was found to have it.
_whole: dict[Path, dict[str, list[Any]]] = {}


def checksum(data: bytes | memoryview, before: str = "00000000") -> str:
    """CRC-32 of bytes as 8 hex digits; with the checksum of the bytes `before` them, that of all."""
    return f"{zlib.crc32(data, int(before, 16)):08x}"


def file_checksum(path: Path) -> str:
    """Checksum of a file's bytes."""
    block, crc = bytearray(_BLOCK), 0
    view = memoryview(block)
    with path.open("rb", buffering=0) as handle:
        while length := handle.readinto(block):
            crc = zlib.crc32(view[:length], crc)
    return f"{crc:08x}"


def sealed(content: Mapping[str, object]) -> dict[str, object]:
    """`content`, which JSON can hold, with its own checksum as the last entry."""
    return {**content, _SEAL: _checksum_of(content)}


def unsealed(content: Any) -> Any:
    """`content`, read from JSON, as it was before `sealed`.

    Raises
    ------
    ValueError
        its checksum is missing or wrong.
    """
    bare = {name: value for name, value in content.items() if name != _SEAL} if isinstance(content, dict) else None
    if bare is None or content.get(_SEAL) != _checksum_of(bare):
        raise ValueError("its checksum is wrong")
    return bare


def sealed_line(content: Mapping[str, object]) -> bytes:
    """`sealed` content as a line of JSON, without its end, in the form that `unsealed_line` checks by its bytes."""
    text = _text_of(content)
    return text[:-1] + _SEALED % checksum(text).encode()


def unsealed_line(line: bytes) -> Any:
    """The content of a line of JSON, as it was before `sealed_line` or `sealed`; raises as `unsealed`."""
    content = json.loads(line)
    held = len(line) - len(_SEALED % bytes(8))
    if line[held:] == _SEALED % checksum(line[:held] + b"}").encode() and isinstance(content, dict):
        del content[_SEAL]
        return content
    return unsealed(content)


def _checksum_of(content: Mapping[str, object]) -> str:
    return checksum(_text_of(content))


def _text_of(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_checksums(folder: Path, checksums: Mapping[str, str]) -> None:
    """Say what the files of `folder` hold, by their names relative to it."""
    write_json(folder / CHECKSUMS, sealed(dict(sorted(checksums.items()))))


def read_checksums(folder: Path) -> dict[str, str] | None:
    """What `write_checksums` said; None where it said nothing, as before there were checksums.

    Raises
    ------
    DamagedFile
        it isn't what `write_checksums` writes.
    """
    file = folder / CHECKSUMS
    try:
        content: dict[str, str] = unsealed(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        raise_of_machine(error)
        raise DamagedFile(f"is damaged ({error})", file=file) from None
    return content


def damaged(
    folder: Path,
    checksums: Mapping[str, str],
    measure: Callable[[Path], str] = file_checksum,
    *,
    always: bool = False,
    keep: bool = True,
) -> dict[str, str]:
    """What is wrong with files of `folder`, by name; empty where all hold what `checksums` say.

    Parameters
    ----------
    measure : gives a file's checksum; what it raises for a broken file (`OSError`, `ValueError`, `EOFError`) is damage.
    always : compare also what was compared since its last change.
    keep : let later processes know what was found whole, too.

    Raises
    ------
    DataError
        a file may not be read.
    """
    known = _known(folder)
    before, wrong = dict(known), {}
    for name, wanted in checksums.items():
        stamp = _stamp(folder / name)
        if not always and stamp is not None and known.get(name) == [wanted, *stamp]:
            continue
        known.pop(name, None)
        if (why := _difference(folder / name, wanted, measure)) is not None:
            wrong[name] = why
        elif stamp is not None and stamp == _stamp(folder / name):  # not changed meanwhile
            known[name] = [wanted, *stamp]
    if keep and known != before:
        _keep(folder, known)
    return wrong


def note_whole(folder: Path, checksums: Mapping[str, str]) -> None:
    """The files of `folder` have just been written and hold what `checksums` say: they needn't be compared now."""
    known = _known(folder)
    for name, wanted in checksums.items():
        if (stamp := _stamp(folder / name)) is not None:
            known[name] = [wanted, *stamp]
    _keep(folder, known)


def _difference(path: Path, wanted: str, measure: Callable[[Path], str]) -> str | None:
    try:
        return None if measure(path) == wanted else str(DIFFERS)
    except FileNotFoundError:
        return str(_MISSING)
    except IsADirectoryError:
        return str(_FOLDER)
    except PermissionError as error:
        raise DataError(f"may not be read ({error.strerror})", file=path) from None
    except (OSError, ValueError, EOFError) as error:
        raise_of_machine(error)
        return _UNREADABLE.format(error=error)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Another one after every write: the time of change can't be set back. None where there is no such file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _known(folder: Path) -> dict[str, list[Any]]:
    """What this process, or one before it, found whole in `folder`."""
    folder = folder.absolute()
    if folder not in _whole:
        noted = read_note(_KIND, folder).get(_KIND, {})
        _whole[folder] = dict(noted) if isinstance(noted, dict) else {}
    return _whole[folder]


def _keep(folder: Path, known: Mapping[str, object]) -> None:
    """Note it for later processes."""
    keep_note(_KIND, folder, {_KIND: known})
