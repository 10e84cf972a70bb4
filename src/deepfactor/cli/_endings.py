"""How a verb ends that leaves a run's folder: its result, and what of it failed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deepfactor.cli.language import spoken
from deepfactor.cli.options import show

if TYPE_CHECKING:
    from deepfactor.runs.failures import Failure


def finish(
    path: Path,
    content: Mapping[str, object],
    as_json: bool,
    *lines: str,
    failures: Sequence[Failure] | None = None,
) -> None:
    """Show the result; where parts of the run failed (of those asked for: `failures`), list them on standard error and
    end with their exit code."""
    from deepfactor.runs.failures import as_json as listed
    from deepfactor.runs.failures import exit_code, read_failures
    from deepfactor.runs.layout import RunFolder

    folder = RunFolder(path)
    failures = read_failures(folder) if failures is None else failures
    page = (f"report: {folder.report}",) if folder.report.is_file() else ()
    show({**content, "failures": listed(failures)}, as_json, *lines, *page)
    if failures:
        head = spoken(f"{len(failures)} of the run's parts are missing:")
        text = "\n".join(f"  {spoken(one.line)}" for one in failures)
        print(f"deepfactor: {head}\n{text}", file=sys.stderr, flush=True)
        raise typer.Exit(exit_code(failures))
