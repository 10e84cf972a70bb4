"""The workbench under load: how long its pages take while many clients ask for them at once.

::

    python -m benchmarks.workbench RUNS --market M [--clients 20] [--seconds 60] [--write FILE]

Every client asks without a pause, over a connection of its own: so many requests are always on the way. Which pages
there are is read off the pages themselves, from the list of runs down to days and stocks. The first visit of each is
timed apart: it is when results are read and pages are set.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import numpy as np

#: Pages of a kind that are asked for.
OF_A_KIND = 12
KINDS = (
    ("a day's walk", re.compile(r"/run/[^/]+/portfolio/.+/day/[\d-]+$")),
    ("a stock", re.compile(r"/run/[^/]+/portfolio/.+/stock/[^/]+$")),
    ("a portfolio", re.compile(r"/run/[^/]+/portfolio/[^/]+/[^/]+/[^/]+$")),
    ("a section of a run", re.compile(r"/run/[^/]+/section/[^/]+$")),
    ("a run", re.compile(r"/run/[^/]+$")),
    ("jobs", re.compile(r"/jobs$")),
    ("a job", re.compile(r"/jobs/\w+$")),
    ("the list of runs", re.compile(r"/$")),
)


@dataclass
class Client:
    """A connection that is kept, with the cookie of the link."""

    port: int
    cookie: str
    took: list[tuple[str, float, int]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def get(self, address: str) -> bytes:
        """The page, timed."""
        began = time.perf_counter()
        self.connection.request("GET", address, headers={"Cookie": self.cookie})
        answer = self.connection.getresponse()
        body = answer.read()
        self.took.append((address, time.perf_counter() - began, len(body)))
        if answer.status != 200:
            self.failed.append(f"{address}: {answer.status}")
        return body


def kind_of(address: str) -> str | None:
    """What kind of page stands at an address; None = none that is asked for."""
    return next((name for name, form in KINDS if form.search(address)), None)


def crawl(client: Client) -> dict[str, list[str]]:
    """Addresses by kind, each visited once."""
    found: dict[str, list[str]] = defaultdict(list)
    waiting, seen = ["/", "/jobs"], {"/", "/jobs"}
    while waiting:
        address = waiting.pop(0)
        kind = kind_of(address)
        if kind is None or len(found[kind]) >= OF_A_KIND:
            continue
        found[kind].append(address)
        links = [unescape(link) for link in re.findall(r'href="(/[^"?#]*)"', client.get(address).decode())]
        fresh = [link for link in dict.fromkeys(links) if link not in seen and kind_of(link)]
        seen.update(fresh)
        waiting += fresh
    return found


def press(client: Client, addresses: list[str], until: float, seed: int) -> None:
    """Ask for pages at random, one after the other."""
    chosen = random.Random(seed)
    while time.perf_counter() < until:
        try:
            client.get(chosen.choice(addresses))
        except OSError as error:
            client.failed.append(str(error))
            client.connection.close()


def main() -> None:
    """Serve, crawl, press, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--name", default="the demo")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "deepfactor",
        "serve",
        given.runs,
        "--market",
        given.market,
        "--port",
        "0",
        "--json",
    ]
    server = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        first = http.client.HTTPConnection("127.0.0.1", said["port"], timeout=60)
        first.request("GET", said["link"].split(str(said["port"]), 1)[1])
        cookie = str(first.getresponse().headers["set-cookie"]).split(";")[0]
        cold = Client(said["port"], cookie)
        found = crawl(cold)
        addresses = [address for group in found.values() for address in group]
        clients = [Client(said["port"], cookie) for _ in range(given.clients)]
        until = time.perf_counter() + given.seconds
        threads = [threading.Thread(target=press, args=(c, addresses, until, k)) for k, c in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        memory = resident(server.pid)
    finally:
        server.terminate()
        server.wait(30)
    text = table(given, cold, clients, memory)
    print(text)
    if given.write is not None:
        with given.write.open("a", encoding="utf-8") as handle:
            handle.write(text + "\n")


def resident(pid: int) -> float:
    """Memory of a process, MiB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else float("nan")


def table(given: argparse.Namespace, cold: Client, clients: list[Client], memory: float) -> str:
    """The figures as Markdown."""
    took = [one for client in clients for one in client.took]
    failed = [one for client in [cold, *clients] for one in client.failed]
    lines = [
        f"## {given.name}",
        "",
        f"{given.clients} clients without a pause for {given.seconds:.0f} s: {len(took):,} answers, "
        f"{len(took) / given.seconds:.0f} a second, {len(failed)} failed; server {memory:,.0f} MiB. "
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} at the end, "
        "clients on them too.",
        "",
        "| page | pages | first visit, median (s) | longest (s) | answers | median (ms) | p95 (ms) | largest (KiB) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in (*dict(KINDS), "all"):
        first = [t for address, t, _ in cold.took if name in (kind_of(address), "all")]
        own = [(t, size) for address, t, size in took if name in (kind_of(address), "all")]
        if not own:
            continue
        times = 1000 * np.array([t for t, _ in own])
        lines.append(
            f"| {name} | {len(first)} | {np.median(first):.2f} | {max(first):.2f} | {len(own):,} | "
            f"{np.median(times):.0f} | {np.percentile(times, 95):.0f} | {max(size for _, size in own) / 1024:,.0f} |"
        )
    return "\n".join([*lines, *failed[:5], ""])


if __name__ == "__main__":
    main()
