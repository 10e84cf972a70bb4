"""What a core can do: fused multiply-adds on registers alone, by `fma_peak.c`, on the path that the kernel takes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepfactor.models import _kernels

_SOURCE = Path(__file__).with_name("fma_peak.c")
_ROUNDS = 20_000_000


class Peak:
    """Called, it works at the peak for a while; then `floor` says what some work would take at it."""

    def __init__(self, path: str, work: Any) -> None:
        self.path = path
        self._work = work
        self._operations = float("nan")

    def __call__(self) -> None:
        self._operations = self._work(self.path.encode(), _ROUNDS)

    def floor(self, seconds: Sequence[float], operations: float) -> list[float]:
        """What `operations` (a multiply-add is two) would have taken in each round, of the rounds' own `seconds`."""
        return [each * operations / self._operations for each in seconds]


@contextmanager
def fma_peak() -> Iterator[Peak | None]:
    """The peak of the kernel's path; None where there is no kernel or no compiler."""
    kernel, compiler = _kernels.choice().kernel, shutil.which("cc")
    if kernel is None or compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "fma_peak.so"
        subprocess.run([compiler, "-O3", "-fPIC", "-shared", _SOURCE, "-o", library], check=True)
        work = ctypes.CDLL(str(library)).fma_peak
        work.argtypes, work.restype = [ctypes.c_char_p, ctypes.c_long], ctypes.c_double
        yield Peak(kernel.path, work)
