"""Warnings of a market that goes on."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from deepfactor.store.checks import OF_HISTORY, Finding, FindingRecord
from deepfactor.store.checks.twins import TWINS, bar_columns, check_twins
from deepfactor.store.folder import MarketFolder, plain

#: Examples that a warning keeps, the newest first.
_EXAMPLES = 5


def twins_anew(held: MarketFolder, now: list[Finding], daily: pl.DataFrame) -> list[Finding]:
    """Findings of now, that of twins (if there is one, or was) over all days: of those held and those in `daily`."""
    if not any(one.code == TWINS for one in now) and not any(one["code"] == TWINS for one in held.manifest.warnings):
        return now
    columns = ["date", "symbol", *bar_columns(daily.columns)]
    before = held.read("daily", columns).join(daily.select(pl.col("date").unique()), on="date", how="anti")
    fetched = daily.select(pl.col(name).cast(dtype) for name, dtype in before.schema.items())
    return [*check_twins(pl.concat([before, fetched])), *(one for one in now if one.code != TWINS)]


def joined_warnings(
    held: MarketFolder,
    now: list[Finding],
    new: list[Finding],
    left_out: Collection[str],
    moves: list[Finding] | None,
) -> tuple[FindingRecord, ...]:
    """Warnings of the whole: those of rows of `daily` add up, the others are as they are now.

    `new`: of the rows of new days alone. `moves`: of all days anew (see `_moves_anew`), or None where those of the new
    days add up.
    """
    by_row = {(w["code"], w["column"]): w.copy() for w in held.manifest.warnings if _of_daily_rows(w)}
    if moves is not None:
        by_row = {key: warning for key, warning in by_row.items() if key[0] not in OF_HISTORY}
        now = [one for one in now if one.code not in OF_HISTORY]
    of_moves = [one for one in (now if moves is None else moves) if one.code in OF_HISTORY]
    for one in [*new, *of_moves]:
        warning = one.record()
        if _of_daily_rows(warning):
            none: FindingRecord = {**warning, "count": 0, "row": None, "examples": []}
            before = by_row.setdefault((one.code, one.column), none)
            before["count"] += one.count
            before["examples"] = [*one.examples, *before["examples"]][:_EXAMPLES]
    others = [one.record() for one in now if not (one.table == "daily" and one.code in {c for c, _ in by_row})]
    others += [w.copy() for w in held.manifest.warnings if w["table"] in left_out]
    return tuple(plain([*by_row.values(), *others]))


def _of_daily_rows(warning: FindingRecord) -> bool:
    """Whether a warning counts rows of `daily` (not symbols, and no statement on the table as a whole)."""
    return bool(warning["table"] == "daily" and warning["column"] != "symbol" and warning["code"] != "strange_turnover")
