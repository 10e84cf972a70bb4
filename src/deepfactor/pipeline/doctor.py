"""What this installation is and can do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from deepfactor.runs.environment import machine, versions

OPTIONAL = {
    "duckdb": "source sql on a DuckDB file: pip install 'deepfactor[sql]'",
    "sqlalchemy": "source sql on other databases: pip install 'deepfactor[sql]'",
    "fastexcel": "spreadsheets of vendors: pip install 'deepfactor[excel]'",
}


def doctor() -> dict[str, Mapping[str, object]]:
    """By subject: versions, device, kernels in use and why, threads, memory, disk, what is optional and absent."""
    import torch

    from deepfactor.models import _kernels

    gru = _kernels.choice()
    return {
        "versions": versions(),
        "machine": machine() | {"disk_free_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1)},
        "torch": {
            "device": "cpu",
            "cuda_seen": torch.cuda.is_available(),
            "why": "training runs on the processor, one process a job, one thread each, unless run is given --device",
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        },
        "kernels": {
            "gru": _kernels.kernel_in_use(),
            "why": gru.why,
        },
        "environment": {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")},
        "optional": {name: _optional(name, use) for name, use in OPTIONAL.items()},
    }


def _optional(name: str, use: str) -> str:
    return metadata.version(name) if find_spec(name) else f"absent ({use})"
