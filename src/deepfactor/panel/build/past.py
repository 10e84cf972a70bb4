"""The earlier panels that a panel went on from, whose rows are its first: who worked through those needn't again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deepfactor.core.checksums import sealed, unsealed
from deepfactor.core.files import write_json

#: Beside ``panel.json``, which says the same of a panel that was built whole.
PAST = "past.json"
#: The most that are named, the newest.
_KEPT = 100


def write_past(folder: Path, base: Path, rows: int) -> None:
    """Note in `folder` that its first `rows` rows are those of the panel in `base`, and what is noted there."""
    past = {**read_past(base), base.name: rows}
    write_json(folder / PAST, sealed(dict(list(past.items())[-_KEPT:])))


def read_past(folder: Path) -> Mapping[str, int]:
    """Fingerprint = number of rows; none where nothing, or nothing whole, is noted."""
    try:
        noted: dict[str, int] = unsealed(json.loads((folder / PAST).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    return noted
