"""What of a run failed, and why: ``failures.json``, absent where nothing did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_json
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.runs.written import is_there


@dataclass(frozen=True)
class Failure:
    """A part of a run that isn't there.

    Attributes
    ----------
    stage : "scores", "combination", "factor_test", "correlation", "paired", "oracle", "portfolio", "page" or "workbook"
    what : which one: an arm, a portfolio, a section of the page
    message : why, in the user's words
    code : 2 = recipe or data, 1 = a fault of ours
    log : file of the run's folder with the traceback of a fault of ours
    """

    stage: str
    what: str
    message: str
    code: int
    log: str | None = None

    @property
    def line(self) -> str:
        """For a terminal."""
        place = f"; traceback in {self.log}" if self.log else ""
        return f"{self.stage.replace('_', ' ')} of {self.what}: {self.message}{place}"


def write_failures(folder: RunFolder, failures: Sequence[Failure]) -> None:
    """Write ``failures.json``, or remove it where nothing failed."""
    if failures:
        write_json(folder.failures, [asdict(one) for one in failures])
    else:
        folder.failures.unlink(missing_ok=True)


def read_failures(folder: RunFolder) -> tuple[Failure, ...]:
    """What failed when the run was last made.

    Raises
    ------
    DataError
        ``failures.json`` is broken.
    """
    if not is_there(folder.failures):
        return ()
    try:
        return tuple(Failure(**one) for one in read_json(folder.failures))
    except TypeError as error:
        raise DataError(f"is no list of failures ({error}): repeat the run", file=folder.failures) from None


def exit_code(failures: Iterable[Failure]) -> int:
    """0 = nothing failed; 1 where one is a fault of ours, else 2."""
    return min((one.code for one in failures), default=0)


def as_json(failures: Iterable[Failure]) -> list[dict[str, str | int | None]]:
    """For ``--json``."""
    return [asdict(one) for one in failures]
