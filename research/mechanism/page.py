"""The numbers of a study as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.files import write_text
from research.learning.page import bounds_table, number, table

#: Measure → its name, digits.
MEASURES = {
    "oracle": ("correlation with the oracle", 3),
    "neutral": ("correlation with the neutralised oracle", 3),
    "neutral_rank": ("rank correlation with the neutralised oracle", 3),
    "rank_ic": ("RankIC, neutralised 10-day return", 4),
}
PAIRED = "Paired daily differences, mean (Newey–West t):"


def study_page(content: Mapping[str, Any]) -> str:
    """Tables of each part and measure, the bounds, the cost."""
    texts = [_made_on(content)]
    for part in content["parts"]:
        for measure in part["measures"]:
            name, digits = MEASURES[measure]
            texts += [f"### {part['title']}: {name}", _levels(part["rows"], measure, digits)]
            if part["rows"][0]["differences"]:
                texts += [PAIRED, _differences(part["rows"], measure)]
        texts += [_facts(part)] if part["rows"][0]["facts"] else []
    texts += ["### Bounds", bounds_table(content["bounds"]), "### Cost", _costs(content)]
    return "\n\n".join(texts) + "\n"


def write_section(page: Path, heading: str, body: str) -> None:
    """Put `body` in place of what a Markdown page has between a ``## heading`` and the next one."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(^## {re.escape(heading)}\n).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no section '## {heading}'")
    write_text(page, pattern.sub(lambda found: f"{found[1]}\n{body}\n", text, count=1))


def _made_on(content: Mapping[str, Any]) -> str:
    machine, versions = content["machine"], content["versions"]
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}; Python {versions['python']}, "
        f"torch {versions['torch']}, numpy {versions['numpy']}, deepfactor {versions['deepfactor']}."
    )


def _levels(rows: Sequence[Mapping[str, Any]], measure: str, digits: int) -> str:
    """A row a market and seed, a column an arm, then what is measured beside; means below."""
    found = [{**row["arms"], **row["beside"]} for row in rows]
    values = np.array([[entry[name][measure] for name in found[0]] for entry in found], dtype=np.float64)
    lines = [[_place(row), *(number(v, digits) for v in line)] for row, line in zip(rows, values, strict=True)]
    mean = ["mean", *(number(v, digits) for v in values.mean(axis=0))]
    return table(["market, seed", *found[0]], [*lines, mean])


def _differences(rows: Sequence[Mapping[str, Any]], measure: str) -> str:
    """A row a market and seed, a column a pair of arms: mean daily difference and t; means and signs below."""
    head = [f"{entry['first']} − {entry['second']}" for entry in rows[0]["differences"]]
    values = np.array([[entry[measure] for entry in row["differences"]] for row in rows], dtype=np.float64)
    lines = [
        [_place(row), *(f"{number(e[measure], 4)} ({number(e[measure + '_t'], 1)})" for e in row["differences"])]
        for row in rows
    ]
    mean = ["mean", *(number(value, 4) for value in values.mean(axis=0))]
    above = ["above 0", *(f"{(v > 0).sum()} of {np.isfinite(v).sum()}" for v in values.T)]
    return table(["market, seed", *head], [*lines, mean, above])


def _facts(part: Mapping[str, Any]) -> str:
    """Numbers of each market."""
    of = {row["market"]: row["facts"] for row in part["rows"]}
    names = list(part["rows"][0]["facts"])
    return table(["market", *names], [[str(m), *(number(its[name], 3) for name in names)] for m, its in of.items()])


def _costs(content: Mapping[str, Any]) -> str:
    """Jobs of each part and arm, and their mean training CPU-seconds; of all the sum."""
    spent: dict[tuple[str, str], list[float]] = {}
    for part in content["parts"]:
        for row in part["rows"]:
            for arm, numbers in row["arms"].items():
                spent.setdefault((part["part"], arm), []).append(numbers["cpu"])
    lines = [[f"{part}: {arm}", str(len(cpu)), number(float(np.mean(cpu)), 0)] for (part, arm), cpu in spent.items()]
    total = ["all, sum", str(sum(map(len, spent.values()))), number(sum(map(sum, spent.values())), 0)]
    return table(["training", "jobs", "CPU-s a job"], [*lines, total])


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['market']}, {row['seed']}"
