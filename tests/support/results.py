"""Reading what a run left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.cli import strict_json


def read(path: Path) -> Any:
    return strict_json(path.read_text(encoding="utf-8"))


def daily(report: dict[str, Any], **chosen: object) -> dict[tuple[Any, ...], float]:
    """Mean RankIC of the daily samples over all names, by universe, convention, horizon, seed."""
    return {
        (r["universe"], r["convention"], r["horizon"], r["seed"]): r["rank_ic"]["mean"]
        for r in report["records"]
        if (r["sampling"], r["names"]) == ("daily", "all") and all(r[k] == v for k, v in chosen.items())
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
