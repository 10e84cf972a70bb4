"""``python -m research.run_tables RUN TABLE [TABLE …]``: tables of a page as Markdown, as pages of docs quote them.

A table is named as in ``report.json``; ``TABLE:column,column`` prints some of its columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deepfactor.core.choices import choices
from deepfactor.core.errors import UserError
from deepfactor.pipeline.pages import load_content
from deepfactor.report.page import page_of
from deepfactor.report.press.tables import Table
from deepfactor.runs.layout import RunFolder


def markdown(table: Table, wanted: Sequence[str]) -> str:
    """A table, or its `wanted` columns."""
    keys = [metric.key for metric in table.columns]
    if unknown := [key for key in wanted if key not in keys]:
        raise UserError(f"table {table.id} has no column {unknown[0]!r}: {choices(unknown[0], keys)}")
    shown = [keys.index(key) for key in wanted] or range(len(keys))
    heads = [_head(table, k) for k in shown]
    rows = [[row[k].text for k in shown] for row in table.rows]
    lines = [heads, ["---"] * len(heads), *rows]
    return f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(table: Table, k: int) -> str:
    metric = table.columns[k]
    return f"{metric.label} ({metric.unit})" if metric.unit else str(metric.label)


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("tables", nargs="+")
    given = parser.parse_args()
    made = {table.id: table for table in page_of(load_content(RunFolder.open(given.run))).tables()}
    for one in given.tables:
        name, _, wanted = one.partition(":")
        if name not in made:
            raise SystemExit(f"no table {name!r}: {choices(name, made)}")
        print(markdown(made[name], [key for key in wanted.split(",") if key]), end="\n\n")


if __name__ == "__main__":
    main()
