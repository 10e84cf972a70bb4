"""The environment of the benchmarks, which is the one that the trainer gives its workers; read when Python starts."""

from __future__ import annotations

import os
import sys

#: One thread, and big temporaries that are reused.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}


def settle(module: str) -> None:
    """Start ``python -m module`` anew in `ENVIRONMENT`, with the same arguments, unless this process has it."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], os.environ | ENVIRONMENT)
