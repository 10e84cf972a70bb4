"""What a result was made with: versions, machine, data, and each stage's wall, CPU time and peak memory."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import NotRequired, TypedDict

from deepfactor.core.errors import DataError
from deepfactor.core.files import write_json
from deepfactor.core.version import __version__
from deepfactor.runs.results import read_json
from deepfactor.store.checks import FindingRecord

PACKAGES = ("torch", "numpy", "scipy", "polars", "highspy", "pydantic", "safetensors", "plotly")


class SaidFinding(FindingRecord):
    """A finding of the data audit, and what the run's warnings say of it."""

    said: str


class HoldoutRecord(TypedDict):
    """A market's locked holdout: first locked day; how many days were left out for it; null, or the number of the
    opening that these results are made by."""

    start: str
    locked_days: int
    opened: int | None


class MarketRecord(TypedDict, total=False):
    """What results say of their data; runs of earlier versions say less. `holdout`: where the market has one."""

    holdout: HoldoutRecord

    source: str
    name: str
    simulated: bool
    fingerprint: str
    span: list[str]
    stocks: int
    days: int
    cap: str
    settings: Mapping[str, object]
    derived: list[str]
    derived_index_weights: list[str]
    index_weights: Mapping[str, str]
    dropped: dict[str, int]
    notes: list[str]
    findings: list[SaidFinding]


class StageRecord(TypedDict):
    """Wall and CPU seconds of a stage (children included), and the peak memory of the largest process so far."""

    stage: str
    wall_s: float
    cpu_s: float
    peak_mib: int


class EnvironmentFile(TypedDict):
    """``environment.json``; `earlier` are the `stages` of earlier calls, oldest first."""

    versions: NotRequired[Mapping[str, str]]
    machine: NotRequired[Mapping[str, str | int | float]]
    market: MarketRecord
    warnings: NotRequired[list[str]]
    stages: NotRequired[list[StageRecord]]
    earlier: NotRequired[list[object]]


def versions() -> dict[str, str]:
    """Versions of deepfactor, Python and the packages that numbers depend on."""
    return {"deepfactor": __version__, "python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}


def machine() -> dict[str, str | int | float]:
    """Operating system, processor, cores that this process may use, memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as handle:
        names = [line.split(":", 1)[1].strip() for line in handle if line.startswith("model name")]
    return names[0] if names else platform.machine()


@dataclass(frozen=True)
class StageCost:
    """Wall and CPU seconds of a stage (children included), and the peak memory of the largest process so far."""

    stage: str
    wall_s: float
    cpu_s: float
    peak_mib: int

    def record(self) -> StageRecord:
        """As ``environment.json`` has it."""
        return {"stage": self.stage, "wall_s": self.wall_s, "cpu_s": self.cpu_s, "peak_mib": self.peak_mib}


@dataclass
class Stages:
    """What each stage cost, in order.

    `earlier`: the stages of earlier calls as written, oldest first: a repeated run trains nothing, and its cost says
    nothing.
    """

    rows: list[StageCost] = field(default_factory=list)
    earlier: list[object] = field(default_factory=list)

    @classmethod
    def after(cls, environment: Path, tell: Callable[[str], None]) -> Stages:
        """None yet, after those that ``environment.json`` knows; `tell` is told where it can't be read."""
        if not environment.is_file():
            return cls()
        try:
            before = read_json(environment)
            return cls(earlier=[*before.get("earlier", []), *([before["stages"]] if "stages" in before else [])])
        except (DataError, TypeError, AttributeError) as error:
            tell(f"what earlier calls cost is lost: {error}")
            return cls()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage."""
        wall, cpu = time.perf_counter(), _cpu()
        yield
        wall, cpu = time.perf_counter() - wall, _cpu() - cpu
        self.rows.append(StageCost(name, round(wall, 2), round(cpu, 2), round(peak_memory() / 2**20)))


def _cpu() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def peak_memory() -> int:
    """Largest resident set of this process or any ended child, in bytes."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def write_environment(
    path: Path,
    market: MarketRecord,
    warnings: Sequence[str],
    stages: Stages,
    *,
    kernel: str | None = None,
    device: str | None = None,
) -> None:
    """Write ``environment.json``: versions, machine, the market's account, warnings, what each stage cost.

    `kernel`, `device`: what networks were computed with, where any was; another one gives other last digits.
    """
    used = {name: value for name, value in (("gru_kernel", kernel), ("device", device)) if value is not None}
    content: EnvironmentFile = {
        "versions": versions(),
        "machine": machine() | used,
        "market": market,
        "warnings": list(warnings),
        "stages": [row.record() for row in stages.rows],
        "earlier": stages.earlier,
    }
    write_json(path, content)
