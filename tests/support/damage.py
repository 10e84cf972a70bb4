"""Files that don't hold what was written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def flip(file: Path, at: float = 0.6, bit: int = 2) -> None:
    """Flip one bit in the byte at this share of the file."""
    content = bytearray(file.read_bytes())
    content[min(int(at * len(content)), len(content) - 1)] ^= 1 << bit
    file.write_bytes(content)


def truncate(file: Path) -> None:
    """Lose the second half."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    """Lose everything but the name."""
    file.write_bytes(b"")


def lose(file: Path) -> None:
    """Lose the file."""
    file.unlink()


def be_a_folder(file: Path) -> None:
    """A folder where the file was."""
    file.unlink()
    file.mkdir()


def flip_early(file: Path) -> None:
    """Flip one bit among the first bytes, where a format has its head."""
    flip(file, at=0.02, bit=0)


DAMAGES: tuple[Callable[[Path], None], ...] = (flip, flip_early, truncate, empty, lose, be_a_folder)


def restore(file: Path, good: Path) -> None:
    """As it was."""
    if file.is_dir():
        shutil.rmtree(file)
    shutil.copy2(good, file)
