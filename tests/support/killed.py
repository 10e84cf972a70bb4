"""Ingests that end as one likes: whole, killed at a named write, killed after a time. Each in a process of its own.

``python -m support.killed`` imports deepfactor once, then forks for each line of JSON on standard input:
``{"mapping", "files", "market", "kill": null | number of the write, "after": null | seconds, "points": null | file}``;
it answers ``{"status", "seconds"}``, the status as `os.waitstatus_to_exitcode` gives it (−9 = killed).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

TESTS = Path(__file__).parents[1]


class Ingests:
    """Runs ingests one after the other."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def run(self, mapping: Path, market: Path, **how: Any) -> dict[str, Any]:
        """One ingest; see the module."""
        order = {"mapping": str(mapping), "files": str(mapping.parent), "market": str(market)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"kill": None, "after": None, "points": None, **order, **how}) + "\n")
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


def watch_writes(
    root: str,
    kill: int | None,
    points: str | None,
    die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL),
) -> None:
    """Count what changes the disk, write its names below `root` to the file `points`, `die` before write `kill`."""
    count = 0

    def reached(what: str, path: object) -> None:
        nonlocal count
        count += 1
        if points:
            name = re.sub(r"[0-9a-f]{16}|\.(?:[0-9a-f]{8}-)?\d+\.tmp", "", os.path.relpath(str(path), root))
            with open(points, "a", encoding="utf-8") as handle:
                handle.write(f"{what} {name}\n")
        if count == kill:
            die()

    def before(name: str, which: int = 0) -> None:
        honest: Callable[..., Any] = getattr(os, name)

        def watched(*arguments: Any, **more: Any) -> Any:
            path = arguments[which]
            reached(name, os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else path)
            return honest(*arguments, **more)

        setattr(os, name, watched)

    for name, which in (("replace", 1), ("rename", 1), ("link", 1), ("unlink", 0), ("fsync", 0)):
        before(name, which)
    write = pl.DataFrame.write_parquet

    def half(frame: pl.DataFrame, path: Path, **options: Any) -> None:
        write(frame, path, **options)
        os.truncate(path, path.stat().st_size // 2)
        reached("half of", path)
        write(frame, path, **options)

    pl.DataFrame.write_parquet = half  # type: ignore[assignment,method-assign]
    write_bytes = Path.write_bytes

    def half_of_bytes(path: Path, content: Any) -> int:
        write_bytes(path, bytes(content)[: len(content) // 2])
        reached("half of", path)
        return write_bytes(path, content)

    Path.write_bytes = half_of_bytes  # type: ignore[assignment,method-assign]


def serve() -> None:
    """Fork for each order."""
    from deepfactor.pipeline.markets import ingest

    for line in sys.stdin:
        order = json.loads(line)
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                watch_writes(order["market"], order["kill"], order["points"])
                ingest(order["mapping"], Path(order["market"]), Path(order["files"]))
                status = 0
            finally:
                os._exit(status)
        if order["after"] is not None:
            time.sleep(order["after"])
            os.kill(child, signal.SIGKILL)
        _, ended = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(ended), "seconds": time.monotonic() - begin}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
