"""What is wrong with a market that is on disk: damaged parts, what ingest looks for, gaps against the calendar."""

from __future__ import annotations

import polars as pl

from deepfactor.core.checksums import DIFFERS
from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks import Basis, Finding, check_tables, last_day
from deepfactor.store.content import content_hash
from deepfactor.store.folder import MarketFolder, read_part

_DAMAGED = Sentence(
    "{file} {why}: ingest the market into a new folder", "文件{file}与写入时不符（{why}）：请将市场数据重新导入新文件夹"
)
_GAPS = Sentence("trading days without any price", "交易日历中有日期没有任何行情")
_OFF = Sentence("days with prices lack here", "有行情的日期不在交易日历中")


def audit_tables(folder: MarketFolder) -> list[Finding]:
    """All findings of the tables of `folder`, errors first."""
    findings, tables = [], {}
    for name, parts in folder.manifest.tables.items():
        frames = []
        wrong = folder.damaged_parts(name, parts, always=True)
        for part in parts:
            file = folder.part_file(name, part)
            if part in wrong:
                message = _DAMAGED.filled(file=file.name, why=wrong[part])
                findings.append(Finding("error", "damaged", name, None, part.rows, message))
                continue
            try:
                frame = read_part(file)
            except DataError as error:
                findings.append(Finding("error", "damaged", name, None, part.rows, Text(str(error))))
                continue
            if content_hash(frame) != part.content:
                message = _DAMAGED.filled(file=file.name, why=DIFFERS)
                findings.append(Finding("error", "damaged", name, None, part.rows, message))
            frames.append(frame)
        if frames:
            tables[name] = pl.concat(frames)
    if findings:
        return findings
    source = folder.manifest.source
    simulated = bool(source.get("simulated"))
    findings = check_tables(tables, basis=Basis.of(source), last=last_day(source), simulated=simulated)
    findings += _calendar_gaps(tables["daily"]["date"].unique().sort(), tables["calendar"]["date"].unique().sort())
    return sorted(findings, key=lambda finding: finding.severity)


def _calendar_gaps(days: pl.Series, calendar: pl.Series) -> list[Finding]:
    """Days of the calendar without any price, and days with prices that the calendar doesn't know."""
    span = calendar.filter((calendar >= days[0]) & (calendar <= days[-1]))
    out = []
    for code, table, lacking, message in (
        ("calendar_gap", "daily", span.filter(~span.is_in(days.implode())), _GAPS),
        ("off_calendar", "calendar", days.filter(~days.is_in(calendar.implode())), _OFF),
    ):
        if len(lacking):
            examples = tuple(str(day) for day in lacking.head(5))
            out.append(Finding("warning", code, table, "date", len(lacking), message, None, examples))
    return out
