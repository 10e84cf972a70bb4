"""The numbers as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def page(content: Mapping[str, Any]) -> str:
    """Tables of all markets, the null markets and the bounds."""
    machine, versions = content["machine"], content["versions"]
    parts = [
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}; Python {versions['python']}, "
        f"torch {versions['torch']}, numpy {versions['numpy']}, deepfactor {versions['deepfactor']}."
    ]
    for market in content["markets"]:
        parts += [f"### Market seed {market['seed']}", _scores(market["rows"])]
    null = content["null"]
    parts += [f"### Null market, seeds {', '.join(map(str, null['seeds']))}", _null(null)]
    parts += ["### Bounds", bounds_table(content["bounds"])]
    parts += ["### Cost", _costs(content["stages"])]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _scores(rows: Sequence[Mapping[str, Any]]) -> str:
    ridge = max(row["neutral"] for row in rows if row["score"].startswith("ridge"))
    head = [
        "score",
        "correlation with oracle",
        "with its visible part",
        "RankIC, neutralised",
        "± s.e.",
        "RankIC, raw",
        "÷ ridge",
        "best validation RankIC",
        "chosen",
        "training CPU-s",
    ]
    lines = [
        [
            row["score"],
            number(row["oracle"], 3),
            number(row["visible"], 3),
            number(row["neutral"], 4),
            number(row["error"], 4),
            number(row["raw"], 4),
            number(row["neutral"] / ridge, 2),
            number(row["valid"], 4),
            row["note"] or "–",
            number(row["cpu"], 0),
        ]
        for row in rows
    ]
    return table(head, lines)


def _null(null: Mapping[str, Any]) -> str:
    head = ["RankIC, neutralised 10-day return", *(f"seed {seed}" for seed in null["seeds"]), "mean"]
    rows = [
        [name, *(number(value, 4) for value in values), number(float(np.mean(values)), 4)]
        for name, values in null["factors"].items()
    ]
    network = null["network"]
    trained = f"{network['score']} trained on the demo's market without alpha"
    return table(head, [*rows, [trained, *["–"] * len(null["seeds"]), number(network["neutral"], 4)]])


def bounds_table(bounds: Iterable[Mapping[str, Any]]) -> str:
    """Bounds as JSON holds them, and whether they hold."""
    rows = [
        [
            bound["what"],
            number(bound["value"], 4),
            ("≥ " if bound["at_least"] else "≤ ") + number(bound["limit"], 4),
            "holds" if bound["holds"] else "**BROKEN**",
        ]
        for bound in bounds
    ]
    return table(["what", "value", "bound", ""], rows)


def _costs(stages: Iterable[Mapping[str, Any]]) -> str:
    rows = [[row["stage"], number(row["cpu_s"], 0), str(row["peak_mib"])] for row in stages]
    return table(["stage", "CPU-s (less what was done before)", "peak MiB"], rows)


def number(value: float | None, digits: int) -> str:
    """Fixed digits; a dash where there is none, or it isn't a number."""
    return "–" if value is None or value != value else f"{value:.{digits}f}".replace("-", "−")
