"""Words in and out whatever the system's locale: names of files are UTF-8, what can't be shown is escaped."""

from __future__ import annotations

import io
import os
import sys


def words_are_utf8() -> None:
    """Take names as UTF-8, and let no character that standard output lacks end a command.

    Under a locale of another encoding (``LC_ALL=C``, GBK) Python would hand names of files to other libraries garbled:
    it is started again in its UTF-8 mode, with the encoding of its output as it was.
    """
    if not _is_utf8(sys.getfilesystemencoding()) and sys.executable:
        shown = getattr(sys.stdout, "encoding", None) or "utf-8"
        environment = os.environ | {"PYTHONIOENCODING": f"{shown}:backslashreplace"}
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def not_utf8(words: list[str]) -> str | None:
    """The first of `words` whose bytes are no UTF-8 (names of files as an old archive left them)."""
    return next((word for word in words if any("\ud800" <= letter <= "\udfff" for letter in word)), None)


def shows_all() -> bool:
    """Whether standard output can show every character."""
    return _is_utf8(getattr(sys.stdout, "encoding", None) or "utf-8")


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"
