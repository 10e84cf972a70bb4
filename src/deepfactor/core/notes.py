"""What was found out of a folder and needn't be found out again: noted in the user's cache, never in the folder, whose
bytes depend on its content alone. Where the cache can't be read or written it is found out anew."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FOLDER = "folder"


def read_note(kind: str, folder: Path) -> dict[str, Any]:
    """What `keep_note` kept of a folder; nothing where there is no note, or none that can be read."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        content = json.loads(_place(kind, folder).read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.pop(_FOLDER, None) == str(folder.absolute()):
            return content
    return {}


def keep_note(kind: str, folder: Path, content: Mapping[str, object]) -> None:
    """Note it in place of what was noted of that kind."""
    with contextlib.suppress(OSError, RuntimeError):
        place = _place(kind, folder)
        if not place.exists():
            _forget_gone(place.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps({_FOLDER: str(folder.absolute()), **content}), encoding="utf-8")
        os.replace(temporary, place)


def _forget_gone(cache: Path) -> None:
    """Remove notes on folders that are no more."""
    for note in cache.glob("*.json"):
        try:
            there = Path(json.loads(note.read_text(encoding="utf-8"))[_FOLDER]).exists()
        except (OSError, ValueError, LookupError, TypeError):
            there = False
        if not there:
            note.unlink(missing_ok=True)


def _place(kind: str, folder: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "deepfactor" / kind / f"{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]}.json"
