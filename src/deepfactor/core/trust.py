"""How far a file that may come from someone else is followed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """`outside`: what is named may lie beyond deepfactor and beyond the folder that the user gave (``--allow-code``):
    kinds may be anyone's code, files lie anywhere, queries say anything. Otherwise none of that.
    """

    outside: bool = False


#: Of what nobody vouched for.
SHIPPED = Trust()
