"""What can go wrong, as one tree. The exit code of the command line hangs on the branch.

::

    DeepfactorError
    ├── UserError        exit 2: wrong use, recipe or data; the message says where and what to do
    │   ├── RecipeError      a recipe or setting: names the key
    │   ├── DataError        a table, file or market: names file, row, column
    │   │   └── DamagedFile      a file of ours that doesn't hold what was written
    │   ├── KindError        an unknown or malformed kind
    │   └── InUse            another process writes there
    └── Interrupted      exit 3: stopped by the user or out of resources; the run can be resumed
        ├── OutOfResources
        └── Unanswered       a vendor gives no answer, or none yet

Anything else is a fault of ours: exit 1 with a traceback.
"""

from __future__ import annotations

from pathlib import Path


class DeepfactorError(Exception):
    """Root of everything that deepfactor raises on purpose."""

    exit_code = 1


class UserError(DeepfactorError):
    """The user can mend this: wrong use, recipe or data."""

    exit_code = 2


class RecipeError(UserError):
    """A recipe or a setting is wrong. `key` is its dotted path, as in ``arms.0.model.kind``."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        self.key = key
        super().__init__(f"{key}: {message}" if key else message)


class KindError(RecipeError):
    """A kind that does not exist or does not keep its room's contract."""


class DataError(UserError):
    """A table, a file or a market is wrong; says where."""

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | str | None = None,
        column: str | None = None,
        table: str | None = None,
    ) -> None:
        self.file, self.table, self.row, self.column = file, table, row, column
        where = [f"file {file}"] if file is not None else []
        where += [f"table {table}"] if table is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"column {column}"] if column is not None else []
        super().__init__(f"{', '.join(where)}: {message}" if where else message)


class DamagedFile(DataError):
    """A file that deepfactor wrote doesn't hold what was written; who can make it again catches this."""


class InUse(UserError):
    """Another process, here or on another machine, writes what this one was to write."""


class Interrupted(DeepfactorError):
    """Stopped by the user; what is finished stays, the same command goes on."""

    exit_code = 3


class OutOfResources(Interrupted):
    """Disk or memory ran out; what was there before is intact."""


class Unanswered(Interrupted):
    """A vendor gives no answer, or none yet; what was fetched stays, the same command goes on."""
