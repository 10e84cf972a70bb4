"""What made the page: machine, versions, time and memory, and the recipe as it was resolved."""

from __future__ import annotations

from deepfactor.core.words import Text
from deepfactor.report.content import RunContent
from deepfactor.report.making import Maker
from deepfactor.report.press.blocks import Block, Fact, Facts, Folded, Said, Section, Tables, columns
from deepfactor.report.press.facts import flat
from deepfactor.report.press.tables import Table, label_cells, make, value_cell
from deepfactor.report.press.words import words

ORDER = 120


def section(content: RunContent, make: Maker) -> Section:
    """Facts beside the stages; the recipe folded in."""
    facts, recipe = make.many(made_with, content), make.many(flat, content.recipes or content.recipe)
    cost = make.all((stages, content))
    note = Said(
        Text("report.xlsx beside this file holds the same numbers.", "同名文件夹内的report.xlsx含相同数字。"), "note"
    )
    folded: tuple[Block, ...] = (
        (Folded(Text("Recipe as resolved", "完整配方"), (Facts(recipe, code=True),)),) if recipe else ()
    )
    return Section(Text("Made with", "运行环境"), (note, columns([Facts(facts, code=True)], [Tables(cost)]), *folded))


def made_with(content: RunContent) -> list[Fact]:
    """Machine and versions."""
    environment = content.environment
    facts = [*flat(environment.get("machine", {})), *flat(environment.get("versions", {}))]
    return [(Text(key, words().term(key).zh) if key in words().terms else key, value) for key, value in facts]


def stages(content: RunContent) -> Table | None:
    """Wall and CPU time and memory by stage."""
    rows = [
        (
            *label_cells(words().term(row["stage"])),
            value_cell(row, "wall_s", "seconds"),
            value_cell(row, "cpu_s", "seconds"),
            value_cell(row, "peak_mib", "count"),
        )
        for row in content.environment.get("stages", ())
    ]
    return make("stages", Text("Time and memory", "用时与内存"), ("stage", "wall_s", "cpu_s", "peak_mib"), rows)
