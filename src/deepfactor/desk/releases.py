"""Who let which orders out: a log beside the rebalances, a line a release, one release an evening."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TypedDict

from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import folder_lock, write_text
from deepfactor.desk.files import read_folder
from deepfactor.desk.record import NAME, RebalanceFile, RebalanceRecord

#: Beside the folders of the rebalances.
LOG = "releases.jsonl"
_LONGEST = 100


class ReleaseRecord(TypedDict):
    """A line of ``releases.jsonl``; `book` and `trades` hash the account and the orders that were let out."""

    date: str
    trade_date: str | None
    rebalance: str
    by: str
    at: str
    market: str
    factor: str
    scores: str
    book: str
    trades: str


def release(folder: Path, by: str) -> ReleaseRecord:
    """Let the orders of a rebalance's folder out, in the name of `by`; its line of the log. Twice is once.

    Raises
    ------
    DataError
        another rebalance of the evening is out already, nobody's name, or the folder isn't whole.
    """
    name = by.strip()
    if not name or not name.isprintable() or len(name) > _LONGEST:
        raise DataError(f"{by!r} is nobody's name: say who lets the orders out (--by)")
    content: RebalanceFile = read_folder(folder, NAME, "rebalance", RebalanceRecord.__annotations__)
    log = folder.absolute().parent / LOG
    with folder_lock(log.parent):
        lines = _read(log)
        for earlier in (line for line in lines if line["date"] == content["date"]):
            if earlier["rebalance"] == content["key"]:
                return earlier
            raise DataError(
                f"orders of {earlier['date']} are out already: {earlier['rebalance']}, by {earlier['by']} at "
                f"{earlier['at']}; an evening has one release",
                file=log,
            )
        line: ReleaseRecord = {
            "date": content["date"],
            "trade_date": content["trade_date"],
            "rebalance": content["key"],
            "by": name,
            "at": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
            "market": content["market"],
            "factor": content["factor"],
            "scores": content["scores"],
            "book": content["files"]["book.csv"],
            "trades": content["files"]["trades.csv"],
        }
        write_text(log, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (*lines, line)))
    return line


def released(folder: Path, key: str) -> ReleaseRecord | None:
    """The release of the rebalance `key` in `folder`; None = it is a draft."""
    return next((line for line in _read(folder.absolute().parent / LOG) if line["rebalance"] == key), None)


def _read(log: Path) -> list[ReleaseRecord]:
    if not log.is_file():
        return []
    try:
        lines: list[ReleaseRecord] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            if missing := ReleaseRecord.__annotations__.keys() - line.keys():
                raise ValueError(f"a line lacks {', '.join(sorted(missing))}")
    except (ValueError, AttributeError) as error:
        raise DamagedFile(f"is no log of releases ({error}): put it back as it was", file=log) from None
    return lines
