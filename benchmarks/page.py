"""Sections of measurements as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.timing import Line


def page(sections: Mapping[str, Sequence[Line]], facts: Mapping[str, Any], intro: str, notes: str) -> str:
    """Markdown of all sections."""
    machine, versions = facts["machine"], facts["versions"]
    head = [
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"load average {facts['load'][0]:.1f} at the start, {facts['load'][1]:.1f} at the end (above 0 at the start = "
        "others were at work on it).",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        f"The whole took {facts['cpu']:.0f} CPU-seconds.",
    ]
    body = [f"## {title}\n\n{_table(lines)}" for title, lines in sections.items()]
    return "\n\n".join([intro.rstrip(), *head, *body, notes.rstrip()]) + "\n"


def _table(lines: Sequence[Line]) -> str:
    rows = [
        "| job | size | ours | other | other's | other ÷ ours | wanted |",
        "| --- | --- | ---: | --- | ---: | --- | --- |",
    ]
    for line in lines:
        ratio = "" if line.ratio is None else f"**{line.ratio:.2f}** ({line.low:.2f} to {line.high:.2f})"
        cells = [line.job, line.size, _time(line.ours), line.other, _time(line.seconds), ratio, line.target]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"
