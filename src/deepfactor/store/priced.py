"""The symbols that have prices in a market: telling them reads all rows, so they are noted until these change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import polars as pl

from deepfactor.core.checksums import sealed, unsealed
from deepfactor.core.notes import keep_note, read_note
from deepfactor.core.spec import content_key
from deepfactor.store.parquet import scan_parquet

_KIND = "priced"


def symbols_of(market: Path, contents: Iterable[str], files: Callable[[], Sequence[Path]]) -> frozenset[str]:
    """The symbols of the parts of ``daily`` with these contents: as noted, else read off their `files`, and noted."""
    rows = content_key(list(contents))
    try:
        noted = unsealed(read_note(_KIND, market))
    except ValueError:
        noted = {}
    if noted.get("rows") == rows:
        return frozenset(noted["symbols"])
    found = frozenset(scan_parquet(files()).select(pl.col("symbol").unique()).collect()["symbol"])
    _note(market, rows, found)
    return found


def note_symbols(market: Path, contents: Iterable[str], symbols: Collection[str]) -> None:
    """Note the symbols of these parts, which somebody knows."""
    _note(market, content_key(list(contents)), symbols)


def _note(market: Path, rows: str, symbols: Collection[str]) -> None:
    keep_note(_KIND, market, sealed({"rows": rows, "symbols": sorted(symbols)}))
