"""What this installation is and can do."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from deepfactor.runs.environment import machine, versions

#: What an extra is for.
USES = {
    "excel": "mappings that read spreadsheets",
    "sql": "source sql: DuckDB files, PostgreSQL and other databases",
    "vendors": "fetch tushare|baostock",
    "dbf": "order form xt_dbf",
    "serve": "the workbench, deepfactor serve",
    "ray": "run --engine ray: jobs on a cluster",
    "pandas": "frames of pandas in Python",
    "dev": "tests and checks",
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
        "optional": _extras(),
    }


def _extras() -> dict[str, str]:
    """By extra: ``ready``, or what is missing, for what, and how to get it."""
    about = metadata.metadata("deepfactor")
    return {extra: _state(extra) for extra in about.get_all("Provides-Extra") or () if extra != "dev"}


def _state(extra: str) -> str:
    missing = sorted(name for name in _packages(extra) if not _installed(name))
    use = USES.get(extra, "")
    if not missing:
        return f"ready ({use})"
    return f"absent: {', '.join(missing)} ({use}): pip install 'deepfactor[{extra}]'"


def _packages(extra: str) -> list[str]:
    marked = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    wanted = metadata.requires("deepfactor") or ()
    return [re.split(r"[\s\[<>=!~;]", one, maxsplit=1)[0] for one in wanted if marked.search(one)]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
