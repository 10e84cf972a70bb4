"""The numbers as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning.page import bounds_table, number, table
from deepfactor.core.files import write_text

PARTS = {"trend": "Size-group trend alone", "reversal": "Reversal alone"}
#: Measure → its name, digits.
MEASURES = {
    "oracle": ("correlation with the oracle", 3),
    "neutral": ("correlation with the neutralised oracle", 3),
    "rank_ic": ("RankIC, neutralised 10-day return", 4),
}


def study_b_page(content: Mapping[str, Any]) -> str:
    """Tables of the trend, the reversal and the bounds."""
    kernels = {entry["market"]: entry["scores"] for entry in content["trend_kernel"]}
    parts = [machine_line(content)]
    for part, beside in (("trend", kernels), ("reversal", None)):
        for measure, (name, digits) in MEASURES.items():
            parts += [f"### {PARTS[part]}: {name}", levels(content[part], measure, digits, beside)]
            parts += ["Paired daily differences, mean (Newey–West t):", differences(content[part], measure)]
    parts += ["### Bounds", bounds_table(content["bounds"]), "### Cost", costs(content)]
    return "\n\n".join(parts) + "\n"


def machine_line(content: Mapping[str, Any]) -> str:
    """Where the numbers were made."""
    machine, versions = content["machine"], content["versions"]
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}; Python {versions['python']}, "
        f"torch {versions['torch']}, numpy {versions['numpy']}, deepfactor {versions['deepfactor']}."
    )


def levels(
    rows: Sequence[Mapping[str, Any]], measure: str, digits: int, beside: Mapping[int, Mapping[str, Any]] | None = None
) -> str:
    """A row a market and seed, a column an arm, then the scores `beside` of the row's market; means below."""
    found = [{**row["arms"], **(beside or {}).get(row["market"], {})} for row in rows]
    values = np.array([[entry[name][measure] for name in found[0]] for entry in found])
    lines = [[_place(row), *(number(value, digits) for value in line)] for row, line in zip(rows, values, strict=True)]
    mean = ["mean", *(number(value, digits) for value in values.mean(axis=0))]
    return table(["market, seed", *found[0]], [*lines, mean])


def differences(rows: Sequence[Mapping[str, Any]], measure: str) -> str:
    """A row a market and seed, a column a pair of arms: mean daily difference and t; means and signs below."""
    head = [f"{entry['first']} − {entry['second']}" for entry in rows[0]["differences"]]
    values = np.array([[entry[measure] for entry in row["differences"]] for row in rows])
    lines = [
        [_place(row), *(f"{number(e[measure], 4)} ({number(e[measure + '_t'], 1)})" for e in row["differences"])]
        for row in rows
    ]
    mean = ["mean", *(number(value, 4) for value in values.mean(axis=0))]
    above = ["above 0", *(f"{count} of {len(rows)}" for count in (values > 0).sum(axis=0))]
    return table(["market, seed", *head], [*lines, mean, above])


def costs(content: Mapping[str, Any]) -> str:
    """Training CPU-seconds of an arm's job, mean over markets and seeds, and of all."""
    rows = [*content["trend"], *content["reversal"]]
    spent: dict[str, list[float]] = {}
    for row in rows:
        for arm, numbers in row["arms"].items():
            spent.setdefault(arm, []).append(numbers["cpu"])
    lines = [[arm, str(len(cpu)), number(float(np.mean(cpu)), 0)] for arm, cpu in spent.items()]
    total = ["all", str(sum(map(len, spent.values()))), number(sum(map(sum, spent.values())), 0)]
    return table(["arm", "jobs", "CPU-s a job (all: sum)"], [*lines, total])


def write_section(page: Path, heading: str, body: str) -> None:
    """Put `body` in place of what a Markdown page has between a ``## heading`` and the next one."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(^## {re.escape(heading)}\n).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no section '## {heading}'")
    write_text(page, pattern.sub(lambda found: f"{found[1]}\n{body}\n", text, count=1))


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['market']}, {row['seed']}"
