"""Whether a compiled panel holds what was built: its files' checksums, written with it, compared when it is opened."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from deepfactor.core.checksums import damaged, file_checksum, read_checksums, write_checksums
from deepfactor.core.errors import DamagedFile
from deepfactor.core.files import write_json
from deepfactor.core.system import raise_of_machine
from deepfactor.panel.build.arrays import BY_INDEX, EVENTS, UNIVERSE, PanelFile
from deepfactor.panel.build.files import file_checksum_of

CONTENT = "panel.json"
_AXES = ("dates", "symbols", "next_date", "first_row")


def write_content(folder: Path, content: PanelFile, arrays: Mapping[str, str]) -> dict[str, str]:
    """Write ``panel.json`` and all checksums, those of `arrays` by file name among them; returns all."""
    write_json(folder / CONTENT, content)
    checksums = {**arrays, CONTENT: file_checksum(folder / CONTENT)}
    write_checksums(folder, checksums)
    return checksums


def read_content(folder: Path) -> PanelFile:
    """``panel.json``.

    Raises
    ------
    OSError, ValueError
        it is missing or broken.
    """
    given = json.loads((folder / CONTENT).read_text(encoding="utf-8"))
    content: PanelFile = given
    if not isinstance(given, dict):
        raise ValueError(f"{CONTENT} holds no mapping")
    return content


def damage_of(folder: Path, *, always: bool = False) -> str | None:
    """What is wrong with a panel, None where nothing is; `always` = compare also what was, since its last change.

    One built before there were checksums gets them, where its files can be read as what ``panel.json`` says.
    """
    try:
        checksums = read_checksums(folder)
        if checksums is None:
            return _adopt(folder)
        wrong = damaged(folder, {CONTENT: checksums.get(CONTENT, "")}, always=always)
        if not wrong:
            lengths = _lengths(read_content(folder))
            wrong = {name: "has no checksum" for name in lengths if name not in checksums}
            for rows in set(lengths.values()):
                own = {name: checksums[name] for name, n in lengths.items() if n == rows and name in checksums}
                wrong |= damaged(folder, own, partial(file_checksum_of, rows=rows), always=always)
    except DamagedFile as error:
        return str(error)
    return ", ".join(f"{name} {why}" for name, why in sorted(wrong.items())) or None


def _lengths(content: PanelFile) -> dict[str, int | None]:
    """File of each array → its rows where it may have grown since, else None."""
    T = int(content["shape"][0])
    growing = [f"fields/{name}.npy" for name in content["fields"]]
    growing += [f"universe/{name}.npy" for name in UNIVERSE]
    growing += [f"{kind}/{index}.npy" for kind in BY_INDEX for index in content[kind]]
    fixed = [f"{name}.npy" for name in _AXES]
    fixed += [f"fundamentals/{item}/{name}.npy" for item in content["fundamentals"] for name in EVENTS]
    return {**dict.fromkeys(growing, T), **dict.fromkeys(fixed)}


def _adopt(folder: Path) -> str | None:
    """Give a panel without checksums its own; what can't be read."""
    try:
        lengths = _lengths(read_content(folder))
        checksums = {name: file_checksum_of(folder / name, rows) for name, rows in lengths.items()}
        checksums[CONTENT] = file_checksum(folder / CONTENT)
    except PermissionError:
        raise
    except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
        raise_of_machine(error)
        return f"{error!r}"
    with contextlib.suppress(OSError):  # a folder that can't be written is taken as it is
        write_checksums(folder, checksums)
    return None
