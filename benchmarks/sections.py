"""Measures sections one after the other and writes their page."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.page import page
from benchmarks.timing import Line
from deepfactor.core.files import write_text
from deepfactor.runs.environment import machine, versions


def write_sections(results: Path, ways: Mapping[str, Callable[[], list[Line]]], intro: str, notes: str) -> None:
    """Measure the sections that the command line names and print the page; with none named all, and write `results`.

    The page is written after each section, so that a measurement that is stopped leaves what it has.
    """
    before = os.getloadavg()[0]
    wanted = sys.argv[1:] or list(ways)
    sections: dict[str, list[Line]] = {}
    text = ""
    for title in wanted:
        sections[title] = ways[title]()
        print(f"{title}: done after {time.process_time():.0f} CPU-s in all", file=sys.stderr, flush=True)
        load = (before, os.getloadavg()[0])
        facts = {"machine": machine(), "versions": versions(), "load": load, "cpu": time.process_time()}
        missing = [f"\nNot measured: {', '.join(rest)}.\n"] if (rest := [t for t in ways if t not in sections]) else []
        text = page(sections, facts, "".join([intro, *missing]), notes)
        if wanted == list(ways):
            write_text(results, text)
    print(results if wanted == list(ways) else text)
