"""What is wrong with a set of tables, each kind of fault with its count and example rows. An error stops ingest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis, PricesAccount
from deepfactor.store.checks.boards import check_boards
from deepfactor.store.checks.days import TABLES_OF_DAYS, check_days, last_day
from deepfactor.store.checks.finding import Finding, FindingRecord, rows_where
from deepfactor.store.checks.form import check_form, check_keys, strictly_ascending
from deepfactor.store.checks.history import OF_HISTORY, check_history
from deepfactor.store.checks.levels import check_levels
from deepfactor.store.checks.members import check_across, check_intervals
from deepfactor.store.checks.prices import check_prices
from deepfactor.store.checks.twins import check_twins
from deepfactor.store.checks.units import TICK
from deepfactor.store.checks.weights import check_weights
from deepfactor.store.schema import TABLES

__all__ = [
    "OF_HISTORY",
    "TICK",
    "Basis",
    "Finding",
    "FindingRecord",
    "PricesAccount",
    "check_history",
    "check_table",
    "check_tables",
    "last_day",
    "rows_where",
    "strictly_ascending",
]

_RAW = Basis()
_NO_DAILY = Sentence("a market needs the table daily", "市场数据必须有日行情表daily")
_UNKNOWN_TABLE = Sentence("unknown table {table}: there are {known}", "未知的表{table}：已有的表为{known}")
_EARLY = Sentence(
    "is known before its period ends: is it the announcement date?", "公告日早于报告期末，请核对该列是否为公告日"
)


def check_tables(
    tables: Mapping[str, pl.DataFrame],
    *,
    basis: Basis = _RAW,
    priced: Collection[str] = (),
    factored: Collection[str] = (),
    since: date | None = None,
    before: pl.DataFrame | None = None,
    last: date | None = None,
    simulated: bool = False,
) -> list[Finding]:
    """All findings of all tables, errors first. Tables are as a source delivers them; nothing is changed.

    Parameters
    ----------
    basis : what the source says of its prices
    priced : symbols with prices on days that `daily` doesn't reach back to
    factored : those of them with an adjustment factor there
    since : only what moves and what lacks on this day and after; None = all
    before : rows of `daily` ahead of those delivered, for moves to start from
    last : the last possible trading day, see `last_day`; None = any
    simulated : indices have as many members as the market is large, whatever their codes say
    """
    findings: list[Finding] = []
    for name, frame in tables.items():
        of_table = check_table(name, frame, last, basis)
        if name == "daily" and not any(f.severity == "error" for f in of_table):
            rows = frame if before is None else pl.concat([before, frame], how="diagonal_relaxed")
            of_table += check_history(
                rows, basis, tables.get("securities"), since=since, known=priced, factored=factored
            )
            of_table += check_twins(frame)
        findings += of_table
    if "daily" not in tables:
        findings.append(Finding("error", "no_daily", "daily", None, 0, _NO_DAILY))
    if not any(f.severity == "error" for f in findings):
        findings += check_across(tables, priced, by_code=not simulated)
    return sorted(findings, key=lambda f: f.severity)


def check_table(name: str, frame: pl.DataFrame, last: date | None = None, basis: Basis = _RAW) -> list[Finding]:
    """Findings of one table alone: its form first, and its content only where the form is right."""
    if name not in TABLES:
        known = ", ".join(TABLES)
        message = _UNKNOWN_TABLE.filled(table=repr(name), known=known)
        return [Finding("error", "unknown_table", name, None, 0, message)]
    table = TABLES[name]
    findings = check_form(name, table, frame)
    if findings:
        return findings
    findings = check_keys(name, table, frame)
    if name in TABLES_OF_DAYS:
        findings += check_days(name, frame, last)
    if name == "daily":
        findings += check_prices(frame, basis)
        findings += check_boards(frame)
    if name in ("daily", "index_daily"):
        findings += check_levels(name, frame, adjusted=basis.adjusted)
    if name in ("industry", "index_members"):
        findings += check_intervals(name, frame)
    if name == "index_weights":
        findings += check_weights(frame)
    if name == "fundamentals" and "period_end" in frame.columns:
        # A row without a value is no report: it says from when on nothing is known.
        early = (pl.col("known_at") <= pl.col("period_end")) & pl.col("value").is_not_null()
        findings += rows_where("error", "announced_early", name, "known_at", frame, early, _EARLY)
    return findings
