"""What a wrong name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def choices(given: str, known: Iterable[str]) -> str:
    """Text behind a wrong name: the likeliest of `known`, if one is like it, and all of them, in their order."""
    names = [str(name) for name in known]
    folded = {name.casefold(): name for name in names}
    like = difflib.get_close_matches(given.casefold(), list(folded), n=1, cutoff=0.6)
    meant = f"did you mean {folded[like[0]]}? " if like else ""
    return f"{meant}there are {', '.join(names) or 'none'}"
