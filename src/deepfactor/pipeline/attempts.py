"""A stage that fails doesn't take the others with it: what failed is noted, and the run goes on."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfactor.core.errors import DeepfactorError, Interrupted
from deepfactor.core.files import write_text
from deepfactor.core.system import RESOURCES, USERS, out_of_memory, system_error
from deepfactor.pipeline.console import Console
from deepfactor.runs.failures import Failure, write_failures
from deepfactor.runs.layout import RunFolder


class Attempts:
    """Runs stages of one run; `failed` is what of them failed, after what is `known` to be missing from before."""

    def __init__(self, folder: RunFolder, console: Console, known: Iterable[Failure] = ()) -> None:
        self.folder, self.console = folder, console
        self.failed = list(known)
        if not self.failed:
            shutil.rmtree(folder.logs, ignore_errors=True)

    @contextmanager
    def attempt(self, stage: str, what: str, *results: Path) -> Iterator[None]:
        """Do a stage; where it fails, note that and remove its `results`, which an earlier run may have left.

        Being stopped, and a machine that has no more memory or disk to give, end the run as anywhere else.
        """
        try:
            yield
        except Interrupted:
            raise
        except Exception as error:
            if out_of_memory(error) or (system_error(error) or (0, ""))[0] in RESOURCES:
                raise
            for path in results:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            self.note(stage, what, error)

    def note(self, stage: str, what: str, error: Exception) -> None:
        """That a stage failed; the traceback of a fault of ours goes into the run's folder."""
        number, words = system_error(error) or (0, "")
        users = isinstance(error, DeepfactorError) and error.exit_code == 2
        if users or number in USERS:
            failure = Failure(stage, what, str(error) if users else words, 2)
        else:
            log = self.folder.logs / f"{len(self.failed) + 1}-{stage}.txt"
            write_text(log, "".join(traceback.format_exception(error)))
            place = str(log.relative_to(self.folder.path))
            failure = Failure(stage, what, f"a fault of ours, {type(error).__name__}: {error}", 1, place)
        self.failed.append(failure)
        self.console.say(f"FAILED: {failure.line}")

    def write(self) -> None:
        """Leave ``failures.json``."""
        write_failures(self.folder, self.failed)
