"""A Ray cluster of two nodes on this machine, of a core each, and small."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from deepfactor.training.engines.on_ray import package
from support.outside import HERE

#: A node is one core: two jobs at once need both.
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
#: A node that is gone is found out in seconds, and a busy machine isn't taken for a dead one.
CONFIG = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 10}
_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
_TRIES = 4


class TwoNodes:
    """The cluster, from its start to `close`."""

    def __init__(self) -> None:
        package()
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.node: Any = None
        try:
            self._add(include_dashboard=False, _system_config=CONFIG)
            self.node = self._add()
        except BaseException:
            self.close()
            raise
        self.address: str = self.cluster.address
        HERE.add(self.address.rpartition(":")[0])

    def _add(self, **settings: object) -> Any:
        """A node. Ray gives it 15 seconds in all to import its helpers, which a busy machine may not do at once."""
        for left in reversed(range(_TRIES)):
            try:
                return self.cluster.add_node(**NODE, **_ports(), **settings)
            except Exception:
                if not left:
                    raise
        raise AssertionError

    def kill_the_second(self) -> None:
        """`kill -9` of all of the second node, as where its machine stops: workers outlive Ray's daemon."""
        raylet = self.node.all_processes["raylet"][0].process.pid
        for pid in (*_children(raylet), raylet):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def renew_the_second(self) -> None:
        """Another second node for the one that was killed."""
        self.cluster.remove_node(self.node, allow_graceful=False)
        self.node = self._add()

    def close(self) -> None:
        with suppress(Exception):
            self.cluster.shutdown()


def _ports() -> dict[str, int]:
    """Free ones: those that Ray looks for by itself it waits for."""
    with closing(socket.socket()) as a, closing(socket.socket()) as b, closing(socket.socket()) as c:
        sockets = (a, b, c, d := socket.socket())
        with closing(d):
            for one in sockets:
                one.bind(("", 0))
            return {name: one.getsockname()[1] for name, one in zip(_PORTS, sockets, strict=True)}


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
