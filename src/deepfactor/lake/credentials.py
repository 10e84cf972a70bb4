"""A vendor's token: from the environment or from a file that nobody else can read, and into no message, log or file."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from deepfactor.core.errors import UserError

_HIDDEN = "***"
_SHORTEST = 8


@dataclass(frozen=True, repr=False)
class Secret:
    """A token that shows itself to nobody who doesn't ask for `text`."""

    text: str

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def hidden(self, text: str) -> str:
        """`text`, which may come from the vendor, without the token in it."""
        for form in (self.text, quote(self.text, safe="")):
            text = text.replace(form, _HIDDEN)
        return text


def token(variable: str, file: Path | None) -> Secret:
    """The token in `file`, else in the environment's `variable`, else in the file that ``variable_FILE`` names.

    Raises
    ------
    UserError
        there is none, it is no token, or the file is open to others; never with the token in the message.
    """
    if file is None and variable in os.environ:
        return _checked(os.environ[variable], f"the environment's {variable}")
    if file is None and f"{variable}_FILE" in os.environ:
        file = Path(os.environ[f"{variable}_FILE"])
    if file is None:
        raise UserError(
            f"there is no token: put it into the environment's {variable}, or into a file of mode 600 and name that by "
            f"--token-file or {variable}_FILE"
        )
    return _checked(_private(file), f"the file {file}")


def _private(file: Path) -> str:
    """The content of a file that its owner alone can read and write."""
    try:
        with file.open("rb") as handle:
            held = os.fstat(handle.fileno())
            if not stat.S_ISREG(held.st_mode):
                raise UserError(f"{file} is no file that holds a token")
            if held.st_mode & 0o077:
                mode = f"{stat.S_IMODE(held.st_mode):o}"
                raise UserError(f"{file} can be read by others (mode {mode}): chmod 600 it, and ask for a new token")
            if held.st_uid != os.getuid():
                raise UserError(f"{file} is another user's: keep the token in a file of your own, of mode 600")
            return handle.read(4096).decode("utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{file}, which holds the token, can't be read: {error.strerror}") from None


def _checked(text: str, where: str) -> Secret:
    text = text.strip()
    if len(text) < _SHORTEST or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise UserError(f"{where} holds no token: wanted {_SHORTEST} letters and digits or more, in one line")
    return Secret(text)
