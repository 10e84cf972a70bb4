"""Which build of torch `make` installs: your package index's, or the CPU's where that brings CUDA and no GPU is here.

On Linux x86-64 PyPI's torch brings CUDA along, some 4 GB. `TORCH=pypi` takes it all the same, `TORCH_INDEX` names
another place of CPU wheels (a mirror). The index is asked what it would give, which loads no wheel where it knows its
wheels.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

#: Where PyTorch keeps the CPU builds, which are not on PyPI.
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile")
VERSION = re.compile(r"^torch==(\S+)", re.MULTILINE)


def main() -> int:
    """Install torch; the exit code."""
    found = VERSION.search(Path("constraints.txt").read_text(encoding="utf-8"))
    assert found is not None, "constraints.txt pins torch"
    wanted = f"torch=={found[1]}"
    place, why = choice(os.environ, gpu=sees_gpu(), cuda=lambda: brings_cuda(wanted))
    print(f"{wanted}: {why}; the longest part, a minute or so", flush=True)
    where = ("--index-url", place, "--retries", "1", "--timeout", "20") if place else ()
    code = subprocess.run([*PIP, "--constraint", "constraints.txt", *where, wanted], check=False).returncode
    if code and place:
        print(
            f"{wanted} can't be had from {place}: name a mirror of it (make TORCH_INDEX=…), or take your package "
            "index's, with CUDA (make TORCH=pypi)",
            file=sys.stderr,
        )
    return code


def choice(environment: Mapping[str, str], *, gpu: bool, cuda: Callable[[], bool]) -> tuple[str | None, str]:
    """Another place to take torch from, None = the package index; and why, in words.

    `cuda` says whether the package index's build brings CUDA along; it is asked only where that decides.
    """
    if environment.get("TORCH") == "pypi":
        return None, "your package index's build, as TORCH=pypi says"
    if gpu:
        return None, "your package index's build, for the NVIDIA GPU that is here"
    if not cuda():
        return None, "your package index's build, which is for processors"
    place = environment.get("TORCH_INDEX") or CPU_WHEELS
    return place, f"no NVIDIA GPU is here: the build for processors, some 200 MB, from {place}"


def sees_gpu() -> bool:
    """Whether a driver of NVIDIA's lists a GPU."""
    driver = shutil.which("nvidia-smi")
    return driver is not None and b"GPU" in subprocess.run([driver, "-L"], capture_output=True, check=False).stdout


def brings_cuda(wanted: str) -> bool:
    """Whether the package index's build of `wanted` has needs of NVIDIA's."""
    asked = ("--dry-run", "--ignore-installed", "--no-deps", "--report", "-")
    said = subprocess.run([*PIP, *asked, wanted], stdout=subprocess.PIPE, check=False)
    return said.returncode == 0 and needs_cuda(said.stdout)


def needs_cuda(report: bytes) -> bool:
    """The same of pip's report: markers of other systems say nothing of this one, so Linux on x86-64 alone is asked."""
    if (sys.platform, os.uname().machine) != ("linux", "x86_64"):
        return False
    needs = [need for one in json.loads(report)["install"] for need in one["metadata"].get("requires_dist", ())]
    return any(re.match(r"(nvidia|cuda|triton)\b", need) for need in needs if "extra ==" not in need)


if __name__ == "__main__":
    sys.exit(main())
