"""Runs of a recipe that end as one likes: whole, killed at a named write, killed after a time. With what they leave.

``python -m support.killed_training`` imports deepfactor once, then forks for each line of JSON on standard input::

    {"recipe", "market", "out", "workers", "kill": null | number of the write, "victims": "all" | "worker",
     "after": null | CPU seconds, "points": null | file}

and answers ``{"status", "cpu", "orphans"}``: the status as `os.waitstatus_to_exitcode` gives it (−9 = killed), the CPU
seconds of the run and its workers, and how many processes outlived their parent by more than `GRACE` seconds. Times are
CPU time, which a busy machine leaves as it is. With workers the writes that are counted are those of each worker
(spawned, so that this module is imported there too); there "all" kills the parent first, then the worker, and the other
workers have to notice.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from support.killed import TESTS, watch_writes

#: Of seconds and CPU seconds of an epoch or a job: what two runs may differ in.
TIMES = ("seconds", "cpu")
GRACE = 5.0
_ORDER = "DEEPFACTOR_TEST_KILL"
_PR_SET_CHILD_SUBREAPER = 36


class Runs:
    """Does runs one after the other."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.killed_training"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def run(self, recipe: Path, market: Path, out: Path, **how: Any) -> dict[str, Any]:
        """One run; see the module."""
        order = {"recipe": str(recipe), "market": str(market), "out": str(out), "workers": 0}
        order |= {"kill": None, "victims": "all", "after": None, "points": None}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**order, **how}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


@dataclass(frozen=True)
class Scene:
    """An unbroken run: its runs folder, what it left, the names of its writes, CPU seconds of it alone."""

    recipe: Path
    market: Path
    whole: Path
    left: dict[str, Any]
    points: list[str]
    cpu: float

    def number(self, name: str, occurrence: int, side: str) -> int:
        """The write before which to kill."""
        places = [k for k, point in enumerate(self.points, 1) if point == name]
        return places[occurrence - 1] + (side == "after")

    def assert_is_mended(self, runs: Runs, out: Path, point: str) -> None:
        """The same command ends with the bits of an unbroken run, and without litter."""
        ended = runs.run(self.recipe, self.market, out)
        assert ended | {"cpu": 0} == {"status": 0, "orphans": 0, "cpu": 0}, point
        found = left(out)
        assert found.keys() == self.left.keys(), point
        assert [name for name in found if found[name] != self.left[name]] == [], point


def unbroken(runs: Runs, text: str, market: Path, folder: Path) -> Scene:
    """Run the recipe `text` in `folder` from beginning to end."""
    recipe, whole, points = folder / "tiny.toml", folder / "whole", folder / "points"
    recipe.write_text(text)
    ended = runs.run(recipe, market, whole, points=str(points))
    assert (ended["status"], ended["orphans"]) == (0, 0)
    return Scene(recipe, market, whole, left(whole), points.read_text(encoding="utf-8").splitlines(), ended["cpu"])


def left(runs: Path) -> dict[str, Any]:
    """What a run and its jobs left, without times, what was printed and what it cost; temporaries count."""
    found: dict[str, Any] = {}
    for path in sorted(p for p in runs.rglob("*") if p.is_file()):
        name = str(path.relative_to(runs))
        # of checksums: they are those of the times too
        if path.name in (
            ".lock",
            ".lease",
            "run.log",
            "environment.json",
            "error.txt",
            "checksums.json",
            "stages.json",
        ):
            continue
        if path.stem in ("report", "index"):
            continue
        if path.name == "checkpoint.safetensors":  # its note holds the log's times
            found[name] = {key: value.tobytes() for key, value in load_file(path).items()}
        elif path.name == "trained.json":  # its checksums are those of the times too
            found[name] = _timeless(json.loads(path.read_text(encoding="utf-8"))["record"])
        elif path.name in ("log.jsonl", "done", "training.json"):
            found[name] = [_timeless(json.loads(text)) for text in _texts(path)]
        else:
            found[name] = path.read_bytes()
    return found


def _texts(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _timeless(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _timeless(value) for key, value in content.items() if key not in TIMES}
    return [_timeless(value) for value in content] if isinstance(content, list) else content


def _watch(order: dict[str, Any]) -> None:
    """In the process that trains: this one, or a worker."""
    me = os.getpid()
    victims = [me] if order["victims"] == "worker" or order["workers"] == 0 else [os.getppid(), me]

    def die() -> None:
        for pid in victims:
            os.kill(pid, signal.SIGKILL)

    watch_writes(order["out"], order["kill"], order["points"], die)


def _run(order: dict[str, Any]) -> int:
    """In a fork: one run, by the functions of ``deepfactor run``; its exit code."""
    from deepfactor.core.errors import DeepfactorError
    from deepfactor.pipeline import experiment
    from deepfactor.pipeline.markets import open_market
    from deepfactor.recipe import load_recipe

    if order["workers"] == 0:
        _watch(order)
    else:
        os.environ[_ORDER] = json.dumps(order)
    try:
        recipe, market = load_recipe(order["recipe"]), open_market(Path(order["market"]))
        experiment.run(recipe, market, Path(order["out"]), workers=order["workers"])
    except DeepfactorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _orphans() -> int:
    """Wait for adopted grandchildren; how many are still there after the grace."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if not pid:
            time.sleep(0.01)
    return sum(1 for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == os.getpid())


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def _await(child: int, after: float | None) -> int:
    """Wait for the run, or kill it once it and its workers have used so much CPU time; its status."""
    while after is not None:
        pid, ended = os.waitpid(child, os.WNOHANG)
        if pid:
            return ended
        if sum(map(_cpu, (child, *_workers(child)))) >= after:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.001)
    return os.waitpid(child, 0)[1]


def _workers(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _cpu(pid: int) -> float:
    """CPU seconds of a process, to a nanosecond."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3): finer than /proc/PID/stat
    except OSError:
        return 0.0


def serve() -> None:
    """Fork for each order; orphans come to this process, which thus sees whether they end."""
    import deepfactor.pipeline.experiment
    import deepfactor.report.page  # noqa: F401
    from deepfactor.recipe import load_recipe

    load_recipe("demo")  # imports the kinds
    warm: set[str] = set()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        order = json.loads(line)
        if order["market"] not in warm:
            _warm(Path(order["market"]))
            warm.add(order["market"])
        before = _children_cpu()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _run(order)
            finally:
                os._exit(status)
        ended = _await(child, order["after"])
        answer = {"status": os.waitstatus_to_exitcode(ended), "orphans": _orphans()}
        print(json.dumps(answer | {"cpu": _children_cpu() - before}), flush=True)


def _warm(market: Path) -> None:
    """Make once, for all runs on a market, what they would only read: exposures of style sets and the page's templates.

    A third of what a run takes. Nothing here may start a thread, which a fork would lose.
    """
    from deepfactor.pipeline import markets
    from deepfactor.report.press import html
    from deepfactor.styles.base import ROOM
    from support.style_sets import remembering

    threads = os.listdir("/proc/self/task")
    opened = markets.open_market(market)
    markets.style_exposures = remembering(markets.style_exposures)
    for styles in map(ROOM.choose, ROOM.kinds()):
        markets.style_exposures(styles, opened)
    for template in ("page.html.j2", "runs.html.j2"):
        html._template(template)
    assert os.listdir("/proc/self/task") == threads


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    serve()
elif __name__ == "__mp_main__" and _ORDER in os.environ:  # a spawned worker
    _watch(json.loads(os.environ[_ORDER]))
