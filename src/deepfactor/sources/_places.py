"""Where a mapping may read: inside the folder that the user named, and nowhere else.

A mapping may come from someone else, the folder is the user's own. `Trust` is what the user said of it.
"""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from deepfactor.core.errors import RecipeError
from deepfactor.core.trust import Trust


def inside(folder: Path, name: str, *, key: str, trust: Trust) -> Path:
    """The file `name` of `folder`, as a path.

    Parameters
    ----------
    name : as the mapping has it, relative to `folder`
    key : of the mapping, for the error
    trust : whether it may lie anywhere

    Raises
    ------
    RecipeError
        no file can have that name, or it leads out of `folder`: upwards, from a root or a drive, through a link.
    """
    try:
        path = folder / name
        outside = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a null character, a loop of links
        raise RecipeError(f"{name!r} can't be the name of a file ({error})", key=key) from None
    windows = PureWindowsPath(name)
    elsewhere = bool(windows.drive or windows.root) and not Path(name).is_absolute()
    if (outside or elsewhere) and not trust.outside:
        raise RecipeError(
            f"{name!r} leads out of the folder {folder}: put the file there, or name its folder with --folder; "
            "--allow-code lets a mapping that you trust read anywhere",
            key=key,
        )
    return path


def require_plain_name(name: str, *, key: str) -> None:
    """A `RecipeError` where `name` is no name of a file but leads to another folder."""
    if name in (".", "..") or any(character in name for character in "/\\:\0"):
        raise RecipeError(f"{name!r} leads to another folder: give a name alone, or --allow-code", key=key)
